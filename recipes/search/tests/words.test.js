import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Store } from "../src/store.js";

const folder = mkdtempSync(join(tmpdir(), "chat-search-"));
after(() => rmSync(folder, { recursive: true }));

/** The texts, of an index of these, in which the words are found. @param {string[]} texts */
function index(texts) {
  const store = new Store(join(folder, `${Math.random()}.sqlite`));
  const messages = texts.map((content, at) => ({ room: "ROOM#1", id: at + 1, version: 0, erased: false, sender: "7", created: 0, expires: null, content, isText: true }));
  store.apply(messages, 0);
  return (/** @type {string} */ words) => store.search({ room: "ROOM#1", words, limit: 50 }, 0).map(({ content }) => content);
}

describe("words", () => {
  it("are found whatever their case and accents, all of them, in any order", () => {
    const found = index(["The café opens at nine", "THE CAFE IS CLOSED", "nine lives"]);
    assert.deepEqual(found("cafe"), ["THE CAFE IS CLOSED", "The café opens at nine"]);
    assert.deepEqual(found("nine CAFÉ"), ["The café opens at nine"]);
    assert.deepEqual(found("caf"), [], "a word is a whole word");
    assert.deepEqual(found("caf*"), ["THE CAFE IS CLOSED", "The café opens at nine"]);
    assert.deepEqual(found("lives cafe"), []);
  });

  it("are found where no blanks stand between them", () => {
    const found = index(["明天的会议改到三点", "会议室在二楼", "議會", "今日は会議があります", "พรุ่งนี้มีประชุม", "我买了iPhone手机", "ラーメンを食べたい", "회의는 내일입니다"]);
    assert.deepEqual(found("会议"), ["会议室在二楼", "明天的会议改到三点"]);
    assert.deepEqual(found("议会"), [], "the characters stand the other way round");
    assert.deepEqual(found("三点 会议"), ["明天的会议改到三点"]);
    assert.deepEqual(found("点"), ["明天的会议改到三点"], "one character is enough");
    assert.deepEqual(found("会議"), ["今日は会議があります"]);
    assert.deepEqual(found("ประชุม"), ["พรุ่งนี้มีประชุม"]);
    assert.deepEqual(found("iphone手机"), ["我买了iPhone手机"]);
    assert.deepEqual(found("ｉＰｈｏｎｅ"), ["我买了iPhone手机"], "as a wide keyboard types it");
    assert.deepEqual(found("ラーメン"), ["ラーメンを食べたい"]);
    assert.deepEqual(found("내일*"), ["회의는 내일입니다"]);
  });

  it("are words and never operators", () => {
    const found = index(['she said "never" AND left', "room near content"]);
    assert.deepEqual(found('"never'), ['she said "never" AND left']);
    assert.deepEqual(found("AND"), ['she said "never" AND left']);
    assert.deepEqual(found("room : near"), ["room near content"]);
    for (const words of ["", " ", '"', "*", "-", "()", "\0", "👍", "NEAR(", "a OR b)", 'x" OR room : "y', "{room} : x", "^left"]) found(words);
    assert.deepEqual(found("^left"), ['she said "never" AND left']);
    assert.deepEqual(found("👍"), [], "nothing is looked for where there is no word");
  });
});
