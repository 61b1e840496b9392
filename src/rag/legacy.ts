import { existsSync } from 'node:fs';
import path from 'node:path';
import { fail } from '../errors.js';
import { openIndex } from './faiss/index.js';

const INDEX = 'hf_bert_base.hnswSQ8_correct_phi_128.c_index';
/** The original files of DPR, under the names that Transformers' LegacyIndex looks for. */
const FILES = {
  passages: 'psgs_w100.tsv.pkl',
  index: `${INDEX}.index.dpr`,
  numbers: `${INDEX}.index_meta.dpr`,
} as const;

/**
 * What Transformers' `legacy` index is of, piece by piece: the first that is missing or cannot be read is the error. The passages
 * are a pickle, a program of Python's that is not run here.
 */
export async function openLegacyKnowledge(directory: string, threads: number): Promise<never> {
  for (const [what, file] of Object.entries(FILES)) {
    if (!existsSync(path.join(directory, file))) {
      fail(
        'knowledge',
        `${directory} is no legacy index: it has no ${file} (its ${what}). Download it, or use a dataset.`,
      );
    }
  }
  const index = await openIndex(path.join(directory, FILES.index), { threads });
  index.close();
  return fail(
    'knowledge',
    `${path.join(directory, FILES.passages)} is a pickle of Python's, which is not read here. ` +
      'Save the passages with their embeddings by the datasets library (save_to_disk), and give that directory.',
  );
}
