// @ts-check
/** The page in Firefox: what people do with it every day, and whatever browsers do each in a way of their own. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { ChatClient, Changes, Reactions } from "../chat-client.js";
import { comeIn, enterPage, line, openMenu, openPage, pick, press, say, startFirefox, the, write } from "./firefox.js";
import { startLocalRun } from "./local-run.js";
import { startNetwork } from "./network.js";
import { eventually, fits, kept, scan, texts } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, ElementHandle, HTTPRequest, Page } from "puppeteer-core" */
/** @import { Visit } from "./firefox.js" */
/** @import { LocalRun } from "./local-run.js" */

/** What one turn of the wheel moves. */
const WHEEL_PX = 250;
const PICTURE = fileURLToPath(new URL("../page/icon-192.png", import.meta.url));
let rooms = 0;
const fresh = () => `firefox-${++rooms}`;

describe("the page in Firefox", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun(), startFirefox()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  it("lets two people talk: Enter sends, and Shift and Enter begin a line", async (test) => {
    const { guang, dong, complaints } = await two(test);
    await guang.bringToFront();
    await guang.keyboard.type("hello");
    await press(guang, "Enter");
    await guang.keyboard.type("you");
    await press(guang, "Shift+Enter");
    await guang.keyboard.type("there?");
    await press(guang, "Enter");
    await eventually(() => texts(dong), ["hello", "you\nthere?"]);
    await say(dong, "yes");
    for (const page of [guang, dong]) await eventually(() => texts(page), ["hello", "you\nthere?", "yes"]);
    const heads = await dong.$$eval(".head", (all) => all.filter((head) => head.checkVisibility()).map((head) => head.textContent.split(" ")[0]));
    assert.deepEqual(heads, ["Guang", "You"], "one head for two of one sender");
    assert.equal(await dong.$eval("#text", ({ clientHeight, scrollHeight }) => scrollHeight <= clientHeight), true);
    await the(dong, "button", "Leave").click();
    await guang.locator("::-p-text(Dong left)").wait();
    assert.deepEqual(complaints(), []);
  });

  it("edits, recalls, reacts and answers by mouse", async (test) => {
    const { guang, dong, complaints } = await two(test);
    for (const word of ["helo", "oops", "well?"]) await say(guang, word);
    await pick(guang, 1, "Edit");
    const box = the(guang, "textbox", "Message");
    assert.equal(await value(guang), "helo");
    await box.fill("hello");
    await the(guang, "button", "Save").click();
    await pick(guang, 2, "Recall");
    await eventually(() => texts(dong), ["hello", "Guang recalled a message", "well?"]);
    await dong.locator(`${line(1)} .edited`).wait();
    await pick(dong, 3, "Reply");
    await dong.locator("::-p-text(In reply to Guang:)").wait();
    await say(dong, "well!");
    await the(guang, "button", "Guang well?").click();
    await eventually(() => focused(guang), "3");
    await pick(dong, 1, "React with 🎉");
    await the(guang, "button", "🎉 1: Dong").click();
    await the(dong, "button", "🎉 2: Guang, You").click();
    await the(guang, "button", "🎉 1: You").wait();
    for (const page of [guang, dong]) {
      const recalled = page === guang ? "You recalled a message" : "Guang recalled a message";
      await eventually(() => texts(page), ["hello", recalled, "well?", "well!"]);
    }
    assert.deepEqual(complaints(), []);
  });

  it("does all of that by keyboard alone, and the focus is where it is in Chromium", async (test) => {
    const { room, guang, dong, complaints } = await two(test);
    const log = `Messages of room ${room}`;
    for (const word of ["one", "two"]) await say(guang, word);
    await dong.locator(line(2)).wait();
    await dong.bringToFront();
    const go = async (/** @type {string} */ keys) => {
      await press(dong, keys);
      return focused(dong);
    };
    assert.equal(await focused(dong), "text");
    for (const at of ["emoji", "attach", "kind", log, "leave"]) assert.equal(await go("Shift+Tab"), at);
    for (const at of [log, "2", "What to do with this message", "kind"]) assert.equal(await go("Tab"), at);
    for (const at of ["What to do with this message", "2"]) assert.equal(await go("Shift+Tab"), at);
    assert.equal(await go("ArrowUp"), "1");
    // Into the menu, and back.
    assert.equal(await go("Enter"), "React with 👍");
    assert.equal(await go("Escape"), "1");
    await go("Enter");
    assert.equal(await go("ArrowRight"), "React with ❤️");
    assert.equal(await go("Enter"), "1");
    await the(guang, "button", "❤️ 1: Dong").wait();
    await go("Enter");
    assert.equal(await go("End"), "Report…");
    for (const at of ["Copy link", "Reply"]) assert.equal(await go("ArrowUp"), at);
    assert.equal(await go("Enter"), "text");
    await dong.keyboard.type("three");
    assert.equal(await go("Enter"), "text");
    // One's own message: edited, given up, edited, recalled.
    for (const written of ["Escape", "Enter"]) {
      await dong.locator(line(3)).wait();
      await dong.$eval(line(3), (line) => /** @type {HTMLElement} */ (line).focus());
      await go("Enter");
      for (const at of ["Recall", "Edit"]) assert.equal(await go(at === "Recall" ? "End" : "ArrowUp"), at);
      assert.equal(await go("Enter"), "text");
      await dong.keyboard.type(", and more");
      assert.equal(await go(written), "text");
    }
    await eventually(() => texts(guang), ["one", "two", "three, and more"]);
    await dong.$eval(line(3), (line) => /** @type {HTMLElement} */ (line).focus());
    await go("Enter");
    await go("End");
    assert.equal(await go("Enter"), "3");
    await eventually(() => texts(guang), ["one", "two", "Dong recalled a message"]);
    // A panel gives the focus back, too.
    await dong.locator("#emoji").click();
    assert.equal(await focused(dong), "😀");
    assert.equal(await go("Escape"), "emoji");
    await dong.locator("#find").click();
    assert.equal(await focused(dong), "find-words");
    assert.equal(await go("Escape"), "find");
    assert.deepEqual(complaints(), []);
  });

  it("sends a picture with its progress, shows it large, and is back where one was", async (test) => {
    const { guang, dong, complaints } = await two(test);
    const release = await hold(guang, (request) => request.method() === "POST" && !request.url().startsWith(run.page));
    await guang.evaluate(() => {
      /** @type {number[]} */ const seen = (/** @type {any} */ (window).seen = []);
      const watching = new MutationObserver((changes) => {
        for (const { target } of changes) if (target instanceof HTMLProgressElement) seen.push(target.value);
      });
      watching.observe(document.body, { subtree: true, attributeFilter: ["value"] });
    });
    await /** @type {ElementHandle<HTMLInputElement>} */ (await guang.$("#files")).uploadFile(PICTURE);
    await the(guang, "progressbar", "How much of the file is saved").wait();
    // It is seen before it is anywhere else.
    await eventually(() => picture(guang), [192, "blob:"]);
    assert.equal(await guang.$eval("progress", (bar) => bar.value), 0);
    assert.deepEqual(await texts(dong), []);
    await release();
    for (const page of [guang, dong]) await eventually(() => picture(page), [192, "http:"]);
    const seen = await guang.evaluate(() => /** @type {number[]} */ (/** @type {any} */ (window).seen));
    assert.ok(seen.length >= 2 && seen.at(-1) === 1, `${seen}`);
    assert.deepEqual(seen, [...seen].sort((one, other) => one - other));
    await eventually(() => guang.$$eval(".sending, progress", ({ length }) => length), 0);

    await dong.bringToFront();
    await the(dong, "link", "Picture from Guang").click();
    await the(dong, "dialog", "Picture from Guang").wait();
    await eventually(() => focused(dong), "Close");
    await press(dong, "Escape");
    await eventually(() => dong.$$eval("dialog", ({ length }) => length), 0);
    assert.equal(await focused(dong), "Picture from Guang");
    // By keyboard, and by a press beside it.
    await press(dong, "Enter");
    await the(dong, "dialog", "Picture from Guang").wait();
    await dong.mouse.click(3, 3);
    await eventually(() => dong.$$eval("dialog", ({ length }) => length), 0);
    assert.equal(await focused(dong), "Picture from Guang");
    assert.equal((await dong.browserContext().pages()).length, 1, "no window was opened");
    assert.deepEqual(complaints(), []);
  });

  it("sends a file that is dropped, and links to it", async (test) => {
    const { guang, dong, complaints } = await two(test);
    await guang.$eval("#logs", (logs) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["what it says"], "notes.txt", { type: "text/plain" }));
      logs.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
    });
    await the(dong, "link", "notes.txt").wait();
    const [href, target, rel] = await dong.$eval("a.file", (link) => ["href", "target", "rel"].map((name) => String(link.getAttribute(name))));
    assert.deepEqual([target, rel], ["_blank", "noopener noreferrer"]);
    assert.equal(await (await fetch(href)).text(), "what it says");
    assert.deepEqual(complaints(), []);
  });

  it("copies a link, which leads to the message, and goes back and forward with the browser", async (test) => {
    const [room, other] = [`a/b c%#?&=名 ${fresh()}`, fresh()];
    const { page: guang, complaints } = await enter(test, { room });
    for (const text of ["one", "two", "three"]) await say(guang, text);
    await pick(guang, 2, "Copy link");
    await guang.locator("::-p-text(The link is copied.)").wait();
    await guang.locator("#text").click();
    await press(guang, "Control+v");
    const link = `${run.page}#/${encodeURIComponent(room)}/2`;
    await eventually(() => value(guang), link);

    const dong = await openPage(test, browser, link);
    assert.equal(await value(dong.page, "#first-room"), room);
    await comeIn(dong.page, { name: "Dong", id: 2, room });
    await eventually(() => focused(dong.page), "2");
    await dong.page.locator(`${line(2)}.found`).wait();
    // In a window where one is in already.
    await dong.page.evaluate((hash) => void (location.hash = hash), `#/${encodeURIComponent(room)}/1`);
    await eventually(() => focused(dong.page), "1");
    // A reload shows what was open, and leads nowhere.
    await dong.page.reload();
    await eventually(() => texts(dong.page), ["one", "two", "three"]);
    assert.equal(await focused(dong.page), "text");

    const title = () => dong.page.$eval("#room-title", ({ textContent }) => textContent);
    await dong.page.locator("#new-room").fill(other);
    await the(dong.page, "button", "Join").click();
    await eventually(title, `Room ${other}`);
    await dong.page.goBack();
    await eventually(title, `Room ${room}`);
    await dong.page.goForward();
    await eventually(title, `Room ${other}`);
    assert.equal(new URL(dong.page.url()).hash, `#/${other}`);
    // From elsewhere, too: what Firefox keeps of a page that was left must not be a dead one.
    await dong.page.goto(new URL("/page/icon.svg", run.page).href);
    await dong.page.goBack();
    await eventually(title, `Room ${other}`);
    await say(dong.page, "back again");
    await dong.page.locator(`${line(1)}:not(.sending)`).wait();
    assert.deepEqual([...complaints, ...dong.complaints], []);
  });

  it("keeps what was begun to be written over a reload, and nothing of the form that Firefox would keep", async (test) => {
    const [room, other] = [fresh(), fresh()];
    const { page, complaints } = await enter(test, { room, id: 41 });
    await write(page, "half a\nsentence");
    await page.locator("#new-room").fill(other);
    await the(page, "button", "Join").click();
    await eventually(() => value(page), "");
    await write(page, "another half");
    await page.select("#kind", "image");
    await kept(page, "drafts", 2);
    await page.reload();
    await eventually(() => value(page), "another half");
    // A text that Firefox would send as the picture's address.
    assert.equal(await value(page, "#kind"), "text");
    await the(page, "button", `Room ${room}`).click();
    assert.equal(await value(page), "half a\nsentence");
    await press(page, "Enter");
    await page.locator(`${line(1)}:not(.sending)`).wait();
    await kept(page, "drafts", 1);
    await page.reload();
    await page.locator(line(1)).wait();
    assert.equal(await value(page), "");
    assert.deepEqual(complaints, []);
  });

  it("sends after a reload what was not sent before, in order, once", async (test) => {
    const network = await startNetwork(test, run.page);
    const room = fresh();
    const { page } = await enter(test, { room, id: 43, address: network.through(run.page) });
    const friend = await member(test, room);
    /** @type {string[]} */ const heard = [];
    friend.addEventListener("message", ({ detail }) => heard.push(detail.content));
    await friend.send("before");
    await page.locator(line(1)).wait();
    // It arrives, and nobody learns of it: after the reload it is sent again, and must not be doubled.
    network.deafen();
    await say(page, "stored already");
    await eventually(async () => heard, ["before", "stored already"]);
    network.silence();
    for (const text of ["second", "third"]) await say(page, text);
    await kept(page, "unsent", 3);
    network.cut();
    network.up();
    await page.reload();
    const all = ["before", "stored already", "second", "third"];
    await eventually(() => texts(page), all);
    await eventually(() => page.$$eval(".sending, .failed", ({ length }) => length), 0);
    await eventually(async () => heard, all);
    await kept(page, "unsent", 0);
  });

  it("loses nothing and doubles nothing when the network goes and comes back", async (test) => {
    const network = await startNetwork(test, run.page);
    const room = fresh();
    const { page } = await enter(test, { room, id: 44, address: network.through(run.page) });
    const friend = await member(test, room);
    const expected = [];
    for (let round = 0; round < 3; round++) {
      await friend.send(`before ${round}`);
      await page.locator(`::-p-text(before ${round})`).wait();
      network.cut();
      await page.locator("#status[data-state='disconnected']").wait();
      await friend.send(`meanwhile ${round}`);
      await say(page, `mine ${round}`);
      network.up();
      await page.locator("#status[data-state='connected']").wait();
      expected.push(`before ${round}`, `meanwhile ${round}`, `mine ${round}`);
      await eventually(() => texts(page), expected);
      await eventually(() => page.$$eval(".sending, .failed", ({ length }) => length), 0);
    }
    const { messages } = await friend.history({ before: 1_000 });
    assert.deepEqual(messages.map(({ content }) => content), expected);
  });

  it("reads older messages by the wheel without a jump, each once and in order", async (test) => {
    const room = fresh();
    const friend = await member(test, room);
    await sayMuch(friend, 300);
    const { page, complaints } = await enter(test, { room, id: 45 });
    await page.locator(line(300)).wait();
    // How far the line at the top of the log moves from one picture of the page to the next.
    await page.evaluate(() => {
      const log = /** @type {HTMLElement} */ (document.querySelector(".log:not([hidden])"));
      const edge = log.getBoundingClientRect().top;
      const lines = () => /** @type {HTMLElement[]} */ ([...log.querySelectorAll("[data-id]")]);
      const moves = (/** @type {any} */ (window).moves = { up: 0, worst: 0, total: 0, pages: 0 });
      /** @type {{ line: HTMLElement, top: number, first: string | undefined } | undefined} */ let before;
      const look = () => {
        const first = lines()[0].dataset.id;
        if (before?.line.isConnected) {
          const moved = before.line.getBoundingClientRect().top - before.top;
          moves.up = Math.min(moves.up, moved);
          moves.worst = Math.max(moves.worst, moved);
          moves.total += moved;
          if (before.first !== first) moves.pages += 1;
        }
        const line = lines().find((line) => line.getBoundingClientRect().bottom > edge);
        before = line && { line, top: line.getBoundingClientRect().top, first };
        requestAnimationFrame(look);
      };
      look();
    });
    await page.mouse.move(700, 400);
    const top = () => page.$eval(".log:not([hidden])", (log) => [log.scrollTop, Number(/** @type {HTMLElement} */ (log.querySelector("[data-id]")).dataset.id)]);
    let turns = 0;
    for (let at = await top(); at[0] > 0 || at[1] > 1; at = await top()) {
      if (at[0] === 0) await eventually(async () => (await top())[1] < at[1], true);
      else await page.mouse.wheel({ deltaY: -WHEEL_PX });
      assert.ok(++turns < 300, "the wheel does nothing");
    }
    const moves = await page.evaluate(() => /** @type {any} */ (window).moves);
    assert.ok(moves.pages >= 4, `${moves.pages} pages were read`);
    assert.ok(moves.up >= -1, `it jumped up by ${-moves.up} pixels`);
    assert.ok(moves.total <= turns * WHEEL_PX + 1, `${turns} turns of ${WHEEL_PX} pixels moved it by ${moves.total}`);
    const said = await texts(page);
    assert.deepEqual(said, Array.from({ length: 300 }, (_, at) => `line ${at + 1}`));
    assert.deepEqual(complaints, []);
  });

  it("does not jump when a picture loads above, nor when a message above changes", async (test) => {
    const room = fresh();
    const friend = await member(test, room);
    const { page } = await enter(test, { room, id: 46 });
    const release = await hold(page, (request) => request.url().endsWith("/late.svg"));
    await friend.send("short");
    await friend.sendImage(new URL("/late.svg", run.page).href);
    for (let n = 0; n < 30; n++) await friend.send(`line ${n}`);
    await page.locator(line(32)).wait();
    const place = () => page.$eval(line(6), (line) => line.getBoundingClientRect().top);
    await page.$eval(line(5), (line) => {
      const log = /** @type {Element} */ (line.closest(".log"));
      log.scrollTop += line.getBoundingClientRect().top - log.getBoundingClientRect().top;
    });
    // The page knows of the scrolling a moment later.
    await the(page, "button", "To the newest ↓").wait();
    const size = () => page.$eval(`${line(2)} .bubble`, (bubble) => [bubble.clientWidth, bubble.clientHeight]);
    const [before, empty] = [await place(), await size()];
    await release((request) => request.respond({ contentType: "image/svg+xml", body: `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="900"/>` }));
    await eventually(() => picture(page), [900, "http:"]);
    assert.ok(Math.abs((await place()) - before) <= 1, "a picture");
    assert.deepEqual(await size(), empty, "its place was there before");
    await friend.edit(1, Array(12).fill("and longer").join("\n"));
    await eventually(async () => (await texts(page))[0].startsWith("and longer"), true);
    assert.ok(Math.abs((await place()) - before) <= 1, "an edit");
    await friend.react(3, "🎉", true);
    await page.locator(`${line(3)} .reaction`).wait();
    assert.ok(Math.abs((await place()) - before) <= 1, "a reaction");
  });

  it("follows the end, stays where the reader is further up, and counts what is new", async (test) => {
    const room = fresh();
    const friend = await member(test, room);
    const { page } = await enter(test, { room, id: 47 });
    const fromEnd = () => page.$eval(".log:not([hidden])", (log) => Math.round(log.scrollHeight - log.scrollTop - log.clientHeight));
    for (let n = 0; n < 40; n++) await friend.send(`line ${n}`);
    await friend.sendImage(new URL("/page/icon-192.png", run.page).href);
    await friend.send(Array(20).fill("long").join("\n"));
    await page.locator(line(42)).wait();
    await eventually(fromEnd, 0);
    await say(page, Array(20).fill("mine").join("\n"));
    await page.locator(`${line(43)}:not(.sending)`).wait();
    await eventually(fromEnd, 0);
    // What is written takes place, and gives it back.
    const height = () => page.$eval("#text", ({ clientHeight }) => clientHeight);
    const low = await height();
    await write(page, "1\n2\n3\n4");
    await eventually(async () => (await height()) > 2 * low, true);
    await eventually(fromEnd, 0);
    await write(page, "");
    await eventually(height, low);
    await eventually(fromEnd, 0);

    await page.mouse.move(700, 300);
    await page.mouse.wheel({ deltaY: -4 * WHEEL_PX });
    await the(page, "button", "To the newest ↓").wait();
    const place = await fromEnd();
    for (const text of ["one", "two"]) await friend.send(text);
    await the(page, "button", "2 new messages ↓").wait();
    assert.ok((await fromEnd()) > place, "it stays");
    await the(page, "button", "2 new messages ↓").click();
    await eventually(fromEnd, 0);
    assert.equal(await focused(page), "text");
    await eventually(() => page.$eval("#newer", (button) => button.checkVisibility()), false);
  });

  it("fits into a window of 320 pixels, and nothing is covered", async (test) => {
    const room = `a-room-with-quite-a-long-name-${fresh()}`;
    const { page, complaints } = await openPage(test, browser, run.page, { width: 320, height: 640 });
    await fits(page, "coming in");
    await comeIn(page, { name: "Somebody with a name that is long", id: 48, room });
    await page.locator("#emoji").click();
    await fits(page, "the emoji");
    await press(page, "Escape");
    const friend = await member(test, room);
    await friend.send("look: https://example.com/an/address/that/is/so/long/that/it/does/not/fit/into/a/line");
    await friend.sendImage(new URL("/page/icon-192.png", run.page).href);
    await friend.sendFile("https://example.com/a-file-with-a-name-that-is-so-long-that-it-does-not-fit-into-a-line.pdf");
    for (let n = 0; n < 20; n++) await friend.send(`line ${n}`);
    await page.locator(line(23)).wait();
    await say(page, "my own");
    await page.locator(`${line(24)}:not(.sending)`).wait();
    await fits(page, "in a room");
    await openMenu(page, 24);
    await fits(page, "a menu");
    await press(page, "Escape");
    await pick(page, 23, "Report…");
    await fits(page, "a dialog");
    await press(page, "Escape");
    await the(page, "button", "Back to the rooms").click();
    await fits(page, "the list");
    assert.deepEqual(complaints, []);
  });

  it("has nothing that an accessibility scan finds", async (test) => {
    const { page, complaints } = await openPage(test, browser, run.page);
    await scan(page, "coming in");
    await talkAndScan(test, page);
    assert.deepEqual(complaints, []);
  });

  it("is Chinese and dark where Firefox is, with nothing that a scan finds", async (test) => {
    const other = await startFirefox({ "intl.accept_languages": "zh-CN", "layout.css.prefers-color-scheme.content-override": 0 });
    test.after(() => other.close());
    const { page, complaints } = await openPage(test, other, run.page);
    await the(page, "button", "进入").wait();
    await scan(page, "coming in");
    await talkAndScan(test, page);
    assert.equal(await page.$eval("#status", ({ textContent }) => textContent), "已连接");
    assert.equal(await page.$eval("body", (body) => getComputedStyle(body).backgroundColor), "rgb(18, 22, 20)");
    await page.select("#language", "en");
    await page.locator("::-p-text(Connected)").wait();
    assert.deepEqual(complaints, []);
  });

  /** Guang, who is 1, and Dong, who is 2, in a room of their own. @param {TestContext} test */
  async function two(test) {
    const room = fresh();
    const guang = await enter(test, { name: "Guang", id: 1, room });
    const dong = await enter(test, { name: "Dong", id: 2, room });
    await guang.page.locator("::-p-text(Dong joined)").wait();
    return { room, guang: guang.page, dong: dong.page, complaints: () => [...guang.complaints, ...dong.complaints] };
  }

  /** @param {TestContext} test @param {Visit} visit */
  function enter(test, visit) {
    return enterPage(test, browser, { address: run.page, ...visit });
  }

  /** Somebody who speaks, and has no window. @param {TestContext} test @param {string} room */
  async function member(test, room) {
    const getToken = () => run.token({ userId: 20, nickName: "Dong" });
    const client = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket), features: [Changes, Reactions] });
    test.after(() => client.disconnect());
    void client.connect();
    const sender = client.room(room);
    await sender.join();
    return sender;
  }

  /** Comes in, and scans a room, a menu and a dialog. @param {TestContext} test @param {Page} page */
  async function talkAndScan(test, page) {
    const room = fresh();
    const friend = await member(test, room);
    await friend.send("look at https://example.com/");
    await friend.sendFile("https://example.com/a.pdf");
    await friend.sendImage(new URL("/page/icon-192.png", run.page).href);
    await comeIn(page, { room, id: 49 });
    await page.locator(line(3)).wait();
    await say(page, "mine");
    await page.locator(`${line(4)}:not(.sending)`).wait();
    await scan(page, "in a room");
    await openMenu(page, 1);
    await scan(page, "a menu");
    await press(page, "End");
    await press(page, "Enter");
    await page.locator("dialog[open] textarea").wait();
    await scan(page, "a dialog");
    await press(page, "Escape");
  }
});

