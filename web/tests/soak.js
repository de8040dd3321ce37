// @ts-check
/**
 * Clients whose networks break at random, for as long as you like, on a local run that cuts connections after seconds:
 * npm --prefix web run soak -- MINUTES. It fails on the first message that is lost, doubled, or out of order.
 */
import assert from "node:assert/strict";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { pause } from "./listening.js";
import { startLocalRun } from "./local-run.js";
import { startNetwork } from "./network.js";

/** @import { Message } from "../chat-client.js" */

const minutes = Number(process.argv[2] ?? 1);
const CLIENTS = 6;
const ROOMS = ["one", "two"];
const LIFETIME_SECONDS = 8;
/** How long a network may be broken, in ms. */
const BROKEN_MAX = 3_000;
/** A client with so many unsent messages in a room sends no more; it would refuse at 100. */
const PATIENT_MAX = 80;

/** @type {(() => unknown)[]} */ const last = [];
const scope = /** @type {import("node:test").TestContext} */ (/** @type {unknown} */ ({ after: (/** @type {() => unknown} */ end) => last.push(end) }));
const run = await startLocalRun({ lifetimeSeconds: LIFETIME_SECONDS });
const until = performance.now() + minutes * 60_000;
const counts = { sent: 0, cuts: 0, silences: 0, deafenings: 0, disconnections: 0, errors: 0 };

const people = await Promise.all(Array.from({ length: CLIENTS }, (_, n) => start(n)));
await Promise.all(people.map(live));
for (const { network } of people) network.up();
await Promise.all(people.flatMap(({ sends }) => sends));

for (const room of ROOMS) {
  // Once a newer message is there, everybody sees every message before it.
  const { id } = await people[0].client.room(room).send("the end");
  counts.sent += 1;
  for (const { name, seen } of people) {
    const messages = /** @type {Message[]} */ (seen.get(room));
    while (messages.at(-1)?.id !== id) await pause(50);
    const ids = messages.map((message) => message.id);
    assert.deepEqual(ids, [...new Set(ids)].sort((one, other) => one - other), `${name} saw ${room} out of order, or doubled`);
  }
  const [first, ...others] = people.map(({ seen }) => seen.get(room)?.map((message) => message.content));
  for (const other of others) assert.deepEqual(other, first, `not everybody saw the same in ${room}`);
  for (const { name, said } of people) {
    const heard = first?.filter((content) => content.startsWith(`${name} `));
    assert.deepEqual(heard, said.get(room), `what ${name} said in ${room} is not there once, in its order`);
  }
}
for (const { client } of people) client.disconnect();
for (const end of last) await end();
await run.stop();
console.log(`${minutes} minutes, ${CLIENTS} clients: nothing lost, nothing doubled, one order`);
console.log(counts);

/** @param {number} n */
async function start(n) {
  const name = `user-${n}`;
  const network = await startNetwork(scope, run.page);
  const client = new ChatClient({
    url: network.through(run.url),
    historyUrl: network.through(run.historyUrl),
    getToken: () => run.token({ userId: n, username: name }),
    lifetimeMs: LIFETIME_SECONDS * 1_000,
    timeoutMs: 2_000,
    WebSocket: /** @type {any} */ (WebSocket),
  });
  client.addEventListener("disconnected", () => counts.disconnections++);
  /** @type {Map<string, Message[]>} */ const seen = new Map();
  for (const room of ROOMS) {
    /** @type {Message[]} */ const messages = [];
    seen.set(room, messages);
    client.room(room).addEventListener("message", ({ detail }) => messages.push(detail));
    client.room(room).addEventListener("error", () => counts.errors++);
  }
  void client.connect();
  await Promise.all(ROOMS.map((room) => client.room(room).join()));
  const said = new Map(ROOMS.map((room) => [room, /** @type {string[]} */ ([])]));
  return { name, client, network, seen, said, sends: /** @type {Promise<unknown>[]} */ ([]) };
}

/** @param {Awaited<ReturnType<typeof start>>} person */
async function live({ name, client, network, said, sends }) {
  /** @type {Map<string, number>} */ const settled = new Map();
  while (performance.now() < until) {
    await pause(Math.random() * 300);
    const room = ROOMS[Math.floor(Math.random() * ROOMS.length)];
    const words = /** @type {string[]} */ (said.get(room));
    if (words.length - (settled.get(room) ?? 0) < PATIENT_MAX) {
      const content = `${name} says ${words.length}`;
      words.push(content);
      const sent = client.room(room).send(content);
      sends.push(sent.then(() => settled.set(room, (settled.get(room) ?? 0) + 1)));
      counts.sent += 1;
    }
    const dice = Math.random();
    if (dice > 0.05) continue;
    if (dice < 0.025) network.cut(), counts.cuts++;
    else if (dice < 0.04) network.deafen(), counts.deafenings++;
    else network.silence(), counts.silences++;
    await pause(Math.random() * BROKEN_MAX);
    network.up();
  }
}
