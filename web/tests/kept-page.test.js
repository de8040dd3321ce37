// @ts-check
/** Rooms that the server keeps, in the page: the list, what is new, members, and files. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, Kept, Reads } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { startLocalRun } from "./local-run.js";
import { servePage } from "./page-server.js";
import { answer, startScriptedServer } from "./scripted-server.js";
import { comeIn, enterPage, eventually, openPage, pick, scan, send, texts } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, BrowserContextOptions, Page } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */

/** One pixel. */
const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

/** @type {Browser} */ let browser;
before(async () => void (browser = await startBrowser()));
after(() => browser.close());

describe("kept rooms in the page", () => {
  /** @type {LocalRun} */ let run;
  let users = 1_000;
  before(async () => void (run = await startLocalRun()));
  after(() => run.stop());

  it("are made, shared, and listed with what was said last and how much is new", async (test) => {
    const [guang, dong] = [await enter(test, "Guang"), await enter(test, "Dong")];
    await make(guang.page, "Group", "Harbour");
    await guang.page.getByRole("heading", { name: "Harbour" }).waitFor();
    await invite(guang.page, dong.id);
    // Who is taken in sees it at once, at the top.
    await eventually(() => list(dong.page), ["Harbour"]);
    await send(guang.page, "The boat leaves at nine.\nBring a map.");
    await eventually(() => list(dong.page), ["Harbour 1 Guang: The boat leaves at nine."]);
    await eventually(() => list(guang.page), ["Harbour You: The boat leaves at nine."]);

    await make(guang.page, "With one person", String(dong.id));
    await guang.page.getByRole("heading", { name: "Dong" }).waitFor();
    await eventually(() => list(dong.page), ["Guang", "Harbour 1 Guang: The boat leaves at nine."].sort());
    await send(guang.page, "Just you and me");
    await eventually(() => list(dong.page), ["Guang 1 Just you and me", "Harbour 1 Guang: The boat leaves at nine."]);
    // What is newest is first; what changes changes in the list.
    await choose(guang.page, "Harbour");
    await send(guang.page, "And again");
    await eventually(() => list(dong.page), ["Harbour 2 Guang: And again", "Guang 1 Just you and me"]);
    await pick(guang.page, 2, "Recall");
    await eventually(() => list(dong.page), ["Harbour 2 Guang: Guang recalled a message", "Guang 1 Just you and me"]);
    for (const { complaints } of [guang, dong]) assert.deepEqual(complaints, []);
  });

  it("lead whoever comes back to what is new, and are read when its end was seen", async (test) => {
    const guang = await friend(test, "Guang");
    const dong = await enter(test, "Dong");
    const id = await guang.client.createGroup("Garden");
    await guang.client.invite(id, dong.id);
    const room = guang.client.room(id);
    await room.join();
    await room.send("before");
    await choose(dong.page, "Garden");
    await eventually(() => texts(dong.page), ["before"]);
    await eventually(async () => (await room.reads()).get(dong.id), 1);
    await dong.page.close();

    for (let n = 2; n <= 40; n++) await room.send(`line ${n}`);
    const back = await enter(test, "Dong", { id: dong.id });
    await eventually(() => list(back.page), ["Garden 39 line 40"]);
    await choose(back.page, "Garden");
    const line = back.page.locator(".note.new");
    await line.waitFor();
    assert.equal(await line.textContent(), "New messages");
    assert.equal(await line.evaluate((element) => element.nextElementSibling?.getAttribute("data-id")), "2");
    // It is in sight, and what comes after it is not read yet.
    await eventually(() => line.evaluate((element) => Math.abs(element.getBoundingClientRect().top - /** @type {Element} */ (element.closest(".log")).getBoundingClientRect().top) < 80), true);
    assert.equal((await room.reads()).get(dong.id), 1);
    await back.page.getByRole("button", { name: "39 new messages" }).click();
    await eventually(async () => (await room.reads()).get(dong.id), 40);
    await eventually(() => list(back.page), ["Garden Guang: line 40"]);
    // The line stays for this visit, and what comes while one looks is not new.
    await room.send("live");
    await eventually(async () => (await texts(back.page)).at(-1), "live");
    assert.equal(await line.evaluate((element) => element.nextElementSibling?.getAttribute("data-id")), "2");
    await send(back.page, "an answer");
    await eventually(() => line.count(), 0);
    assert.deepEqual(back.complaints, []);
  });

  it("say in a pair that the other one has read it, on all devices", async (test) => {
    const guang = await enter(test, "Guang");
    const dong = await enter(test, "Dong");
    const other = await enter(test, "Dong", { id: dong.id });
    await make(guang.page, "With one person", String(dong.id));
    await send(guang.page, "are you there?");
    for (const { page } of [dong, other]) await eventually(() => list(page), ["Guang 1 are you there?"]);
    assert.equal(await guang.page.locator(".receipt").count(), 0);
    await choose(dong.page, "Guang");
    await guang.page.locator(".mine .receipt").getByText("Read").waitFor();
    await eventually(() => list(other.page), ["Guang are you there?"]);
    await send(guang.page, "good");
    await eventually(() => guang.page.locator("[data-id='2'] .receipt").count(), 1);
    assert.equal(await guang.page.locator(".receipt").count(), 1);
  });

  it("show their members; their owner takes somebody out, and whoever quits is gone", async (test) => {
    const [guang, dong, mei] = [await enter(test, "Guang"), await enter(test, "Dong"), await enter(test, "Mei")];
    await make(guang.page, "Group", "Crew");
    for (const { id } of [dong, mei]) await invite(guang.page, id);
    await eventually(() => members(guang.page), ["Guang owner here", "Dong here", "Mei here"]);
    await guang.page.getByRole("button", { name: "Take Mei out of the group" }).click();
    await eventually(() => list(mei.page), []);
    await eventually(async () => (await members(guang.page)).length, 2);
    await choose(dong.page, "Crew");
    await dong.page.getByRole("button", { name: /members?, 2 here/ }).click();
    await eventually(async () => (await members(dong.page)).length, 2);
    assert.equal(await dong.page.getByRole("button", { name: /^Take/ }).count(), 0);
    // One press could be a mistake.
    await dong.page.getByRole("button", { name: "Quit the group" }).click();
    await dong.page.getByRole("button", { name: "Press again to quit" }).click();
    await eventually(() => list(dong.page), []);
    await guang.page.locator("#here").click();
    await guang.page.locator("#here").click();
    await eventually(() => members(guang.page), ["Guang owner here"]);
    assert.deepEqual(dong.complaints, []);
  });

  it("take a picture from one to the other, through the store, and a recall takes it away", async (test) => {
    const [guang, dong] = [await enter(test, "Guang"), await enter(test, "Dong")];
    await make(guang.page, "With one person", String(dong.id));
    await guang.page.locator("#files").setInputFiles([{ name: "猫 1.png", mimeType: "image/png", buffer: PNG }, { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("notes") }]);
    await eventually(async () => (await list(dong.page)).length, 1);
    await choose(dong.page, "Guang");
    for (const { page } of [guang, dong]) {
      const picture = page.locator(".picture img");
      await picture.waitFor();
      await eventually(() => picture.evaluate((/** @type {HTMLImageElement} */ image) => [image.naturalWidth, image.src.startsWith("http:")]), [1, true]);
    }
    // The file's name is as far as an address takes it; a browser saves what it does not show.
    const file = dong.page.locator("a.file");
    assert.equal(await file.textContent(), "notes.txt");
    const notes = await fetch(String(await file.getAttribute("href")));
    assert.deepEqual([await notes.text(), notes.headers.get("content-disposition")], ["notes", "attachment; filename*=UTF-8''notes.txt"]);
    const address = String(await dong.page.locator("a.picture").getAttribute("href"));
    assert.equal((await fetch(address)).status, 200);
    const id = Number(await guang.page.locator(".message", { has: guang.page.locator(".picture") }).getAttribute("data-id"));
    await guang.page.locator(`[data-id="${id}"] .picture`).hover();
    await guang.page.getByRole("button", { name: "What to do with this message" }).click();
    await guang.page.getByRole("menuitem", { name: "Recall" }).click();
    await dong.page.getByText("Guang recalled a message").first().waitFor();
    // Whoever may not list a bucket is not told that something is not there.
    await eventually(async () => (await fetch(address)).status, 403);
    for (const { complaints } of [guang, dong]) assert.deepEqual(complaints, []);
  });

  it("are used by keyboard alone, in either language, in a narrow window", async (test) => {
    const { page, complaints } = await enter(test, "Guang", { options: { viewport: { width: 360, height: 640 } } });
    // It is there when the list has come.
    await page.getByText("New conversation").waitFor();
    await page.getByText("New conversation").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.type("Harbour");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Harbour" }).waitFor();
    await eventually(() => page.evaluate(() => document.activeElement?.id), "text");
    await page.locator("#here").focus();
    await page.keyboard.press("Enter");
    await page.getByText("owner").waitFor();
    await page.keyboard.press("Escape");
    assert.deepEqual([await page.locator("#people").isVisible(), await page.evaluate(() => document.activeElement?.id)], [false, "here"]);
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await page.evaluate(() => /** @type {any} */ (document.querySelector("#language")).focus());
    await page.getByLabel("Language").selectOption("中文");
    await page.getByText("新的会话").waitFor();
    const [wide, available] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= available, `${wide} pixels in ${available}`);
    assert.deepEqual(complaints, []);
  });

  it("are there again after a reload, and the open one is open", async (test) => {
    const { page, id } = await enter(test, "Guang");
    await make(page, "Group", "Harbour");
    await make(page, "Group", "Garden");
    await page.getByRole("heading", { name: "Garden" }).waitFor();
    await choose(page, "Harbour");
    await send(page, "still here");
    await page.reload();
    await page.getByRole("heading", { name: "Harbour" }).waitFor();
    await eventually(() => texts(page), ["still here"]);
    await eventually(() => list(page), ["Harbour You: still here", "Garden"]);
    const guest = await friend(test, "Dong");
    const pair = await guest.client.createPair(id);
    await eventually(() => list(page), ["Dong", "Harbour You: still here", "Garden"]);
    await guest.client.room(pair).join();
  });

  it("keep the focus on the list when the order changes", async (test) => {
    const guang = await friend(test, "Guang");
    const { page, id } = await enter(test, "Dong");
    const [one, other] = [await guang.client.createGroup("One"), await guang.client.createGroup("Other")];
    for (const room of [one, other]) await guang.client.invite(room, id);
    await eventually(async () => (await list(page)).length, 2);
    await page.locator("#rooms button", { hasText: "One" }).focus();
    await guang.client.room(one).join();
    await guang.client.room(one).send("hello");
    await eventually(() => list(page), ["One 1 Guang: hello", "Other"]);
    assert.match(String(await page.evaluate(() => document.activeElement?.textContent)), /^One/);
    await guang.client.room(other).join();
    await guang.client.room(other).send("hello");
    await eventually(async () => (await list(page))[0], "Other 1 Guang: hello");
    assert.match(String(await page.evaluate(() => document.activeElement?.textContent)), /^One/);
  });

  for (const [name, options] of /** @type {[string, BrowserContextOptions][]} */ ([
    ["wide", { viewport: { width: 1_280, height: 800 } }],
    ["narrow", { viewport: { width: 360, height: 640 } }],
    ["dark", { viewport: { width: 1_280, height: 800 }, colorScheme: "dark" }],
  ])) {
    it(`have nothing that an accessibility scan finds, ${name}`, async (test) => {
      const guang = await friend(test, "Guang");
      const { page, id } = await enter(test, "Dong", { options: { ...options, bypassCSP: true } });
      const group = await guang.client.createGroup("Harbour");
      await guang.client.invite(group, id);
      const pair = guang.client.room(await guang.client.createPair(id));
      for (const room of [guang.client.room(group), pair]) {
        await room.join();
        for (let n = 0; n < 3; n++) await room.send(`line ${n}`);
      }
      // What comes while a room is looked at is not new there.
      await eventually(() => page.getByRole("img", { name: "3 unread messages" }).count(), 2);
      await page.getByText("New conversation").click();
      await scan(page, "the list");
      await choose(page, "Harbour");
      await page.locator(".log:not([hidden]) .note.new").waitFor();
      await page.locator("#here").click();
      await eventually(async () => (await members(page)).length, 2);
      await scan(page, "a group and its members");
      if (name === "narrow") await page.getByRole("button", { name: "Back to the rooms" }).click();
      await choose(page, "Guang");
      await send(page, "an answer");
      await pair.markRead(4, { tell: true });
      await page.locator(".receipt").waitFor();
      await scan(page, "a pair");
    });
  }

  it("count what is said between the list and the join", async (test) => {
    const guang = await friend(test, "Guang");
    const id = ++users;
    const group = await guang.client.createGroup("Harbour");
    await guang.client.invite(group, id);
    const room = guang.client.room(group);
    await room.join();
    await room.send("line 0");
    const { page } = await openPage(test, browser, run.page);
    let listed = () => {};
    let go = () => {};
    const isListed = new Promise((resolve) => (listed = () => resolve(null)));
    const mayGo = new Promise((resolve) => (go = () => resolve(null)));
    await page.route("**/chatroom/list", async (route) => {
      const response = await route.fetch();
      listed();
      await mayGo;
      await route.fulfill({ response });
    });
    await comeIn(page, { name: "Dong", id, room: "" });
    await isListed;
    for (let n = 1; n < 3; n++) await room.send(`line ${n}`);
    go();
    await page.getByRole("img", { name: "3 unread messages" }).waitFor();
    await choose(page, "Harbour");
    await eventually(() => texts(page), ["line 0", "line 1", "line 2"]);
  });

  /** @param {TestContext} test @param {string} name @param {{ id?: number, options?: BrowserContextOptions }} [how] */
  async function enter(test, name, { id = ++users, options } = {}) {
    return { ...(await enterPage(test, browser, { address: run.page, options, name, id, room: "" })), id };
  }

  /** @param {TestContext} test @param {string} nickName */
  async function friend(test, nickName) {
    const id = ++users;
    const getToken = () => run.token({ userId: id, username: nickName, nickName, rooms: "@mine" });
    const client = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket), features: [Kept, Reads] });
    test.after(() => client.disconnect());
    await client.connect();
    return { client, id };
  }
});

