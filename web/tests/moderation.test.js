// @ts-check
/** Bars, slow mode and reports: what a moderator asks for, and what a client does with whom it hits. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, Kept, Moderation } from "../chat-client.js";
import { enterInTime } from "./clock.js";
import { next, replace, until } from "./listening.js";
import { comeBack, connected, entered } from "./living.js";
import { TOKEN, answer, startScriptedServer } from "./scripted-server.js";

/** @import { TestContext } from "node:test" */
/** @import { ChatError, Feature } from "../chat-client.js" */
/** @import { Peer, ScriptedServer } from "./scripted-server.js" */

const HOUR_MS = 3_600_000;
const UNTIL = "2026-11-29T10:00:00.000Z";
const MEI = { id: 8, username: "mei", nickName: "Mei", headPic: null };

// First: where time is made, what the sockets of an earlier test still wait for would be made too.
describe("in time", () => {
  it("a mute ends by itself, and is told of once", async (test) => {
    const { server, room, pass } = await enterInTime(test, [Moderation]);
    let told = 0;
    const moderated = /** @type {EventTarget & { mutedForMs: number }} */ (/** @type {unknown} */ (room));
    moderated.addEventListener("barred", () => told++);
    server.answer = (frame, peer) => frame.action === "sendMessage" && (refuse(peer, frame, "barred", { retryAfterMs: 600_000 }), true);
    room.send("hello").catch(() => {});
    await pass(0);
    assert.deepEqual([moderated.mutedForMs, told], [600_000, 1]);
    await pass(599_000);
    assert.deepEqual([moderated.mutedForMs, told], [1_000, 1]);
    await pass(1_000);
    assert.deepEqual([moderated.mutedForMs, told], [0, 2]);
    server.answer = () => false;
    const sent = room.send("after it");
    await pass(0);
    assert.equal((await sent).id, 1);
    await pass(600_000);
    assert.equal(told, 2);
  });

  it("a send that slow mode holds back says for how long, and goes out then", async (test) => {
    const { server, room, seen, pass } = await enterInTime(test, [Moderation]);
    let told = 0;
    const moderated = /** @type {EventTarget & { slowForMs: number }} */ (/** @type {unknown} */ (room));
    moderated.addEventListener("slow", () => told++);
    server.answer = (frame, peer) => frame.action === "sendMessage" && server.frames("sendMessage").length === 1 && (refuse(peer, frame, "rateLimited", { retryAfterMs: 8_000 }), true);
    void room.send("too soon");
    await pass(0);
    assert.deepEqual([moderated.slowForMs, told], [8_000, 1]);
    await pass(7_999);
    assert.equal(server.frames("sendMessage").length, 1);
    await pass(1);
    assert.deepEqual([seen.messages.map(({ content }) => content), moderated.slowForMs], [["too soon"], 0]);
  });
});

