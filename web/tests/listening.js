/** Waits for events that must come, and collects those that do. */

/** @import { TestContext } from "node:test" */
/** @import { ChatRoom, Message, Presence } from "../chat-client.js" */

/** How long to wait for an event that must come. No test passes by waiting this long. */
const PATIENCE_MS = 60_000;

/** What a room gives out from here on. @param {ChatRoom} room */
export function collect(room) {
  /** @type {Message[]} */ const messages = [];
  /** @type {(Presence & { came: boolean })[]} */ const presence = [];
  room.addEventListener("message", ({ detail }) => messages.push(detail));
  room.addEventListener("joined", ({ detail }) => presence.push({ ...detail, came: true }));
  room.addEventListener("left", ({ detail }) => presence.push({ ...detail, came: false }));
  return { messages, presence };
}

/** The detail of the next such event. @param {EventTarget} target @param {string} type @returns {Promise<any>} */
export function next(target, type) {
  const told = (/** @type {(detail: unknown) => void} */ resolve) => (/** @type {Event} */ event) =>
    resolve(/** @type {CustomEvent} */ (event).detail);
  return new Promise((resolve) => target.addEventListener(type, told(resolve), { once: true }));
}

/** @template T @param {() => T} condition @returns {Promise<NonNullable<T>>} */
export async function until(condition) {
  const started = performance.now();
  for (;;) {
    const met = condition();
    if (met) return met;
    if (performance.now() - started > PATIENCE_MS) throw new Error(`not within a minute: ${condition}`);
    await pause(10);
  }
}

export function pause(/** @type {number} */ ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Until the test ends. @param {TestContext} test @param {object} target @param {Record<string, unknown>} parts */
export function replace(test, target, parts) {
  for (const [name, value] of Object.entries(parts)) {
    const before = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, writable: true, configurable: true });
    test.after(() => (before ? Object.defineProperty(target, name, before) : Reflect.deleteProperty(target, name)));
  }
}
