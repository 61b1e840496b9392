import type { Example } from './examples.js';

/** More make the graph larger than what they save. */
const MOST = 4;
/**
 * A further rectangle costs passes over all tokens and a fixed time for its operations, in places of attention that could be
 * computed meanwhile (measured at 384 and 768 wide).
 */
const COST_OF_TOKEN = 40;
const COST_OF_RECTANGLE = 20_000;

/**
 * The examples of a batch in groups, each to be one rectangle for attention: one group, unless lengths differ so much that
 * several rectangles have far fewer places. Within several groups the longest come first.
 */
export function rectanglesOf<T extends Example>(examples: readonly T[]): (readonly T[])[] {
  const tokens = examples.reduce((sum, { source, target }) => sum + source.length + target.length, 0);
  const least = COST_OF_TOKEN * tokens + COST_OF_RECTANGLE;
  // A batch whose whole attention costs less cannot gain.
  if (examples.length < 2 || placesOf(examples) < least) return [examples];
  const sorted = [...examples].sort((a, b) => b.source.length + b.target.length - (a.source.length + a.target.length));
  const groups: (readonly T[])[] = [sorted];
  while (groups.length < MOST) {
    const cuts = groups.map((group) => bestCut(group));
    const best = cuts.reduce((most, cut, group) => (cut.saved > cuts[most]!.saved ? group : most), 0);
    const { place, saved } = cuts[best]!;
    if (saved < least) break;
    const group = groups[best]!;
    groups.splice(best, 1, group.slice(0, place), group.slice(place));
  }
  return groups.length === 1 ? [examples] : groups;
}

/** Scores that attention computes over a rectangle, of the three kinds together: in the source, in the target, across. */
function placesOf(group: readonly Example[]): number {
  let [source, target] = [0, 0];
  for (const example of group) {
    source = Math.max(source, example.source.length);
    target = Math.max(target, example.target.length);
  }
  return group.length * (source * source + target * target + source * target);
}

/** Where to cut a group, longest first, so that its two parts have the fewest places. */
function bestCut(group: readonly Example[]): { place: number; saved: number } {
  const whole = placesOf(group);
  const rest = new Float64Array(group.length);
  let [source, target] = [0, 0];
  const add = (example: Example) => {
    source = Math.max(source, example.source.length);
    target = Math.max(target, example.target.length);
    return source * source + target * target + source * target;
  };
  for (let place = group.length - 1; place >= 0; place--) rest[place] = (group.length - place) * add(group[place]!);
  [source, target] = [0, 0];
  let best = { place: 0, saved: 0 };
  for (let place = 1; place < group.length; place++) {
    const saved = whole - place * add(group[place - 1]!) - rest[place]!;
    if (saved > best.saved) best = { place, saved };
  }
  return best;
}
