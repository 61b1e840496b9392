import path from 'node:path';
import { expect, it } from 'vitest';
import { Seq2SeqModel } from '../../src/index.js';

const directory = path.join(import.meta.dirname, '../fixtures/bart/base');
const load = (more: object) =>
  Seq2SeqModel.load({ encoderDecoderType: 'bart', encoderDecoderName: directory, args: { silent: true }, ...more });

it('a model whose config drops layers predicts, but is not trained another way than the config says', async () => {
  const model = await load({ config: { encoder_layerdrop: 0.1 } });
  const plain = await load({});
  expect(await model.predict(['rain'])).toEqual(await plain.predict(['rain']));
  const rows = [{ input_text: 'a', target_text: 'b' }];
  await expect(model.trainModel(rows, { outputDir: '/nowhere' })).rejects.toThrow(
    'config.json: encoder_layerdrop is not 0, but layers are never dropped here. Override it: config { "encoder_layerdrop": 0 }.',
  );
});

it('names that the methods do not have are refused with the nearest one', async () => {
  await expect(load({ encoderDecoderNam: 'x' })).rejects.toThrow(
    'load: there is no "encoderDecoderNam". Did you mean "encoderDecoderName"?',
  );
  const model = await load({});
  await expect(model.predict(['a'], { onProgres: () => {} } as never)).rejects.toThrow('Did you mean "onProgress"?');
});
