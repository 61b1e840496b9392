import { fail } from '../../errors.js';
import { type FaissReader, FaissWriter } from './binary.js';

// Faiss's own files, as faiss/impl/index_write.cpp writes them.

export type Metric = 'inner-product' | 'l2';

/** What every index begins with. */
export interface Header {
  readonly dimension: number;
  readonly count: number;
  /** Two numbers that Faiss writes and does not read. */
  readonly unused: readonly [number, number];
  readonly trained: number;
  readonly metric: Metric;
}

/** Vectors in a file: `header.count` rows of `header.dimension` numbers from a byte on. */
export interface FlatFile {
  readonly kind: 'flat';
  readonly fourcc: 'IxFI' | 'IxF2' | 'IxFl';
  readonly header: Header;
  readonly position: number;
}

/** A graph of small worlds in levels (Malkov & Yashunin 2016). */
export interface Graph {
  readonly assignProbas: Float64Array;
  /** Links of a node up to each level: 0, 2M, 3M, … */
  readonly neighborsPerLevel: Int32Array;
  /** Levels of each node, counted from 1. */
  readonly levels: Int32Array;
  /** Where a node's links begin; one more than nodes. */
  readonly offsets: Float64Array;
  /** −1 where there is no link. */
  readonly neighbors: Int32Array;
  readonly entryPoint: number;
  readonly maxLevel: number;
  readonly efConstruction: number;
  readonly efSearch: number;
  /** Of older versions. */
  readonly upperBeam: number;
}

export interface HnswFile {
  readonly kind: 'hnsw';
  readonly fourcc: 'IHNf';
  readonly header: Header;
  readonly graph: Graph;
  readonly storage: FlatFile;
}

export interface MapFile {
  readonly kind: 'map';
  readonly fourcc: 'IxMp' | 'IxM2';
  readonly header: Header;
  readonly index: FlatFile | HnswFile;
  readonly ids: BigInt64Array;
}

export type IndexFile = FlatFile | HnswFile | MapFile;

/** Indexes of Faiss that are not read, by how their files begin. */
const OTHERS: Readonly<Record<string, string>> = {
  IwFl: 'IndexIVFFlat',
  IwFd: 'IndexIVFFlatDedup',
  IvFl: 'IndexIVFFlat',
  IwPQ: 'IndexIVFPQ',
  IvPQ: 'IndexIVFPQ',
  IwQR: 'IndexIVFPQR',
  IwPf: 'IndexIVFPQFastScan',
  IwSq: 'IndexIVFScalarQuantizer',
  IwSQ: 'IndexIVFScalarQuantizer',
  IvSQ: 'IndexIVFScalarQuantizer',
  IxPQ: 'IndexPQ',
  IxPo: 'IndexPQ',
  IxPq: 'IndexPQ',
  IPfs: 'IndexPQFastScan',
  IxSQ: 'IndexScalarQuantizer',
  IHNs: 'IndexHNSWSQ',
  IHNp: 'IndexHNSWPQ',
  IHN2: 'IndexHNSW2Level',
  IHNc: 'IndexHNSWCagra',
  IHc2: 'IndexHNSWCagra',
  INSf: 'IndexNSGFlat',
  INNf: 'IndexNNDescentFlat',
  IxPT: 'IndexPreTransform',
  IxRF: 'IndexRefine',
  IxHE: 'IndexLSH',
  IxHe: 'IndexLSH',
  IxLa: 'IndexLattice',
  IxRQ: 'IndexResidualQuantizer',
  IxLS: 'IndexLocalSearchQuantizer',
  IxRE: 'IndexRowwiseMinMax',
  Imiq: 'MultiIndexQuantizer',
  IBxF: 'IndexBinaryFlat',
};
const MOST_DIMENSIONS = 1 << 20;

/** What a file holds, checked; vectors stay in it. To be closed by the reader's file. */
export function readIndexFile(reader: FaissReader): IndexFile {
  const index = readIndex(reader, ['flat', 'hnsw', 'map']);
  if (reader.left > 0) reader.refuse(`goes on for ${reader.left} bytes behind its index`);
  return index;
}

