/** The index fed with the events of a real local run, and searched through its door, which asks that run. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startLocalRun } from "../../../web/tests/local-run.js";
import { door } from "../src/door.js";

const folder = mkdtempSync(join(tmpdir(), "chat-search-"));
const file = join(folder, "events.jsonl");
process.env.INDEX_FILE = join(folder, "messages.sqlite");
const { handler } = await import("../src/index.js");

/** @type {Awaited<ReturnType<typeof startLocalRun>>} */ let run;
before(async () => {
  run = await startLocalRun({ events: file });
});
after(async () => {
  await run?.stop();
  rmSync(folder, { recursive: true });
});

/** @param {string} token @param {string} path @param {object} body */
async function post(token, path, body) {
  const response = await fetch(new URL(path, run.page), { method: "POST", headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(body) });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

let sends = 0;
const say = (/** @type {string} */ token, /** @type {unknown} */ chatroomId, /** @type {string} */ content) =>
  post(token, "/sendMessage", { chatroomId, message: { type: "text", content }, clientMessageId: `send-${sends++}` });

/** Erases a user, who has to have been here. @param {string} token @param {number} id */
async function erase(token, id) {
  const socket = new WebSocket(`${run.url}?token=${token}`);
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  socket.close();
  await run.eraseUser(id);
}

let fed = 0;

/** Feeds the index with all events when so many more have come, twice and in another order, as a bus may. @param {number} more */
async function feed(more) {
  const wanted = fed + more;
  const lines = () => readFileSync(file, "utf8").split("\n").filter(Boolean);
  for (const end = Date.now() + 60_000; lines().length < wanted; await pause(50)) {
    if (Date.now() > end) assert.fail(`${wanted} events did not come: ${lines().length}`);
  }
  const events = lines();
  for (const order of [events.toReversed(), events]) {
    for (let at = 0; at < order.length; at += 10) await handler({ Records: order.slice(at, at + 10).map((body) => ({ body })) });
  }
  fed = events.length;
}

/** @param {string | undefined} token @param {Record<string, string>} asked */
async function search(token, asked) {
  const open = door({ historyUrl: run.page.replace(/\/$/, ""), search: (search) => handler({ search }) });
  const { statusCode, body, headers } = await open({ headers: token ? { authorization: `Bearer ${token}` } : {}, queryStringParameters: asked });
  assert.equal(headers["cache-control"], "no-store");
  const answer = JSON.parse(body);
  return { status: statusCode, found: Array.isArray(answer) ? answer.map(({ content }) => content) : answer };
}

describe("a search in what was said", () => {
  it("follows edits, recalls and erasures, and finds words of any language", async () => {
    const [guang, dong] = [await run.token({ userId: 1 }), await run.token({ userId: 2 })];
    await say(guang, 1, "the meeting is at nine");
    await say(guang, 1, "明天的会议改到三点");
    await say(dong, 1, "a meeting? never");
    await say(dong, 1, "what dong said of the meeting");
    await post(guang, "/editMessage", { chatroomId: 1, id: 1, message: { type: "text", content: "the meeting is at ten" }, clientMessageId: "edit-1" });
    await post(dong, "/deleteMessage", { chatroomId: 1, id: 3 });
    await post(guang, "/reactMessage", { chatroomId: 1, id: 1, emoji: "👍", on: true });
    await feed(7);
    const found = async (/** @type {string} */ words) => (await search(guang, { chatroomId: "1", words })).found;
    assert.deepEqual(await found("meeting"), ["what dong said of the meeting", "the meeting is at ten"]);
    assert.deepEqual(await found("nine"), []);
    assert.deepEqual(await found("never"), []);
    assert.deepEqual(await found("会议"), ["明天的会议改到三点"]);
    await erase(dong, 2);
    await feed(2);
    assert.deepEqual(await found("meeting"), ["the meeting is at ten"]);
  });

  it("answers for a room that the caller may read, and for no other", async () => {
    const [inOne, inTwo] = [await run.token({ userId: 11, rooms: [21] }), await run.token({ userId: 12, rooms: [22, 21] })];
    await say(inOne, 21, "a secret of room 21");
    await say(inTwo, 22, "a secret of room 22");
    const mine = await run.token({ userId: 13, rooms: ["*", "@mine"] });
    const id = await post(mine, "/chatroom/create-group", { name: "ours" });
    await say(mine, id, "a secret of ours");
    await feed(3);
    assert.deepEqual((await search(inOne, { chatroomId: "21", words: "secret" })).found, ["a secret of room 21"]);
    assert.deepEqual((await search(mine, { chatroomId: id, words: "secret" })).found, ["a secret of ours"]);
    const stranger = await run.token({ userId: 14, rooms: "*" });
    for (const [token, chatroomId, status] of /** @type {const} */ ([
      [inOne, "22", 403],
      [inOne, "021", 403],
      [inOne, "21,22", 403],
      [inOne, "21&chatroomId=22", 403],
      [stranger, id, 403],
      ["no token of ours", "21", 403],
      [undefined, "21", 401],
    ])) {
      const answer = await search(token, { chatroomId, words: "secret" });
      assert.equal(answer.status, status, chatroomId);
      assert.doesNotMatch(JSON.stringify(answer.found), /secret/);
    }
    // Whoever is shut out is told so by the chat itself.
    await erase(inOne, 11);
    assert.equal((await search(inOne, { chatroomId: "21", words: "secret" })).status, 403);
  });

  it("says what is wrong with a question", async () => {
    const token = await run.token({ userId: 15 });
    for (const asked of [{}, { chatroomId: "1" }, { words: "x" }, { chatroomId: "1", words: "x".repeat(201) }, { chatroomId: "1", words: "x", limit: "0" }, { chatroomId: "1", words: "x", limit: "51" }, { chatroomId: "1", words: "x", before: "1,2" }]) {
      assert.equal((await search(token, asked)).status, 400, JSON.stringify(asked));
    }
    assert.deepEqual((await search(token, { chatroomId: "1", words: "👍" })).found, []);
  });
});
