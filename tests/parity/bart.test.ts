import { describeVariants } from './bart-family.js';

describeVariants('bart', ['base', 'uneven', 'bias', 'untied', 'wide']);
