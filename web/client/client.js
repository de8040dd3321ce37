// @ts-check
import { Connection } from "./connection.js";
import { ChatError, badFrame, badRequest, chatError } from "./errors.js";
import { FINAL_AFTER_MS, ID_BYTES_MAX, LIFETIME_MS, PING_INTERVAL_MS, RECONNECT_MAX_MS, STABLE_MS, TIMEOUT_MS, TIMER_MAX_MS } from "./limits.js";
import { isMessage, isRoomId, readItem } from "./messages.js";
import { ChatRoom } from "./room.js";
import { Target, backoff, deferred, within } from "./tools.js";

/** @import { ChatOptions, ClientEvents, ClientWith, Deferred, Feature, Id, RoomWith, Settings, Timer } from "./types.js" */

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
