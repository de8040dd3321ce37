// @ts-check
/** Moderation in the page: what a moderator does, and what those see whom it meets, and the others. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, Kept, Moderation } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { until } from "./listening.js";
import { startLocalRun } from "./local-run.js";
import { servePage } from "./page-server.js";
import { startScriptedServer } from "./scripted-server.js";
import { comeIn, enterPage, eventually, join, line, openMenu, pick, scan, send, texts, write } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, BrowserContextOptions, Page } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */
/** @import { Peer } from "./scripted-server.js" */
/** @import { Visit } from "./visitors.js" */

let rooms = 0;
const fresh = () => `order-${++rooms}`;

/** @type {Browser} */ let browser;
before(async () => void (browser = await startBrowser()));
after(() => browser.close());

describe("moderation in the page", () => {
  /** @type {LocalRun} */ let run;
  before(async () => void (run = await startLocalRun()));
  after(() => run.stop());

  it("mutes a stranger who floods and recalls it, and the others see it; lifted, the stranger writes again", async (test) => {
    const { mei, stranger, dong, complaints } = await three(test);
    for (const word of ["buy", "buy now", "buy this"]) await send(stranger, word);
    await eventually(() => texts(mei), ["buy", "buy now", "buy this"]);
    await bar(mei, 3, "Mute", "an hour");
    await mei.getByText(/^You muted Stranger until/).waitFor();
    for (const id of [1, 2, 3]) await pick(mei, id, "Recall");
    for (const page of [stranger, dong]) await eventually(() => texts(page), Array(3).fill("Mei recalled a message"));

    // Nobody is told of a mute but by what it forbids.
    await send(stranger, "buy more");
    await stranger.getByText(/^You cannot write here until \d/).waitFor();
    await stranger.locator(".failed", { hasText: "buy more" }).getByText("Not sent: you may not write here for now.").waitFor();
    assert.equal(await stranger.getByRole("textbox", { name: "Message" }).count(), 0);
    await send(dong, "thanks");
    await eventually(async () => (await texts(mei)).at(-1), "thanks");
    assert.equal((await texts(dong)).includes("buy more"), false);

    await openPanel(mei);
    await mei.locator("#bars").getByText(/^muted until/).waitFor();
    await mei.getByRole("button", { name: "Lift it for Stranger" }).click();
    await mei.locator("#bars").getByText("Nobody").waitFor();
    await stranger.getByRole("button", { name: "Try again" }).click();
    await stranger.getByRole("button", { name: "Retry" }).click();
    await eventually(async () => (await texts(dong)).at(-1), "buy more");
    await eventually(() => stranger.locator(".failed").count(), 0);
    assert.deepEqual(complaints(), []);
  });

  it("gives the text box back when a mute is over, with what was written in it", async (test) => {
    const { mei, stranger, dong, room, complaints } = await three(test);
    const moderator = await user(test, { name: "Zhu", id: 9, moderates: "*" });
    await moderator.room(room).join();
    await stranger.getByRole("textbox", { name: "Message" }).fill("half a sent");
    await moderator.room(room).bar(2, "mute", 4);
    await stranger.getByRole("textbox", { name: "Message" }).press("Enter");
    await stranger.getByText("You cannot write here until").waitFor();
    assert.equal(await stranger.evaluate(() => document.activeElement?.textContent), "Try again", "the focus is where something can be done");
    // Another room has its own rules.
    await join(stranger, fresh());
    await stranger.getByRole("textbox", { name: "Message" }).waitFor();
    await stranger.getByRole("button", { name: `Room ${room}` }).click();
    await stranger.getByText("You cannot write here until").waitFor();
    await stranger.getByRole("textbox", { name: "Message" }).waitFor();
    await send(stranger, "sorry");
    for (const page of [mei, dong]) await eventually(async () => (await texts(page)).at(-1), "sorry");
    await stranger.getByRole("button", { name: "Retry" }).click();
    await eventually(() => texts(dong), ["sorry", "half a sent"]);
    assert.deepEqual(complaints(), []);
  });

  it("knows from the start that one is muted", async (test) => {
    const { mei, stranger, room } = await three(test);
    await send(stranger, "buy");
    await bar(mei, 1, "Mute", "10 minutes");
    await mei.getByText(/^You muted Stranger/).waitFor();
    await stranger.reload();
    await stranger.getByText("You cannot write here until").waitFor();
    assert.equal(await stranger.getByRole("heading", { name: `Room ${room}` }).count(), 1);
    await stranger.getByLabel("Language").selectOption("中文");
    await stranger.getByText(/之前不能在这里发言/).waitFor();
  });

  it("bans somebody from all devices at once, who sees until when; lifted, the room is open again", async (test) => {
    const { mei, stranger, dong, room, complaints } = await three(test);
    const { page: telephone } = await enter(test, { name: "Stranger", id: 2, room });
    await send(stranger, "buy");
    await eventually(() => texts(mei), ["buy"]);
    await bar(mei, 1, "Ban", "a day");
    for (const page of [stranger, telephone]) {
      await page.getByRole("alert").getByText(new RegExp(`^You are banned from room ${room} until `)).waitFor();
      await eventually(() => page.getByRole("list", { name: "Rooms" }).getByRole("button").count(), 0);
      assert.equal(await page.getByText("buy").count(), 0);
    }
    await dong.getByText("Stranger left").waitFor();
    await join(stranger, room);
    await stranger.getByRole("alert").getByText(`You are banned from room ${room} until`).waitFor();
    await eventually(() => stranger.getByRole("list", { name: "Rooms" }).getByRole("button").count(), 0);
    // A reload does not come back either.
    await telephone.reload();
    await telephone.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    assert.equal(await telephone.getByRole("list", { name: "Rooms" }).getByRole("button").count(), 0);

    await openPanel(mei);
    await mei.locator("#bars").getByText(/^banned until/).waitFor();
    await mei.getByRole("button", { name: "Lift it for Stranger" }).click();
    await mei.locator("#bars").getByText("Nobody").waitFor();
    await join(stranger, room);
    await dong.getByText("Stranger joined").last().waitFor();
    await eventually(() => texts(stranger), ["buy"]);
    assert.deepEqual(complaints(), []);
  });

  it("takes somebody out, who may come in again at once", async (test) => {
    const { mei, stranger, room, complaints } = await three(test);
    await send(stranger, "buy");
    await eventually(() => texts(mei), ["buy"]);
    await pick(mei, 1, "Take out of the room");
    await mei.getByText("You took Stranger out of the room").waitFor();
    await stranger.getByRole("alert").getByText(`You were taken out of room ${room}. You may come in again.`).waitFor();
    await join(stranger, room);
    await send(stranger, "better now");
    await eventually(() => texts(mei), ["buy", "better now"]);
    assert.deepEqual(complaints(), []);
  });

  it("brings a report to the moderator, with the message, and lets the moderator act on it there", async (test) => {
    const { mei, stranger, dong, complaints } = await three(test);
    await send(stranger, "buy");
    await eventually(() => texts(dong), ["buy"]);
    await pick(dong, 1, "Report…");
    const dialog = dong.getByRole("dialog", { name: "Report a message from Stranger" });
    await dialog.getByLabel("What is wrong with it?").fill("<b>spam</b>");
    await dialog.getByRole("button", { name: "Report" }).click();
    await dong.getByText("You reported a message from Stranger").waitFor();
    await openPanel(mei);
    const row = mei.locator("#reports li");
    await eventually(() => row.locator(".reason").evaluateAll((lines) => lines.map((line) => line.querySelector(".name")?.textContent + ": " + line.querySelector(".said")?.textContent)), ["Dong: <b>spam</b>"]);
    await row.getByRole("button", { name: "Stranger buy" }).click();
    await eventually(() => mei.evaluate(() => document.activeElement?.getAttribute("data-id")), "1");

    await row.getByRole("button", { name: "Recall" }).click();
    await eventually(async () => (await texts(dong))[0], "Mei recalled a message");
    await row.getByRole("button", { name: "Stranger You recalled a message" }).waitFor();
    assert.equal(await row.getByRole("button", { name: "Recall", exact: true }).count(), 0);
    await row.getByRole("button", { name: "Ban…" }).click();
    await answerBar(mei, "Ban", "a week");
    await stranger.getByRole("alert").getByText("You are banned").waitFor();
    await mei.locator("#bars").getByText("Stranger").waitFor();
    assert.deepEqual(complaints(), []);
  });

  it("shows older reports when they are asked for, each once, and the keyboard goes on there", async (test) => {
    const room = fresh();
    const { page: stranger } = await enter(test, { name: "Stranger", id: 2, room });
    for (const word of ["buy", "buy now", "buy this"]) await send(stranger, word);
    await line(stranger, 3).waitFor();
    // A page of reports has fifty: all of the newest message, and most of the second.
    const reported = [...Array(30).fill(3), ...Array(24).fill(2), 1];
    await Promise.all(reported.map(async (id, at) => {
      const headers = { Authorization: `Bearer ${await run.token({ userId: 1_000 + at, nickName: `Reporter ${at}` })}` };
      const body = JSON.stringify({ chatroomId: room, id, reason: `reason ${at}.` });
      const { status } = await fetch(new URL("/reportMessage", run.page), { method: "POST", headers, body });
      assert.equal(status, 200);
    }));
    const { page: mei, complaints } = await enter(test, { name: "Mei", id: 7, room, moderates: true });
    await openPanel(mei);
    const reasons = mei.locator("#reports .reason");
    await eventually(() => reasons.count(), 50);
    assert.equal(await mei.locator("#reports .quote").count(), 2);
    const older = mei.getByRole("button", { name: "Older reports" });
    await older.press("Enter");
    await eventually(() => reasons.count(), 55);
    await eventually(() => older.count(), 0);
    const said = (await reasons.locator(".said").allTextContents()).sort();
    assert.deepEqual(said, reported.map((_, at) => `reason ${at}.`).sort());
    assert.deepEqual(await mei.locator("#reports .quote .said").allTextContents(), ["buy this", "buy now", "buy"]);
    await eventually(() => mei.evaluate(() => document.activeElement?.querySelector(".said")?.textContent), "buy");
    await mei.getByLabel("Language").selectOption("中文");
    await mei.getByRole("button", { name: "刷新" }).click();
    await mei.getByRole("button", { name: "更早的举报" }).waitFor();
    await eventually(() => reasons.count(), 50);
    assert.deepEqual(complaints, []);
  });

  it("shows a moderator who comes later what was reported, though the message is far up", async (test) => {
    const { stranger, dong, room } = await three(test);
    await send(stranger, "buy");
    await eventually(() => texts(dong), ["buy"]);
    const witness = await user(test, { name: "Hai", id: 8 });
    await witness.room(room).join();
    await witness.room(room).report(1, "spam");
    for (let n = 0; n < 60; n++) await witness.room(room).send(`line ${n}`);
    const { page } = await enter(test, { name: "Zhu", id: 9, room, moderates: true });
    await page.locator("[data-id='61']").waitFor();
    await openPanel(page);
    await page.locator("#reports").getByRole("button", { name: "Stranger buy" }).click();
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute("data-id")), "1");
  });

  it("slows a room down, and says when one may write again", async (test) => {
    const { mei, dong, room, complaints } = await three(test);
    await openPanel(mei);
    await mei.getByLabel("Slow mode").selectOption("a message every 5 minutes");
    await mei.getByText("Slow mode: one message every 5 minutes.").waitFor();
    // Whoever comes is told.
    const { page: hai } = await enter(test, { name: "Hai", id: 8, room });
    await hai.getByText("Slow mode: one message every 5 minutes.").waitFor();
    await send(hai, "one");
    await hai.getByText(/You may write again in \d+ s/).waitFor();
    await send(hai, "two");
    await hai.getByRole("alert").getByText(/Slow mode: you may write again in \d+ s/).waitFor();
    assert.equal(await hai.getByRole("textbox", { name: "Message" }).inputValue(), "two");
    for (const page of [hai, dong]) await eventually(() => texts(page), ["one"]);
    // Moderators do not wait.
    for (const text of ["mine", "and mine"]) await send(mei, text);
    await eventually(() => texts(dong), ["one", "mine", "and mine"]);

    await mei.getByLabel("Slow mode").selectOption("off");
    await eventually(() => mei.locator("#slow").isVisible(), false);
    const { page: zhu } = await enter(test, { name: "Zhu", id: 9, room });
    for (const text of ["free", "at last"]) await send(zhu, text);
    await eventually(async () => (await texts(dong)).slice(-2), ["free", "at last"]);
    assert.equal(await zhu.locator("#slow").isVisible(), false);
    assert.deepEqual(complaints(), []);
  });

  it("offers nothing of it to others, but to report", async (test) => {
    const { mei, dong, stranger } = await three(test);
    await send(stranger, "hello");
    await eventually(() => texts(dong), ["hello"]);
    assert.deepEqual(await choices(dong, 1), ["Reply", "Copy link", "Report…"]);
    assert.deepEqual(await choices(mei, 1), ["Reply", "Copy link", "Report…", "Recall", "Mute…", "Ban…", "Take out of the room"]);
    assert.deepEqual([await dong.locator("#moderate").isVisible(), await mei.locator("#moderate").isVisible()], [false, true]);
    await send(mei, "mine");
    await eventually(() => texts(mei), ["hello", "mine"]);
    assert.deepEqual(await choices(mei, 2), ["Reply", "Copy link", "Edit", "Recall"]);
    assert.deepEqual(await choices(dong, 2), ["Reply", "Copy link", "Report…"]);
  });

  it("is for the owner of a group, whom nobody bars", async (test) => {
    const owner = await user(test, { name: "Guang", id: 31, rooms: "@mine" });
    const group = await owner.createGroup("Harbour");
    for (const id of [32, 33]) await owner.invite(group, id);
    await owner.room(group).join();
    await owner.room(group).send("welcome");
    const pages = [];
    for (const [name, id] of /** @type {[string, number][]} */ ([["Guang", 31], ["Dong", 32], ["Hai", 33]])) {
      const { page } = await enter(test, { name, id, room: "" });
      await page.locator("#rooms button", { hasText: "Harbour" }).click();
      await page.locator("[data-id='1']").waitFor();
      pages.push(page);
    }
    const [guang, dong, hai] = pages;
    await send(dong, "hello");
    await guang.locator("[data-id='2']").waitFor();
    await guang.locator("#moderate").waitFor();
    assert.deepEqual((await choices(guang, 2)).slice(-2), ["Mute…", "Ban…"]);
    assert.deepEqual(await choices(hai, 1), ["Reply", "Copy link", "Report…"]);
    await bar(guang, 2, "Mute", "10 minutes");
    await send(dong, "more");
    await dong.getByText("You cannot write here until").waitFor();
    await send(hai, "quiet now");
    await eventually(() => texts(guang), ["welcome", "hello", "quiet now"]);
    await bar(guang, 2, "Ban", "an hour");
    await dong.getByRole("alert").getByText(/^You are banned from Harbour until/).waitFor();
    await eventually(() => dong.locator("#rooms button").count(), 0);
    assert.equal(await hai.locator("#moderate").isVisible(), false);
  });

  it("is used by keyboard alone, in either language, in a narrow window", async (test) => {
    const room = fresh();
    const stranger = await user(test, { name: "Stranger", id: 2 });
    await stranger.room(room).join();
    const { page, complaints } = await enter(test, { name: "Mei", id: 7, room, moderates: true, options: { viewport: { width: 360, height: 640 } } });
    await stranger.room(room).send("buy");
    await page.locator("[data-id='1']").waitFor();
    await page.getByRole("log").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowUp");
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    assert.equal(await focused(), "Ban…");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Mute Stranger" }).waitFor();
    await page.keyboard.press("Escape");
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute("data-id")), "1");
    assert.equal(await page.getByRole("dialog").count(), 0);
    await page.keyboard.press("Enter");
    await page.keyboard.press("End");
    for (let n = 0; n < 2; n++) await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "Mute");
    await page.keyboard.press("Enter");
    await page.getByText(/^You muted Stranger until/).waitFor();

    await page.locator("#moderate").focus();
    await page.keyboard.press("Enter");
    const lift = page.getByRole("button", { name: "Lift it for Stranger" });
    await lift.waitFor();
    await lift.focus();
    await page.keyboard.press("Enter");
    await page.locator("#bars").getByText("Nobody").waitFor();
    // What had the focus is gone, and the keyboard is still in the panel.
    assert.equal(await page.evaluate(() => document.activeElement?.id), "look-again");
    await page.getByLabel("Language").selectOption("中文");
    await page.locator("#bars").getByText("没有").waitFor();
    const [wide, available] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= available, `${wide} pixels in ${available}`);
    await page.locator("#look-again").focus();
    await page.keyboard.press("Escape");
    assert.deepEqual([await page.locator("#moderation").isVisible(), await page.evaluate(() => document.activeElement?.id)], [false, "moderate"]);
    assert.deepEqual(complaints, []);
  });

  for (const [name, options] of /** @type {[string, BrowserContextOptions][]} */ ([
    ["wide", { viewport: { width: 1_280, height: 800 } }],
    ["narrow", { viewport: { width: 360, height: 640 } }],
    ["dark", { viewport: { width: 1_280, height: 800 }, colorScheme: "dark" }],
  ])) {
    it(`has nothing that an accessibility scan finds, ${name}`, async (test) => {
      const room = fresh();
      // The page's own policy would refuse axe.
      const bypassing = { ...options, bypassCSP: true };
      const { page: mei } = await enter(test, { name: "Mei", id: 7, room, moderates: true, options: bypassing });
      const { page: stranger } = await enter(test, { name: "Stranger", id: 2, room, options: bypassing });
      for (const word of ["buy", "buy now"]) await send(stranger, word);
      await mei.locator("[data-id='2']").waitFor();
      await pick(mei, 1, "Report…");
      await scan(mei, "a report");
      await mei.getByRole("dialog").getByLabel("What is wrong").fill("spam");
      await mei.getByRole("button", { name: "Report" }).click();
      await mei.getByText("You reported").waitFor();
      await openMenu(mei, 1);
      await scan(mei, "the menu");
      await mei.getByRole("menuitem", { name: "Mute…" }).click();
      await scan(mei, "for how long");
      await answerBar(mei, "Mute", "10 minutes");
      await openPanel(mei);
      await mei.getByLabel("Slow mode").selectOption("a message every 10 seconds");
      await mei.locator("#reports .acts").getByRole("button").first().waitFor();
      await scan(mei, "the panel");
      await send(stranger, "buy more");
      await stranger.getByText("You cannot write here until").waitFor();
      await scan(stranger, "muted");
      await stranger.getByRole("button", { name: "Try again" }).click();
      await stranger.reload();
      await stranger.getByText("You cannot write here until").waitFor();
      await mei.getByRole("button", { name: "Lift it for Stranger" }).click();
      await mei.locator("#bars").getByText("Nobody").waitFor();
      await stranger.getByRole("button", { name: "Try again" }).click();
      await stranger.getByText("Slow mode: one message every").waitFor();
      await scan(stranger, "slow");
    });
  }

  /** Mei, who moderates, a stranger, who is 2, and Dong, who is 3, in a room of their own. @param {TestContext} test */
  async function three(test) {
    const room = fresh();
    const mei = await enter(test, { name: "Mei", id: 7, room, moderates: true });
    const stranger = await enter(test, { name: "Stranger", id: 2, room });
    const dong = await enter(test, { name: "Dong", id: 3, room });
    await mei.page.getByText("Dong joined").waitFor();
    return { room, mei: mei.page, stranger: stranger.page, dong: dong.page, complaints: () => [mei, stranger, dong].flatMap(({ complaints }) => complaints) };
  }

  /** @param {TestContext} test @param {Visit} visit */
  function enter(test, visit) {
    return enterPage(test, browser, { address: run.page, ...visit });
  }

  /** Somebody without a page. @param {TestContext} test @param {{ name: string, id: number, moderates?: string, rooms?: string }} who */
  async function user(test, { name, id, ...claims }) {
    const getToken = () => run.token({ userId: id, username: name, nickName: name, ...claims });
    const client = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket), features: [Kept, Moderation] });
    test.after(() => client.disconnect());
    await client.connect();
    return client;
  }
});

