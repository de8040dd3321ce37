// @ts-check
/** Reactions: best effort, and right again for what is looked at. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pause, until } from "./listening.js";
import { comeBack, connected, entered } from "./living.js";
import { answer } from "./scripted-server.js";

describe("a reaction", { concurrency: true }, () => {
  it("is stored, and told to the room", async (test) => {
    const { server, room, of } = await entered(test, { said: 1 });
    assert.equal(await room.react(1, "👍"), undefined);
    server.react(1, 1, "👍");
    await room.react(1, "👍", false);
    await until(() => of("reaction").length === 3);
    assert.deepEqual(of("reaction"), [
      { id: 1, reactions: { "👍": [7] }, reactionVersion: 1, userId: 7, emoji: "👍", on: true },
      { id: 1, reactions: { "👍": [7, 8] }, reactionVersion: 2, userId: 8, emoji: "👍", on: true },
      { id: 1, reactions: { "👍": [8] }, reactionVersion: 3, userId: 7, emoji: "👍", on: false },
    ]);
    const [{ requestId: _, ...frame }] = server.frames("reactMessage");
    assert.deepEqual(frame, { action: "reactMessage", chatroomId: 1, id: 1, emoji: "👍", on: true });
  });

  it("that cannot be sent is refused, and forgotten", async (test) => {
    const living = await entered(test, { said: 1 });
    const { server, room, errors } = living;
    await comeBack(living, () => assert.rejects(room.react(1, "👍"), { code: "connectionLost" }));
    await room.send("back");
    assert.equal(server.frames("reactMessage").length, 0);
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "reactMessage") return false;
      peer.push({ type: "error", code: "rateLimited", message: "too many", action, requestId, retryAfterMs: 10 });
      return true;
    };
    await assert.rejects(room.react(1, "👍"), { code: "rateLimited" });
    await pause(100);
    assert.deepEqual([server.frames("reactMessage").length, errors.map(({ code }) => code)], [1, ["connectionLost", "rateLimited"]]);
  });

  it("is refused at once where the server could not take it", async (test) => {
    const { server, room } = await entered(test, { said: 1 });
    for (const emoji of ["", "a b", "\u0007", "\ud83d", "x".repeat(65), "👍".repeat(17), /** @type {any} */ (7)]) {
      await assert.rejects(room.react(1, emoji), { code: "badRequest", message: /^emoji must/ });
    }
    await assert.rejects(room.react(-1, "👍"), { code: "badRequest", message: /^id must/ });
    await room.react(1, "👍".repeat(16));
    assert.equal(server.frames("reactMessage").length, 1);
  });

  it("never replaces a newer one, in an event, in a page, or with its message", async (test) => {
    const { server, room, of, seen } = await entered(test, { said: 1 });
    const [first, second] = [server.react(1, 1, "👍", { isPushed: false }), server.react(1, 1, "🎉", { isPushed: false })];
    server.tell(1, second);
    server.tell(1, first);
    const message = server.say(1, { isPushed: false });
    const early = server.react(1, 2, "❤️", { isPushed: false });
    server.tell(1, early);
    server.push(1, { ...message, reactions: undefined, reactionVersion: undefined });
    await until(() => seen.messages.length === 1);
    assert.deepEqual(of("reaction").map(({ reactionVersion }) => reactionVersion), [2]);
    assert.deepEqual([seen.messages[0].reactions, seen.messages[0].reactionVersion], [{ "❤️": [8] }, 1]);
    server.answerHistory = (response) => {
      const items = [{ ...server.room(1).messages.get(1), type: 0, reactions: first.reactions, reactionVersion: 1 }];
      return answer(response, 200, items);
    };
    const { messages } = await room.history();
    assert.deepEqual(messages[0].reactions, { "👍": [8], "🎉": [8] });
  });

  it("that a page told of is known, so that an older push is not told", async (test) => {
    const { server, room, of } = await entered(test, { said: 1 });
    const late = server.react(1, 1, "👍", { isPushed: false });
    server.react(1, 1, "🎉", { isPushed: false });
    await room.history();
    server.tell(1, late);
    server.react(1, 1, "👀");
    await until(() => of("reaction").length > 0);
    assert.deepEqual(of("reaction").map(({ reactionVersion }) => reactionVersion), [3]);
  });

  it("that was made during an absence is read with the newest page, once", async (test) => {
    const living = await connected(test);
    const { server, room, of } = living;
    for (let count = 0; count < 60; count++) server.say(1, { ageMs: 60_000 });
    await room.join();
    assert.equal(server.asked.length, 0, "nothing is read when the room is first entered");
    server.react(1, 60, "👍");
    await until(() => of("reaction").length === 1);
    await comeBack(living, () => {
      server.react(1, 60, "👍", { on: false, isPushed: false });
      server.react(1, 30, "🎉", { isPushed: false });
      // The first try fails.
      server.answerHistory = (response) => {
        server.answerHistory = () => false;
        return answer(response, 500, {});
      };
    });
    await until(() => of("reaction").length === 3);
    assert.deepEqual(of("reaction").slice(1), [
      { id: 30, reactions: { "🎉": [8] }, reactionVersion: 1 },
      { id: 60, reactions: {}, reactionVersion: 2 },
    ]);
    assert.deepEqual(server.asked.map((query) => [query.get("limit"), query.get("before")]), Array(2).fill(["50", null]));
  });

  it("is not read again when a connection takes over from another", async (test) => {
    const { server, room } = await entered(test, { said: 1, options: { lifetimeMs: 400 } });
    await until(() => server.frames("joinRoom").length >= 3 && room.joined);
    assert.equal(server.asked.length, 0);
  });

  it("to a recalled message is not told, however the recall was", async (test) => {
    const living = await entered(test, { said: 4 });
    const { server, of } = living;
    const reactions = [1, 2, 4, 3].map((id) => server.react(1, id, "👍", { isPushed: false }));
    server.change(1, 1);
    await comeBack(living, () => server.change(1, 2));
    await until(() => of("changed").length === 2);
    // The push of this one is lost, so that it is told by the list of changes alone.
    server.change(1, 4, { isPushed: false });
    server.change(1, 3, { content: "edited" });
    await until(() => of("changed").length === 4);
    for (const reaction of reactions) server.tell(1, { ...reaction, reactionVersion: 9 });
    await until(() => of("reaction").length > 0 && of("reaction").some(({ reactionVersion }) => reactionVersion === 9));
    const late = of("reaction").filter(({ reactionVersion }) => reactionVersion === 9);
    assert.deepEqual(late.map(({ id }) => id), [3]);
  });

  it("is passed over where it makes no sense", async (test) => {
    const { server, of, errors } = await entered(test, { said: 1 });
    const frame = server.react(1, 1, "👍", { isPushed: false });
    for (const wrong of [{ id: "1" }, { reactionVersion: 0 }, { reactions: null }, { reactions: { a: 1 } }]) server.tell(1, { ...frame, ...wrong });
    server.tell(1, frame);
    await until(() => of("reaction").length === 1);
    assert.deepEqual(errors.map(({ code }) => code), Array(4).fill("badFrame"));
  });
});
