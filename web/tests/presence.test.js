// @ts-check
/** Who is in the room, who is typing, and an application's own signals. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { next, replace, until } from "./listening.js";
import { comeBack, connected, entered } from "./living.js";

const profile = (/** @type {number} */ id) => ({ id, username: `user-${id}`, nickName: `User ${id}`, headPic: null });

describe("who is in the room", { concurrency: true }, () => {
  it("is told when it is entered, and kept by joins and leaves", async (test) => {
    const { server, room, of } = await connected(test);
    server.joined = { online: [8, 7], onlineCount: 2 };
    await room.join();
    assert.equal(server.frames("joinRoom")[0].online, true);
    assert.deepEqual([[...room.online], room.onlineCount, room.onlineMore], [[[8, null], [7, null]], 2, false]);
    server.tell(1, { type: "joinRoom", chatroomId: 1, userId: 9, user: profile(9) });
    server.tell(1, { type: "joinRoom", chatroomId: 1, userId: 9, user: profile(9) });
    server.tell(1, { type: "leaveRoom", chatroomId: 1, userId: 8 });
    await next(room, "left");
    assert.deepEqual([[...room.online], room.onlineCount], [[[7, null], [9, profile(9)]], 2]);
    assert.equal(of("online").length, 3);
  });

  it("has names when a message or a page says them", async (test) => {
    const { server, room } = await connected(test);
    server.joined = { online: [8, 7], onlineCount: 2 };
    server.say(1);
    await room.join();
    await room.history();
    assert.equal(room.online.get(8)?.username, "other");
    await room.send("me too");
    await until(() => room.online.get(7)?.username === "me");
  });

  it("has names when it is asked for them", async (test) => {
    const living = await connected(test);
    const { server, room, of } = living;
    server.joined = { online: [8, 7], onlineCount: 2 };
    await room.join();
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "listMembers") return false;
      peer.push({ type: "ack", action, requestId, chatroomId: 1, members: [profile(8), profile(9)], onlineCount: 3 });
      return true;
    };
    assert.deepEqual(await room.members(), [profile(8), profile(9)]);
    // Of one who came or went on the way tells a push.
    assert.deepEqual([[...room.online], room.onlineCount], [[[8, profile(8)], [7, null]], 2]);
    // Where nobody tells, the answer is the newest that there is.
    server.joined = { quiet: true, onlineCount: 2, onlineMore: true };
    await comeBack(living);
    assert.deepEqual([[...room.online], room.onlineCount, room.onlineMore], [[], 2, true]);
    await room.members();
    assert.deepEqual([[...room.online], room.onlineCount], [[[8, profile(8)], [9, profile(9)]], 3]);
    assert.equal(of("online").length, 4, "each time, it was told");
  });

  it("counts those who are not listed", async (test) => {
    const { server, room } = await connected(test);
    server.joined = { online: [8, 7], onlineCount: 150, onlineMore: true };
    await room.join();
    assert.deepEqual([room.online.size, room.onlineCount, room.onlineMore], [2, 150, true]);
    server.tell(1, { type: "leaveRoom", chatroomId: 1, userId: 1, userIds: [1, 2, 8] });
    await until(() => room.online.size === 1);
    assert.equal(room.onlineCount, 147);
  });

  it("is told anew after an absence, with who came and went while the answer was on its way", async (test) => {
    const living = await connected(test);
    const { server, room } = living;
    server.joined = { online: [8, 7], onlineCount: 2 };
    await room.join();
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "joinRoom") return false;
      peer.rooms.add("1");
      peer.push({ type: "leaveRoom", chatroomId: 1, userId: 8 });
      peer.push({ type: "joinRoom", chatroomId: 1, userId: 10, user: profile(10) });
      peer.push({ type: "ack", action, requestId, chatroomId: 1, lastId: 0, online: [8, 9, 7], onlineCount: 3 });
      return true;
    };
    await comeBack(living);
    assert.deepEqual([[...room.online.keys()], room.onlineCount], [[9, 7, 10], 3]);
  });

  it("is nobody after a leave, and on a server of before", async (test) => {
    const { server, room, of } = await connected(test);
    await room.join();
    server.tell(1, { type: "joinRoom", chatroomId: 1, userId: 9, user: profile(9) });
    await next(room, "joined");
    assert.deepEqual([room.online.size, room.onlineCount, of("online")], [0, 0, []]);
    await room.leave();
    server.joined = { online: [7], onlineCount: 1 };
    await room.join();
    assert.equal(room.onlineCount, 1);
    await room.leave();
    assert.deepEqual([room.online.size, room.onlineCount], [0, 0]);
    await assert.rejects(room.members(), { code: "connectionLost" });
  });
});

