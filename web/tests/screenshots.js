// @ts-check
/**
 * The pictures of the documents, all or those that are named, each of a run: npm --prefix web run screenshots [-- NAME …].
 * They need fonts with Chinese letters and with emoji, such as Debian's fonts-wqy-zenhei and fonts-noto-color-emoji.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { places, serveCourse } from "./course.js";
import { startLocalRun } from "./local-run.js";
import { button, comeIn, pick, send, write } from "./visitors.js";

/** @import { BrowserContextOptions } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */

const PICTURE = "https://example.com/harbour.svg";
const HARBOUR = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 224"><rect width="320" height="224" fill="#f6c38b"/>
  <circle cx="230" cy="92" r="30" fill="#fff1c9"/><path d="M0 130 80 70l60 60 50-36 130 74v56H0z" fill="#7a5c74"/>
  <rect y="150" width="320" height="74" fill="#2f6f7e"/><path d="M110 168h90l-18 22h-56zM152 108v56h-34z" fill="#f4efe6"/></svg>`;

const WORDS = /** @type {const} */ ({
  en: { people: ["Guang", "Dong", "Mei"], rooms: ["harbour", "garden"], send: "Send", enter: "Enter", name: "Name", id: "User id", room: "Room", lines: [
    "Morning! The boat leaves at nine.",
    "I bring the coffee.",
    "And I the map. Is the harbour far?",
    "Ten minutes on foot. Look:",
    "Oh, that is lovely.",
    "See you there 👋",
  ] },
  zh: { people: ["光", "东", "梅"], rooms: ["码头", "花园"], send: "发送", enter: "进入", name: "名字", id: "用户 ID", room: "房间", lines: [
    "早上好！船九点开。",
    "我带咖啡。",
    "我带地图。码头远吗？",
    "走路十分钟。你看：",
    "真漂亮。",
    "到时候见 👋",
  ] },
});

/** @type {Record<string, () => Promise<void>>} */
const pictures = {
  "page-wide": () => shoot("wide", "en", { viewport: { width: 1_100, height: 760 } }),
  "page-dark": () => shoot("dark", "en", { viewport: { width: 1_100, height: 760 }, colorScheme: "dark" }),
  "page-narrow": () => shoot("narrow", "zh", { viewport: { width: 390, height: 760 }, locale: "zh-CN" }),
  "page-zoom": () => shoot("zoom", "en", { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 }),
  "first-message": shootFirst,
  "offline": shootOffline,
  "ten-thousand": shootCrowd,
  "socket-io": shootTogether,
  "living": shootLiving,
  "kept": shootKept,
  "moderation": shootModeration,
};
const named = process.argv.slice(2);
const browser = await startBrowser();
for (const name of named.length ? named : Object.keys(pictures)) await pictures[name]();
await browser.close();

/** @param {string} name @param {keyof typeof WORDS} language @param {BrowserContextOptions} options */
async function shoot(name, language, options) {
  const { people, rooms, lines, ...words } = WORDS[language];
  const [harbour, other] = rooms;
  const run = await startLocalRun();
  const [, dong, mei] = people.map((nickName, n) => {
    const getToken = () => run.token({ userId: n + 1, username: nickName, nickName });
    const client = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket) });
    void client.connect();
    return client;
  });
  const context = await browser.newContext({ deviceScaleFactor: 2, locale: "en-GB", ...options });
  await context.route(PICTURE, (route) => route.fulfill({ contentType: "image/svg+xml", body: HARBOUR }));
  await context.addInitScript((rooms) => sessionStorage.setItem("chat", JSON.stringify({ rooms, open: rooms[0] })), [harbour, other]);
  const { page } = await openWindow(context);
  await page.goto(run.page);
  await page.getByLabel(words.name, { exact: true }).fill(people[0]);
  await page.getByLabel(words.id).fill("1");
  await page.getByRole("textbox", { name: words.room, exact: true }).fill(harbour);
  await page.getByRole("button", { name: words.enter }).click();
  const say = async (/** @type {string} */ text) => {
    await page.locator("#text").fill(text);
    await page.getByRole("button", { name: words.send }).click();
    await page.locator(".mine[data-id]", { hasText: text }).waitFor();
  };
  for (const friend of [dong, mei]) await Promise.all([friend.room(harbour).join(), friend.room(other).join()]);
  await dong.room(harbour).send(lines[0]);
  await say(lines[1]);
  await mei.room(harbour).send(lines[2]);
  await dong.room(harbour).send(lines[3]);
  await dong.room(harbour).sendImage(PICTURE);
  await page.locator(".picture img").waitFor();
  await say(lines[4]);
  await mei.room(harbour).send(lines[5]);
  await mei.room(other).send(lines[5]);
  await page.locator(".badge:visible, #chat[data-open='true'] .badge").first().waitFor({ state: "attached" });
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  await page.screenshot({ path: inProject(`docs/page-${name}.png`) });
  await context.close();
  dong.disconnect();
  mei.disconnect();
  await run.stop();
}

/** The first message of a room, in the windows of two. */
async function shootFirst() {
  const run = await startLocalRun();
  const [guang, dong] = [await enterSmall(run, "Guang", 1), await enterSmall(run, "Dong", 2)];
  await guang.getByText("Dong joined").waitFor();
  await send(guang, "Is anybody here?");
  await dong.locator("[data-id='1']").waitFor();
  await dong.locator("#text").pressSequentially("Yes");
  await guang.getByText("Dong is typing").waitFor();
  await hang([await shot("Guang, at http://127.0.0.1:3000/", guang), await shot("Dong, in another window", dong)], 400, "docs/first-message.png");
  for (const page of [guang, dong]) await page.context().close();
  await run.stop();
}

/** One goes on writing without a network, while another one speaks; and all is there, in one order, when it is back. */
async function shootOffline() {
  const run = await startLocalRun();
  const [guang, dong] = [await enterSmall(run, "Guang", 1, 660), await enterSmall(run, "Dong", 2, 660)];
  await send(guang, "The train leaves at nine.");
  await dong.locator("[data-id='1']").waitFor();
  await dong.context().setOffline(true);
  await dong.getByRole("status").getByText("you are offline").waitFor();
  for (const text of ["I am in the tunnel.", "Keep me a seat!"]) await send(dong, text);
  for (const [number, text] of ["From platform 4 today.", "Where are you?"].entries()) {
    await send(guang, text);
    await guang.locator(`.mine[data-id="${number + 2}"]`).waitFor();
  }
  const figures = [await shot("Dong is offline, and goes on writing …", dong), await shot("… while Guang speaks", guang)];
  await dong.context().setOffline(false);
  for (const page of [dong, guang]) await page.locator("[data-id='5']").waitFor();
  await dong.getByRole("status").getByText("Connected", { exact: true }).waitFor();
  figures.push(await shot("Dong is back: nothing is lost, and both see one order", dong));
  await hang(figures, 400, "docs/offline.png");
  for (const page of [guang, dong]) await page.context().close();
  await run.stop();
}

/** A room of ten thousand connections on one machine, of which twenty write, and two windows that are in it as well. */
async function shootCrowd() {
  const run = await startLocalRun();
  const [members, writers, together] = [10_000, 20, 100];
  const people = WORDS.en.people;
  const enter = async (/** @type {number} */ id) => {
    const token = await run.token({ userId: id, nickName: `${people[id % people.length]} ${id}` });
    const socket = new WebSocket(`${run.url}?token=${token}`);
    await once(socket, "open");
    socket.send(JSON.stringify({ action: "joinRoom", chatroomId: 1, rounds: true }));
    await once(socket, "message");
    return socket;
  };
  /** @type {WebSocket[]} */ const sockets = [];
  for (let id = 1; id <= members; id += together) {
    sockets.push(...(await Promise.all(Array.from({ length: together }, (_, at) => enter(1_000 + id + at)))));
  }
  const windows = [await enterSmall(run, "Guang", 1, 660), await enterSmall(run, "Dong", 2, 660)];
  let said = 0;
  const talking = setInterval(() => {
    const content = WORDS.en.lines[said % WORDS.en.lines.length];
    sockets[said % writers].send(JSON.stringify({ action: "sendMessage", chatroomId: 1, clientMessageId: `line-${said++}`, message: { type: "text", content } }));
  }, 100);
  for (const page of windows) await page.locator("[data-id='30']").waitFor();
  await send(windows[0], "Ten thousand of us!");
  for (const page of windows) await page.locator("[data-id]:not(.sending)", { hasText: "Ten thousand of us!" }).waitFor();
  clearInterval(talking);
  await hang([await shot("Guang, one of ten thousand in a room", windows[0]), await shot("Dong, another one", windows[1])], 400, "docs/ten-thousand.png");
  for (const socket of sockets) socket.terminate();
  for (const page of windows) await page.context().close();
  await run.stop();
}

/** One room, and in it the course's page, a client of Socket.IO in Python, and our page. */
async function shootTogether() {
  const run = await startLocalRun({ parameters: { SocketIo: "on" } });
  const { origin } = new URL(run.page);
  const context = await browser.newContext({ deviceScaleFactor: 1.25, locale: "en-GB", viewport: { width: 400, height: 500 } });

  const served = await serveCourse(run, places.auth, { userId: 1, username: "Guang" });
  const { page: course } = await openWindow(context);
  await course.goto(served.url);
  await course.getByText("用户 1").first().waitFor();

  const { page } = await openWindow(context);
  await page.goto(run.page);
  await page.getByLabel("Name", { exact: true }).fill("Mei");
  await page.getByLabel("User id").fill("3");
  await page.getByRole("textbox", { name: "Room", exact: true }).fill("1");
  await page.getByRole("button", { name: "Enter" }).click();
  await course.getByText("用户 3").first().waitFor();

  const programs = execFileSync(inProject(".ci/tools"), ["socketio"], { encoding: "utf8" }).trim();
  const token = await run.token({ userId: 2, username: "Dong", nickName: "Dong" });
  const python = spawn(`${programs}/python`, [inProject("tests/socketio/talk.py"), origin, "dev", token], { stdio: ["pipe", "pipe", "inherit"] });
  /** @type {string[]} */ const heard = [];
  createInterface({ input: python.stdout }).on("line", (line) => heard.push(line));
  await course.getByText("用户 2").first().waitFor();

  const everywhere = async (/** @type {string} */ text) => {
    await course.getByText(text).waitFor();
    await page.locator("[data-id]", { hasText: text }).waitFor();
    while (!heard.some((line) => line.includes(text))) await new Promise((resolve) => python.stdout.once("data", resolve));
  };
  await course.getByRole("textbox").fill("Hello from the course's page");
  await course.getByRole("textbox").blur();
  await everywhere("Hello from the course's page");
  python.stdin.write("Hello from Python\n");
  await everywhere("Hello from Python");
  await page.locator("#text").fill("Hello from this project's page");
  await page.getByRole("button", { name: "Send" }).click();
  await everywhere("Hello from this project's page");

  const shots = await Promise.all([course, page].map(async (window) => (await window.screenshot()).toString("base64")));
  const { page: wall } = await openWindow(await browser.newContext({ deviceScaleFactor: 1.25, viewport: { width: 1_000, height: 400 } }));
  const escaped = heard.join("\n").replace(/[&<]/g, (char) => `&#${char.charCodeAt(0)};`);
  await wall.setContent(`<!doctype html><meta charset="utf-8"><style>
      body { display: inline-flex; gap: 16px; margin: 0; padding: 16px; background: #e8e8ec; font: 14px sans-serif }
      figure { margin: 0 } figcaption { padding-bottom: 8px } img, pre { display: block; box-sizing: border-box; margin: 0; border: 1px solid #bbb }
      img { width: 400px } pre { width: 340px; height: 500px; padding: 12px; background: #1d1f21; color: #ddd; font: 13px/1.6 monospace; white-space: pre-wrap }
    </style>
    <figure><figcaption>The course's page</figcaption><img src="data:image/png;base64,${shots[0]}"></figure>
    <figure><figcaption>Python</figcaption><pre>$ python talk.py …\n${escaped}</pre></figure>
    <figure><figcaption>This project's page</figcaption><img src="data:image/png;base64,${shots[1]}"></figure>`);
  await wall.locator("body").screenshot({ path: inProject("docs/socket-io.png") });
  python.stdin.end();
  await new Promise((resolve) => python.once("exit", resolve));
  await context.close();
  served.stop();
  await run.stop();
}

