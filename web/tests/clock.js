// @ts-check
/**
 * A client whose time a test moves, on a scripted server: a minute takes a second, and is the same each time. All of it
 * stands still until everything that was sent has come, either way.
 */
import { get } from "node:http";
import { text } from "node:stream/consumers";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { collect, replace } from "./listening.js";
import { TOKEN, startScriptedServer } from "./scripted-server.js";

/** @import { TestContext } from "node:test" */
/** @import { Feature } from "../chat-client.js" */

/** The machine's own, from before the client's takes its place. */
const realTime = performance.now.bind(performance);
const soon = setImmediate;
/** How long to wait for what was sent and must come, in ms of the machine. */
const PATIENCE_MS = 60_000;

/** In room 1. Only one such client at a time. @param {TestContext} test @param {Feature[]} features */
export async function enterInTime(test, features) {
  const server = await startScriptedServer(test);
  const began = Date.now();
  let [now, count] = [0, 0];
  /** @type {Map<number, { at: number, run: () => void }>} */ const timers = new Map();
  /** On their way: frames in both directions, and requests. */
  let [toClient, toServer, asking] = [0, 0, 0];

  replace(test, performance, { now: () => now });
  replace(test, globalThis, {
    setTimeout: (/** @type {() => void} */ run, ms = 0) => timers.set(++count, { at: now + Math.max(1, ms), run }) && count,
    clearTimeout: (/** @type {number} */ timer) => void timers.delete(timer),
    fetch: (/** @type {URL} */ url, /** @type {any} */ options) => (asking++, ask(url, options).finally(() => asking--)),
  });

  class Counted extends WebSocket {
    /** @param {string} url @param {string[]} protocols */
    constructor(url, protocols) {
      super(url, protocols);
      this.on("message", () => toClient--);
    }
    /** @param {any} data */
    send(data) {
      toServer++;
      super.send(data);
    }
  }

  const client = new ChatClient({ url: server.url, historyUrl: server.historyUrl, getToken: () => TOKEN, WebSocket: /** @type {any} */ (Counted), features });
  /** @type {string[]} */ const errors = [];
  client.addEventListener("error", ({ detail }) => errors.push(detail.message));
  test.after(() => client.disconnect());

  async function settle() {
    const started = realTime();
    do {
      // Twice: what came is heard, and what its promises do is done.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => soon(resolve));
      if (realTime() - started > PATIENCE_MS) throw new Error(`still on the way: ${[toClient, toServer, asking]}`);
    } while (toClient !== 0 || toServer !== 0 || asking !== 0);
  }

  const connected = client.connect();
  while (server.peers.length === 0) await new Promise((resolve) => soon(resolve));
  const { peer } = server;
  const { push } = peer;
  peer.push = (frame) => (toClient++, push(frame));
  peer.socket.on("message", () => toServer--);
  await connected;
  const room = client.room(1);
  room.addEventListener("error", ({ detail }) => errors.push(detail.message));
  await room.join();
  const seen = collect(room);

  return {
    server, client, room, seen, errors,
    get now() {
      return now;
    },
    /** Lets so much time pass, and all that is due in it happen. @param {number} ms */
    async pass(ms) {
      const end = now + ms;
      for (;;) {
        await settle();
        const next = [...timers].filter(([, { at }]) => at <= end).sort(([, one], [, other]) => one.at - other.at)[0];
        if (!next) break;
        timers.delete(next[0]);
        now = Math.max(now, next[1].at);
        next[1].run();
      }
      now = end;
      // The server's clock goes along.
      server.ahead = now - (Date.now() - began);
    },
  };
}

/** As `fetch`, whose own would wait by the client's timers. @param {URL} url @param {{ headers: Record<string, string> }} options @returns {Promise<Response>} */
function ask(url, { headers }) {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, agent: false }, async (answer) => {
      const told = /** @type {Record<string, string>} */ (answer.headers);
      resolve(new Response(await text(answer), { status: answer.statusCode, headers: told }));
    });
    request.on("error", reject);
  });
}
