export { optionsMarkdown } from './markdown.js';
export { kebabName, type OptionName, optionNames, optionOf, pythonName, spellings } from './names.js';
export { type Option, placeholder, showDefault } from './option.js';
export { fromPythonJson, type PythonArgs, toPythonJson } from './python-json.js';
export {
  checkArgs,
  checkOption,
  defaultArgs,
  optionFromText,
  parseArgs,
  type Seq2SeqArgs,
  type Seq2SeqArgsInput,
  updateArgs,
} from './schema.js';
export { optionGroups, options } from './table.js';
