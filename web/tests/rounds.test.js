// @ts-check
/** A room in rounds: one frame for all that was said since the last one, and nothing to ask for. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pause, until } from "./listening.js";
import { comeBack, connected, entered } from "./living.js";

/** @import { Message } from "../chat-client.js" */

const idsOf = (/** @type {Message[]} */ messages) => messages.map(({ id }) => id);
const numbers = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe("the frame of a round", { concurrency: true }, () => {
  it("has messages of several people, each with its sender and its room", async (test) => {
    const { server, seen, errors } = await entered(test);
    server.enterRounds(1);
    server.say(1, { content: "one" });
    server.say(1, { content: "two" });
    const frame = server.round(1);
    await until(() => seen.messages.length === 2);
    const [{ content, senderId, chatroomId, sender }] = seen.messages;
    assert.deepEqual([content, senderId, chatroomId, sender], ["one", 8, 1, frame.senders[8]]);
    // Of whom the server knows nothing, the id is the name, as in the history.
    server.say(1);
    server.tell(1, { ...frame, after: 2, upTo: 3, senders: {}, messages: [{ ...frame.messages[0], id: 3, senderId: "x" }] });
    await until(() => seen.messages.length === 3);
    assert.deepEqual(seen.messages[2].sender, { id: "x", username: "x", nickName: "x", headPic: null });
    assert.deepEqual([server.asked, errors], [[], []]);
  });

  it("tells by what is not in it, too: such an id stays unused", async (test) => {
    const { server, seen } = await entered(test);
    server.enterRounds(1);
    for (let count = 0; count < 3; count++) server.count(1);
    server.round(1);
    server.say(1);
    server.count(1);
    server.say(1);
    server.count(1);
    server.round(1);
    server.say(1);
    server.round(1);
    await until(() => seen.messages.length === 3);
    assert.deepEqual([idsOf(seen.messages), server.asked], [[4, 6, 8], []]);
  });

  it("comes twice, overlaps with another one, and out of order, and nobody notices", async (test) => {
    const { server, seen } = await entered(test);
    server.enterRounds(1);
    const frames = [3, 2, 4].map((count) => {
      for (let said = 0; said < count; said++) server.say(1);
      server.count(1);
      return server.round(1, { isLost: true });
    });
    // What a second courier pushes begins where the first one began, and goes on further.
    const [first, second, third] = frames;
    const both = { ...first, upTo: second.upTo, messages: [...first.messages, ...second.messages] };
    for (const frame of [second, third, first, both, third, first]) server.tell(1, frame);
    server.say(1);
    server.round(1);
    await until(() => seen.messages.at(-1)?.id === 13);
    assert.deepEqual(idsOf(seen.messages), [1, 2, 3, 5, 6, 8, 9, 10, 11, 13]);
    await pause(400); // longer than a client waits for what was overtaken
    assert.deepEqual(server.asked, []);
  });

  it("may come before the join is answered, and gives out what is newer than the answer says", async (test) => {
    const { server, room, seen } = await connected(test);
    for (let said = 0; said < 2; said++) server.say(1);
    server.answer = ({ action }, peer) => {
      if (action !== "joinRoom") return false;
      peer.rooms.add("1").add("2");
      server.answer = () => false;
      server.enterRounds(1);
      for (let said = 0; said < 3; said++) server.say(1);
      server.tell(1, server.round(1, { isLost: true }));
      peer.push({ type: "ack", action, requestId: peer.frames.at(-1).requestId, chatroomId: 1, lastId: 4 });
      return true;
    };
    await room.join();
    await until(() => seen.messages.length > 0);
    assert.deepEqual([idsOf(seen.messages), server.asked], [[5], []]);
  });

  it("gives out one's own message once, and settles the send if it comes before the answer", async (test) => {
    const { server, room, seen } = await entered(test);
    server.enterRounds(1);
    const answered = await room.send("the answer is first");
    server.round(1);
    await until(() => seen.messages.length === 1);
    let requestId = "";
    server.answer = (frame, peer) => {
      if (frame.action !== "sendMessage") return false;
      requestId = frame.requestId;
      server.answer = () => false;
      const { content, senderId, sender } = /** @type {any} */ ({ ...server.say(1), ...frame.message, senderId: 7, sender: {} });
      const of = server.round(1, { isLost: true });
      Object.assign(of.messages[0], { content, senderId, sender, clientMessageId: frame.clientMessageId });
      peer.push(of);
      return true;
    };
    const { id } = await room.send("the frame is first");
    server.peer.push({ type: "ack", action: "sendMessage", requestId, chatroomId: 1, id, createTime: seen.messages[1].createTime, rounds: 250 });
    server.say(1);
    server.round(1);
    await until(() => seen.messages.length === 3);
    assert.deepEqual([answered.id, id, idsOf(seen.messages)], [1, 2, [1, 2, 3]]);
    assert.equal(seen.messages[0].clientMessageId, answered.clientMessageId);
  });

  it("is passed over where it makes no sense, and holds nobody up", async (test) => {
    const { server, seen, errors } = await entered(test);
    server.enterRounds(1);
    const sense = { type: "messages", chatroomId: 1, after: 0, upTo: 1, messages: [] };
    for (const wrong of [{ after: -1 }, { after: "0" }, { upTo: undefined }, { upTo: 1.5 }, { messages: undefined }, { messages: [{ id: 1 }] }]) {
      server.tell(1, { ...sense, ...wrong });
    }
    server.tell(1, { ...sense, changes: [{ id: 1 }], changesAfter: 0, changesUpTo: 1 });
    await until(() => errors.length === 7);
    assert.deepEqual(new Set(errors.map(({ code }) => code)), new Set(["badFrame"]));
    // More than anybody could hold: the rest is asked for.
    server.room(1).lastId = 5_000;
    server.say(1, { ageMs: 60_000 });
    server.tell(1, { ...sense, after: 0, upTo: 2 ** 53 - 1 });
    await until(() => seen.messages.length === 1);
    assert.deepEqual(idsOf(seen.messages), [5_001]);
  });

  it("that brings more than can be held is read in the history when it is its turn", async (test) => {
    const { server, seen } = await entered(test);
    server.enterRounds(1);
    server.say(1, { ageMs: 60_000 });
    server.round(1, { isLost: true });
    const frames = numbers(1, 12).map(() => {
      for (let said = 0; said < 99; said++) server.say(1, { ageMs: 60_000 });
      server.count(1);
      return server.round(1, { isLost: true });
    });
    for (const frame of frames) server.tell(1, frame);
    await until(() => seen.messages.length === 1 + 12 * 99);
    assert.deepEqual(idsOf(seen.messages), numbers(1, 1_200).filter((id) => id % 100 !== 1 || id === 1));
  });

  it("says how many are there, until the rounds are over", async (test) => {
    const living = await entered(test);
    const { server, room, of } = living;
    assert.equal(room.memberCount, undefined);
    server.enterRounds(1);
    for (const members of [10_342, 10_342, undefined, 10_341, /** @type {any} */ ("many")]) {
      server.say(1);
      server.round(1, { members });
    }
    await until(() => room.position?.id === 5);
    assert.deepEqual([room.memberCount, of("members").length], [10_341, 2]);
    server.leaveRounds(1);
    server.say(1);
    await until(() => room.position?.id === 6);
    assert.equal(room.memberCount, undefined);
    server.enterRounds(1);
    server.say(1);
    server.round(1, { members: 10_341 });
    await until(() => room.memberCount === 10_341);
    assert.equal(of("members").length, 3);
    await comeBack(living);
    assert.equal(room.memberCount, undefined, "what was told before an absence is not true for ever");
  });
});

