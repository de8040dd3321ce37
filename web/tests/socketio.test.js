// @ts-check
/** Unmodified clients of Socket.IO, version by version, beside a client of JSON. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { io as io4 } from "socket.io-client";
// @ts-expect-error: it has no types
import io2 from "socket.io-client-v2";
// @ts-expect-error: its types are hidden from modules
import { io as io3 } from "socket.io-client-v3";
import { ChatClient } from "../chat-client.js";
import WebSocket from "ws";
import { startLocalRun } from "./local-run.js";

/** @import { TestContext } from "node:test" */
/** @import { LocalRun } from "./local-run.js" */

/**
 * Each version's `io`. Their types differ, and what is used of them is the same.
 * @type {[string, any][]}
 */
const versions = [
  ["4.8.4", io4],
  ["3.1.3", io3],
  ["2.5.0", io2],
];

/** Longest wait for what must come. */
const patienceMs = 30_000;

let rooms = 1000;

describe("an unmodified client of Socket.IO", () => {
  /** @type {LocalRun} */ let run;
  before(async () => {
    run = await startLocalRun({ parameters: { SocketIo: "on" } });
  });
  after(() => run.stop());

  for (const [version, io] of versions) {
    it(`${version} talks with a client of JSON`, async (test) => {
      const room = ++rooms;
      const plain = json(test, 1);
      const heard = events(plain.room(room), "message");
      await plain.room(room).join();
      const socket = await connected(test, io, 2);
      const messages = listen(socket, "message");
      const left = listen(socket, "leaveRoom");

      const joined = await emit(socket, "joinRoom", { chatroomId: room, userId: 2 });
      assert.equal(joined.type, "ack");
      assert.equal(joined.lastId, 0);
      const ack = await emit(socket, "sendMessage", text(room, "from Socket.IO"));
      assert.deepEqual([ack.type, ack.id], ["ack", 1]);
      const own = await messages.next((push) => push.type === "sendMessage");
      assert.equal(own.message.content, "from Socket.IO");
      assert.equal((await heard.next()).content, "from Socket.IO");
      await plain.room(room).send("from JSON");
      assert.equal((await messages.next((push) => push.message?.id === 2)).message.content, "from JSON");
      await plain.room(room).leave();
      assert.equal((await left.next()).userId, 1);
    });

    it(`${version} hears of a refusal in an ack, or as an exception`, async (test) => {
      const socket = await connected(test, io, 2);
      const exceptions = listen(socket, "exception");
      const refused = await emit(socket, "sendMessage", { chatroomId: 1 });
      assert.deepEqual([refused.type, refused.code, refused.message], ["error", "badRequest", "message is missing"]);
      socket.emit("sendMessage", { chatroomId: 1 });
      assert.equal((await exceptions.next()).code, "badRequest");
      socket.emit("sendMessage", Buffer.from("binary"));
      const next = await Promise.race([exceptions.next(), once2(socket, "disconnect")]);
      assert.ok(next.message === "binary is not carried" || typeof next === "string", JSON.stringify(next));
      // Version 2 keeps the name `ping` for itself.
      const other = await emit(await connected(test, io, 3), "leaveRoom", { chatroomId: 1 });
      assert.equal(other.type, "ack", "nobody else noticed");
    });

    it(`${version} comes back by itself when it is cut`, async (test) => {
      const short = await startLocalRun({ lifetimeSeconds: 2, parameters: { SocketIo: "on" } });
      test.after(() => short.stop());
      const socket = open(test, io, short, { token: await short.token({ userId: 2 }) });
      const connects = listen(socket, "connect");
      const reasons = listen(socket, "disconnect");
      await connects.next();
      assert.match(await reasons.next(), /transport (close|error)/);
      await connects.next();
    });

    it(`${version} comes back by itself when a frame of it is turned away`, async (test) => {
      const narrow = await startLocalRun({ parameters: { SocketIo: "on", RequestsPerSecond: "10" } });
      test.after(() => narrow.stop());
      const socket = open(test, io, narrow, { token: await narrow.token({ userId: 2 }) });
      const connects = listen(socket, "connect");
      const reasons = listen(socket, "disconnect");
      await connects.next();
      for (let n = 0; n < 100; n++) socket.emit("leaveRoom", { chatroomId: 1 });
      assert.equal(await reasons.next(), "transport error");
      await connects.next();
    });
  }

  for (const [version, io] of versions.slice(0, 2)) {
    it(`${version} is told why it is not let in, and does not come back by itself`, async (test) => {
      for (const [auth, message] of /** @type {const} */ ([
        [undefined, "a token is missing"],
        [{ token: "no.token" }, "the token was refused"],
      ])) {
        const socket = io(new URL(run.page).origin, { ...options(run), auth });
        test.after(() => socket.close());
        const error = await once2(socket, "connect_error");
        assert.equal(error.message, message);
        assert.equal(error.data.code, "notAllowed");
        // Version 3 gives up at what comes behind it.
        await until(() => !socket.active, "it gives up");
        // A good one later makes good for it.
        socket.auth = { token: await run.token({ userId: 2 }) };
        socket.connect();
        await once2(socket, "connect");
      }
    });

    it(`${version} may bring its token by a function, which is asked again at each reconnect`, async (test) => {
      const short = await startLocalRun({ lifetimeSeconds: 2, parameters: { SocketIo: "on" } });
      test.after(() => short.stop());
      let asked = 0;
      const auth = async (/** @type {(auth: object) => void} */ answer) => {
        asked++;
        answer({ token: await short.token({ userId: 2 }) });
      };
      const socket = io(new URL(short.page).origin, { ...options(short), auth });
      test.after(() => socket.close());
      const connects = listen(socket, "connect");
      await connects.next();
      await connects.next();
      assert.ok(asked >= 2);
    });
  }

  it("2.5.0 is told why it is not let in", async (test) => {
    for (const [query, message] of /** @type {const} */ ([
      [{}, "a token is missing"],
      [{ token: "no.token" }, "the token was refused"],
    ])) {
      const socket = /** @type {any} */ (io2)(new URL(run.page).origin, { ...options(run), query });
      test.after(() => socket.close());
      assert.equal(await once2(socket, "error"), message);
    }
  });

  it("is the one line of the document", async (test) => {
    const document = readFileSync(new URL("../../docs/socket-io.md", import.meta.url), "utf8");
    const [, line] = document.match(/```js\n(const socket = io\(.*?)```/s) ?? [];
    const here = line.replace("http://127.0.0.1:5000", new URL(run.page).origin);
    const token = await run.token({ userId: 2 });
    const socket = new Function("io", "token", `${here}; return socket;`)(io4, token);
    test.after(() => socket.close());
    await once2(socket, "connect");
    // And the line that turns a push's kind into the course's number.
    const [, mend] = document.match(/```js\n(const kinds = .*?)```/s) ?? [];
    const room = ++rooms;
    const second = open(test, io4, run, { token });
    new Function("socket", mend)(second);
    await once2(second, "connect");
    await emit(second, "joinRoom", { chatroomId: room });
    /** @type {any[]} */ const kinds = [];
    second.on("message", (/** @type {any} */ push) => push.message && kinds.push(push.message.type));
    await emit(socket, "sendMessage", text(room, "hello"));
    await until(() => kinds.length > 0, "a push");
    assert.deepEqual(kinds, [0]);
  });

  it("takes its token in a subprotocol, or in a header outside of browsers", async (test) => {
    const token = await run.token({ userId: 2 });
    for (const way of [{ protocols: ["chat", `bearer.${token}`] }, { extraHeaders: { authorization: `Bearer ${token}` } }]) {
      const socket = io4(new URL(run.page).origin, { ...options(run), ...way });
      test.after(() => void socket.close());
      await once2(socket, "connect");
    }
  });

  it("sends exactly once, and in order, when it retries", async (test) => {
    const room = ++rooms;
    const auth = { token: await run.token({ userId: 2 }) };
    const socket = io4(new URL(run.page).origin, { ...options(run), auth, retries: 3, ackTimeout: 10_000 });
    test.after(() => void socket.close());
    await once2(socket, "connect");
    const acks = await Promise.all(
      Array.from({ length: 10 }, (_, n) => emit(socket, "sendMessage", { ...text(room, `${n}`), clientMessageId: `m-${n}` })),
    );
    assert.deepEqual(acks.map((ack) => ack.id), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const again = await emit(socket, "sendMessage", { ...text(room, "0"), clientMessageId: "m-0" });
    assert.deepEqual([again.id, again.duplicate], [1, true]);
  });

  it("is not cut for saying nothing", async (test) => {
    const idle = await startLocalRun({ idleSeconds: 3, parameters: { SocketIo: "on" } });
    test.after(() => idle.stop());
    const plain = new WebSocket(`${idle.url}?token=${await idle.token({ userId: 1 })}`);
    const socket = open(test, io4, idle, { token: await idle.token({ userId: 2 }) });
    let cut = 0;
    socket.on("disconnect", () => cut++);
    await once2(socket, "connect");
    // One that speaks JSON and says nothing is cut, twice one after another; this one is not.
    await once(plain, "close");
    const second = new WebSocket(`${idle.url}?token=${await idle.token({ userId: 1 })}`);
    await once(second, "close");
    assert.equal(cut, 0);
    assert.equal((await emit(socket, "ping", {})).type, "pong");
  });

  it("makes place for a newer connection, and does not come back by itself", async (test) => {
    const narrow = await startLocalRun({ parameters: { SocketIo: "on", ConnectionsPerUser: "1" } });
    test.after(() => narrow.stop());
    const auth = { token: await narrow.token({ userId: 2 }) };
    const socket = open(test, io4, narrow, auth);
    const exceptions = listen(socket, "exception");
    const reasons = listen(socket, "disconnect");
    await once2(socket, "connect");
    const newer = open(test, io4, narrow, auth);
    await once2(newer, "connect");
    assert.equal((await exceptions.next()).code, "tooManyConnections");
    assert.equal(await reasons.next(), "io server disconnect");
    assert.equal(socket.active, false);
  });

  it("that begins with polling is told by the run what to set", async (test) => {
    const socket = io4(new URL(run.page).origin, { path: "/dev", addTrailingSlash: false, reconnection: false });
    test.after(() => void socket.close());
    await once2(socket, "connect_error");
    assert.ok(run.log.some((line) => line.includes('transports: ["websocket"]')), run.log.join("\n"));
  });

  /** @param {TestContext} test @param {number} userId */
  function json(test, userId) {
    const getToken = () => run.token({ userId });
    const client = new ChatClient({ url: run.url, historyUrl: run.historyUrl, getToken, WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    client.connect();
    return client;
  }

  /** @param {TestContext} test @param {any} io @param {number} userId */
  async function connected(test, io, userId) {
    const socket = open(test, io, run, { token: await run.token({ userId }) });
    await once2(socket, "connect");
    return socket;
  }
});

/** What the one line of a client sets. @param {LocalRun} run */
function options(run) {
  return { path: new URL(run.url).pathname, transports: ["websocket"], addTrailingSlash: false, forceNew: true };
}

/** Version 2 has no `auth`. @param {TestContext} test @param {any} io @param {LocalRun} run @param {{ token: string }} auth */
function open(test, io, run, auth) {
  const socket = io(new URL(run.page).origin, { ...options(run), ...(io === io2 ? { query: auth } : { auth }) });
  test.after(() => socket.close());
  return socket;
}

/** @param {number} chatroomId @param {string} content */
function text(chatroomId, content) {
  return { chatroomId, message: { type: "text", content } };
}

/** @param {any} socket @param {string} name @param {object} payload @returns {Promise<any>} */
function emit(socket, name, payload) {
  // With `retries` an error comes first, as in Node.
  const ack = (/** @type {(reply: any) => void} */ resolve) => (/** @type {any[]} */ ...replies) => resolve(replies.at(-1));
  return soon(new Promise((resolve) => socket.emit(name, payload, ack(resolve))), `an ack of ${name}`);
}

/** @param {any} socket @param {string} name @returns {Promise<any>} */
function once2(socket, name) {
  return soon(new Promise((resolve) => socket.once(name, resolve)), name);
}

/** The events of a name, one after another. @param {any} socket @param {string} name */
function listen(socket, name) {
  /** @type {any[]} */ const come = [];
  /** @type {(() => void)[]} */ const waiting = [];
  socket.on(name, (/** @type {any} */ event) => {
    come.push(event);
    waiting.splice(0).forEach((wake) => wake());
  });
  return queue(come, waiting, name);
}

/** The same of our own client. @param {EventTarget} target @param {string} name */
function events(target, name) {
  /** @type {any[]} */ const come = [];
  /** @type {(() => void)[]} */ const waiting = [];
  target.addEventListener(name, (/** @type {any} */ event) => {
    come.push(event.detail);
    waiting.splice(0).forEach((wake) => wake());
  });
  return queue(come, waiting, name);
}

/** @param {any[]} come @param {(() => void)[]} waiting @param {string} name */
function queue(come, waiting, name) {
  return {
    /** The first that is wanted, come or to come. @param {(event: any) => boolean} [wanted] @returns {Promise<any>} */
    async next(wanted = () => true) {
      for (;;) {
        const at = come.findIndex(wanted);
        if (at >= 0) return come.splice(at, 1)[0];
        await soon(new Promise((/** @type {(_: void) => void} */ wake) => waiting.push(wake)), name);
      }
    },
  };
}

/** @param {() => boolean} holds @param {string} what */
async function until(holds, what) {
  const over = Date.now() + patienceMs;
  while (!holds()) {
    if (Date.now() > over) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** @template T @param {Promise<T>} promise @param {string} what @returns {Promise<T>} */
function soon(promise, what) {
  /** @type {NodeJS.Timeout} */ let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), patienceMs);
  });
  return /** @type {Promise<T>} */ (Promise.race([promise, late])).finally(() => clearTimeout(timer));
}
