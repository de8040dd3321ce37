// @ts-check
/**
 * The chat protocol over one WebSocket: rooms, sends that outlive a lost connection, a history without gaps.
 * It knows no DOM; `main.js` shows its use.
 */

/** @typedef {number | string} Id */
/** @typedef {"text" | "image" | "file"} Kind */
/** @typedef {{ id: Id, username?: string, nickName?: string, email?: string, headPic?: string, createTime?: string }} Profile */
/** @typedef {{ id: number, type: Kind, content: string, chatroomId: Id, senderId: Id, createTime: string, clientMessageId?: string, sender?: Profile }} Message */
/** @typedef {{ type: "joinRoom" | "leaveRoom", chatroomId: Id, userId: Id, user?: Profile }} Presence */
/** @typedef {{ state: "connecting" | "online" | "offline", reason?: string, retryInMs?: number }} Status */
/**
 * @typedef {object} Handlers
 * @property {(message: Message, next: Message | undefined) => void} message Each message once, with the one it stands before.
 * @property {(presence: Presence) => void} presence
 * @property {(roomId: Id, hasOlder: boolean) => void} history A page of older messages has been given to `message`.
 * @property {(status: Status) => void} status
 * @property {(error: ChatError) => void} error What no promise tells; with the action `joinRoom` the room is lost.
 */
/**
 * `me` is whom the token names; `getToken` is called for each connection, and when the history answers 401.
 * @typedef {{ socketUrl: string, historyUrl: string, me: Profile, getToken: () => Promise<string>, on: Handlers }} Options
 */
/** @typedef {{ kind: Kind, content: string, clientMessageId: string, tries: number, done: Deferred<Message> }} Send */
/** @template T @typedef {{ promise: Promise<T>, resolve: (value: T) => void, reject: (error: ChatError) => void }} Deferred */

/** The server's time-out for a send: an id given out longer ago than this is stored or never will be. */
const SEND_TIMEOUT_MS = 10_000;
/** Longer than the server's time-out, so that silence means a dead connection or a dead function. */
const REPLY_WITHIN_MS = 15_000;
/** API Gateway cuts a connection that is idle for 10 minutes. */
const PING_EVERY_MS = 5 * 60_000;
/** Pushes may overtake each other by this much; asking at once would cost a request per member. */
const OVERTAKING_MS = 300;
const RECONNECT_MAX_MS = 30_000;
const REFILL_MAX_MS = 4_000;
/** Longest message, in characters: the server's limit. */
const CONTENT_MAX = 4_000;
const SEND_TRIES = 5;
const PAGE_SIZE = 50;
const KINDS = /** @type {const} */ (["text", "image", "file"]);

export class ChatError extends Error {
  /** @param {string} message @param {{ code?: string, action?: string, retryable?: boolean }} [about] */
  constructor(message, { code, action, retryable = false } = {}) {
    super(message);
    this.code = code;
    this.action = action;
    this.retryable = retryable;
  }
}

