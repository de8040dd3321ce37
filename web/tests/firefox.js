/** The system's own Firefox, and what people do in its windows. Playwright drives a Firefox of its own make only; this one is driven over WebDriver BiDi. */
import { existsSync } from "node:fs";
import puppeteer from "puppeteer-core";

/** @import { TestContext } from "node:test" */
/** @import { Browser, Page, Viewport } from "puppeteer-core" */
/** @typedef {{ name?: string, id?: number, room?: string, address?: string, viewport?: Viewport }} Visit */

const PLACES = ["/usr/bin/firefox-esr", "/usr/bin/firefox"];
const WAIT_MS = 20_000;

/** No calls home, because they would only fail. Puppeteer has more of these; it turns updates and safe browsing off, for example. */
const QUIET = {
  "services.settings.server": "data:,#remote-settings-dummy/v1",
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "toolkit.telemetry.server": "data:,",
  "dom.push.connection.enabled": false,
};

/** @param {Record<string, unknown>} [preferences] What Firefox calls so: its languages, or that it is dark. */
export async function startFirefox(preferences) {
  const executablePath = process.env.FIREFOX ?? PLACES.find(existsSync);
  if (!executablePath) throw new Error("no Firefox: install firefox-esr (.ci/browser does), or name one in FIREFOX");
  return puppeteer.launch({
    browser: "firefox",
    protocol: "webDriverBiDi",
    executablePath,
    extraPrefsFirefox: { "intl.accept_languages": "en-GB", ...QUIET, ...preferences },
    // Without it, a released Firefox asks Mozilla's server, whatever the preference says.
    env: { ...process.env, MOZ_REMOTE_SETTINGS_DEVTOOLS: "1" },
  });
}

/**
 * A window that shares nothing with others, until the test's end. It collects errors, warnings and dialogs, as in Chromium.
 * @param {TestContext} test @param {Browser} browser @param {string} address @param {Viewport} [viewport]
 */
export async function openPage(test, browser, address, viewport = { width: 1_280, height: 720 }) {
  const context = await browser.createBrowserContext();
  test.after(() => context.close());
  // A tab would be hidden as soon as another one opens.
  const page = await context.newPage({ type: "window" });
  page.setDefaultTimeout(WAIT_MS);
  /** @type {string[]} */ const complaints = [];
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${/** @type {Error} */ (error).message}`));
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  await page.setViewport(viewport);
  await page.goto(address);
  return { page, complaints };
}

/** Opens the page and comes in. @param {TestContext} test @param {Browser} browser @param {Visit & { address: string }} visit */
export async function enterPage(test, browser, { address, viewport, ...visit }) {
  const window = await openPage(test, browser, address, viewport);
  await comeIn(window.page, visit);
  return window;
}

/** @param {Page} page @param {Visit} visit */
export async function comeIn(page, { name = "Guang", id = 1, room = "1" }) {
  await page.locator("#name").fill(name);
  await page.locator("#user-id").fill(String(id));
  await page.locator("#first-room").fill(room);
  await page.locator("#enter").click();
  await page.locator("#status[data-state='connected']").wait();
}

/** What has this role and this name, to which puppeteer waits to do something. @param {Page} page @param {string} role @param {string} name */
export function the(page, role, name) {
  return page.locator(`aria/${name}[role="${role}"]`);
}

/** The line of a message in the room that is open. @param {number} id */
export function line(id) {
  return `.log:not([hidden]) [data-id="${id}"]`;
}

/** Puts a text into the box as it is: typed, its lines would be sent one by one. @param {Page} page @param {string} text */
export function write(page, text) {
  return page.locator("#text").fill(text, { typingThreshold: 0 });
}

/** @param {Page} page @param {string} text */
export async function say(page, text) {
  await write(page, text);
  await page.locator("#send").click();
}

/** @param {Page} page @param {string} keys Such as `Shift+Enter`. */
export async function press(page, keys) {
  const held = /** @type {import("puppeteer-core").KeyInput[]} */ (keys.split("+"));
  const last = held.splice(-1)[0];
  for (const key of held) await page.keyboard.down(key);
  await page.keyboard.press(last);
  for (const key of held) await page.keyboard.up(key);
}

/** @param {Page} page @param {number} id */
export async function openMenu(page, id) {
  await page.locator(`${line(id)} .content`).hover();
  await page.locator(`${line(id)} .more`).click();
  await page.locator("#menu:not([hidden])").wait();
}

/** Chooses in a message's menu. @param {Page} page @param {number} id @param {string} choice */
export async function pick(page, id, choice) {
  await openMenu(page, id);
  await the(page, choice.startsWith("React") ? "menuitemcheckbox" : "menuitem", choice).click();
}
