/** A chat server that does what a test tells it to, over real sockets: the protocol, and every way to get it wrong. */
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { WebSocketServer } from "ws";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { TestContext } from "node:test" */
/** @import { WebSocket } from "ws" */
/** @import { Id, Kind } from "../chat-client.js" */

/** @typedef {{ id: number, type: Kind, content: string, chatroomId: Id, senderId: Id, createTime: string, clientMessageId?: string, attachment?: string, sender: object, version?: number, deleted?: boolean, reactions?: Record<string, Id[]>, reactionVersion?: number }} Stored */
/** In rounds: how long one takes, and what was pushed. @typedef {{ ms: number, pushed: number, changes: number[], changed: number }} Rounds */
/** @typedef {{ lastId: number, messages: Map<number, Stored>, sent: Map<string, Stored>, lastChange: number, rounds?: Rounds }} Room */
/** @typedef {{ socket: WebSocket, token: string, frames: any[], rooms: Set<string>, inRounds: Set<string>, push(frame: unknown): void }} Peer */

const KINDS = ["text", "image", "file"];
/** The real clock, even if a test changes the client's. */
const now = Date.now.bind(Date);
/** The token of these tests, of user 7. */
export const TOKEN = `e30.${Buffer.from(JSON.stringify({ userId: 7 })).toString("base64url")}.x`;

/**
 * @typedef {object} ScriptedServer
 * @property {string} url
 * @property {string} historyUrl
 * @property {Peer[]} peers Every connection that was opened, the ended ones too.
 * @property {Peer} peer The one that was opened last.
 * @property {string[]} handshakes Every handshake's subprotocols, the refused ones' too.
 * @property {URLSearchParams[]} asked What the history was asked.
 * @property {number | null} refusal Handshakes are refused with this status.
 * @property {number} ahead How far the server's clock is ahead of this machine's, in ms.
 * @property {(frame: any, peer: Peer) => boolean | void} answer Answers a frame in its own way if it returns true.
 * @property {(response: ServerResponse, query: URLSearchParams, request: IncomingMessage) => boolean | void} answerHistory
 *   Answers a request for the history in its own way if it returns true.
 * @property {(path: string, response: ServerResponse, request: IncomingMessage) => boolean | void} answerPage Serves what is not the history's.
 * @property {{ method: string, path: string, query: Record<string, string>, body: any }[]} requests What rooms that are kept, and uploads, were asked.
 * @property {(asked: { method: string, path: string, query: Record<string, string>, body: any }, response: ServerResponse) => boolean | void} answerRequest
 * @property {any[]} inbox What the list of rooms answers.
 * @property {Map<string, Map<Id, number>>} marks Up to where each user has read, by room.
 * @property {Map<string, string>} files What the store has, by key: the whole form as it came.
 * @property {(response: ServerResponse, request: IncomingMessage) => boolean | void} answerStore Answers a file in its own way if it returns true.
 * @property {(id: Id) => Room} room
 * @property {(room: Id) => number} count An id that is given out, and nothing stored under it.
 * @property {(room: Id, how?: { id?: number, ageMs?: number, isPushed?: boolean, content?: string }) => Stored} say
 *   Somebody else's message: stored, and pushed unless told otherwise.
 * @property {(room: Id, message: Stored, more?: object) => void} push
 * @property {(room: Id, id: number, change?: { content?: string, version?: number, isPushed?: boolean, isStored?: boolean }) => any} change
 *   An edit, or a recall where there is no content: stored, and pushed unless told otherwise. Gives its push.
 * @property {(room: Id, id: number, emoji: string, how?: { userId?: Id, on?: boolean, isPushed?: boolean }) => any} react
 * @property {(room: Id, frame: object) => void} tell Pushes a frame to the room.
 * @property {(room: Id, ms?: number) => void} enterRounds From here on, who sends or changes pushes nothing.
 * @property {(room: Id, how?: { upTo?: number, isLost?: boolean, members?: number }) => any} round
 *   Pushes what is new, as one frame to who asked for rounds, and one by one to others. Gives the frame.
 * @property {(room: Id) => void} leaveRounds
 * @property {string[]} feed What the list of changes was asked for, as `after`.
 * @property {number | undefined} settled The `settledChange` of joins.
 * @property {(response: ServerResponse, query: URLSearchParams) => boolean | void} answerFeed
 * @property {Record<string, unknown>} joined What the acks of joins have besides.
 * @property {(attachment: string) => string} address Where a file can be read.
 * @property {(action: string) => any[]} frames Every frame of an action, of all connections.
 */

