// Compares what fuzz_rag.py left in a folder with what this package finds, loses and answers.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Seq2SeqModel } from '../../dist/src/index.js';

const [folder] = process.argv.slice(2);
const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const differences = { answers: 0, documents: 0, scores: 0, losses: 0 };
let compared = 0;

for (const number of readdirSync(folder).filter((name) => /^\d+$/.test(name))) {
  const place = path.join(folder, number);
  const expected = JSON.parse(readFileSync(path.join(place, 'expected.json'), 'utf8'));
  for (const [name, setting] of Object.entries(expected.settings)) {
    const args = Object.fromEntries(Object.entries(setting).map(([key, value]) => [camel(key), value]));
    const model = await Seq2SeqModel.load({
      encoderDecoderType: `rag-${expected.kind}`,
      encoderDecoderName: path.join(place, 'model'),
      args: { silent: true, noCache: true, outputDir: path.join(place, 'out'), ...args },
    });
    for await (const { index, answers, documents } of model.predict(expected.questions, { stream: true })) {
      const tell = (what, ours, theirs) => {
        differences[what]++;
        console.log(what, number, expected.kind, JSON.stringify(setting), expected.questions[index], ours, theirs);
      };
      compared++;
      const [ours, theirs] = [answers.map(({ ids }) => [...ids]), expected.answers[name][index]].map(JSON.stringify);
      if (ours !== theirs && expected.stable[name]) tell('answers', ours, theirs);
      const { ids, scores } = expected.documents[index];
      if (documents.map(({ id }) => id).join() !== ids.join()) tell('documents', documents, ids);
      for (const [i, { score }] of documents.entries()) {
        if (Math.abs(score - scores[i]) > 1e-4 * Math.max(1, Math.abs(score))) tell('scores', score, scores[i]);
      }
    }
    const { eval_nll } = await model.evalModel(path.join(place, 'rows.tsv'));
    if (Math.abs(eval_nll / expected.loss - 1) > 1e-4) {
      differences.losses++;
      console.log('losses', number, eval_nll, expected.loss);
    }
    model.dispose();
  }
}
console.log(`${compared} questions compared; different:`, differences);
