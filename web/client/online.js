// @ts-check
import { badFrame } from "./errors.js";

/** @import { ChatRoom } from "./room.js" */
/** @import { Id, Listening, Message, OnlineEvents, OnlineRoom, Presence, Profile } from "./types.js" */

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
