/** Texts as passages. */
export { builtInPassages } from './built-in.js';
export { type PassageOptions, readPassages } from './read.js';