describe("changes in rounds", { concurrency: true }, () => {
  it("are told with the messages, and move the position", async (test) => {
    const { server, room, seen, of } = await entered(test, { said: 2 });
    server.enterRounds(1);
    server.change(1, 1, { content: "better" });
    server.say(1);
    server.change(1, 3, { content: "edited at once" });
    server.change(1, 2);
    server.round(1);
    await until(() => of("changed").length >= 2 && room.position?.change === 3);
    const told = of("changed").map(({ id, type, content, version, deleted }) => [id, type, content, version, deleted]);
    assert.deepEqual(told, [[1, "text", "better", 1, undefined], [2, "text", "", 3, true]]);
    assert.deepEqual(seen.messages.map(({ content, version }) => [content, version]), [["edited at once", 2]]);
    // A change alone.
    server.change(1, 1, { content: "best" });
    server.round(1);
    await until(() => room.position?.change === 4);
    assert.deepEqual([of("changed").at(-1).content, server.feed, server.asked], ["best", [], []]);
  });

  it("that a lost frame had are read in the list of changes, once", async (test) => {
    const { server, room, of } = await entered(test, { said: 3 });
    server.enterRounds(1);
    server.change(1, 1, { content: "one" });
    server.round(1);
    server.change(1, 2, { content: "lost" });
    server.round(1, { isLost: true });
    server.change(1, 3, { content: "three" });
    server.round(1);
    await until(() => room.position?.change === 3);
    assert.deepEqual(of("changed").map(({ content }) => content), ["one", "three", "lost"]);
    assert.deepEqual(server.feed, ["1"]);
  });

  it("that come again, and late, replace nothing newer", async (test) => {
    const { server, room, of } = await entered(test, { said: 1 });
    server.enterRounds(1);
    const frames = ["one", "two", "three"].map((content) => {
      server.change(1, 1, { content });
      return server.round(1, { isLost: true });
    });
    for (const at of [0, 2, 1, 0, 2]) server.tell(1, frames[at]);
    await until(() => room.position?.change === 3);
    assert.deepEqual(of("changed").map(({ content }) => content), ["one", "three"]);
  });
});
