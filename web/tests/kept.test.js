// @ts-check
/** Rooms that the server keeps: the inbox, groups and pairs, and who is in. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, Kept } from "../chat-client.js";
import { next, until } from "./listening.js";
import { connected, entered } from "./living.js";
import { TOKEN, answer, startScriptedServer } from "./scripted-server.js";

const TIME = "2026-11-29T10:00:00.000Z";
const TEAM = { id: "g-1", name: "Team", type: true, createTime: TIME, userCount: 2, userIds: [7, 8], unread: 3, lastRead: 39, mentioned: true };
const PAIR = { id: "p-1", name: "Other", type: false, createTime: TIME, userCount: 2, userIds: [7, 8], unread: 0, lastRead: 0, mentioned: false };

describe("the inbox", { concurrency: true }, () => {
  it("lists one's rooms as the server does, with the kinds of last messages by name", async (test) => {
    const { server, client } = await connected(test);
    const last = { id: 42, type: 1, content: "cat.png", senderId: 8, createTime: TIME };
    server.inbox = [{ ...TEAM, lastMessage: last }, PAIR];
    assert.deepEqual(await client.rooms(), [{ ...TEAM, lastMessage: { ...last, type: "image" } }, PAIR]);
    assert.deepEqual(await client.rooms({ name: "Oth" }), [PAIR]);
    assert.deepEqual(server.requests, [
      { method: "GET", path: "/chatroom/list", query: {}, body: undefined },
      { method: "GET", path: "/chatroom/list", query: { name: "Oth" }, body: undefined },
    ]);
  });

  it("says how much is unread, before a room is entered and after", async (test) => {
    const { server, client } = await connected(test);
    server.inbox = [TEAM];
    const room = client.room("g-1");
    assert.deepEqual([room.unread, room.lastRead], [undefined, undefined]);
    await client.rooms();
    assert.deepEqual([room.unread, room.lastRead], [3, 39]);
    server.room("g-1").lastId = 42;
    await room.join();
    assert.equal(room.unread, 3);
    server.say("g-1");
    await next(room, "message");
    assert.equal(room.unread, 4);
    // An older answer takes nothing back.
    server.inbox = [{ ...TEAM, unread: 2, lastRead: 38 }];
    await client.rooms();
    assert.deepEqual([room.unread, room.lastRead], [4, 39]);
  });

  it("comes after all when the token had ended, and is asked for once more with a new one", async (test) => {
    const server = await startScriptedServer(test);
    const { url, historyUrl } = server;
    let tokens = 0;
    const getToken = () => (tokens++, TOKEN);
    const client = new ChatClient({ url, historyUrl, getToken, WebSocket: /** @type {any} */ (WebSocket), features: [Kept] });
    server.answerRequest = (_, response) => server.requests.length === 1 && answer(response, 403, { message: "Forbidden" });
    assert.deepEqual(await client.rooms(), []);
    assert.deepEqual([tokens, server.requests.length], [2, 2]);
  });

  for (const [what, body] of /** @type {[string, unknown][]} */ ([["no list", { rooms: [] }], ["nothings", [null]], ["rooms without an id", [{ name: "x" }]]])) {
    it(`is refused where it is ${what}`, async (test) => {
      const { server, client, errors } = await connected(test);
      server.answerRequest = (_, response) => answer(response, 200, body);
      await assert.rejects(client.rooms(), { code: "badResponse", retryable: true });
      assert.deepEqual(errors.map(({ code }) => code), ["badResponse"]);
    });
  }
});

