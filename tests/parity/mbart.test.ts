import { describeVariants } from './bart-family.js';

describeVariants('mbart', ['tied', 'untied', 'wide']);
describeVariants('mbart50', ['tied', 'untied']);
