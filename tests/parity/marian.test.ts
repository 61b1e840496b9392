import { describeVariants } from './bart-family.js';

describeVariants('marian', ['published', 'loose', 'separate', 'untied', 'untied-separate']);
