// @ts-check
import { badFrame, badRequest } from "./errors.js";
import { BARRED_MAX_MS, TIMER_MAX_MS } from "./limits.js";
import { isCount, isPositive, isRoomId, readable } from "./messages.js";
import { hearRemoved, takeOut } from "./removed.js";

/** @import { ChatClient } from "./client.js" */
/** @import { ChatRoom } from "./room.js" */
/** @import { Listening, ModerationEvents, ModerationRoom, RemovedEvents, Timer } from "./types.js" */

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
