// @ts-check
/**
 * Rooms in a browser (or in Node) over connections that come and go: every message once, in order, none missing.
 *
 * A `ChatClient` keeps one connection, and replaces it before the server cuts it. A `ChatRoom` keeps one room's order:
 * ids go 1, 2, 3, …, so the room sees what is missing and fetches it from the history. What not everybody uses is a
 * feature, handed in by name. `index.html` shows how to use it.
 *
 * Made of the files in `client/` by `npm run bundle`.
 */

/** The words of the protocol and of the client, for all of its files. */


/** @typedef {number | string} Id A string of digits that a number holds exactly is that number. */
/** @typedef {"text" | "image" | "file"} Kind */
/** @typedef {{ id: Id, username: string, nickName: string, headPic: string | null, email?: string, createTime?: string }} Profile */
/** Who reacted with what: the users of each emoji. @typedef {Record<string, Id[]>} Reacted */
/** What a message may have besides: the message that it answers, whom it mentions, and what the application adds. @typedef {{ replyTo?: number, mentions?: Id[], metadata?: Record<string, unknown> }} Extras */
/** What comes with changes: the number of the last one, its time, and whether the message was recalled, and by whom. @typedef {{ version?: number, updateTime?: string, deleted?: boolean, deletedBy?: Id }} Changeable */
/**
 * A pushed message has a `clientMessageId`; one from the history has none. Where there is an `attachment`, the key of a file,
 * `content` is the file's address, which ends after an hour or two, and may be 3 KB long. With an `eraseTime` a message is an empty text,
 * and so is one that is `deleted`.
 * @typedef {{ id: number, type: Kind, content: string, chatroomId: Id, senderId: Id, createTime: string, eraseTime?: string, sender: Profile, clientMessageId?: string, reactions?: Reacted, reactionVersion?: number, attachment?: string } & Extras & Changeable} Message
 */
/** @typedef {{ id: number, createTime: string, clientMessageId: string }} Sent */
/** @typedef {{ messages: Message[], hasOlder: boolean }} Page Oldest first. */
/** @typedef {{ userId: Id, user?: Profile }} Presence Those who join have a `user`; those who leave have none. */
/** @typedef {{ code: string, reason: string, willRetry: boolean, retryInMs?: number }} Disconnected `code` is a `ChatError`'s. */
/** @typedef {{ connecting: null, connected: null, disconnected: Disconnected, error: ChatError }} ClientEvents */
/** @typedef {{ message: Message, joined: Presence, left: Presence, error: ChatError }} RoomEvents */
/**
 * @typedef {object} ChatOptions
 * @property {string} url The WebSocket API: `wss://….amazonaws.com/dev`.
 * @property {string} historyUrl The history: `https://….amazonaws.com/chat-history/list`.
 * @property {() => string | Promise<string>} getToken
 *   Called before each connection, and when the history no longer takes the token. It may throw: the client tries again, unless it
 *   is a `ChatError` that is not `retryable`. If it returns no token, the client ends with the code `token`.
 * @property {number} [pingIntervalMs] How long the connection may be silent before the client pings; 5 minutes.
 * @property {number} [lifetimeMs] How long the server lets a connection live; 2 hours. Before that, a new one takes over.
 * @property {number} [timeoutMs] Longest wait for any answer; 15 seconds.
 * @property {typeof globalThis.WebSocket} [WebSocket] For runtimes without a global one: `ws` in Node 20, for example.
 */
/** @typedef {Required<Omit<ChatOptions, "WebSocket">>} Settings */
/** @template Detail @typedef {{ on(event: CustomEvent<Detail>): void }["on"] | EventListenerObject} Listener */
/**
 * An `EventTarget` that knows its events.
 * @template {Record<string, any>} Events
 * @typedef {{
 *   addEventListener<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | AddEventListenerOptions): void,
 *   removeEventListener<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | EventListenerOptions): void,
 *   dispatchEvent(event: Event): boolean,
 * }} TypedTarget
 */
/** @template T @typedef {{ promise: Promise<T>, resolve: (value: T) => void, reject: (error: unknown) => void }} Deferred */
/** When a send was first tried, by three clocks: one may stop, one may jump, and one is the server's. @typedef {{ at: number, wall: number, server: number }} Tried */
/** @typedef {{ clientMessageId?: string } & Extras} SendOptions */
/** Up to which message and which change an application keeps what it was told. @typedef {{ id: number, change?: number }} Since */
/** What the server stores. @typedef {{ id?: number, message?: Record<string, any>, clientMessageId?: string }} Stored */
/** @typedef {{ frame: Record<string, unknown>, take: (ack: any) => any, tries: number, tried?: Tried, done: Deferred<any> }} Send */
/**
 * What a room can do more: `Changes`, `Reactions`, `Online`, `Signals`, `Rounds`, `Kept`, `Reads`, `Uploads`, `Moderation`. One is
 * made for each room; `extend` gives the client more as well.
 * @typedef {{
 *   new (room: ChatRoom, client: ChatClient<any>): {
 *     adds: object,
 *     asks?: () => object,
 *     entered?: (ack: any, wasIn: boolean, since?: Since) => void,
 *     receive?: (frame: any) => void,
 *     show?: (message: Message) => Message | void,
 *     left?: () => void,
 *   },
 *   extend?(client: ChatClient<any>): object,
 * }} Feature
 */
/** All of them. @template All @typedef {(All extends unknown ? (all: All) => void : never) extends (all: infer Each) => void ? Each : never} Each */
/** What features add to the client. @template {Feature} F @typedef {[F] extends [never] ? unknown : Each<F extends { extend(client: any): infer Adds } ? Adds : never>} ClientWith */
/** A room with what features add. @template {Feature} F @typedef {[F] extends [never] ? ChatRoom : ChatRoom & Each<InstanceType<F>["adds"]>} RoomWith */
/**
 * Events that a feature adds.
 * @template {Record<string, any>} Events
 * @typedef {object} Listening
 * @property {<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | AddEventListenerOptions) => void} addEventListener
 * @property {<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | EventListenerOptions) => void} removeEventListener
 */
/** A message's newest state, without its sender. Everything that it had before is replaced by it, reactions apart. @typedef {Omit<Message, "sender"> & { version: number }} Change */
/** @typedef {{ id: number, version: number, updateTime: string }} Changed */
/** @typedef {{ changed: Change, stale: null }} ChangeEvents `stale`: too much has changed; what was read before is to be read again. */
/**
 * @typedef {object} ChangingRoom
 * @property {(id: number, text: string, options?: { clientMessageId?: string }) => Promise<Changed>} edit
 *   Settles when the edit is stored. It is sent in turn with the messages, and again until it was answered.
 * @property {(id: number) => Promise<Changed>} remove Recalls a message, in the same way.
 * @property {Since | undefined} position What to keep for the next `join({ since })`; undefined while the room was not entered.
 */
/**
 * All reactions of a message, as they are now. Those that were pushed say who did what; those that were read do not.
 * @typedef {{ id: number, reactions: Reacted, reactionVersion: number, userId?: Id, emoji?: string, on?: boolean }} Reaction
 */
/** @typedef {{ reaction: Reaction }} ReactionEvents */
/**
 * @typedef {object} ReactingRoom
 * @property {(id: number, emoji: string, on?: boolean) => Promise<void>} react
 *   Settles when it is stored. What cannot be sent now is refused, and not sent later.
 */
/** @typedef {{ online: null }} OnlineEvents */
/**
 * @typedef {object} OnlineRoom
 * @property {ReadonlyMap<Id, Profile | null>} online
 *   Who is in the room, those who are here longest first: at most the first hundred. A profile is null until the client has
 *   heard it. Where the room is `quiet` nobody is listed, until `members` asks.
 * @property {number} onlineCount How many there are.
 * @property {boolean} onlineMore Whether there are more than were counted.
 * @property {() => Promise<Profile[]>} members Asks for the profiles of those who are here, at most a hundred.
 */
/** @typedef {{ members: null }} RoundsEvents */
/**
 * @typedef {object} RoomOfRounds
 * @property {number | undefined} memberCount
 *   How many connections the room's last round was pushed to; undefined where the room is not in rounds. A user may have several.
 */
/** @typedef {{ userId: Id, kind: string, data?: any }} Signal */
/** @typedef {{ signal: Signal, typing: { userIds: Id[] } }} SignalEvents `typing` says who is typing now, without oneself. */
/**
 * @typedef {object} SignallingRoom
 * @property {boolean} signals Whether the room is small enough for signals to be passed on.
 * @property {(kind: string, data?: unknown) => boolean} signal
 *   Tells those who are here now, and nobody later; not stored, not answered. Returns whether it was sent. Throws a
 *   `ChatError` if the server could not take it: `kind` is 1 to 32 of `A-Z a-z 0-9 _ - .`, `data` at most 1 KB of JSON.
 * @property {() => boolean} typing To be called with each key: a signal is sent every 10 seconds at most.
 */
/**
 * A room of the inbox: a group where `type` is true, otherwise a pair. `unread` may count a few numbers that no message has, and
 * `userIds` are fifty at most.
 * @typedef {{ id: string, name: string, type: boolean, createTime: string, userCount: number, userIds: Id[], unread: number, lastRead: number, mentioned: boolean, lastMessage?: LastMessage }} KeptRoom
 */
/** Its `content` is 200 characters at most, and the name of a file that was uploaded. @typedef {Pick<Message, "id" | "type" | "content" | "senderId" | "createTime" | "deleted" | "eraseTime" | "attachment">} LastMessage */
/** @typedef {{ id: string, name: string, type: boolean, createTime: string, owner?: Id, users: Profile[] }} KeptInfo */
/**
 * Pushed to each of one's devices that is connected then, perhaps twice; who was away asks for the inbox. `userId` is who added one.
 * @typedef {{ roomAdded: { roomId: Id, userId: Id } } & RemovedEvents} KeptEvents
 */
/**
 * The room that one was taken out of is left. `reason` is `quit` (out of a kept room), `kick` (one may come again) or `ban` (after
 * `retryAfterMs`).
 * @typedef {{ removed: { roomId: Id, reason: string, retryAfterMs?: number } }} RemovedEvents
 */
/** @typedef {"mute" | "ban" | "kick" | "none"} Bar `none` ends a mute or a ban. */
/** @typedef {{ chatroomId: Id, targetId: Id, bar: Bar, until?: string }} BarAck */
/** @typedef {{ user: Profile, bar: "mute" | "ban", until: string }} Barred */
/** @typedef {{ chatroomId: Id, bars: Barred[], slowSeconds?: number }} Bars */
/** Who reported which message, and why. @typedef {{ id: number, user: Profile, reason: string, createTime: string }} Report */
/** With `more` there are older ones. @typedef {{ chatroomId: Id, reports: Report[], more?: boolean }} Reports The newest message first. */
/** @typedef {{ barred: null, slow: null }} ModerationEvents `mutedForMs`, or `slowSeconds` or `slowForMs`, is not what it was. */
/**
 * None of it is sent later. Who may not is refused (`notAllowed`).
 * @typedef {object} ModerationRoom
 * @property {(userId: Id, bar: Bar, seconds?: number) => Promise<BarAck>} bar
 *   Mutes, bans, takes out, or lets back in. A mute or a ban lasts for 1 to 31,536,000 seconds.
 * @property {(seconds: number) => Promise<{ chatroomId: Id, seconds: number }>} slow
 *   Lets each write once in so many seconds, up to 3,600; 0 ends that.
 * @property {() => Promise<Bars>} bars Who is muted or banned, and until when.
 * @property {(id: number, reason: string) => Promise<{ chatroomId: Id, id: number }>} report
 *   Tells the moderators of a message, by anybody; the reason has 1 to 500 characters.
 * @property {(before?: Report) => Promise<Reports>} reports What was reported; or what stands behind a report, which is the
 *   last one of the answer before.
 * @property {number} mutedForMs How long one may not write; 0 if one may. Known since one entered, or was refused.
 * @property {number} slowSeconds How often one may write; 0 if nobody has to wait. Who is in the room is not told of a new pace.
 * @property {number} slowForMs How long one's next message has to wait.
 */
/**
 * @typedef {object} KeptClient
 * @property {(options?: { name?: string }) => Promise<KeptRoom[]>} rooms
 *   The inbox: one's rooms, the newest activity first, at most 200; or those whose name has `name` in it.
 * @property {(friendId: Id) => Promise<string>} createPair The id of the pair's room, always the same.
 * @property {(name: string, options?: { clientRoomId?: string }) => Promise<string>} createGroup
 *   The new room's id. To repeat it after a failure, pass the same `clientRoomId`: then there is one group.
 * @property {(roomId: Id, userId: Id) => Promise<void>} invite Takes somebody into a group. Every member may.
 * @property {(roomId: Id, userId?: Id) => Promise<void>} quit Leaves a group for good; or, as its owner, takes somebody out.
 * @property {(roomId: Id) => Promise<KeptInfo>} info A room and its members.
 */
