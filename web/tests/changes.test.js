// @ts-check
/** Messages that change: every state in its place, none that is older over one that is newer, and none missing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { applyChange } from "../chat-client.js";
import { next, pause, replace, until } from "./listening.js";
import { comeBack, connected, entered } from "./living.js";
import { answer } from "./scripted-server.js";

/** @param {{ content: string, version?: number, deleted?: boolean }} state */
const look = ({ content, version, deleted }) => [content, version, ...(deleted ? ["recalled"] : [])];

describe("a change", { concurrency: true }, () => {
  it("is told as the message's new state", async (test) => {
    const { room, server, of, seen } = await entered(test, { said: 1 });
    server.say(1);
    server.change(1, 1, { content: "better" });
    server.change(1, 2);
    await until(() => of("changed").length === 2);
    const [edited, recalled] = of("changed");
    assert.deepEqual([edited.id, ...look(edited), edited.type, edited.senderId], [1, "better", 1, "text", 8]);
    assert.deepEqual([recalled.id, ...look(recalled), recalled.deletedBy], [2, "", 2, "recalled", 8]);
    assert.deepEqual([seen.messages.length, room.position, server.feed], [1, { id: 2, change: 2 }, []]);
  });

  it("that overtakes its message is in it when it is given out", async (test) => {
    const { server, seen, of } = await entered(test);
    const first = server.say(1, { isPushed: false });
    const second = server.say(1, { isPushed: false });
    const edit = server.change(1, 2, { content: "edited", isPushed: false });
    server.tell(1, edit);
    server.push(1, second);
    server.push(1, first);
    await until(() => seen.messages.length === 2);
    assert.deepEqual(seen.messages.map(look), [["message 1", undefined], ["edited", 1]]);
    assert.equal(seen.messages[1].sender.username, "other");
    assert.deepEqual(of("changed"), []);
  });

  it("never replaces a newer one, and nothing replaces a recall", async (test) => {
    const { server, of } = await entered(test, { said: 2 });
    const pushes = ["one", "two", undefined].map((content) => server.change(1, 1, { content, isPushed: false }));
    const late = server.change(1, 1, { content: "after the recall", isPushed: false, isStored: false });
    server.change(1, 2, { content: "last", isPushed: false });
    for (const push of [pushes[1], pushes[0], pushes[1], pushes[2], late, pushes[0]]) server.tell(1, push);
    server.tell(1, server.change(1, 2, { content: "the end", isPushed: false }));
    await until(() => of("changed").some(({ content }) => content === "the end"));
    const told = of("changed").filter(({ id }) => id === 1);
    assert.deepEqual(told.map(look), [["two", 2], ["", 3, "recalled"]]);
  });

  it("whose push was lost is read in the list of changes, after the position", async (test) => {
    const { server, room, of } = await entered(test, { said: 3 });
    server.change(1, 1, { content: "seen" });
    await until(() => of("changed").length === 1);
    server.change(1, 2, { content: "lost", isPushed: false });
    server.change(1, 3, { content: "seen too" });
    await until(() => of("changed").length === 3);
    assert.deepEqual(of("changed").map(look), [["seen", 1], ["seen too", 3], ["lost", 2]]);
    await until(() => room.position?.change === 3);
    assert.deepEqual(server.feed, ["1"]);
  });

  it("that only comes late is not asked for", async (test) => {
    const { server, room, of } = await entered(test, { said: 2 });
    const first = server.change(1, 1, { content: "first", isPushed: false });
    server.change(1, 2, { content: "second" });
    await next(room, "changed");
    await pause(100);
    server.tell(1, first);
    await until(() => of("changed").length === 2);
    assert.equal(room.position?.change, 2);
    await pause(400); // longer than a client waits for what was overtaken
    assert.deepEqual(server.feed, []);
  });

  it("is in a page that was read before it", async (test) => {
    const { server, room, of } = await entered(test, { said: 2 });
    server.answerHistory = (response) => {
      const items = [...server.room(1).messages.values()].map((item) => ({ ...item, type: 0 }));
      server.answerHistory = () => false;
      server.change(1, 1, { content: "edited" });
      server.change(1, 2);
      void until(() => of("changed").length === 2).then(() => answer(response, 200, items));
      return true;
    };
    const { messages } = await room.history();
    assert.deepEqual(messages.map(look), [["edited", 1], ["", 2, "recalled"]]);
  });

  it("older than what the page said is not told", async (test) => {
    const { server, room, of } = await entered(test, { said: 1 });
    const late = server.change(1, 1, { content: "one", isPushed: false });
    server.change(1, 1, { content: "two", isPushed: false });
    assert.deepEqual((await room.history()).messages.map(look), [["two", 2]]);
    server.tell(1, late);
    server.change(1, 1, { content: "three" });
    await until(() => of("changed").length > 0);
    assert.deepEqual(of("changed").map(look), [["three", 3]]);
  });

  it("is passed over where it makes no sense", async (test) => {
    const { server, of, errors } = await entered(test, { said: 1 });
    for (const message of [undefined, {}, { id: 1 }, { id: 1, createTime: "2026-01-01T00:00:00Z", version: "2" }]) {
      server.tell(1, { type: "editMessage", chatroomId: 1, userId: 8, message });
    }
    server.change(1, 1, { content: "sense" });
    await until(() => of("changed").length === 1);
    assert.deepEqual(errors.map(({ code }) => code), Array(4).fill("badFrame"));
  });
});