/** Two windows, one of them away while messages are edited, recalled and reacted to in the other; and back again. */
async function shootLiving() {
  const run = await startLocalRun();
  const [guang, dong] = [await enterSmall(run, "Guang", 1), await enterSmall(run, "Dong", 2)];
  const lines = ["The boat leaves at nine.", "I have the tickets.", "Who brings the coffee?"];
  for (const [number, line] of lines.entries()) {
    await send(guang, line);
    await dong.locator(`[data-id="${number + 1}"]`).waitFor();
  }
  await dong.context().setOffline(true);
  await dong.getByRole("status").getByText("you are offline").waitFor();
  await pick(guang, 1, "Edit");
  await write(guang, "The boat leaves at ten.");
  await guang.locator("[data-id='1'] .edited").waitFor();
  await pick(guang, 2, "Recall");
  await guang.locator("[data-id='2'] .erased").waitFor();
  await pick(guang, 3, "React with 👍");
  await button(guang, 3, "👍 1: You").waitFor();
  const figures = [await shot("Guang edits, recalls and reacts …", guang), await shot("… while Dong is offline", dong)];
  await dong.context().setOffline(false);
  await dong.locator("[data-id='2'] .erased").waitFor();
  await button(dong, 3, "👍 1: Guang").waitFor();
  await dong.getByRole("status").getByText("Connected", { exact: true }).waitFor();
  figures.push(await shot("Dong is back", dong));
  await hang(figures, 400, "docs/living.png");
  for (const page of [guang, dong]) await page.context().close();
  await run.stop();
}

