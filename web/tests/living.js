/** A client with every feature, on a scripted server. */
import WebSocket from "ws";
import { ChatClient, Changes, Kept, Moderation, Online, Reactions, Reads, Rounds, Signals, Uploads } from "../chat-client.js";
import { collect } from "./listening.js";
import { TOKEN, startScriptedServer } from "./scripted-server.js";

/** @import { TestContext } from "node:test" */
/** @import { ChatError, ChatOptions, Since } from "../chat-client.js" */

export const FEATURES = [Changes, Reactions, Online, Signals, Rounds, Kept, Reads, Uploads, Moderation];
const KINDS = /** @type {const} */ (["changed", "stale", "reaction", "signal", "typing", "online", "members", "read", "barred", "slow"]);

/** @param {TestContext} test @param {Partial<ChatOptions>} [options] */
export async function connected(test, options) {
  const server = await startScriptedServer(test);
  const { url, historyUrl } = server;
  const features = FEATURES;
  const client = new ChatClient({ url, historyUrl, getToken: () => TOKEN, WebSocket: /** @type {any} */ (WebSocket), features, ...options });
  test.after(() => client.disconnect());
  /** @type {ChatError[]} */ const errors = [];
  client.addEventListener("error", ({ detail }) => errors.push(detail));
  await client.connect();
  const room = client.room(1);
  room.addEventListener("error", ({ detail }) => errors.push(detail));
  const seen = collect(room);
  /** What else the room told, in order. @type {[kind: typeof KINDS[number], detail: any][]} */ const told = [];
  for (const kind of KINDS) {
    /** @type {EventTarget} */ (room).addEventListener(kind, (event) => told.push([kind, /** @type {CustomEvent} */ (event).detail]));
  }
  /** @param {typeof KINDS[number]} wanted */
  const of = (wanted) => told.filter(([kind]) => kind === wanted).map(([, detail]) => detail);
  return { client, server, room, seen, told, of, errors };
}

/** In room 1, where `said` messages are. @param {TestContext} test @param {{ said?: number, since?: Since, options?: Partial<ChatOptions> }} [how] */
export async function entered(test, { said = 0, since, options } = {}) {
  const living = await connected(test, options);
  for (let count = 0; count < said; count++) living.server.say(1, { ageMs: 60_000 });
  await living.room.join({ since });
  return living;
}

/** Cuts the connection, and waits for the next one to be in the room. @param {Awaited<ReturnType<typeof connected>>} living @param {() => unknown} [meanwhile] */
export async function comeBack({ client, server, room }, meanwhile = () => {}) {
  const away = new Promise((resolve) => client.addEventListener("disconnected", resolve, { once: true }));
  server.peer.socket.terminate();
  await away;
  await meanwhile();
  for (const started = performance.now(); !room.joined; await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (performance.now() - started > 60_000) throw new Error("it does not come back");
  }
}
