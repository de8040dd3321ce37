// @ts-check
/** What the frontend that the course ends with asks of rooms, as it asks it: by axios, with `GET` alone, and its own names. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import axios from "axios";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { startLocalRun } from "./local-run.js";

/** @import { TestContext } from "node:test" */
/** @import { LocalRun } from "./local-run.js" */

describe("the course's frontend", () => {
  /** @type {LocalRun} */ let run;
  before(async () => void (run = await startLocalRun()));
  after(() => run.stop());

  it("makes a pair, finds it again, and lists it by the other's name", async (test) => {
    const [guang, dong] = await Promise.all([user(test, 1, "Guang"), user(test, 2, "Dong")]);
    const none = await guang.get("/chatroom/findChatroom?userId1=1&userId2=2");
    assert.deepEqual([none.status, none.data], [200, null]);
    const { data: id } = await guang.get("/chatroom/create-one-to-one?friendId=2");
    assert.match(id, /^p-[\w-]{22}$/);
    assert.equal((await dong.get("/chatroom/create-one-to-one?friendId=1")).data, id);
    assert.equal((await dong.get("/chatroom/findChatroom?userId1=1&userId2=2")).data, id);
    const { data: rooms } = await guang.get("/chatroom/list?name=");
    const [{ createTime, ...room }] = rooms;
    assert.ok(Date.parse(createTime));
    assert.deepEqual(only(room, ["id", "name", "type", "userCount"]), { id, name: "Dong", type: false, userCount: 2 });
    assert.deepEqual([...room.userIds].sort(), [1, 2]);
  });

  it("makes a group, takes people in, and lets them go", async (test) => {
    const [guang, dong, xiao] = await Promise.all([user(test, 11, "Guang"), user(test, 12, "Dong"), user(test, 13, "Xiao")]);
    const made = await guang.get("/chatroom/create-group?name=Harbour");
    // Its page looks at the status alone.
    assert.equal(made.status, 200);
    const id = made.data;
    for (const who of [12, 13]) assert.equal((await guang.get(`/chatroom/join/${id}?joinUserId=${who}`)).data, id);
    const { data: info } = await dong.get(`/chatroom/info/${id}`);
    assert.deepEqual(only(info, ["id", "name", "type", "owner"]), { id, name: "Harbour", type: true, owner: 11 });
    const ids = (/** @type {{ id: number }[]} */ users) => users.map((user) => user.id).sort();
    assert.deepEqual(ids(info.users), [11, 12, 13]);
    const { data: members } = await dong.get(`/chatroom/members?chatroomId=${id}`);
    assert.deepEqual(ids(members), [11, 12, 13]);
    for (const field of ["username", "nickName", "headPic"]) assert.ok(field in members[0], field);

    const [listed] = (await xiao.get("/chatroom/list?name=arb")).data;
    assert.deepEqual(only(listed, ["id", "name", "type", "userCount"]), { id, name: "Harbour", type: true, userCount: 3 });
    assert.deepEqual((await xiao.get("/chatroom/list?name=nothing")).data, []);

    assert.equal((await xiao.get(`/chatroom/quit/${id}?quitUserId=13`)).status, 200);
    assert.equal((await guang.get(`/chatroom/quit/${id}?quitUserId=12`)).status, 200);
    assert.deepEqual([(await xiao.get("/chatroom/list?name=")).data, (await dong.get("/chatroom/list?name=")).data], [[], []]);
    await assert.rejects(dong.get(`/chatroom/info/${id}`), refused(403));
  });

  it("reads a room's history, and nobody else does", async (test) => {
    const [guang, stranger] = await Promise.all([user(test, 21, "Guang"), user(test, 22, "Stranger")]);
    const { data: id } = await guang.get("/chatroom/create-group?name=Garden");
    const said = { chatroomId: id, message: { type: "text", content: "hello" }, clientMessageId: "one" };
    await guang.post("/sendMessage", said);
    const { data } = await guang.get(`/chat-history/list?chatroomId=${id}`);
    assert.deepEqual(data.map((/** @type {any} */ message) => [message.type, message.content, message.senderId, message.sender.nickName]), [[0, "hello", 21, "Guang"]]);
    await assert.rejects(stranger.get(`/chat-history/list?chatroomId=${id}`), refused(403));
  });

  it("asks for nobody's members before a room is chosen", async (test) => {
    const guang = await user(test, 31, "Guang");
    assert.deepEqual((await guang.get("/chatroom/members?chatroomId=-1")).data, []);
  });

  it("is told what is not here: people by their names, and rooms of others", async (test) => {
    const [guang, stranger] = await Promise.all([user(test, 41, "Guang"), user(test, 42, "Stranger")]);
    const { data: id } = await guang.get("/chatroom/create-group?name=Own");
    // The course names whom to take in; names are its backend's to look up.
    await assert.rejects(guang.get(`/chatroom/join/${id}?joinUsername=dong`), refused(400));
    await assert.rejects(stranger.get(`/chatroom/join/${id}?joinUserId=42`), refused(403));
    await assert.rejects(guang.get("/chatroom/findChatroom?userId1=42&userId2=43"), refused(403));
    await assert.rejects(axios.get(new URL("/chatroom/list", run.page).href), refused(401));
  });

  /** Somebody whose page is open: its socket, and its `axiosInstance` with the token in a header. @param {TestContext} test @param {number} userId @param {string} nickName */
  async function user(test, userId, nickName) {
    const token = await run.token({ userId, username: nickName.toLowerCase(), nickName, rooms: "@mine" });
    const client = new ChatClient({ ...run, getToken: () => token, WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    await client.connect();
    const instance = axios.create({ baseURL: new URL("/", run.page).href, timeout: 30_000 });
    instance.interceptors.request.use((config) => {
      config.headers.authorization = `Bearer ${token}`;
      return config;
    });
    return instance;
  }
});

/** The errors that its pages read: `e.response.data.message`. @param {number} status */
function refused(status) {
  return (/** @type {any} */ error) => {
    assert.equal(error.response?.status, status, String(error));
    assert.equal(typeof error.response.data.message, "string");
    return true;
  };
}

/** @param {Record<string, unknown>} all @param {string[]} names */
function only(all, names) {
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}
