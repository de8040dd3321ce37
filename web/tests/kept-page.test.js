// @ts-check
/** Rooms that the server keeps, in the page: the list, what is new, members, and files. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, Kept, Reads } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { until } from "./listening.js";
import { startLocalRun } from "./local-run.js";
import { TOKEN, answer, startScriptedServer } from "./scripted-server.js";
import { comeIn, eventually, pick, scan, send, texts } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, BrowserContextOptions, Page } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */

const TYPES = /** @type {Record<string, string>} */ ({ ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" });
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

  /** @param {TestContext} test @param {string} name @param {{ id?: number, options?: BrowserContextOptions }} [how] */
  async function enter(test, name, { id = ++users, options } = {}) {
    const context = await browser.newContext({ locale: "en-GB", ...options });
    test.after(() => context.close());
    const window = await openWindow(context);
    await window.page.goto(run.page);
    await comeIn(window.page, { name, id, room: "" });
    return { ...window, id };
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
}

/** @param {Page} page @param {number} id */
async function invite(page, id) {
  const field = page.getByLabel("Whom to invite");
  if (!(await field.isVisible())) await page.locator("#here").click();
  await field.fill(String(id));
  await page.getByRole("button", { name: "Invite" }).click();
  await eventually(() => field.inputValue(), "");
}