/** A window of somebody's in room 1. @param {LocalRun} run @param {string} name @param {number} id @param {number} [height] */
async function enterSmall(run, name, id, height = 560) {
  const context = await browser.newContext({ deviceScaleFactor: 1.25, locale: "en-GB", viewport: { width: 480, height } });
  const { page } = await openWindow(context);
  await page.goto(run.page);
  await comeIn(page, { name, id });
  return page;
}

/** A group: one makes it, takes others in and sends a picture while one of them is away; and who was away comes back. */
async function shootKept() {
  const run = await startLocalRun();
  const enter = async (/** @type {string} */ name, /** @type {number} */ id) => {
    const context = await browser.newContext({ deviceScaleFactor: 1.25, locale: "en-GB", viewport: { width: 760, height: 680 } });
    const { page } = await openWindow(context);
    await page.goto(run.page);
    await comeIn(page, { name, id, room: "" });
    return page;
  };
  const open = (/** @type {import("playwright-core").Page} */ page, /** @type {string} */ name) => page.locator("#rooms button", { hasText: name }).click();
  const drawn = await browser.newContext({ viewport: { width: 640, height: 448 } });
  const { page: canvas } = await openWindow(drawn);
  await canvas.setContent(`<style>body { margin: 0 } svg { display: block; width: 640px }</style>${HARBOUR}`);
  const harbour = await canvas.screenshot();
  await drawn.close();

  const [guang, mei] = [await enter("Guang", 1), await enter("Mei", 3)];
  let dong = await enter("Dong", 2);
  await guang.getByText("New conversation").click();
  await guang.getByLabel("What to call it").fill("Harbour");
  await guang.getByRole("button", { name: "Create" }).click();
  await guang.getByRole("heading", { name: "Harbour" }).waitFor();
  await guang.locator("#here").click();
  for (const id of ["2", "3"]) {
    await guang.getByLabel("Whom to invite").fill(id);
    await guang.getByRole("button", { name: "Invite" }).click();
    await guang.locator("#invite-user:placeholder-shown").waitFor();
  }
  await open(dong, "Harbour");
  await send(guang, "The boat leaves at nine.");
  await dong.locator("[data-id='1']").waitFor();
  await send(dong, "I bring the coffee.");
  await guang.locator("[data-id='2']").waitFor();
  await dong.context().close();

  await open(mei, "Harbour");
  await send(mei, "Is the harbour far?");
  await guang.locator("[data-id='3']").waitFor();
  await guang.locator("#files").setInputFiles({ name: "harbour.png", mimeType: "image/png", buffer: harbour });
  await guang.locator(".mine[data-id='4'] a.picture").waitFor();
  await mei.getByText("New conversation").click();
  await mei.getByLabel("Kind of conversation").selectOption("With one person");
  await mei.getByLabel("With whom").fill("2");
  await mei.getByRole("button", { name: "Create" }).click();
  await mei.getByRole("heading", { name: "Dong" }).waitFor();
  await send(mei, "Shall I bring the map?");
  await mei.locator(".mine[data-id='1']:not(.sending)").waitFor();
  await isPainted(guang);
  const figures = [await shot("Guang made the group, and sends a picture …", guang)];

  dong = await enter("Dong", 2);
  await dong.locator(".badge:not([hidden])").nth(1).waitFor();
  await open(dong, "Harbour");
  await dong.locator(".note.new").first().waitFor();
  await isPainted(dong);
  figures.push(await shot("… and Dong, who was away, comes back", dong));
  await hang(figures, 640, "docs/kept.png");
  for (const page of [guang, mei, dong]) await page.context().close();
  await run.stop();
}

