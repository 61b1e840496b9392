export { dispatcherFor, proxyFor } from './proxy.js';
export { resolveModel } from './resolve.js';
export type { HubOptions, HubProgress } from './settings.js';
