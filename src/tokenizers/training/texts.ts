import { setImmediate } from 'node:timers/promises';
import { fail } from '../../errors.js';
import { Counts } from './counts.js';
import type { Texts } from './options.js';

/** Texts between two moments in which other work may go on. */
const TEXTS_AT_A_TIME = 2048;

/** The words of all texts; `addWords` cuts one text. */
export async function countTexts(texts: Texts, addWords: (text: string, counts: Counts) => void): Promise<Counts> {
  // A string is iterable, too: by its characters, which is not what can be meant.
  if (typeof texts === 'string')
    fail('tokenizer', 'the texts to train on are one string. Give a list or a stream of them.');
  const counts = new Counts();
  let read = 0;
  for await (const text of texts) {
    if (typeof text !== 'string') {
      fail('tokenizer', `text ${read} to train on is ${JSON.stringify(text)}. Every text is a string.`);
    }
    addWords(text, counts);
    if (++read % TEXTS_AT_A_TIME === 0) await setImmediate();
  }
  if (counts.size === 0) fail('tokenizer', `the ${read} texts to train on have no words. Give texts that have some.`);
  return counts;
}
