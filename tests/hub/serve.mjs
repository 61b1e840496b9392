// The server for programs in other languages: node serve.mjs <compiled server.js>. It writes its address, and for each line
// that it reads what was asked since the last one; a number in the line makes the next large file slow (milliseconds a piece).
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { HubServer, tinyRepository } = await import(pathToFileURL(process.argv[2]).href);
const server = await HubServer.start();
server.repositories.set('org/tiny', tinyRepository());
console.log(server.url);
for await (const line of createInterface(process.stdin)) {
  console.log(JSON.stringify(server.asked()));
  server.seen.length = 0;
  if (Number(line) > 0) server.faults.push({ on: /GET cdn/, times: 1, slow: Number(line) });
}
await server.stop();