/** One user's connection. `close` is final; for another user make another client. */
export class ChatClient {
  #options;
  #on;
  /** @type {WebSocket | null} */ #socket = null;
  #token = "";
  /** @type {Map<string, Room>} */ #rooms = new Map();
  /** @type {Map<string, Deferred<any> & { clientMessageId?: string }>} */ #waiting = new Map();
  #requests = 0;
  #attempts = 0;
  #closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #reconnecting;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #pinging;
  /** The server's clock is at least `performance.now()` plus this: the local wall clock may be wrong. */
  #serverOffset = -Infinity;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#on = options.on;
  }

  async connect() {
    this.#on.status({ state: "connecting" });
    try {
      this.#token = await this.#options.getToken();
      if (this.#closed) return;
      // The token goes with the subprotocols: a browser can set no headers, and addresses end up in logs.
      const socket = new WebSocket(this.#options.socketUrl, ["chat", `bearer.${this.#token}`]);
      this.#socket = socket;
      let opened = false;
      socket.onopen = () => {
        opened = true;
        this.#on.status({ state: "online" });
        this.#pinging = setInterval(() => this.#request({ action: "ping" }).catch(() => {}), PING_EVERY_MS);
        for (const room of this.#rooms.values()) void this.#enter(room);
      };
      socket.onmessage = ({ data }) => {
        if (socket === this.#socket) this.#receive(data);
      };
      socket.onclose = async ({ reason }) => {
        const why = reason || (opened ? "the connection was lost" : await this.#refusal());
        this.#lose(socket, why);
      };
    } catch (caught) {
      this.#reconnect(/** @type {Error} */ (caught).message);
    }
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#reconnecting);
    for (const room of this.#rooms.values()) this.#forget(room, new ChatError("the connection was closed"));
    if (this.#socket) this.#lose(this.#socket, "the connection was closed");
  }

  /** Enters the room now and after each reconnect. @param {Id} roomId @returns {Promise<void>} */
  join(roomId) {
    let room = this.#rooms.get(String(roomId));
    if (!room) {
      room = new Room(roomId);
      this.#rooms.set(String(roomId), room);
      if (this.#isOpen()) void this.#enter(room);
    }
    return room.entered.promise;
  }

  /** @param {Id} roomId */
  async leave(roomId) {
    const room = this.#rooms.get(String(roomId));
    if (!room) return;
    this.#forget(room, new ChatError("the room was left"));
    if (this.#isOpen()) await this.#request({ action: "leaveRoom", chatroomId: roomId });
  }

  /**
   * Settles once the message has an id and has been given to the `message` handler.
   * @param {Id} roomId @param {Kind} kind @param {string} content @returns {Promise<Message>}
   */
  send(roomId, kind, content) {
    const room = this.#rooms.get(String(roomId));
    if (!room) return Promise.reject(new ChatError("join the room first"));
    // Refused here: a frame over API Gateway's 32 KB would cost the connection instead of an answer.
    if ([...content].length > CONTENT_MAX) {
      return Promise.reject(new ChatError(`longer than ${CONTENT_MAX} characters`, { code: "tooLarge" }));
    }
    /** @type {Deferred<Message>} */
    const done = deferred();
    // Half an emoji is no text: the server could not read the frame, and so not say to which request it belongs.
    const text = content.replace(/\p{Surrogate}/gu, "\ufffd");
    room.outbox.push({ kind, content: text, clientMessageId: newId(), tries: 0, done });
    void this.#sendNext(room);
    return done.promise;
  }

  /** @param {Id} roomId */
  async loadOlder(roomId) {
    const room = this.#rooms.get(String(roomId));
    if (!room?.older) return;
    const { links } = await this.#fetchPage(room, room.older);
    room.older = links.prev ?? null;
    this.#on.history(room.id, room.older !== null);
  }

  #isOpen() {
    return this.#socket !== null && this.#socket.readyState === this.#socket.OPEN;
  }

  /** @param {WebSocket} socket @param {string} reason */
  #lose(socket, reason) {
    // A dead connection reports its close long after it was given up.
    if (socket !== this.#socket) return;
    this.#socket = null;
    clearInterval(this.#pinging);
    socket.close();
    for (const room of this.#rooms.values()) room.joined = room.caughtUp = false;
    for (const waiting of [...this.#waiting.values()]) {
      waiting.reject(new ChatError(reason, { code: "connectionLost", retryable: true }));
    }
    this.#reconnect(reason);
  }

  /** @param {string} reason */
  #reconnect(reason) {
    if (this.#closed) return;
    const retryInMs = backoff(this.#attempts++, RECONNECT_MAX_MS);
    this.#reconnecting = setTimeout(() => this.connect(), retryInMs);
    this.#on.status({ state: "offline", reason, retryInMs });
  }

  /** A browser hides why a handshake was refused; the history stands behind the same check and tells. */
  async #refusal() {
    const [room] = this.#rooms.values();
    const refused = "the server refused the connection";
    if (!room) return refused;
    return this.#get(this.#historyUrl(room, { limit: 1 })).then(() => refused, (error) => error.message);
  }

  /** @param {{ action: string, [field: string]: unknown }} frame @returns {Promise<any>} */
  #request(frame) {
    const socket = this.#socket;
    const lost = new ChatError("not connected", { code: "connectionLost", retryable: true });
    if (!socket || !this.#isOpen()) return Promise.reject(lost);
    const requestId = `r${++this.#requests}`;
    /** @type {Deferred<any>} */
    const reply = deferred();
    this.#waiting.set(requestId, { ...reply, clientMessageId: /** @type {any} */ (frame).clientMessageId });
    const timer = setTimeout(() => this.#lose(socket, "the server did not answer"), REPLY_WITHIN_MS);
    socket.send(JSON.stringify({ ...frame, requestId }));
    return reply.promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(requestId);
    });
  }

  /** @param {string} data */
  #receive(data) {
    const frame = JSON.parse(data);
    const waiting = this.#waiting.get(frame.requestId);
    const room = this.#rooms.get(String(frame.chatroomId));
    switch (frame.type) {
      case "ack":
      case "pong":
        this.#attempts = 0;
        waiting?.resolve(frame);
        break;
      case "error": {
        const { code, action } = frame;
        const error = new ChatError(frame.message ?? code, { code, action, retryable: code === "internal" });
        if (waiting) waiting.reject(error);
        else if (!frame.requestId) this.#on.error(error);
        break;
      }
      case "joinRoom":
      case "leaveRoom":
        if (room?.caughtUp) this.#on.presence(frame);
        else room?.held.push(frame);
        break;
      case "sendMessage":
        if (room) this.#receiveMessage(room, frame.message);
        break;
      default:
        // API Gateway's own failures have a message and no type; their requestId is not ours.
        if (frame.message) this.#on.error(new ChatError(frame.message));
    }
  }

  /** @param {Room} room @param {Message} message */
  #receiveMessage(room, message) {
    this.#add(room, message);
    if (message.clientMessageId && String(message.senderId) === String(this.#options.me.id)) {
      for (const waiting of this.#waiting.values()) {
        if (waiting.clientMessageId === message.clientMessageId) waiting.resolve(message);
      }
    }
    if (room.joined && !room.filling && !room.isWhole()) void this.#fill(room, OVERTAKING_MS);
  }

  /** @param {Room} room */
  async #enter(room) {
    for (let attempt = 0; this.#isOpen() && this.#has(room) && !room.joined; attempt++) {
      try {
        const ack = await this.#request({ action: "joinRoom", chatroomId: room.id });
        if (!this.#has(room)) return;
        room.joined = true;
        room.upTo = Math.max(room.upTo, ack.lastId);
        room.upToFinalAt = performance.now() + SEND_TIMEOUT_MS;
        room.entered.resolve();
        void this.#fill(room, 0);
        void this.#sendNext(room);
      } catch (caught) {
        const error = /** @type {ChatError} */ (caught);
        // After a loss it is the next connection's turn.
        if (error.code === "connectionLost") return;
        if (!error.retryable) {
          this.#forget(room, error);
          this.#on.error(error);
          return;
        }
        await sleep(backoff(attempt, RECONNECT_MAX_MS));
      }
    }
  }

  /** @param {Room} room */
  #has(room) {
    return this.#rooms.get(String(room.id)) === room;
  }

  /** @param {Room} room @param {ChatError} why */
  #forget(room, why) {
    this.#rooms.delete(String(room.id));
    room.joined = false;
    room.entered.reject(why);
    for (const send of room.outbox.splice(0)) send.done.reject(why);
  }

  /** One at a time: frames of one connection are handled side by side and could swap. @param {Room} room */
  async #sendNext(room) {
    if (room.sending) return;
    room.sending = true;
    while (room.joined && room.outbox.length > 0) {
      const send = room.outbox[0];
      const { kind: type, content, clientMessageId } = send;
      try {
        const chatroomId = room.id;
        const sent = { action: "sendMessage", chatroomId, message: { type, content }, clientMessageId };
        const { id, createTime } = await this.#request(sent);
        room.outbox.shift();
        const { me } = this.#options;
        const message = { id, type, content, chatroomId, senderId: me.id, createTime, clientMessageId, sender: me };
        this.#receiveMessage(room, message);
        send.done.resolve(message);
      } catch (caught) {
        const error = /** @type {ChatError} */ (caught);
        if (error.retryable && ++send.tries < SEND_TRIES) {
          await sleep(backoff(send.tries, REFILL_MAX_MS));
        } else {
          room.outbox.shift();
          send.done.reject(error);
        }
      }
    }
    room.sending = false;
  }

  /** Puts a message in its place, once. @param {Room} room @param {Message} message */
  #add(room, message) {
    if (room.ids.has(message.id) || !this.#has(room)) return;
    const at = room.messages.findLastIndex(({ id }) => id < message.id) + 1;
    room.messages.splice(at, 0, message);
    room.ids.add(message.id);
    room.upTo = Math.max(room.upTo, message.id);
    this.#serverOffset = Math.max(this.#serverOffset, Date.parse(message.createTime) - performance.now());
    this.#on.message(message, room.messages[at + 1]);
  }

  /** Asks the history until nothing is missing that can still come. @param {Room} room @param {number} delayMs */
  async #fill(room, delayMs) {
    const run = (room.filling = {});
    const isCurrent = () => room.filling === run && room.joined;
    await sleep(delayMs);
    for (let attempt = 0; isCurrent() && !room.isWhole(); attempt++) {
      // Only an answer asked for after a hole became final can tell that it stays one.
      const askedAt = performance.now();
      try {
        await (room.solid === null ? this.#fetchNewest(room) : this.#fetchAfter(room, room.solid));
        room.passFinalHoles(askedAt, this.#serverOffset);
      } catch (caught) {
        const error = /** @type {ChatError} */ (caught);
        if (isCurrent()) this.#on.error(error);
        if (!error.retryable) break;
      }
      if (isCurrent()) this.#release(room);
      if (!room.isWhole()) await sleep(backoff(attempt, REFILL_MAX_MS));
    }
    if (!isCurrent()) return;
    this.#release(room);
    room.filling = null;
  }

  /** @param {Room} room */
  #release(room) {
    room.caughtUp = true;
    for (const presence of room.held.splice(0)) this.#on.presence(presence);
  }

  /** @param {Room} room */
  async #fetchNewest(room) {
    const { messages, links } = await this.#fetchPage(room, this.#historyUrl(room, { limit: PAGE_SIZE }));
    room.solid = messages.length > 0 ? messages[0].id - 1 : 0;
    room.older = links.prev ?? null;
    this.#on.history(room.id, room.older !== null);
  }

  /** @param {Room} room @param {number} after */
  async #fetchAfter(room, after) {
    /** @type {URL | undefined} */
    let url = this.#historyUrl(room, { limit: PAGE_SIZE, after });
    while (url) {
      const { messages, links } = await this.#fetchPage(room, url);
      url = messages.length > 0 ? links.next : undefined;
    }
  }

  /** @param {Room} room @param {URL} url @returns {Promise<{ messages: Message[], links: Record<string, URL> }>} */
  async #fetchPage(room, url) {
    const response = await this.#get(url);
    /** @type {(Message & { type: any })[]} */
    const items = await response.json();
    const messages = items.map((item) => ({ ...item, type: KINDS[item.type] }));
    for (const message of messages) this.#add(room, message);
    return { messages, links: parseLinks(response.headers.get("Link") ?? "", url) };
  }

  /** @param {Room} room @param {Record<string, number>} paging */
  #historyUrl(room, paging) {
    const url = new URL(this.#options.historyUrl);
    url.searchParams.set("chatroomId", String(room.id));
    for (const [name, value] of Object.entries(paging)) url.searchParams.set(name, String(value));
    return url;
  }

  /** @param {URL} url @returns {Promise<Response>} */
  async #get(url, mayRenew = true) {
    const headers = { Authorization: `Bearer ${this.#token}` };
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(REPLY_WITHIN_MS) }).catch(() => {
      throw new ChatError("the server cannot be reached", { retryable: true });
    });
    if (response.ok) return response;
    if (response.status === 401 && mayRenew) {
      this.#token = await this.#options.getToken();
      return this.#get(url, false);
    }
    const body = await response.json().catch(() => ({}));
    const retryable = response.status >= 500 || response.status === 429;
    throw new ChatError(body.message ?? `the history answered ${response.status}`, { retryable });
  }
}

