// @ts-check
/**
 * The recipe on one machine, beside `cargo run -- --events FILE`: the same handlers, with the local run's DynamoDB and its
 * `authorize`. It serves `/subscriptions`, and hands on each event that the file gains.
 */
import { createReadStream, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { newKeys } from "./keys.js";
import { BODY_BYTES_MAX } from "./src/limits.js";
import { defaultServices, makeTable } from "./template.js";

/** @import { IncomingMessage, ServerResponse } from "node:http" */

/** How often the file is looked at. In milliseconds. */
const LOOK_MS = 100;
/** How long before an event is tried again: Lambda waits for a minute, and then for two. In milliseconds. */
const AGAIN_MS = [1_000, 2_000];

const { values: options } = parseArgs({
  options: {
    events: { type: "string" },
    chat: { type: "string", default: "http://127.0.0.1:3000" },
    dynamodb: { type: "string", default: "http://127.0.0.1:8000" },
    port: { type: "string", default: "3100" },
    keys: { type: "string", default: fileURLToPath(new URL("../../.local/push-keys.json", import.meta.url)) },
  },
});
if (!options.events) throw new Error("--events FILE is missing: the file of `cargo run -- --events FILE`");
const { events, chat, keys } = /** @type {{ events: string, chat: string, keys: string }} */ (options);

const { publicKey, privateKey } = keptKeys();
Object.assign(process.env, {
  // The names that the tables have in the local run.
  CHAT_TABLE: "ChatTable",
  CONNECTIONS_TABLE: "ConnectionsTable",
  SUBSCRIPTIONS_TABLE: "PushSubscriptions",
  CONTACT: "mailto:push@example.com",
  PUSH_SERVICES: process.env.PUSH_SERVICES ?? defaultServices,
  PREVIEW: process.env.PREVIEW ?? "on",
  VAPID_PUBLIC_KEY: publicKey,
  VAPID_PRIVATE_KEY: privateKey,
  AWS_ENDPOINT_URL_DYNAMODB: options.dynamodb,
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "local",
  AWS_SECRET_ACCESS_KEY: "local",
});
await makeTable(String(process.env.SUBSCRIPTIONS_TABLE));
// They read their environment when they are loaded.
const [notify, subscriptions] = await Promise.all(["notify", "subscriptions"].map(async (name) => (await import(`./src/${name}.js`)).handler));

const server = createServer((request, response) => void serve(request, response).catch((caught) => {
  console.error(caught);
  response.writeHead(500).end();
}));
await new Promise((resolve) => server.listen(Number(options.port), "127.0.0.1", () => resolve(undefined)));
const here = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
console.log(`subscriptions  ${here}\npage           ${new URL("/", chat)}?push=${here}`);
await follow();

/** New keys would end every subscription, so they are kept. */
function keptKeys() {
  try {
    return JSON.parse(readFileSync(keys, "utf8"));
  } catch (caught) {
    if (/** @type {NodeJS.ErrnoException} */ (caught).code !== "ENOENT") throw caught;
    const made = newKeys();
    mkdirSync(dirname(keys), { recursive: true });
    writeFileSync(keys, JSON.stringify(made), { mode: 0o600 });
    return made;
  }
}

/** What API Gateway does: preflights, the authorizer, the function. @param {IncomingMessage} request @param {ServerResponse} response */
async function serve(request, response) {
  response.setHeader("access-control-allow-origin", "*");
  if (request.method === "OPTIONS") {
    response.writeHead(204, { "access-control-allow-methods": "GET,POST,DELETE", "access-control-allow-headers": "authorization,content-type" });
    return void response.end();
  }
  let body = "";
  for await (const part of request.setEncoding("utf8")) if ((body += part).length > BODY_BYTES_MAX) break;
  if (request.url !== "/subscriptions") return void response.writeHead(404).end();
  const { policyDocument, context } = await authorize(request);
  if (policyDocument?.Statement?.[0]?.Effect !== "Allow") return void response.writeHead(request.headers.authorization ? 403 : 401).end();
  const answer = await subscriptions({ body, requestContext: { http: { method: request.method }, authorizer: { lambda: context } } });
  response.writeHead(answer.statusCode, answer.headers).end(answer.body);
}

/** Asks the chat's own authorizer, as the API of template.yaml does. @param {IncomingMessage} request */
async function authorize({ method, headers }) {
  const event = {
    version: "1.0",
    type: "REQUEST",
    methodArn: `arn:aws:execute-api:us-east-1:123456789012:push/$default/${method}/subscriptions`,
    resource: "/subscriptions",
    path: "/subscriptions",
    httpMethod: method,
    headers,
    multiValueHeaders: {},
    queryStringParameters: {},
    pathParameters: {},
    stageVariables: {},
    requestContext: { resourcePath: "/subscriptions", httpMethod: method, stage: "$default", identity: { sourceIp: "127.0.0.1" } },
  };
  // The local run looks only whether somebody signed.
  const signed = { authorization: "AWS4-HMAC-SHA256 local", "x-amz-date": "20260101T000000Z" };
  const response = await fetch(new URL("/2015-03-31/functions/AuthorizeFunction/invocations", chat), { method: "POST", headers: signed, body: JSON.stringify(event) });
  return await response.json();
}

/** Hands on what the file gains from here on, one event after the other. */
async function follow() {
  let at = sizeOf(events);
  const decoder = new StringDecoder();
  for (let rest = ""; ; await sleep(LOOK_MS)) {
    if (sizeOf(events) === at) continue;
    for await (const part of createReadStream(events, { start: at })) {
      at += part.length;
      const lines = (rest + decoder.write(part)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) await handOn(JSON.parse(line));
    }
  }
}

/** @param {string} file */
function sizeOf(file) {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** As Lambda does it: twice more, and then it is given up. @param {object} event */
async function handOn(event) {
  for (const wait of [...AGAIN_MS, null]) {
    try {
      return await notify(event);
    } catch (caught) {
      console.error(caught);
      if (wait === null) return console.error("given up");
      await sleep(wait);
    }
  }
}