/** A stranger floods; a moderator mutes, recalls and reads a report; the others see it. */
async function shootModeration() {
  const run = await startLocalRun();
  const enter = async (/** @type {string} */ name, /** @type {number} */ id, moderates = false) => {
    const context = await browser.newContext({ deviceScaleFactor: 1.25, locale: "en-GB", viewport: { width: 480, height: 640 } });
    const { page } = await openWindow(context);
    await page.goto(run.page);
    await comeIn(page, { name, id, room: "harbour", moderates });
    return page;
  };
  const [mei, stranger, dong] = [await enter("Mei", 7, true), await enter("Stranger", 2), await enter("Dong", 3)];
  const lines = [[dong, "The boat leaves at nine."], [stranger, "Cheap watches!"], [stranger, "CHEAP WATCHES, today only"]];
  for (const [number, [page, text]] of /** @type {[import("playwright-core").Page, string][]} */ (lines).entries()) {
    await send(page, text);
    for (const other of [mei, dong]) await other.locator(`[data-id="${number + 1}"]:not(.sending)`).waitFor();
  }
  await pick(dong, 3, "Report…");
  await dong.getByLabel("What is wrong with it?").fill("Third time today");
  await dong.getByRole("button", { name: "Report" }).click();
  await dong.getByText("You reported").waitFor();
  await pick(mei, 3, "Mute…");
  await mei.getByLabel("For how long").selectOption("an hour");
  await mei.getByRole("button", { name: "Mute", exact: true }).click();
  await mei.getByText("You muted Stranger").waitFor();
  await pick(mei, 2, "Recall");
  await dong.locator("[data-id='2'] .erased").waitFor();
  await mei.getByRole("button", { name: "Moderate" }).click();
  await mei.locator("#reports .acts").getByRole("button", { name: "Recall" }).waitFor();
  await send(stranger, "But my watches!");
  await stranger.locator("#barred").waitFor();
  await stranger.locator(".failed .state").waitFor();
  const figures = [
    await shot("Mei mutes the stranger, recalls, and reads a report", mei),
    await shot("The stranger sees until when", stranger),
    await shot("Dong sees what was recalled", dong),
  ];
  await hang(figures, 400, "docs/moderation.png");
  for (const page of [mei, stranger, dong]) await page.context().close();
  await run.stop();
}

