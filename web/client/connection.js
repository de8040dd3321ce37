// @ts-check
import { ChatError, badFrame, chatError, connectionLost } from "./errors.js";
import { RECONNECT_MAX_MS, RETRYABLE, RETRY_AFTER_MAX_MS, TOLD } from "./limits.js";
import { isCount } from "./messages.js";
import { backoff, deferred, noop, parse, sleep } from "./tools.js";

/** @import { ChatClient } from "./client.js" */
/** @import { Deferred, Id, Message, Settings, Timer } from "./types.js" */

/** One socket: requests and their replies. All other frames go to the client. */
export class Connection {
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
export async function persist(connection, frame, /** @type {() => boolean} */ isWanted) {
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
