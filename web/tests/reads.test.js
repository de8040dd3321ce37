// @ts-check
/** Up to where one has read, and others have. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { enterInTime } from "./clock.js";
import { next, replace, until } from "./listening.js";
import { comeBack, entered } from "./living.js";
import { Reads } from "../chat-client.js";
import { answer } from "./scripted-server.js";

/** @import { TestContext } from "node:test" */

describe("a mark", { concurrency: true }, () => {
  it("is stored up to all that came, and never lower", async (test) => {
    const { server, room, of } = await entered(test, { said: 5 });
    assert.equal(await room.markRead(), 5);
    assert.deepEqual([room.lastRead, room.unread], [5, 0]);
    // Nothing is said that is known already.
    assert.equal(await room.markRead(3), 5);
    const [{ requestId: _, ...frame }, ...others] = server.frames("markRead");
    assert.deepEqual([frame, others], [{ action: "markRead", chatroomId: 1, id: 5 }, []]);
    assert.deepEqual(of("read"), [{ userId: 7, id: 5 }]);
  });

  it("that another device set higher stays as it is", async (test) => {
    const { server, room } = await entered(test, { said: 9 });
    server.marks.set("1", new Map([[7, 8]]));
    assert.equal(await room.markRead(4), 8);
    assert.deepEqual([room.lastRead, room.unread], [8, 1]);
    server.tell(1, { type: "markRead", chatroomId: 1, userId: 7, id: 9 });
    await until(() => room.unread === 0);
  });

  it("is told to others if one wants it, and theirs are told here", async (test) => {
    const { server, room, of } = await entered(test, { said: 2 });
    await room.markRead(2, { tell: true });
    assert.equal(server.frames("markRead")[0].tell, true);
    for (const id of [1, 2, 2, 1]) server.tell(1, { type: "markRead", chatroomId: 1, userId: 8, id });
    server.say(1);
    await next(room, "message");
    assert.deepEqual(of("read"), [{ userId: 7, id: 2 }, { userId: 8, id: 1 }, { userId: 8, id: 2 }]);
  });

  it("that is no number is refused, and one that makes no sense is passed over", async (test) => {
    const { server, room, errors } = await entered(test, { said: 1 });
    await assert.rejects(room.markRead(/** @type {any} */ ("1")), { code: "badRequest" });
    server.tell(1, { type: "markRead", chatroomId: 1, userId: 8, id: "9" });
    await until(() => errors.length === 2);
    server.answer = ({ action, requestId }, peer) => action === "markRead" && (peer.push({ type: "error", requestId, action, code: "notAllowed", message: "no" }), true);
    await assert.rejects(room.markRead(), { code: "notAllowed" });
    assert.deepEqual(errors.map(({ code }) => code), ["badRequest", "badFrame", "notAllowed"]);
    assert.equal(room.lastRead, undefined);
  });

  it("that could not be made is made when the room is entered again", async (test) => {
    const living = await entered(test, { said: 3 });
    const { server, room } = living;
    server.answer = ({ action }) => action === "markRead";
    const marked = room.markRead();
    await until(() => server.frames("markRead").length === 1);
    server.answer = () => false;
    await comeBack(living, () => void room.markRead(2));
    assert.equal(await marked, 3);
    assert.deepEqual(server.frames("markRead").map(({ id }) => id), [3, 3]);
  });

  it("is forgotten when the room is left", async (test) => {
    const { server, room } = await entered(test, { said: 3 });
    server.answer = ({ action }) => action === "markRead";
    const marked = room.markRead();
    await until(() => server.frames("markRead").length === 1);
    const later = room.markRead(4);
    await room.leave();
    await assert.rejects(later, { code: "left" });
    server.answer = () => false;
    await room.join();
    server.peer.push({ type: "ack", action: "markRead", requestId: server.frames("markRead")[0].requestId, chatroomId: 1, id: 3 });
    assert.equal(await marked, 3);
    assert.equal(server.frames("markRead").length, 1);
  });

  it("of others is asked for", async (test) => {
    const { server, room, of } = await entered(test);
    server.marks.set("1", new Map([[7, 4], [8, 6]]));
    assert.deepEqual(await room.reads(), new Map([[8, 6]]));
    assert.deepEqual([room.lastRead, of("read")], [4, [{ userId: 7, id: 4 }, { userId: 8, id: 6 }]]);
    assert.deepEqual(server.requests[0], { method: "GET", path: "/chatroom/reads", query: { chatroomId: "1" }, body: undefined });
    server.answerRequest = (_, response) => answer(response, 200, [{ userId: 8 }]);
    await assert.rejects(room.reads(), { code: "badResponse" });
  });
});

