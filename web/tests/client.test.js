// @ts-check
/** How the client behaves when the server misbehaves, which a scripted server does on demand. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, ChatError } from "../chat-client.js";
import { collect, next, pause, replace, until } from "./listening.js";
import { TOKEN, answer, startScriptedServer } from "./scripted-server.js";

/** @import { ServerResponse } from "node:http" */
/** @import { TestContext } from "node:test" */
/** @import { ChatOptions, Message, Page } from "../chat-client.js" */

// A rejected promise that nobody handles must not end an application's process.
/** @type {unknown[]} */ const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
after(() => assert.deepEqual(unhandled, []));

describe("a connection", { concurrency: true }, () => {
  it("brings its token with the subprotocols, a fresh one each time", async (test) => {
    const tokens = [TOKEN, `${TOKEN}2`];
    const { client, server } = await start(test, { getToken: () => /** @type {string} */ (tokens.shift()) });
    server.peer.socket.terminate();
    await until(() => client.state === "connected" && server.peers.length === 2);
    assert.deepEqual(server.handshakes, [`chat bearer.${TOKEN}`, `chat bearer.${TOKEN}2`]);
    assert.equal(client.userId, 7);
  });

  it("is tried again when there was no token, and the application is told", async (test) => {
    const answers = [() => Promise.reject(new Error("the application is down")), () => new Promise(() => {}), () => TOKEN];
    const getToken = () => /** @type {any} */ (answers.shift())();
    const { client, errors, states } = await start(test, { getToken, timeoutMs: 1_000 });
    assert.deepEqual(errors.map(({ code, message }) => [code, message]), [
      ["token", "no token: the application is down"],
      ["token", "no token: it took too long"],
    ]);
    assert.deepEqual(states, ["connecting", "disconnected", "connecting", "disconnected", "connecting", "connected"]);
    assert.equal(client.state, "connected");
  });

  it("is given up when the application says that there will be no token", async (test) => {
    const server = await startScriptedServer(test);
    const getToken = () => Promise.reject(new ChatError("signedOut", "signed out"));
    const client = make(test, server, { getToken });
    const lost = next(client, "disconnected");
    await assert.rejects(client.connect(), { code: "token", message: "no token: signed out" });
    assert.deepEqual([(await lost).willRetry, client.state, server.handshakes.length], [false, "disconnected", 0]);
  });

  for (const [what, token] of /** @type {[string, any][]} */ ([
    ["undefined", undefined],
    ["an empty text", ""],
    ["an object", { token: TOKEN }],
    ["what no handshake can carry", `Bearer ${TOKEN}`],
  ])) {
    it(`is given up at once when getToken gives ${what}, and the application is told`, async (test) => {
      const server = await startScriptedServer(test);
      const client = make(test, server, { getToken: async () => token });
      const lost = next(client, "disconnected");
      const message = "no token: getToken must give a token";
      await assert.rejects(client.connect(), { code: "token", message, retryable: false });
      assert.deepEqual(await lost, { code: "token", reason: message, willRetry: false });
      await assert.rejects(client.room(1).history(), { code: "token", message });
      assert.deepEqual([client.state, server.handshakes.length, server.asked.length], ["disconnected", 0, 0]);
    });
  }

  for (const status of [401, 403]) {
    it(`is given up when the token is refused with ${status}`, async (test) => {
      const server = await startScriptedServer(test);
      server.refusal = 403;
      server.answerHistory = (response) => answer(response, status, { message: "Forbidden" });
      const client = make(test, server);
      const room = client.room(1);
      void room.join();
      const waits = room.send("not lost by this");
      const lost = next(client, "disconnected");
      await assert.rejects(client.connect(), { code: "refused", retryable: false });
      assert.deepEqual([(await lost).willRetry, client.state, server.handshakes.length], [false, "disconnected", 1]);
      // A new token, and what was waiting goes out.
      server.refusal = null;
      await client.connect();
      assert.equal((await waits).id, 1);
    });
  }

  it("pings when it is silent, and only then", async (test) => {
    const { client, server } = await start(test, { pingIntervalMs: 1_000 });
    const room = client.room(1);
    await room.join();
    const seen = collect(room);
    const busyUntil = performance.now() + 2_500;
    for (let count = 1; performance.now() < busyUntil; count++) {
      server.say(1);
      await until(() => seen.messages.length === count);
    }
    assert.equal(server.frames("ping").length, 0);
    await until(() => server.frames("ping").length >= 2);
    assert.equal(server.peers.length, 1);
  });

  it("is replaced when the server falls silent, and what was under way is said once", async (test) => {
    const { client, server } = await start(test, { timeoutMs: 1_500 });
    const room = client.room(1);
    await room.join();
    server.answer = (frame, peer) => peer === server.peers[0] && frame.action === "sendMessage";
    const { id, clientMessageId } = await room.send("hello?");
    assert.equal(id, 1);
    assert.deepEqual(server.frames("sendMessage").map((frame) => frame.clientMessageId), [clientMessageId, clientMessageId]);
    assert.equal(server.peers.length, 2);
  });

  it("lives on when the server sends nonsense", async (test) => {
    const { client, server, errors } = await start(test);
    const room = client.room(1);
    const seen = collect(room);
    await room.join();
    const nonsense = ["", "{", "null", "7", "[]", "{}", '{"type":7}'];
    for (const frame of nonsense) server.peer.push(frame);
    server.peer.socket.send(Buffer.from([0xff, 0x00]));
    for (const message of [undefined, null, 1, {}, { id: "1" }, { id: 1.5 }, { id: 1, type: "text", content: "" }]) {
      server.peer.push({ type: "sendMessage", chatroomId: 1, userId: 8, message });
    }
    for (const frame of [{ type: "ofALaterServer" }, { type: "sendMessage", chatroomId: "another" }, { type: "ack", requestId: "never asked" }]) {
      server.peer.push(frame);
    }
    server.say(1);
    await until(() => seen.messages.length === 1);
    assert.deepEqual(errors.map(({ code }) => code), Array(15).fill("badFrame"));
    assert.deepEqual([client.state, server.peers.length], ["connected", 1]);
  });

  it("asks again when an answer does not say what it must", async (test) => {
    const { client, server, errors } = await start(test);
    const poor = ["joinRoom", "sendMessage"];
    server.answer = ({ action, requestId }, peer) => {
      if (action !== poor[0]) return false;
      poor.shift();
      peer.push({ type: "ack", action, requestId, chatroomId: 1, lastId: "1", id: null });
      return true;
    };
    const room = client.room(1);
    const seen = collect(room);
    await room.join();
    assert.equal((await room.send("twice")).id, 1);
    await until(() => seen.messages.length === 1);
    assert.deepEqual(errors.map(({ code }) => code), ["badFrame", "badFrame"]);
    assert.equal(server.frames("sendMessage").length, 2);
  });

  it("gives out what an older client knows, where the server is a later one", async (test) => {
    const { room, client, server, seen, errors } = await entered(test);
    const kinds = /** @type {any[]} */ (["poll", "text", "text"]);
    for (const type of kinds) {
      const message = server.say(1, { isPushed: false });
      server.push(1, Object.assign(message, { type, content: type === "text" ? message.content : { options: [1, 2] }, edited: true }));
    }
    server.peer.push({ type: "reaction", chatroomId: 1, userId: 8, messageId: 2 });
    await until(() => seen.messages.length === 2);
    assert.deepEqual([ids(seen), server.asked.length], [[2, 3], 0], "a kind it does not know is not waited for");
    for (let n = 0; n < 3; n++) Object.assign(server.say(1, { isPushed: false }), { type: "poll", content: null });
    server.say(1);
    await until(() => seen.messages.length === 3);
    assert.deepEqual(ids(seen), [2, 3, 7], "nor fetched for ever");
    assert.deepEqual(pageIds(await room.history({ before: 7, limit: 3 })), [2, 3], "a page of unknown kinds is not the beginning");
    assert.deepEqual([errors, client.state], [[], "connected"]);
  });

  it("gives out a message that was erased at its place, as an empty text", async (test) => {
    const { room, server, seen, errors } = await entered(test);
    const eraseTime = new Date().toISOString();
    Object.assign(server.say(1, { isPushed: false }), { type: "text", content: "", eraseTime });
    server.say(1);
    await until(() => seen.messages.length === 2);
    const { messages } = await room.history({ before: 3 });
    for (const shown of [seen.messages, messages]) {
      assert.deepEqual(shown.map(({ id, content }) => [id, content === ""]), [[1, true], [2, false]]);
      assert.deepEqual([shown[0]?.type, shown[0]?.eraseTime], ["text", eraseTime]);
    }
    assert.deepEqual(errors, []);
  });

  it("ends for good where a listener ends it, whatever it listens to", async (test) => {
    const server = await startScriptedServer(test);
    const hasty = make(test, server);
    hasty.addEventListener("connecting", () => hasty.disconnect());
    await assert.rejects(hasty.connect(), { code: "disconnected" });

    const strict = make(test, server, { getToken: () => Promise.reject(new Error("signed out")) });
    /** @type {boolean[]} */ const willRetry = [];
    strict.addEventListener("disconnected", ({ detail }) => willRetry.push(detail.willRetry));
    strict.addEventListener("error", () => strict.disconnect());
    await assert.rejects(strict.connect(), { code: "disconnected" });
    assert.deepEqual([strict.state, willRetry.at(-1)], ["disconnected", false]);

    // Cut the connection while a token for the next one is on its way.
    let asked = 0;
    const getToken = () => (asked++ === 0 ? TOKEN : /** @type {Promise<string>} */ (new Promise(() => {})));
    const done = make(test, server, { lifetimeMs: 100, getToken });
    await done.connect();
    await until(() => asked === 2);
    const lost = next(done, "disconnected");
    done.addEventListener("disconnected", () => done.disconnect());
    server.peer.socket.terminate();
    await lost;
    assert.equal(done.state, "disconnected");
  });

  it("tells what the server says to nobody in particular", async (test) => {
    const { client, server } = await start(test);
    const told = next(client, "error");
    server.peer.push({ type: "error", action: "dance", code: "unknownAction", message: "there is no action dance" });
    const { code, action, message } = await told;
    assert.deepEqual([code, action, message], ["unknownAction", "dance", "there is no action dance"]);
  });
});

