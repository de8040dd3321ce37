// @ts-check
/** A minute of a room where 50 messages a second are said: what it costs a client, and that nothing is missing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Changes, Rounds } from "../chat-client.js";
import { enterInTime } from "./clock.js";

/** @import { Message } from "../chat-client.js" */

const idsOf = (/** @type {Message[]} */ messages) => messages.map(({ id }) => id);

// Not beside each other: they change the clock of all.
describe("a minute of a hot room", () => {
  it("with 50 messages a second, unused ids and changes costs no request, and nothing is missing", async (test) => {
    const crowd = await enterInTime(test, [Rounds, Changes]);
    const { wanted } = await play(crowd, { untilMs: 60_000, changeEachMs: 500 });
    assert.ok(wanted.length > 2_800, `${wanted.length}`);
    assert.deepEqual(idsOf(crowd.seen.messages), wanted);
    assert.deepEqual([crowd.server.asked.length, crowd.server.feed, crowd.errors], [0, [], []]);
    assert.equal(/** @type {any} */ (crowd.room).position.change, crowd.server.room(1).lastChange);
  });

  it("costs no request either where a round takes two seconds", async (test) => {
    const crowd = await enterInTime(test, [Rounds, Changes]);
    const { wanted } = await play(crowd, { untilMs: 60_000, roundMs: 2_000, changeEachMs: 5_000 });
    assert.deepEqual(idsOf(crowd.seen.messages), wanted);
    assert.deepEqual([crowd.server.asked.length, crowd.server.feed, crowd.errors], [0, [], []]);
  });

  it("with lost frames costs one request for each", async (test) => {
    const crowd = await enterInTime(test, [Rounds]);
    const { wanted, lost } = await play(crowd, { untilMs: 60_000, loseEachMs: 3_000 });
    assert.deepEqual(idsOf(crowd.seen.messages), wanted);
    assert.ok(lost > 15, `${lost}`);
    assert.deepEqual([crowd.server.asked.length, crowd.errors], [lost, []]);
  });

  it("with a lost frame that had an unused id is waited for like any other, and nothing is missing", async (test) => {
    const crowd = await enterInTime(test, [Rounds]);
    const { wanted, lost } = await play(crowd, { untilMs: 60_000, loseEachMs: 40_000, isWithUnused: true });
    assert.equal(lost, 1);
    assert.deepEqual(idsOf(crowd.seen.messages), wanted);
    assert.ok(crowd.server.asked.length <= 12, `${crowd.server.asked.length} requests in the 10 seconds until it is final`);
    assert.deepEqual(crowd.errors, []);
  });

  it("that goes over into rounds and back, with what is late on its way, costs no request", async (test) => {
    const crowd = await enterInTime(test, [Rounds]);
    const { wanted } = await play(crowd, { untilMs: 60_000, changeOverEachMs: 5_000 });
    assert.deepEqual(idsOf(crowd.seen.messages), wanted);
    assert.deepEqual([crowd.server.asked.length, crowd.errors], [0, []]);
  });

  for (const roundMs of [250, 2_000]) {
    it(`costs whoever is pushed one message after the other no request, in rounds of ${roundMs} ms`, async (test) => {
      const crowd = await enterInTime(test, []);
      const { wanted } = await play(crowd, { untilMs: 60_000, roundMs });
      assert.deepEqual(idsOf(crowd.seen.messages), wanted);
      assert.deepEqual([crowd.server.asked.length, crowd.errors], [0, []]);
    });
  }

  it("asks for one's own message after two rounds, where no frame comes any more", async (test) => {
    const crowd = await enterInTime(test, [Rounds]);
    const { server, room, seen } = crowd;
    server.enterRounds(1, 2_000);
    void room.send("is anybody there?");
    await crowd.pass(3_999);
    assert.deepEqual([server.asked.length, seen.messages.length], [0, 0]);
    await crowd.pass(1_000);
    assert.deepEqual([server.asked.length, seen.messages.length], [1, 1]);
  });

  it("asks for one's own change after two rounds, where no frame comes any more", async (test) => {
    const crowd = await enterInTime(test, [Rounds, Changes]);
    const { server } = crowd;
    /** @type {any} */ const room = crowd.room;
    server.say(1);
    await crowd.pass(100);
    server.enterRounds(1, 2_000);
    void room.edit(1, "is anybody there?");
    await crowd.pass(3_999);
    assert.deepEqual(server.feed, []);
    await crowd.pass(1_000);
    assert.deepEqual(server.feed, ["0"]);
    // One that is pushed at once is asked for at once, however long the rounds of before were.
    server.leaveRounds(1);
    server.answer = ({ action, requestId, id }, peer) => {
      if (action !== "deleteMessage") return false;
      const { version, updateTime } = server.change(1, id, { isPushed: false }).message;
      peer.push({ type: "ack", action, requestId, chatroomId: 1, id, version, updateTime });
      return true;
    };
    void room.remove(1);
    await crowd.pass(1_000);
    assert.deepEqual(server.feed, ["0", "1"]);
  });

  it("is left, and no timer of before asks for anything after", async (test) => {
    const crowd = await enterInTime(test, [Rounds]);
    const { server, room, seen } = crowd;
    server.enterRounds(1, 2_000);
    void room.send("bye");
    await crowd.pass(100);
    void room.leave();
    await crowd.pass(100);
    server.room(1).lastId = 0;
    void room.join();
    await crowd.pass(60_000);
    assert.deepEqual([server.asked.length, room.joined, seen.messages], [0, true, []]);
  });

  it("takes what it refused at first, as the same message, when it said it would", async (test) => {
    const crowd = await enterInTime(test, [Rounds]);
    const { server, room, seen } = crowd;
    server.enterRounds(1);
    /** @type {number[]} */ const asked = [];
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "sendMessage") return false;
      asked.push(crowd.now);
      if (asked.length > 20) return false;
      peer.push({ type: "error", action, requestId, code: "rateLimited", message: "the room is full", retryAfterMs: 250 });
      return true;
    };
    /** @type {string[]} */ const sent = [];
    for (const text of ["one", "two"]) void room.send(text).then(({ clientMessageId }) => sent.push(clientMessageId));
    await crowd.pass(20 * 250 + 100);
    server.round(1);
    await crowd.pass(100);
    assert.deepEqual(seen.messages.map(({ content }) => content), ["one", "two"]);
    assert.deepEqual(asked.slice(1, 21).map((time, at) => time - asked[at]), Array(20).fill(250));
    const repeated = server.frames("sendMessage").map(({ clientMessageId }) => clientMessageId);
    assert.deepEqual(repeated, [...Array(21).fill(sent[0]), sent[1]]);
    assert.deepEqual([server.asked.length, crowd.errors], [0, []]);
  });
});