class Room {
  /** @type {Deferred<void>} */ entered = deferred();
  /** On the present connection. */
  joined = false;
  /** By id. @type {Message[]} */
  messages = [];
  /** @type {Set<number>} */ ids = new Set();
  /** Up to here nothing is missing that can still come; null before the first page. @type {number | null} */
  solid = null;
  /** The newest id known to be given out. */
  upTo = 0;
  /** When (`performance.now`) the ids that the join told of can no longer be stored. */
  upToFinalAt = 0;
  /** @type {URL | null} */ older = null;
  /** The present run of `#fill`; a new one replaces it. @type {object | null} */
  filling = null;
  caughtUp = false;
  /** Presences that wait for the messages before them. @type {Presence[]} */
  held = [];
  /** @type {Send[]} */ outbox = [];
  sending = false;

  /** @param {Id} id */
  constructor(id) {
    this.id = id;
  }

  isWhole() {
    if (this.solid === null) return false;
    while (this.ids.has(this.solid + 1)) this.solid += 1;
    return this.solid >= this.upTo;
  }

  /** @param {number} askedAt @param {number} serverOffset */
  passFinalHoles(askedAt, serverOffset) {
    while (this.solid !== null && !this.isWhole()) {
      const solid = this.solid;
      const next = this.messages.find(({ id }) => id > solid);
      const isFinal = next
        ? askedAt + serverOffset - Date.parse(next.createTime) >= SEND_TIMEOUT_MS
        : askedAt >= this.upToFinalAt;
      if (!isFinal) return;
      this.solid = next ? next.id : this.upTo;
    }
  }
}

/** @param {string} header @param {URL} base */
function parseLinks(header, base) {
  /** @type {Record<string, URL>} */
  const links = {};
  for (const [, target, rel] of header.matchAll(/<([^>]*)>\s*;\s*rel="?(\w+)"?/g)) {
    const url = new URL(target, base);
    // The token goes along, so a link to elsewhere is none.
    if (url.origin === base.origin) links[rel] = url;
  }
  return links;
}

/** Doubling from half a second, jittered: all clients of a restarted server come back at once. */
function backoff(/** @type {number} */ attempt, /** @type {number} */ maxMs) {
  return Math.min(maxMs, 500 * 2 ** attempt) * (0.5 + Math.random() / 2);
}

function sleep(/** @type {number} */ ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** `crypto.randomUUID` exists only on secure origins, and a laptop's address in the office is none. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @template T @returns {Deferred<T>} */
function deferred() {
  /** @type {any} */
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