describe("a connection before its end", { concurrency: true }, () => {
  it("is followed by another that enters every room first; the old one ends with its last answer", async (test) => {
    const { client, server, states } = await start(test, { lifetimeMs: 400 });
    const rooms = [client.room(1), client.room(2)];
    const seen = collect(rooms[0]);
    await Promise.all(rooms.map((room) => room.join()));
    const [first] = server.peers;
    /** @type {any} */ let late;
    server.answer = (frame, peer) => {
      if (peer !== first || frame.action !== "sendMessage") return false;
      late = frame;
      return true;
    };
    const sent = rooms[1].send("answered late");
    await until(() => server.peers[1]?.rooms.size === 2);
    // Both are members now, so both are told.
    server.peers.length = 2;
    server.say(1);
    for (const peer of server.peers) peer.push({ type: "joinRoom", chatroomId: 1, userId: 9, user: { id: 9 } });
    await until(() => seen.messages.length === 1 && seen.presence.length > 0);
    assert.equal(first.socket.readyState, WebSocket.OPEN, "it waits for its answer");
    first.push({ type: "ack", action: "sendMessage", requestId: late.requestId, chatroomId: 2, id: 1, createTime: new Date().toISOString() });
    assert.equal((await sent).id, 1);
    await once(first.socket, "close");
    assert.deepEqual([seen.messages.length, seen.presence.length], [1, 1]);
    assert.deepEqual(states, ["connecting", "connected"]);
  });

  it("goes on when the other one fails", async (test) => {
    const { client, server, states, errors } = await start(test, { lifetimeMs: 200 });
    await client.room(1).join();
    server.refusal = 503;
    await until(() => errors.length >= 2);
    assert.equal((await client.room(1).send("still there")).id, 1);
    server.refusal = null;
    await until(() => server.peers.length === 2 && server.peers[0].socket.readyState === WebSocket.CLOSED);
    assert.deepEqual(states, ["connecting", "connected"]);
  });

  it("may be cut while the other one enters its rooms", async (test) => {
    const { client, server, states } = await start(test, { lifetimeMs: 200 });
    const room = client.room(1);
    const seen = collect(room);
    await room.join();
    let holds = true;
    server.answer = (frame, peer) => holds && peer !== server.peers[0] && frame.action === "joinRoom";
    await until(() => server.peers[1]?.frames.length > 0);
    server.peers[0].socket.terminate();
    await until(() => !room.joined);
    server.say(1);
    const { requestId } = server.peers[1].frames[0];
    holds = false;
    server.peers[1].rooms.add("1");
    server.peers[1].push({ type: "ack", action: "joinRoom", requestId, chatroomId: 1, lastId: 1 });
    await until(() => seen.messages.length === 1);
    server.say(1);
    await until(() => seen.messages.length === 2);
    assert.deepEqual(states, ["connecting", "connected"]);
  });

  it("is left together with the other one", async (test) => {
    const { client, server } = await start(test, { lifetimeMs: 200 });
    const rooms = [client.room(1), client.room(2)];
    await Promise.all(rooms.map((room) => room.join()));
    // The second room delays the swap; by then the first one was entered on both connections.
    server.answer = (frame, peer) => peer !== server.peers[0] && frame.chatroomId === 2;
    await until(() => server.peers[1]?.rooms.has("1"));
    await rooms[0].leave();
    assert.deepEqual(server.peers.map((peer) => peer.rooms.has("1")), [false, false]);
    assert.equal(server.peers[0].socket.readyState, WebSocket.OPEN, "it stays until the other one is in every room");
  });

  it("ends at once with the client, though it waits for its last answer", async (test) => {
    const { client, server } = await start(test, { lifetimeMs: 1_500 });
    const room = client.room(1);
    await room.join();
    const [first] = server.peers;
    server.answer = (frame, peer) => peer === first && frame.action === "sendMessage";
    const sent = room.send("never answered");
    await until(() => server.peers[1]?.rooms.has("1"));
    // Once the second connection has taken over, a room is entered on it alone.
    for (let id = 2; ; id++) {
      await client.room(id).join();
      if (!first.rooms.has(String(id))) break;
      await pause(50);
    }
    const closed = once(first.socket, "close");
    client.disconnect();
    assert.equal(room.joined, false);
    await assert.rejects(sent, { code: "disconnected" });
    await closed;
  });

  it("stays ended when the client disconnects at whatever moment of the change", async (test) => {
    const endAfter = async (/** @type {number} */ microtasks) => {
      let sockets = 0;
      const { client, server } = await start(test, {
        lifetimeMs: 300,
        WebSocket: /** @type {any} */ (
          class extends WebSocket {
            /** @param {string} address @param {string[]} protocols */
            constructor(address, protocols) {
              super(address, protocols);
              if (++sockets === 2) this.on("message", end);
            }
          }
        ),
      });
      async function end() {
        for (let n = 0; n < microtasks; n++) await null;
        client.disconnect();
      }
      await client.room(1).join();
      await next(client, "disconnected");
      assert.deepEqual([client.state, server.peers.length], ["disconnected", 2], `after ${microtasks}`);
    };
    await Promise.all(Array.from({ length: 25 }, (_, microtasks) => endAfter(microtasks)));
  });
});