describe("files in the page", () => {
  it("go out by the button, by pasting and by dropping, each with its progress, in one line", async (test) => {
    const { server, page, complaints } = await visit(test);
    const hold = holding(server);
    await page.locator("#files").setInputFiles([{ name: "cat.png", mimeType: "image/png", buffer: PNG }, { name: "notes 1.txt", mimeType: "text/plain", buffer: Buffer.from("notes") }]);
    await eventually(() => page.getByRole("progressbar", { name: "How much of the file is saved" }).count(), 2);
    // The picture is seen before it is anywhere else.
    await eventually(() => page.locator(".sending .picture img").evaluate((/** @type {HTMLImageElement} */ image) => image.src.startsWith("blob:") && image.naturalWidth), 1);
    await page.locator(".sending").getByText("notes 1.txt").waitFor();
    assert.deepEqual(server.frames("sendMessage"), []);
    hold.release();
    await eventually(() => page.locator(".mine[data-id]:not(.sending)").count(), 2);
    await eventually(() => page.locator(".mine .picture img").evaluate((/** @type {HTMLImageElement} */ image) => image.src.includes("/store/") && image.naturalWidth), 1);
    assert.equal(await page.locator(".mine a.file").textContent(), "notes 1.txt");

    // Text wins over the picture of it.
    for (const [kind, types] of /** @type {const} */ ([["paste", ["Files", "text/plain"]], ["paste", ["Files"]], ["drop", ["Files"]]])) {
      await page.evaluate(([kind, withText]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array([1])], `${kind}.png`, { type: "image/png" }));
        if (withText) data.setData("text/plain", "text");
        const on = /** @type {Element} */ (document.querySelector(kind === "paste" ? "#text" : "#logs"));
        const options = { bubbles: true, cancelable: true };
        on.dispatchEvent(kind === "paste" ? new ClipboardEvent(kind, { ...options, clipboardData: data }) : new DragEvent(kind, { ...options, dataTransfer: data }));
      }, /** @type {const} */ ([kind, types.length > 1]));
    }
    await eventually(() => page.locator(".mine[data-id]:not(.sending)").count(), 4);
    assert.deepEqual(server.requests.filter(({ path }) => path === "/createUpload").map(({ body }) => body.name), ["cat.png", "notes 1.txt", "paste.png", "drop.png"]);
    assert.deepEqual(complaints, []);
  });

  it("are cancelled on their way, and nothing is left of them", async (test) => {
    const { server, page, complaints } = await visit(test, true);
    holding(server);
    await page.locator("#files").setInputFiles({ name: "cat.png", mimeType: "image/png", buffer: PNG });
    const line = page.locator(".sending");
    await line.getByRole("progressbar").waitFor();
    await scan(page, "a file on its way");
    await line.getByRole("button", { name: "Cancel" }).click();
    await eventually(() => page.locator(".items > *").count(), 0);
    assert.deepEqual([server.frames("sendMessage"), await page.getByRole("alert").isVisible(), complaints], [[], false, []]);
  });

  it("that cannot be saved say why, and go out once when they are tried again", async (test) => {
    const { server, page } = await visit(test, true);
    server.answerStore = (response, { method }) => method === "POST" && answer(response, 403, "<Error/>");
    await page.locator("#files").setInputFiles({ name: "cat.png", mimeType: "image/png", buffer: PNG });
    await page.locator(".failed").getByText("Not sent: the file could not be saved.").waitFor();
    await scan(page, "a file that failed");
    server.answerStore = serve;
    await page.getByRole("button", { name: "Retry" }).click();
    await eventually(() => page.locator(".mine[data-id]:not(.sending)").count(), 1);
    const ids = server.requests.filter(({ path }) => path === "/createUpload").map(({ body }) => body.clientMessageId);
    assert.deepEqual([ids.length, new Set(ids).size, server.frames("sendMessage").length], [2, 1, 1]);
    server.answerRequest = ({ path }, response) => path === "/createUpload" && answer(response, 413, { type: "error", code: "tooLarge", message: "more than 10 MB" });
    await page.locator("#files").setInputFiles({ name: "large.png", mimeType: "image/png", buffer: PNG });
    await page.locator(".failed").getByText("Not sent: this is too large.").waitFor();
    await page.getByRole("button", { name: "Discard" }).click();
    await eventually(() => page.locator(".failed").count(), 0);
  });

  it("whose addresses have ended get new ones: a picture by itself, a link when it is followed", async (test) => {
    const { server, page } = await visit(test);
    let isOver = true;
    server.answerStore = (response, { method, url }) => {
      if (method === "POST" || !isOver || !url?.includes("old")) return serve(response, { method });
      return answer(response, 403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>");
    };
    const address = (/** @type {string} */ name, /** @type {string} */ query) => new URL(`/store/${name}?${query}`, server.historyUrl).href;
    const said = (/** @type {"image" | "file"} */ type, /** @type {string} */ name) => {
      const message = server.say(1, { isPushed: false, ageMs: 60_000 });
      Object.assign(message, { type, attachment: `rooms/1/8/a/${name}`, content: address(name, "old&X-Amz-Date=20200101T000000Z&X-Amz-Expires=7200") });
      server.push(1, message);
      // What the history says from here on.
      Object.assign(message, { content: address(name, "new") });
    };
    said("image", "cat.png");
    said("file", "notes.txt");
    const picture = page.locator("[data-id='1'] .picture");
    await eventually(() => picture.locator("img").evaluate((/** @type {HTMLImageElement} */ image) => [image.naturalWidth, image.src.includes("new")]), [1, true]);
    assert.match(String(await picture.getAttribute("href")), /new$/);
    const [opened] = await Promise.all([page.context().waitForEvent("page"), page.locator("[data-id='2'] a").click()]);
    assert.match(opened.url() === "about:blank" ? (await opened.waitForURL(/store/), opened.url()) : opened.url(), /notes\.txt\?new$/);
    isOver = false;
  });

  /** User 7 in room 1 of a scripted server with a store. @param {TestContext} test */
  async function visit(test, bypassCSP = false) {
    const server = await startScriptedServer(test);
    server.answerStore = serve;
    // The page's own policy would refuse axe.
    const context = await browser.newContext({ locale: "en-GB", bypassCSP });
    test.after(() => context.close());
    const window = await openWindow(context);
    await window.page.goto(servePage(server));
    await comeIn(window.page, { name: "Me", id: 7 });
    await window.page.getByText("This is where the room begins.").waitFor();
    return { server, ...window };
  }
});

