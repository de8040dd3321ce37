// Serves the Node.js reviewer on this machine: node local.mjs [port]

import { createServer } from "node:http";
import { handler } from "./index.mjs";

const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const answer = await handler(JSON.parse(Buffer.concat(parts).toString()));
  response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
});
server.listen(Number(process.argv[2] ?? 9000), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