/** Runs until the test ends. @param {TestContext} test */
export async function startScriptedServer(test) {
  /** @type {Map<string, Room>} */ const rooms = new Map();
  /** @type {ScriptedServer} */
  const server = {
    url: "",
    historyUrl: "",
    peers: [],
    handshakes: [],
    asked: [],
    refusal: null,
    ahead: 0,
    answer: () => false,
    answerHistory: () => false,
    answerPage: () => false,
    feed: [],
    settled: undefined,
    answerFeed: () => false,
    joined: {},
    requests: [],
    answerRequest: () => false,
    inbox: [],
    marks: new Map(),
    files: new Map(),
    answerStore: () => false,

    get peer() {
      return server.peers[server.peers.length - 1];
    },
    room(id) {
      const key = String(id);
      const room = rooms.get(key) ?? { lastId: 0, messages: new Map(), sent: new Map(), lastChange: 0 };
      rooms.set(key, room);
      return room;
    },
    count(room) {
      return ++server.room(room).lastId;
    },
    say(room, { id = server.count(room), ageMs = 0, isPushed = true, content = `message ${id}` } = {}) {
      const createTime = new Date(now() + server.ahead - ageMs).toISOString();
      const sender = { id: 8, username: "other", nickName: "Other", headPic: null };
      const message = /** @type {Stored} */ ({ id, type: "text", content, chatroomId: room, senderId: 8, createTime, sender });
      server.room(room).messages.set(id, message);
      if (isPushed && !server.room(room).rounds) server.push(room, message);
      return message;
    },
    push(room, message, more = {}) {
      const frame = { type: "sendMessage", chatroomId: room, userId: message.senderId, message, ...more };
      for (const peer of server.peers) if (peer.rooms.has(String(room))) peer.push(frame);
    },
    change(room, id, { content, version, isPushed = true, isStored = true } = {}) {
      const of = server.room(room);
      const deleted = content === undefined;
      version ??= of.lastChange + 1;
      const updateTime = new Date(now() + server.ahead).toISOString();
      const { sender: _, clientMessageId: __, reactions: ___, ...before } = /** @type {Stored} */ (of.messages.get(id));
      const state = { ...before, content: content ?? "", version, updateTime, ...(deleted ? { deleted, deletedBy: 8 } : {}) };
      const { sender } = /** @type {Stored} */ (of.messages.get(id));
      of.lastChange = Math.max(of.lastChange, version);
      if (isStored) of.messages.set(id, { ...state, sender });
      const frame = { type: deleted ? "deleteMessage" : "editMessage", chatroomId: room, userId: 8, message: state };
      of.rounds?.changes.push(id);
      if (isPushed && !of.rounds) server.tell(room, frame);
      return frame;
    },
    enterRounds(room, ms = 250) {
      const { lastId, lastChange } = server.room(room);
      server.room(room).rounds = { ms, pushed: lastId, changes: [], changed: lastChange };
    },
    leaveRounds(room) {
      delete server.room(room).rounds;
    },
    round(room, { upTo = server.room(room).lastId, isLost = false, members } = {}) {
      const { messages, lastChange, rounds } = server.room(room);
      if (!rounds) throw new Error(`${room} is not in rounds`);
      const { pushed: after, changes, changed } = rounds;
      const ids = Array.from({ length: upTo - after }, (_, at) => after + at + 1);
      const said = ids.flatMap((id) => messages.get(id) ?? []);
      const frame = {
        type: "messages",
        chatroomId: room,
        after,
        upTo,
        ...(members === undefined ? {} : { members }),
        senders: Object.fromEntries(said.map(({ senderId, sender }) => [senderId, sender])),
        messages: said.map(({ sender: _, chatroomId: __, ...message }) => message),
        ...(changes.length === 0 ? {} : { changesAfter: changed, changesUpTo: lastChange, changes: changes.map((id) => feedItem(messages.get(id))) }),
      };
      Object.assign(rounds, { pushed: upTo, changes: [], changed: lastChange });
      for (const peer of isLost ? [] : server.peers) {
        if (peer.inRounds.has(String(room))) peer.push(frame);
        else if (peer.rooms.has(String(room))) pushOneByOne(peer, room, ids);
      }
      return frame;
    },
    react(room, id, emoji, { userId = 8, on = true, isPushed = true } = {}) {
      const stored = /** @type {Stored} */ (server.room(room).messages.get(id));
      const users = (stored.reactions?.[emoji] ?? []).filter((known) => known !== userId);
      const reactions = { ...stored.reactions, [emoji]: on ? [...users, userId] : users };
      if (reactions[emoji].length === 0) delete reactions[emoji];
      const reactionVersion = (stored.reactionVersion ?? 0) + 1;
      Object.assign(stored, { reactions, reactionVersion });
      const frame = { type: "reactMessage", chatroomId: room, userId, id, emoji, on, reactionVersion, reactions };
      if (isPushed) server.tell(room, frame);
      return frame;
    },
    tell(room, frame) {
      for (const peer of server.peers) if (peer.rooms.has(String(room))) peer.push(frame);
    },
    address(attachment) {
      // As long as AWS's are, with the token of a role.
      const path = attachment.split("/").map(encodeURIComponent).join("/");
      return `${new URL(`/store/${path}`, server.historyUrl)}?X-Amz-Security-Token=${"x".repeat(2_500)}`;
    },
    frames(action) {
      return server.peers.flatMap(({ frames }) => frames.filter((frame) => frame.action === action));
    },
  };

  /** A number without a message is told with the next one. @param {Peer} peer @param {Id} room @param {number[]} ids */
  function pushOneByOne(peer, room, ids) {
    const { messages } = server.room(room);
    for (const message of ids.flatMap((id) => messages.get(id) ?? [])) {
      const unused = message.id > 1 && !messages.has(message.id - 1) ? { unusedId: message.id - 1 } : {};
      peer.push({ type: "sendMessage", chatroomId: room, userId: message.senderId, message, ...unused });
    }
  }

  /** @param {any} frame @param {Peer} peer */
  function handle(frame, peer) {
    const { action, requestId, chatroomId, message, clientMessageId } = frame;
    if (server.answer(frame, peer)) return;
    const ack = (/** @type {object} */ more) => peer.push({ type: "ack", action, requestId, chatroomId, ...more });
    const room = server.room(chatroomId);
    switch (action) {
      case "ping":
        return peer.push({ type: "pong", requestId });
      case "joinRoom": {
        peer.rooms.add(String(chatroomId));
        if (frame.rounds) peer.inRounds.add(String(chatroomId));
        const { lastChange } = room;
        return ack({ lastId: room.lastId, ...(lastChange > 0 ? { lastChange, settledChange: server.settled } : {}), ...server.joined });
      }
      case "editMessage":
      case "deleteMessage": {
        const done = room.sent.get(clientMessageId);
        const { version, updateTime } = done ?? server.change(chatroomId, frame.id, { content: message?.content }).message;
        if (clientMessageId) room.sent.set(clientMessageId, /** @type {any} */ ({ version, updateTime }));
        return ack({ id: frame.id, version, updateTime, ...(room.rounds ? { rounds: room.rounds.ms } : {}) });
      }
      case "reactMessage":
        server.react(chatroomId, frame.id, frame.emoji, { userId: 7, on: frame.on });
        return ack({ id: frame.id });
      case "markRead": {
        const marks = server.marks.get(String(chatroomId)) ?? new Map();
        server.marks.set(String(chatroomId), marks.set(7, Math.max(marks.get(7) ?? 0, frame.id)));
        const id = Number(marks.get(7));
        if (frame.tell) {
          const told = { type: "markRead", chatroomId, userId: 7, id };
          for (const other of server.peers) if (other !== peer && other.rooms.has(String(chatroomId))) other.push(told);
        }
        return ack({ id });
      }
      case "leaveRoom":
        for (const rooms of [peer.rooms, peer.inRounds]) rooms.delete(String(chatroomId));
        return ack({});
      case "sendMessage": {
        const id = server.count(chatroomId);
        const earlier = room.sent.get(clientMessageId);
        const sender = { id: 7, username: "me", nickName: "Me", headPic: null };
        const createTime = new Date(now() + server.ahead).toISOString();
        const file = message.attachment ? { content: server.address(message.attachment) } : {};
        const stored = earlier ?? { id, ...message, ...file, chatroomId, senderId: 7, createTime, clientMessageId, sender };
        room.sent.set(clientMessageId, stored);
        room.messages.set(stored.id, stored);
        const unused = earlier ? { unusedId: id } : {};
        if (room.rounds) return ack({ id: stored.id, createTime: stored.createTime, ...unused, rounds: room.rounds.ms });
        server.push(chatroomId, stored, unused);
        return ack({ id: stored.id, createTime: stored.createTime, ...unused });
      }
    }
  }

  const http = createServer((request, response) => {
    const url = new URL(String(request.url), "http://here");
    const query = url.searchParams;
    if (server.answerPage(url.pathname, response, request)) return;
    if (/^\/(chatroom\/|createUpload$)/.test(url.pathname)) return void answerAsked(request, response, url);
    if (url.pathname.startsWith("/store")) return void answerFile(request, response, url);
    if (url.pathname.endsWith("/changes")) return answerChanges(response, query);
    server.asked.push(query);
    response.setHeader("Date", new Date(now() + server.ahead).toUTCString());
    if (server.answerHistory(response, query, request)) return;
    const roomId = query.get("chatroomId");
    if (roomId === null) return answer(response, 400, { statusCode: 400, message: "chatroomId is missing" });
    const [limit, before, after] = ["limit", "before", "after"].map((name) => Number(query.get(name)));
    const all = [...server.room(roomId).messages.values()].sort((one, other) => one.id - other.id);
    const found = all.filter(({ id }) => (!before || id < before) && (!query.has("after") || id > after));
    const page = query.has("after") ? found.slice(0, limit) : found.slice(-limit);
    if (found.length > page.length) {
      response.setHeader("Link", `<?x=1>; rel="${query.has("after") ? "next" : "prev"}"`);
    }
    answer(response, 200, page.map(({ clientMessageId: _, type, ...item }) => ({ ...item, type: KINDS.indexOf(type) })));
  });
  /** @param {IncomingMessage} request @param {ServerResponse} response @param {URL} url */
  async function answerAsked(request, response, { pathname: path, searchParams }) {
    const [method, said] = [String(request.method), await text(request)];
    const asked = { method, path, query: Object.fromEntries(searchParams), body: said ? JSON.parse(said) : undefined };
    server.requests.push(asked);
    if (server.answerRequest(asked, response)) return;
    const { chatroomId, clientMessageId, name } = { ...asked.query, ...asked.body };
    if (path === "/createUpload") {
      const attachment = `rooms/${chatroomId}/7/${clientMessageId}/${name}`;
      const upload = { url: new URL("/store", server.historyUrl), fields: { key: attachment, policy: "signed" }, attachment };
      return void answer(response, 200, { type: "ack", action: "createUpload", chatroomId, ...upload });
    }
    const [, kept, id] = path.slice(1).split("/");
    if (kept === "list") return void answer(response, 200, server.inbox.filter((room) => !name || room.name.includes(name)));
    if (kept === "create-one-to-one") return void answer(response, 200, JSON.stringify("p-1"));
    if (kept === "create-group") return void answer(response, 200, JSON.stringify(`g-${asked.body.clientRoomId}`));
    if (kept === "info") return void answer(response, 200, { id, name: "Team", type: true, createTime: "2026-11-29T10:00:00.000Z", owner: 7, users: [] });
    if (kept === "reads") {
      const marks = [...(server.marks.get(String(chatroomId)) ?? [])];
      return void answer(response, 200, marks.map(([userId, lastRead]) => ({ userId, lastRead })));
    }
    answer(response, 200, JSON.stringify(decodeURIComponent(id)));
  }

  /** A store that takes what has a policy, and gives what it took to whoever has an address of it. @param {IncomingMessage} request @param {ServerResponse} response @param {URL} url */
  async function answerFile(request, response, { pathname }) {
    // A page of another origin may ask, as the bucket's rules say.
    response.setHeader("Access-Control-Allow-Origin", "*");
    if (server.answerStore(response, request)) return;
    if (request.method !== "POST") {
      const form = server.files.get(decodeURIComponent(pathname.replace("/store/", "")));
      return void answer(response, form === undefined ? 404 : 200, form ?? "");
    }
    const form = Buffer.concat(await request.toArray()).toString("latin1");
    const key = /name="key"\r\n\r\n(.*)\r\n/.exec(form)?.[1];
    if (!key || !form.includes('name="policy"')) return void answer(response, 403, "<Error><Code>AccessDenied</Code></Error>");
    server.files.set(Buffer.from(key, "latin1").toString(), form);
    response.statusCode = 201;
    response.end();
  }

  /** @param {ServerResponse} response @param {URLSearchParams} query */
  function answerChanges(response, query) {
    server.feed.push(String(query.get("after")));
    if (server.answerFeed(response, query)) return;
    const all = [...server.room(String(query.get("chatroomId"))).messages.values()].filter(({ version = 0 }) => version > Number(query.get("after")));
    all.sort((one, other) => Number(one.version) - Number(other.version));
    const page = all.slice(0, Number(query.get("limit")));
    if (all.length > page.length) response.setHeader("Link", `<?x=1>; rel="next"`);
    answer(response, 200, page.map(feedItem));
  }

  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "chat" });
  http.on("upgrade", (request, socket, head) => {
    const protocols = String(request.headers["sec-websocket-protocol"]).split(",").map((name) => name.trim());
    server.handshakes.push(protocols.join(" "));
    if (server.refusal !== null) return socket.end(`HTTP/1.1 ${server.refusal} Refused\r\nContent-Length: 0\r\n\r\n`);
    sockets.handleUpgrade(request, socket, head, (socket) => {
      const token = protocols[1].replace("bearer.", "");
      const push = (/** @type {unknown} */ frame) => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
      /** @type {Peer} */ const peer = { socket, token, frames: [], rooms: new Set(), inRounds: new Set(), push };
      server.peers.push(peer);
      socket.on("close", () => [peer.rooms, peer.inRounds].forEach((rooms) => rooms.clear()));
      socket.on("message", (data) => {
        const frame = JSON.parse(String(data));
        peer.frames.push(frame);
        handle(frame, peer);
      });
    });
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (http.address());
  server.url = `ws://127.0.0.1:${port}/dev`;
  server.historyUrl = `http://127.0.0.1:${port}/chat-history/list`;
  test.after(() => {
    for (const { socket } of server.peers) socket.terminate();
    http.close();
    http.closeAllConnections();
  });
  return server;
}

/** As the list of changes has it. @param {any} message */
function feedItem({ sender: _, clientMessageId: __, type, ...item }) {
  return { ...item, type: KINDS.indexOf(type), change: item.version };
}

/** @param {ServerResponse} response @param {number} status @param {unknown} body */
export function answer(response, status, body) {
  response.statusCode = status;
  response.setHeader("Content-Type", "application/json");
  response.end(typeof body === "string" ? body : JSON.stringify(body));
  return true;
}