// Not beside each other: they change the page and the clock of all.
describe("marks by themselves", () => {
  it("go every three seconds at most, and say all that was missed", async (test) => {
    const time = await enterInTime(test, [Reads]);
    const { server, errors } = time;
    const room = /** @type {import("../chat-client.js").RoomWith<typeof Reads>} */ (/** @type {any} */ (time.room));
    room.autoRead = true;
    for (let n = 0; n < 3; n++) server.say(1);
    await time.pass(0);
    for (let n = 0; n < 5; n++) {
      await time.pass(100);
      server.say(1);
    }
    await time.pass(2_400);
    assert.deepEqual(server.frames("markRead").map(({ id }) => id), [3]);
    await time.pass(200);
    assert.deepEqual(server.frames("markRead").map(({ id }) => id), [3, 8]);
    await time.pass(60_000);
    assert.deepEqual([server.frames("markRead").length, room.unread, errors], [2, 0, []]);
  });

  it("wait as long as the server asks, and are told once to each who waits", async (test) => {
    const time = await enterInTime(test, [Reads]);
    const { server } = time;
    const room = /** @type {import("../chat-client.js").RoomWith<typeof Reads>} */ (/** @type {any} */ (time.room));
    server.say(1);
    await time.pass(0);
    let refusals = 2;
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "markRead" || refusals-- <= 0) return false;
      peer.push({ type: "error", requestId, action, code: "rateLimited", message: "slower", retryAfterMs: 5_000 });
      return true;
    };
    /** @type {number[]} */ const stored = [];
    void room.markRead().then((id) => stored.push(id));
    await time.pass(1_000);
    server.say(1);
    await time.pass(0);
    void room.markRead().then((id) => stored.push(id));
    await time.pass(8_000);
    assert.deepEqual(stored, []);
    await time.pass(2_000);
    assert.deepEqual([stored, server.frames("markRead").map(({ id }) => id)], [[2, 2], [1, 2, 2]]);
  });

  it("are made while the page is looked at, at once when it goes, and up to what is settled", async (test) => {
    const page = visible(test);
    const time = await enterInTime(test, [Reads]);
    const { server } = time;
    const room = /** @type {import("../chat-client.js").RoomWith<typeof Reads>} */ (/** @type {any} */ (time.room));
    const marks = () => server.frames("markRead").map(({ id }) => id);
    room.autoRead = "tell";
    server.say(1);
    await time.pass(10);
    server.say(1);
    server.count(1);
    server.say(1, { id: 4, ageMs: 60_000 });
    server.room(1).lastId = 4;
    await time.pass(1_000);
    assert.deepEqual(marks(), [1]);
    page.turn(true);
    await time.pass(10);
    assert.deepEqual(marks(), [1, 4]);
    assert.equal(server.frames("markRead")[0].tell, true);
    server.say(1);
    await time.pass(10_000);
    assert.deepEqual([marks(), room.unread], [[1, 4], 1], "nobody looks");
    page.turn(false);
    await time.pass(10);
    assert.deepEqual(marks(), [1, 4, 5]);
    // What comes after the room is not shown any more is not read.
    room.autoRead = false;
    server.say(1);
    page.turn(true);
    await time.pass(10_000);
    assert.deepEqual([marks(), room.unread, page.listeners], [[1, 4, 5], 1, 1], "only the client itself listens");
  });

  it("end where the server knows none", async (test) => {
    const time = await enterInTime(test, [Reads]);
    const { server, errors } = time;
    const room = /** @type {import("../chat-client.js").RoomWith<typeof Reads>} */ (/** @type {any} */ (time.room));
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "markRead") return false;
      peer.push({ type: "error", requestId, action, code: "unknownAction", message: "unknown action" });
      return true;
    };
    room.autoRead = true;
    for (let n = 0; n < 3; n++) {
      server.say(1);
      await time.pass(4_000);
    }
    assert.deepEqual([server.frames("markRead").length, errors], [1, []]);
    const refused = assert.rejects(room.markRead(), { code: "unknownAction" });
    await time.pass(1_000);
    await refused;
  });
});

/** A page that is looked at, or not. @param {TestContext} test */
function visible(test) {
  /** @type {Set<unknown>} */ const heard = new Set();
  class Page extends EventTarget {
    hidden = false;
    /** @param {string} type @param {any} listener @param {any} options */
    addEventListener(type, listener, options) {
      super.addEventListener(type, listener, options);
      heard.add(listener);
      options.signal.addEventListener("abort", () => heard.delete(listener));
    }
  }
  const page = new Page();
  replace(test, globalThis, { document: page });
  return {
    get listeners() {
      return heard.size;
    },
    turn(/** @type {boolean} */ hidden) {
      page.hidden = hidden;
      page.dispatchEvent(new Event("visibilitychange"));
    },
  };
}