describe("messages", { concurrency: true }, () => {
  it("come once, in the order of ids, however they are pushed", async (test) => {
    const { room, server, seen } = await entered(test);
    const messages = [1, 2, 3, 4].map(() => server.say(1, { isPushed: false }));
    for (const n of [2, 0, 0, 3, 1, 2]) server.push(1, messages[n]);
    await until(() => seen.messages.length === 4);
    server.say(1);
    await until(() => seen.messages.length === 5);
    assert.deepEqual(ids(seen), [1, 2, 3, 4, 5]);
    assert.equal(server.asked.length, 0, "nothing was missing for long, so nobody asked");
    assert.equal(room.joined, true);
  });

  it("that no push brought are fetched", async (test) => {
    const { server, seen } = await entered(test);
    for (let n = 0; n < 3; n++) server.say(1, { isPushed: false });
    server.say(1);
    await until(() => seen.messages.length === 4);
    assert.deepEqual([ids(seen), server.asked[0].get("after")], [[1, 2, 3, 4], "0"]);
    assert.deepEqual(seen.messages.map(({ type, content }) => `${type} ${content}`), [1, 2, 3, 4].map((n) => `text message ${n}`));
  });

  it("wait for one that may still come, and pass over a number that no message can have any more", async (test) => {
    const { server, seen } = await entered(test);
    const hole = server.count(1);
    server.say(1);
    await until(() => server.asked.length >= 2);
    assert.deepEqual(ids(seen), [], "it may still come");
    server.ahead += 11_000;
    await until(() => seen.messages.length === 1);
    assert.deepEqual(ids(seen), [hole + 1]);
  });

  it("that come again tell nothing of a number after them", async (test) => {
    const { server, seen } = await entered(test);
    const old = server.say(1, { ageMs: 60_000 });
    await until(() => seen.messages.length === 1);
    const hole = server.count(1);
    server.push(1, old);
    server.say(1);
    await until(() => server.asked.length >= 2);
    assert.deepEqual(ids(seen), [1], "it may still come, however old the other one is");
    server.say(1, { id: hole, isPushed: false });
    await until(() => seen.messages.length >= 3);
    assert.deepEqual(ids(seen), [1, 2, 3]);
  });

  it("wait, and the late one comes first", async (test) => {
    const { server, seen } = await entered(test);
    const hole = server.count(1);
    server.say(1);
    await until(() => server.asked.length >= 1);
    server.say(1, { id: hole, isPushed: false });
    await until(() => seen.messages.length === 2);
    assert.deepEqual(ids(seen), [1, 2]);
  });

  it("do not wait for a number that is told to be unused, and still wait for the one beside it", async (test) => {
    const { server, seen } = await entered(test);
    const first = server.say(1);
    const unused = server.count(1);
    server.push(1, first, { unusedId: unused });
    server.say(1);
    await until(() => seen.messages.length === 2);
    assert.deepEqual([ids(seen), server.asked.length], [[1, 3], 0]);

    const open = server.count(1);
    server.push(1, first, { unusedId: server.count(1) });
    await until(() => server.asked.length >= 2);
    server.say(1, { id: open, isPushed: false });
    await until(() => seen.messages.length === 3);
    assert.deepEqual(ids(seen), [1, 3, 4]);
  });

  it("wait in numbers that do not grow, and all come in the end", async (test) => {
    const { server, seen } = await entered(test);
    const hole = server.count(1);
    for (let n = 0; n < 1_500; n++) server.say(1);
    await until(() => server.asked.length >= 1);
    server.say(1, { id: hole, isPushed: false });
    await until(() => seen.messages.length === 1_501);
    assert.deepEqual(ids(seen), Array.from({ length: 1_501 }, (_, n) => n + 1));
    assert.ok(server.asked.some((query) => Number(query.get("after")) >= 1_001), "what was not held was fetched");
  });

  it("that come late are not lost where so many wait that there is no room for more", async (test) => {
    const { server, seen } = await entered(test);
    const hole = server.count(1);
    for (let n = 0; n < 150; n++) server.say(1, { isPushed: false });
    for (let n = 0; n < 1_000; n++) server.say(1);
    await until(() => server.asked.length >= 2);
    server.say(1, { id: hole, isPushed: false });
    const asked = server.asked.length;
    await until(() => seen.messages.length > 0 || server.asked.length >= asked + 2);
    server.ahead += 11_000;
    await until(() => seen.messages.length >= 1_150);
    assert.deepEqual(ids(seen), Array.from({ length: 1_151 }, (_, n) => n + 1));
  });

  it("that lie beyond a page are not taken for numbers that were never used", async (test) => {
    const { room, server, seen } = await entered(test);
    server.peer.socket.terminate();
    await until(() => !room.joined);
    for (let n = 0; n < 250; n++) server.say(1, { isPushed: false, ageMs: 60_000 });
    // A newer message arrives before the first page, and by then all of them are old.
    server.answerHistory = () => {
      server.answerHistory = () => false;
      server.say(1);
      server.ahead += 20_000;
    };
    await until(() => seen.messages.at(-1)?.id === 251);
    assert.deepEqual(ids(seen), Array.from({ length: 251 }, (_, n) => n + 1));
  });

  it("are not passed over by an answer that was true when it was asked for, and took long", async (test) => {
    const { server, seen } = await entered(test);
    const hole = server.count(1);
    // The hole can still be filled for a second or two; the history's answer is sent only after that.
    server.answerHistory = (response) => {
      server.answerHistory = () => false;
      const { id, content, chatroomId, senderId, createTime, sender } = above;
      const seenThen = [{ id, type: 0, content, chatroomId, senderId, createTime, sender }];
      server.say(1, { id: hole, isPushed: false, ageMs: 8_000 });
      setTimeout(() => {
        response.setHeader("Date", new Date().toUTCString());
        answer(response, 200, seenThen);
      }, 4_000);
      return true;
    };
    const above = server.say(1, { ageMs: 8_000 });
    await until(() => seen.messages.at(-1)?.id === above.id);
    assert.deepEqual(ids(seen), [hole, above.id]);
  });

  it("do not wait for a number that only the answer to a retry names", async (test) => {
    const { room, server, seen } = await entered(test);
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "sendMessage") return false;
      const { id, createTime } = server.say(1);
      const unusedId = server.count(1);
      peer.push({ type: "ack", action, requestId, chatroomId: 1, id, createTime, duplicate: true, unusedId });
      return true;
    };
    await room.send("again");
    server.say(1);
    await until(() => seen.messages.length === 2);
    assert.deepEqual([ids(seen), server.asked.length], [[1, 3], 0]);
  });

  it("that are pushed before the join is answered come only if they are newer than it says", async (test) => {
    const { client, server } = await start(test);
    const room = client.room(1);
    const seen = collect(room);
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "joinRoom") return false;
      peer.rooms.add("1");
      server.say(1, { ageMs: 60_000 });
      server.say(1, { ageMs: 60_000 });
      peer.push({ type: "ack", action, requestId, chatroomId: 1, lastId: 1 });
      return true;
    };
    await room.join();
    // Because of the hole the client goes through everything that it holds.
    server.count(1);
    server.say(1);
    await until(() => server.asked.length >= 1);
    server.ahead += 11_000;
    await until(() => seen.messages.length >= 2);
    assert.deepEqual(ids(seen), [2, 4]);
  });

  it("end where a listener leaves the room", async (test) => {
    const { room, server, seen } = await entered(test);
    room.addEventListener("message", () => void room.leave(), { once: true });
    for (let n = 0; n < 4; n++) server.say(1, { isPushed: false });
    server.say(1);
    await until(() => server.frames("leaveRoom").length === 1);
    assert.deepEqual(ids(seen), [1]);
    await room.join();
    server.say(1);
    await until(() => seen.messages.length === 2);
    assert.deepEqual(ids(seen), [1, 6]);
  });

  it("that were said while the connection was lost come after it, page by page", async (test) => {
    const { client, server, seen } = await entered(test);
    server.say(1);
    await until(() => seen.messages.length === 1);
    server.peer.socket.terminate();
    for (let n = 0; n < 250; n++) server.say(1, { isPushed: false });
    await until(() => seen.messages.length === 251);
    assert.deepEqual(ids(seen), Array.from({ length: 251 }, (_, n) => n + 1));
    assert.equal(client.state, "connected");
  });

  for (const [how, code, fail] of /** @type {[string, string, (response: ServerResponse) => unknown][]} */ ([
    ["fails", "internal", (response) => answer(response, 500, { statusCode: 500, message: "internal error" })],
    ["is throttled", "internal", (response) => answer(response, 429, "<html>slow down</html>")],
    ["answers a page of something else", "badResponse", (response) => answer(response, 200, "<html>hello</html>")],
    ["answers no list", "badResponse", (response) => answer(response, 200, { messages: [] })],
    ["answers a list of nothings", "badResponse", (response) => answer(response, 200, [null])],
    ["answers messages that lack something", "badResponse", (response) => answer(response, 200, [{ id: 1 }])],
    ["cannot be reached", "unreachable", (response) => response.destroy()],
  ])) {
    it(`come although the history ${how} at first`, async (test) => {
      const { room, server, seen } = await entered(test);
      let failures = 2;
      server.answerHistory = (response) => failures-- > 0 && (fail(response), true);
      /** @type {string[]} */ const told = [];
      room.addEventListener("error", ({ detail }) => told.push(detail.code));
      server.say(1, { isPushed: false });
      server.say(1);
      await until(() => seen.messages.length === 2);
      assert.deepEqual([told, ids(seen)], [[code, code], [1, 2]]);
    });
  }
});