describe("the position among the changes", { concurrency: true }, () => {
  it("begins at the last change, and asks for nothing", async (test) => {
    const living = await connected(test);
    living.server.say(1);
    living.server.change(1, 1, { content: "before" });
    await living.room.join();
    assert.deepEqual([living.room.position, living.server.feed], [{ id: 1, change: 1 }, []]);
    assert.equal(living.server.frames("joinRoom")[0].changes, true);
  });

  it("begins at the last settled change, where a younger one may not be visible yet", async (test) => {
    const { server, room, of } = await connected(test);
    for (let count = 0; count < 3; count++) server.say(1);
    for (const id of [1, 2, 3]) server.change(1, id, { content: `edited ${id}` });
    server.settled = 1;
    await room.join();
    await until(() => room.position?.change === 3);
    assert.deepEqual([server.feed, of("changed").map(({ id }) => id)], [["1"], [2, 3]]);
  });

  it("stays during an absence, and then moves to the highest change that was listed", async (test) => {
    const living = await entered(test, { said: 3 });
    const { server, room, of, seen } = living;
    server.change(1, 1, { content: "here" });
    await until(() => of("changed").length === 1);
    await comeBack(living, () => {
      server.change(1, 1, { content: "away" });
      server.change(1, 2);
      // While it reads, another change is made, and its push is lost.
      server.answerFeed = () => {
        server.answerFeed = () => false;
        server.change(1, 3, { content: "meanwhile", isPushed: false });
      };
    });
    await until(() => room.position?.change === 4);
    assert.deepEqual(of("changed").slice(1).map(look), [["away", 2], ["", 3, "recalled"], ["meanwhile", 4]]);
    assert.deepEqual([server.feed, seen.messages], [["1"], []]);
  });

  it("reads every page of the list, each after the last change of the one before", async (test) => {
    const living = await entered(test, { said: 250 });
    const { server, room, of } = living;
    await comeBack(living, () => {
      for (let id = 1; id <= 250; id++) server.change(1, id, { content: `edited ${id}` });
      // Changed again since: its version is far above the place where it is listed.
      server.answerFeed = (response, query) => {
        if (query.get("after") !== "0") return false;
        const items = [...server.room(1).messages.values()].slice(0, 100).map((item) => ({ ...item, type: 0, change: item.version }));
        items[99] = { ...items[99], version: 251, content: "edited again" };
        response.setHeader("Link", '<?x>; rel="next"');
        return answer(response, 200, items);
      };
    });
    await until(() => room.position?.change === 250);
    assert.deepEqual([server.feed, of("changed").length], [["0", "100", "200"], 250]);
  });

  it("gives up on more than a thousand changes, and says so", async (test) => {
    const living = await entered(test, { said: 1 });
    const { server, room, of } = living;
    await comeBack(living, () => server.change(1, 1, { content: "the last of many", version: 1_001, isPushed: false }));
    assert.deepEqual([of("stale").length, room.position, server.feed], [1, { id: 1, change: 1_001 }, []]);
    await comeBack(living, () => server.change(1, 1, { content: "one more", version: 2_001, isPushed: false }));
    await until(() => room.position?.change === 2_001);
    assert.deepEqual([of("stale").length, server.feed], [1, ["1001"]], "a thousand are read");
  });

  it("is forgotten with the room", async (test) => {
    const { server, room, of } = await entered(test, { said: 1 });
    server.change(1, 1, { content: "one" });
    await until(() => of("changed").length === 1);
    await room.leave();
    assert.equal(room.position, undefined);
    server.change(1, 1, { content: "two" });
    await room.join();
    assert.deepEqual([room.position, of("changed").length, server.feed], [{ id: 1, change: 2 }, 1, []]);
  });

  it("does not exist on a server of before, which has no changes", async (test) => {
    const { server, room, of, seen } = await entered(test, { said: 1 });
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "editMessage" && action !== "deleteMessage") return false;
      peer.push({ type: "error", code: "unknownAction", message: `there is no action ${action}`, action, requestId });
      return true;
    };
    const refused = [room.edit(1, "new"), room.remove(1)];
    const { id } = await room.send("and yet one can talk");
    for (const promise of refused) await assert.rejects(promise, { code: "unknownAction", action: /Message/ });
    await until(() => seen.messages.length === 1);
    assert.deepEqual([id, room.position, server.feed, of("stale")], [2, { id: 2, change: 0 }, [], []]);
  });
});

