import { editDistance } from './edit-distance.js';

/**
 * Every error this package raises on purpose. The message reads `<area>: what happened, with its numbers. What to do`,
 * where the area is the room or the option the reader has to look at.
 */
export class Seq2SeqError extends Error {
  override readonly name = 'Seq2SeqError';
  readonly area: string;

  constructor(area: string, message: string, options?: ErrorOptions) {
    super(`${area}: ${message}`, options);
    this.area = area;
  }
}

/** Throws a {@link Seq2SeqError}; usable where an expression is wanted (`value ?? fail(…)`). */
export function fail(area: string, message: string, cause?: unknown): never {
  throw new Seq2SeqError(area, message, cause === undefined ? undefined : { cause });
}

/** Refuses names that an object of settings does not have, with the nearest one it has. */
export function refuseUnknown(area: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    fail(
      area,
      `its settings are an object of names and values, not ${Array.isArray(given) ? 'a list' : String(given)}.`,
    );
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    fail(area, `there is no "${name}". ${meant ? `Did you mean "${meant}"?` : `Known are ${known.join(', ')}.`}`);
  }
}

/** The candidate closest to `name` by edit distance, if any is close enough to be what was meant. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