describe("the history", { concurrency: true }, () => {
  it("ends where the messages begin, and waits for one that was on its way when the room was entered", async (test) => {
    const { client, server } = await start(test);
    for (let n = 0; n < 3; n++) server.say(1, { ageMs: 60_000 });
    const onItsWay = server.count(1);
    const room = client.room(1);
    const seen = collect(room);
    await room.join();
    const page = room.history({ limit: 3 });
    await until(() => server.asked.length >= 2);
    server.say(1, { id: onItsWay });
    server.say(1);
    await until(() => seen.messages.length === 1);
    assert.deepEqual([pageIds(await page), ids(seen)], [[2, 3, 4], [5]]);
    assert.deepEqual([(await page).hasOlder, server.asked[0].get("before")], [true, "5"]);
  });

  it("does not wait for numbers that were never used", async (test) => {
    const { client, server } = await start(test);
    for (let n = 0; n < 4; n++) {
      server.count(1);
      server.say(1, { ageMs: 60_000 });
    }
    const room = client.room(1);
    await room.join();
    assert.deepEqual(pageIds(await room.history()), [2, 4, 6, 8]);
    // Once to learn the server's time, and once more to be sure.
    assert.ok(server.asked.length <= 2, `asked ${server.asked.length} times`);
  });

  it("waits for the very first message too", async (test) => {
    const { client, server } = await start(test);
    const first = server.count(1);
    server.say(1);
    const room = client.room(1);
    await room.join();
    const page = room.history();
    await until(() => server.asked.length >= 2);
    server.say(1, { id: first });
    assert.deepEqual(pageIds(await page), [1, 2]);
  });

  it("says that a room is not for this token, and asks for no other token", async (test) => {
    let tokens = 0;
    const { client, server } = await start(test, { getToken: () => (tokens++, TOKEN) });
    server.answerHistory = (response) => answer(response, 403, { statusCode: 403, message: "not your room" });
    await assert.rejects(client.room(1).history(), { code: "notAllowed", message: "not your room", retryable: false });
    assert.deepEqual([tokens, server.asked.length], [1, 1]);
  });

  it("asks for the page that is wanted, and says what is wrong with a wish", async (test) => {
    const { room, server } = await entered(test);
    for (let n = 0; n < 5; n++) server.say(1, { ageMs: 60_000 });
    await room.history({ limit: 2, before: 4 });
    const { limit, before } = Object.fromEntries(server.asked.at(-1) ?? []);
    assert.deepEqual([limit, before], ["2", "4"]);
    server.answerHistory = (response) => answer(response, 400, { statusCode: 400, message: "limit must be 1 to 100" });
    const told = next(room, "error");
    await assert.rejects(room.history({ limit: 1_000 }), { code: "badRequest", message: "limit must be 1 to 100" });
    assert.equal((await told).code, "badRequest");
  });

  it("gets a fresh token when it takes the old one no more, once", async (test) => {
    const tokens = [TOKEN, "second", "third"];
    const { client, server } = await start(test, { getToken: () => /** @type {string} */ (tokens.shift()) });
    /** @type {unknown[]} */ const shown = [];
    server.answerHistory = (response, _, { headers }) => {
      shown.push(headers.authorization);
      return headers.authorization !== "Bearer second" && answer(response, 403, { message: "Forbidden" });
    };
    assert.deepEqual((await client.room(1).history()).messages, []);
    server.answerHistory = (response) => answer(response, 401, { message: "Unauthorized" });
    await assert.rejects(client.room(1).history(), { code: "refused" });
    assert.deepEqual([shown, tokens], [[`Bearer ${TOKEN}`, "Bearer second"], []]);
  });
});