function readIndex<K extends IndexFile['kind']>(
  reader: FaissReader,
  allowed: readonly K[],
): Extract<IndexFile, { kind: K }> {
  const fourcc = reader.fourcc();
  const index = readAny(reader, fourcc);
  if (!(allowed as readonly string[]).includes(index.kind)) reader.refuse(`has an index ${fourcc} where none can be`);
  return index as Extract<IndexFile, { kind: K }>;
}

function readAny(reader: FaissReader, fourcc: string): IndexFile {
  switch (fourcc) {
    case 'IxFI':
    case 'IxF2':
    case 'IxFl':
      return readFlat(reader, fourcc);
    case 'IHNf':
      return readHnsw(reader, fourcc);
    case 'IxMp':
    case 'IxM2':
      return readMap(reader, fourcc);
    default: {
      const name = OTHERS[fourcc];
      const known = 'IndexFlatIP, IndexFlatL2, IndexHNSWFlat, and IndexIDMap of these';
      return reader.refuse(
        name
          ? `is an ${name}, which is not read here`
          : `is no index of Faiss: it begins with ${JSON.stringify(fourcc)}`,
        name
          ? `Read are ${known}. Build one of them from the dataset: leave indexPath out.`
          : `Check the path. Read are ${known}.`,
      );
    }
  }
}

function readHeader(reader: FaissReader): Header {
  const dimension = reader.int32();
  const count = reader.int64();
  const unused = [reader.int64(), reader.int64()] as const;
  const trained = reader.uint8();
  const metric = reader.int32();
  if (dimension < 1 || dimension > MOST_DIMENSIONS) reader.refuse(`says that its vectors have ${dimension} numbers`);
  if (count < 0) reader.refuse(`says that it has ${count} vectors`);
  if (metric !== 0 && metric !== 1) {
    reader.refuse(`compares by metric ${metric} of Faiss`, 'Read are inner products (0) and squared distances (1).');
  }
  return { dimension, count, unused, trained, metric: metric === 0 ? 'inner-product' : 'l2' };
}

function readFlat(reader: FaissReader, fourcc: FlatFile['fourcc']): FlatFile {
  const header = readHeader(reader);
  const { dimension, count, metric } = header;
  const named = fourcc === 'IxFI' ? 'inner-product' : fourcc === 'IxF2' ? 'l2' : metric;
  if (named !== metric) reader.refuse(`is a ${fourcc}, yet compares by ${metric}`);
  const numbers = reader.count('numbers', 4);
  if (numbers !== count * dimension) {
    reader.refuse(`says that it has ${count} vectors of ${dimension} numbers, but holds ${numbers} numbers`);
  }
  return { kind: 'flat', fourcc, header, position: reader.skip(numbers * 4) };
}

function readHnsw(reader: FaissReader, fourcc: 'IHNf'): HnswFile {
  const header = readHeader(reader);
  const { count } = header;
  const assignProbas = reader.read(new Float64Array(reader.count('probabilities', 8)));
  const neighborsPerLevel = reader.read(new Int32Array(reader.count('numbers of links', 4)));
  const levels = reader.read(new Int32Array(reader.count('levels', 4)));
  const wide = reader.read(new BigUint64Array(reader.count('offsets', 8)));
  const offsets = Float64Array.from(wide, Number);
  const neighbors = reader.read(new Int32Array(reader.count('links', 4)));
  const [entryPoint, maxLevel, efConstruction, efSearch, upperBeam] = Array.from({ length: 5 }, () =>
    reader.int32(),
  ) as [number, number, number, number, number];
  const graph = {
    ...{ assignProbas, neighborsPerLevel, levels, offsets, neighbors },
    ...{ entryPoint, maxLevel, efConstruction, efSearch, upperBeam },
  };
  checkGraph(reader, graph, count);
  const storage = readIndex(reader, ['flat']);
  if (storage.header.count !== count || storage.header.dimension !== header.dimension) {
    const { header: own } = storage;
    reader.refuse(
      `has a graph of ${count} vectors of ${header.dimension} numbers over ${own.count} vectors of ${own.dimension}`,
    );
  }
  return { kind: 'hnsw', fourcc, header, graph, storage };
}

