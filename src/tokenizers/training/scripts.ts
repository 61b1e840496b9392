import { SCRIPT_RUNS } from './script-runs.js';

/** Characters that take the script of what they follow: combining marks. */
const INHERITED = 1;
const SPACE = 0x2581;

/** Script of every code point, `A` being 0: pinned, since Node's own tables change from version to version. */
const SCRIPTS = new Uint8Array(0x110000);
let end = 0;
for (const [, length, letters] of SCRIPT_RUNS.matchAll(/([0-9a-z]+)([A-Z]+)/g)) {
  const start = end;
  end += Number.parseInt(length!, 36);
  const number = [...letters!].reduce((value, letter) => 26 * value + letter.charCodeAt(0) - 64, 0) - 1;
  SCRIPTS.fill(number, start, end);
}

/**
 * Whether code points may make a piece, by SentencePiece's defaults: U+2581 at the beginning alone, and one script, digits
 * and signs being of a script of their own.
 */
export function isPiece(points: readonly number[]): boolean {
  let script = -1;
  for (const [i, point] of points.entries()) {
    if (point === SPACE) {
      if (i > 0) return false;
      continue;
    }
    const own = SCRIPTS[point]!;
    const taken = own === INHERITED ? script : own;
    if (script >= 0 && taken >= 0 && taken !== script) return false;
    script = taken;
  }
  return true;
}
