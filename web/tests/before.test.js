// @ts-check
/** The client before, which somebody copied and nobody replaced, beside the newest one on the newest server. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { collect, until } from "./listening.js";
import { FEATURES } from "./living.js";
import { startLocalRun } from "./local-run.js";

/** @import { TestContext } from "node:test" */
/** @import { LocalRun } from "./local-run.js" */

// A path that the compiler does not follow: what it thinks of the old file is nobody's business.
const copied = await import(String("./fixtures/chat-client-before.js"));

/** @type {LocalRun} */ let run;
before(async () => {
  run = await startLocalRun();
});
after(() => run.stop());

it("is told every message, and reads edited and recalled ones in the history", async (test) => {
  const living = user(test, ChatClient, 1, { features: FEATURES });
  const old = user(test, copied.ChatClient, 2, {});
  const [near, far] = [living.client.room("mixed"), old.client.room("mixed")];
  const seen = [collect(near), collect(far)];
  await Promise.all([near.join(), far.join()]);
  await until(() => near.onlineCount === 2);
  const first = await near.send("first", { mentions: [2], metadata: { card: 1 } });
  await far.send("second");
  await near.edit(first.id, "first, edited");
  const third = await near.send("third", { replyTo: 2 });
  await near.react(2, "👍");
  assert.equal(near.typing(), true);
  await near.remove(third.id);
  const last = await far.send("last");
  await until(() => seen.every(({ messages }) => messages.at(-1)?.id === last.id));
  assert.deepEqual(seen[1].messages.map(({ content }) => content), ["first", "second", "third", "last"]);
  const { messages } = await far.history({ before: last.id + 1 });
  assert.deepEqual(messages.map(({ type, content }) => [type, content]), [
    ["text", "first, edited"],
    ["text", "second"],
    ["text", ""],
    ["text", "last"],
  ]);
  await far.leave();
  await until(() => near.onlineCount === 1);
  assert.deepEqual([living.errors, old.errors], [[], []]);
});

it("reads, as the newest does, what is on disk and what changed since", async (test) => {
  const author = user(test, ChatClient, 3, { features: FEATURES }).client.room("kept");
  const reader = () => user(test, ChatClient, 4, { features: FEATURES });
  await author.join();
  for (const word of ["a", "b", "c"]) await author.send(word);
  const visit = reader();
  const room = visit.client.room("kept");
  await room.join();
  await author.edit(1, "a, edited");
  await until(() => room.position?.change === 1);
  const { position } = room;
  visit.client.disconnect();

  await author.edit(1, "a, edited again");
  await author.remove(2);
  await author.send("d");
  await author.edit(4, "d, edited");
  const again = reader().client.room("kept");
  /** @type {[number, string, boolean][]} */ const changed = [];
  again.addEventListener("changed", ({ detail }) => changed.push([detail.id, detail.content, detail.deleted === true]));
  const seen = collect(again);
  await again.join({ since: position });
  await until(() => seen.messages.length === 1 && again.position?.change === 4);
  assert.deepEqual(seen.messages.map(({ id, content, version }) => [id, content, version]), [[4, "d, edited", 4]]);
  assert.deepEqual(changed.filter(([id]) => id <= 3), [[1, "a, edited again", false], [2, "", true]]);
  assert.deepEqual(again.position, { id: 4, change: 4 });
});

/** @param {TestContext} test @param {any} Client @param {number} id @param {object} options */
function user(test, Client, id, options) {
  const getToken = () => run.token({ userId: id, username: `user-${id}` });
  /** @type {ChatClient<typeof FEATURES[number]>} */ const client = new Client({ ...run, getToken, WebSocket, ...options });
  test.after(() => client.disconnect());
  /** @type {unknown[]} */ const errors = [];
  client.addEventListener("error", ({ detail }) => errors.push(detail));
  client.room("mixed").addEventListener("error", ({ detail }) => errors.push(detail));
  void client.connect();
  return { client, errors };
}
