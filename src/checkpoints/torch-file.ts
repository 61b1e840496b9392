import { type ElementTypeName, elementTypeNames, elementTypes } from './element-types.js';
import type { InputFile } from './input-file.js';
import { type PickleHost, readPickle } from './pickle.js';
import { isNatural, isNaturals, StoredWeight, sizeOf, spanOf } from './weight.js';
import { readZip } from './zip.js';

// torch.save keeps an object as a pickle and the memory behind its tensors ("storages") outside it. A tensor is a view
// (offset, size, stride) of a storage; several may share one.
//
// Kind of today:  a zip file of <root>/data.pkl and <root>/data/<key> for each storage.
// Kind before 1.6: pickles in a row (magic number, 1001, system, the object, list of storage keys), then for each key
//                 i64 number of elements · elements.

class Storage {
  constructor(
    readonly key: string,
    readonly dtype: ElementTypeName,
    /** Number of elements. */
    readonly length: number,
  ) {}
}

/** What `_rebuild_tensor_v2` is called with; checked when the tensor becomes a weight. */
class TorchTensor {
  constructor(
    readonly storage: unknown,
    readonly offset: unknown,
    readonly shape: unknown,
    readonly strides: unknown,
  ) {}
}

const globals = new Map<string, unknown>([
  ['collections.OrderedDict', orderedDictionary],
  ['torch._utils._rebuild_tensor_v2', (...view: unknown[]) => new TorchTensor(view[0], view[1], view[2], view[3])],
  ['torch._utils._rebuild_parameter', (tensor: unknown) => tensor],
  ...elementTypeNames.flatMap((name): [string, unknown][] => {
    const type = elementTypes[name];
    return 'torchStorage' in type ? [[`torch.${type.torchStorage}`, name]] : [];
  }),
]);

/** Called without arguments, except by Python 2, which passes the list of pairs. */
function orderedDictionary(pairs: unknown): Map<unknown, unknown> {
  return new Map(Array.isArray(pairs) ? pairs.filter(Array.isArray).map(([key, value]) => [key, value]) : []);
}

/** The tensors of a state dictionary saved by torch; other entries of it are left out. */
export function readTorchFile(file: InputFile): StoredWeight[] {
  const { state, positions } = isZip(file) ? readZipKind(file) : readOldKind(file);
  if (!(state instanceof Map)) {
    return file.refuse('does not hold a dictionary of weights', 'Save the state_dict() of the model, not the model.');
  }
  const tensors = [...state].filter((entry): entry is [string, TorchTensor] => entry[1] instanceof TorchTensor);
  if (tensors.length === 0) {
    file.refuse(`holds ${state.size} entries and no weight among them`, 'Save the state_dict() of the model itself.');
  }
  return tensors.map(([name, { storage, offset, shape, strides }]) => {
    if (typeof name !== 'string') return file.refuse('has a weight whose name is no text');
    if (!(storage instanceof Storage) || !isNatural(offset) || !isNaturals(shape) || !isNaturals(strides)) {
      return file.refuse(`describes ${name} in a way that cannot be read`);
    }
    const { dtype, length, key } = storage;
    const needed = offset + spanOf(shape, strides);
    if (shape.length !== strides.length || !isNatural(sizeOf(shape)) || !(needed <= length)) {
      file.refuse(
        `has ${name} as shape [${shape.join(', ')}], strides [${strides.join(', ')}] from element ${offset} of a storage ` +
          `with ${length}, which does not fit`,
      );
    }
    const position = positions.get(key)! + offset * elementTypes[dtype].bytes;
    return new StoredWeight(name, shape, dtype, { file, position, strides });
  });
}

interface TorchContent {
  readonly state: unknown;
  /** Of each storage's first byte, by key. */
  readonly positions: ReadonlyMap<string, number>;
}

function isZip(file: InputFile): boolean {
  return file.size >= 4 && file.bytes(0, 4).readUInt32BE() === 0x504b0304;
}