/** @typedef {{ read: { userId: Id, id: number } }} ReadEvents Somebody, or one's own device, has read up to there. */
/**
 * @typedef {object} ReadRoom
 * @property {(id?: number, options?: { tell?: boolean }) => Promise<number>} markRead
 *   Marks as read up to a message; without one, all that came. One mark is sent every 3 seconds at most, the last. Settles with what
 *   is stored, which is never less. With `tell` a small room's others are pushed it, one's own devices too.
 * @property {boolean | "tell"} autoRead
 *   Whether what comes is marked by itself while the page is visible; `"tell"` tells others. Off at first. On is for the room that is shown.
 * @property {number | undefined} lastRead One's own mark; undefined before it is known.
 * @property {number | undefined} unread How many came after it.
 * @property {() => Promise<Map<Id, number>>} reads Asks up to where others have read. Only in rooms that are kept.
 */
/**
 * `onProgress` is told how much is done, from 0 to 1. `signal` cancels, until the file is there.
 * @typedef {SendOptions & { onProgress?: (done: number) => void, signal?: AbortSignal }} UploadOptions
 */
/**
 * @typedef {object} UploadRoom
 * @property {(file: File | Blob, options?: UploadOptions) => Promise<Sent>} upload
 *   Saves a file, then sends it: as an image if it is one that browsers show, else as a file. Where that fails nothing was sent
 *   (`cancelled`, `uploadFailed`, `tooLarge`, …). To try again, pass the same `clientMessageId`.
 * @property {(id: number) => Promise<Message | undefined>} renew Reads a message again, whose file then has a new address.
 */
/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

/** Numbers of the client, each with its reason. */

/** API Gateway cuts a connection that is silent for 10 minutes. */
const PING_INTERVAL_MS = 5 * 60_000;
/** API Gateway cuts every connection after 2 hours. */
const LIFETIME_MS = 2 * 3_600_000;
/** Longer than any function may take. */
const TIMEOUT_MS = 15_000;
/** The time-out of `send-message`: an id that is older than this is stored by now, or never will be. */
const FINAL_AFTER_MS = 10_000;
/** Pushes may overtake each other by this much. If every member asked at once, each would cost a request. */
const OVERTAKING_MS = 300;
/** When a room goes over into rounds, its first frame is pushed beside what the senders still push: to thousands, for seconds. */
const ENTERING_ROUNDS_MS = 2_000;
const RECONNECT_MAX_MS = 30_000;
/** The longest wait that the server may ask for. A longer one is a mistake, and would look like a permanent failure. */
const RETRY_AFTER_MAX_MS = 5 * 60_000;
/** `setTimeout` fires at once if it is given more. */
const TIMER_MAX_MS = 2 ** 31 - 1;
const REPEAT_MAX_MS = 4_000;
/** A connection that lived this long was good: the next one starts without a long wait, even on a train. */
const STABLE_MS = 3_000;
/** The server knows a `clientMessageId` for 24 hours; after that a retry would be a second message. */
const RETRY_WINDOW_MS = 23 * 3_600_000;
/** The server's limit, in characters. A frame over 32 KB would not be answered: API Gateway closes the connection. */
const CONTENT_MAX = 4_000;
/** A little less than API Gateway's 32 KB: the request's id comes on top. */
const FRAME_BYTES_MAX = 32_000;
/** The server's limit for whom a message mentions. */
const MENTIONS_MAX = 20;
/** The server's limit for the id of a room. */
const ID_BYTES_MAX = 255;
/** After so many failures of the server, a send is given up: the sends behind it must not wait for ever. */
const SEND_TRIES = 6;
/** The most messages and changes of a room that wait to be sent. */
const OUTBOX_MAX = 100;
/** The most messages that wait for one before them. Later ones are fetched when it is their turn. */
const HELD_MAX = 1_000;
/** How many users' last join or leave is remembered. */
const PRESENT_MAX = 1_000;
/** The server's largest page. */
const PAGE_MAX = 100;
/** The fields that an answer must have, by action. @type {Record<string, string>} */
const TOLD = { joinRoom: "lastId", sendMessage: "id" };
/** The server's limit for what an application adds to a message or a signal, as JSON. */
const DATA_BYTES_MAX = 1_024;
/** The history's numbers for kinds. */
const KINDS = /** @type {const} */ (["text", "image", "file"]);

/** Refusals of the server that end after a while. */
const RETRYABLE = ["internal", "rateLimited", "tooManyConnections"];
/** After so many changes nobody asks for each one: the application reads its pages again. */
const BEHIND_MAX = 1_000;
/** Of how many messages the newest state is remembered. */
const LATEST_MAX = 1_000;
/** The server's limit for a reaction. */
const EMOJI_BYTES_MAX = 64;
/** What is read again for its reactions after an absence: the page that `history` gives first. */
const NEWEST_PAGE = 50;
/** A mark of what was read goes so often at the most: the last one says all. */
const MARK_MS = 3_000;
/** An upload of which nothing moved for so long is given up: the network is gone, and TCP would take many minutes to say so. */
const STALLED_MS = 60_000;
/** The server's limit for how long a mute or a ban lasts: a year. */
const BARRED_MAX_MS = 31_536_000_000;
/** Typing is told so often at the most: it costs as much as a message. */
const TYPING_MS = 10_000;
/** And it is believed a little longer, so that it does not flicker. */
const TYPING_SHOWN_MS = 12_000;

export class ChatError extends Error {
  /**
   * @param {string} code The server's (`badRequest`, `tooLarge`, `notAllowed`, `internal`, …) or one of: `connectionLost`,
   *   `offline`, `disconnected`, `refused`, `left`, `removed`, `queueFull`, `unknown`, `cancelled`, `uploadFailed`, `token`,
   *   `unreachable`, `badFrame`, `badResponse`.
   * @param {string} message
   * @param {{ retryable?: boolean, action?: string, cause?: unknown, retryAfterMs?: number }} [about]
   */
  constructor(code, message, { retryable = false, action, cause, retryAfterMs } = {}) {
    super(message, { cause });
    this.name = "ChatError";
    this.code = code;
    this.retryable = retryable;
    this.action = action;
    this.retryAfterMs = retryAfterMs;
  }
}

/** @param {unknown} caught @param {string} code */
function chatError(caught, code) {
  if (caught instanceof ChatError) return caught;
  return new ChatError(code, caught instanceof Error ? caught.message : String(caught), { retryable: true, cause: caught });
}

function connectionLost(/** @type {string} */ reason) {
  return new ChatError("connectionLost", reason, { retryable: true });
}

/** A mistake of the application. */
function badRequest(/** @type {string} */ message) {
  return new ChatError("badRequest", message);
}

function badFrame(code = "badFrame") {
  return new ChatError(code, "the server sent what makes no sense", { retryable: true });
}

/** @param {unknown} error */
function ignoreLoss(error) {
  if (!(error instanceof ChatError && error.code === "connectionLost")) throw error;
}

/**
 * Remembers what is newest of a message, for the latest thousand. Of what must go, first goes what was given out.
 * @template T @param {Map<number, T>} all @param {number} id @param {T} state @param {number} solid
 */
function remember(all, id, state, solid) {
  all.delete(id);
  all.set(id, state);
  if (all.size <= LATEST_MAX) return;
  const ids = [...all.keys()];
  all.delete(ids.find((known) => known <= solid) ?? ids[0]);
}

/** Whether it has an id and a time, and so a place in the order. @param {unknown} message @returns {message is Message} */
function isMessage(message) {
  const { id, createTime } = /** @type {any} */ (message ?? {});
  return Number.isSafeInteger(id) && id > 0 && !!Date.parse(createTime);
}

/** Whether it is of a known kind and has content. @param {Pick<Message, "type" | "content">} message */
function isKnown({ type, content }) {
  return KINDS.includes(type) && typeof content === "string";
}

/** The server's rule. The server could not even read a frame with half an emoji in it. @param {unknown} id */
function isRoomId(id) {
  if (typeof id === "number") return isCount(id);
  return typeof id === "string" && /^(?!\s*$)[^\p{Cc}\p{Cs}]+$/u.test(id) && bytes(id) <= ID_BYTES_MAX;
}

/** @param {unknown} number */
function isPositive(number) {
  return isCount(number) && number > 0;
}

/** @param {unknown} number @returns {number is number} */
function isCount(number) {
  return Number.isSafeInteger(number) && Number(number) >= 0;
}

/** An item of the history or of the list of changes: it has its kind as a number. @param {any} item */
function readItem(item) {
  return { ...item, type: KINDS[item?.type] };
}

/** The length in UTF-8. */
function bytes(/** @type {string} */ text) {
  return new Blob([text]).size;
}

/** Throws if the server could not take it, or not even read it. @param {string} name @param {unknown} data */
function mustFit(name, data) {
  const text = JSON.stringify(data) ?? "null";
  if (bytes(text) > DATA_BYTES_MAX) throw new ChatError("tooLarge", `${name} is longer than ${DATA_BYTES_MAX} bytes`);
  // JSON writes half an emoji as an escape, which no other text looks like: a backslash in a text is written as two.
  if (/(^|[^\\])(\\\\)*\\ud[89a-f]/.test(text)) throw badRequest(`${name} must not have half an emoji in it`);
}

/** @param {unknown} id */
function mustBeClientMessageId(id) {
  if (typeof id !== "string" || !/^[\w-]{1,64}$/.test(id)) throw badRequest("clientMessageId must be 1 to 64 of A-Z a-z 0-9 _ -");
}

/** Half an emoji is not text: the server cannot read such a frame, so it cannot say which request it refuses. @param {unknown} text */
function readable(text) {
  return String(text).replace(/\p{Surrogate}/gu, "\ufffd");
}

/** `EventTarget` itself, whose events the compiler knows. */
const Typed = /** @type {new <Events extends Record<string, any>>() => TypedTarget<Events>} */ (/** @type {unknown} */ (EventTarget));

/**
 * An `EventTarget` with typed events; the data is in `detail`.
 * @template {Record<string, any>} Events @extends {Typed<Events>}
 */
class Target extends Typed {
  /** @internal @template {keyof Events & string} T @param {T} type @param {Events[T]} detail */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {unknown} data @returns {any} */
function parse(data) {
  try {
    return JSON.parse(String(data));
  } catch {
    return null;
  }
}

/** Full jitter, because all clients of a restarted server come back at once. @param {number} attempt @param {number} maxMs */
function backoff(attempt, maxMs) {
  return Math.random() * Math.min(maxMs, 500 * 2 ** attempt);
}

function sleep(/** @type {number} */ ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @template T @param {number} ms @param {T | Promise<T>} promise @returns {Promise<T>} */
async function within(ms, promise) {
  /** @type {Timer} */ let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("it took too long")), ms)));
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}

/** `crypto.randomUUID` exists only on secure origins. A laptop's address in the office is not one. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function noop() {}

/** A promise that nobody needs to look at: it never becomes an unhandled rejection. @template T @returns {Deferred<T>} */
function deferred() {
  /** @type {any} */ const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  parts.promise.catch(noop);
  return parts;
}

/**
 * Edits and recalls. Changes of a room are numbered, 1, 2, 3, …; of every message whose last change is not above the
 * position, the last state was told. What the pushes lack is in the feed, where each changed message is once.
 */
export class Changes {
  /** @type {ChangingRoom & Listening<ChangeEvents>} */ adds;
  #room;
  #client;
  /** Null before the room is entered. @type {number | null} */ #position = null;
  /** The highest number that the server is known to have given out. */
  #told = 0;
  /** From this time (`performance.now()`) on, a number up to `#told` that is not in the feed is of a message that is gone. */
  #finalAt = 0;
  /** Numbers above the position whose states have come. @type {Set<number>} */ #ahead = new Set();
  /** The newest states, also of messages that are still to come. @type {Map<number, Change>} */ #states = new Map();
  #filling = false;
  /** Another one after each leave. */
  #visit = {};