/** Whether a search stays inside the graph. */
function checkGraph(reader: FaissReader, graph: Graph, count: number): void {
  const { neighborsPerLevel, levels, offsets, neighbors, entryPoint, maxLevel, efSearch } = graph;
  if (levels.length !== count || offsets.length !== count + 1) {
    reader.refuse(`has ${count} vectors, but levels of ${levels.length} and links of ${offsets.length - 1}`);
  }
  if (
    neighborsPerLevel[0] !== 0 ||
    neighborsPerLevel.some((links, level) => links < (neighborsPerLevel[level - 1] ?? 0))
  ) {
    reader.refuse('has numbers of links that do not grow from level to level');
  }
  const isEmpty = count === 0;
  if (isEmpty ? entryPoint !== -1 : entryPoint < 0 || entryPoint >= count || maxLevel !== levels[entryPoint]! - 1) {
    reader.refuse(`begins its search at vector ${entryPoint} in level ${maxLevel}, which is not there`);
  }
  if (efSearch < 1) reader.refuse(`has an efSearch of ${efSearch}`);
  if (offsets[0] !== 0 || offsets[count] !== neighbors.length) {
    reader.refuse(`has ${neighbors.length} links, but says that they end at ${offsets[count]}`);
  }
  for (let node = 0; node < count; node++) {
    const links = neighborsPerLevel[levels[node]!];
    if (links === undefined || offsets[node + 1]! - offsets[node]! !== links) {
      reader.refuse(`has ${offsets[node + 1]! - offsets[node]!} links for vector ${node} of ${levels[node]} levels`);
    }
  }
  for (let at = 0; at < neighbors.length; at++) {
    const neighbor = neighbors[at]!;
    if (neighbor >= count || neighbor < -1) reader.refuse(`has a link to vector ${neighbor}, of ${count}`);
  }
}

function readMap(reader: FaissReader, fourcc: MapFile['fourcc']): MapFile {
  const header = readHeader(reader);
  const index = readIndex(reader, ['flat', 'hnsw']);
  const ids = reader.read(new BigInt64Array(reader.count('ids', 8)));
  if (ids.length !== index.header.count || header.count !== ids.length) {
    reader.refuse(`has ${ids.length} ids for ${index.header.count} vectors, and says that it has ${header.count}`);
  }
  return { kind: 'map', fourcc, header, index, ids };
}

/** A piece of a file to be written: bytes, or the vectors of the index, as they lie in another file or come one by one. */
export type IndexPiece = Uint8Array | { readonly vectorsOf: FlatFile };

/** The bytes of an index, in order. */
export function indexPieces(index: IndexFile): IndexPiece[] {
  const writer = new FaissWriter();
  writer.fourcc(index.fourcc);
  const { dimension, count, unused, trained, metric } = index.header;
  writer.int32(dimension);
  writer.int64(count);
  for (const value of unused) writer.int64(value);
  writer.uint8(trained);
  writer.int32(metric === 'inner-product' ? 0 : 1);
  switch (index.kind) {
    case 'flat':
      writer.int64(count * dimension);
      return [...writer.pieces, { vectorsOf: index }];
    case 'hnsw': {
      const { graph, storage } = index;
      writer.vector(graph.assignProbas);
      writer.vector(graph.neighborsPerLevel);
      writer.vector(graph.levels);
      writer.vector(BigUint64Array.from(graph.offsets, BigInt));
      writer.vector(graph.neighbors);
      for (const name of ['entryPoint', 'maxLevel', 'efConstruction', 'efSearch', 'upperBeam'] as const) {
        writer.int32(graph[name]);
      }
      return [...writer.pieces, ...indexPieces(storage)];
    }
    case 'map': {
      const tail = new FaissWriter();
      tail.vector(index.ids);
      return [...writer.pieces, ...indexPieces(index.index), ...tail.pieces];
    }
    default:
      return fail('index', `there is no index of kind ${String(index satisfies never)}.`);
  }
}

export const newHeader = (dimension: number, count: number, metric: Metric): Header => ({
  dimension,
  count,
  unused: [1 << 20, 1 << 20],
  trained: 1,
  metric,
});
