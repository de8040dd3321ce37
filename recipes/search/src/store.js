import { DatabaseSync } from "node:sqlite";
import { cut, query } from "./words.js";

/** How long somebody waits for the file while another one writes (ms). */
const busyMs = 5_000;

const schema = `
  CREATE TABLE IF NOT EXISTS message (
    key INTEGER PRIMARY KEY, room TEXT NOT NULL, id INTEGER NOT NULL, version INTEGER NOT NULL, erased INTEGER NOT NULL,
    sender TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER, content TEXT NOT NULL, UNIQUE (room, id));
  CREATE INDEX IF NOT EXISTS expiring ON message (expires) WHERE expires IS NOT NULL;
  CREATE VIRTUAL TABLE IF NOT EXISTS words
    USING fts5 (room, content, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2");`;

/** A room as one word. @param {string} room */
const word = (room) => Buffer.from(room).toString("hex");

/** The index: a file of SQLite with its full text search. One writes at a time; any number read. */
export class Store {
  #database;

  /** @param {string} file */
  constructor(file) {
    this.#database = new DatabaseSync(file, { timeout: busyMs });
    // With a journal of its own beside it. A write-ahead log needs memory that its readers share, and they are machines apart.
    this.#database.exec(`PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; ${schema}`);
  }

  /**
   * Takes in messages as events say they are, in any order and as often as they come.
   * @param {import("./message.js").Message[]} messages @param {number} now in seconds
   */
  apply(messages, now) {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const message of messages) this.#take(message);
      this.#forget(now);
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** @param {import("./message.js").Message} message */
  #take({ room, id, version, erased, sender, created, expires, content, isText }) {
    const known = this.#database.prepare("SELECT key, version, erased FROM message WHERE room = ? AND id = ?").get(room, id);
    // Nothing follows an erasure but another state without content.
    const isNews = !known || version > Number(known.version) || (erased && !known.erased);
    if (!isNews) return;
    const isErased = erased || Boolean(known?.erased);
    const text = isErased ? "" : content;
    // What is recalled or erased keeps its row: an event that comes late would bring its text back.
    const { key } = /** @type {{ key: number }} */ (
      this.#database
        .prepare(
          `INSERT INTO message (room, id, version, erased, sender, created, expires, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (room, id) DO UPDATE SET version = max(version, excluded.version), erased = excluded.erased,
             expires = excluded.expires, content = excluded.content RETURNING key`,
        )
        .get(room, id, version, Number(isErased), sender, created, expires, text)
    );
    this.#database.prepare("DELETE FROM words WHERE rowid = ?").run(key);
    if (isText && text) this.#database.prepare("INSERT INTO words (rowid, room, content) VALUES (?, ?, ?)").run(key, word(room), cut(text));
  }

  /** Removes some of what expired; nobody is shown it before. @param {number} now */
  #forget(now) {
    const over = this.#database.prepare("DELETE FROM message WHERE key IN (SELECT key FROM message WHERE expires <= ? LIMIT 100) RETURNING key").all(now);
    for (const { key } of over) this.#database.prepare("DELETE FROM words WHERE rowid = ?").run(key);
  }

  /**
   * The messages of one room that have all words, the newest first.
   * @param {{ room: string, words: string, before?: number, limit?: number }} asked @param {number} now in seconds
   */
  search({ room, words, before = Number.MAX_SAFE_INTEGER, limit = 20 }, now) {
    const wanted = query(words);
    if (!wanted) return [];
    const found = this.#database
      .prepare(
        // Crossed, so that the words come first: SQLite would ask for them at each message of the room.
        `SELECT id, sender, created, message.content FROM words CROSS JOIN message ON message.key = words.rowid
         WHERE words MATCH ? AND message.room = ? AND id < ? AND (expires IS NULL OR expires > ?) ORDER BY id DESC LIMIT ?`,
      )
      .all(`room : "${word(room)}" AND content : (${wanted})`, room, before, now, limit);
    return found.map(({ id, sender, created, content }) => ({
      id,
      senderId: JSON.parse(String(sender)),
      createTime: new Date(Number(created)).toISOString(),
      content,
    }));
  }

  close() {
    this.#database.close();
  }
}