describe("sending", { concurrency: true }, () => {
  it("goes one by one in a room, side by side in two, in the order of the calls made offline", async (test) => {
    const server = await startScriptedServer(test);
    const client = make(test, server);
    const rooms = [client.room(1), client.room(2)];
    for (const room of rooms) void room.join();
    /** @type {any[]} */ const open = [];
    server.answer = (frame) => frame.action === "sendMessage" && open.push(frame) > 0;
    const sent = rooms.flatMap((room) => ["one", "two"].map((text) => room.send(text)));
    await client.connect();
    await until(() => open.length === 2);
    assert.deepEqual(open.map(({ chatroomId, message }) => [chatroomId, message.content]), [[1, "one"], [2, "one"]]);
    server.answer = () => false;
    for (const { requestId, chatroomId, action } of open) {
      const id = server.count(chatroomId);
      server.peer.push({ type: "ack", action, requestId, chatroomId, id, createTime: new Date().toISOString() });
    }
    assert.deepEqual((await Promise.all(sent)).map(({ id }) => id), [1, 2, 1, 2]);
  });

  it("is tried again when the server fails, with the same id", async (test) => {
    const { room, server } = await entered(test);
    const failures = [
      (/** @type {any} */ frame) => ({ type: "error", action: "sendMessage", requestId: frame.requestId, code: "internal", message: "…" }),
      () => ({ message: "Internal server error", connectionId: "x", requestId: "y" }),
    ];
    server.answer = (frame, peer) => {
      const failure = frame.action === "sendMessage" && failures.shift();
      if (failure) peer.push(failure(frame));
      return !!failure;
    };
    const { id, clientMessageId } = await room.send("third time lucky");
    assert.equal(id, 1);
    assert.deepEqual(server.frames("sendMessage").map((frame) => frame.clientMessageId), Array(3).fill(clientMessageId));
  });

  it("is settled by one's own message when that comes before the answer, and by nobody else's", async (test) => {
    const { room, server } = await entered(test);
    server.answer = (frame) => {
      if (frame.action !== "sendMessage") return false;
      const { clientMessageId, message } = frame;
      const base = { chatroomId: 1, createTime: new Date().toISOString(), clientMessageId, sender: {}, ...message };
      server.push(1, { ...base, id: 1, senderId: 8 });
      server.push(1, { ...base, id: 2, senderId: 7 });
      return true;
    };
    assert.equal((await room.send("mine")).id, 2);
  });

  it("is not settled by one's own message in another room, though it has the same clientMessageId", async (test) => {
    const { client, room, server } = await entered(test);
    const other = client.room(2);
    await other.join();
    server.answer = ({ action, chatroomId, requestId }, peer) => {
      if (action !== "sendMessage" || chatroomId !== 2) return false;
      peer.push({ type: "error", action, requestId, code: "notAllowed", message: "read only" });
      return true;
    };
    const options = { clientMessageId: "same" };
    const refused = assert.rejects(other.send("to both", options), { code: "notAllowed" });
    assert.equal((await room.send("to both", options)).id, 1);
    await refused;
    // The push arrives before the other room's answer.
    const held = server.answer;
    /** @type {any[]} */ const open = [];
    server.answer = (frame) => frame.chatroomId === 2 && frame.action === "sendMessage" && open.push(frame) > 0;
    const late = other.send("to both again", { clientMessageId: "again" });
    await room.send("to both again", { clientMessageId: "again" });
    held(open[0], server.peer);
    await assert.rejects(late, { code: "notAllowed" });
  });

  it("is refused here when it can only fail there", async (test) => {
    const { client, room, server } = await entered(test);
    await assert.rejects(room.send("😀".repeat(4_001)), { code: "tooLarge" });
    assert.equal((await room.send("😀".repeat(4_000))).id, 1);
    await room.send("half \ud83d");
    assert.equal(server.frames("sendMessage").at(-1)?.message.content, "half \ufffd");
    await assert.rejects(client.room(2).send("not joined"), { code: "left" });
    const message = "clientMessageId must be 1 to 64 of A-Z a-z 0-9 _ -";
    for (const clientMessageId of ["x".repeat(40_000), "", "a b", ...(/** @type {any[]} */ ([null, 7]))]) {
      await assert.rejects(room.send("x", { clientMessageId }), { code: "badRequest", message, action: "sendMessage" });
    }
    assert.equal((await room.send("x", { clientMessageId: `-_${"Z9".repeat(31)}` })).id, 3);
    assert.deepEqual([server.peers.length, server.frames("sendMessage").length], [1, 3]);
    server.answer = (frame) => frame.action === "sendMessage";
    for (let n = 0; n < 100; n++) void room.send(`${n}`);
    await assert.rejects(room.send("one too many"), { code: "queueFull" });
    const told = next(room, "error");
    server.answer = ({ action, requestId }, peer) => {
      if (action === "sendMessage") peer.push({ type: "error", action, requestId, code: "notAllowed", message: "no more" });
      return action === "sendMessage";
    };
    server.peer.push({ message: "Too Many Requests", connectionId: "x", requestId: "y" });
    assert.equal((await told).code, "notAllowed");
  });

  it("ends with the room, and with the client, and says so", async (test) => {
    const { client, room, server } = await entered(test);
    server.answer = (frame) => frame.action === "sendMessage";
    const [first, second] = [room.send("1"), room.send("2")];
    await room.leave();
    for (const sent of [first, second]) await assert.rejects(sent, { code: "left" });
    await room.join();
    const third = room.send("3");
    client.disconnect();
    await assert.rejects(third, { code: "disconnected" });
    // The room is still wanted.
    server.answer = () => false;
    await client.connect();
    await until(() => room.joined);
    assert.equal((await room.send("4")).id, 1);
  });

});