/** What has the focus: its id, or its message's, or what it says. @param {Page} page */
function focused(page) {
  return page.evaluate(() => {
    const { id, dataset, ariaLabel, textContent, firstElementChild: first } = /** @type {HTMLElement} */ (document.activeElement);
    return id || dataset.id || (first instanceof HTMLImageElement ? first.alt : (ariaLabel ?? textContent));
  });
}

/** What stands in a field. @param {Page} page */
function value(page, field = "#text") {
  return page.$eval(field, (field) => /** @type {HTMLInputElement} */ (field).value);
}

/** How wide the last picture is, and from where. @param {Page} page */
function picture(page) {
  return page.$$eval(".picture img", (all) => {
    const image = all.at(-1);
    return image instanceof HTMLImageElement && [image.naturalWidth, new URL(image.src).protocol];
  });
}

/** Holds the one thing that the page asks for and that is like this. Returns a way to let it go. @param {Page} page @param {(request: HTTPRequest) => boolean} isHeld */
async function hold(page, isHeld) {
  /** @type {HTTPRequest[]} */ const held = [];
  await page.setRequestInterception(true);
  page.on("request", (request) => {
    if (isHeld(request)) held.push(request);
    else void request.continue();
  });
  return async (/** @type {(request: HTTPRequest) => Promise<void>} */ go = (request) => request.continue()) => {
    await eventually(async () => held.length, 1);
    await go(held[0]);
  };
}

/** No more than may wait at once. @param {{ send(text: string): Promise<unknown> }} friend @param {number} count */
async function sayMuch(friend, count) {
  for (let n = 0; n < count; n += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - n) }, (_, at) => friend.send(`line ${n + at + 1}`)));
  }
}
