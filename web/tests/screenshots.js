// @ts-check
/** The pictures of the page in the README: npm --prefix web run screenshots */
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { startLocalRun } from "./local-run.js";

/** @import { BrowserContextOptions } from "playwright-core" */

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

const browser = await startBrowser();
await shoot("wide", "en", { viewport: { width: 1_100, height: 760 } });
await shoot("dark", "en", { viewport: { width: 1_100, height: 760 }, colorScheme: "dark" });
await shoot("narrow", "zh", { viewport: { width: 390, height: 760 }, locale: "zh-CN" });
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
  await page.screenshot({ path: fileURLToPath(new URL(`../../docs/page-${name}.png`, import.meta.url)) });
  await context.close();
  dong.disconnect();
  mei.disconnect();
  await run.stop();
}