/** @param {import("playwright-core").Page} page */
function isPainted(page) {
  return page.waitForFunction(() => [...document.querySelectorAll(".picture img")].some((image) => /** @type {HTMLImageElement} */ (image).naturalWidth > 1));
}

/** @param {string} title @param {import("playwright-core").Page} page */
async function shot(title, page) {
  return `<figure><figcaption>${title}</figcaption><img src="data:image/png;base64,${(await page.screenshot()).toString("base64")}"></figure>`;
}

/** Side by side. @param {string[]} figures @param {number} width Of each, in pixels. @param {string} path */
async function hang(figures, width, path) {
  const { page: wall } = await openWindow(await browser.newContext({ deviceScaleFactor: 1.25, viewport: { width: 1_400, height: 600 } }));
  await wall.setContent(`<!doctype html><meta charset="utf-8"><style>
      body { display: inline-flex; gap: 16px; margin: 0; padding: 16px; background: #e8e8ec; font: 14px sans-serif }
      figure { margin: 0 } figcaption { padding-bottom: 8px } img { display: block; width: ${width}px; border: 1px solid #bbb }
    </style>${figures.join("")}`);
  await wall.locator("body").screenshot({ path: inProject(path) });
  await wall.context().close();
}

/** @param {string} path */
function inProject(path) {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
