// @ts-check
/**
 * The client in simulated time. `tests/src/simulation/browser` starts this and speaks with it in lines of JSON, one at a
 * time: what happened goes in; what the client did, and when it wants to be woken, comes out. The client finds a browser
 * here whose clocks, chance and network are the simulation's. So the same lines in give the same lines out.
 */
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

/** @typedef {{ at: number, run: () => void }} Timer */
/** @typedef {{ resolve: (value: any) => void, reject: (error: unknown) => void }} Waiting */
/** What happened: its kind is the name of one of `happenings`. @typedef {Record<string, any>} Happening */

/** The page's own, as the server's CORS headers have to name it. */
const ORIGIN = "http://page";
/** What a page may read of every answer. */
const SAFE_HEADERS = ["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"];

/** This machine's, from before the client's own takes its place: it comes after everything that promises still do. */
const realImmediate = setImmediate;

/** What a room tells, and what it tells besides by its features. */
const HEARD = ["message", "joined", "left", "error"];
const ADDED = ["changed", "stale", "reaction", "online", "signal", "typing", "members"];

/** All that there is of a browser, from one `begin` to the next. */
let now = 0;
let epoch = 0;
let origin = 0;
let chance = 0;
/** Counts sockets, requests, tokens and timers. */
let count = 0;
/** @type {Record<string, unknown>[]} */ let did = [];
/** @type {Map<number, Timer>} */ const timers = new Map();
/** @type {Map<number, Socket>} */ const sockets = new Map();
/** @type {Map<number, Waiting>} */ const waiting = new Map();
/** @type {import("../chat-client.js").ChatClient<any>} */ let client;
/** @type {any[]} */ let added = [];
/** @type {Set<unknown>} */ const heard = new Set();

class Socket {
  /** @type {((event: any) => void) | null} */ onopen = null;
  /** @type {((event: any) => void) | null} */ onmessage = null;
  /** @type {((event: any) => void) | null} */ onerror = null;
  /** @type {((event: any) => void) | null} */ onclose = null;
  /** As `WebSocket` counts: connecting, open, closing, closed. */
  readyState = 0;
  #id = ++count;

