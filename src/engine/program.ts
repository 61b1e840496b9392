import { fail } from '../errors.js';
import { addressOf, api, check, type Status } from './api.js';
import { NameArray } from './names.js';
import { verifySignature } from './ports.js';
import { type ProgramOptions, Session } from './session.js';
import { type ProgramSignature, SignatureCheck, type TensorSpec, type Tensors } from './signature.js';
import { giveBack, handleOf, retain, type Tensor } from './tensor.js';

/** The `OrtValue*` of one run's inputs, then outputs, where the library reads them. */
class ValueArray {
  readonly values: BigUint64Array;
  readonly inputs: bigint;
  readonly outputs: bigint;

  constructor(inputs: number, outputs: number) {
    this.values = new BigUint64Array(new ArrayBuffer(8 * (inputs + outputs)));
    this.inputs = addressOf(this.values);
    this.outputs = this.inputs + BigInt(8 * inputs);
  }
}

/** A run under way: what it works on stays alive until it ends. */
interface Call {
  readonly array: ValueArray;
  readonly tensors: readonly Tensor[];
  readonly results: Record<string, Tensor>;
}

/**
 * A compiled model, run any number of times with sizes that fit its signature. Runs read and write the tensors' memory
 * in place, may overlap, and may write an output over an input where the operations themselves allow that.
 */
export class Program {
  readonly signature: ProgramSignature;
  readonly #label: string;
  readonly #session: Session;
  readonly #check: SignatureCheck;
  readonly #inputNames: NameArray;
  readonly #outputNames: NameArray;
  /** Arrays no run is using. */
  readonly #spare: ValueArray[] = [];
  #running = 0;
  #disposed = false;

  private constructor(label: string, session: Session, signature: ProgramSignature, check: SignatureCheck) {
    this.signature = signature;
    this.#label = label;
    this.#session = session;
    this.#check = check;
    this.#inputNames = new NameArray(signature.inputs.map(({ name }) => name));
    this.#outputNames = new NameArray(signature.outputs.map(({ name }) => name));
    sessions.register(this, session, this);
  }

  /** Compiles the bytes of an ONNX file, whose inputs and outputs must be those of the signature. */
  static create(model: Uint8Array, signature: ProgramSignature, options: ProgramOptions = {}): Program {
    const label = options.name === undefined ? 'a program' : `program "${options.name}"`;
    const fixed = { inputs: signature.inputs.map(frozen), outputs: signature.outputs.map(frozen) };
    const check = new SignatureCheck(label, fixed);
    const session = new Session(label, model, options);
    try {
      verifySignature(label, session.handle, fixed);
      return new Program(label, session, fixed, check);
    } catch (error) {
      session.release();
      throw error;
    }
  }

  /** Runs on a thread of its own, the main thread stays free. Outputs that are not given are made. */
  async run(inputs: Tensors, outputs: Tensors = {}): Promise<Record<string, Tensor>> {
    const call = this.#begin(inputs, outputs);
    try {
      const status = await this.#start(call);
      check(status, `run ${this.#label}`);
    } finally {
      this.#end(call);
    }
    return call.results;
  }

  /** {@link run} on this thread, for calls so short that waiting costs less than switching. */
  runSync(inputs: Tensors, outputs: Tensors = {}): Record<string, Tensor> {
    const call = this.#begin(inputs, outputs);
    try {
      check(api().run(...this.#arguments(call)), `run ${this.#label}`);
    } finally {
      this.#end(call);
    }
    return call.results;
  }

  /** Frees the session, once the runs under way have ended. No run starts afterwards. */
  dispose(): void {
    this.#disposed = true;
    if (this.#running > 0) return;
    sessions.unregister(this);
    this.#session.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #begin(given: Tensors, givenOutputs: Tensors): Call {
    if (this.#disposed) fail('engine', `${this.#label} was disposed. Create it again to run it.`);
    const { tensors: inputs, sizes } = this.#check.inputs(given);
    const outputs = this.#check.outputs(givenOutputs, sizes);
    const tensors = [...inputs, ...outputs];
    const array = this.#spare.pop() ?? new ValueArray(inputs.length, outputs.length);
    for (const [index, tensor] of tensors.entries()) array.values[index] = handleOf(tensor);
    for (const tensor of tensors) retain(tensor);
    this.#running++;
    const results: Record<string, Tensor> = {};
    for (const [index, { name }] of this.signature.outputs.entries()) results[name] = outputs[index]!;
    return { array, tensors, results };
  }

  async #start(call: Call): Promise<Status> {
    try {
      return await new Promise((resolve, reject) => {
        api().run.async(...this.#arguments(call), (error, status) => (error ? reject(error) : resolve(status)));
      });
    } catch (error) {
      return fail(
        'engine',
        `${this.#label} could not start: ${(error as Error).message}. Wait for earlier runs.`,
        error,
      );
    }
  }

  #arguments({ array }: Call): Parameters<ReturnType<typeof api>['run']> {
    const { inputs, outputs } = this.signature;
    return [
      this.#session.handle,
      null,
      this.#inputNames.address,
      array.inputs,
      inputs.length,
      this.#outputNames.address,
      outputs.length,
      array.outputs,
    ];
  }

  #end({ array, tensors }: Call): void {
    for (const tensor of tensors) giveBack(tensor);
    this.#spare.push(array);
    this.#running--;
    if (this.#disposed) this.dispose();
  }
}

/** A caller who changed a specification later would have tensors checked by it that do not fit the model. */
function frozen({ name, dtype, shape }: TensorSpec): TensorSpec {
  return Object.freeze({ name, dtype, shape: Object.freeze([...shape]) });
}

/** Releases the sessions of programs that were never disposed of. */
const sessions = new FinalizationRegistry<Session>((session) => session.release());
