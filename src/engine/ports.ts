import { fail } from '../errors.js';
import { formatShape } from '../graph/index.js';
import { ONNX_DTYPE } from '../onnx/index.js';
import { api, check, created, readText } from './api.js';
import { environment } from './environment.js';
import type { ProgramSignature, TensorSpec } from './signature.js';

/** What a session's model declares of an input or output; a symbolic dimension is -1. */
interface DeclaredPort {
  readonly name: string;
  readonly elementType: number;
  readonly shape: readonly number[];
}

/**
 * Compares the model's declarations with the signature that all later checks go by: were they to differ in a type, a run
 * would write past the end of an output.
 */
export function verifySignature(label: string, session: bigint, { inputs, outputs }: ProgramSignature): void {
  const ort = api();
  const inputCount = created('count inputs', (out) => ort.sessionGetInputCount(session, out));
  const outputCount = created('count outputs', (out) => ort.sessionGetOutputCount(session, out));
  verify(
    `${label}: input`,
    inputs,
    readPorts(session, inputCount, ort.sessionGetInputName, ort.sessionGetInputTypeInfo),
  );
  verify(
    `${label}: output`,
    outputs,
    readPorts(session, outputCount, ort.sessionGetOutputName, ort.sessionGetOutputTypeInfo),
  );
}

function verify(where: string, specs: readonly TensorSpec[], declared: readonly DeclaredPort[]): void {
  const ports = new Map(declared.map((port) => [port.name, port]));
  for (const spec of specs) {
    const port = ports.get(spec.name);
    if (!port) fail('engine', `${where} "${spec.name}" is in the signature, but not in the model.`);
    if (port.elementType !== ONNX_DTYPE[spec.dtype] || !agree(spec.shape, port.shape)) {
      const type = DTYPE_NAMES.get(port.elementType) ?? `ONNX type ${port.elementType}`;
      fail(
        'engine',
        `${where} "${spec.name}" is ${spec.dtype} ${formatShape(spec.shape)} in the signature, but ` +
          `${type} ${formatShape(port.shape)} in the model.`,
      );
    }
    ports.delete(spec.name);
  }
  for (const name of ports.keys()) fail('engine', `${where} "${name}" is in the model, but not in the signature.`);
}

const DTYPE_NAMES = new Map(Object.entries(ONNX_DTYPE).map(([dtype, type]) => [type, dtype]));

function agree(shape: TensorSpec['shape'], declared: readonly number[]): boolean {
  return (
    shape.length === declared.length &&
    shape.every((dim, axis) => typeof dim !== 'number' || declared[axis] === -1 || declared[axis] === dim)
  );
}

type Api = ReturnType<typeof api>;

function readPorts(
  session: bigint,
  count: bigint,
  getName: Api['sessionGetInputName'],
  getTypeInfo: Api['sessionGetInputTypeInfo'],
): DeclaredPort[] {
  return Array.from({ length: Number(count) }, (_, index) => ({
    name: readName(session, index, getName),
    ...readType(session, index, getTypeInfo),
  }));
}

function readName(session: bigint, index: number, getName: Api['sessionGetInputName']): string {
  const { allocator } = environment();
  const text = created('read a name', (out) => getName(session, index, allocator, out));
  const name = readText(text);
  check(api().allocatorFree(allocator, text), 'free a name');
  return name;
}

function readType(
  session: bigint,
  index: number,
  getTypeInfo: Api['sessionGetInputTypeInfo'],
): Pick<DeclaredPort, 'elementType' | 'shape'> {
  const { castTypeInfoToTensorInfo, getTensorElementType, getDimensionsCount, getDimensions, releaseTypeInfo } = api();
  const type = created('read a type', (out) => getTypeInfo(session, index, out));
  try {
    const tensor = created('read a type', (out) => castTypeInfoToTensorInfo(type, out));
    if (tensor === 0n) return { elementType: 0, shape: [] }; // a sequence, a map or an optional value
    const elementType = Number(created('read an element type', (out) => getTensorElementType(tensor, out)));
    const rank = Number(created('read a rank', (out) => getDimensionsCount(tensor, out)));
    const dims = new BigInt64Array(rank);
    check(getDimensions(tensor, dims, rank), 'read a shape');
    return { elementType, shape: Array.from(dims, Number) };
  } finally {
    releaseTypeInfo(type);
  }
}
