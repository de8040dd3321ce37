/** What people do with the page. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openWindow } from "./browser.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, BrowserContextOptions, Page } from "playwright-core" */
/** @typedef {{ name?: string, id?: number, room?: string, moderates?: boolean, address?: string, options?: BrowserContextOptions }} Visit */

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** A window of its own, until the test's end. @param {TestContext} test @param {Browser} browser @param {string} address @param {BrowserContextOptions} [options] */
export async function openPage(test, browser, address, options) {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  test.after(() => context.close());
  const window = await openWindow(context);
  await window.page.goto(address);
  return window;
}

/** Opens the page and comes in. @param {TestContext} test @param {Browser} browser @param {Visit & { address: string }} visit */
export async function enterPage(test, browser, { address, options, ...visit }) {
  const window = await openPage(test, browser, address, options);
  await comeIn(window.page, visit);
  return window;
}

/** @param {Page} page @param {Visit} visit */
export async function comeIn(page, { name = "Guang", id = 1, room = "1", moderates = false }) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("User id").fill(String(id));
  await page.getByLabel("Room", { exact: true }).fill(room);
  if (moderates) await page.getByLabel("As a moderator").check();
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
}

/** Goes to the provider, and says there who it is. @param {Page} page @param {string | null} [user] */
export async function signIn(page, user = "dong") {
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("User").waitFor();
  if (user) await fillIn(page, user);
}

/** @param {Page} page @param {string} user */
export async function fillIn(page, user) {
  await page.getByLabel("User").fill(user);
  await page.getByRole("button", { name: "Go on" }).click();
}

/** @param {Page} page @param {string} user */
export async function signedIn(page, user) {
  await page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
  await page.locator("#self-name").getByText(`光 ${user}`).waitFor();
}

/** @param {Page} page @param {string} text */
export async function send(page, text) {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** @param {Page} page @param {"Text" | "Image" | "File"} kind */
export function choose(page, kind) {
  return page.getByLabel("Kind of message").selectOption(kind);
}

/** @param {Page} page @param {string} room */
export async function join(page, room) {
  await page.getByLabel("New room").fill(room);
  await page.getByRole("button", { name: "Join" }).click();
}

/** @param {Page} page @param {string} room */
export function openRoom(page, room) {
  return page.getByRole("button", { name: `Room ${room}` }).click();
}

/** @param {Page} page @param {number} id */
export function line(page, id) {
  return page.locator(`.log:not([hidden]) [data-id="${id}"]`);
}

/** @param {Page} page @param {number} id @param {string} name */
export function button(page, id, name) {
  return line(page, id).getByRole("button", { name, exact: true });
}

/** @param {Page} page @param {number} id */
export async function openMenu(page, id) {
  const at = page.locator(`.log:not([hidden]) [data-id="${id}"]:not(.sending)`);
  const more = at.getByRole("button", { name: "What to do with this message" });
  // A line that comes may move this one away from under the pointer.
  for (let tries = 0; tries < 20 && (await more.count()) === 0; tries++) {
    await page.mouse.move(0, 0);
    await at.locator(".content").hover();
  }
  await more.click();
  return page.getByRole("menu");
}

/** Chooses in a message's menu. @param {Page} page @param {number} id @param {string} choice */
export async function pick(page, id, choice) {
  const menu = await openMenu(page, id);
  const role = choice.startsWith("React") ? "menuitemcheckbox" : "menuitem";
  await menu.getByRole(role, { name: choice, exact: true }).click();
}

/** Writes in the box, and says it. @param {Page} page @param {string} text */
export async function write(page, text) {
  const box = page.getByRole("textbox", { name: "Message" });
  await box.fill(text);
  await box.press("Enter");
}

/** A page, whatever drives it. @typedef {{ evaluate(script: any, argument?: any): Promise<any> }} AnyPage */

/** What the open room's messages say. @param {AnyPage} page @returns {Promise<string[]>} */
export function texts(page) {
  return page.evaluate(() => [...document.querySelectorAll(".log:not([hidden]) [data-id] .content")].map(({ textContent }) => textContent));
}

/** @param {AnyPage} page @param {string} where */
export async function scan(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => /** @type {any} */ (window).axe.run());
  const found = violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => node.html).join(" ")}`);
  assert.deepEqual(found, [], where);
}

/** Nothing is wider than the window, and each control can be brought into sight and pressed. @param {AnyPage} page @param {string} where */
export async function fits(page, where) {
  const found = await page.evaluate(() => {
    const wide = document.documentElement.scrollWidth > innerWidth ? [`${document.documentElement.scrollWidth} pixels wide`] : [];
    const scope = document.querySelector("dialog[open]") ?? document.querySelector("#menu:not([hidden])") ?? document.body;
    const controls = /** @type {NodeListOf<HTMLElement>} */ (scope.querySelectorAll("button, input, select, textarea, summary, a[href]"));
    const covered = [...controls].filter((control) => control.checkVisibility() && !control.matches(".visually-hidden")).filter((control) => {
      control.scrollIntoView({ block: "center", inline: "nearest" });
      const { left, right, top, bottom } = [...control.getClientRects()][0];
      const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      const isSeen = at !== null && (control.contains(at) || at.contains(control) && at.matches("label, a"));
      return !isSeen || left < 0 || right > innerWidth + 0.5;
    });
    scrollTo(0, 0);
    return [...wide, ...covered.map(({ id, outerHTML }) => id || outerHTML.slice(0, 120))];
  });
  assert.deepEqual(found, [], where);
}

/**
 * What is on the disk, or how much.
 * @template {"getAll" | "count"} [How="getAll"]
 * @param {AnyPage} page @param {string} store @param {How} [how] @returns {Promise<How extends "count" ? number : any[]>}
 */
export function onDisk(page, store, how = /** @type {How} */ ("getAll")) {
  return page.evaluate((/** @type {[string, "getAll" | "count"]} */ [store, how]) => new Promise((resolve, reject) => {
    const opening = indexedDB.open("chat");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const asking = opening.result.transaction(store).objectStore(store)[how]();
      asking.onsuccess = () => {
        opening.result.close();
        resolve(asking.result);
      };
    };
  }), /** @type {[string, "getAll" | "count"]} */ ([store, how]));
}

/** Waits until so much is on the disk. @param {AnyPage} page @param {string} store @param {number} count */
export function kept(page, store, count) {
  return eventually(() => onDisk(page, store, "count"), count);
}

/** @template T @param {() => Promise<T>} look @param {T} expected */
export async function eventually(look, expected) {
  const started = performance.now();
  for (;;) {
    try {
      return assert.deepEqual(await look(), expected);
    } catch (caught) {
      if (performance.now() - started > 20_000) throw caught;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** By WCAG's formula. @param {string} front @param {string} back */
export function contrast(front, back) {
  const [one, other] = [front, back].map((colour) => {
    const [red, green, blue] = (colour.match(/[\d.]+/g) ?? []).map(Number).map((part) => {
      const linear = part / 255;
      return linear <= 0.03928 ? linear / 12.92 : ((linear + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  });
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}
