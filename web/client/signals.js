// @ts-check
import { badRequest } from "./errors.js";
import { TYPING_MS, TYPING_SHOWN_MS } from "./limits.js";
import { mustFit } from "./messages.js";

/** @import { ChatClient } from "./client.js" */
/** @import { ChatRoom } from "./room.js" */
/** @import { Id, Listening, SignalEvents, SignallingRoom, Timer } from "./types.js" */

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