  /** @param {string} url @param {string[]} protocols */
  constructor(url, protocols) {
    sockets.set(this.#id, this);
    did.push({ opens: this.#id, url: String(url), protocols });
  }

  /** @param {string} text */
  send(text) {
    if (this.readyState === 0) throw new DOMException("still connecting", "InvalidStateError");
    // A browser throws it away without a word.
    if (this.readyState === 1) did.push({ sends: this.#id, text });
  }

  close() {
    if (this.readyState >= 2) return;
    this.readyState = 2;
    did.push({ closes: this.#id });
  }
}

/** @param {() => void} run @param {number} ms */
function start(run, ms) {
  const id = ++count;
  timers.set(id, { at: now + Math.max(1, Math.trunc(ms) || 0), run });
  return id;
}

/** Asks the simulation, and waits until it answers. @param {string} what @param {Record<string, unknown>} about @param {AbortSignal} [signal] */
function ask(what, about, signal) {
  const id = ++count;
  did.push({ [what]: id, ...about });
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    signal?.addEventListener("abort", () => {
      if (waiting.delete(id)) did.push({ abandons: id });
      reject(signal.reason);
    });
  });
}

/** An answer, with as much of it as the server lets a page read. @param {Happening} answer */
function response({ status, headers, body }) {
  const all = new Headers(headers);
  const allowed = all.get("access-control-allow-origin");
  if (allowed !== "*" && allowed !== ORIGIN) throw new TypeError("the answer is not for this page");
  const exposed = (all.get("access-control-expose-headers") ?? "").split(",").map((name) => name.trim().toLowerCase());
  const readable = [...all].filter(([name]) => [...SAFE_HEADERS, ...exposed].includes(name));
  return { status, ok: status >= 200 && status < 300, headers: new Headers(readable), json: async () => JSON.parse(body) };
}

/** Mulberry32: between 0 and 1, and the same after the same seed. */
function random() {
  chance = (chance + 0x6d2b79f5) | 0;
  let mixed = Math.imul(chance ^ (chance >>> 15), 1 | chance);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

let page = new EventTarget();
let tab = Object.assign(new EventTarget(), { hidden: false });
const RealDate = Date;

class SimulatedDate extends RealDate {
  constructor(/** @type {any[]} */ ...given) {
    super(.../** @type {[any]} */ (given.length > 0 ? given : [SimulatedDate.now()]));
  }

  static now() {
    return epoch + now;
  }
}

/** What the client finds in place of the machine's. */
const browser = {
  WebSocket: Socket,
  Date: SimulatedDate,
  document: {
    get hidden() {
      return tab.hidden;
    },
    addEventListener: (/** @type {Parameters<EventTarget["addEventListener"]>} */ ...given) => tab.addEventListener(...given),
  },
  performance: { now: () => origin + now },
  crypto: { getRandomValues: (/** @type {Uint8Array} */ bytes) => bytes.map((_, at) => (bytes[at] = random() * 256)) },
  setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => start(run, ms),
  clearTimeout: (/** @type {number} */ id) => void timers.delete(id),
  fetch: (/** @type {URL} */ url, /** @type {{ headers: Record<string, string>, signal: AbortSignal }} */ { headers, signal }) =>
    ask("asks", { url: String(url), headers: { ...headers, Origin: ORIGIN } }, signal).then(response),
  addEventListener: (/** @type {Parameters<EventTarget["addEventListener"]>} */ ...given) => page.addEventListener(...given),
};
for (const [name, value] of Object.entries(browser)) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
Math.random = random;
AbortSignal.timeout = (ms) => {
  const controller = new AbortController();
  start(() => controller.abort(new DOMException("it took too long", "TimeoutError")), ms);
  return controller.signal;
};

// The client promises that there is none of these.
for (const kind of ["uncaughtException", "unhandledRejection"]) {
  process.on(kind, (error) => did.push({ throws: String(error?.stack ?? error).split("\n")[0] }));
}

/** @type {Record<string, (happening: Happening) => void>} */
const happenings = {
  begin({ seed, wall, performance, settings: { features = [], ...settings } }) {
    [now, count, chance, epoch, origin] = [0, 0, seed | 0, wall, performance];
    for (const known of [timers, sockets, waiting, heard]) known.clear();
    // The client of the schedule before hears nothing any more.
    page = new EventTarget();
    tab = Object.assign(new EventTarget(), { hidden: false });
    // Those that the schedule names, such as `Changes`.
    added = features.map((/** @type {keyof typeof shipped} */ name) => shipped[name]);
    client = new ChatClient({ ...settings, features: added, getToken: () => ask("signs", {}) });
    listen(client, undefined, ["connecting", "connected", "disconnected", "error"]);
  },
  call({ call, room, does, given = [] }) {
    /** @type {any} */ const target = room === undefined ? client : client.room(room);
    if (room !== undefined) listen(target, room, added.length > 0 ? [...HEARD, ...ADDED] : HEARD);
    did.push({ calls: call });
    Promise.resolve(target[does](...given)).then(
      (value) => did.push({ settles: call, value: value ?? null }),
      (error) => did.push(error instanceof ChatError ? { settles: call, failed: error.code } : { throws: String(error) }),
    );
  },
  opened({ opened }) {
    const socket = sockets.get(opened);
    if (socket?.readyState !== 0) return;
    socket.readyState = 1;
    socket.onopen?.(new Event("open"));
  },
  frame({ frame, text }) {
    const socket = sockets.get(frame);
    if (socket?.readyState === 1) socket.onmessage?.(new MessageEvent("message", { data: text }));
  },
  closed({ closed, code, reason }) {
    const socket = sockets.get(closed);
    if (!socket) return;
    sockets.delete(closed);
    socket.readyState = 3;
    if (code === 1006) socket.onerror?.(new Event("error"));
    socket.onclose?.(Object.assign(new Event("close"), { code, reason, wasClean: code !== 1006 }));
  },
  answered: ({ answered, ...answer }) => take(answered)?.resolve(answer),
  signed: ({ signed, token }) => take(signed)?.resolve(token),
  failed: ({ failed }) => take(failed)?.reject(new TypeError("fetch failed")),
  network: ({ network }) => void page.dispatchEvent(new Event(network)),
  hidden({ hidden }) {
    tab.hidden = hidden;
    tab.dispatchEvent(new Event("visibilitychange"));
  },
  clock: ({ clock }) => void (epoch += clock),
};

/** @param {number} id */
function take(id) {
  const found = waiting.get(id);
  waiting.delete(id);
  return found;
}

/** Hears each kind of event once. @param {any} target @param {number | undefined} room @param {string[]} kinds */
function listen(target, room, kinds) {
  if (heard.has(target)) return;
  heard.add(target);
  for (const kind of kinds) {
    target.addEventListener(kind, (/** @type {CustomEvent} */ { detail }) => {
      const told = detail instanceof ChatError ? { code: detail.code, message: detail.message } : detail;
      did.push({ tells: kind, room, detail: told });
    });
  }
}

/** One task of the browser, and all that its promises do. @param {() => void} run */
async function task(run) {
  try {
    run();
  } catch (error) {
    did.push({ throws: String(error) });
  }
  await new Promise((resolve) => realImmediate(resolve));
}

/** The timer that is due next. */
function next() {
  return [...timers].reduce((first, timer) => (!first || timer[1].at < first[1].at ? timer : first), /** @type {[number, Timer] | null} */ (null));
}

async function runTimers() {
  for (let timer = next(); timer && timer[1].at <= now; timer = next()) {
    timers.delete(timer[0]);
    await task(timer[1].run);
  }
}

/** @type {typeof import("../chat-client.js")} */ const shipped = await import(pathToFileURL(process.argv[2]).href);
const { ChatClient, ChatError } = shipped;
for await (const line of createInterface({ input: process.stdin })) {
  const { now: time, happened, timers: order } = JSON.parse(line);
  now = time;
  did = [];
  if (order === "first") await runTimers();
  for (const happening of happened) {
    const kind = Object.keys(happenings).find((name) => name in happening);
    if (!kind) throw new Error(`nobody knows what this is: ${line}`);
    await task(() => happenings[kind](happening));
  }
  if (order === "last") await runTimers();
  process.stdout.write(`${JSON.stringify({ did, wakeAt: next()?.[1].at ?? null })}\n`);
}
