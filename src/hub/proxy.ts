import net from 'node:net';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { fail } from '../errors.js';
import type { Environment } from './settings.js';

/**
 * The proxy for an address, if any. `given` wins over the variables; in both a key that names the host wins over one of the
 * scheme, and that over `all`. NO_PROXY speaks of the variables alone.
 */
export function proxyFor(url: URL, given: Readonly<Record<string, string>>, environment: Environment): URL | undefined {
  const scheme = url.protocol.slice(0, -1);
  const named = [`${scheme}://${url.hostname}`, scheme, `all://${url.hostname}`, 'all'];
  const key = named.find((name) => given[name]);
  if (key !== undefined) return proxyAddress(given[key]!, `proxies.${key}`);
  if (isExempt(url, variable('no_proxy', environment))) return undefined;
  for (const name of [`${scheme}_proxy`, 'all_proxy']) {
    const value = variable(name, environment);
    if (value) return proxyAddress(value, name);
  }
  return undefined;
}

function variable(name: string, environment: Environment): string | undefined {
  return environment[name] || environment[name.toUpperCase()];
}

function proxyAddress(text: string, origin: string): URL {
  const full = text.includes('://') ? text : `http://${text}`;
  const address = URL.canParse(full) ? new URL(full) : undefined;
  if (!address || !/^https?:$/.test(address.protocol)) {
    // The text may hold a password.
    return fail('hub', `${origin} is no address of an http or https proxy. Set one such as http://proxy.example:3128.`);
  }
  return address;
}

/** Whether NO_PROXY names the host: itself, a domain above it, `host:port`, a network such as 10.0.0.0/8, or `*`. */
function isExempt(url: URL, list: string | undefined): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return (list ?? '')
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true;
      if (entry.includes('/')) return isInNetwork(host, entry);
      const suffix = entry.replace(/^\*?\./, '');
      return [host, `${host}:${port}`].some((name) => name === suffix || name.endsWith(`.${suffix}`));
    });
}

function isInNetwork(host: string, network: string): boolean {
  const [address = '', bits = ''] = network.split('/');
  const family = net.isIP(address);
  if (family === 0 || family !== net.isIP(host) || !/^\d+$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new net.BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(address, Number(bits), type);
  return list.check(host, type);
}

/** What sends requests: through a proxy, or directly. @param timeout milliseconds until a connection has to stand */
export function dispatcherFor(proxy: URL | undefined, timeout: number): Dispatcher {
  const connect = { timeout };
  return proxy ? proxyAgent(proxy, connect) : new Agent({ connect });
}

function proxyAgent(proxy: URL, connect: { timeout: number }): Dispatcher {
  const [user, password] = [decodeURIComponent(proxy.username), decodeURIComponent(proxy.password)];
  return new ProxyAgent({
    uri: proxy.origin,
    proxyTls: connect,
    requestTls: connect,
    // http goes through a proxy as requests for whole addresses, which all proxies take; tunnels are for https.
    proxyTunnel: false,
    ...(user && { token: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }),
  });
}
