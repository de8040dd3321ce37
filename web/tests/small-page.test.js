// @ts-check
/** The page where there is little place, enlarged four times, and as an app on a telephone. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { startBrowser } from "./browser.js";
import { startLocalRun } from "./local-run.js";
import { comeIn, eventually, fits, line, openMenu, openPage, scan, send } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, Page } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */

/** 1,280 by 1,024 pixels, enlarged four times. */
const ENLARGED = { viewport: { width: 320, height: 256 }, bypassCSP: true };
let rooms = 0;
const fresh = () => `small-${++rooms}`;

describe("where there is little place", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun(), startBrowser()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  it("is enlarged four times without scrolling sideways, and nothing is covered", async (test) => {
    const room = `a-room-with-quite-a-long-name-${fresh()}`;
    const { page } = await openPage(test, browser, run.page, ENLARGED);
    await fits(page, "coming in");
    await comeIn(page, { name: "Somebody with a name that is long", room, moderates: true });
    await fits(page, "an empty room");
    const friend = await client(test, room, "Dong");
    await friend.send("look: https://example.com/an/address/that/is/so/long/that/it/does/not/fit/into/a/line");
    await friend.sendImage(new URL("/page/icon-512.png", run.page).href);
    await friend.sendFile("https://example.com/a-file-with-a-name-that-is-so-long-that-it-does-not-fit-into-a-line.pdf");
    for (let n = 0; n < 20; n++) await friend.send(`line ${n}`);
    await line(page, 23).waitFor();
    await send(page, "my own");
    await line(page, 24).waitFor();
    await fits(page, "in a room");
    await page.getByRole("button", { name: "Find in this room" }).click();
    await page.getByRole("searchbox").fill("line");
    await eventually(() => page.locator("#hits button").count(), 21);
    await fits(page, "something was found");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Emoji" }).click();
    await fits(page, "the emoji");
    await page.keyboard.press("Escape");
    await page.locator("#moderate").click();
    await fits(page, "moderation");
    await page.locator("#moderate").click();
    await page.locator(".log:not([hidden])").evaluate((log) => (log.scrollTop = 0));
    await page.getByRole("button", { name: "To the newest ↓" }).click();
    await openMenu(page, 24);
    await fits(page, "a menu");
    await scan(page, "a menu");
    await page.keyboard.press("Escape");
    await line(page, 2).getByRole("link").press("Enter");
    await page.getByRole("dialog").waitFor();
    await fits(page, "a picture");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await page.getByText("New conversation").click();
    await fits(page, "the list");
    await scan(page, "the list");
  });

  it("lets one write and read by keyboard, enlarged four times", async (test) => {
    const room = fresh();
    const { page } = await openPage(test, browser, run.page, ENLARGED);
    await comeIn(page, { room });
    for (let n = 0; n < 12; n++) {
      await page.keyboard.type(`line ${n}`);
      await page.keyboard.press("Enter");
      await line(page, n + 1).waitFor();
    }
    // The text box is in sight, and the newest message is right above it.
    const seen = (/** @type {string} */ selector) => page.locator(selector).evaluate((element) => {
      const { top, bottom } = element.getBoundingClientRect();
      return top >= -1 && bottom <= innerHeight + 1;
    });
    await eventually(() => seen("#text"), true);
    const inLog = await line(page, 12).evaluate((line) => {
      const [own, log] = [line, /** @type {Element} */ (line.closest(".log"))].map((element) => element.getBoundingClientRect());
      return own.top >= log.top && own.bottom <= log.bottom + 1;
    });
    assert.equal(inLog, true);
  });

  it("can be installed as an app, which begins at the chat that the address names", async (test) => {
    const { page, complaints } = await openPage(test, browser, run.page);
    const plain = await installable(page);
    assert.equal(plain.url, new URL("/page/app.webmanifest", run.page).href);
    const deployment = new URL(`/?${new URLSearchParams({ ws: run.url, http: run.page })}`, run.page).href;
    await page.goto(`${deployment}#/room/7`);
    const { manifest } = await installable(page);
    assert.equal(manifest.start_url, deployment);
    /** The same but for where it begins; addresses in a file are as seen from the file. @param {any} manifest */
    const rest = ({ start_url, scope, icons, ...rest }) => {
      const absolute = icons.map((/** @type {any} */ { src, ...icon }) => ({ ...icon, src: new URL(src, plain.url).href }));
      return { ...rest, scope: new URL(scope, plain.url).href, icons: absolute };
    };
    assert.deepEqual(rest(manifest), rest(plain.manifest));
    for (const { src, type, sizes } of manifest.icons) {
      const response = await fetch(src);
      assert.deepEqual([response.status, response.headers.get("content-type")], [200, type], src);
      if (type !== "image/png") continue;
      const png = Buffer.from(await response.arrayBuffer());
      assert.equal(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`, sizes, src);
    }
    // What a deployment copies into its bucket.
    const deploy = readFileSync(new URL("../../docs/deploy.md", import.meta.url), "utf8");
    assert.match(deploy, /--include 'page\/\*'/);
    assert.deepEqual(complaints, []);
  });

  /** What the browser has of the manifest, when it says that the page is an app. @param {Page} page */
  async function installable(page) {
    const devTools = await page.context().newCDPSession(page);
    const { url, errors, data } = await devTools.send("Page.getAppManifest");
    const { installabilityErrors } = await devTools.send("Page.getInstallabilityErrors");
    // A test's window is always a private one.
    assert.deepEqual([errors, installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito")], [[], []]);
    return { url, manifest: JSON.parse(String(data)) };
  }

  /** @param {TestContext} test @param {string} room @param {string} nickName */
  async function client(test, room, nickName) {
    const getToken = () => run.token({ userId: 20, nickName });
    const made = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => made.disconnect());
    void made.connect();
    await made.room(room).join();
    return made.room(room);
  }
});
