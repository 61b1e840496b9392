import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Each room may import the rooms before it. */
const order = [
  'graph',
  'onnx',
  'engine',
  'kernels',
  'models',
  'export',
  'checkpoints',
  'rag',
  'generation',
  'training',
];
/** Rooms that any room may import; of others they import nothing but each other. */
const neutral = ['data', 'tokenizers', 'args', 'hub', 'metrics', 'loggers'];
/** Rooms that use the library as its users do, through the files at the top of src. */
const outer = ['cli'];
/** Files at the top that rooms may import. */
const shared = ['errors.ts', 'progress.ts', 'model-types.ts', 'aside.ts', 'edit-distance.ts'];
/** They serve tests, and take their random numbers from `data`. */
const testHelpers = ['graph/interpret.ts', 'graph/op-examples.ts'];
const native = ['koffi', 'onnxruntime-node'];
const MOST_LINES = 400;

interface Import {
  readonly from: string;
  /** A path below src, or the name of a package. */
  readonly to: string;
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(sep).join('/'))
  .filter((file) => /\.(ts|mjs)$/.test(file));
const modules = files.filter((file) => !/(\.test|\.generated|\.d)\.ts$/.test(file) && !file.includes('/assembly/'));
const imports = modules.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const pattern =
    /(?:^|[;}\n])\s*(?:import|export)\b[^'";]*?\bfrom\s*'([^']+)'|\bimport\(\s*'([^']+)'|^\s*import\s*'([^']+)'/g;
  return [...text.matchAll(pattern)].map(([, named, dynamic, bare]) => {
    const path = named ?? dynamic ?? bare!;
    if (!path.startsWith('.')) return { from: file, to: path };
    const target = resolve(src, dirname(file), path);
    return { from: file, to: relative(src, target).split(sep).join('/').replace(/\.js$/, '.ts') };
  });
}

/** The folder that a file lies in; undefined for files at the top and for packages. */
function roomOf(path: string): string | undefined {
  const slash = path.indexOf('/');
  return slash < 0 || !files.includes(path) ? undefined : path.slice(0, slash);
}

function isAllowed(from: string, to: string): boolean {
  if (outer.includes(from)) return true;
  if (neutral.includes(to)) return true;
  return order.indexOf(to) >= 0 && order.indexOf(to) < order.indexOf(from);
}

/** Each cycle that a walk from node to node runs into, as the nodes it goes through. */
function cycles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const visit = (node: string, path: string[]): void => {
    if (path.includes(node)) found.push([...path.slice(path.indexOf(node)), node]);
    if (path.includes(node) || done.has(node)) return;
    for (const next of edges.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return found;
}

function edgesOf(pairs: Iterable<readonly [string, string]>): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const [from, to] of pairs) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  return edges;
}

const between = imports.filter(
  ({ from, to }) =>
    roomOf(from) !== undefined &&
    roomOf(to) !== undefined &&
    roomOf(from) !== roomOf(to) &&
    !testHelpers.includes(from),
);

describe('the house', () => {
  it('has the rooms named here, and every import is found', () => {
    const rooms = new Set(files.map(roomOf).filter((room) => room !== undefined));
    expect([...rooms].sort()).toEqual([...order, ...neutral, ...outer].sort());
    expect(imports.filter(({ to }) => to.includes('/') && roomOf(to) === undefined && !to.startsWith('node:'))).toEqual(
      [],
    );
    // The readers of this test see at once when it has gone blind.
    expect(imports.length).toBeGreaterThan(300);
    expect(between.length).toBeGreaterThan(40);
  });

  it('lets a room import only rooms before it, and neutral ones', () => {
    expect(between.filter(({ from, to }) => !isAllowed(roomOf(from)!, roomOf(to)!))).toEqual([]);
  });

  it('lets rooms import no more than errors and progress from the top', () => {
    const atTop = imports.filter(({ from, to }) => files.includes(to) && roomOf(from) !== undefined && !roomOf(to));
    expect(atTop.filter(({ from, to }) => !outer.includes(roomOf(from)!) && !shared.includes(to))).toEqual([]);
  });

  it('has one way into a room', () => {
    const inward = imports.filter(({ from, to }) => roomOf(to) !== undefined && roomOf(from) !== roomOf(to));
    expect(inward.filter(({ from, to }) => !to.endsWith('/index.ts') && !testHelpers.includes(from))).toEqual([]);
  });

  it('goes round in no circles, from room to room or from file to file', () => {
    expect(cycles(edgesOf(between.map(({ from, to }) => [roomOf(from)!, roomOf(to)!])))).toEqual([]);
    const inside = imports.filter(({ to }) => files.includes(to));
    expect(cycles(edgesOf(inside.map(({ from, to }) => [from, to])))).toEqual([]);
  });

  it('speaks to native libraries in the engine alone', () => {
    const rooms = imports.filter(({ to }) => native.includes(to)).map(({ from }) => roomOf(from));
    expect(new Set(rooms)).toEqual(new Set(['engine']));
    // What is resolved by name at run time is named in a string.
    const naming = modules.filter((file) =>
      /'(koffi|onnxruntime-node)[/']/.test(readFileSync(join(src, file), 'utf8')),
    );
    expect(naming.filter((file) => roomOf(file) !== 'engine')).toEqual([]);
  });

  it('has files of at most 400 lines', () => {
    const lines = (file: string) => readFileSync(join(src, file), 'utf8').trimEnd().split('\n').length;
    const long = modules.filter((file) => lines(file) > MOST_LINES);
    expect(long.map((file) => `${file}: ${lines(file)} lines`)).toEqual([]);
  });
});
