// @ts-check
/** What one reads in a room: links, colours, pictures, what is found, and the way to it. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, Changes } from "../chat-client.js";
import { startBrowser } from "./browser.js";
import { startLocalRun } from "./local-run.js";
import { contrast, enterPage, eventually, line, openRoom, scan, send, texts } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, BrowserContextOptions } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */
/** @import { Visit } from "./visitors.js" */

let rooms = 0;
const fresh = () => `reading-${++rooms}`;

describe("what one reads", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun(), startBrowser()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  it("makes links of web addresses in a text, without what ends the sentence", async (test) => {
    const { page, room, friend, complaints } = await two(test);
    /** What is said, and the links in it. @type {[string, string[]][]} */
    const said = [
      ["See https://example.com/a?b=c#d, and (http://example.org/e).", ["https://example.com/a?b=c#d", "http://example.org/e"]],
      ["https://en.example.org/wiki/Boat_(song) is it!", ["https://en.example.org/wiki/Boat_(song)"]],
      ["请看https://example.com/船，好吗？", ["https://example.com/船"]],
      ["《https://example.com/》在https://example.com这里", ["https://example.com/", "https://example.com"]],
      ["انظر https://example.com/ب؟", ["https://example.com/ب"]],
      ["https://example.com/\u202egnp.exe", ["https://example.com/"]],
      ["**https://example.com/x**...", ["https://example.com/x"]],
      ["javascript:alert(1) ftp://example.com data:text/html,x file:///etc/passwd", []],
      ["https://bank.example@evil.example/ xhttps://example.com https:// http://[", []],
      [`https://example.com/${")".repeat(3_900)}`, ["https://example.com/"]],
      ["no link at all", []],
    ];
    for (const [text] of said) await friend.send(text);
    await line(page, said.length).waitFor();
    assert.deepEqual(await texts(page), said.map(([text]) => text), "nothing of a text is lost");
    for (const [at, [text, links]] of said.entries()) {
      assert.deepEqual(await line(page, at + 1).locator(".content a").allTextContents(), links, text);
    }
    const first = line(page, 1).locator("a").first();
    const attributes = ["href", "target", "rel", "dir"].map((name) => first.getAttribute(name));
    assert.deepEqual(await Promise.all(attributes), ["https://example.com/a?b=c#d", "_blank", "noopener noreferrer", "ltr"]);
    // One's own, too, and after an edit.
    await send(page, "mine: https://example.com/mine");
    await line(page, said.length + 1).getByRole("link", { name: "https://example.com/mine" }).waitFor();
    await friend.edit(11, "here: https://example.com/edited.");
    await line(page, 11).getByRole("link", { name: "https://example.com/edited" }).waitFor();
    assert.equal(typeof room, "string");
    assert.deepEqual(complaints, []);
  });

  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    it(`gives each person a colour that stays, and that can be read, ${colorScheme}`, async (test) => {
      const room = fresh();
      const ids = Array.from({ length: 40 }, (_, at) => at + 1);
      const senders = await Promise.all(ids.map((id) => member(test, room, id)));
      for (const [at, sender] of senders.entries()) await sender.send(`I am ${ids[at]}`);
      const { page } = await enter(test, { room, id: 99, options: { colorScheme } });
      await page.getByText("I am 40").waitFor();
      const people = await page.evaluate(() => [...document.querySelectorAll(".message:not(.continued)")].map((line) => {
        const [bubble, name, avatar] = [".bubble", ".name", ".avatar"].map((part) => getComputedStyle(/** @type {Element} */ (line.querySelector(part))));
        return { who: line.querySelector(".name")?.textContent, name: [name.color, bubble.backgroundColor], avatar: [avatar.color, avatar.backgroundColor] };
      }));
      assert.equal(people.length, 40);
      for (const { who, name, avatar } of people) {
        for (const [front, back] of [name, avatar]) assert.ok(contrast(front, back) >= 4.5, `${who}: ${front} on ${back}`);
      }
      const colours = new Set(people.map(({ avatar }) => avatar[1]));
      assert.equal(colours.size, 12, "people are told apart");
      await page.reload();
      await page.getByText("I am 40").waitFor();
      const again = await page.locator(".message:not(.continued) .avatar").evaluateAll((all) => all.map((one) => getComputedStyle(one).backgroundColor));
      assert.deepEqual(again, people.map(({ avatar }) => avatar[1]));
    });
  }

  it("shows a picture large, closes it with Escape, and is back where one was", async (test) => {
    const { page, friend, complaints } = await two(test);
    await friend.sendImage(new URL("/page/icon-192.png", run.page).href);
    const link = line(page, 1).getByRole("link", { name: "Picture from Dong" });
    await link.click();
    const dialog = page.getByRole("dialog", { name: "Picture from Dong" });
    await dialog.waitFor();
    await eventually(() => dialog.getByRole("img").evaluate((image) => /** @type {HTMLImageElement} */ (image).naturalWidth), 192);
    await eventually(() => page.evaluate(() => document.activeElement?.textContent), "Close");
    await page.keyboard.press("Escape");
    await eventually(() => dialog.count(), 0);
    assert.equal(await link.evaluate((link) => link === document.activeElement), true);
    // By keyboard, and by a press beside it.
    await page.keyboard.press("Enter");
    await dialog.waitFor();
    assert.equal(await dialog.getByRole("link", { name: "Open in a new window" }).getAttribute("rel"), "noopener noreferrer");
    await page.mouse.click(3, 3);
    await eventually(() => dialog.count(), 0);
    assert.equal(page.context().pages().length, 1, "no window was opened");
    assert.deepEqual(complaints, []);
  });

  it("says that a picture is broken in one small line, where the reader's place stays", async (test) => {
    const { page, friend, room } = await two(test);
    const picture = new URL("/late.png", run.page).href;
    let fail = () => {};
    const failed = /** @type {Promise<void>} */ (new Promise((resolve) => (fail = resolve)));
    await page.route(picture, async (route) => {
      await failed;
      await route.abort();
    });
    await friend.sendImage(picture);
    for (let n = 0; n < 30; n++) await friend.send(`line ${n}`);
    await page.getByText("line 29").waitFor();
    const log = page.getByRole("log", { name: `Messages of room ${room}` });
    // The picture is just above what is read.
    const before = await log.evaluate((log) => {
      const image = /** @type {Element} */ (log.querySelector(".picture"));
      log.scrollTop += image.getBoundingClientRect().bottom - log.getBoundingClientRect().top + 20;
      const line = /** @type {Element} */ (log.querySelector("[data-id='5']"));
      return line.getBoundingClientRect().top;
    });
    // The page knows of the scrolling a moment later.
    await page.getByRole("button", { name: "To the newest ↓" }).waitFor();
    fail();
    const words = line(page, 1).getByText("This picture cannot be shown.");
    await words.waitFor({ state: "attached" });
    const now = await line(page, 5).evaluate((line) => line.getBoundingClientRect().top);
    assert.ok(Math.abs(now - before) <= 1, `it jumped by ${now - before} pixels`);
    const box = await line(page, 1).locator(".picture").boundingBox();
    assert.ok(box && box.height < 60, "it is small");
    assert.equal(await line(page, 1).locator("a").getAttribute("href"), picture, "it still is a link");
  });

  it("does not jump when a picture loads above, nor when a message above changes", async (test) => {
    const { page, friend, room } = await two(test);
    let load = () => {};
    const loaded = /** @type {Promise<void>} */ (new Promise((resolve) => (load = resolve)));
    await page.route("**/late.svg", async (route) => {
      await loaded;
      await route.fulfill({ contentType: "image/svg+xml", body: `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="900"><rect width="900" height="900"/></svg>` });
    });
    await friend.send("short");
    await friend.sendImage(new URL("/late.svg", run.page).href);
    for (let n = 0; n < 30; n++) await friend.send(`line ${n}`);
    await page.getByText("line 29").waitFor();
    const log = page.getByRole("log", { name: `Messages of room ${room}` });
    const place = () => line(page, 6).evaluate((line) => line.getBoundingClientRect().top);
    await log.evaluate((log) => {
      const line = /** @type {Element} */ (log.querySelector("[data-id='5']"));
      log.scrollTop += line.getBoundingClientRect().top - log.getBoundingClientRect().top;
    });
    await page.getByRole("button", { name: "To the newest ↓" }).waitFor();
    const size = () => line(page, 2).locator(".bubble").evaluate((bubble) => [bubble.clientWidth, bubble.clientHeight]);
    const [before, empty] = [await place(), await size()];
    load();
    await eventually(() => line(page, 2).locator("img").evaluate((image) => /** @type {HTMLImageElement} */ (image).naturalWidth), 900);
    assert.ok(Math.abs((await place()) - before) <= 1, "a picture");
    assert.deepEqual(await size(), empty, "its place was there before");
    await friend.edit(1, Array(12).fill("and longer").join("\n"));
    await eventually(async () => (await line(page, 1).locator(".content").textContent())?.startsWith("and longer"), true);
    assert.ok(Math.abs((await place()) - before) <= 1, "an edit");
  });

  it("finds what was said, here and further back, and leads to it", async (test) => {
    const room = fresh();
    const friend = await member(test, room, 20, "Dong");
    await friend.send("The Harbour opens at nine");
    await sayMuch(friend, 700);
    await friend.send("to the ＨＡＲＢＯＵＲ, then");
    const { page, complaints } = await enter(test, { room, id: 21 });
    await page.getByText("ＨＡＲＢＯＵＲ").waitFor();
    await page.getByRole("button", { name: "Find in this room" }).click();
    const box = page.getByRole("searchbox", { name: "Find in this room" });
    await box.fill("harbour");
    const hits = page.locator("#hits button");
    await eventually(() => hits.count(), 1);
    await page.getByText("1 message found so far.").waitFor();
    const back = page.getByRole("button", { name: "Look further back" });
    await back.click();
    await eventually(async () => [await back.getAttribute("aria-disabled"), await back.textContent()], [null, "Look further back"]);
    if (await back.isVisible()) await back.click();
    await page.getByText("2 messages found.").waitFor();
    assert.equal(await back.isVisible(), false, "there is nothing further back");
    assert.equal(await hits.last().locator("mark").textContent(), "Harbour");
    // The first of 702 is far above the log, and what is between is not read for it.
    await box.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute("data-id")), "1");
    assert.ok((await texts(page)).length < 300);
    await page.getByRole("button", { name: "To the newest ↓" }).click();
    await line(page, 702).waitFor();
    await eventually(() => page.getByRole("button", { name: "To the newest ↓" }).isVisible(), false);
    // What is recalled is not found any more.
    await friend.remove(1);
    await page.getByText("1 message found.").waitFor();
    await box.press("Escape");
    await eventually(() => page.evaluate(() => document.activeElement?.id), "find");
    assert.equal(await box.isVisible(), false);
    assert.deepEqual(complaints, []);
  });

  it("reads on in both directions from where one was led to, without a gap", async (test) => {
    const room = fresh();
    const friend = await member(test, room, 20, "Dong");
    await sayMuch(friend, 900);
    await friend.send("the end");
    const { page } = await enter(test, { room, id: 22, address: `${run.page}#/${room}/450` });
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute("data-id")), "450");
    const log = page.getByRole("log", { name: `Messages of room ${room}` });
    const ids = () => page.locator(".log:not([hidden]) [data-id]").evaluateAll((lines) => lines.map((line) => Number(/** @type {HTMLElement} */ (line).dataset.id)));
    for (const [to, end] of /** @type {const} */ ([["top", 300], ["bottom", 700]])) {
      for (;;) {
        const all = await ids();
        assert.deepEqual(all, all.map((_, at) => all[0] + at), "none is missing, and none is there twice");
        if (to === "top" ? all[0] <= end : Number(all.at(-1)) >= end) break;
        await log.evaluate((log, to) => (log.scrollTop = to === "top" ? 0 : log.scrollHeight), to);
        await eventually(async () => String(await ids()) !== String(all), true);
      }
    }
    await send(page, "from the end");
    await page.getByText("from the end").waitFor();
    await eventually(async () => (await texts(page)).slice(-2), ["the end", "from the end"]);
  });

  it("has a button to the newest message while one is further up, and counts what is new", async (test) => {
    const { page, friend, room } = await two(test);
    for (let n = 0; n < 40; n++) await friend.send(`line ${n}`);
    await page.getByText("line 39").waitFor();
    const button = page.locator("#newer");
    await eventually(() => button.isVisible(), false);
    const log = page.getByRole("log", { name: `Messages of room ${room}` });
    await log.evaluate((log) => (log.scrollTop = 0));
    await page.getByRole("button", { name: "To the newest ↓" }).waitFor();
    for (const text of ["one", "two"]) await friend.send(text);
    await page.getByRole("button", { name: "2 new messages ↓" }).click();
    await eventually(() => button.isVisible(), false);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "text");
    await eventually(() => line(page, 42).evaluate((line) => line.getBoundingClientRect().bottom <= innerHeight), true);
  });

  it("stays at the end when a panel takes some of its place while it scrolls", async (test) => {
    const { page, friend, room } = await two(test);
    for (let n = 0; n < 40; n++) await friend.send(`line ${n}`);
    await page.getByText("line 39").waitFor();
    const log = page.getByRole("log", { name: `Messages of room ${room}` });
    const fromEnd = () => log.evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
    await eventually(async () => Math.round(await fromEnd()), 0);
    // The event of the scrolling comes after the panel, and before the log is told of its new height.
    await page.evaluate(async () => {
      const log = /** @type {HTMLElement} */ (document.querySelector(".log:not([hidden])"));
      const panel = document.createElement("div");
      panel.style.height = "200px";
      log.scrollTop -= 5;
      log.parentElement?.before(panel);
      for (let frame = 0; frame < 3; frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
    });
    await eventually(async () => Math.round(await fromEnd()), 0);
    assert.equal(await page.locator("#newer").isVisible(), false);
  });

  it("has emoji for the text box, by mouse and by keyboard", async (test) => {
    const { page } = await two(test);
    const text = page.getByRole("textbox", { name: "Message" });
    await text.fill("ab");
    await text.evaluate((field) => /** @type {HTMLTextAreaElement} */ (field).setSelectionRange(1, 1));
    const open = page.getByRole("button", { name: "Emoji" });
    const panel = page.getByRole("group", { name: "Emoji" });
    await open.click();
    await panel.getByRole("button", { name: "🎉" }).click();
    assert.deepEqual([await text.inputValue(), await panel.isVisible()], ["a🎉b", false]);
    assert.equal(await text.evaluate((field) => field === document.activeElement), true);
    // Where the cursor is, one goes on.
    await open.press("Enter");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("End");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    assert.equal(await text.inputValue(), "a🎉😂b");
    await open.press("Enter");
    await page.keyboard.press("Escape");
    assert.deepEqual([await panel.isVisible(), await page.evaluate(() => document.activeElement?.id)], [false, "emoji"]);
  });

  it("has a new message read aloud once, whatever it changes on the page, and nothing again in another language", async (test) => {
    const room = fresh();
    const friend = await member(test, room, 20, "Dong");
    const { page } = await enter(test, { room, id: 21 });
    await page.evaluate(() => {
      /** @type {string[]} */ const read = (/** @type {any} */ (window).read = []);
      const live = (/** @type {Node} */ node) => {
        const element = node instanceof Element ? node : node.parentElement;
        const region = element?.closest("[aria-live], [role=status], [role=alert], [role=log]");
        return region && region.getAttribute("aria-live") !== "off" && region.checkVisibility() && !element?.closest("[aria-hidden=true]");
      };
      new MutationObserver((changes) => {
        for (const { target, addedNodes } of changes) {
          for (const node of addedNodes) if (live(target)) read.push(node.textContent ?? "");
        }
      }).observe(document.body, { childList: true, subtree: true });
    });
    const read = () => page.evaluate(() => /** @type {string[]} */ (/** @type {any} */ (window).read));
    await friend.send("first word");
    await line(page, 1).waitFor();
    // At the end, further up, while something is looked for, and while the room is behind.
    await page.getByRole("button", { name: "Find in this room" }).click();
    await page.getByRole("searchbox").fill("word");
    await friend.send("second word");
    await line(page, 2).waitFor();
    await page.getByLabel("New room").fill(fresh());
    await page.getByRole("button", { name: "Join" }).click();
    await friend.send("third word");
    await page.getByRole("button", { name: `Room ${room} 1 unread message` }).waitFor();
    await openRoom(page, room);
    await line(page, 3).waitFor();
    const times = (await read()).join("\n");
    const count = (/** @type {string} */ word) => times.split(word).length - 1;
    assert.deepEqual(["first word", "second word", "third word"].map(count), [1, 1, 0], times);

    await page.evaluate(() => void (/** @type {any} */ (window).read.length = 0));
    await page.getByLabel("Language").selectOption("中文");
    await page.getByRole("heading", { name: `房间 ${room}` }).waitFor();
    assert.deepEqual((await read()).filter((text) => /加入了|第|word/.test(text)), []);
  });

  for (const [name, options] of /** @type {[string, BrowserContextOptions][]} */ ([
    ["wide", { viewport: { width: 1_280, height: 800 } }],
    ["narrow and dark", { viewport: { width: 360, height: 640 }, colorScheme: "dark" }],
  ])) {
    it(`has nothing that an accessibility scan finds, ${name}`, async (test) => {
      const room = fresh();
      const friend = await member(test, room, 20, "Dong");
      const { page } = await enter(test, { room, options: { ...options, bypassCSP: true } });
      await friend.send("look at https://example.com/");
      await friend.sendImage(new URL("/page/icon-192.png", run.page).href);
      await friend.sendImage(new URL("/nothing.png", run.page).href);
      await line(page, 3).getByText("This picture cannot be shown.").waitFor();
      for (let n = 0; n < 30; n++) await friend.send(`line ${n}`);
      await line(page, 33).waitFor();
      await page.locator(".log:not([hidden])").evaluate((log) => (log.scrollTop = 0));
      await page.getByRole("button", { name: "To the newest ↓" }).waitFor();
      await page.getByRole("button", { name: "Find in this room" }).click();
      await page.getByRole("searchbox").fill("look");
      await eventually(() => page.locator("#hits button").count(), 1);
      await scan(page, "something was found");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Emoji" }).click();
      await scan(page, "the emoji");
      await page.keyboard.press("Escape");
      await line(page, 2).getByRole("link").click();
      await page.getByRole("dialog").waitFor();
      await scan(page, "a picture");
    });
  }

  /** A page, and somebody who speaks to it. @param {TestContext} test */
  async function two(test) {
    const room = fresh();
    const friend = await member(test, room, 20, "Dong");
    return { room, friend, ...(await enter(test, { room, id: 21 })) };
  }

  /** @param {TestContext} test @param {string} room @param {number} id @param {string} [nickName] */
  async function member(test, room, id, nickName = `Somebody ${id}`) {
    const getToken = () => run.token({ userId: id, nickName });
    const client = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket), features: [Changes] });
    test.after(() => client.disconnect());
    void client.connect();
    const sender = client.room(room);
    await sender.join();
    return sender;
  }

  /** No more than may wait at once. @param {{ send(text: string): Promise<unknown> }} friend @param {number} count */
  async function sayMuch(friend, count) {
    for (let n = 0; n < count; n += 50) {
      await Promise.all(Array.from({ length: Math.min(50, count - n) }, (_, at) => friend.send(`line ${n + at + 1}`)));
    }
  }

  /** @param {TestContext} test @param {Visit} visit */
  function enter(test, visit) {
    return enterPage(test, browser, { address: run.page, ...visit });
  }
});