describe("a moderator", { concurrency: true }, () => {
  it("asks in the room, and is told what the server says", async (test) => {
    const { server, room } = await entered(test);
    const asked = answering(server, {
      barUser: ({ targetId, bar, seconds }) => ({ targetId, bar, ...(seconds && { until: UNTIL }) }),
      slowMode: ({ seconds }) => ({ seconds }),
      listBars: () => ({ bars: [{ user: MEI, bar: "ban", until: UNTIL }], slowSeconds: 10 }),
      listReports: () => ({ reports: [{ id: 42, user: MEI, reason: "spam", createTime: UNTIL }], more: true }),
      reportMessage: ({ id }) => ({ id }),
    });
    assert.deepEqual(await room.bar(8, "mute", 600), { chatroomId: 1, targetId: 8, bar: "mute", until: UNTIL });
    assert.deepEqual(await room.bar("mei", "kick"), { chatroomId: 1, targetId: "mei", bar: "kick" });
    assert.deepEqual(await room.slow(10), { chatroomId: 1, seconds: 10 });
    assert.deepEqual(await room.bars(), { chatroomId: 1, bars: [{ user: MEI, bar: "ban", until: UNTIL }], slowSeconds: 10 });
    assert.deepEqual(await room.report(42, "spam"), { chatroomId: 1, id: 42 });
    const listed = await room.reports();
    assert.deepEqual(listed, { chatroomId: 1, reports: [{ id: 42, user: MEI, reason: "spam", createTime: UNTIL }], more: true });
    await room.reports(listed.reports[0]);
    assert.deepEqual(asked, [
      { action: "barUser", targetId: 8, bar: "mute", seconds: 600, chatroomId: 1 },
      { action: "barUser", targetId: "mei", bar: "kick", chatroomId: 1 },
      { action: "slowMode", seconds: 10, chatroomId: 1 },
      { action: "listBars", chatroomId: 1 },
      { action: "reportMessage", id: 42, reason: "spam", chatroomId: 1 },
      { action: "listReports", chatroomId: 1 },
      { action: "listReports", chatroomId: 1, before: { id: 42, userId: MEI.id } },
    ]);
  });

  for (const [code, more] of /** @type {[string, object][]} */ ([
    ["notAllowed", {}],
    ["badRequest", { message: "seconds must be 1 to 31536000" }],
    ["notFound", {}],
    ["rateLimited", { retryAfterMs: 20, retryable: true }],
    ["unknownAction", {}],
  ])) {
    it(`who is refused (${code}) is told so, by the promise and as an event, and nothing is asked again`, async (test) => {
      const { server, room, errors } = await entered(test);
      server.answer = (frame, peer) => frame.action !== "joinRoom" && (refuse(peer, frame, code, more), true);
      for (const ask of [() => room.bar(8, "ban", 60), () => room.slow(1), () => room.bars(), () => room.report(1, "spam"), () => room.reports()]) {
        await assert.rejects(ask(), { name: "ChatError", code, ...more });
      }
      assert.deepEqual(errors.map((error) => error.code), Array(5).fill(code));
      assert.equal(server.peer.frames.length, 6);
    });
  }

  it("is not heard later: what cannot be asked now is refused", async (test) => {
    const { server, room } = await connected(test);
    await assert.rejects(room.bar(8, "mute", 60), { code: "connectionLost" });
    await assert.rejects(room.report(1, "spam"), { code: "connectionLost" });
    await room.join();
    await room.send("still works");
    assert.deepEqual([...server.frames("barUser"), ...server.frames("reportMessage")], []);
  });

  it("says nothing that would cost the connection, or that nobody could mean", async (test) => {
    const { server, room } = await entered(test);
    const asked = answering(server, { reportMessage: ({ id }) => ({ id }) });
    for (const id of [undefined, "", -1, "\ud800"]) await assert.rejects(room.bar(/** @type {any} */ (id), "mute", 60), { code: "badRequest" });
    for (const id of [undefined, 0, "1"]) await assert.rejects(room.report(/** @type {any} */ (id), "spam"), { code: "badRequest" });
    await room.report(1, "half \ud800");
    assert.deepEqual(asked.map(({ reason }) => reason), ["half \ufffd"]);
  });

  it("is not given what makes no sense", async (test) => {
    const { server, room } = await entered(test);
    answering(server, { listBars: () => ({ bars: "none" }), listReports: () => ({ reports: {} }) });
    await assert.rejects(room.bars(), { code: "badFrame", retryable: true });
    await assert.rejects(room.reports(), { code: "badFrame" });
  });
});

