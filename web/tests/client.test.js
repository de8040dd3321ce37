// @ts-check
/** What only a server that misbehaves on demand can show of the client. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, ChatError } from "../chat-client.js";
import { collect, next, until } from "./listening.js";
import { TOKEN, answer, startScriptedServer } from "./scripted-server.js";

/** @import { ServerResponse } from "node:http" */
/** @import { TestContext } from "node:test" */
/** @import { ChatOptions, Message, Page } from "../chat-client.js" */

// A promise that nobody looks at must not end the process of somebody who uses this.
/** @type {unknown[]} */ const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

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

  for (const status of [401, 403]) {
    it(`is given up when the token is refused with ${status}`, async (test) => {
      const server = await startScriptedServer(test);
      server.refusal = 403;
      server.answerHistory = (response) => answer(response, status, { message: "Forbidden" });
      const client = make(test, server);
      const room = client.room(1);
      void room.join();
      const waits = room.send("not lost by this");
      await assert.rejects(client.connect(), { code: "refused", retryable: false });
      assert.deepEqual([client.state, server.handshakes.length], ["disconnected", 1]);
      // A new token, and what was waiting goes out.
      server.refusal = null;
      await client.connect();
      assert.equal((await waits).id, 1);
    });
  }

  it("is tried again when it is refused for another reason, after longer and longer waits", async (test) => {
    const server = await startScriptedServer(test);
    server.refusal = 503;
    const client = make(test, server);
    /** @type {number[]} */ const waits = [];
    client.addEventListener("disconnected", ({ detail }) => waits.push(detail.retryInMs ?? NaN));
    void client.connect();
    await until(() => waits.length >= 5);
    for (const [n, wait] of waits.entries()) assert.ok(wait >= 0 && wait <= 500 * 2 ** n, `${wait} ms after ${n} failures`);
    assert.ok(waits.some((wait, n) => wait < 0.99 * 500 * 2 ** n), "not all clients at the same moment");
    server.refusal = null;
    await until(() => client.state === "connected");
  });

  it("pings when it is silent, and only then", async (test) => {
    const { client, server } = await start(test, { pingIntervalMs: 1_000 });
    const room = client.room(1);
    await room.join();
    const busyUntil = performance.now() + 2_500;
    while (performance.now() < busyUntil) await room.send("busy");
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
    for (const message of [undefined, null, 1, {}, { id: "1" }, { id: 1.5 }, { id: 1, type: "video", content: "", createTime: "2026-01-01" }]) {
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
    // The second room holds the change up, while the first one has been entered twice.
    server.answer = (frame, peer) => peer !== server.peers[0] && frame.chatroomId === 2;
    await until(() => server.peers[1]?.rooms.has("1"));
    await rooms[0].leave();
    assert.deepEqual(server.peers.map((peer) => peer.rooms.has("1")), [false, false]);
    assert.equal(server.peers[0].socket.readyState, WebSocket.OPEN, "it stays until the other one is in every room");
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
  it("goes one by one in a room, side by side in two, in the order of the calls", async (test) => {
    const { client, server } = await start(test);
    const rooms = [client.room(1), client.room(2)];
    await Promise.all(rooms.map((room) => room.join()));
    /** @type {any[]} */ const open = [];
    server.answer = (frame) => frame.action === "sendMessage" && open.push(frame) > 0;
    const sent = rooms.flatMap((room) => ["one", "two"].map((text) => room.send(text)));
    await until(() => open.length === 2);
    assert.deepEqual(open.map(({ chatroomId, message }) => [chatroomId, message.content]), [[1, "one"], [2, "one"]]);
    server.answer = () => false;
    for (const { requestId, chatroomId, action } of open) {
      const id = server.count(chatroomId);
      server.peer.push({ type: "ack", action, requestId, chatroomId, id, createTime: new Date().toISOString() });
    }
    assert.deepEqual((await Promise.all(sent)).map(({ id }) => id), [1, 2, 1, 2]);
  });

  it("is tried again when the server fails, with the same id, and given up at last", async (test) => {
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

    server.answer = ({ action, requestId, message }, peer) => {
      if (action !== "sendMessage" || message.content !== "poison") return false;
      peer.push({ type: "error", action, requestId, code: "internal", message: "…" });
      return true;
    };
    const [poison, after] = [room.send("poison"), room.send("after it")];
    await assert.rejects(poison, { code: "internal", retryable: true });
    assert.equal((await after).id, 2, "what stands behind it goes out");
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

  it("is refused here when it can only fail there", async (test) => {
    const { client, room, server } = await entered(test);
    await assert.rejects(room.send("😀".repeat(4_001)), { code: "tooLarge" });
    assert.equal((await room.send("😀".repeat(4_000))).id, 1);
    await room.send("half \ud83d");
    assert.equal(server.frames("sendMessage").at(-1)?.message.content, "half \ufffd");
    await assert.rejects(client.room(2).send("not joined"), { code: "left" });
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

/** One after the other: they change what all clients in this process see. */
describe("a client in a strange world", () => {
  it("connects at once when the browser is back online, or awake", async (test) => {
    const [window, document] = [new EventTarget(), Object.assign(new EventTarget(), { hidden: false })];
    const known = { addEventListener: window.addEventListener.bind(window), document };
    Object.assign(globalThis, known);
    test.after(() => Object.keys(known).forEach((name) => Reflect.deleteProperty(globalThis, name)));
    const server = await startScriptedServer(test);
    server.refusal = 503;
    // The waits are random: only those that are long enough to show that nobody waited are looked at.
    const client = make(test, server);
    void client.connect();
    for (;;) {
      const { retryInMs = 0 } = await next(client, "disconnected");
      if (retryInMs > 1_500) break;
    }
    server.refusal = null;
    const started = performance.now();
    window.dispatchEvent(new Event("online"));
    await next(client, "connected");
    assert.ok(performance.now() - started < 1_000);

    // An hour asleep: the connection looks open, and nobody is there any more.
    server.answer = () => true;
    const lost = next(client, "disconnected");
    document.hidden = true;
    document.dispatchEvent(new Event("visibilitychange"));
    assert.equal(server.frames("ping").length, 0, "not while nobody looks");
    document.hidden = false;
    document.dispatchEvent(new Event("visibilitychange"));
    assert.equal((await lost).reason, "the server did not answer");
    server.answer = () => false;
    await until(() => client.state === "connected");
    client.disconnect();
    window.dispatchEvent(new Event("online"));
    assert.equal(client.state, "disconnected", "disconnected is disconnected");
  });

  it("loses no message by a clock that jumps", async (test) => {
    const { server, seen } = await entered(test);
    const real = Date.now;
    test.after(() => (Date.now = real));
    for (const jump of [3_600_000, -7_200_000, 0]) {
      Date.now = () => real() + jump;
      const hole = server.count(1);
      server.say(1);
      const asked = server.asked.length;
      await until(() => server.asked.length > asked);
      server.say(1, { id: hole, isPushed: false });
      await until(() => seen.messages.length % 2 === 0 && seen.messages.length > 0);
    }
    await until(() => seen.messages.length === 6);
    assert.deepEqual(ids(seen), [1, 2, 3, 4, 5, 6]);
  });
  it("does not repeat a message that the server may have forgotten", async (test) => {
    const { room, server } = await entered(test);
    const real = Date.now;
    test.after(() => (Date.now = real));
    server.answer = (frame) => frame.action === "sendMessage";
    const sent = room.send("over the weekend");
    await until(() => server.frames("sendMessage").length === 1);
    server.answer = () => false;
    Date.now = () => real() + 24 * 3_600_000;
    server.peer.socket.terminate();
    await assert.rejects(sent, { code: "unknown" });
    assert.equal(server.frames("sendMessage").length, 1);
  });
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
  // What is unhandled is told after the microtasks of a turn.
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
