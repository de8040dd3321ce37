// @ts-check
import { ChatError, badRequest } from "./errors.js";
import { DATA_BYTES_MAX, ID_BYTES_MAX, KINDS } from "./limits.js";

/** @import { Message } from "./types.js" */

/** Whether it has an id and a time, and so a place in the order. @param {unknown} message @returns {message is Message} */
export function isMessage(message) {
  const { id, createTime } = /** @type {any} */ (message ?? {});
  return Number.isSafeInteger(id) && id > 0 && !!Date.parse(createTime);
}

/** Whether it is of a known kind and has content. @param {Pick<Message, "type" | "content">} message */
export function isKnown({ type, content }) {
  return KINDS.includes(type) && typeof content === "string";
}

/** The server's rule. The server could not even read a frame with half an emoji in it. @param {unknown} id */
export function isRoomId(id) {
  if (typeof id === "number") return isCount(id);
  return typeof id === "string" && /^(?!\s*$)[^\p{Cc}\p{Cs}]+$/u.test(id) && bytes(id) <= ID_BYTES_MAX;
}

/** @param {unknown} number */
export function isPositive(number) {
  return isCount(number) && number > 0;
}

/** @param {unknown} number @returns {number is number} */
export function isCount(number) {
  return Number.isSafeInteger(number) && Number(number) >= 0;
}

/** An item of the history or of the list of changes: it has its kind as a number. @param {any} item */
export function readItem(item) {
  return { ...item, type: KINDS[item?.type] };
}

/** The length in UTF-8. */
export function bytes(/** @type {string} */ text) {
  return new Blob([text]).size;
}

/** Throws if the server could not take it, or not even read it. @param {string} name @param {unknown} data */
export function mustFit(name, data) {
  const text = JSON.stringify(data) ?? "null";
  if (bytes(text) > DATA_BYTES_MAX) throw new ChatError("tooLarge", `${name} is longer than ${DATA_BYTES_MAX} bytes`);
  // JSON writes half an emoji as an escape, which no other text looks like: a backslash in a text is written as two.
  if (/(^|[^\\])(\\\\)*\\ud[89a-f]/.test(text)) throw badRequest(`${name} must not have half an emoji in it`);
}

/** @param {unknown} id */
export function mustBeClientMessageId(id) {
  if (typeof id !== "string" || !/^[\w-]{1,64}$/.test(id)) throw badRequest("clientMessageId must be 1 to 64 of A-Z a-z 0-9 _ -");
}

/** Half an emoji is not text: the server cannot read such a frame, so it cannot say which request it refuses. @param {unknown} text */
export function readable(text) {
  return String(text).replace(/\p{Surrogate}/gu, "\ufffd");
}