describe("a client that keeps messages", { concurrency: true }, () => {
  it("goes on where it was, with messages and with changes", async (test) => {
    const { server, room, seen, of } = await connected(test);
    for (let count = 0; count < 5; count++) server.say(1, { ageMs: 60_000 });
    for (const id of [1, 2, 5]) server.change(1, id, { content: `edited ${id}` });
    await room.join({ since: { id: 3, change: 1 } });
    await until(() => seen.messages.length === 2 && room.position?.change === 3);
    assert.deepEqual(seen.messages.map(look), [["message 4", undefined], ["edited 5", 3]]);
    assert.deepEqual(of("changed").filter(({ id }) => id <= 3).map(look), [["edited 2", 2]]);
    assert.deepEqual((await room.history()).messages.map(({ id }) => id), [1, 2, 3]);
    assert.deepEqual(room.position, { id: 5, change: 3 });
  });

  it("is told that all is stale after a long absence", async (test) => {
    const { server, room, of } = await connected(test);
    server.say(1);
    server.change(1, 1, { content: "new", version: 2_000 });
    await room.join({ since: { id: 1, change: 5 } });
    assert.deepEqual([of("stale").length, room.position, server.feed], [1, { id: 1, change: 2_000 }, []]);
  });

  it("begins at the newest message where it is ahead of the room", async (test) => {
    const { server, room, seen } = await connected(test);
    server.say(1);
    await room.join({ since: { id: 70, change: 70 } });
    server.say(1);
    await until(() => seen.messages.length === 1);
    assert.equal(seen.messages[0].id, 2);
  });
});

