/** Where a run's numbers, options and samples are written for those who watch it. */
export type { Series } from './axis.js';
export { plotSvg } from './plot-svg.js';
export { plotTerminal } from './plot-terminal.js';
export type { RunLogger } from './run-logger.js';
export { optionsTable, samplesTable } from './tables.js';
export { TensorBoardLogger } from './tensorboard.js';
export { WandbLogger } from './wandb.js';