describe("what a review refuses", () => {
  it("stays with the reason, is written anew in the box, and sent again or thrown away", async (test) => {
    const { server, page, complaints } = await visit(test);
    server.answer = (frame, peer) => frame.action === "sendMessage" && /rude/.test(frame.message.content) && reject(peer, frame);
    await send(page, "a rude word");
    const failed = page.locator(".failed");
    await failed.getByText("Not sent: be <i>kind</i>").waitFor();
    assert.equal(await page.getByRole("alert").isVisible(), false, "it is said once");
    assert.equal(await failed.getByRole("button", { name: "Retry" }).count(), 0, "the same would be refused again");
    await scan(page, "rejected");
    await failed.getByRole("button", { name: "Edit" }).click();
    const box = page.getByRole("textbox", { name: "Message" });
    assert.deepEqual([await box.inputValue(), await failed.count()], ["a rude word", 0]);
    await write(page, "a kind word");
    await page.locator(".mine[data-id='1']:not(.sending)").waitFor();
    await send(page, "rude again");
    await failed.getByRole("button", { name: "Discard" }).click();
    assert.deepEqual(await texts(page), ["a kind word"]);
    assert.deepEqual(server.frames("sendMessage").map(({ message }) => message.content), ["a rude word", "a kind word", "rude again"]);
    assert.deepEqual(complaints, []);
  });

  it("of an edit comes back into the box, with the reason", async (test) => {
    const { server, page } = await visit(test);
    await send(page, "a word");
    server.answer = (frame, peer) => frame.action === "editMessage" && reject(peer, frame);
    await pick(page, 1, "Edit");
    await write(page, "a rude word");
    await page.getByRole("alert").getByText("Not changed: be <i>kind</i>").waitFor();
    await eventually(() => page.getByRole("textbox", { name: "Message" }).inputValue(), "a rude word");
    assert.deepEqual(await texts(page), ["a word"]);
  });
});