describe("an edit", { concurrency: true }, () => {
  it("is sent in turn with messages and recalls, each when the one before was answered", async (test) => {
    const { server, room } = await entered(test, { said: 2 });
    const done = await Promise.all([room.send("a"), room.edit(1, "b"), room.remove(2), room.send("c"), room.edit(1, "d", { clientMessageId: "mine" })]);
    const frames = server.peer.frames.filter(({ action }) => action.endsWith("Message"));
    assert.deepEqual(frames.map(({ action, id, message }) => [action, id, message?.content]), [
      ["sendMessage", undefined, "a"],
      ["editMessage", 1, "b"],
      ["deleteMessage", 2, undefined],
      ["sendMessage", undefined, "c"],
      ["editMessage", 1, "d"],
    ]);
    assert.deepEqual([done[1].version, done[2].version, done[4].version], [1, 2, 3]);
    const { action, chatroomId, message, clientMessageId } = frames[4];
    assert.deepEqual({ action, chatroomId, message, clientMessageId }, {
      action: "editMessage",
      chatroomId: 1,
      message: { type: "text", content: "d" },
      clientMessageId: "mine",
    });
    assert.match(frames[1].clientMessageId, /^[0-9a-f]{32}$/);
  });

  it("that was made offline is sent when the client is back, and again with the same id when its answer is lost", async (test) => {
    const living = await entered(test, { said: 1 });
    const { server, room, of } = living;
    server.answer = (frame, peer) => {
      if (frame.action !== "editMessage") return false;
      server.answer = () => false;
      server.room(1).sent.set(frame.clientMessageId, server.change(1, 1, { content: frame.message.content, isPushed: false }).message);
      peer.socket.terminate();
      return true;
    };
    /** @type {Promise<{ version: number }> | undefined} */ let edit;
    await comeBack(living, () => void (edit = room.edit(1, "from the train")));
    assert.equal((await edit)?.version, 1);
    const ids = server.frames("editMessage").map(({ clientMessageId }) => clientMessageId);
    assert.deepEqual([ids.length, new Set(ids).size], [2, 1]);
    // Its push was lost, and its author is told all the same.
    await until(() => of("changed").length === 1);
    assert.deepEqual(look(of("changed")[0]), ["from the train", 1]);
  });

  it("is told its author by the list of changes, where it was answered and its push is lost", async (test) => {
    const { server, room, of } = await entered(test, { said: 1 });
    server.answer = ({ action, requestId, id, message }, peer) => {
      if (action !== "editMessage") return false;
      const { version, updateTime } = server.change(1, id, { content: message.content, isPushed: false }).message;
      peer.push({ type: "ack", action, requestId, chatroomId: 1, id, version, updateTime });
      return true;
    };
    await room.edit(1, "silently");
    await until(() => of("changed").length === 1);
    assert.deepEqual([look(of("changed")[0]), server.feed, server.peers.length], [["silently", 1], ["0"], 1]);
  });

  it("that is refused does not hold up what follows", async (test) => {
    const { server, room, errors } = await entered(test, { said: 1 });
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "editMessage") return false;
      peer.push({ type: "error", code: "tooLate", message: "a message is edited within 15 minutes of its sending", action, requestId });
      return true;
    };
    const [edit, send] = [room.edit(1, "too late"), room.send("next")];
    await assert.rejects(edit, { code: "tooLate", action: "editMessage", retryable: false });
    assert.equal((await send).id, 2);
    assert.deepEqual(errors.map(({ code }) => code), ["tooLate"]);
  });

  it("is refused at once where the server could not take it", async (test) => {
    const { server, room } = await entered(test, { said: 1 });
    /** @type {[Promise<unknown>, string, RegExp][]} */ const wrong = [
      [room.edit(0, "x"), "badRequest", /^id must/],
      [room.edit(/** @type {any} */ ("1"), "x"), "badRequest", /^id must/],
      [room.edit(1, "x", { clientMessageId: "a b" }), "badRequest", /^clientMessageId must/],
      [room.edit(1, "x".repeat(4_001)), "tooLarge", /4000/],
      [room.remove(1.5), "badRequest", /^id must/],
      [room.send("x", { replyTo: -1 }), "badRequest", /^replyTo must/],
      [room.send("x", { mentions: Array(21).fill(7) }), "badRequest", /^mentions must/],
      [room.send("x", { mentions: ["half \ud83d"] }), "badRequest", /^mentions must/],
      [room.send("x", { metadata: { a: "x".repeat(1_024) } }), "tooLarge", /^metadata/],
      [room.send("x", { metadata: { a: "\\\\\ud83d" } }), "badRequest", /^metadata must/],
      [room.send("\u0001".repeat(4_000), { mentions: Array(20).fill('"'.repeat(255)) }), "tooLarge", /32000 bytes/],
    ];
    for (const [promise, code, message] of wrong) await assert.rejects(promise, { code, message });
    await room.send("x", { metadata: { a: "\\ud83d 👍" } });
    assert.equal(server.peer.frames.filter(({ action }) => action.endsWith("Message")).length, 1);
  });

  it("is none of another's message of the same clientMessageId", async (test) => {
    const { server, room } = await entered(test, { said: 1 });
    server.answer = (frame, peer) => {
      if (frame.action !== "editMessage") return false;
      const { id, createTime } = server.say(1, { isPushed: false });
      const message = { id, type: "text", content: "sent elsewhere", chatroomId: 1, senderId: 7, createTime, clientMessageId: "mine" };
      server.tell(1, { type: "sendMessage", chatroomId: 1, userId: 7, message });
      peer.push({ type: "ack", action: "editMessage", requestId: frame.requestId, chatroomId: 1, id: 1, version: 4, updateTime: createTime });
      return true;
    };
    assert.equal((await room.edit(1, "x", { clientMessageId: "mine" })).version, 4);
  });
});

