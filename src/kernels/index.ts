/** SIMD kernels over memory that threads, typed arrays and the engine share: optimizers, norms, dropout masks. */
export { type ArraySpec, Planes } from './planes.js';
export { KernelPool, type KernelTask, SharedMemory, task } from './pool.js';
