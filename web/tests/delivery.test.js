// @ts-check
/** The client on the real local run, over a network that breaks: nothing lost, nothing twice, one order. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, ChatError } from "../chat-client.js";
import { collect, next, pause, until } from "./listening.js";
import { startLocalRun } from "./local-run.js";
import { startNetwork } from "./network.js";

/** @import { TestContext } from "node:test" */
/** @import { ChatOptions, Id, Message } from "../chat-client.js" */
/** @import { LocalRun } from "./local-run.js" */
/** @import { Network } from "./network.js" */

/** API Gateway's two hours, shortened. */
const LIFETIME_SECONDS = 6;
/** What the client takes for the lifetime. It is shorter still, so that a busy machine has time for the swap. */
const LIFETIME_MS = 3_000;

let rooms = 0;
const fresh = () => `room-${++rooms}`;

describe("a client", { concurrency: true }, () => {
  /** @type {LocalRun} */ let run;
  before(async () => {
    run = await startLocalRun({ lifetimeSeconds: LIFETIME_SECONDS, parameters: { DefaultRooms: "*" } });
  });
  after(() => run.stop());

  it("talks in a room", async (test) => {
    const [guang, dong] = [user(test, run, 1), user(test, run, 2)];
    const [here, there] = [guang.room("talk"), dong.room("talk")];
    const seen = { here: collect(here), there: collect(there) };
    await Promise.all([here.join(), there.join()]);
    const sent = await here.send("你好 👋");
    await there.sendImage("https://example.com/cat.png");
    await here.sendFile("https://example.com/notes.pdf");
    await until(() => seen.here.messages.length === 3 && seen.there.messages.length === 3);
    const told = seen.there.messages.map(({ id, type, content, senderId }) => [id, type, content, senderId]);
    assert.deepEqual(told, [
      [1, "text", "你好 👋", 1],
      [2, "image", "https://example.com/cat.png", 2],
      [3, "file", "https://example.com/notes.pdf", 1],
    ]);
    assert.deepEqual([sent.id, seen.there.messages[0].clientMessageId], [1, sent.clientMessageId]);
    assert.equal(guang.userId, 1);
  });

  it("reads the history back to the first message, with nothing twice and nothing between", async (test) => {
    const room = fresh();
    const [author, reader] = [user(test, run, 11), user(test, run, 12)];
    await author.room(room).join();
    for (let n = 1; n <= 7; n++) await author.room(room).send(`${n}`);
    const seen = collect(reader.room(room));
    await reader.room(room).join();
    await author.room(room).send("8");
    await until(() => seen.messages.length === 1);
    const newest = await reader.room(room).history({ limit: 4 });
    const oldest = await reader.room(room).history({ limit: 4, before: newest.messages[0].id });
    const all = [...oldest.messages, ...newest.messages, ...seen.messages];
    assert.deepEqual(all.map(({ content }) => content), ["1", "2", "3", "4", "5", "6", "7", "8"]);
    assert.deepEqual([newest.hasOlder, oldest.hasOlder, newest.messages[0].sender.username], [true, false, "user-11"]);
  });

  it("loses and doubles nothing while the network is cut again and again", async (test) => {
    const room = fresh();
    const network = await startNetwork(test, run.page);
    const [near, far] = [user(test, run, 21, { through: network }), user(test, run, 22)];
    const seen = [collect(near.room(room)), collect(far.room(room))];
    await Promise.all([near.room(room).join(), far.room(room).join()]);
    /** @type {Promise<unknown>[]} */ const sends = [];
    for (let n = 0; n < 60; n++) {
      sends.push(near.room(room).send(`near ${n}`), far.room(room).send(`far ${n}`));
      if (n % 20 === 10) network.cut();
      await pause(20);
      if (n % 20 === 15) network.up();
    }
    await Promise.all(sends);
    await until(() => seen.every(({ messages }) => messages.length >= 120));
    for (const { messages } of seen) {
      assertOrder(messages);
      for (const who of ["near", "far"]) {
        const said = messages.map(({ content }) => content).filter((content) => content.startsWith(who));
        assert.deepEqual(said, Array.from({ length: 60 }, (_, n) => `${who} ${n}`), "each once, in the order it was said");
      }
    }
  });

  it("finds out that a silent network is a dead one, and loses nothing", async (test) => {
    const room = fresh();
    const network = await startNetwork(test, run.page);
    const client = user(test, run, 31, { through: network, timeoutMs: 2_000, lifetimeMs: 3_600_000 });
    const seen = collect(client.room(room));
    await client.room(room).join();
    network.silence();
    const sent = client.room(room).send("into the void");
    await next(client, "disconnected");
    network.up();
    assert.equal((await sent).id, (await until(() => seen.messages[0])).id);
  });

  it("swaps connections before the server cuts them, without a gap, a doubling, or anybody seeing it", async (test) => {
    const room = fresh();
    const network = await startNetwork(test, run.page);
    const swapper = user(test, run, 41, { through: network, lifetimeMs: LIFETIME_MS });
    const witness = user(test, run, 42, { lifetimeMs: LIFETIME_MS });
    const seen = [collect(swapper.room(room)), collect(witness.room(room))];
    let losses = 0;
    for (const client of [swapper, witness]) client.addEventListener("disconnected", () => losses++);
    await Promise.all([swapper.room(room).join(), witness.room(room).join()]);
    const started = Date.now();
    let said = 0;
    while (Date.now() - started < 2 * LIFETIME_SECONDS * 1_000) {
      await Promise.all([swapper.room(room).send("tick"), witness.room(room).send("tock")]);
      said += 2;
      await pause(10);
    }
    await until(() => seen.every(({ messages }) => messages.length >= said));
    for (const { messages } of seen) {
      assertOrder(messages);
      assert.equal(messages.length, said);
    }
    assert.equal(losses, 0, "it was connected all the time");
    assert.ok(network.connections >= 4, "and yet not by one connection");
    const news = seen[1].presence.filter(({ userId }) => userId === 41);
    assert.deepEqual(news.map(({ came }) => came), [true], "who swaps connections has not left");
  });

  it("keeps what is said offline, and sends it in order when it is back", async (test) => {
    const room = fresh();
    const network = await startNetwork(test, run.page);
    const client = user(test, run, 51, { through: network });
    const seen = collect(client.room(room));
    await client.room(room).join();
    network.cut();
    await next(client, "disconnected");
    const sends = ["one", "two", "three"].map((text) => client.room(room).send(text));
    network.up();
    const ids = (await Promise.all(sends)).map(({ id }) => id);
    await until(() => seen.messages.length === 3);
    assert.deepEqual(seen.messages.map(({ content }) => content), ["one", "two", "three"]);
    assert.deepEqual(ids, seen.messages.map(({ id }) => id));
  });

  it("is told for good that its token is no good", async () => {
    const client = new ChatClient({ ...run, WebSocket: /** @type {any} */ (WebSocket), getToken: () => "not.a.token" });
    const refused = next(client, "disconnected");
    await assert.rejects(client.connect(), (error) => error instanceof ChatError && error.code === "refused");
    const { willRetry, code } = await refused;
    assert.deepEqual([willRetry, code, client.state], [false, "refused", "disconnected"]);
  });

  it("is told that a room is not for it, and goes on in the others", async (test) => {
    const client = user(test, run, 61, { claims: { rooms: ["open"] } });
    const closed = client.room("closed");
    const told = next(closed, "error");
    await assert.rejects(closed.join(), { code: "notAllowed", action: "joinRoom" });
    assert.equal((await told).code, "notAllowed");
    assert.equal(closed.joined, false);
    await client.room("open").join();
    await client.room("open").send("still here");
    await assert.rejects(closed.history(), { code: "notAllowed" });
  });

  it("renews a token that ran out before it reads the history", async (test) => {
    const tokens = [await run.token({ userId: 71 }), "ran.out"];
    const getToken = () => tokens.shift() ?? run.token({ userId: 71 });
    const client = user(test, run, 71, { getToken, lifetimeMs: 200 });
    // The server refuses the second connection's token, which the client holds from then on; the first connection stays.
    const { code } = await next(client, "error");
    assert.deepEqual([code, client.state], ["refused", "connected"]);
    assert.deepEqual((await client.room("renewed").history()).messages, []);
  });

  it("says a message again after its answer was lost, and nobody waits for the number that it cost", async (test) => {
    const room = fresh();
    const network = await startNetwork(test, run.page);
    const [near, far] = [user(test, run, 81, { through: network }), user(test, run, 82)];
    const seen = collect(far.room(room));
    await Promise.all([near.room(room).join(), far.room(room).join()]);
    network.deafen();
    const first = near.room(room).send("twice sent, once said");
    await until(() => seen.messages.length === 1);
    network.cut();
    await next(near, "disconnected");
    network.up();
    assert.equal((await first).id, 1);
    const [asked, { id }] = [performance.now(), await far.room(room).send("next")];
    await until(() => seen.messages.at(-1)?.id === id);
    assert.equal(id, 3);
    assert.ok(performance.now() - asked < 5_000, "a hole that is known to stay is not waited for");
    assert.deepEqual(seen.messages.map(({ content }) => content), ["twice sent, once said", "next"]);
  });

  it("shows who comes and goes", async (test) => {
    const room = fresh();
    const [stays, comes] = [user(test, run, 91), user(test, run, 92)];
    const seen = collect(stays.room(room));
    await stays.room(room).join();
    await comes.room(room).join();
    await until(() => seen.presence.some(({ userId, user }) => userId === 92 && user?.nickName === "用户 92"));
    await comes.room(room).leave();
    await until(() => seen.presence.some(({ userId, came }) => userId === 92 && !came));
  });
});

/**
 * A user who is connecting.
 * @param {TestContext} test @param {LocalRun} run @param {Id} id
 * @param {Partial<ChatOptions> & { through?: Network, claims?: Record<string, unknown> }} [options]
 */
function user(test, run, id, { through, claims, ...options } = {}) {
  const way = (/** @type {string} */ url) => through?.through(url) ?? url;
  const client = new ChatClient({
    url: way(run.url),
    historyUrl: way(run.historyUrl),
    getToken: () => run.token({ userId: id, username: `user-${id}`, nickName: `用户 ${id}`, ...claims }),
    WebSocket: /** @type {any} */ (WebSocket),
    ...options,
  });
  test.after(() => client.disconnect());
  void client.connect();
  return client;
}

/** @param {Message[]} messages */
function assertOrder(messages) {
  const ids = messages.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)].sort((one, other) => one - other), "once each, in the order of ids");
}