describe("a room", { concurrency: true }, () => {
  it("is joined and left in turn, and starts anew", async (test) => {
    const { room, server, seen } = await entered(test);
    server.say(1);
    await until(() => seen.messages.length === 1);
    void room.leave();
    server.room(1).lastId = 40;
    await room.join();
    assert.deepEqual(server.peer.frames.map(({ action }) => action), ["joinRoom", "joinRoom"], "left and joined at once is joined");
    await room.leave();
    assert.deepEqual([room.joined, server.peer.rooms.size], [false, 0]);
    await room.join();
    server.say(1);
    await until(() => seen.messages.length === 2);
    assert.deepEqual(ids(seen), [1, 41], "what was said between is the history's");
  });

  it("is not left before it is known whether it was entered, nor entered before it is left", async (test) => {
    const { client, server } = await start(test);
    const room = client.room(1);
    /** @type {any[]} */ const open = [];
    server.answer = (frame) => frame.chatroomId === 1 && open.push(frame) > 0;
    const reply = (/** @type {any} */ frame) => server.peer.push({ ...frame, type: "ack", lastId: 0 });
    room.join().catch(() => {});
    await until(() => open.length === 1);
    const left = room.leave();
    // By then every earlier frame was handled.
    await client.room(2).join();
    assert.equal(open.length, 1);
    reply(open[0]);
    await until(() => open.length === 2);
    void room.join();
    await client.room(3).join();
    assert.equal(open.length, 2);
    reply(open[1]);
    await left;
    await until(() => open.length === 3);
    assert.deepEqual(open.map(({ action }) => action), ["joinRoom", "leaveRoom", "joinRoom"]);
  });

  it("is not entered before it is left, though one of two connections is lost meanwhile", async (test) => {
    const { client, server } = await start(test, { lifetimeMs: 300 });
    const rooms = [client.room(1), client.room(2)];
    await Promise.all(rooms.map((room) => room.join()));
    // The second room delays the swap, so that the first one is left on both connections.
    /** @type {any[]} */ const open = [];
    server.answer = (frame, peer) => {
      if (frame.action === "leaveRoom") return open.push({ ...frame, peer }) > 0;
      return peer !== server.peers[0] && frame.chatroomId === 2;
    };
    await until(() => server.peers[1]?.rooms.has("1"));
    void rooms[0].leave();
    await until(() => open.length === 2);
    server.peers[0].socket.terminate();
    await until(() => !rooms[1].joined);
    void rooms[0].join();
    const own = server.peers[1].frames;
    const joins = () => own.filter(({ action, chatroomId }) => action === "joinRoom" && chatroomId === 1);
    await client.room(3).join();
    assert.equal(joins().length, 1, "the one before it was left");
    const { requestId, peer } = open.find(({ peer }) => peer === server.peers[1]);
    peer.rooms.delete("1");
    peer.push({ type: "ack", action: "leaveRoom", requestId, chatroomId: 1 });
    await until(() => rooms[0].joined);
    assert.deepEqual([joins().length, peer.rooms.has("1")], [2, true]);
  });

  it("that is refused is not asked for again", async (test) => {
    const { client, server } = await start(test);
    server.answer = ({ action, requestId, chatroomId }, peer) => {
      if (action !== "joinRoom" || chatroomId !== "closed") return false;
      peer.push({ type: "error", action, requestId, code: "notAllowed", message: "your token does not grant this room" });
      return true;
    };
    const closed = client.room("closed");
    const told = next(closed, "error");
    await assert.rejects(closed.join(), { code: "notAllowed", action: "joinRoom" });
    assert.equal((await told).code, "notAllowed");
    await client.room("open").join();
    server.peer.socket.terminate();
    await until(() => server.peers.length === 2 && client.room("open").joined);
    assert.deepEqual(server.peers[1].frames.map(({ chatroomId }) => chatroomId), ["open"]);
    assert.equal(closed.joined, false);
  });

  it("is asked for again when the server fails, or says that the connection is gone", async (test) => {
    const { client, server } = await start(test);
    const answers = ["internal", "gone"];
    server.answer = ({ action, requestId }, peer) => {
      const code = action === "joinRoom" && answers.shift();
      if (code) peer.push({ type: "error", action, requestId, code, message: code });
      return !!code;
    };
    await client.room(1).join();
    assert.deepEqual([server.peers.length, server.frames("joinRoom").length], [2, 3]);
  });

  it("tells of a coming and a going once, though it hears them twice", async (test) => {
    const { server, seen } = await entered(test);
    for (const type of ["joinRoom", "joinRoom", "leaveRoom", "leaveRoom", "joinRoom"]) {
      server.peer.push({ type, chatroomId: 1, userId: 9, ...(type === "joinRoom" && { user: { id: 9, nickName: "Nine" } }) });
    }
    server.say(1);
    await until(() => seen.messages.length === 1);
    assert.deepEqual(seen.presence.map(({ came, user }) => [came, user?.nickName]), [[true, "Nine"], [false, undefined], [true, "Nine"]]);
  });

  it("asks for frames that tell of several who leave, and tells of each", async (test) => {
    const { server, seen } = await entered(test);
    assert.equal(server.frames("joinRoom")[0].batches, true);
    for (const userId of [8, 9]) server.peer.push({ type: "joinRoom", chatroomId: 1, userId, user: { id: userId } });
    server.peer.push({ type: "leaveRoom", chatroomId: 1, userId: 8, userIds: [8, 9, "x"] });
    server.peer.push({ type: "leaveRoom", chatroomId: 1, userId: "y", userIds: "of a later server" });
    server.say(1);
    await until(() => seen.messages.length === 1);
    const told = seen.presence.map(({ came, userId }) => [came, userId]);
    assert.deepEqual(told, [[true, 8], [true, 9], [false, 8], [false, 9], [false, "x"], [false, "y"]]);
  });

  it("says whether the server announces who comes and goes, as of the last entering", async (test) => {
    const { client, server } = await start(test);
    const room = client.room(1);
    assert.equal(room.quiet, false);
    let quiet = true;
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "joinRoom") return false;
      peer.push({ type: "ack", action, requestId, chatroomId: 1, lastId: 0, ...(quiet && { quiet }) });
      return true;
    };
    await room.join();
    assert.equal(room.quiet, true);
    quiet = false;
    server.peer.socket.terminate();
    await until(() => server.peers.length === 2 && room.joined);
    assert.equal(room.quiet, false);
  });

  it("is refused here when there can be none with its id, and harms nobody", async (test) => {
    const { client, room, server } = await entered(test);
    const message = "room id must be a whole number, or 1 to 255 printable bytes";
    const bad = /** @type {any[]} */ (["half \ud83d", "", " ", "a\nb", "x".repeat(256), "é".repeat(128), -1, 1.5, NaN, 2 ** 53, null, undefined, {}]);
    for (const id of bad) assert.throws(() => client.room(id), { name: "ChatError", code: "badRequest", message }, String(id));
    for (const id of [0, "😀", "é".repeat(127)]) await client.room(id).join();
    assert.equal((await room.send("still here")).id, 1);
    assert.deepEqual([server.peers.length, server.frames("joinRoom").length], [1, 4]);
  });

  it("is known by one name, as a number or as its digits", async (test) => {
    const { client, server } = await start(test);
    assert.equal(client.room(5), client.room("5"));
    assert.notEqual(client.room("5"), client.room("05"));
    await client.room("5").join();
    const seen = collect(client.room(5));
    server.say(5);
    await until(() => seen.messages.length === 1);
  });
});

