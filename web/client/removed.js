// @ts-check
import { ChatError, badFrame } from "./errors.js";
import { isRoomId } from "./messages.js";

/** @import { ChatClient } from "./client.js" */
/** @import { Id } from "./types.js" */

/** Rooms that one was taken out of are left, and the application is told. Once, though two features need it. @param {ChatClient<any>} client */
export function hearRemoved(client) {
  client.addEventListener(/** @type {any} */ ("frame"), heard);
}

/** @param {any} event */
function heard({ currentTarget: client, detail: { type, chatroomId, reason, retryAfterMs } }) {
  if (type !== "removed") return;
  if (!isRoomId(chatroomId)) return client.emit("error", badFrame());
  takeOut(client, chatroomId, reason, retryAfterMs > 0 ? retryAfterMs : undefined);
}

/** @param {ChatClient<any>} client @param {Id} roomId @param {string} reason @param {number} [retryAfterMs] */
export function takeOut(client, roomId, reason, retryAfterMs) {
  forget(client, roomId, retryAfterMs);
  client.emit(/** @type {any} */ ("removed"), /** @type {any} */ ({ roomId, reason, ...(retryAfterMs && { retryAfterMs }) }));
}

/** @param {ChatClient<any>} client @param {Id} roomId @param {number} [retryAfterMs] */
export function forget(client, roomId, retryAfterMs) {
  client.room(roomId).forget(new ChatError("removed", "not in the room any more", { retryAfterMs }));
}
