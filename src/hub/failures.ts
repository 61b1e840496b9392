/** No usable answer: no network, a timeout, a server in trouble. What is in the cache may do instead. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';

  constructor(
    message: string,
    /** Seconds that the server asks to wait. */
    readonly retryAfter?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A server answered, and it is no hub: its answer lacks what each answer of a hub has. */
export class NotAHub extends Error {
  override readonly name = 'NotAHub';
}

/** The branch moved to another commit while its files were fetched. */
export class Moved extends Error {
  override readonly name = 'Moved';
}

/** What a hub's refusal is about. */
export type Reason = 'entry' | 'revision' | 'repository' | 'gated' | 'token' | 'disabled' | 'forbidden' | 'other';

/** A hub's answer that it will not give what was asked for. */
export class Refused extends Error {
  override readonly name = 'Refused';

  constructor(
    readonly reason: Reason,
    readonly status: number,
    /** The commit that lacks the entry, where the hub tells it. */
    readonly commit: string | undefined,
    /** The hub's own words. */
    readonly words: string | undefined,
  ) {
    super(`the hub answers ${status}${words ? ` (${words})` : ''}`);
  }
}

const reasonOfCode: Readonly<Record<string, Reason>> = {
  EntryNotFound: 'entry',
  RevisionNotFound: 'revision',
  RepoNotFound: 'repository',
  GatedRepo: 'gated',
};

/** A hub says what it means in X-Error-Code; the status alone is what mirrors give. */
export function reasonOf(status: number, code: string | undefined, words: string | undefined): Reason {
  const named = code === undefined ? undefined : reasonOfCode[code];
  if (named) return named;
  if (words === 'Access to this resource is disabled.') return 'disabled';
  // So that names of private repositories cannot be guessed, 401 also stands for what does not exist.
  if (status === 401) return words === 'Invalid credentials in Authorization header' ? 'token' : 'repository';
  if (status === 403) return 'forbidden';
  return status === 404 ? 'entry' : 'other';
}

const meanings: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known, perhaps there is no network',
  EAI_AGAIN: 'its name cannot be looked up, perhaps there is no network',
  ECONNREFUSED: 'nothing answers at its address',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'there is no way to its address',
  ENETUNREACH: 'there is no network',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'it stopped sending',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'it sent another length than it announced',
  UND_ERR_SOCKET: 'the connection was cut',
};

/** What a failed exchange means, in words that fit behind a colon. */
export function describeNetworkError(error: unknown): string {
  const code = networkErrorCode(error);
  return (code && meanings[code]) || (error instanceof Error && error.message) || code || String(error);
}

export function networkErrorCode(error: unknown): string | undefined {
  // Where a name has several addresses, the error of each.
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  return first instanceof Error && 'code' in first && typeof first.code === 'string' ? first.code : undefined;
}

/** Failures that no second attempt mends and that the cache should not hide: certificates, and proxies that refuse. */
export function isConfigurationError(error: unknown): boolean {
  const code = networkErrorCode(error) ?? '';
  const message = error instanceof Error ? error.message : '';
  return (
    /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|^ERR_TLS|^ERR_SSL|^EPROTO$/.test(code) ||
    /Proxy.*\b40[1357]\b/.test(message)
  );
}
