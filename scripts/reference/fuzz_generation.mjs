// Our answers to the cases of fuzz_generation.py: node scripts/reference/fuzz_generation.mjs cases.json (after npm run build).
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { matchWeights, openCheckpoint } from '../../dist/src/checkpoints/index.js';
import { GenerationPrograms, generate, resolveGenerationOptions } from '../../dist/src/generation/index.js';
import { architectureOf, ModelWeights } from '../../dist/src/models/index.js';

const fixtures = fileURLToPath(new URL('../../tests/fixtures/', import.meta.url));
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

function load(place) {
  const checkpoint = openCheckpoint(fixtures + place);
  const architecture = architectureOf(checkpoint.config);
  const weights = new ModelWeights(architecture.parameters);
  weights.initialize(0);
  const { matched } = matchWeights(checkpoint.weights, architecture.parameters, { architecture: architecture.type });
  for (const [name, weight] of matched) weight.read(weights.array(name));
  checkpoint.close();
  return { architecture, checkpoint, programs: new GenerationPrograms(architecture, weights, 1) };
}

const cases = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const models = new Map();
let [same, different] = [0, 0];
for (const [number, { model, settings, prefix, source, answers, scores }] of cases.entries()) {
  if (!models.has(model)) models.set(model, load(model));
  const { architecture, checkpoint, programs } = models.get(model);
  const given = Object.fromEntries(Object.entries(settings).map(([name, value]) => [camel(name), value]));
  const options = resolveGenerationOptions(
    { ...given, prefixIds: prefix },
    checkpoint.generationConfig ?? {},
    checkpoint.config,
    architecture.generationDefaults,
  );
  const [found] = await generate(programs, [Int32Array.from(source)], options, { batchSize: 1 });
  const ends = new Set(options.eosTokenId);
  // Theirs are padded behind their end.
  const trimmed = answers.map((ids) => {
    const end = ids.findIndex((id, place) => place > options.prefixIds.length && ends.has(id));
    return end < 0 ? ids : ids.slice(0, end + 1);
  });
  const ours = found.map(({ ids }) => [...ids]);
  const equal = JSON.stringify(ours) === JSON.stringify(trimmed);
  const near = (scores ?? []).every(
    (score, i) => Math.abs(score - found[i].score) < 1e-4 * Math.max(1, Math.abs(score)),
  );
  if (equal && near) same++;
  else {
    different++;
    console.log(`${number} ${model} ${JSON.stringify(settings)} prefix ${prefix} source ${source}`);
    console.log(`  theirs ${JSON.stringify(trimmed)} ${scores ?? ''}`);
    console.log(`  ours   ${JSON.stringify(ours)} ${found.map(({ score }) => score)}`);
  }
}
console.log(`${same} the same, ${different} different`);
process.exit(different > 0 ? 1 : 0);
