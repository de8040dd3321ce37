// @ts-check
import { badFrame, chatError } from "./errors.js";
import { remember } from "./latest.js";
import { BEHIND_MAX, FINAL_AFTER_MS, OVERTAKING_MS, PAGE_MAX, RECONNECT_MAX_MS, REPEAT_MAX_MS } from "./limits.js";
import { isCount, isKnown, isMessage, isPositive, readItem, readable } from "./messages.js";
import { backoff, newId, sleep } from "./tools.js";

/** @import { ChatClient } from "./client.js" */
/** @import { ChatRoom } from "./room.js" */
/** @import { Change, ChangeEvents, Changed, ChangingRoom, Listening, Message, Since } from "./types.js" */

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
