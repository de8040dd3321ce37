// @ts-check
/** A room that components share, whatever framework they are of: the first that uses it enters it, the last one leaves it. */
import { ChatError, applyChange } from "serverless-chat-client";

/** @import { ChatRoom, Id, Message, OnlineRoom, Page } from "serverless-chat-client" */

/**
 * As much of a client as this needs, so that a client with any features is one.
 * @template {ChatRoom} [R=ChatRoom] @typedef {EventTarget & { room(id: Id): R }} ClientOf
 */
/** @typedef {{ entered: boolean, error: ChatError | null }} RoomState */
/** @typedef {{ messages: readonly Message[], hasOlder: boolean, isLoading: boolean }} MessagesState */
/** @typedef {Pick<OnlineRoom, "online" | "onlineCount" | "onlineMore">} OnlineState */

/** Of more messages than the first number, the newest of the second are kept, unless older ones were asked for: a tree draws them all. */
const [MESSAGES_MAX, MESSAGES_KEPT] = [600, 400];

/** @type {WeakMap<ChatRoom, SharedRoom>} */ const shared = new WeakMap();

/** The room's, always the same object. Enters nothing before somebody subscribes. @param {ClientOf} client @param {Id} roomId */
export function sharedRoom(client, roomId) {
  const room = client.room(roomId);
  let known = shared.get(room);
  if (!known) shared.set(room, (known = new SharedRoom(client, room)));
  return known;
}

/** A part of what is known of a room: a snapshot that is replaced, and never changed. @template T */
export class Part {
  #room;
  #make;
  /** @type {Set<() => void>} */ #listeners = new Set();
  #isBehind = false;
  #shown;

  /** @param {SharedRoom} room @param {() => T} make */
  constructor(room, make) {
    this.#room = room;
    this.#make = make;
    this.#shown = this.empty = make();
  }

  /** Bound, because frameworks compare it. */
  get = () => this.#shown;

  /** What a server renders, which enters no room. */
  getEmpty = () => this.empty;

  get isUsed() {
    return this.#listeners.size > 0;
  }