describe("the page of somebody who is barred", () => {
  it("does not ask for the room again when it comes back", async (test) => {
    const { server, page } = await visit(test);
    server.peer.push({ type: "removed", chatroomId: 1, reason: "ban", retryAfterMs: 3_600_000 });
    await page.getByRole("alert").getByText(/^You are banned from room 1 until \d+:\d+\.$/).waitFor();
    const { length } = server.peers;
    server.peer.socket.terminate();
    await until(() => server.peers.length > length);
    await page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    await join(page, "2");
    await until(() => server.frames("joinRoom").some(({ chatroomId }) => chatroomId === 2));
    assert.equal(server.frames("joinRoom").filter(({ chatroomId }) => chatroomId === 1).length, 1);
  });

  it("names the group that is gone, and lists it no more until the ban is over", async (test) => {
    const { server, page, complaints } = await visit(test);
    server.inbox = [{ id: "g-1", name: "Harbour", type: true, createTime: "2026-11-29T10:00:00.000Z", userCount: 2, userIds: [7, 8], unread: 0, lastRead: 0, mentioned: false }];
    server.joined = { mutedForMs: 3_600_000 };
    server.peer.push({ type: "roomAdded", chatroomId: "g-1", userId: 8 });
    await page.locator("#rooms button", { hasText: "Harbour" }).click();
    await page.getByText("You cannot write here until").waitFor();
    server.peer.push({ type: "removed", chatroomId: "g-1", reason: "ban", retryAfterMs: 3_600_000 });
    await page.getByRole("alert").getByText(/^You are banned from Harbour until/).waitFor();
    server.peer.push({ type: "roomAdded", chatroomId: "g-2", userId: 8 });
    await until(() => server.requests.filter(({ path }) => path === "/chatroom/list").length === 3);
    await eventually(() => page.locator("#rooms .name").allTextContents(), ["Room 1"]);
    assert.equal(server.frames("joinRoom").filter(({ chatroomId }) => chatroomId === "g-1").length, 1);
    assert.deepEqual(complaints, []);
  });

  it("is told why when the way back is closed", async (test) => {
    const { server, page } = await visit(test);
    server.answer = ({ action, requestId, chatroomId }, peer) => {
      if (action !== "joinRoom" || chatroomId !== 1) return false;
      peer.push({ type: "error", action, requestId, code: "barred", message: "banned", retryAfterMs: 3_600_000 });
      return true;
    };
    server.peer.socket.terminate();
    await page.getByRole("alert").getByText(/^You are banned from room 1 until/).waitFor();
    await eventually(() => page.getByRole("list", { name: "Rooms" }).getByRole("button").count(), 0);
  });

  it("says that a message waits where the room became slow meanwhile", async (test) => {
    const { server, page, complaints } = await visit(test);
    let refusals = 1;
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "sendMessage" || refusals-- <= 0) return false;
      peer.push({ type: "error", action, requestId, code: "rateLimited", message: "slow", retryAfterMs: 3_000 });
      return true;
    };
    await send(page, "waits");
    await page.getByText(/Slow mode\. You may write again in [1-3] s\./).waitFor();
    await page.locator(".sending", { hasText: "waits" }).waitFor();
    await page.locator(".mine[data-id='1']:not(.sending)").waitFor();
    await eventually(() => page.locator("#slow").isVisible(), false);
    assert.deepEqual(complaints, []);
  });

  it("takes no file while there is no box", async (test) => {
    const { server, page } = await visit(test);
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "sendMessage") return false;
      peer.push({ type: "error", action, requestId, code: "barred", message: "muted", retryAfterMs: 3_600_000 });
      return true;
    };
    await send(page, "hello");
    await page.getByText("You cannot write here until").waitFor();
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array([1])], "cat.png", { type: "image/png" }));
      document.querySelector("#logs")?.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    });
    await page.getByRole("button", { name: "Discard" }).click();
    assert.deepEqual([await page.locator(".items .message").count(), server.requests.filter(({ path }) => path === "/createUpload")], [0, []]);
  });
});

