export {
  resolveTrainingOptions,
  type Texts,
  type TokenizerTrainingOptions,
  type TokenizerType,
  trainableTypes,
} from './options.js';
export { trainTokenizer } from './train.js';