/** One after the other, because they change globals of this process. */
describe("a client in a strange world", () => {
  it("connects at once when the browser is back online, or awake", async (test) => {
    const [window, document] = [new EventTarget(), Object.assign(new EventTarget(), { hidden: false })];
    replace(test, globalThis, { addEventListener: window.addEventListener.bind(window), document });
    const server = await startScriptedServer(test);
    server.refusal = 503;
    const client = make(test, server, { timeoutMs: 3_000 });
    // After some failures there is a wait of nearly 30 seconds.
    let failures = 0;
    replace(test, Math, { random: () => (failures < 6 ? 0 : 0.99) });
    client.addEventListener("disconnected", () => (failures += 1));
    void client.connect();
    await until(() => failures === 7);
    server.refusal = null;
    const started = performance.now();
    window.dispatchEvent(new Event("online"));
    await next(client, "connected");
    assert.ok(performance.now() - started < 15_000);

    document.hidden = true;
    document.dispatchEvent(new Event("visibilitychange"));
    // By then every earlier frame was handled.
    await client.room(1).join();
    assert.equal(server.frames("ping").length, 0, "not while nobody looks");

    // After an hour asleep the connection looks open, but the server is gone.
    server.answer = () => true;
    const lost = next(client, "disconnected");
    document.hidden = false;
    document.dispatchEvent(new Event("visibilitychange"));
    assert.equal((await lost).reason, "the server did not answer");
    server.answer = () => false;
    document.dispatchEvent(new Event("visibilitychange"));
    await until(() => client.state === "connected");
    client.disconnect();
    window.dispatchEvent(new Event("online"));
    assert.equal(client.state, "disconnected", "disconnected is disconnected");

    await client.connect();
    document.dispatchEvent(new Event("visibilitychange"));
    await client.room(2).join();
    assert.equal(server.peer.frames.filter(({ action }) => action === "ping").length, 1, "nobody listens twice");
  });

  it("ends a connection at once when the browser is offline, and loses nothing by it", async (test) => {
    const window = new EventTarget();
    replace(test, globalThis, { addEventListener: window.addEventListener.bind(window) });
    const { client, room, server, states } = await entered(test);
    server.refusal = 503;
    server.answer = (frame) => frame.action === "sendMessage";
    const sent = room.send("on its way");
    await until(() => server.frames("sendMessage").length === 1);
    /** @type {any[]} */ const ends = [];
    client.addEventListener("disconnected", ({ detail }) => ends.push(detail));
    window.dispatchEvent(new Event("offline"));
    assert.deepEqual([client.state, room.joined], ["disconnected", false], "nobody waits for a ping");
    const [{ code, reason, willRetry }] = ends;
    assert.deepEqual([code, reason, willRetry], ["offline", "the browser is offline", true]);
    await once(server.peer.socket, "close");
    server.refusal = null;
    server.answer = () => false;
    window.dispatchEvent(new Event("online"));
    assert.equal((await sent).id, 1);
    assert.deepEqual([states[0], states.at(-1)], ["connecting", "connected"]);
    client.disconnect();
    window.dispatchEvent(new Event("offline"));
    assert.equal(ends.at(-1).code, "disconnected", "nobody listens any more");
  });

  it("waits longer and longer, at random, and begins anew after a good connection", async (test) => {
    const server = await startScriptedServer(test);
    // The history answers 400 without a room: so the token is good.
    server.refusal = 503;
    const client = make(test, server);
    let jump = 0;
    const now = performance.now.bind(performance);
    replace(test, performance, { now: () => now() + jump });
    replace(test, Math, { random: () => 0.01 });
    /** @type {number[]} */ const waits = [];
    client.addEventListener("disconnected", ({ detail }) => waits.push(Math.round(detail.retryInMs ?? NaN)));
    void client.connect();
    await until(() => waits.length === 8);
    assert.deepEqual(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
    server.refusal = null;
    for (const [lived, wait] of [[0, 300], [4_000, 5]]) {
      await until(() => client.state === "connected" && server.peer.socket.readyState === WebSocket.OPEN);
      jump += lived;
      waits.length = 0;
      server.peer.socket.terminate();
      await until(() => waits.length > 0);
      assert.equal(waits[0], wait, `it lived ${lived} ms`);
    }
  });

  it("waits as long as it is told when it sends too fast, and gives nothing up", async (test) => {
    const { room, server } = await entered(test);
    /** @type {number[]} */ const asked = [];
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "sendMessage") return false;
      asked.push(performance.now());
      // More often than the client asks a failing server.
      if (asked.length > 12) return false;
      peer.push({ type: "error", action, requestId, code: "rateLimited", message: "…", retryAfterMs: 20 });
      return true;
    };
    await room.send("patience");
    assert.equal(asked.length, 13);
    const waits = asked.slice(1).map((time, at) => time - asked[at]);
    assert.ok(waits.every((wait) => wait >= 19), `${waits}`);
    assert.equal(new Set(server.frames("sendMessage").map(({ clientMessageId }) => clientMessageId)).size, 1);
  });

  for (const retryAfterMs of [2 ** 31, 1e300, "Infinity", -1, 0, "soon", null, {}]) {
    it(`does not flood a server that says it may come back after ${JSON.stringify(retryAfterMs)}`, async (test) => {
      const { client, room, server } = await entered(test, { pingIntervalMs: 60_000 });
      const isLong = Number(retryAfterMs) > 0;
      // Otherwise the client's own wait, which begins with half a second for a send and a quarter for the rest.
      const expected = isLong ? [300_000, 300_000, 300_000] : [500, 250, 250];
      replace(test, Math, { random: () => 0.5 });
      /** @type {number[]} */ const waits = [];
      const setTimeout = globalThis.setTimeout;
      replace(test, globalThis, {
        setTimeout(/** @type {() => void} */ callback, /** @type {number} */ ms) {
          const isWait = expected.includes(ms);
          if (isWait) waits.push(ms);
          return setTimeout(callback, isWait ? 20 : ms);
        },
      });
      /** @type {Set<string>} */ const refused = new Set();
      server.answer = ({ action, requestId }, peer) => {
        if (action === "ping" || refused.has(action)) return false;
        refused.add(action);
        peer.push({ type: "error", action, requestId, code: "rateLimited", message: "…", retryAfterMs });
        return true;
      };
      assert.equal((await room.send("patience")).id, 1);
      await client.room(2).join();
      const lost = next(client, "disconnected");
      server.peer.push({ type: "error", code: "tooManyConnections", message: "…", retryAfterMs });
      assert.equal((await lost).retryInMs, expected[2]);
      await until(() => client.state === "connected");
      assert.deepEqual(waits, expected);
    });
  }

  it("does not take a time for a timer that a timer cannot hold", async (test) => {
    const server = await startScriptedServer(test);
    for (const name of ["pingIntervalMs", "lifetimeMs", "timeoutMs"]) {
      for (const ms of [Infinity, 2 ** 31, 0, -1, NaN]) {
        const message = `${name} must be 1 to 2147483647 ms`;
        assert.throws(() => make(test, server, { [name]: ms }), { name: "ChatError", code: "badRequest", message });
      }
    }
  });

  it("enters a room when it is told to, if it asked too often", async (test) => {
    const { client, server } = await start(test);
    // The client's own wait would be longer than the test may take.
    replace(test, Math, { random: () => 1_000 });
    let refusals = 0;
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "joinRoom" || ++refusals > 3) return false;
      peer.push({ type: "error", action, requestId, code: "rateLimited", message: "…", retryAfterMs: 5 });
      return true;
    };
    await client.room(1).join();
    assert.equal(refusals, 4);
  });

  it("makes place for newer connections of its user, and comes back when it is told to", async (test) => {
    const { client, room, server } = await entered(test);
    /** @type {any[]} */ const ends = [];
    client.addEventListener("disconnected", ({ detail }) => ends.push(detail));
    const [first, askedAt] = [server.peer, performance.now()];
    server.peer.push({ type: "error", code: "tooManyConnections", message: "ended for a newer one", retryAfterMs: 60 });
    await until(() => client.state === "disconnected");
    assert.deepEqual(ends, [{ code: "tooManyConnections", reason: "ended for a newer one", willRetry: true, retryInMs: 60 }]);
    assert.equal((await room.send("said meanwhile")).id, 1);
    assert.ok(performance.now() - askedAt >= 59);
    assert.notEqual(server.peer, first);
  });

  it("gives a message up that the server fails at again and again, so that the next one goes out", async (test) => {
    const { room, server } = await entered(test);
    replace(test, Math, { random: () => 0.01 });
    server.answer = ({ action, requestId, message }, peer) => {
      if (action !== "sendMessage" || message.content !== "poison") return false;
      peer.push({ type: "error", action, requestId, code: "internal", message: "…" });
      return true;
    };
    const [poison, behind] = [room.send("poison"), room.send("behind it")];
    await assert.rejects(poison, { code: "internal", retryable: true });
    assert.equal((await behind).id, 1);
    assert.equal(server.frames("sendMessage").filter(({ message }) => message.content === "poison").length, 6);
  });

  it("waits no longer than 10 seconds for numbers that nothing comes after", async (test) => {
    const { client, server } = await start(test);
    let jump = 0;
    const now = performance.now.bind(performance);
    replace(test, performance, { now: () => now() + jump });
    replace(test, Math, { random: () => 0.01 });
    server.say(1, { ageMs: 60_000 });
    server.count(1);
    const room = client.room(1);
    const seen = collect(room);
    await room.join();
    const page = room.history();
    await until(() => server.asked.length >= 2);
    jump += 11_000;
    assert.deepEqual(pageIds(await page), [1]);

    server.count(1);
    server.peer.socket.terminate();
    const asked = server.asked.length;
    await until(() => server.asked.length >= asked + 2);
    // What the history says from now on is final.
    server.answerHistory = () => {
      jump += 11_000;
      server.answerHistory = () => false;
    };
    // Another request would be noticed: the client waits for 40 ms at most.
    for (let before = -1; before !== server.asked.length; await pause(300)) before = server.asked.length;
    const askedAtLast = server.asked.length;
    server.say(1);
    await until(() => seen.messages.length === 1);
    assert.deepEqual([ids(seen), server.asked.length], [[4], askedAtLast]);
  });

  it("loses no message by a clock that jumps", async (test) => {
    const { server, seen } = await entered(test);
    let jump = 0;
    const now = Date.now;
    replace(test, Date, { now: () => now() + jump });
    for (jump of [3_600_000, -7_200_000, 0]) {
      const known = seen.messages.length;
      const hole = server.count(1);
      server.say(1);
      const asked = server.asked.length;
      await until(() => server.asked.length > asked);
      server.say(1, { id: hole, isPushed: false });
      await until(() => seen.messages.length === known + 2);
    }
    assert.deepEqual(ids(seen), [1, 2, 3, 4, 5, 6]);
  });

  const HOUR = 3_600_000;
  for (const [what, code, jump] of /** @type {[string, string | null, { wall?: number, own?: number, server?: number }][]} */ ([
    ["22 hours pass", null, { wall: 22, own: 22, server: 22 }],
    ["24 hours pass", "unknown", { wall: 24, own: 24, server: 24 }],
    ["24 hours pass, and the wall clock was set back", "unknown", { own: 24, server: 24 }],
    ["it sleeps for 24 hours, and its other clock stands still", "unknown", { wall: 24, server: 24 }],
    ["only the wall clock jumps by a day", null, { wall: 24 }],
  ])) {
    it(`${code ? "does not repeat" : "repeats"} a message when ${what}`, async (test) => {
      const { room, server } = await entered(test);
      let [wall, own] = [0, 0];
      const [date, now] = [Date.now, performance.now.bind(performance)];
      replace(test, Date, { now: () => date() + wall });
      replace(test, performance, { now: () => now() + own });
      await room.history(); // tells the server's time
      server.answer = (frame) => frame.action === "sendMessage";
      const sent = room.send("long ago");
      await until(() => server.frames("sendMessage").length === 1);
      server.answer = () => false;
      [wall, own, server.ahead] = [jump.wall, jump.own, jump.server].map((hours = 0) => hours * HOUR);
      server.peer.socket.terminate();
      if (code) await assert.rejects(sent, { code });
      else assert.equal((await sent).id, 1);
      assert.equal(server.frames("sendMessage").length, code ? 1 : 2);
    });
  }
});

