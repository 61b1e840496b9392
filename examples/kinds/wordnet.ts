import { createHash } from 'node:crypto';

/** A definition, and what it defines is a kind of, from the general to the special: `object, whole, living thing, organism, animal`. */
export interface Row {
  readonly input_text: string;
  readonly target_text: string;
}

/** A meaning of nouns, by a line of WordNet's file `data.noun`. */
interface Synset {
  readonly name: string;
  /** The position of the first meaning of which this one is a kind. */
  readonly parent: string | undefined;
  readonly definition: string;
}

/** Levels of a row's target. The two above it, `entity` and whether it is physical or abstract, are told by the third. */
const LEVELS = { skipped: 2, told: 5 };
/** Words of a definition. */
const LENGTH = { least: 4, most: 14 };

/** Every definition of the right length of something that is a kind of something, once. */
export function readWordNet(text: string): Row[] {
  const synsets = new Map(text.split('\n').flatMap((line) => parseSynset(line) ?? []));
  const rows = new Map<string, Row>();
  for (const { definition, parent } of synsets.values()) {
    const words = definition.split(' ').length;
    if (words < LENGTH.least || words > LENGTH.most) continue;
    const told = kinds(parent, synsets).slice(LEVELS.skipped, LEVELS.skipped + LEVELS.told);
    if (told.length > 0) rows.set(definition, { input_text: definition, target_text: told.join(', ') });
  }
  return [...rows.values()];
}

/**
 * `position file n words (word id)… pointers (symbol position n source)… | definition; "example"`, as wndb(5WN) describes it;
 * `@` points to the more general meaning. The licence at the top of the file starts with spaces.
 */
function parseSynset(line: string): [[string, Synset]] | undefined {
  const [fields, gloss] = [line.split(' '), line.split(' | ')[1]];
  if (line.startsWith(' ') || gloss === undefined) return;
  const pointers = 4 + 2 * Number.parseInt(fields[3]!, 16);
  const definition = gloss.replace(/;\s*".*$/, '').trim();
  for (let at = pointers + 1; at < pointers + 1 + 4 * Number(fields[pointers]); at += 4) {
    if (fields[at] === '@') return [[fields[0]!, { name: spaced(fields[4]!), parent: fields[at + 1], definition }]];
  }
  return [[fields[0]!, { name: spaced(fields[4]!), parent: undefined, definition }]];
}

function spaced(name: string): string {
  return name.replaceAll('_', ' ').toLowerCase();
}

/** From the most general kind down to the one at `position`. */
function kinds(position: string | undefined, synsets: ReadonlyMap<string, Synset>): string[] {
  const path: string[] = [];
  for (let synset = synsets.get(position ?? ''); synset; synset = synsets.get(synset.parent ?? ''))
    path.unshift(synset.name);
  return path;
}

export type Part = 'train' | 'test';

/** Per cent of the definitions. */
const HELD_OUT = 10;

/** In the order of a hash: the first thousand are of every kind, and the same every time. */
export function split(rows: readonly Row[]): Record<Part, Row[]> {
  const parts: Record<Part, Row[]> = { train: [], test: [] };
  const drawn = rows.map((row) => ({ row, draw: createHash('sha256').update(row.input_text).digest().readUInt32BE() }));
  for (const { row, draw } of drawn.sort((a, b) => a.draw - b.draw)) {
    parts[draw % 100 < HELD_OUT ? 'test' : 'train'].push(row);
  }
  return parts;
}