/**
 * Somebody speaks every 20 ms, and oneself every second. Of 20 ids one is never used, and of 7 messages one is stored
 * 60 ms after it was counted. Where the room goes over and back, those who speak outside of rounds push it themselves:
 * most at once, some late, and the last one before the rounds, to thousands, later than the first frame.
 * @param {Awaited<ReturnType<typeof enterInTime>>} crowd
 * @param {{ untilMs: number, roundMs?: number, loseEachMs?: number, isWithUnused?: boolean, changeEachMs?: number, changeOverEachMs?: number }} how
 */
async function play(crowd, { untilMs, roundMs = 250, loseEachMs = Infinity, isWithUnused = false, changeEachMs, changeOverEachMs = Infinity }) {
  const { server, room } = crowd;
  /** When what is due. @type {{ at: number, run: () => void }[]} */ const due = [];
  /** Counted, not stored yet. @type {Set<number>} */ const open = new Set();
  /** @type {number[]} */ const wanted = [];
  let [lost, roundAt, loseAt] = [0, roundMs, loseEachMs];
  server.enterRounds(1, roundMs);
  for (let ms = 20; ms <= untilMs + 2 * roundMs + 3_000; ms += 20) {
    await crowd.pass(20);
    const isOver = ms > untilMs;
    const [now, later] = [due.filter(({ at }) => at <= ms), due.filter(({ at }) => at > ms)];
    due.splice(0, Infinity, ...later);
    for (const { run } of now) run();
    const isInRounds = server.room(1).rounds !== undefined;
    const untilChange = changeOverEachMs - (ms % changeOverEachMs);
    const isLast = untilChange === 20;
    if (!isOver && ms % 1_000 === 0) void room.send(`mine, at ${ms}`).then(({ id }) => wanted.push(id));
    else if (!isOver && (isInRounds || isLast || untilChange > 600)) {
      const id = server.count(1);
      if (id % 20 !== 0) {
        wanted.push(id);
        const isSlow = id % 7 === 0;
        const say = () => {
          open.delete(id);
          // In rounds nobody pushes. Outside, each is pushed by who said it, before or after the rounds have begun.
          const message = server.say(1, { id, isPushed: false });
          if (!isInRounds) due.push({ at: ms + (isLast ? 1_000 : isSlow ? 200 : 20), run: () => server.push(1, message) });
        };
        open.add(id);
        if (isSlow) due.push({ at: ms + 60, run: say });
        else say();
      } else if (!isInRounds) {
        // A repeated send: its number is told with the message that is there already.
        const message = /** @type {any} */ ([...server.room(1).messages.values()].at(-1));
        due.push({ at: ms + (isLast ? 1_000 : 20), run: () => server.push(1, message, { unusedId: id }) });
      }
    }
    if (!isOver && changeEachMs && ms % changeEachMs === 0) {
      const [id] = [...server.room(1).messages.keys()].slice(-30);
      if ("edit" in room && ms % 2_000 === 0) void /** @type {any} */ (room).edit(id, `edited by me at ${ms}`);
      else server.change(1, id, { content: `edited at ${ms}` });
    }
    if (isInRounds && ms >= roundAt) {
      roundAt = ms + roundMs;
      const after = server.room(1).rounds?.pushed ?? 0;
      const upTo = Math.max(after, Math.min(server.room(1).lastId, ...[...open].map((id) => id - 1)));
      const hasUnused = Math.floor(after / 20) !== Math.floor(upTo / 20);
      const isThis = !isOver && ms >= loseAt && upTo > after && hasUnused === isWithUnused;
      server.round(1, { upTo, isLost: isThis, members: 10_342 });
      if (isThis) [lost, loseAt] = [lost + 1, ms + loseEachMs];
    }
    if (ms % changeOverEachMs === 0) {
      const { rounds, lastId } = server.room(1);
      if (!rounds) server.enterRounds(1, roundMs);
      // The rounds end when all was pushed, and not before.
      else if (rounds.pushed === lastId || (open.size === 0 && server.round(1))) server.leaveRounds(1);
    }
  }
  await crowd.pass(1_000);
  return { lost, wanted: wanted.sort((one, other) => one - other) };
}