for (const [what, features] of /** @type {[string, Feature[]][]} */ ([["without features", []], ["with the feature", [Moderation]]])) {
  describe(`a client ${what}`, { concurrency: true }, () => {
    it("gives up what is barred, with the reason, and does not send it again", async (test) => {
      const { server, room, errors } = await enter(test, features);
      server.answer = (frame, peer) => frame.message?.content === "barred" && (refuse(peer, frame, "barred", { retryAfterMs: HOUR_MS }), true);
      const sends = ["barred", "heard"].map((text) => room.send(text));
      await assert.rejects(sends[0], { code: "barred", action: "sendMessage", retryable: false, retryAfterMs: HOUR_MS });
      await sends[1];
      assert.deepEqual(server.frames("sendMessage").map(({ message }) => message.content), ["barred", "heard"]);
      assert.deepEqual(errors.map(({ code }) => code), ["barred"]);
    });

    it("gives up what a review rejects, with its words, and sends what comes after it", async (test) => {
      const { server, room, errors } = await enter(test, features);
      server.answer = (frame, peer) => frame.message?.content === "rude" && (refuse(peer, frame, "rejected", { message: "be kind" }), true);
      const sends = ["rude", "kind"].map((text) => room.send(text));
      await assert.rejects(sends[0], { code: "rejected", message: "be kind", retryable: false });
      await sends[1];
      assert.deepEqual(server.frames("sendMessage").map(({ message }) => message.content), ["rude", "kind"]);
      assert.deepEqual(errors.map(({ code }) => code), ["rejected"]);
    });

    it("does not ask again where a join is barred, until the application does", async (test) => {
      const { server, client, errors } = await enter(test, features);
      const other = client.room(2);
      other.addEventListener("error", ({ detail }) => errors.push(detail));
      server.answer = (frame, peer) => frame.chatroomId === 2 && (refuse(peer, frame, "barred", { retryAfterMs: HOUR_MS }), true);
      await assert.rejects(other.join(), { code: "barred", retryAfterMs: HOUR_MS });
      await reconnect(server, client);
      assert.equal(server.frames("joinRoom").filter(({ chatroomId }) => chatroomId === 2).length, 1);
      assert.deepEqual(errors.map(({ code, action }) => [code, action]), [["barred", "joinRoom"]]);
      server.answer = () => false;
      await other.join();
      assert.equal(other.joined, true);
    });

    it("leaves a room where it is barred when it comes back, and asks for it no more", async (test) => {
      const { server, client, room, errors } = await enter(test, features);
      server.answer = (frame, peer) => frame.action === "joinRoom" && frame.chatroomId === 1 && (refuse(peer, frame, "barred", { retryAfterMs: HOUR_MS }), true);
      await client.room(2).join();
      const away = next(client, "disconnected");
      server.peer.socket.terminate();
      await away;
      await assert.rejects(room.send("waits"), { code: "barred" });
      await reconnect(server, client);
      assert.deepEqual([room.joined, server.frames("joinRoom").filter(({ chatroomId }) => chatroomId === 1).length], [false, 2]);
      assert.ok(errors.every(({ code }) => code === "barred"));
    });

    it("keeps the reason and the time where a read is barred", async (test) => {
      const { server, client } = await enter(test, features);
      server.answerHistory = (response) => answer(response, 403, { statusCode: 403, code: "barred", message: "banned", retryAfterMs: HOUR_MS });
      await assert.rejects(client.room(2).history(), { code: "barred", message: "banned", retryAfterMs: HOUR_MS, retryable: false });
    });
  });
}

for (const features of [[Moderation], [Kept, Moderation], [Moderation, Kept]]) {
  describe(`somebody with ${features.map(({ name }) => name).join(" and ")}`, { concurrency: true }, () => {
    it("who is banned is told once, and is out: nothing is sent, and the room is not entered again", async (test) => {
      const { server, client, room } = await enter(test, features);
      /** @type {any[]} */ const removed = [];
      client.addEventListener("removed", ({ detail }) => removed.push(detail));
      /** @type {[any, Peer][]} */ const held = [];
      server.answer = (frame, peer) => frame.action === "sendMessage" && held.push([frame, peer]) > 0;
      const sends = ["on its way", "behind it"].map((text) => room.send(text));
      await until(() => held.length === 1);
      server.peer.push({ type: "removed", chatroomId: 1, reason: "ban", retryAfterMs: HOUR_MS });
      for (const send of sends) await assert.rejects(send, { code: "removed", retryAfterMs: HOUR_MS });
      // The answer comes after it.
      refuse(held[0][1], held[0][0], "barred", { retryAfterMs: HOUR_MS });
      await client.room(2).join();
      assert.deepEqual([room.joined, removed], [false, [{ roomId: 1, reason: "ban", retryAfterMs: HOUR_MS }]]);
      await assert.rejects(room.send("still there?"), { code: "left" });
      await reconnect(server, client);
      assert.equal(server.frames("joinRoom").filter(({ chatroomId }) => chatroomId === 1).length, 1);
      assert.equal(held.length, 1);
    });

    it("who is kicked may come again at once", async (test) => {
      const { server, client, room } = await enter(test, features);
      const removed = next(client, "removed");
      server.peer.push({ type: "removed", chatroomId: 1, reason: "kick" });
      assert.deepEqual(await removed, { roomId: 1, reason: "kick" });
      assert.equal(room.joined, false);
      await room.join();
      server.say(1);
      assert.equal((await next(room, "message")).id, 1);
    });

    it("who is taken out while entering does not enter", async (test) => {
      const { server, client } = await enter(test, features);
      const other = client.room(2);
      /** @type {any} */ let held;
      server.answer = (frame) => frame.chatroomId === 2 && Boolean((held = frame));
      const joined = other.join();
      await until(() => held);
      server.peer.push({ type: "removed", chatroomId: 2, reason: "kick" });
      await assert.rejects(joined, { code: "removed" });
      server.peer.push({ type: "ack", action: "joinRoom", requestId: held.requestId, chatroomId: 2, lastId: 3 });
      await client.room(3).join();
      assert.equal(other.joined, false);
    });
  });
}

