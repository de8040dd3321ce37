// @ts-check
import { badFrame, badRequest } from "./errors.js";
import { remember } from "./latest.js";
import { EMOJI_BYTES_MAX, NEWEST_PAGE, RECONNECT_MAX_MS, SEND_TRIES } from "./limits.js";
import { bytes, isPositive } from "./messages.js";
import { backoff, sleep } from "./tools.js";

/** @import { ChatClient } from "./client.js" */
/** @import { ChatRoom } from "./room.js" */
/** @import { Listening, Message, Reacted, ReactingRoom, Reaction, ReactionEvents } from "./types.js" */

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
