// Resolves a model in a process of its own, with the package as it is built: node fetch.mjs <id> [<json of options>]
import { resolveModel } from '../../dist/src/hub/index.js';

const [id, options = '{}'] = process.argv.slice(2);
try {
  console.log(await resolveModel(id, JSON.parse(options)));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