describe("a message", { concurrency: true }, () => {
  it("goes out with what it answers, whom it mentions, and what the application adds", async (test) => {
    const { server, room, seen } = await entered(test, { said: 1 });
    const extras = { replyTo: 1, mentions: [8, "all"], metadata: { card: { colour: "red" } } };
    await room.send("see above", extras);
    await room.sendImage("https://example.com/a.png", { replyTo: 1 });
    await room.send("nothing more");
    assert.deepEqual(server.frames("sendMessage").map(({ message }) => message), [
      { type: "text", content: "see above", ...extras },
      { type: "image", content: "https://example.com/a.png", replyTo: 1 },
      { type: "text", content: "nothing more" },
    ]);
    await until(() => seen.messages.length === 3);
    const { replyTo, mentions, metadata } = seen.messages[0];
    assert.deepEqual({ replyTo, mentions, metadata }, extras);
  });

  it("after a change is the change, with the sender and the newer reactions", () => {
    const sender = { id: 8, username: "other", nickName: "Other", headPic: null };
    const base = { id: 1, type: /** @type {const} */ ("text"), chatroomId: 1, senderId: 8, createTime: "2026-01-01T00:00:00Z" };
    const message = { ...base, content: "old", sender, replyTo: 3, clientMessageId: "c", reactions: { a: [1] }, reactionVersion: 2 };
    const edited = applyChange(message, { ...base, content: "new", version: 4, reactions: {}, reactionVersion: 1 });
    assert.deepEqual(edited, { ...base, content: "new", version: 4, sender, clientMessageId: "c", reactions: { a: [1] }, reactionVersion: 2 });
    const recalled = applyChange(message, { ...base, content: "", version: 5, deleted: true, deletedBy: 8 });
    assert.deepEqual(recalled, { ...base, content: "", version: 5, deleted: true, deletedBy: 8, sender, clientMessageId: "c" });
  });
});