describe("a kept room", { concurrency: true }, () => {
  it("is made, shared and left by the routes that are posted to", async (test) => {
    const { server, client } = await connected(test);
    assert.equal(await client.createPair(8), "p-1");
    const id = await client.createGroup("Team");
    assert.match(id, /^g-\w{32}$/);
    // Whoever repeats it after a failure has one group.
    assert.equal(await client.createGroup("Team", { clientRoomId: "mine" }), "g-mine");
    assert.equal(await client.invite("g-mine", 8), undefined);
    assert.equal(await client.quit("g-mine", 8), undefined);
    assert.deepEqual((await client.info("g-a/b")).id, "g-a%2Fb");
    await client.quit("g-mine");
    assert.deepEqual(server.requests.map(({ method, path, body }) => [method, path, body]), [
      ["POST", "/chatroom/create-one-to-one", { friendId: 8 }],
      ["POST", "/chatroom/create-group", { name: "Team", clientRoomId: id.slice(2) }],
      ["POST", "/chatroom/create-group", { name: "Team", clientRoomId: "mine" }],
      ["POST", "/chatroom/join/g-mine", { joinUserId: 8 }],
      ["POST", "/chatroom/quit/g-mine", { quitUserId: 8 }],
      ["GET", "/chatroom/info/g-a%2Fb", undefined],
      ["POST", "/chatroom/quit/g-mine", {}],
    ]);
  });

  it("that one may not change says so, by the promise and as an event", async (test) => {
    const { server, client, errors } = await connected(test);
    server.answerRequest = (_, response) => answer(response, 403, { statusCode: 403, error: "Forbidden", message: "only its owner may" });
    await assert.rejects(client.quit("g-1", 9), { code: "notAllowed", message: "only its owner may", retryable: false });
    server.answerRequest = (_, response) => answer(response, 429, { statusCode: 429, error: "Too Many Requests", message: "a user has 200 kept rooms at most" });
    await assert.rejects(client.createGroup("one more"), { code: "tooMany", action: "createGroup", retryable: false });
    await assert.rejects(client.info(/** @type {any} */ ("")), { code: "badRequest" });
    assert.deepEqual(errors.map(({ code }) => code), ["notAllowed", "tooMany", "badRequest"]);
    assert.equal(server.requests.length, 2, "the token was not at fault, so nothing was asked again");
  });

  it("waits for the server's pace, and says that it is too fast in the end", async (test) => {
    const { server, client, errors } = await connected(test);
    let refusals = 2;
    const refuse = (/** @type {any} */ response) =>
      answer(response, 429, { statusCode: 429, error: "Too Many Requests", message: "too much in this room, try again in 20 ms" });
    server.answerRequest = (_, response) => refusals-- > 0 && refuse(response);
    await client.invite("g-1", 8);
    assert.equal(server.requests.length, 3);
    server.answerRequest = (_, response) => refuse(response);
    await assert.rejects(client.invite("g-1", 9), { code: "rateLimited", retryable: true });
    assert.deepEqual([server.requests.length, errors.length], [9, 1]);
  });

  it("that one is taken into is told, whether it is known here or not", async (test) => {
    const { server, client } = await connected(test);
    const added = next(client, "roomAdded");
    server.peer.push({ type: "roomAdded", chatroomId: "g-2", userId: 8 });
    assert.deepEqual(await added, { roomId: "g-2", userId: 8 });
    assert.equal(client.room("g-2").joined, false);
  });

  it("that one is taken out of is left, and not entered again", async (test) => {
    const { server, client, room } = await entered(test);
    const team = client.room("g-2");
    await team.join();
    const removed = next(client, "removed");
    server.answer = ({ action }) => action === "sendMessage";
    const sent = team.send("too late");
    server.peer.push({ type: "removed", chatroomId: "g-2", reason: "quit" });
    assert.deepEqual(await removed, { roomId: "g-2", reason: "quit" });
    await assert.rejects(sent, { code: "removed" });
    assert.equal(team.joined, false);
    await assert.rejects(team.send("still there?"), { code: "left" });
    server.answer = () => false;
    server.peer.socket.terminate();
    await until(() => server.peers.length === 2 && room.joined);
    assert.deepEqual([server.frames("joinRoom").filter(({ chatroomId }) => chatroomId === "g-2").length, server.frames("leaveRoom")], [1, []]);
  });

  it("that one quits is left although no push says so", async (test) => {
    const { client } = await connected(test);
    const team = client.room("g-2");
    await team.join();
    await client.quit("g-2", 8);
    assert.equal(team.joined, true);
    await client.quit("g-2", "7");
    assert.equal(team.joined, false);
  });

  it("of which a push makes no sense is passed over", async (test) => {
    const { server, client, errors } = await connected(test);
    server.peer.push({ type: "roomAdded", userId: 8 });
    server.peer.push({ type: "removed", chatroomId: "", reason: "quit" });
    await until(() => errors.length === 2);
    assert.deepEqual(errors.map(({ code }) => code), ["badFrame", "badFrame"]);
    assert.equal(client.state, "connected");
  });
});
