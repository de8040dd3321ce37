// @ts-check
import { badFrame } from "./errors.js";
import { isCount, isMessage, isPositive } from "./messages.js";

/** @import { ChatClient } from "./client.js" */
/** @import { ChatRoom } from "./room.js" */
/** @import { Listening, RoomOfRounds, RoundsEvents } from "./types.js" */

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
