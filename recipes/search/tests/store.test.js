import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { messageOf } from "../src/message.js";
import { Store } from "../src/store.js";

const folder = mkdtempSync(join(tmpdir(), "chat-search-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const open = () => new Store(join(folder, `${files++}.sqlite`));

/** @param {Record<string, object>} row */
function event(row, { room = "ROOM#1", id = 1 } = {}) {
  const key = `MSG#${String(id).padStart(16, "0")}`;
  const plain = { PK: { S: room }, SK: { S: key }, id: { N: String(id) }, senderId: { N: "7" }, kind: { S: "text" }, createTime: { N: "1741746165123" } };
  return { detail: { v: 1, room, key, row: { ...plain, ...row } } };
}

/** @param {object[]} events @param {Store} [store] */
function fed(events, store = open()) {
  store.apply(events.map(messageOf).filter((message) => message !== undefined), 0);
  return (/** @type {string} */ words, room = "ROOM#1", now = 0) => store.search({ room, words }, now).map(({ content }) => content);
}

/** @template T @param {T[]} list @returns {T[][]} */
const orders = (list) => (list.length < 2 ? [list] : list.flatMap((one, at) => orders(list.toSpliced(at, 1)).map((rest) => [one, ...rest])));

describe("the index", () => {
  it("ends with the last state of a message, in whatever order and however often its events come", () => {
    const sent = event({ content: { S: "first word" } });
    const edited = event({ content: { S: "second word" }, version: { N: "3" } });
    const again = event({ content: { S: "third word" }, version: { N: "11" } });
    for (const order of orders([sent, edited, again])) {
      for (const events of [order, [...order, ...order], order.flatMap((one) => [one, one])]) {
        const found = fed(events);
        assert.deepEqual(found("word"), ["third word"]);
        assert.deepEqual([found("first"), found("second")], [[], []]);
      }
    }
  });

  it("forgets what is recalled or erased, and no late event brings it back", () => {
    const sent = event({ content: { S: "word" } });
    const edited = event({ content: { S: "word again" }, version: { N: "3" } });
    const recalled = event({ content: { S: "" }, version: { N: "4" }, deletedAt: { N: "1" } });
    const erased = event({ content: { S: "" }, version: { N: "3" }, eraseTime: { N: "1" } });
    // An edit that was under way when its message was erased.
    const late = event({ content: { S: "word once more" }, version: { N: "5" }, eraseTime: { N: "1" } });
    for (const events of [[sent, edited, recalled], [sent, edited, erased], [sent, erased, edited], [sent, edited, erased, late], [recalled], [sent, edited, erased, recalled]]) {
      for (const order of orders(events)) assert.deepEqual(fed([...order, sent])("word"), [], JSON.stringify(order));
    }
  });

  it("keeps rooms apart", () => {
    const rooms = ["ROOM#1", "ROOM#11", 'ROOM#"1', "ROOM#1 OR x", "ROOM#房间"];
    const found = fed(rooms.map((room) => event({ content: { S: `word of ${room}` } }, { room })));
    for (const room of rooms) assert.deepEqual(found("word", room), [`word of ${room}`]);
    assert.deepEqual(found("word", "ROOM#2"), []);
  });

  it("shows nothing that expired, and removes it", () => {
    const store = open();
    const found = fed([event({ content: { S: "word" }, expiresAt: { N: "100" } })], store);
    assert.deepEqual(found("word", "ROOM#1", 99), ["word"]);
    assert.deepEqual(found("word", "ROOM#1", 100), []);
    store.apply([], 100);
    assert.deepEqual(found("word", "ROOM#1", 0), [], "it is gone");
  });

  it("passes over what is no message", () => {
    const found = fed([
      event({ isVoid: { BOOL: true }, senderId: undefined }),
      { detail: { row: { PK: { S: "ROOM#1" }, SK: { S: "REPORT#0000000000000001#8" }, id: { N: "1" }, reporterId: { N: "8" }, reason: { S: "word" } } } },
      {},
      event({ kind: { S: "image" }, content: { S: "https://example.com/word.png" } }, { id: 2 }),
    ]);
    assert.deepEqual(found("word"), []);
    assert.deepEqual(found("example"), []);
  });

  it("answers by pages, the newest first, with who said it and when", () => {
    const store = open();
    fed(Array.from({ length: 30 }, (_, at) => event({ content: { S: `word ${at + 1}` }, senderId: at % 2 ? { N: "7" } : { S: "auth0|5" } }, { id: at + 1 })), store);
    const page = (/** @type {object} */ asked) => store.search({ room: "ROOM#1", words: "word", ...asked }, 0);
    assert.deepEqual(page({}).map(({ id }) => id), Array.from({ length: 20 }, (_, at) => 30 - at));
    assert.deepEqual(page({ before: 11 }).map(({ id }) => id), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert.deepEqual(page({ limit: 2 }), [
      { id: 30, senderId: 7, createTime: "2025-03-12T02:22:45.123Z", content: "word 30" },
      { id: 29, senderId: "auth0|5", createTime: "2025-03-12T02:22:45.123Z", content: "word 29" },
    ]);
  });

  it("is whole after a batch that failed", () => {
    const store = open();
    const found = fed([event({ content: { S: "word" } })], store);
    const broken = { ...messageOf(event({ content: { S: "other" } }, { id: 2 })), id: /** @type {any} */ (null) };
    assert.throws(() => store.apply([/** @type {any} */ (messageOf(event({ content: { S: "word two" } }, { id: 3 }))), /** @type {any} */ (broken)], 0));
    assert.deepEqual(found("word"), ["word"]);
    fed([event({ content: { S: "word three" } }, { id: 3 })], store);
    assert.deepEqual(found("word"), ["word three", "word"]);
  });
});
