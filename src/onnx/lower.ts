import { fail } from '../errors.js';
import { formatType, type NodeOf, nodesOf, type OpName, type TensorType, type Value } from '../graph/index.js';
import { GraphWriter, isFed } from './graph-writer.js';
import { type LoweringRule, loweringRules } from './lowering-rules.js';
import { encodeModel, type OnnxModel } from './proto.js';

/** A tensor that enters or leaves a lowered graph. */
export interface NamedType extends TensorType {
  readonly name: string;
}

export interface LoweredGraph {
  /** The bytes of an ONNX model. */
  readonly model: Uint8Array;
  /** What must be fed at every run: inputs, and weights that are not constants. */
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  /** Weights that the session takes once, from memory, when it is made. */
  readonly constants: readonly NamedType[];
}

export interface LowerOptions {
  /** Weights become constants of the model, which an engine may rearrange once, instead of inputs of every run. */
  constantParameters?: boolean;
  /** Only operations of the ONNX standard, for engines that have no others. */
  standardOnly?: boolean;
  /** Begins the names of everything but inputs, outputs and weights, where graphs are to be joined. */
  namePrefix?: string;
}

const OPSET = 20;

/** Under which name a weight, or rows of it, enter a lowered graph. */
export function parameterName(node: NodeOf<'parameter'> | NodeOf<'parameterRows'>): string {
  if (node.op === 'parameter') return node.attributes.name;
  const { name, start, count } = node.attributes;
  return `${name}[${start}:${start + count}]`;
}

/** A graph as ONNX nodes, before they are bytes. */
export interface OnnxGraph extends Omit<LoweredGraph, 'model'> {
  readonly model: OnnxModel;
}

/** Writes the graph that `outputs` reach as an ONNX model. */
export function lower(outputs: Readonly<Record<string, Value>>, options: LowerOptions = {}): LoweredGraph {
  const graph = lowerToNodes(outputs, options);
  return { ...graph, model: encodeModel(graph.model) };
}

/** As {@link lower}, for graphs that are changed before they are written. */
export function lowerToNodes(
  outputs: Readonly<Record<string, Value>>,
  { constantParameters = false, standardOnly = false, namePrefix = '' }: LowerOptions = {},
): OnnxGraph {
  const nodes = nodesOf(Object.values(outputs));
  const writer = new GraphWriter(nodes, namePrefix, standardOnly);
  const inputs: NamedType[] = [];
  const constants: NamedType[] = [];
  const seen = new Map<string, Value>();

  for (const [name, value] of Object.entries(outputs)) writer.reserveName(value, name);
  // All inputs are named first: a size may be shown by an input that was made after the nodes which need it.
  for (const node of nodes) {
    if (!isFed(node)) continue;
    const value = node.outputs[0]!;
    const name = node.op === 'input' ? node.attributes.name : parameterName(node);
    const earlier = seen.get(name);
    if (earlier && formatType(earlier) !== formatType(value)) {
      fail('onnx', `"${name}" enters the graph twice, as ${formatType(earlier)} and as ${formatType(value)}.`);
    }
    writer.setName(value, name);
    if (earlier) continue;
    seen.set(name, value);
    const constant = node.op !== 'input' && constantParameters;
    (constant ? constants : inputs).push({ name, dtype: value.dtype, shape: value.shape });
    if (constant) {
      writer.initializers.push({ name, dtype: value.dtype, shape: value.shape as readonly number[], external: true });
    }
  }
  for (const node of nodes) {
    if (isFed(node)) continue;
    const rule = loweringRules[node.op] as LoweringRule<OpName>;
    rule(
      writer,
      node as never,
      node.inputs.map((value) => writer.nameOf(value)),
      node.outputs.map((value) => writer.nameOf(value)),
    );
  }

  const outputTypes: NamedType[] = [];
  for (const [name, value] of Object.entries(outputs)) {
    if (seen.has(name)) fail('onnx', `"${name}" names both an output and something that is fed. Rename the output.`);
    // One value under two names, or an input handed straight out.
    if (writer.nameOf(value) !== name)
      writer.nodes.push({ op: 'Identity', inputs: [writer.nameOf(value)], outputs: [name] });
    outputTypes.push({ name, dtype: value.dtype, shape: value.shape });
  }
  const { nodes: onnxNodes, initializers } = writer;
  const model = { nodes: onnxNodes, inputs, outputs: outputTypes, initializers, opset: OPSET };
  return { model, inputs, outputs: outputTypes, constants };
}