// Not beside each other: they change the clock and the chance of all.
describe("a client in a strange world", () => {
  it("waits for a change that is not listed yet, and for 10 seconds at the most", async (test) => {
    let jump = 0;
    const now = performance.now.bind(performance);
    replace(test, performance, { now: () => now() + jump });
    replace(test, Math, { random: () => 0.01 });
    const { server, room, of } = await entered(test, { said: 3 });
    server.change(1, 1, { content: "never listed", isPushed: false, isStored: false });
    server.change(1, 2, { content: "listed" });
    // What is listed moves the position over a number that is not: a later change of its message took its place.
    await until(() => room.position?.change === 2);
    assert.deepEqual(server.feed, ["0"]);
    server.change(1, 3, { content: "told", version: 5, isStored: false });
    await until(() => server.feed.length >= 4);
    assert.deepEqual([room.position?.change, new Set(server.feed.slice(1))], [2, new Set(["2"])]);
    jump += 11_000;
    await until(() => room.position?.change === 5);
    assert.deepEqual(of("changed").map(look), [["listed", 2], ["told", 5]]);
  });

  it("asks again when the list cannot be read", async (test) => {
    const living = await entered(test, { said: 1 });
    const { server, room, errors } = living;
    replace(test, Math, { random: () => 0.01 });
    const answers = [[500, "{}"], [200, "{"], [200, '[{"id":1,"createTime":"2026-01-01T00:00:00Z"}]']];
    await comeBack(living, () => {
      server.change(1, 1);
      server.answerFeed = (response) => {
        const [status, body] = answers.shift() ?? [];
        return status !== undefined && answer(response, Number(status), body);
      };
    });
    await until(() => room.position?.change === 1);
    assert.deepEqual(errors.map(({ code }) => code), ["internal", "badResponse", "badFrame"]);
  });

  it("says that all is stale only when all of it is visible", async (test) => {
    const { server, room, of } = await connected(test);
    /** @type {number[]} */ const waits = [];
    const start = setTimeout;
    const shortened = (/** @type {() => void} */ run, /** @type {number} */ ms) => {
      const isLong = ms > 9_000 && ms <= 10_000;
      if (isLong) waits.push(ms);
      return start(run, isLong ? 50 : ms);
    };
    server.say(1);
    server.change(1, 1, { content: "busy", version: 5_000 });
    server.settled = 0;
    replace(test, globalThis, { setTimeout: shortened });
    await room.join();
    assert.deepEqual([of("stale").length, room.position?.change], [0, 0]);
    await until(() => of("stale").length === 1);
    assert.deepEqual([room.position?.change, server.feed, waits.length], [5_000, [], 1]);
  });
});

it("forgets the oldest of a thousand states, and those that were given out first", async (test) => {
  const { server, seen, room, of } = await entered(test, { said: 1_001 });
  const first = server.say(1, { isPushed: false });
  server.tell(1, server.change(1, first.id, { content: "still to come", isPushed: false }));
  for (let id = 1; id <= 1_000; id++) server.change(1, id, { content: `edited ${id}` });
  await until(() => of("changed").length === 1_000);
  server.push(1, first);
  await until(() => seen.messages.length === 1);
  assert.deepEqual(look(seen.messages[0]), ["still to come", 1]);
  assert.equal(room.position?.change, 1_001);
});

it("is not disturbed by a leave while it reads", async (test) => {
  const living = await entered(test, { said: 1 });
  const { server, room, of } = living;
  /** @type {() => void} */ let go = () => {};
  await comeBack(living, () => {
    server.change(1, 1, { content: "one" });
    server.answerFeed = (response) => {
      server.answerFeed = () => false;
      const items = [{ ...server.room(1).messages.get(1), type: 0, change: 1 }];
      go = () => void answer(response, 200, items);
      return true;
    };
  });
  await until(() => server.feed.length === 1);
  await room.leave();
  server.change(1, 1, { content: "two" });
  await room.join();
  go();
  await pause(200); // the old answer comes, and tells nothing
  server.change(1, 1, { content: "three" });
  await next(room, "changed");
  assert.deepEqual([of("changed").map(look), room.position?.change], [[["three", 3]], 3]);
});
