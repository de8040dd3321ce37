// @ts-check
import { ChatError, badFrame, badRequest, chatError } from "./errors.js";
import { MARK_MS, RECONNECT_MAX_MS } from "./limits.js";
import { isCount } from "./messages.js";
import { backoff, deferred, noop } from "./tools.js";

/** @import { ChatClient } from "./client.js" */
/** @import { ChatRoom } from "./room.js" */
/** @import { Deferred, Id, KeptRoom, Listening, ReadEvents, ReadRoom, Timer } from "./types.js" */

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