describe("somebody who is barred", { concurrency: true }, () => {
  it("is out when a read says so, although no push did", async (test) => {
    const { server, client, room, errors } = await entered(test);
    const removed = next(client, "removed");
    server.answerHistory = (response) => answer(response, 403, { statusCode: 403, code: "barred", message: "banned", retryAfterMs: HOUR_MS });
    await assert.rejects(room.history(), { code: "barred" });
    assert.deepEqual(await removed, { roomId: 1, reason: "ban", retryAfterMs: HOUR_MS });
    assert.deepEqual([room.joined, errors.map(({ code }) => code)], [false, ["barred"]]);
  });

  it("of which a push makes no sense hears it once, with every feature", async (test) => {
    const { server, client, errors } = await entered(test);
    server.peer.push({ type: "removed", chatroomId: "", reason: "ban" });
    await until(() => errors.length > 0);
    assert.deepEqual([errors.map(({ code }) => code), client.state], [["badFrame"], "connected"]);
  });

  it("knows until when after a refusal, of a send or of an edit, and is told", async (test) => {
    for (const write of [(/** @type {any} */ room) => room.send("hello"), (/** @type {any} */ room) => room.edit(1, "hello")]) {
      const { server, room, of } = await entered(test, { said: 1 });
      assert.equal(room.mutedForMs, 0);
      server.answer = (frame, peer) => /sendMessage|editMessage/.test(frame.action) && (refuse(peer, frame, "barred", { retryAfterMs: HOUR_MS }), true);
      await assert.rejects(write(room), { code: "barred" });
      await until(() => of("barred").length === 1);
      assert.ok(room.mutedForMs > HOUR_MS - 60_000 && room.mutedForMs <= HOUR_MS, `${room.mutedForMs}`);
    }
  });

  it("knows it from the start, and not any more when a later join does not say it", async (test) => {
    const living = await connected(test);
    const { server, room, of } = living;
    server.joined = { mutedForMs: HOUR_MS };
    await room.join();
    assert.ok(room.mutedForMs > HOUR_MS - 60_000);
    assert.equal(of("barred").length, 1);
    server.joined = {};
    await comeBack(living);
    assert.deepEqual([room.mutedForMs, of("barred").length], [0, 2]);
    // Nobody is told of what is as it was.
    await comeBack(living);
    assert.equal(of("barred").length, 2);
  });

  it("is asked of nobody when the room is left", async (test) => {
    const { server, room } = await connected(test);
    server.joined = { mutedForMs: HOUR_MS, slowSeconds: 10 };
    await room.join();
    await room.leave();
    assert.deepEqual([room.mutedForMs, room.slowSeconds, room.slowForMs], [0, 0, 0]);
  });

  for (const ms of [-1, "soon", null, {}]) {
    it(`for ${JSON.stringify(ms)} ms is not barred`, async (test) => {
      const { server, room, of, errors } = await connected(test);
      server.joined = { mutedForMs: ms, slowSeconds: ms };
      await room.join();
      assert.deepEqual([room.mutedForMs, room.slowSeconds, of("barred"), of("slow"), errors], [0, 0, [], [], []]);
    });
  }
});

