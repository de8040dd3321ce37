// @ts-check
/** What a client says and hears: only what its features need, and without one what the client before said. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, Changes, Kept, Moderation, Online, Reactions, Reads, Rounds, Signals, Uploads } from "../chat-client.js";
import { collect, until } from "./listening.js";
import { TOKEN, startScriptedServer } from "./scripted-server.js";

/** @import { TestContext } from "node:test" */

// A path that the compiler does not follow: what it thinks of the old file is nobody's business.
const before = await import(String("./fixtures/chat-client-before.js"));

describe("a client without features", { concurrency: true }, () => {
  it("sends and asks, to the byte, what the client before does", async (test) => {
    const [now, then] = await Promise.all([visit(test, ChatClient), visit(test, before.ChatClient)]);
    assert.ok(now.length > 8);
    assert.deepEqual(now, then);
  });

  it("hears nothing of changes, reactions, signals, marks and rooms that are kept, and takes no harm", async (test) => {
    for (const Client of [ChatClient, before.ChatClient]) {
      const { server, room, errors } = await enter(test, Client, {});
      const seen = collect(room);
      server.say(1);
      server.change(1, 1, { content: "edited" });
      server.react(1, 1, "👍");
      server.tell(1, { type: "signal", chatroomId: 1, userId: 8, kind: "typing" });
      server.tell(1, { type: "markRead", chatroomId: 1, userId: 8, id: 1 });
      for (const type of ["roomAdded", "removed"]) server.peer.push({ type, chatroomId: "g-1", userId: 8 });
      server.change(1, 1);
      server.say(1);
      await until(() => seen.messages.length === 2);
      assert.deepEqual([errors, server.feed, server.peers.length, "edit" in room], [[], [], 1, false]);
      // The history has the newest state, which an old client takes for an empty text.
      const { messages } = await room.history();
      assert.deepEqual(messages, []);
      const [first] = (await room.history({ before: 3 })).messages;
      assert.deepEqual([first.id, first.type, first.content], [1, "text", ""]);
    }
  });
});

for (const [name, feature, asks] of /** @type {const} */ ([
  ["Changes", Changes, { changes: true }],
  ["Reactions", Reactions, {}],
  ["Online", Online, { online: true }],
  ["Signals", Signals, { online: true }],
  ["Rounds", Rounds, { rounds: true }],
  ["Kept", Kept, {}],
  ["Reads", Reads, {}],
  ["Uploads", Uploads, {}],
  ["Moderation", Moderation, {}],
])) {
  it(`asks for no more than ${name} needs`, async (test) => {
    const { server } = await enter(test, ChatClient, { features: [feature] });
    const [{ requestId: _, ...frame }] = server.frames("joinRoom");
    assert.deepEqual(frame, { action: "joinRoom", chatroomId: 1, batches: true, ...asks });
  });
}

/** @param {TestContext} test @param {any} Client @param {object} options */
async function enter(test, Client, options) {
  const server = await startScriptedServer(test);
  const { url, historyUrl } = server;
  /** @type {ChatClient} */ const client = new Client({ url, historyUrl, getToken: () => TOKEN, WebSocket, ...options });
  test.after(() => client.disconnect());
  /** @type {unknown[]} */ const errors = [];
  client.addEventListener("error", ({ detail }) => errors.push(detail));
  await client.connect();
  const room = client.room(1);
  room.addEventListener("error", ({ detail }) => errors.push(detail));
  await room.join();
  return { server, client, room, errors };
}

/** All that a client says in a visit. @param {TestContext} test @param {any} Client */
async function visit(test, Client) {
  const { server, client, room } = await enter(test, Client, {});
  await room.history({ limit: 7 });
  await room.send("hello", { clientMessageId: "one" });
  await room.sendImage("https://example.com/a.png", { clientMessageId: "two" });
  server.peer.socket.terminate();
  await until(() => server.peers.length === 2 && room.joined);
  server.say(1, { isPushed: false });
  server.say(1);
  await until(() => server.asked.length === 2);
  await room.sendFile("https://example.com/b.pdf", { clientMessageId: "three" });
  await room.leave();
  client.disconnect();
  return [...server.handshakes, ...server.asked.map(String), ...server.peers.flatMap(({ frames }) => frames.map((frame) => JSON.stringify(frame)))];
}