  /** @internal @param {ChatRoom} room @param {ChatClient<any>} client */
  constructor(room, client) {
    this.#room = room;
    this.#client = client;
    const position = () => (this.#position === null ? undefined : { id: room.solid, change: this.#position });
    /** @type {ChangingRoom} */ const adds = {
      edit: (id, text, { clientMessageId = newId() } = {}) => {
        const message = { type: "text", content: readable(text) };
        return room.queue("editMessage", { id, message, clientMessageId }, (ack) => this.#stored(ack));
      },
      remove: (id) => room.queue("deleteMessage", { id }, (ack) => this.#stored(ack)),
      get position() {
        return position();
      },
    };
    this.adds = /** @type {any} */ (adds);
  }

  /** @internal */
  asks() {
    return { changes: true };
  }

  /** @internal @param {{ lastChange?: number, settledChange?: number }} ack @param {boolean} _wasIn @param {Since} [since] */
  entered({ lastChange = 0, settledChange = lastChange }, _wasIn, since) {
    this.#position ??= since?.change ?? settledChange;
    if (lastChange - this.#position > BEHIND_MAX && settledChange > this.#position) this.#skip(settledChange);
    this.#tell(lastChange);
    this.#advance(0);
  }

  /** @internal @param {any} frame */
  receive(frame) {
    const { type, message } = frame;
    if (type === "messages") return this.#round(frame);
    if (type !== "editMessage" && type !== "deleteMessage") return;
    if (!isMessage(message) || !isPositive(message.version)) return this.#client.emit("error", badFrame());
    this.#take(/** @type {Change} */ (message));
    this.#seen(/** @type {Change} */ (message).version);
    this.#advance(OVERTAKING_MS);
  }

  /** The changes of a round are all that there are above `changesAfter`, up to `changesUpTo`. @param {any} frame */
  #round({ changes, changesAfter, changesUpTo }) {
    if (changes === undefined) return;
    const isRead = Array.isArray(changes) && isCount(changesAfter) && isCount(changesUpTo);
    /** @type {any[]} */ const states = isRead ? changes.map(readItem) : [];
    if (!isRead || !states.every((state) => isMessage(state) && isPositive(state.version))) {
      return this.#client.emit("error", badFrame());
    }
    for (const { change: _, ...state } of states) this.#take(state);
    if (this.#position !== null && this.#position >= changesAfter) this.#move(changesUpTo);
    this.#tell(changesUpTo);
    this.#advance(OVERTAKING_MS);
  }

  /** @internal @param {Message} message */
  show(message) {
    const known = this.#states.get(message.id);
    const { version = 0 } = message;
    if (known && known.version > version) return applyChange(message, known);
    if (version > 0) remember(this.#states, message.id, { ...message, version }, this.#room.solid);
  }

  /** @internal */
  left() {
    this.#position = null;
    this.#told = this.#finalAt = 0;
    this.#ahead.clear();
    this.#states.clear();
    this.#visit = {};
  }

  /** @param {any} ack @returns {Changed} */
  #stored({ id, version, updateTime, rounds }) {
    if (!isPositive(version)) throw badFrame();
    // The push may be lost.
    this.#room.later(rounds, (delayMs) => {
      this.#tell(version);
      this.#advance(delayMs);
    });
    return { id, version, updateTime };
  }

  /** A state replaces an older one, never a newer one, and nothing replaces a recall. @param {Change} state */
  #take(state) {
    const known = this.#states.get(state.id);
    if (known && (known.deleted || known.version >= state.version)) return;
    remember(this.#states, state.id, state, this.#room.solid);
    if (state.id <= this.#room.solid && isKnown(state)) this.#room.emit(/** @type {any} */ ("changed"), /** @type {any} */ (state));
  }

  /** @param {number} version */
  #seen(version) {
    if (this.#ahead.size < BEHIND_MAX) this.#ahead.add(version);
    this.#tell(version);
  }

  /** @param {number} version */
  #tell(version) {
    if (version <= this.#told) return;
    this.#told = version;
    this.#finalAt = performance.now() + FINAL_AFTER_MS;
  }

  /** Moves over what has come, and asks the feed for what is missing. @param {number} delayMs */
  #advance(delayMs) {
    if (this.#position === null) return;
    while (this.#ahead.delete(this.#position + 1)) this.#position++;
    for (const version of this.#ahead) if (version <= this.#position) this.#ahead.delete(version);
    if (this.#position < this.#told && !this.#filling) void this.#fill(delayMs);
  }

  /** @param {number} position */
  #move(position) {
    if (position > Number(this.#position)) this.#position = position;
    this.#advance(0);
  }

  /** @param {number} position */
  #skip(position) {
    this.#move(position);
    this.#room.emit(/** @type {any} */ ("stale"), /** @type {any} */ (null));
  }

  /** Asks the feed until nothing that was told of is missing. @param {number} delayMs */
  async #fill(delayMs) {
    this.#filling = true;
    await sleep(delayMs);
    for (let attempt = 0; this.#room.joined && this.#position !== null && this.#position < this.#told; ) {
      const askedAt = performance.now();
      const [visit, after, told, finalAt] = [this.#visit, this.#position, this.#told, this.#finalAt];
      try {
        if (told - after > BEHIND_MAX) {
          // Before that, pages might still be read without the newest of it.
          await sleep(Math.max(0, finalAt - askedAt));
          if (visit === this.#visit) this.#skip(told);
          continue;
        }
        const { messages, hasNewer } = await this.#client.page(this.#room.id, { limit: PAGE_MAX, after }, "changes");
        if (visit !== this.#visit) continue; // left, and perhaps joined again at another position
        let read = hasNewer || askedAt < finalAt ? after : told;
        for (const { change, ...state } of /** @type {(Message & { version: number, change: number })[]} */ (messages)) {
          if (!isPositive(change) || !isPositive(state.version)) throw badFrame();
          this.#take(state);
          read = Math.max(read, change);
        }
        this.#move(read);
        if (read > after) attempt = 0;
        else await sleep(backoff(attempt++, REPEAT_MAX_MS));
      } catch (caught) {
        if (visit === this.#visit) this.#room.emit("error", chatError(caught, "badResponse"));
        await sleep(backoff(attempt++, RECONNECT_MAX_MS));
      }
    }
    this.#filling = false;
  }
}

/**
 * The message after a change: the change's state, with what it does not tell. A recall takes the reactions along.
 * @param {Message} message @param {Change} change @returns {Message}
 */
export function applyChange(message, change) {
  const { sender, clientMessageId, reactions, reactionVersion = 0 } = message;
  const after = { sender, ...(clientMessageId === undefined ? {} : { clientMessageId }), ...change };
  if (change.deleted || reactionVersion <= (change.reactionVersion ?? 0)) return after;
  return { ...after, reactions, reactionVersion };
}

/** One socket: requests and their replies. All other frames go to the client. */
class Connection {
  /** @type {Deferred<void>} */ opened = deferred();
  /** `performance.now()`, or 0. */
  openedAt = 0;
  isOpen = false;
  #isEnded = false;
  #socket;
  #settings;
  #client;
  /** @type {Map<string, Deferred<any> & { frame: Record<string, unknown> }>} */ #waiting = new Map();
  #requests = 0;
  /** @type {Timer} */ #quiet;

  /** @param {WebSocket} socket @param {Settings} settings @param {ChatClient} client */
  constructor(socket, settings, client) {
    this.#socket = socket;
    this.#settings = settings;
    this.#client = client;
    this.#quiet = setTimeout(() => this.end("the server did not answer"), settings.timeoutMs);
    socket.onopen = () => {
      this.isOpen = true;
      this.openedAt = performance.now();
      this.#rest();
      this.opened.resolve();
    };
    socket.onmessage = ({ data }) => {
      if (this.isOpen) this.#receive(data);
    };
    socket.onerror = noop; // without a handler `ws` throws; the close event follows anyway
    socket.onclose = ({ reason }) => this.end(reason || (this.openedAt ? "the connection was lost" : "no connection"));
  }

  /** Returns the reply, or throws the server's refusal. @param {Record<string, unknown>} frame */
  request(frame, timeoutMs = this.#settings.timeoutMs) {
    /** @type {Deferred<any>} */ const reply = deferred();
    const requestId = String(++this.#requests);
    const timer = setTimeout(() => this.end("the server did not answer"), timeoutMs);
    this.#waiting.set(requestId, { ...reply, frame });
    if (this.isOpen) this.#socket.send(JSON.stringify({ ...frame, requestId }));
    else reply.reject(connectionLost("no connection"));
    this.#rest();
    return reply.promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(requestId);
    });
  }

  /** Sends what has no answer. @param {Record<string, unknown>} frame */
  tell(frame) {
    if (this.isOpen) this.#socket.send(JSON.stringify(frame));
    this.#rest();
    return this.isOpen;
  }

  /** Finds out whether the server is there, sooner than a request would. */
  ping() {
    this.request({ action: "ping" }, this.#settings.timeoutMs / 3).catch(noop);
  }

  /** The push of one's own message says all that its ack would. @param {Message} message @param {Id} roomId */
  settle(message, roomId) {
    for (const { frame, resolve } of this.#waiting.values()) {
      const { action, clientMessageId, chatroomId } = frame;
      if (action !== "sendMessage") continue;
      if (clientMessageId && clientMessageId === message.clientMessageId && chatroomId === roomId) resolve(message);
    }
  }

  /** Closes after the last answer; sends no new requests. */
  async retire() {
    await Promise.allSettled([...this.#waiting.values()].map(({ promise }) => promise));
    this.end("replaced");
  }

  /** @param {string} reason @param {ChatError} [why] What to tell the client, if it is more than a lost connection. */
  end(reason, why) {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.isOpen = false;
    clearTimeout(this.#quiet);
    this.#socket.close();
    const error = connectionLost(reason);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.opened.reject(error);
    this.#client.lost(this, why ?? error);
  }

  /** Pings when it was silent for long: API Gateway cuts silent connections. */
  #rest() {
    if (!this.isOpen) return;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.ping(), this.#settings.pingIntervalMs);
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#rest();
    const frame = parse(data);
    const waiting = this.#waiting.get(frame?.requestId);
    switch (frame?.type) {
      case "ack":
      case "pong": {
        const told = waiting && TOLD[String(waiting.frame.action)];
        if (!told || isCount(frame[told])) return waiting?.resolve(frame);
        waiting.reject(badFrame());
        return this.#client.emit("error", badFrame());
      }
      case "error": {
        const { code, action, message, retryAfterMs: ms } = frame;
        const retryable = RETRYABLE.includes(code);
        // Of what is not sent again, such as what is barred, it only says how long that lasts.
        const retryAfterMs = ms > 0 ? Math.min(ms, retryable ? RETRY_AFTER_MAX_MS : ms) : undefined;
        if (code === "gone") return this.end("the server had closed the connection");
        const error = new ChatError(String(code), message, { action, retryable, retryAfterMs });
        // The user has opened others since. Requests wait until this client may come back.
        if (code === "tooManyConnections") return this.end(error.message, error);
        return waiting ? waiting.reject(error) : this.#client.emit("error", error);
      }
    }
    // A push. Another type is of a later server, or of a feature that is not here: the room ignores it.
    if (typeof frame?.type === "string") return this.#client.receive(frame);
    if (typeof frame?.message !== "string") return this.#client.emit("error", badFrame());
    // API Gateway's own errors do not say which request failed; all requests may be repeated.
    const error = new ChatError("internal", frame.message, { retryable: true });
    if (this.#waiting.size === 0) this.#client.emit("error", error);
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}

/** Asks again if the server failed. @param {Connection} connection @param {Record<string, unknown>} frame */
async function persist(connection, frame, /** @type {() => boolean} */ isWanted) {
  for (let attempt = 0; isWanted(); attempt++) {
    try {
      return await connection.request(frame);
    } catch (caught) {
      const error = chatError(caught, "badFrame");
      if (!error.retryable || error.code === "connectionLost") throw error;
      await sleep(error.retryAfterMs ?? backoff(attempt, RECONNECT_MAX_MS));
    }
  }
  return null;
}

/** Made by `client.room(id)`. @extends {Target<RoomEvents>} */
export class ChatRoom extends Target {
  #client;
  #id;
  /** Settles when the room is first entered; null while the application does not want the room. @type {Deferred<void> | null} */ #wanted = null;
  /** Where the application's own messages end, if it keeps any. @type {Since | undefined} */ #since;
  /** The connections that are in the room, the newest last. @type {Connection[]} */ #connections = [];
  /** Joining and leaving wait for each other: frames of one connection run side by side. */
  #turn = Promise.resolve();
  /** `message` events begin after this id; null before the room is first entered. @type {number | null} */ #start = null;
  /** From this time (`performance.now()`) on, no message up to `#start` can come. */
  #startFinalAt = 0;
  /** Every message up to this id was given out, or never will be. */
  #solid = 0;
  /** The newest id that the server is known to have counted. */
  #upTo = 0;
  /** From this time on, no message up to `#upTo` can come. */
  #upToFinalAt = 0;
  /** Messages above `#solid`; null for an id that stays unused. @type {Map<number, Message | null>} */ #held = new Map();
  #filling = false;
  /** Whether the last that came was a frame of a round. @internal */
  isInRounds = false;
  #quiet = false;
  /** Each user's last join or leave. @type {Map<string, "joined" | "left">} */ #present = new Map();
  /** @type {Send[]} */ #outbox = [];
  #sending = false;
  /** What the features add. @type {InstanceType<Feature>[]} */ #features;

  /** @internal @param {ChatClient} client @param {Id} id @param {Feature[]} features */
  constructor(client, id, features) {
    super();
    this.#client = client;
    this.#id = id;
    this.#features = features.map((Feature) => new Feature(this, client));
    for (const { adds } of this.#features) Object.defineProperties(this, Object.getOwnPropertyDescriptors(adds));
  }

  get id() {
    return this.#id;
  }

  /** Whether an open connection is in the room. */
  get joined() {
    return this.#connection !== undefined;
  }

  /** Whether the room is so large that the server announces nobody: there are no `joined` and `left` events, only messages. */
  get quiet() {
    return this.#quiet;
  }

  get #connection() {
    return this.#connections.findLast((connection) => connection.isOpen);
  }

  /**
   * Enters, and enters again after each reconnect, until `leave` or a refusal. Who keeps messages says `since` when: all
   * that came after them is told, so it is not for an absence of months.
   * @param {{ since?: Since }} [options] @returns {Promise<void>}
   */
  join({ since } = {}) {
    if (!this.#wanted) {
      this.#wanted = deferred();
      this.#since = since;
      for (const connection of this.#client.connections) void this.enter(connection);
    }
    return this.#wanted.promise;
  }

  /** @returns {Promise<void>} */
  leave() {
    if (!this.#wanted) return Promise.resolve();
    this.forget(new ChatError("left", "the room was left"));
    const left = this.#inTurn(async () => {
      const isLeft = () => !this.#wanted;
      const leaving = { action: "leaveRoom", chatroomId: this.#id };
      // If one connection is lost, still wait for the other: a join must not overtake the leave there.
      await Promise.all(this.#client.connections.map((one) => persist(one, leaving, isLeft).catch(ignoreLoss)));
    });
    return this.reported(left);
  }

  /**
   * Settles when the message is stored. Until then it is sent again, over later connections too. Messages are sent in the
   * order of the calls. To repeat a rejected send, pass its `clientMessageId`: then it cannot be stored twice.
   * @param {string} text @param {SendOptions} [options]
   */
  send(text, options) {
    return this.post({ type: "text", content: readable(text) }, options);
  }

  /** @param {string} url An http or https address. @param {SendOptions} [options] */
  sendImage(url, options) {
    return this.post({ type: "image", content: readable(url) }, options);
  }

  /** @param {string} url An http or https address. @param {SendOptions} [options] */
  sendFile(url, options) {
    return this.post({ type: "file", content: readable(url) }, options);
  }

  /**
   * A page of messages. Without `before`, the page ends exactly where the `message` events begin: nothing is missing, and
   * nothing comes twice. So it may wait for a message that was on its way when the room was entered.
   * @param {{ limit?: number, before?: number }} [paging] `limit` up to 100, 50 if not given
   * @returns {Promise<Page>}
   */
  history({ limit = 50, before } = {}) {
    return this.reported(this.#settled(limit, before));
  }

  /** @param {number} limit @param {number} [before] */
  async #settled(limit, before = this.#start === null ? undefined : this.#start + 1) {
    for (let attempt = 0; ; attempt++) {
      const askedAt = performance.now();
      const { messages, hasOlder } = await this.#client.page(this.#id, { limit, before });
      if (this.#isOpenEnded(hasOlder ? messages : [{ id: 0 }, ...messages], before, askedAt)) {
        await sleep(backoff(attempt, REPEAT_MAX_MS));
        continue;
      }
      const known = messages.filter(isKnown);
      if (known.length > 0 || !hasOlder || messages.length === 0) {
        return { messages: known.map((message) => this.#shown(message)), hasOlder };
      }
      // A page with only kinds of a later server would look like the beginning.
      before = messages[0].id;
    }
  }

  /**
   * Whether another message may still appear between these.
   * @param {{ id: number, createTime?: string }[]} messages @param {number | undefined} before @param {number} askedAt
   */
  #isOpenEnded(messages, before, askedAt) {
    if (before === undefined || askedAt >= this.#startFinalAt) return false;
    /** @type {typeof messages} */ const above = [...messages.slice(1), { id: before }];
    // What is above has no time if it is the border: then nothing is final.
    const isFinal = ({ createTime = "" }) => this.#client.isFinal(createTime, askedAt);
    return messages.some(({ id }, index) => id < above[index].id - 1 && !isFinal(above[index]));
  }

  /**
   * Enters the room on a connection. Returns whether there was something to do. After a refusal the room is not wanted any more.
   * @internal @param {Connection} connection @returns {Promise<boolean>}
   */
  async enter(connection) {
    const wanted = this.#wanted;
    const isWanted = () => this.#wanted === wanted && !this.#connections.includes(connection);
    if (!wanted || !isWanted()) return false;
    await this.#inTurn(async () => {
      // `batches` tells the server that one frame may name several people who left.
      const asked = this.#features.map((feature) => feature.asks?.());
      const frame = Object.assign({ action: "joinRoom", chatroomId: this.#id, batches: true }, ...asked);
      const ack = await persist(connection, frame, isWanted);
      if (ack && isWanted()) this.#entered(connection, ack);
    }).catch((error) => {
      if (error.code === "connectionLost" || !isWanted()) return;
      this.forget(error);
      this.emit("error", error);
    });
    return true;
  }

  /** @param {Connection} connection @param {{ lastId: number, quiet?: boolean }} ack */
  #entered(connection, ack) {
    const { lastId, quiet } = ack;
    this.#quiet = quiet === true;
    const [wasIn, since] = [this.joined, this.#since];
    // Without a connection, nobody told us who joined and left, or whether rounds have ended.
    if (!wasIn) {
      this.#present.clear();
      this.isInRounds = false;
    }
    this.#connections = [...this.#connections.filter(({ isOpen }) => isOpen), connection];
    this.#count(lastId);
    if (this.#start === null) {
      const start = (this.#start = this.#solid = Math.min(since?.id ?? lastId, lastId));
      this.#startFinalAt = performance.now() + FINAL_AFTER_MS;
      for (const id of this.#held.keys()) if (id <= start) this.#held.delete(id);
    }
    for (const feature of this.#features) feature.entered?.(ack, wasIn, since);
    this.#advance(0);
    this.#wanted?.resolve();
    void this.#flush();
  }

  /** @internal @param {any} frame */
  receive(frame) {
    if (!this.#wanted) return;
    if (frame.type === "sendMessage") {
      const { message, unusedId } = frame;
      if (!isMessage(message)) return this.#client.emit("error", badFrame());
      // A push of before may come late, beside the first round.
      if (message.id > this.#upTo) this.isInRounds = false;
      this.#unused(unusedId);
      this.#pushed(message);
      this.#advance(OVERTAKING_MS);
    } else if (frame.type === "joinRoom") {
      this.#tell("joined", frame.userId, frame.user);
    } else if (frame.type === "leaveRoom") {
      for (const id of Array.isArray(frame.userIds) ? frame.userIds : [frame.userId]) this.#tell("left", id);
    } else {
      for (const feature of this.#features) feature.receive?.(frame);
    }
  }

  /**
   * What a round pushed: all that there is above `after`, up to `upTo`. An id without a message stays unused.
   * @internal @param {number} after @param {number} upTo @param {Message[]} messages
   */
  cover(after, upTo, messages) {
    const pushed = new Map(messages.map((message) => [message.id, message]));
    // What is not held has to be asked for, so the unused ids of a frame that is not held whole are not known either.
    for (let id = Math.max(after, this.#solid) + 1; id <= upTo && this.#held.size < HELD_MAX; id++) {
      const message = pushed.get(id);
      if (message) this.#pushed(message);
      else if (!this.#held.has(id)) this.#put(id, null);
    }
    this.#count(upTo);
    // The senders themselves still push what they counted before the rounds began.
    const delayMs = this.isInRounds ? OVERTAKING_MS : ENTERING_ROUNDS_MS;
    this.isInRounds = true;
    this.#advance(delayMs);
  }

  /** @param {Message} message */
  #pushed(message) {
    if (String(message.senderId) === String(this.#client.userId)) {
      for (const connection of this.#connections) connection.settle(message, this.#id);
    }
    this.#count(message.id);
    this.#hold(message);
  }

  /** @param {"joined" | "left"} news @param {Id} userId @param {Profile} [user] */
  #tell(news, userId, user) {
    const key = String(userId);
    // Two connections hear everything twice, and a join may be announced again.
    if (this.#present.get(key) === news) return;
    if (this.#present.size >= PRESENT_MAX) this.#present.clear();
    this.#present.set(key, news);
    this.emit(news, { userId, user });
  }

  /** Rejects what is not sent and not entered yet. @internal @param {ChatError} why */
  abandon(why) {
    if (this.#start === null && this.#wanted) this.forget(why);
    this.#unsend(why);
  }

  /** @param {ChatError} why */
  #unsend(why) {
    for (const send of this.#outbox.splice(0)) send.done.reject(why);
  }

  /** The room is not wanted any more. @internal @param {ChatError} why */
  forget(why) {
    this.#wanted?.reject(why);
    this.#wanted = this.#start = null;
    this.#connections = [];
    this.#solid = this.#upTo = 0;
    this.#quiet = this.isInRounds = false;
    this.#held.clear();
    for (const feature of this.#features) feature.left?.();
    this.#unsend(why);
  }

  /** @template T @param {() => Promise<T>} step @returns {Promise<T>} */
  #inTurn(step) {
    const taken = this.#turn.then(step);
    this.#turn = taken.then(noop, noop);
    return taken;
  }

  /** Passes over a kind that only a later server knows; nothing waits for it. @param {Message} message */
  #hold(message, max = HELD_MAX) {
    this.#client.observe(message.createTime);
    this.#put(message.id, isKnown(message) ? message : null, max);
  }

  /** @param {number} id @param {Message | null} message */
  #put(id, message, max = HELD_MAX) {
    if (id > this.#solid && this.#held.size < max) this.#held.set(id, message);
  }

  /** The number of a retry: no message will have it. @param {unknown} id */
  #unused(id) {
    if (!isCount(id)) return;
    this.#count(id);
    this.#put(id, null);
  }

  /** This id was given out, and all before it. @param {number} id */
  #count(id) {
    if (id <= this.#upTo) return;
    this.#upTo = id;
    this.#upToFinalAt = performance.now() + FINAL_AFTER_MS;
  }

  /** Gives out the messages whose turn it is, and fetches what is missing. @param {number} delayMs */
  #advance(delayMs) {
    if (this.#start === null) return;
    while (this.#held.has(this.#solid + 1)) {
      const message = this.#held.get(++this.#solid);
      this.#held.delete(this.#solid);
      if (message) this.emit("message", this.#shown(message));
    }
    if (this.#solid < this.#upTo && !this.#filling) void this.#fill(delayMs);
  }

  /** As it is now: it may have changed on the way. @param {Message} message */
  #shown(message) {
    return this.#features.reduce((shown, feature) => feature.show?.(shown) ?? shown, message);
  }

  /** Asks the history until no missing message can still come. @param {number} delayMs */
  async #fill(delayMs) {
    this.#filling = true;
    let solid;
    do {
      solid = this.#solid;
      await sleep(delayMs);
      // It moved on: what is missing now has been missing for a shorter time.
    } while (delayMs && solid < this.#solid && this.#solid < this.#upTo);
    for (let attempt = 0; this.joined && this.#solid < this.#upTo; ) {
      const askedAt = performance.now();
      const [wanted, solid] = [this.#wanted, this.#solid];
      try {
        const { messages, hasNewer } = await this.#client.page(this.#id, { limit: PAGE_MAX, after: solid });
        if (this.#wanted !== wanted) continue; // left, and perhaps joined again with another start
        // Hold it even if too many are held: otherwise the ids below would be passed over.
        for (const message of messages) {
          // In rounds, what is newer than the frames comes with the next one, and so does what is missing before it.
          if (!this.isInRounds) this.#count(message.id);
          this.#hold(message, Infinity);
        }
        this.#advance(0);
        const last = messages.at(-1);
        // The page says nothing of later ids.
        this.#pass(hasNewer && last ? last.id : this.#upTo, askedAt);
        if (this.#solid > solid) attempt = 0;
        else await sleep(backoff(attempt++, REPEAT_MAX_MS));
      } catch (caught) {
        if (this.#wanted) this.emit("error", chatError(caught, "badResponse"));
        await sleep(backoff(attempt++, RECONNECT_MAX_MS));
      }
    }
    this.#filling = false;
  }

  /** Passes over the ids up to `end` that stay unused. @param {number} end @param {number} askedAt */
  #pass(end, askedAt) {
    while (this.#solid < end) {
      const ids = [...this.#held.keys()].sort((one, other) => one - other);
      const above = ids.map((id) => this.#held.get(id)).find(Boolean);
      const isFinal = above && this.#client.isFinal(above.createTime, askedAt);
      if (!isFinal && askedAt < this.#upToFinalAt) return;
      this.#solid = Math.min((ids[0] ?? Infinity) - 1, end);
      this.#advance(0);
    }
  }

  /** @internal @param {Record<string, unknown>} what @param {SendOptions} [options] @returns {Promise<Sent>} */
  post(what, { clientMessageId = newId(), replyTo, mentions, metadata } = {}) {
    const message = { ...what, replyTo, mentions, metadata };
    return this.queue("sendMessage", { message, clientMessageId }, ({ id, createTime, unusedId, rounds }) => {
      this.later(rounds, (delayMs) => {
        this.#count(id);
        this.#unused(unusedId);
        this.#advance(delayMs);
      });
      return { id, createTime, clientMessageId };
    });
  }

  /**
   * Takes what an answer told of, which is still to be pushed. In rounds of so many ms that is forgotten until two of them
   * are over: each push before it would look as if something was missed.
   * @internal @param {any} rounds @param {(delayMs: number) => void} take
   */
  later(rounds, take) {
    if (!(rounds > 0)) return take(OVERTAKING_MS);
    const wanted = this.#wanted;
    void sleep(2 * Math.min(rounds, RETRY_AFTER_MAX_MS)).then(() => this.#wanted === wanted && take(0));
  }

  /**
   * What must not be lost: it is sent in turn, until the server has answered.
   * @internal @template T @param {string} action @param {Stored} what @param {(ack: any) => T} take @returns {Promise<T>}
   */
  queue(action, what, take) {
    /** @type {Deferred<T>} */ const done = deferred();
    try {
      if ("clientMessageId" in what) mustBeClientMessageId(what.clientMessageId);
      if ("id" in what && !isPositive(what.id)) throw badRequest("id must be the number of a message");
      if (!this.#wanted) throw new ChatError("left", "join the room first");
      if (this.#outbox.length >= OUTBOX_MAX) throw new ChatError("queueFull", `${OUTBOX_MAX} messages wait already`);
      if (what.message) mustBeMessage(what.message);
      this.#outbox.push({ frame: { action, chatroomId: this.#id, ...what }, take, tries: 0, done });
      void this.#flush();
    } catch (caught) {
      done.reject(Object.assign(/** @type {Error} */ (caught), { action }));
    }
    return this.reported(done.promise);
  }

  /** What is worth nothing later: it is not sent again. @internal @param {Record<string, unknown> & { action: string }} frame */
  request(frame) {
    return this.#connection?.request({ ...frame, chatroomId: this.#id }) ?? Promise.reject(connectionLost("not in the room"));
  }

  /** What the server does not answer. Returns whether it was sent. @internal @param {Record<string, unknown>} frame */
  tell(frame) {
    return this.#connection?.tell({ ...frame, chatroomId: this.#id }) ?? false;
  }

  /** The newest message whose event has come, or that was there before the events began. @internal */
  get solid() {
    return this.#solid;
  }

  /** Sends one at a time, so that they keep their order. */
  async #flush() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#connection && this.#outbox.length > 0) {
      const send = this.#outbox[0];
      try {
        if (await this.#isForgotten(send)) throw new ChatError("unknown", "nobody knows whether it was sent");
        const { frame } = send;
        // While we waited, the connection or the room may have gone.
        if (!this.#connection || this.#outbox[0] !== send) continue;
        send.done.resolve(send.take(await this.#connection.request(frame)));
      } catch (caught) {
        const error = chatError(caught, "badFrame");
        if (error.code === "connectionLost") continue;
        if (error.retryable && (error.retryAfterMs || ++send.tries < SEND_TRIES)) {
          this.emit(/** @type {any} */ ("retry"), /** @type {any} */ (error));
          await sleep(error.retryAfterMs ?? backoff(send.tries, REPEAT_MAX_MS));
          continue;
        }
        send.done.reject(error);
      }
      if (this.#outbox[0] === send) this.#outbox.shift();
    }
    this.#sending = false;
  }

  /** Whether the server has forgotten the send, so that a retry would be a second message. @param {Send} send */
  async #isForgotten(send) {
    const client = this.#client;
    const tried = (send.tried ??= { at: performance.now(), wall: Date.now(), server: client.serverTime });
    if (performance.now() - tried.at > RETRY_WINDOW_MS) return true;
    if (Date.now() - tried.wall <= RETRY_WINDOW_MS) return false;
    // Either the wall clock jumped, or the machine slept and the other clock stood still. The server's `Date` decides.
    await client.page(this.#id, { limit: 1 });
    return client.serverTime - tried.server > RETRY_WINDOW_MS;
  }

  /**
   * Raises an `error` event as well: nobody may look at the promise.
   * @internal @template T @param {Promise<T>} promise
   */
  reported(promise) {
    promise.catch((error) => this.emit("error", error));
    return promise;
  }
}

/** @param {Record<string, any>} message */
function mustBeMessage(message) {
  const { content = "", replyTo, mentions, metadata } = message;
  if ([...content].length > CONTENT_MAX) throw new ChatError("tooLarge", `longer than ${CONTENT_MAX} characters`);
  if (replyTo !== undefined && !isPositive(replyTo)) throw badRequest("replyTo must be the number of a message");
  if (mentions !== undefined && !(Array.isArray(mentions) && mentions.length <= MENTIONS_MAX && mentions.every(isRoomId))) {
    throw badRequest(`mentions must be at most ${MENTIONS_MAX} ids of users`);
  }
  if (metadata !== undefined) mustFit("metadata", metadata);
  if (bytes(JSON.stringify(message)) > FRAME_BYTES_MAX) throw new ChatError("tooLarge", `longer than ${FRAME_BYTES_MAX} bytes`);
}

/**
 * One user's connection to the rooms. For another user, make another client. Its rooms can do what its `features` add.
 * @template {Feature} [F=never] @extends {Target<ClientEvents>}
 */
class Client extends Target {
  /** @type {Settings} */ #settings;
  #WebSocket;
  /** @type {Feature[]} */ #features;
  /** @type {Map<string, ChatRoom>} */ #rooms = new Map();
  /** @type {"disconnected" | "connecting" | "connected"} */ #state = "disconnected";
  /** Settles with the first connection; null while the client is disconnected. @type {Deferred<void> | null} */ #wanted = null;
  /** The connection that `state` is about. @type {Connection | null} */ #current = null;
  /** The connection that will take over. @type {Connection | null} */ #next = null;
  /** The replaced connection, until its last answer came. @type {Connection | null} */ #old = null;
  /** The attempt under way; a new attempt or a disconnect replaces it. @type {object | null} */ #attempt = null;
  #failures = 0;
  /** Opens the next connection: now, or before the current one is cut. @type {Timer} */ #timer;
  #listening = new AbortController();
  /** @type {string | undefined} */ #token;
  /** @type {Id | undefined} */ #userId;
  /** The server's clock is `performance.now()` plus at least this; the wall clock here may be wrong. */
  #serverOffset = -Infinity;

  /** @param {ChatOptions & { features?: F[] }} options */
  constructor(options) {
    super();
    const {
      url, historyUrl, getToken, WebSocket = globalThis.WebSocket, features = [],
      pingIntervalMs = PING_INTERVAL_MS, lifetimeMs = LIFETIME_MS, timeoutMs = TIMEOUT_MS,
    } = options;
    if (!WebSocket) throw new TypeError("no global WebSocket: hand one in");
    // Throws here; otherwise the client would retry for ever.
    for (const address of [url, historyUrl]) new URL(address);
    for (const [name, ms] of Object.entries({ pingIntervalMs, lifetimeMs, timeoutMs })) {
      if (!(ms > 0 && ms <= TIMER_MAX_MS)) throw badRequest(`${name} must be 1 to ${TIMER_MAX_MS} ms`);
    }
    this.#WebSocket = WebSocket;
    this.#features = features;
    this.#settings = { url, historyUrl, getToken, pingIntervalMs, lifetimeMs, timeoutMs };
    for (const feature of features) feature.extend?.(this);
  }

  get state() {
    return this.#state;
  }

  /** The user of the token; undefined before the first token. */
  get userId() {
    return this.#userId;
  }

  /** The room, always the same object. Sends nothing before `join`. Throws a `ChatError` if no room can have this id. @param {Id} id @returns {RoomWith<F>} */
  room(id) {
    if (!isRoomId(id)) throw badRequest(`room id must be a whole number, or 1 to ${ID_BYTES_MAX} printable bytes`);
    const key = String(id);
    let room = this.#rooms.get(key);
    if (!room) this.#rooms.set(key, (room = new ChatRoom(this, id, this.#features)));
    return /** @type {RoomWith<F>} */ (room);
  }

  /** Connects, and stays connected until `disconnect` or a refusal. @returns {Promise<void>} */
  connect() {
    if (this.#wanted) return this.#wanted.promise;
    const { promise } = (this.#wanted = deferred());
    this.#failures = 0;
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const wake = () => this.#wake();
    // Node has none of these events; there, the ping notices.
    globalThis.addEventListener?.("online", wake, { signal });
    globalThis.addEventListener?.("offline", () => this.#offline(), { signal });
    globalThis.document?.addEventListener("visibilitychange", wake, { signal });
    void this.#open();
    return promise;
  }

  /** Ends the connection. The next `connect` joins the rooms again. Unsent messages are rejected. */
  disconnect() {
    const why = new ChatError("disconnected", "disconnected by the application");
    this.#stop(why);
    for (const room of this.#rooms.values()) room.abandon(why);
  }

  /** The open connections, the newest last. @internal @returns {Connection[]} */
  get connections() {
    return /** @type {Connection[]} */ ([this.#current, this.#next].filter((known) => known?.isOpen));
  }

  /** Opens a connection. It takes over at once if there is no other, otherwise when it has entered every room. */
  async #open() {
    clearTimeout(this.#timer);
    const attempt = (this.#attempt = {});
    const isOver = () => this.#attempt !== attempt;
    if (!this.#current) this.#become("connecting", null);
    try {
      const token = await this.#renew();
      if (isOver()) return;
      // The token is sent as a subprotocol: a browser cannot set headers, and addresses end up in logs.
      const socket = new this.#WebSocket(this.#settings.url, ["chat", `bearer.${token}`]);
      const next = (this.#next = new Connection(socket, this.#settings, this));
      await next.opened.promise;
      if (isOver()) return;
      if (!this.#current) this.#takeOver(next);
      while (next.isOpen && this.#next === next) {
        const entering = [...this.#rooms.values()].map((room) => room.enter(next));
        if (!(await Promise.all(entering)).some(Boolean) && !isOver()) this.#takeOver(next);
      }
    } catch (caught) {
      const refusal = await this.#refusal(caught);
      if (isOver()) return;
      this.#next = null;
      if (refusal && !this.#current) this.#stop(refusal);
      else this.#later(refusal ?? chatError(caught, "unreachable"));
    }
  }

  /** @param {Connection} connection */
  #takeOver(connection) {
    const old = (this.#old = this.#current);
    this.#current = connection;
    this.#next = this.#attempt = null;
    const { lifetimeMs } = this.#settings;
    // At a random moment: clients that came back together after an outage must not swap together.
    this.#timer = setTimeout(() => this.#open(), lifetimeMs * (0.7 + 0.2 * Math.random()));
    old?.retire();
    if (this.#state !== "connected") this.#become("connected", null);
    this.#wanted?.resolve();
    for (const room of this.#rooms.values()) void room.enter(connection);
  }

  /** @internal @param {Connection} connection @param {ChatError} error */
  lost(connection, error) {
    if (connection.openedAt && performance.now() - connection.openedAt > STABLE_MS) this.#failures = 0;
    if (connection === this.#next) {
      // A connection that never opened is handled where it is awaited.
      if (connection.openedAt) this.#later(error);
    } else if (connection === this.#current) {
      this.#current = null;
      if (this.#next?.isOpen) return this.#takeOver(this.#next);
      if (!this.#attempt) return this.#later(error);
      this.#fall(error, 0);
      // A listener may have disconnected.
      if (this.#attempt) this.#become("connecting", null);
    }
  }

  /** Tries again after a while. `state` is only about the current connection. @param {ChatError} error */
  #later(error) {
    if (!this.#wanted) return;
    clearTimeout(this.#timer);
    this.#next = this.#attempt = null;
    const retryInMs = error.retryAfterMs ?? backoff(this.#failures++, RECONNECT_MAX_MS);
    this.#timer = setTimeout(() => this.#open(), retryInMs);
    if (!this.#current) this.#fall(error, retryInMs);
    // The state tells of the server's failures; this failure is the application's.
    if (this.#current || error.code === "token") this.emit("error", error);
  }

  /** @param {ChatError} why */
  #stop(why) {
    if (!this.#wanted) return;
    clearTimeout(this.#timer);
    this.#listening.abort();
    const { reject } = this.#wanted;
    const connections = [this.#old, this.#current, this.#next];
    this.#wanted = this.#attempt = this.#old = this.#current = this.#next = null;
    for (const connection of connections) connection?.end(why.message);
    reject(why);
    this.#fall(why);
  }

  /** Back online, or awake: there may be no reason to wait any more, and an open connection may be dead. */
  #wake() {
    if (!this.#wanted || globalThis.document?.hidden) return;
    if (this.#current) this.#current.ping();
    else if (!this.#attempt) void this.#open();
  }

  /** Nothing can arrive now, and the time-out would take minutes. A server on this machine is back at once. */
  #offline() {
    const error = new ChatError("offline", "the browser is offline", { retryable: true });
    for (const connection of [this.#next, this.#current]) connection?.end(error.message, error);
  }

  /** A browser hides why a handshake was refused. The history has the same authorizer and says why. */
  async #refusal(/** @type {unknown} */ caught) {
    const error = chatError(caught, "unreachable");
    if (error.code === "token" && !error.retryable) return error;
    if (error.code !== "connectionLost" || !this.#token) return null;
    const response = await this.#fetch(new URL(this.#settings.historyUrl), this.#token).catch(() => null);
    return response && isRefusal(response.status) ? new ChatError("refused", "the token was refused") : null;
  }

  async #renew() {
    const { getToken, timeoutMs } = this.#settings;
    try {
      const token = await within(timeoutMs, getToken());
      // The application would return the same again, and no handshake can carry it.
      if (!/^[\w.-]+$/.test(token ?? "")) throw new ChatError("token", "getToken must give a token");
      this.#token = token;
    } catch (cause) {
      const { message, retryable } = chatError(cause, "token");
      throw new ChatError("token", `no token: ${message}`, { retryable, cause });
    }
    this.#userId = userOf(this.#token) ?? this.#userId;
    return this.#token;
  }

  /** @template {"connecting" | "connected" | "disconnected"} S @param {S} state @param {ClientEvents[S]} detail */
  #become(state, detail) {
    this.#state = state;
    this.emit(state, detail);
  }

  /** @param {ChatError} why @param {number} [retryInMs] Not given, it is the end. */
  #fall({ code, message: reason }, retryInMs) {
    const willRetry = retryInMs !== undefined;
    this.#become("disconnected", { code, reason, willRetry, ...(willRetry && { retryInMs }) });
  }

  /** @internal @param {any} frame */
  receive(frame) {
    this.emit(/** @type {any} */ ("frame"), /** @type {any} */ (frame));
    this.#rooms.get(String(frame.chatroomId))?.receive(frame);
  }

  /**
   * A page of the history, or of the list beside it.
   * @internal @param {Id} chatroomId @param {{ limit: number, before?: number, after?: number }} paging
   */
  async page(chatroomId, paging, list = "") {
    const { answer, link } = await this.ask(list, { chatroomId, ...paging });
    const messages = Array.isArray(answer) ? answer.map(readItem) : [null];
    if (!messages.every(isMessage)) throw badFrame("badResponse");
    return { messages, hasOlder: link.includes('rel="prev"'), hasNewer: link.includes('rel="next"') };
  }

  /**
   * Asks what is beside the history. If the authorizer refuses the token, asks once more with a fresh one.
   * @internal @param {string} path @param {Record<string, unknown>} query @param {unknown} [posted]
   */
  async ask(path, query, posted) {
    const url = new URL(path, this.#settings.historyUrl);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    let token = this.#token ?? (await this.#renew());
    for (let renewed = false; ; renewed = true) {
      const response = await this.#fetch(url, token, posted).catch((cause) => {
        throw chatError(cause, "unreachable");
      });
      const { status, headers } = response;
      const answer = /** @type {any} */ (await response.json().catch(() => null));
      this.observe(headers.get("Date"));
      if (response.ok) return { answer, link: headers.get("Link") ?? "" };
      const { statusCode, code, message = `the server answered ${status}`, retryAfterMs } = answer ?? {};
      // Our functions say more in the body; API Gateway, when the authorizer refuses, does not.
      const byAuthorizer = isRefusal(status) && !statusCode && !code;
      if (byAuthorizer && !renewed) {
        token = await this.#renew();
        continue;
      }
      const retryable = status >= 500 || status === 429;
      const said = retryable ? "internal" : byAuthorizer ? "refused" : status === 403 ? "notAllowed" : "badRequest";
      throw new ChatError(code ?? said, message, { retryable, retryAfterMs });
    }
  }

  /** @param {URL} url @param {string} token @param {unknown} [posted] */
  #fetch(url, token, posted) {
    const signal = AbortSignal.timeout(this.#settings.timeoutMs);
    // Without a body it is a GET.
    const body = JSON.stringify(posted);
    return fetch(url, { method: body && "POST", body, headers: { Authorization: `Bearer ${token}` }, signal });
  }

  /** Notes a time of the server's clock that has passed. @internal @param {string | null} time */
  observe(time) {
    const offset = Date.parse(time ?? "") - performance.now();
    if (offset > this.#serverOffset) this.#serverOffset = offset;
  }

  /** The server's time is at least this; `-Infinity` before the server said any. @internal */
  get serverTime() {
    return performance.now() + this.#serverOffset;
  }

  /** Whether, at `askedAt` (`performance.now()`), every message that was counted before `time` was stored. @internal */
  isFinal(/** @type {string} */ time, /** @type {number} */ askedAt) {
    return askedAt + this.#serverOffset - Date.parse(time) >= FINAL_AFTER_MS;
  }
}

/** A client with what features add. @template {Feature} [F=never] @typedef {Client<F> & ClientWith<F>} ChatClient */

/** @type {{ new <F extends Feature = never>(options: ChatOptions & { features?: F[] }): ChatClient<F> }} */
export const ChatClient = /** @type {any} */ (Client);

function isRefusal(/** @type {number} */ status) {
  return status === 401 || status === 403;
}

/** The user of a token, as the server reads it. @param {string} token @returns {Id | undefined} */
function userOf(token) {
  try {
    const payload = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    const bytes = Uint8Array.from(payload, (char) => char.charCodeAt(0));
    const { userId, sub } = JSON.parse(new TextDecoder().decode(bytes));
    return userId ?? sub;
  } catch {
    return undefined;
  }
}

/** Rooms that one was taken out of are left, and the application is told. Once, though two features need it. @param {ChatClient<any>} client */
function hearRemoved(client) {
  client.addEventListener(/** @type {any} */ ("frame"), heard);
}

/** @param {any} event */
function heard({ currentTarget: client, detail: { type, chatroomId, reason, retryAfterMs } }) {
  if (type !== "removed") return;
  if (!isRoomId(chatroomId)) return client.emit("error", badFrame());
  takeOut(client, chatroomId, reason, retryAfterMs > 0 ? retryAfterMs : undefined);
}

/** @param {ChatClient<any>} client @param {Id} roomId @param {string} reason @param {number} [retryAfterMs] */
function takeOut(client, roomId, reason, retryAfterMs) {
  forget(client, roomId, retryAfterMs);
  client.emit(/** @type {any} */ ("removed"), /** @type {any} */ ({ roomId, reason, ...(retryAfterMs && { retryAfterMs }) }));
}

/** @param {ChatClient<any>} client @param {Id} roomId @param {number} [retryAfterMs] */
function forget(client, roomId, retryAfterMs) {
  client.room(roomId).forget(new ChatError("removed", "not in the room any more", { retryAfterMs }));
}

/** Rooms that the server keeps for their members, groups and pairs: the inbox, and who is in. */
export class Kept {
  /** Nothing of a room itself. @type {never} */ adds = /** @type {never} */ ({});

  /** What the client has more. @param {ChatClient<any>} client @returns {KeptClient & Listening<KeptEvents>} */
  static extend(client) {
    /** Waits for the server's pace. What is posted may be repeated. @param {string} path @param {Record<string, unknown>} query @param {object} [posted] */
    async function ask(path, query, posted) {
      for (let tries = 1; ; tries++) {
        try {
          return (await client.ask(`../chatroom/${path}`, query, posted)).answer;
        } catch (caught) {
          const error = chatError(caught, "internal");
          // These routes answer in the course's shape, which has no code.
          const [, ms] = /again in (\d+) ms/.exec(error.message) ?? [];
          if (!ms && error.message.includes("at most")) throw new ChatError("tooMany", error.message);
          if (!ms) throw error;
          if (tries >= SEND_TRIES) throw new ChatError("rateLimited", error.message, { retryable: true });
          await sleep(Number(ms));
        }
      }
    }

    /** One room's route. @param {string} route @param {Id} roomId */
    function of(route, roomId) {
      if (!isRoomId(roomId)) throw badRequest("no room can have this id");
      return `${route}/${encodeURIComponent(roomId)}`;
    }

    /** A failure is told by the promise and as an event. @template T @param {string} action @param {() => Promise<T>} step */
    function told(action, step) {
      const promise = step();
      promise.catch((error) => client.emit("error", Object.assign(error, { action })));
      return promise;
    }

    /** @type {KeptClient} */ const adds = {
      rooms: ({ name } = {}) => told("rooms", async () => {
        const answer = await ask("list", { name });
        if (!Array.isArray(answer) || !answer.every((room) => isRoomId(room?.id))) throw badFrame("badResponse");
        return answer.map(({ lastMessage, ...room }) => {
          /** @type {KeptRoom} */ const listed = lastMessage ? { ...room, lastMessage: readItem(lastMessage) } : room;
          client.room(listed.id).emit(/** @type {any} */ ("listed"), /** @type {any} */ (listed));
          return listed;
        });
      }),
      createPair: (friendId) => told("createPair", () => ask("create-one-to-one", {}, { friendId })),
      createGroup: (name, { clientRoomId = newId() } = {}) => told("createGroup", () => ask("create-group", {}, { name, clientRoomId })),
      invite: (roomId, joinUserId) => told("invite", async () => void (await ask(of("join", roomId), {}, { joinUserId }))),
      quit: (roomId, quitUserId) => told("quit", async () => {
        await ask(of("quit", roomId), {}, { quitUserId });
        // The push that says so may be lost.
        if (quitUserId === undefined || String(quitUserId) === String(client.userId)) forget(client, roomId);
      }),
      info: (roomId) => told("info", async () => ask(of("info", roomId), {})),
    };

    hearRemoved(client);
    client.addEventListener(/** @type {any} */ ("frame"), (/** @type {CustomEvent} */ { detail }) => {
      const { type, chatroomId: roomId, userId } = detail;
      if (type !== "roomAdded") return;
      if (!isRoomId(roomId)) return client.emit("error", badFrame());
      client.emit(type, /** @type {any} */ ({ roomId, userId }));
    });
    return /** @type {any} */ (Object.assign(client, adds));
  }
}

/** What moderators do and are asked for, and what they do to oneself: until when one may not write, or not yet again. */
export class Moderation {
  /** @type {ModerationRoom & Listening<ModerationEvents>} */ adds;
  #room;
  /** Until when, by `performance.now()`, one is muted, and has to wait for one's next message. */
  #mutedUntil = -Infinity;
  #slowUntil = -Infinity;
  /** Runs while one is muted. @type {Timer} */ #timer;
  #slowSeconds = 0;

  /** What the client tells more. @param {ChatClient<any>} client @returns {Listening<RemovedEvents>} */
  static extend(client) {
    hearRemoved(client);
    return /** @type {any} */ (client);
  }

  /** @internal @param {ChatRoom} room @param {ChatClient<any>} client */
  constructor(room, client) {
    this.#room = room;
    const [muted, slow, seconds] = [() => left(this.#mutedUntil), () => left(this.#slowUntil), () => this.#slowSeconds];
    /** @type {ModerationRoom} */ const adds = {
      get mutedForMs() {
        return muted();
      },
      get slowSeconds() {
        return seconds();
      },
      get slowForMs() {
        return slow();
      },
      bar: (targetId, bar, seconds) => this.#ask("barUser", { targetId, bar, seconds }, isRoomId(targetId), "userId must be the id of a user"),
      slow: async (seconds) => {
        const ack = await this.#ask("slowMode", { seconds });
        this.#pace(ack.seconds);
        return ack;
      },
      bars: async () => {
        const ack = await this.#ask("listBars");
        this.#pace(ack.slowSeconds);
        return ack;
      },
      report: (id, reason) => this.#ask("reportMessage", { id, reason: readable(reason) }, isPositive(id), "id must be the number of a message"),
      reports: (before) => this.#ask("listReports", before && { before: { id: before.id, userId: before.user.id } }),
    };
    this.adds = /** @type {any} */ (adds);
    room.addEventListener("message", ({ detail }) => {
      if (!this.#slowSeconds || String(detail.senderId) !== String(client.userId)) return;
      // Another device may have sent it, and a while ago.
      const age = Math.max(0, client.serverTime - Date.parse(detail.createTime));
      this.#wait(1_000 * this.#slowSeconds - age);
    });
    // A send is held back.
    room.addEventListener(/** @type {any} */ ("retry"), (/** @type {CustomEvent} */ { detail }) => {
      if (detail.code === "rateLimited") this.#wait(detail.retryAfterMs);
    });
    room.addEventListener("error", ({ detail: { code, action, retryAfterMs } }) => {
      if (code !== "barred" || !room.joined) return;
      // What is read is refused to nobody else; the push that says so may be lost.
      if (!action) takeOut(client, room.id, "ban", retryAfterMs);
      else this.#mute(retryAfterMs);
    });
  }

  /** @internal @param {{ slowSeconds?: unknown, mutedForMs?: unknown }} ack */
  entered({ slowSeconds, mutedForMs }) {
    this.#pace(slowSeconds);
    this.#mute(mutedForMs);
  }

  /** @internal */
  left() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#mutedUntil = this.#slowUntil = -Infinity;
    this.#slowSeconds = 0;
  }

  /** Not sent later. @param {string} action @param {object} [what] @param {boolean} [isRight] @param {string} [wrong] @returns {Promise<any>} */
  #ask(action, what, isRight = true, wrong = "") {
    return this.#room.reported(this.#answer(action, what, isRight, wrong));
  }

  /** @param {string} action @param {object | undefined} what @param {boolean} isRight @param {string} wrong */
  async #answer(action, what, isRight, wrong) {
    if (!isRight) throw badRequest(wrong);
    const { type: _, action: __, requestId: ___, ...ack } = await this.#room.request({ action, ...what });
    for (const list of [ack.bars, ack.reports]) if (list !== undefined && !Array.isArray(list)) throw badFrame();
    return ack;
  }

  /** Nothing, or 0, says that one may write. @param {unknown} ms */
  #mute(ms) {
    const wasMuted = this.#timer !== undefined;
    this.#mutedUntil = performance.now() + bounded(ms);
    this.#watch();
    if (wasMuted || this.#timer) this.#tell("barred");
  }

  /** No timer is as long as a mute may be. */
  #watch() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ms = left(this.#mutedUntil);
    if (ms > 0) this.#timer = setTimeout(() => {
      this.#watch();
      if (!this.#timer) this.#tell("barred");
    }, Math.min(ms, TIMER_MAX_MS));
    // In Node, a program that has nothing else to do ends.
    /** @type {any} */ (this.#timer)?.unref?.();
  }

  /** @param {unknown} seconds */
  #pace(seconds) {
    const before = this.#slowSeconds;
    this.#slowSeconds = isCount(seconds) ? seconds : 0;
    if (this.#slowSeconds === before) return;
    this.#slowUntil = Math.min(this.#slowUntil, performance.now() + 1_000 * this.#slowSeconds);
    this.#tell("slow");
  }

  /** @param {number} ms */
  #wait(ms) {
    if (!(ms > 0)) return;
    this.#slowUntil = performance.now() + ms;
    this.#tell("slow");
  }

  /** @param {keyof ModerationEvents} what */
  #tell(what) {
    this.#room.emit(/** @type {any} */ (what), /** @type {any} */ (null));
  }
}

/** @param {number} until By `performance.now()`. */
function left(until) {
  return Math.max(0, until - performance.now());
}

/** @param {unknown} ms */
function bounded(ms) {
  return Math.min(Math.max(0, Number(ms) || 0), BARRED_MAX_MS);
}

/** Who is in the room: told when it is entered, and kept by the joins and leaves since. */
export class Online {
  /** @type {OnlineRoom & Listening<OnlineEvents>} */ adds;
  #room;
  /** @type {Map<Id, Profile | null>} */ #online = new Map();
  #count = 0;
  #more = false;
  /** Whether the server says who comes and goes: one of before does not, and nobody does in a quiet room. */
  #isTold = false;
  /** Who came or went since the room was last asked: its answer may be older. @type {Map<Id, Presence | null>} */ #since = new Map();

  /** @internal @param {ChatRoom} room */
  constructor(room) {
    this.#room = room;
    const [online, count, more] = [() => this.#online, () => this.#count, () => this.#more];
    /** @type {OnlineRoom} */ const adds = {
      get online() {
        return online();
      },
      get onlineCount() {
        return count();
      },
      get onlineMore() {
        return more();
      },
      members: () => room.reported(this.#members()),
    };
    this.adds = /** @type {any} */ (adds);
    room.addEventListener("joined", ({ detail }) => this.#came(detail));
    room.addEventListener("left", ({ detail }) => this.#went(detail.userId));
  }

  /** @internal */
  asks() {
    this.#since.clear();
    return { online: true };
  }

  /** @internal @param {{ online?: Id[], onlineCount?: number, onlineMore?: boolean }} ack */
  entered({ online, onlineCount, onlineMore }) {
    const known = this.#online;
    this.#online = new Map((online ?? []).map((id) => [id, known.get(id) ?? null]));
    this.#count = Math.max(Number(onlineCount) || 0, this.#online.size);
    this.#more = onlineMore === true;
    this.#isTold = online !== undefined;
    // A server of before says nothing.
    if (onlineCount === undefined) return;
    for (const [id, here] of this.#since) {
      if (this.#isTold && here) this.#enter(here);
      else if (this.#isTold) this.#leave(id);
    }
    this.#tell();
  }

  /** @internal */
  left() {
    this.#online = new Map();
    this.#count = 0;
    this.#more = this.#isTold = false;
    this.#since.clear();
  }

  /** @internal @param {Message} message */
  show({ sender }) {
    // Messages say who their senders are.
    if (this.#hear(sender)) this.#tell();
  }

  async #members() {
    const { members, onlineCount } = await this.#room.request({ action: "listMembers" });
    if (!Array.isArray(members)) throw badFrame();
    // Nobody says who comes to a quiet room, so this is newer than what was told.
    if (this.#room.quiet) {
      this.#online = new Map(members.map(({ id }) => [id, null]));
      this.#count = Math.max(Number(onlineCount) || 0, members.length);
    }
    for (const profile of members) this.#hear(profile);
    this.#tell();
    return /** @type {Profile[]} */ (members);
  }

  /** @param {Presence} presence */
  #came(presence) {
    this.#since.set(presence.userId, presence);
    if (!this.#isTold) return;
    this.#enter(presence);
    this.#tell();
  }

  /** @param {Id} userId */
  #went(userId) {
    this.#since.set(userId, null);
    if (this.#isTold && this.#leave(userId)) this.#tell();
  }

  /** @param {Presence} presence */
  #enter({ userId, user }) {
    if (!this.#online.has(userId)) this.#count++;
    this.#online.set(userId, user ?? this.#online.get(userId) ?? null);
  }

  /** @param {Id} userId */
  #leave(userId) {
    // Of a large room not everybody is known here.
    const isCounted = this.#online.delete(userId) || this.#count > this.#online.size;
    if (isCounted) this.#count--;
    return isCounted;
  }

  /** Whether the profile was not known. @param {Profile} profile */
  #hear(profile) {
    const isNew = this.#online.get(profile?.id) === null;
    if (isNew) this.#online.set(profile.id, profile);
    return isNew;
  }

  #tell() {
    this.#room.emit(/** @type {any} */ ("online"), /** @type {any} */ (null));
  }
}

/** Of what must not be shown any more: nothing is newer. */
const RECALLED = { reactions: {}, reactionVersion: Infinity };

/** Reactions: best effort when they are made, and read again after an absence. */
export class Reactions {
  /** @type {ReactingRoom & Listening<ReactionEvents>} */ adds;
  #room;
  #client;
  /** @type {Map<number, { reactions: Reacted, reactionVersion: number }>} */ #known = new Map();
  /** Another one after each leave; null before the room is entered. @type {object | null} */ #visit = null;

  /** @internal @param {ChatRoom} room @param {ChatClient<any>} client */
  constructor(room, client) {
    this.#room = room;
    this.#client = client;
    /** @type {ReactingRoom} */ const adds = { react: (id, emoji, on = true) => room.reported(this.#react(id, emoji, on)) };
    this.adds = /** @type {any} */ (adds);
    // What is read in the feed is told by this event alone.
    room.addEventListener(/** @type {any} */ ("changed"), (/** @type {CustomEvent} */ { detail }) => {
      if (detail.deleted) this.#forget(detail.id);
    });
  }

  /** @internal @param {unknown} _ack @param {boolean} wasIn */
  entered(_ack, wasIn) {
    if (this.#visit && !wasIn) void this.#readAgain(this.#visit);
    this.#visit ??= {};
  }

  /** @internal @param {any} frame */
  receive({ type, message, userId, id, emoji, on, reactionVersion, reactions }) {
    if (type === "deleteMessage" && isPositive(message?.id)) return this.#forget(message.id);
    if (type !== "reactMessage") return;
    if (!isPositive(id) || !isPositive(reactionVersion) || !isReacted(reactions)) return this.#client.emit("error", badFrame());
    this.#take({ id, reactions, reactionVersion, userId, emoji, on });
  }

  /** @internal @param {Message} message */
  show(message) {
    const { id, reactions = {}, reactionVersion = 0, deleted } = message;
    if (deleted) return this.#forget(id);
    const known = this.#known.get(id);
    if (known && known !== RECALLED && known.reactionVersion > reactionVersion) return { ...message, ...known };
    if (reactionVersion > 0 && !known) remember(this.#known, id, { reactions, reactionVersion }, this.#room.solid);
  }

  /** @internal */
  left() {
    this.#visit = null;
    this.#known.clear();
  }

  /** @param {number} id @param {string} emoji @param {boolean} on */
  async #react(id, emoji, on) {
    if (!isPositive(id)) throw badRequest("id must be the number of a message");
    if (typeof emoji !== "string" || !/^[^\s\p{Cc}\p{Cs}]+$/u.test(emoji) || bytes(emoji) > EMOJI_BYTES_MAX) {
      throw badRequest(`emoji must be 1 to ${EMOJI_BYTES_MAX} bytes, without blanks`);
    }
    await this.#room.request({ action: "reactMessage", id, emoji, on });
  }

  /** @param {number} id */
  #forget(id) {
    remember(this.#known, id, RECALLED, this.#room.solid);
  }

  /** @param {Reaction} reaction */
  #take(reaction) {
    const { id, reactions, reactionVersion } = reaction;
    if ((this.#known.get(id)?.reactionVersion ?? 0) >= reactionVersion) return;
    remember(this.#known, id, { reactions, reactionVersion }, this.#room.solid);
    if (id <= this.#room.solid) this.#room.emit(/** @type {any} */ ("reaction"), /** @type {any} */ (reaction));
  }

  /** Reactions are in no feed: what was pushed meanwhile is read with the newest page. @param {object} visit */
  async #readAgain(visit) {
    for (let attempt = 0; attempt < SEND_TRIES && this.#room.joined && this.#visit === visit; attempt++) {
      try {
        const { messages } = await this.#client.page(this.#room.id, { limit: NEWEST_PAGE });
        if (this.#visit !== visit) return;
        for (const { id, reactions = {}, reactionVersion = 0, deleted } of messages) {
          if (deleted) this.#forget(id);
          else this.#take({ id, reactions, reactionVersion });
        }
        return;
      } catch {
        await sleep(backoff(attempt, RECONNECT_MAX_MS));
      }
    }
  }
}

/** @param {unknown} reactions */
function isReacted(reactions) {
  return typeof reactions === "object" && reactions !== null && Object.values(reactions).every(Array.isArray);
}

/** Up to where one has read, on all of one's devices, and up to where others have. Marks only rise, so the last one says all. */
export class Reads {
  /** @type {ReadRoom & Listening<ReadEvents>} */ adds;
  #room;
  #client;
  /** One's own mark, as the server was last known to have it; undefined before anything is known. @type {number | undefined} */ #lastRead;
  /** Others' marks. @type {Map<Id, number>} */ #reads = new Map();
  /** The newest message that the inbox told of. */
  #listed = 0;
  /** Up to where is to be marked, and whether others are to be told. */
  #wanted = 0;
  #tell = false;
  /** For who waits until that is stored. @type {Deferred<number> | null} */ #done = null;
  #isAsking = false;
  #failures = 0;
  /** @type {Timer} */ #timer;
  #markedAt = -Infinity;
  /** @type {boolean | "tell"} */ #auto = false;
  /** A server of before knows no marks: then none is made that nobody asked for. */
  #isUnknown = false;
  #watching = new AbortController();

  /** @internal @param {ChatRoom} room @param {ChatClient<any>} client */
  constructor(room, client) {
    this.#room = room;
    this.#client = client;
    const [lastRead, unread, auto] = [() => this.#lastRead, () => this.#unread, () => this.#auto];
    const automate = (/** @type {boolean | "tell"} */ how) => this.#automate(how);
    /** @type {ReadRoom} */ const adds = {
      get lastRead() {
        return lastRead();
      },
      get unread() {
        return unread();
      },
      get autoRead() {
        return auto();
      },
      set autoRead(how) {
        automate(how);
      },
      markRead: (id, options) => room.reported(this.#mark(id, options)),
      reads: () => room.reported(this.#ask()),
    };
    this.adds = /** @type {any} */ (adds);
    room.addEventListener("message", () => this.#seen());
    room.addEventListener(/** @type {any} */ ("listed"), (/** @type {CustomEvent<KeptRoom>} */ { detail }) => {
      this.#listed = Math.max(this.#listed, detail.lastRead + detail.unread);
      this.#hear(client.userId ?? "", detail.lastRead);
    });
  }

  /** @internal */
  entered() {
    this.#seen();
    void this.#send();
  }

  /** @internal @param {any} frame */
  receive({ type, userId, id }) {
    if (type !== "markRead") return;
    if (!isCount(id)) return this.#client.emit("error", badFrame());
    this.#hear(userId, id);
  }

  /** @internal */
  left() {
    this.#wait(0);
    this.#wanted = 0;
    this.#done?.reject(new ChatError("left", "the room was left"));
    this.#done = null;
  }

  get #unread() {
    if (this.#lastRead === undefined) return undefined;
    return Math.max(0, Math.max(this.#room.solid, this.#listed) - this.#lastRead);
  }

  /** @param {boolean | "tell"} how */
  #automate(how) {
    // What was seen until now is marked either way.
    this.#seen();
    this.#watching.abort();
    this.#auto = how;
    if (!how) return;
    this.#watching = new AbortController();
    globalThis.document?.addEventListener("visibilitychange", () => this.#look(), { signal: this.#watching.signal });
    this.#seen();
  }

  /** The page goes, or is back. Who goes has seen all until now, and there may be no later. */
  #look() {
    if (document.hidden) this.#wait(0);
    this.#seen(true);
  }

  /** Marks what is looked at: up to what is settled, so that an unused number at the end does not stay unread. */
  #seen(isLookedAt = !globalThis.document?.hidden) {
    if (!this.#auto || this.#isUnknown || !isLookedAt || !this.#room.joined) return;
    this.#mark(undefined, { tell: this.#auto === "tell" }).catch(noop);
  }

  /** @param {number} [id] @returns {Promise<number>} */
  async #mark(id = this.#room.solid, { tell = false } = {}) {
    if (!isCount(id)) throw badRequest("id must be the number of a message");
    const { lastRead = 0 } = this.adds;
    if (id <= lastRead) return lastRead;
    this.#wanted = Math.max(this.#wanted, id);
    this.#tell ||= tell;
    this.#done ??= deferred();
    // What comes in one task is marked once.
    queueMicrotask(() => this.#send());
    return this.#done.promise;
  }

  /** The next mark may go then; 0 is now. @param {number} ms */
  #wait(ms) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (ms === 0) this.#markedAt = -Infinity;
    else this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#send();
    }, ms);
  }

  /** One at a time. What cannot be sent now is sent when the room is entered again. */
  async #send() {
    if (this.#isAsking || this.#timer || !this.#room.joined || this.#wanted <= (this.#lastRead ?? 0)) return;
    const now = performance.now();
    if (now - this.#markedAt < MARK_MS) return this.#wait(this.#markedAt + MARK_MS - now);
    const [id, tell, done] = [this.#wanted, this.#tell, this.#done];
    [this.#isAsking, this.#tell, this.#done, this.#markedAt] = [true, false, null, now];
    try {
      const ack = await this.#room.request({ action: "markRead", id, ...(tell && { tell }) });
      if (!isCount(ack.id)) throw badFrame();
      this.#failures = 0;
      this.#hear(this.#client.userId ?? "", ack.id);
      done?.resolve(ack.id);
    } catch (caught) {
      this.#failed(chatError(caught, "badFrame"), tell, done);
    }
    this.#isAsking = false;
    void this.#send();
  }

  /** @param {ChatError} error @param {boolean} tell @param {Deferred<number> | null} done */
  #failed(error, tell, done) {
    if (error.retryable && this.#wanted > 0) {
      // A later mark says it as well; whoever waits for this one waits on.
      this.#tell ||= tell;
      const next = (this.#done ??= deferred());
      next.promise.then(done?.resolve, done?.reject);
      if (error.code !== "connectionLost") this.#wait(error.retryAfterMs ?? backoff(this.#failures++, RECONNECT_MAX_MS));
      return;
    }
    this.#isUnknown ||= error.code === "unknownAction";
    this.#wanted = 0;
    for (const waiting of [done, this.#done]) waiting?.reject(error);
    this.#done = null;
  }

  /** @param {Id} userId @param {number} id */
  #hear(userId, id) {
    const isOwn = String(userId) === String(this.#client.userId);
    const known = isOwn ? this.#lastRead : this.#reads.get(userId);
    if (known !== undefined && known >= id) return;
    if (isOwn) this.#lastRead = id;
    else this.#reads.set(userId, id);
    this.#room.emit(/** @type {any} */ ("read"), /** @type {any} */ ({ userId, id }));
    if (isOwn && id >= this.#wanted) {
      // Another device was faster.
      this.#done?.resolve(id);
      this.#done = null;
    }
  }

  async #ask() {
    const { answer } = await this.#client.ask("../chatroom/reads", { chatroomId: this.#room.id });
    if (!Array.isArray(answer) || !answer.every((read) => isCount(read?.lastRead))) throw badFrame("badResponse");
    for (const { userId, lastRead } of answer) this.#hear(userId, lastRead);
    return new Map(this.#reads);
  }
}

/** A room of thousands, or one where much is said, is told in rounds: one frame for all messages since the last one. */
export class Rounds {
  /** @type {RoomOfRounds & Listening<RoundsEvents>} */ adds;
  #room;
  #client;
  /** @type {number | undefined} */ #members;

  /** @internal @param {ChatRoom} room @param {ChatClient<any>} client */
  constructor(room, client) {
    this.#room = room;
    this.#client = client;
    const count = () => this.#memberCount;
    /** @type {RoomOfRounds} */ const adds = {
      get memberCount() {
        return count();
      },
    };
    this.adds = /** @type {any} */ (adds);
  }

  /** @internal */
  asks() {
    return { rounds: true };
  }

  /** @internal @param {any} frame */
  receive({ type, chatroomId, after, upTo, members, senders, messages }) {
    if (type !== "messages") return;
    if (!isCount(after) || !isCount(upTo) || !Array.isArray(messages) || !messages.every(isMessage)) {
      return this.#client.emit("error", badFrame());
    }
    // Whom the server does not know has its id for a name, as in the history.
    const before = this.#memberCount;
    const sender = (/** @type {any} */ id) => senders?.[id] ?? { id, username: String(id), nickName: String(id), headPic: null };
    this.#room.cover(after, upTo, messages.map((message) => ({ ...message, chatroomId, sender: sender(message.senderId) })));
    if (isPositive(members)) this.#members = members;
    if (this.#memberCount !== before) this.#room.emit(/** @type {any} */ ("members"), /** @type {any} */ (null));
  }

  /** @internal */
  left() {
    this.#members = undefined;
  }

  get #memberCount() {
    return this.#room.isInRounds ? this.#members : undefined;
  }
}

const TYPING = "typing";

/** What is said and gone: an application's own signals, and who is typing. */
export class Signals {
  /** @type {SignallingRoom & Listening<SignalEvents>} */ adds;
  #room;
  #client;
  #passedOn = true;
  /** When typing was last told, by `performance.now()`. */
  #typedAt = -Infinity;
  /** @type {Map<Id, Timer>} */ #typing = new Map();

  /** @internal @param {ChatRoom} room @param {ChatClient<any>} client */
  constructor(room, client) {
    this.#room = room;
    this.#client = client;
    const passedOn = () => this.#passedOn;
    /** @type {SignallingRoom} */ const adds = {
      get signals() {
        return passedOn();
      },
      signal: (kind, data) => this.#signal(kind, data),
      typing: () => this.#type(),
    };
    this.adds = /** @type {any} */ (adds);
    room.addEventListener("message", ({ detail }) => this.#stops(detail.senderId));
    room.addEventListener("left", ({ detail }) => this.#stops(detail.userId));
  }

  /** @internal */
  asks() {
    return { online: true };
  }

  /** @internal @param {{ signals?: boolean }} ack */
  entered({ signals }) {
    this.#passedOn = signals !== false;
  }

  /** @internal @param {any} frame */
  receive({ type, userId, kind, data }) {
    if (type !== "signal") return;
    if (kind === TYPING) this.#types(userId);
    else this.#room.emit(/** @type {any} */ ("signal"), /** @type {any} */ ({ userId, kind, data }));
  }

  /** @internal */
  left() {
    this.#passedOn = true;
    this.#typedAt = -Infinity;
    for (const timer of this.#typing.values()) clearTimeout(timer);
    this.#typing.clear();
  }

  /** @param {string} kind @param {unknown} data */
  #signal(kind, data) {
    if (typeof kind !== "string" || !/^[\w.-]{1,32}$/.test(kind)) throw badRequest("kind must be 1 to 32 of A-Z a-z 0-9 _ - .");
    mustFit("data", data);
    return this.#passedOn && this.#room.tell({ action: "signal", kind, data });
  }

  #type() {
    const now = performance.now();
    if (now - this.#typedAt < TYPING_MS) return false;
    const isSent = this.#signal(TYPING, undefined);
    if (isSent) this.#typedAt = now;
    return isSent;
  }

  /** @param {Id} userId */
  #types(userId) {
    if (String(userId) === String(this.#client.userId)) return;
    const timer = this.#typing.get(userId);
    clearTimeout(timer);
    this.#typing.set(userId, setTimeout(() => this.#stops(userId), TYPING_SHOWN_MS));
    if (!timer) this.#tell();
  }

  /** @param {Id} userId */
  #stops(userId) {
    clearTimeout(this.#typing.get(userId));
    if (this.#typing.delete(userId)) this.#tell();
  }

  #tell() {
    const detail = { userIds: [...this.#typing.keys()] };
    this.#room.emit(/** @type {any} */ ("typing"), /** @type {any} */ (detail));
  }
}

/** What a browser shows as a picture, and the server lets it. */
const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/;

/** Files that go to the server's store first, and then as a message. */
export class Uploads {
  /** @type {UploadRoom} */ adds;
  #room;
  #client;

  /** @internal @param {ChatRoom} room @param {ChatClient<any>} client */
  constructor(room, client) {
    this.#room = room;
    this.#client = client;
    this.adds = {
      upload: (file, options) => room.reported(this.#upload(file, options)),
      renew: async (id) => {
        const { messages } = await room.history({ before: id + 1, limit: 1 });
        return messages.find((message) => message.id === id);
      },
    };
  }

  /** @param {File | Blob} file @param {UploadOptions} [options] @returns {Promise<Sent>} */
  async #upload(file, { onProgress = noop, signal, clientMessageId = newId(), ...extras } = {}) {
    mustBeClientMessageId(clientMessageId);
    const name = "name" in file && file.name ? file.name : "file";
    // Parameters, such as a charset, are no part of what the server takes.
    const [type] = file.type.split(";");
    const asked = { chatroomId: this.#room.id, clientMessageId, name, type, size: file.size };
    const attachment = await this.#save(asked, file, onProgress, signal).catch((error) => {
      throw Object.assign(error, { action: "createUpload" });
    });
    return this.#room.post({ type: PICTURE.test(type) ? "image" : "file", attachment }, { clientMessageId, ...extras });
  }

  /** Gives the file's key. @param {object} asked @param {Blob} file @param {(done: number) => void} onProgress @param {AbortSignal} [signal] */
  async #save(asked, file, onProgress, signal) {
    const { url, fields, attachment } = await this.#ask(asked, signal);
    await save(url, fields, file, onProgress, signal);
    return attachment;
  }

  /** Several files at once are more than the server's pace lets through at once. @param {object} asked @param {AbortSignal} [signal] */
  async #ask(asked, signal) {
    for (let attempt = 1; ; attempt++) {
      mustGoOn(signal);
      try {
        const { answer } = await this.#client.ask("../createUpload", {}, asked);
        if (!answer?.url || !answer.fields || !answer.attachment) throw badFrame("badResponse");
        return answer;
      } catch (caught) {
        const error = chatError(caught, "badResponse");
        if (!error.retryable || attempt >= SEND_TRIES) throw error;
        await sleep(backoff(attempt, REPEAT_MAX_MS));
      }
    }
  }
}

/** @param {AbortSignal} [signal] */
function mustGoOn(signal) {
  if (signal?.aborted) throw new ChatError("cancelled", "the upload was cancelled");
}

/**
 * `fetch` tells no progress, so a browser's older way is taken where there is one.
 * @param {string} url @param {Record<string, string>} fields @param {Blob} file @param {(done: number) => void} onProgress @param {AbortSignal} [signal]
 */
async function save(url, fields, file, onProgress, signal) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  // The store ignores what comes after the file.
  form.append("file", file);
  const status = await (globalThis.XMLHttpRequest ? send(url, form, onProgress, signal) : fetched(url, form, signal));
  mustGoOn(signal);
  if (status < 200 || status > 299) {
    throw new ChatError("uploadFailed", `the store answered ${status}`, { retryable: status === 0 || status >= 500 });
  }
  onProgress(1);
  mustGoOn(signal);
}

/** The status, or 0. @param {string} url @param {FormData} body @param {AbortSignal} [signal] */
async function fetched(url, body, signal) {
  return fetch(url, { method: "POST", body, signal }).then(({ status }) => status, () => 0);
}

/** @param {string} url @param {FormData} form @param {(done: number) => void} onProgress @param {AbortSignal} [signal] @returns {Promise<number>} */
function send(url, form, onProgress, signal) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    /** @type {Timer} */ let timer;
    const end = () => request.abort();
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(end, STALLED_MS);
    };
    request.upload.onprogress = ({ loaded, total }) => {
      wait();
      onProgress(loaded / total);
    };
    // However it ends; a status of 0 is none.
    request.onloadend = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve(request.status);
    };
    signal?.addEventListener("abort", end);
    request.open("POST", url);
    request.send(form);
    wait();
  });
}