it("leaves no rejection unhandled where nobody looks at a promise", async (test) => {
  const server = await startScriptedServer(test);
  server.refusal = 403;
  server.answerHistory = (response) => answer(response, 403, { message: "Forbidden" });
  const client = make(test, server);
  const room = client.room(1);
  void room.join();
  void room.send("x");
  void room.send("x".repeat(5_000));
  void room.history();
  void client.connect();
  await next(client, "disconnected");
  client.disconnect();
  void room.leave();
  void client.room(2).send("nowhere");
  // Node reports unhandled rejections after the microtasks of a turn.
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
});

/** @param {TestContext} test @param {{ url: string, historyUrl: string }} server @param {Partial<ChatOptions>} [options] */
function make(test, { url, historyUrl }, options) {
  const client = new ChatClient({ url, historyUrl, getToken: () => TOKEN, WebSocket: /** @type {any} */ (WebSocket), ...options });
  test.after(() => client.disconnect());
  return client;
}

/** A client that is connected. @param {TestContext} test @param {Partial<ChatOptions>} [options] */
async function start(test, options) {
  const server = await startScriptedServer(test);
  const client = make(test, server, options);
  /** @type {string[]} */ const states = [];
  /** @type {ChatError[]} */ const errors = [];
  for (const state of /** @type {const} */ (["connecting", "connected", "disconnected"])) {
    client.addEventListener(state, () => states.push(state));
  }
  client.addEventListener("error", ({ detail }) => errors.push(detail));
  await client.connect();
  return { client, server, states, errors };
}

/** A client that is in room 1. @param {TestContext} test @param {Partial<ChatOptions>} [options] */
async function entered(test, options) {
  const started = await start(test, options);
  const room = started.client.room(1);
  const seen = collect(room);
  await room.join();
  return { ...started, room, seen };
}

/** @param {{ messages: Message[] }} seen */
function ids({ messages }) {
  return messages.map(({ id }) => id);
}

/** @param {Page} page */
function pageIds({ messages }) {
  return messages.map(({ id }) => id);
}