  /** @param {() => void} listener */
  subscribe = (listener) => {
    // Two components may pass the same function.
    const own = () => listener();
    this.#listeners.add(own);
    this.#room.use();
    return () => {
      if (this.#listeners.delete(own)) this.#room.release();
    };
  };

  /** In a crowd one frame brings many messages: all that a task brings is told once. */
  changed() {
    if (this.#isBehind) return;
    this.#isBehind = true;
    queueMicrotask(() => {
      this.#isBehind = false;
      this.#shown = this.#make();
      for (const listener of [...this.#listeners]) listener();
    });
  }

  reset() {
    this.#shown = this.empty;
  }
}

export class SharedRoom {
  room;
  #client;
  #users = 0;
  /** From the first user to the last. @type {AbortController | null} */ #use = null;
  #entered = false;
  /** @type {ChatError | null} */ #error = null;
  /** @type {Message[]} */ #messages = [];
  #hasOlder = false;
  /** The request for a page that counts. @type {object | null} */ #loading = null;
  #isRead = false;
  /** Whether somebody reads further up, and must not lose the place. */
  #isReadUp = false;
  /** Pages end before this id; undefined for where the `message` events begin. @type {number | undefined} */ #before;
  /** @type {readonly Id[]} */ #typing = [];

  /** @param {ClientOf} client @param {ChatRoom} room */
  constructor(client, room) {
    this.#client = client;
    this.room = room;
    this.state = new Part(this, () => /** @type {RoomState} */ ({ entered: this.#entered, error: this.#error }));
    this.messages = new Part(this, () => this.#shownMessages());
    this.online = new Part(this, () => this.#shownOnline());
    this.typing = new Part(this, () => this.#typing);
  }

  use() {
    this.#users++;
    if (!this.#use) this.#begin();
    // Whoever only types needs no history.
    if (this.#entered && this.messages.isUsed && !this.#isRead) void this.#read();
  }

  release() {
    this.#users--;
    // React's StrictMode, and a change of screens, subscribe again in the same task.
    queueMicrotask(() => {
      if (this.#users === 0) this.#end();
    });
  }

  #begin() {
    const { room } = this;
    const { signal } = (this.#use = new AbortController());
    /** @param {EventTarget} target @param {string} type @param {(detail: any) => void} listener */
    const listen = (target, type, listener) => {
      target.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail), { signal });
    };
    // The application may have entered already: what it was told until now comes as pages.
    const { solid } = /** @type {ChatRoom & { solid: number }} */ (room);
    this.#before = solid > 0 ? solid + 1 : undefined;
    listen(room, "message", (message) => {
      this.#messages.push(message);
      this.#shorten();
      this.messages.changed();
    });
    listen(room, "changed", (change) => this.#replace(change.id, (message) => applyChange(message, change)));
    listen(room, "reaction", ({ id, reactions, reactionVersion }) => this.#replace(id, (message) => ({ ...message, reactions, reactionVersion })));
    listen(room, "stale", () => this.#readAgain());
    listen(room, "online", () => this.online.changed());
    listen(room, "typing", ({ userIds }) => {
      this.#typing = userIds;
      this.typing.changed();
    });
    listen(room, "error", (error) => this.#fail(error, error.action === "joinRoom"));
    listen(this.#client, "removed", ({ roomId, reason, retryAfterMs }) => {
      if (String(roomId) === String(room.id)) this.#fail(new ChatError("removed", `taken out of the room: ${reason}`, { retryAfterMs }), true);
    });
    this.online.changed();
    void this.#enter();
  }

  /** Bound, for buttons. Asks again to be let in, after a refusal. */
  join = () => {
    if (!this.#use || this.#entered) return;
    this.#error = null;
    this.state.changed();
    void this.#enter();
  };

  async #enter() {
    const use = this.#use;
    try {
      await this.room.join();
    } catch (caught) {
      if (this.#use !== use) return;
      const error = /** @type {ChatError} */ (caught);
      // The application may connect again; the room then is entered.
      if (error.code === "disconnected") return void this.#enter();
      return this.#fail(error, true);
    }
    if (this.#use !== use || this.#entered) return;
    this.#entered = true;
    this.state.changed();
    if (this.messages.isUsed && !this.#isRead) void this.#read();
  }

  /** @param {ChatError} error @param {boolean} isOut Whether the room has to be entered anew. */
  #fail(error, isOut) {
    this.#error = error;
    if (isOut) this.#forget();
    this.state.changed();
  }

  /** What was known of a visit: another one begins elsewhere. */
  #forget() {
    this.#entered = this.#isRead = this.#isReadUp = this.#hasOlder = false;
    this.#messages = [];
    this.#before = undefined;
    this.#loading = null;
    this.#typing = [];
    for (const part of [this.messages, this.online, this.typing]) part.changed();
  }

  /** Bound, for buttons. Reads the page before what is shown, or once more what could not be read. */
  loadOlder = async () => {
    if (!this.#hasOlder || this.#loading) return;
    this.#isReadUp = true;
    await this.#read();
  };

  /** What goes can be read again, a page at a time. */
  #shorten() {
    if (this.#messages.length <= MESSAGES_MAX || this.#isReadUp || this.#loading) return;
    this.#messages = this.#messages.slice(-MESSAGES_KEPT);
    this.#before = this.#messages[0].id;
    this.#hasOlder = true;
  }

  async #read() {
    this.#isRead = true;
    await this.#page(this.#before, ({ messages }) => this.#messages.unshift(...messages));
  }

  /** Too much has changed: the newest page takes the place of what was read. */
  async #readAgain() {
    const last = this.#messages.at(-1)?.id;
    if (last === undefined) return;
    await this.#page(last + 1, ({ messages }) => {
      this.#messages = [...messages, ...this.#messages.filter(({ id }) => id > last)];
    });
  }

  /** What failed is an empty page, and may be asked for again. @param {number | undefined} before @param {(page: Page) => void} take */
  async #page(before, take) {
    const loading = (this.#loading = {});
    this.messages.changed();
    const page = await this.room.history({ before }).catch(() => ({ messages: [], hasOlder: true }));
    // Another request, or another visit, has taken its place.
    if (this.#loading !== loading) return;
    this.#loading = null;
    take(page);
    this.#before = page.messages[0]?.id ?? before;
    this.#hasOlder = page.hasOlder;
    this.messages.changed();
  }

  /** @param {number} id @param {(message: Message) => Message} replaced */
  #replace(id, replaced) {
    const index = this.#messages.findLastIndex((message) => message.id === id);
    if (index < 0) return;
    this.#messages[index] = replaced(this.#messages[index]);
    this.messages.changed();
  }

  /** @returns {MessagesState} */
  #shownMessages() {
    return { messages: [...this.#messages], hasOlder: this.#hasOlder, isLoading: this.#loading !== null };
  }

  /** @returns {OnlineState} */
  #shownOnline() {
    const { online, onlineCount = 0, onlineMore = false } = /** @type {Partial<OnlineRoom>} */ (/** @type {unknown} */ (this.room));
    return { online: new Map(online), onlineCount, onlineMore };
  }

  #end() {
    if (!this.#use) return;
    this.#use.abort();
    this.#use = null;
    this.#forget();
    this.#error = null;
    for (const part of [this.state, this.messages, this.online, this.typing]) part.reset();
    void this.room.leave();
  }
}
