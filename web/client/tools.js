// @ts-check
/** @import { Deferred, Timer, TypedTarget } from "./types.js" */

/** `EventTarget` itself, whose events the compiler knows. */
const Typed = /** @type {new <Events extends Record<string, any>>() => TypedTarget<Events>} */ (/** @type {unknown} */ (EventTarget));

/**
 * An `EventTarget` with typed events; the data is in `detail`.
 * @template {Record<string, any>} Events @extends {Typed<Events>}
 */
export class Target extends Typed {
  /** @internal @template {keyof Events & string} T @param {T} type @param {Events[T]} detail */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {unknown} data @returns {any} */
export function parse(data) {
  try {
    return JSON.parse(String(data));
  } catch {
    return null;
  }
}

/** Full jitter, because all clients of a restarted server come back at once. @param {number} attempt @param {number} maxMs */
export function backoff(attempt, maxMs) {
  return Math.random() * Math.min(maxMs, 500 * 2 ** attempt);
}

export function sleep(/** @type {number} */ ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @template T @param {number} ms @param {T | Promise<T>} promise @returns {Promise<T>} */
export async function within(ms, promise) {
  /** @type {Timer} */ let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("it took too long")), ms)));
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}

/** `crypto.randomUUID` exists only on secure origins. A laptop's address in the office is not one. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function noop() {}

/** A promise that nobody needs to look at: it never becomes an unhandled rejection. @template T @returns {Deferred<T>} */
export function deferred() {
  /** @type {any} */ const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  parts.promise.catch(noop);
  return parts;
}
