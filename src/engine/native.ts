import koffi from 'koffi';

/** `Run` needs the stack of an ordinary thread; koffi's default of 128 KiB is meant for small functions. */
const ASYNC_STACK_BYTES = 8 * 1024 * 1024;

let configured = false;

/** Loads a native library. All loading goes through here, since koffi takes settings only before the first. */
export function loadLibrary(path: string): ReturnType<typeof koffi.load> {
  if (!configured) koffi.config({ async_stack_size: ASYNC_STACK_BYTES });
  configured = true;
  return koffi.load(path);
}