describe("a signal", { concurrency: true }, () => {
  it("is sent without a question, and told to others", async (test) => {
    const { server, room, of } = await entered(test);
    assert.equal(room.signal("cursor", { x: 1 }), true);
    assert.equal(room.signal("wave"), true);
    await until(() => server.frames("signal").length === 2);
    assert.deepEqual(server.frames("signal"), [
      { action: "signal", chatroomId: 1, kind: "cursor", data: { x: 1 } },
      { action: "signal", chatroomId: 1, kind: "wave" },
    ]);
    server.tell(1, { type: "signal", chatroomId: 1, userId: 8, kind: "cursor", data: { x: 2 } });
    await until(() => of("signal").length === 1);
    assert.deepEqual(of("signal"), [{ userId: 8, kind: "cursor", data: { x: 2 } }]);
  });

  it("is not sent where nobody would get it: offline, before the room is entered, in a large room", async (test) => {
    const living = await connected(test);
    const { server, room } = living;
    assert.deepEqual([room.signal("a"), room.signals], [false, true]);
    server.joined = { signals: false };
    await room.join();
    assert.deepEqual([room.signal("b"), room.typing(), room.signals], [false, false, false]);
    server.joined = {};
    await comeBack(living, () => assert.equal(room.signal("c"), false));
    assert.deepEqual([room.signal("d"), room.signals], [true, true]);
    await until(() => server.frames("signal").length > 0);
    assert.deepEqual(server.frames("signal").map(({ kind }) => kind), ["d"]);
  });

  it("is refused at once where the server could not take it", async (test) => {
    const { room } = await entered(test);
    for (const kind of ["", "a b", "x".repeat(33), "ä", /** @type {any} */ (undefined)]) {
      assert.throws(() => room.signal(kind), { code: "badRequest", message: /^kind must/ });
    }
    assert.throws(() => room.signal("a", "x".repeat(1_023)), { code: "tooLarge", message: /^data is/ });
    assert.throws(() => room.signal("a", "\udc4d"), { code: "badRequest", message: /^data must/ });
    assert.equal(room.signal("a", "x".repeat(1_022)), true);
  });
});

// Not beside each other: they change the clock of all.
describe("typing", () => {
  it("is told at the first key, and every 10 seconds at the most", async (test) => {
    let jump = 0;
    const now = performance.now.bind(performance);
    replace(test, performance, { now: () => now() + jump });
    const { server, room } = await entered(test);
    const keys = [room.typing(), room.typing()];
    jump += 9_000;
    keys.push(room.typing());
    jump += 1_100;
    keys.push(room.typing(), room.typing());
    assert.deepEqual(keys, [true, false, false, true, false]);
    await until(() => server.frames("signal").length === 2);
    assert.deepEqual(server.frames("signal")[0], { action: "signal", chatroomId: 1, kind: "typing" });
  });

  it("of others is told until they have said it, have left, or 12 seconds have passed", async (test) => {
    const { server, of } = await entered(test);
    /** @type {number[]} */ const waits = [];
    const start = setTimeout;
    const shortened = (/** @type {() => void} */ run, /** @type {number} */ ms) => {
      if (ms === 12_000) waits.push(ms);
      return start(run, ms === 12_000 && waits.length >= 4 ? 50 : ms);
    };
    replace(test, globalThis, { setTimeout: shortened });
    const type = (/** @type {number} */ userId) => server.tell(1, { type: "signal", chatroomId: 1, userId, kind: "typing" });
    for (const userId of [8, 9, 8, 7, 10]) type(userId);
    await until(() => of("typing").length === 4);
    server.say(1);
    server.tell(1, { type: "leaveRoom", chatroomId: 1, userId: 9 });
    await until(() => of("typing").length === 6);
    const users = of("typing").map(({ userIds }) => userIds);
    assert.deepEqual(users, [[8], [8, 9], [8, 9, 10], [8, 9], [9], []], "8 and 9 were told once, and 7 is oneself");
    assert.deepEqual(of("signal"), []);
  });
});
