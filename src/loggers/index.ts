/** Where a run's numbers, options and samples are written for those who watch it. */
export type { RunLogger } from './run-logger.js';
