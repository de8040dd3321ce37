// @ts-check
/** What this device keeps for a user over a reload: what was begun to be written, and what was not sent yet. */

/** @import { Id, Kind } from "../chat-client.js" */
/** @import { Mention } from "./mentions.js" */
/**
 * A message that is not known to be stored. `failed` says that it waits for its author; `file` is sent as it is, under its name.
 * @typedef {{ clientMessageId: string, room: string, type: Kind, content: string, replyTo?: number, mentions?: Mention[], createTime: string, failed?: boolean, file?: File }} Unsent
 */
/** @typedef {Unsent & { user: string, order: number }} Row */
/** What was begun to be written, which message it answers, and whom it means. @typedef {{ text: string, replyTo?: number, mentions?: Mention[] }} Draft */

const NAME = "chat";
const STORES = /** @type {const} */ (["drafts", "unsent"]);

export class Device {
  /** Of one server and one user: the same page may be used for others. */
  #user;
  /** Null where the browser keeps nothing. @type {Promise<IDBDatabase | null>} */ #database;
  /** What is to be written, by room; null while nothing is being written. @type {Map<string, Draft>} */ #drafts = new Map();
  /** @type {Promise<void> | null} */ #writing = null;
  /** Messages of one moment keep their order. */
  #order = 0;

  /** @param {string} server @param {Id | undefined} user Nothing is kept for nobody. */
  constructor(server, user) {
    this.#user = `${server} ${user}`;
    // A private window may refuse. Then nothing survives, and all else works.
    this.#database = user === undefined ? Promise.resolve(null) : open().catch(() => null);
  }

  /** What is there, in the order in which it was written. @returns {Promise<{ drafts: Map<string, Draft>, unsent: Unsent[] }>} */
  async read() {
    const [drafts, unsent] = await Promise.all(STORES.map((store) => this.#rows(store)));
    const byRoom = new Map(/** @type {(Draft & { room: string })[]} */ (drafts).map(({ room, ...draft }) => [room, draft]));
    return { drafts: byRoom, unsent: /** @type {Row[]} */ (unsent).sort((one, other) => one.order - other.order) };
  }

  /** May be called with each key: what is written last counts. @param {string} room @param {Draft} draft */
  keepDraft(room, draft) {
    this.#drafts.set(room, draft);
    this.#writing ??= this.#writeDrafts();
  }

  async #writeDrafts() {
    for (let [next] = this.#drafts; next; [next] = this.#drafts) {
      const [room, draft] = next;
      this.#drafts.delete(room);
      const key = { user: this.#user, room };
      const isBegun = draft.text || draft.replyTo;
      await this.#write("drafts", (store) => (isBegun ? store.put({ ...key, ...draft }) : store.delete(Object.values(key))));
    }
    this.#writing = null;
  }

  /** @param {Unsent} unsent */
  keepUnsent(unsent) {
    this.#order = Math.max(this.#order + 1, Date.parse(unsent.createTime));
    const row = { ...unsent, user: this.#user, order: this.#order };
    return this.#write("unsent", (store) => store.put(row));
  }

  /** @param {string} clientMessageId */
  forgetUnsent(clientMessageId) {
    return this.#write("unsent", (store) => store.delete([this.#user, clientMessageId]));
  }

  /** Forgets all that is kept for the user. */
  async clear() {
    this.#drafts.clear();
    await this.#writing;
    for (const name of STORES) await this.#write(name, (store) => store.delete(this.#range()));
  }

  #range() {
    return IDBKeyRange.bound([this.#user], [this.#user, []]);
  }

  /** @param {typeof STORES[number]} name @returns {Promise<unknown[]>} */
  async #rows(name) {
    const database = await this.#database;
    if (!database) return [];
    return done(database.transaction(name).objectStore(name).getAll(this.#range())).catch(() => []);
  }

  /** What cannot be written, since the disk is full perhaps, is as if it was not kept. @param {typeof STORES[number]} name @param {(store: IDBObjectStore) => IDBRequest} write */
  async #write(name, write) {
    const database = await this.#database;
    if (!database) return;
    try {
      await done(write(database.transaction(name, "readwrite").objectStore(name)));
    } catch {
      // The page itself still has it.
    }
  }
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  const opening = indexedDB.open(NAME, 1);
  opening.addEventListener("upgradeneeded", () => {
    opening.result.createObjectStore("drafts", { keyPath: ["user", "room"] });
    opening.result.createObjectStore("unsent", { keyPath: ["user", "clientMessageId"] });
  });
  return done(opening);
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function done(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}
