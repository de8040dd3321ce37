// @ts-check
/** What stays: addresses, the browser's history, what was written and not sent; and what does not stay after one signed out. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, Changes, Kept } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { startLocalRun } from "./local-run.js";
import { startNetwork } from "./network.js";
import { comeIn, enterPage, eventually, join, kept, line, openPage, openRoom, pick, send, texts } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, Page } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */
/** @import { Visit } from "./visitors.js" */

const NARROW = { viewport: { width: 390, height: 760 } };
let rooms = 0;
const fresh = () => `staying-${++rooms}`;

describe("what stays", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun(), startBrowser()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  it("copies a link to a message, which opens the room and leads there, whatever the room is called", async (test) => {
    const room = `a/b c%#?&=名 ${fresh()}`;
    const guang = await enter(test, { room, options: { permissions: ["clipboard-read", "clipboard-write"] } });
    for (const text of ["one", "two", "three"]) await send(guang.page, text);
    await eventually(() => texts(guang.page), ["one", "two", "three"]);
    await pick(guang.page, 2, "Copy link");
    await guang.page.getByText("The link is copied.").waitFor();
    const link = await guang.page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, `${run.page}#/${encodeURIComponent(room)}/2`);

    const dong = await openPage(test, browser, link);
    assert.equal(await dong.page.getByLabel("Room", { exact: true }).inputValue(), room);
    await comeIn(dong.page, { name: "Dong", id: 2, room });
    await dong.page.getByRole("heading", { name: `Room ${room}` }).waitFor();
    await eventually(() => focused(dong.page), "2");
    await dong.page.locator('[data-id="2"].found').waitFor();
    // In a window where one is in already.
    await dong.page.evaluate((hash) => void (location.hash = hash), `#/${encodeURIComponent(room)}/1`);
    await eventually(() => focused(dong.page), "1");
    // A reload shows what was open, and leads nowhere.
    await dong.page.reload();
    await eventually(() => texts(dong.page), ["one", "two", "three"]);
    assert.equal(await focused(dong.page), undefined);
    assert.deepEqual([...guang.complaints, ...dong.complaints], []);
  });

  it("says so when a link leads to a message that is not there, and takes nonsense for no link", async (test) => {
    const room = fresh();
    const friend = client(test, 31, "Dong").room(room);
    await friend.join();
    // What is said again is the same message, and the number of the repetition is nobody's.
    for (const text of ["one", "one", "three"]) await friend.send(text, { clientMessageId: text });
    const { page, complaints } = await openPage(test, browser, `${run.page}#/${room}/2`);
    await comeIn(page, { id: 30, room });
    await page.getByRole("alert").getByText("the message is not there any more").waitFor();
    await eventually(() => texts(page), ["one", "three"]);
    for (const hash of ["#/%E0%A4%A", "#nonsense", "#/a/b/c"]) {
      await page.evaluate((hash) => new Promise((resolve) => {
        addEventListener("popstate", resolve, { once: true });
        location.hash = hash;
      }).then(() => {}), hash);
      assert.equal(await page.getByRole("heading", { name: `Room ${room}` }).isVisible(), true, hash);
    }
    assert.equal(await page.getByRole("list", { name: "Rooms" }).getByRole("button").count(), 1);
    assert.deepEqual(complaints, []);
  });

  it("says so when a link leads to a group that one is not in", async (test) => {
    const friend = client(test, 31, "Dong");
    const group = await friend.createGroup("Harbour");
    const { page } = await openPage(test, browser, `${run.page}#/${group}/1`);
    await comeIn(page, { id: 32, room: fresh() });
    await page.getByRole("alert").getByText("you are not in this room").waitFor();
    assert.equal(await page.getByRole("list", { name: "Rooms" }).getByRole("button").count(), 1);
  });

  it("opens a link to a group as soon as the list of rooms is there", async (test) => {
    const friend = client(test, 31, "Dong");
    const group = await friend.createGroup("Harbour");
    await friend.invite(group, 30);
    await friend.room(group).join();
    for (const text of ["one", "two"]) await friend.room(group).send(text);
    // The second is what a notification has that finds no window.
    for (const [hash, after] of [[`#/${group}/1`, `#/${group}`], [`#room=${group}&message=1`, ""]]) {
      const { page, complaints } = await openPage(test, browser, run.page + hash);
      await comeIn(page, { id: 30, room: after ? fresh() : "" });
      await page.getByRole("heading", { name: "Harbour" }).waitFor();
      await eventually(() => focused(page), "1");
      if (!after) assert.equal(new URL(page.url()).hash, after);
      assert.deepEqual(complaints, []);
    }
  });

  it("goes back and forward with the browser: from room to room, and on a telephone to the list", async (test) => {
    const [room, other] = [fresh(), fresh()];
    const wide = await enter(test, { room });
    await join(wide.page, other);
    await wide.page.getByRole("heading", { name: `Room ${other}` }).waitFor();
    await wide.page.goBack();
    await wide.page.getByRole("heading", { name: `Room ${room}` }).waitFor();
    await wide.page.goForward();
    await wide.page.getByRole("heading", { name: `Room ${other}` }).waitFor();
    assert.equal(new URL(wide.page.url()).hash, `#/${other}`);

    const { page, complaints } = await enter(test, { room, options: NARROW });
    const title = page.getByRole("heading", { name: `Room ${room}` });
    const item = page.getByRole("button", { name: `Room ${room}` });
    await title.waitFor();
    await page.goBack();
    await item.waitFor();
    assert.equal(await title.isVisible(), false);
    await eventually(() => item.evaluate((item) => item === document.activeElement), true);
    await item.click();
    await title.waitFor();
    // The page's own button is the same step, so the browser's leads out of the chat then.
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await item.waitFor();
    const length = await page.evaluate(() => history.length);
    await item.click();
    await page.reload();
    await title.waitFor();
    assert.equal(await page.evaluate(() => history.length), length, "no step is added");
    await page.goBack();
    await item.waitFor();
    assert.deepEqual([...wide.complaints, ...complaints], []);

    // Whoever came by a link finds the list behind it, too.
    const linked = await openPage(test, browser, `${run.page}#/${room}/1`, NARROW);
    await comeIn(linked.page, { id: 2, room });
    await linked.page.getByRole("heading", { name: `Room ${room}` }).waitFor();
    await linked.page.goBack();
    await linked.page.getByRole("button", { name: `Room ${room}` }).waitFor();
  });

  it("keeps what was begun to be written, for each room and each user, over a reload", async (test) => {
    const [room, other] = [fresh(), fresh()];
    const { page, complaints } = await enter(test, { room, id: 41 });
    const text = page.getByRole("textbox", { name: "Message" });
    await text.fill("half a\nsentence");
    await join(page, other);
    await eventually(() => text.inputValue(), "");
    await text.fill("another half");
    await kept(page, "drafts", 2);
    await page.reload();
    await eventually(() => text.inputValue(), "another half");
    await openRoom(page, room);
    assert.equal(await text.inputValue(), "half a\nsentence");
    // A message that is written anew is none, and one that was sent is none any more.
    await text.press("Enter");
    await line(page, 1).waitFor();
    await pick(page, 1, "Edit");
    await text.fill("written anew");
    await kept(page, "drafts", 1);
    await page.reload();
    await line(page, 1).waitFor();
    assert.equal(await text.inputValue(), "");
    // Another user of this browser.
    const window = await page.context().newPage();
    await window.goto(run.page);
    await comeIn(window, { id: 42, room: other });
    await window.getByText("Guang joined").first().waitFor();
    assert.equal(await window.getByRole("textbox", { name: "Message" }).inputValue(), "");
    assert.deepEqual(complaints, []);
  });

  it("keeps which message a draft answers, as long as that is there", async (test) => {
    const room = fresh();
    const friend = client(test, 57, "Dong").room(room);
    await friend.join();
    for (const text of ["how are you?", "never mind"]) await friend.send(text);
    const { page, complaints } = await enter(test, { room, id: 56 });
    const about = page.locator("#about");
    await pick(page, 2, "Reply");
    // An answer is begun before its first word.
    await kept(page, "drafts", 1);
    await page.reload();
    await about.getByText("never mind").waitFor();
    await friend.remove(2);
    await about.waitFor({ state: "hidden" });
    await kept(page, "drafts", 0);
    await pick(page, 1, "Reply");
    await page.getByRole("textbox", { name: "Message" }).fill("well");
    await kept(page, "drafts", 1);
    await page.reload();
    await about.getByText("how are you?").waitFor();
    await page.getByRole("textbox", { name: "Message" }).press("Enter");
    await line(page, 3).locator(".quote").getByText("how are you?").waitFor();
    await kept(page, "drafts", 0);
    // Nor does it come back to one that is gone.
    await pick(page, 1, "Reply");
    await page.getByRole("textbox", { name: "Message" }).fill("quite well");
    await kept(page, "drafts", 1);
    await page.goto("about:blank");
    await friend.remove(1);
    await page.goto(run.page);
    await eventually(() => page.getByRole("textbox", { name: "Message" }).inputValue(), "quite well");
    await page.getByRole("textbox", { name: "Message" }).press("Enter");
    await line(page, 4).waitFor();
    assert.equal(await line(page, 4).locator(".quote").count(), 0);
    assert.deepEqual(complaints, []);
  });

  it("uploads after a reload the files that were on their way, once, and leaves to their author what was refused", async (test) => {
    const room = fresh();
    const { page } = await enter(test, { room, id: 58 });
    const friend = client(test, 59, "Dong").room(room);
    /** @type {string[]} */ const heard = [];
    friend.addEventListener("message", ({ detail }) => heard.push(detail.content));
    await friend.join();
    const [asking, saving] = ["**/createUpload", `${new URL(run.s3).origin}/**`];
    const choose = (/** @type {string} */ name) =>
      page.locator("#files").setInputFiles({ name, mimeType: "text/plain", buffer: Buffer.from(`what is in ${name}`) });
    for (const [at, where] of [asking, saving].entries()) {
      // It is asked for, and no answer comes before the reload.
      const asked = page.waitForRequest(where);
      await page.route(where, () => {});
      await choose(`notes-${at}.txt`);
      await asked;
      await kept(page, "unsent", 1);
      await page.unroute(where);
      await page.reload();
      await eventually(async () => heard.length, at + 1);
      await kept(page, "unsent", 0);
      const file = await fetch(heard[at]);
      assert.equal(await file.text(), `what is in notes-${at}.txt`);
      await page.locator(".mine a.file").getByText(`notes-${at}.txt`).waitFor();
    }
    await page.route(saving, (route) => route.fulfill({ status: 403 }));
    await choose("refused.txt");
    await page.locator(".failed").waitFor();
    await page.unroute(saving);
    await page.reload();
    const failed = page.locator(".failed", { hasText: "refused.txt" });
    await failed.getByText("Not sent.").waitFor();
    assert.equal(heard.length, 2);
    await failed.getByRole("button", { name: "Retry" }).click();
    await eventually(async () => heard.length, 3);
    await kept(page, "unsent", 0);
    await eventually(() => page.locator(".sending, .failed").count(), 0);
    await eventually(() => page.locator(".mine a.file").allTextContents(), ["notes-0.txt", "notes-1.txt", "refused.txt"]);
  });

  it("sends after a reload what was not sent before, in order, once", async (test) => {
    const network = await startNetwork(test, run.page);
    const room = fresh();
    const { page } = await enter(test, { room, id: 43, address: network.through(run.page) });
    const friend = client(test, 44, "Dong").room(room);
    /** @type {string[]} */ const heard = [];
    friend.addEventListener("message", ({ detail }) => heard.push(detail.content));
    await friend.join();
    await friend.send("before");
    await page.getByText("before").waitFor();
    // It arrives, and nobody learns of it: after the reload it is sent again, and must not be doubled.
    network.deafen();
    await send(page, "stored already");
    await eventually(async () => heard, ["before", "stored already"]);
    network.silence();
    for (const text of ["second", "third"]) await send(page, text);
    await kept(page, "unsent", 3);
    network.cut();
    network.up();
    await page.reload();
    const all = ["before", "stored already", "second", "third"];
    await eventually(() => texts(page), all);
    await eventually(() => page.locator(".sending, .failed").count(), 0);
    await eventually(async () => heard, all);
    await kept(page, "unsent", 0);
    await page.reload();
    await eventually(() => texts(page), all);
    assert.deepEqual(heard, all);
  });

  it("shows once what was stored already, though the answer comes before the history", async (test) => {
    const { page, network } = await storedUnheard(test, 53, 0);
    let go = () => {};
    const gone = /** @type {Promise<void>} */ (new Promise((resolve) => (go = resolve)));
    await page.route("**/chat-history/list?*chatroomId*", async (route) => {
      await gone;
      await route.continue();
    });
    network.up();
    await page.reload();
    await page.locator(".mine[data-id='1']").waitFor();
    go();
    await page.getByText("This is where the room begins.").waitFor();
    await kept(page, "unsent", 0);
    await eventually(() => texts(page), ["stored already"]);
  });

  it("does not show at the end what was stored already and stands far above", async (test) => {
    const { page, network, heard } = await storedUnheard(test, 55, 60);
    network.up();
    await page.reload();
    await kept(page, "unsent", 0);
    await eventually(async () => (await texts(page)).slice(-3), heard.slice(-3));
    await eventually(() => page.locator(".sending, .failed").count(), 0);
    assert.equal(heard.filter((text) => text === "stored already").length, 1);
  });

  it("shows after a reload what the server had refused, and leaves it to its author", async (test) => {
    const room = fresh();
    const { page } = await enter(test, { room, id: 45 });
    await page.getByLabel("Kind of message").selectOption("Image");
    await send(page, `https://example.com/${"x".repeat(2_100)}`);
    await page.locator(".failed").waitFor();
    await kept(page, "unsent", 1);
    await page.reload();
    await page.locator(".failed").getByText("Not sent.").waitFor();
    await page.locator(".failed").getByRole("button", { name: "Discard" }).click();
    await kept(page, "unsent", 0);
    await page.reload();
    await page.getByText("This is where the room begins.").waitFor();
    assert.equal(await page.locator(".message").count(), 0);
  });

  it("does not send by itself what is a day old, since the server does not know it any more", async (test) => {
    const room = fresh();
    const { page } = await enter(test, { room, id: 46 });
    await page.evaluate(async ({ room, user }) => {
      const { Device } = await import(String("/page/device.js"));
      const createTime = new Date(Date.now() - 23.5 * 3_600_000).toISOString();
      const device = new Device(new URL("/chat-history/list", location.origin).href, user);
      await device.keepUnsent({ clientMessageId: "old", room, type: "text", content: "of yesterday", createTime });
    }, { room, user: 46 });
    await page.reload();
    await page.locator(".failed", { hasText: "of yesterday" }).getByText("Nobody knows whether this was sent.").waitFor();
    await page.locator(".failed").getByRole("button", { name: "Retry" }).click();
    await line(page, 1).waitFor();
    await kept(page, "unsent", 0);
  });

  it("says who one is, and forgets everything when one signs out", async (test) => {
    const network = await startNetwork(test, run.page);
    const [room, address] = [fresh(), network.through(run.page)];
    const { page } = await enter(test, { name: "Guang", id: 47, room, address });
    await page.locator("#self").getByText("Guang", { exact: true }).waitFor();
    const colours = await page.evaluate(() => ["#self-avatar"].map((one) => /** @type {HTMLElement} */ (document.querySelector(one)).dataset.colour));
    await send(page, "hello");
    await line(page, 1).waitFor();
    assert.equal(await line(page, 1).getAttribute("data-colour"), colours[0]);
    await page.getByRole("textbox", { name: "Message" }).fill("a secret");
    network.silence();
    await kept(page, "drafts", 1);
    await send(page, "not sent");
    await kept(page, "unsent", 1);
    await page.getByRole("textbox", { name: "Message" }).fill("a secret");
    await kept(page, "drafts", 1);
    network.cut();
    network.up();
    // What was not sent would be lost, so it is asked once more; here it is sent meanwhile, or not.
    const out = page.locator("#sign-out");
    await out.click();
    if (await page.locator("#chat").isVisible()) await out.click();
    const name = page.getByLabel("Name");
    await name.waitFor();
    assert.equal(await name.evaluate((field) => field === document.activeElement), true);
    assert.equal(await name.inputValue(), "");
    for (const store of ["drafts", "unsent"]) await kept(page, store, 0);
    const said = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, history.state, document.body.innerText]));
    for (const word of ["Guang", "47", room, "secret", "hello"]) assert.equal(said.includes(word), false, `${word} in ${said}`);
    assert.equal(await page.title(), "Chat");
    await page.reload();
    await name.waitFor();
    assert.equal(await name.inputValue(), "");
  });

  it("asks once more before it forgets what was not sent", async (test) => {
    const network = await startNetwork(test, run.page);
    const { page } = await enter(test, { room: fresh(), id: 48, address: network.through(run.page) });
    network.silence();
    await send(page, "not sent");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Press again: 1 message was not sent" }).click();
    await page.getByLabel("Name").waitFor();
    await kept(page, "unsent", 0);
  });

  it("shows the name that a deployment's token says", async (test) => {
    const context = await browser.newContext({ locale: "en-GB" });
    test.after(() => context.close());
    const { page } = await openWindow(context);
    await page.goto(new URL(`/?${new URLSearchParams({ ws: run.url, http: run.page })}`, run.page).href);
    await page.getByLabel("Token").fill(await run.token({ userId: "auth0|7", nickName: "Xiao" }));
    await page.getByLabel("Room", { exact: true }).fill(fresh());
    await page.getByRole("button", { name: "Enter" }).click();
    await page.locator("#self").getByText("Xiao", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token").waitFor();
    assert.equal(await page.getByLabel("Token").inputValue(), "");
  });

  it("notifies while the window is hidden, once, and of nothing that is seen", async (test) => {
    const room = fresh();
    const { page, complaints } = await enter(test, { room, id: 51, options: { permissions: ["notifications"] } });
    const friend = client(test, 52, "Dong").room(room);
    await friend.join();
    await friend.send("before");
    await page.getByText("before").waitFor();
    await page.getByLabel("Notify me when this window is hidden").check();
    await eventually(() => page.getByLabel("Notify me when this window is hidden").isEnabled(), true);
    const shown = () => page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration("/page/");
      return ((await registration?.getNotifications()) ?? []).map(({ title, body, tag }) => [title, body, tag]);
    });
    /** As if a push had come. @param {{ room: string, id: number, sender: string }} told */
    const tellWorker = (told) => page.evaluate(async (told) => {
      const registration = await navigator.serviceWorker.getRegistration("/page/");
      registration?.active?.postMessage({ ...told, user: "51", type: "text", text: "late" });
    }, told);
    await friend.send("seen");
    await page.getByText("seen").waitFor();
    // The window is seen, though another room is.
    await join(page, fresh());
    await friend.send("behind");
    await page.getByRole("button", { name: `Room ${room} 1 unread message` }).waitFor();
    // One after the other: what comes after it is shown, so it would be.
    await tellWorker({ room: "probe", id: 1, sender: "probe" });
    await eventually(async () => (await shown()).map(([title]) => title), ["probe"]);
    await openRoom(page, room);
    await page.getByText("behind").waitFor();
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration("/page/");
      for (const probe of (await registration?.getNotifications()) ?? []) probe.close();
    });
    await hide(page, true);
    await friend.send("hidden");
    await eventually(shown, [[`Room ${room}`, "Dong: hidden", room]]);
    assert.equal(await page.title(), "(1) Chat");
    // The newer one is in its place, and what a push brings late says nothing new.
    await friend.send("and more");
    await eventually(shown, [[`Room ${room}`, "Dong: and more", room]]);
    await tellWorker({ room, id: 4, sender: "Dong" });
    await send(page, "my own");
    await line(page, 6).waitFor();
    assert.deepEqual(await shown(), [[`Room ${room}`, "Dong: and more", room]]);
    await hide(page, false);
    await eventually(shown, []);
    await eventually(() => page.title(), "Chat");
    // Turned off, it is quiet.
    await page.getByLabel("Notify me when this window is hidden").uncheck();
    await hide(page, true);
    await friend.send("quiet");
    await line(page, 7).waitFor();
    assert.deepEqual([await shown(), complaints], [[], []]);
  });

  /**
   * Somebody whose message is stored, and who did not hear of it before the network went; then others spoke.
   * @param {TestContext} test @param {number} id @param {number} more
   */
  async function storedUnheard(test, id, more) {
    const network = await startNetwork(test, run.page);
    const room = fresh();
    const { page } = await enter(test, { room, id, address: network.through(run.page) });
    const friend = client(test, id + 1, "Dong").room(room);
    /** @type {string[]} */ const heard = [];
    friend.addEventListener("message", ({ detail }) => heard.push(detail.content));
    await friend.join();
    network.deafen();
    await send(page, "stored already");
    await eventually(async () => heard.length, 1);
    network.cut();
    for (let n = 0; n < more; n++) await friend.send(`line ${n}`);
    await eventually(async () => heard.length, 1 + more);
    return { page, network, heard };
  }

  /** The line that has the focus. @param {Page} page */
  function focused(page) {
    return page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).dataset.id);
  }

  /** As if another window were over it. @param {Page} page @param {boolean} hidden */
  function hide(page, hidden) {
    return page.evaluate((hidden) => {
      Object.defineProperties(document, {
        hidden: { value: hidden, configurable: true },
        visibilityState: { value: hidden ? "hidden" : "visible", configurable: true },
      });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  }

  /** @param {TestContext} test @param {Visit} visit */
  function enter(test, visit) {
    return enterPage(test, browser, { address: run.page, ...visit });
  }

  /** @param {TestContext} test @param {number} id @param {string} nickName */
  function client(test, id, nickName) {
    const getToken = () => run.token({ userId: id, nickName, rooms: ["*", "@mine"] });
    const made = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket), features: [Kept, Changes] });
    test.after(() => made.disconnect());
    void made.connect();
    return made;
  }
});