it("a mute of a year has a timer that fits", async (test) => {
  const { server, room, of } = await connected(test);
  server.joined = { mutedForMs: 366 * 24 * HOUR_MS };
  /** @type {number[]} */ const long = [];
  const { setTimeout: real } = globalThis;
  replace(test, globalThis, { setTimeout: (/** @type {() => void} */ run, ms = 0) => (ms > HOUR_MS * 24 ? long.push(ms) : real(run, ms)) });
  await room.join();
  // A year is what the server allows.
  assert.ok(Math.abs(room.mutedForMs - 365 * 24 * HOUR_MS) < 60_000, `${room.mutedForMs}`);
  assert.deepEqual([long, of("barred").length], [[2 ** 31 - 1], 1]);
});

describe("slow mode", { concurrency: true }, () => {
  it("is told by the join, and runs from one's own message, whichever device sent it", async (test) => {
    const { server, room, of } = await connected(test);
    server.joined = { slowSeconds: 60 };
    await room.join();
    assert.deepEqual([room.slowSeconds, room.slowForMs, of("slow").length], [60, 0, 1]);
    server.say(1);
    await room.send("mine");
    await until(() => of("slow").length === 2);
    assert.ok(room.slowForMs > 50_000 && room.slowForMs <= 60_000, `${room.slowForMs}`);

    const message = server.say(1, { ageMs: 50_000, isPushed: false });
    Object.assign(message, { senderId: 7, sender: { ...message.sender, id: 7 } });
    server.push(1, message);
    await until(() => of("slow").length === 3);
    assert.ok(room.slowForMs <= 12_000, `${room.slowForMs}`);
  });

  it("is as the moderator says it, also to the moderator", async (test) => {
    const { server, room, of } = await entered(test);
    answering(server, { slowMode: ({ seconds }) => ({ seconds }), listBars: () => ({ bars: [] }) });
    await room.slow(30);
    assert.deepEqual([room.slowSeconds, of("slow").length], [30, 1]);
    await room.send("mine");
    await until(() => room.slowForMs > 0);
    await room.slow(0);
    assert.deepEqual([room.slowSeconds, room.slowForMs], [0, 0]);
    await room.slow(30);
    // Another moderator ended it.
    await room.bars();
    assert.equal(room.slowSeconds, 0);
  });
});

/** The server acknowledges these. Gives what it is asked. @param {ScriptedServer} server @param {Record<string, (frame: any) => object>} answers */
function answering(server, answers) {
  /** @type {any[]} */ const asked = [];
  server.answer = ({ requestId, ...frame }, peer) => {
    const { action, chatroomId } = frame;
    if (!(action in answers)) return false;
    asked.push(frame);
    peer.push({ type: "ack", action, requestId, chatroomId, ...answers[action](frame) });
    return true;
  };
  return asked;
}

/** @param {Peer} peer @param {any} frame @param {string} code @param {object} [more] */
function refuse(peer, { action, requestId }, code, more) {
  peer.push({ type: "error", action, requestId, code, message: code, ...more });
}

/** In room 1, with these features only. @param {TestContext} test @param {Feature[]} features */
async function enter(test, features) {
  const server = await startScriptedServer(test);
  const { url, historyUrl } = server;
  const client = new ChatClient({ url, historyUrl, getToken: () => TOKEN, WebSocket: /** @type {any} */ (WebSocket), features: /** @type {(typeof Moderation)[]} */ (features) });
  test.after(() => client.disconnect());
  /** @type {ChatError[]} */ const errors = [];
  client.addEventListener("error", ({ detail }) => errors.push(detail));
  await client.connect();
  const room = client.room(1);
  room.addEventListener("error", ({ detail }) => errors.push(detail));
  await room.join();
  return { server, client, room, errors };
}

/** Cuts the connection, and waits until the next one has entered what it enters. @param {ScriptedServer} server @param {ChatClient<any>} client */
async function reconnect(server, client) {
  const { length } = server.peers;
  server.peer.socket.terminate();
  await until(() => server.peers.length > length && client.state === "connected");
  // Its frames are handled in their order, so those before this one have come.
  await client.room(99).join();
  await client.room(99).leave();
}
