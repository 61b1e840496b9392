import koffi from 'koffi';
import { api, check } from './api.js';
import { physicalCores } from './cores.js';

export interface EngineDescription {
  /** ONNX Runtime's. */
  readonly version: string;
  readonly libraryPath: string;
  /** Execution providers the library was built with; whether their hardware and drivers are there is not known. */
  readonly providers: readonly string[];
  readonly physicalCores: number;
  /** Platform and processor, as Node names them: `linux x64`. */
  readonly platform: string;
}

/** What runs the programs on this machine; throws where nothing can. */
export function describeEngine(): EngineDescription {
  const { version, libraryPath } = api();
  return {
    version,
    libraryPath,
    providers: availableProviders(),
    physicalCores: physicalCores(),
    platform: `${process.platform} ${process.arch}`,
  };
}

function availableProviders(): string[] {
  const { getAvailableProviders, releaseAvailableProviders } = api();
  const list = new BigUint64Array(1);
  const count = new Int32Array(1);
  check(getAvailableProviders(list, count), 'list its providers');
  const names: string[] = koffi.decode(list[0], koffi.array('str', count[0]!));
  check(releaseAvailableProviders(list[0]!, count[0]!), 'free the list of its providers');
  return names;
}