/** The store's own files are all this picture. @param {import("node:http").ServerResponse} response @param {{ method?: string }} request */
function serve(response, { method }) {
  if (method === "POST") return false;
  response.setHeader("Content-Type", "image/png");
  return (response.end(PNG), true);
}

/** Nothing that is saved is answered, until it is released. @param {import("./scripted-server.js").ScriptedServer} server */
function holding(server) {
  /** @type {import("node:http").ServerResponse[]} */ const held = [];
  server.answerStore = (response, request) => {
    if (request.method !== "POST") return serve(response, request);
    request.resume();
    held.push(response);
    return true;
  };
  return {
    release() {
      server.answerStore = serve;
      for (const response of held) response.writeHead(201).end();
    },
  };
}

/** The list, as it is read: name, badge, last words. @param {Page} page */
function list(page) {
  return page.locator("#rooms li:has(.preview) button").evaluateAll((buttons) => buttons.map((button) =>
    [".name", ".badge:not([hidden])", ".preview"].map((part) => button.querySelector(part)?.textContent).filter(Boolean).join(" "),
  ));
}

/** @param {Page} page */
function members(page) {
  return page.locator("#people-list .member").evaluateAll((lines) => lines.map((line) => [...line.querySelectorAll(".name, small")].map(({ textContent }) => textContent).join(" ")));
}

/** @param {Page} page @param {string} name */
function choose(page, name) {
  return page.locator("#rooms button", { has: page.locator(".name", { hasText: name }) }).click();
}

/** @param {Page} page @param {"Group" | "With one person"} kind @param {string} name */
async function make(page, kind, name) {
  await page.getByText("New conversation").click();
  await page.getByLabel("Kind of conversation").selectOption(kind);
  await page.getByLabel(kind === "Group" ? "What to call it" : "With whom").fill(name);
  await page.getByRole("button", { name: "Create" }).click();
  await page.locator("#making:not([open])").waitFor();
}

/** @param {Page} page @param {number} id */
async function invite(page, id) {
  const field = page.getByLabel("Whom to invite");
  if (!(await field.isVisible())) await page.locator("#here").click();
  await field.fill(String(id));
  await page.getByRole("button", { name: "Invite" }).click();
  await eventually(() => field.inputValue(), "");
}