function readZipKind(file: InputFile): TorchContent {
  const entries = readZip(file);
  const object = [...entries.values()].find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (!object) return file.refuse('is a zip file without data.pkl', 'Give a file written by torch.save.');
  const root = object.name.slice(0, -'data.pkl'.length);

  const order = entries.get(`${root}byteorder`);
  const byteOrder = order ? file.bytes(order.position, Math.min(order.size, 16)).toString('utf8').trim() : 'little';
  if (byteOrder !== 'little') {
    file.refuse(`was written in ${byteOrder}-endian byte order`, 'Convert it to safetensors in Python.');
  }

  const { host, storages } = storageHost(file);
  const { value: state } = readPickle(file, object.position, object.position + object.size, host);
  const positions = new Map<string, number>();
  for (const { key, dtype, length } of storages.values()) {
    const entry = entries.get(`${root}data/${key}`) ?? file.refuse(`lacks its entry ${root}data/${key}`);
    const bytes = length * elementTypes[dtype].bytes;
    if (entry.size !== bytes) {
      file.refuse(`has ${entry.size} bytes in ${entry.name}, ${length} elements of ${dtype} take ${bytes}`);
    }
    positions.set(key, entry.position);
  }
  return { state, positions };
}

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;

function readOldKind(file: InputFile): TorchContent {
  const { host, storages } = storageHost(file);
  let position = 0;
  const next = (): unknown => {
    const { value, end } = readPickle(file, position, file.size, host);
    position = end;
    return value;
  };

  // Its first opcodes are PROTO and LONG1; anything else is another kind of file.
  const start = file.size >= 3 ? file.bytes(0, 3) : undefined;
  if (start?.[0] !== 128 || start[2] !== 138 || next() !== magicNumber || next() !== protocolVersion) {
    return file.refuse('is not a file that torch.save wrote', 'Download it again, or give one that torch.save wrote.');
  }
  const system = next();
  if (!(system instanceof Map) || system.get('little_endian') !== true) {
    file.refuse('was not written in little-endian byte order', 'Convert it to safetensors in Python.');
  }
  const state = next();
  const keys = next();

  const unplaced = new Map(storages);
  const positions = new Map<string, number>();
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = unplaced.get(key) ?? file.refuse('lists a storage that no weight uses, or lists one twice');
    unplaced.delete(key);
    if (position + 8 > file.size) file.refuse(`ends at byte ${file.size}, within the storage ${key}`);
    const length = Number(file.bytes(position, 8).readBigInt64LE());
    if (length !== storage.length) {
      file.refuse(`has ${length} elements in the storage ${key}, its weights are made for ${storage.length}`);
    }
    positions.set(key, position + 8);
    position += 8 + length * elementTypes[storage.dtype].bytes;
    if (position > file.size) file.refuse(`ends at byte ${file.size}, its storage ${key} reaches to ${position}`);
  }
  for (const key of unplaced.keys()) file.refuse(`lacks the storage ${key}`);
  return { state, positions };
}

/** Persistent ids are ('storage', type, key, device, number of elements), in the old kind with a view of a storage behind. */
function storageHost(file: InputFile): { host: PickleHost; storages: ReadonlyMap<string, Storage> } {
  const storages = new Map<string, Storage>();
  const persistent = (id: unknown): Storage => {
    const [kind, type, key, , length, view] = Array.isArray(id) ? id : [];
    const dtype = elementTypeNames.find((name) => name === type);
    if (kind !== 'storage' || !dtype || typeof key !== 'string' || !isNatural(length) || (view ?? null) !== null) {
      return file.refuse('describes a storage in a way that cannot be read');
    }
    const storage = storages.get(key) ?? new Storage(key, dtype, length);
    if (storage.dtype !== dtype || storage.length !== length) file.refuse(`describes the storage ${key} in two ways`);
    storages.set(key, storage);
    return storage;
  };
  return { host: { globals, persistent }, storages };
}