/** User 7 in room 1 of a scripted server. @param {TestContext} test */
async function visit(test) {
  const server = await startScriptedServer(test);
  const context = await browser.newContext({ locale: "en-GB", bypassCSP: true });
  test.after(() => context.close());
  const window = await openWindow(context);
  await window.page.goto(servePage(server));
  await comeIn(window.page, { name: "Me", id: 7 });
  await window.page.getByText("This is where the room begins.").waitFor();
  return { server, ...window };
}

/** @param {Peer} peer @param {any} frame */
function reject(peer, { action, requestId }) {
  peer.push({ type: "error", action, requestId, code: "rejected", message: "be <i>kind</i>" });
  return true;
}

/** Bars the sender of a message. @param {Page} page @param {number} id @param {"Mute" | "Ban"} how @param {string} long */
async function bar(page, id, how, long) {
  await line(page, id).waitFor();
  await pick(page, id, `${how}…`);
  await answerBar(page, how, long);
}

/** @param {Page} page @param {"Mute" | "Ban"} how @param {string} long */
async function answerBar(page, how, long) {
  const dialog = page.getByRole("dialog", { name: new RegExp(`^${how} `) });
  await dialog.getByLabel("For how long").selectOption(long);
  await dialog.getByRole("button", { name: how, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

/** @param {Page} page */
async function openPanel(page) {
  await page.getByRole("button", { name: "Moderate" }).click();
  await page.locator("#moderation").waitFor();
}

/** The choices apart from reactions. @param {Page} page @param {number} id */
async function choices(page, id) {
  const menu = await openMenu(page, id);
  const found = await menu.getByRole("menuitem").allTextContents();
  await page.keyboard.press("Escape");
  return found;
}
