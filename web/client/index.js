// @ts-check
/**
 * Rooms in a browser (or in Node) over connections that come and go: every message once, in order, none missing.
 *
 * A `ChatClient` keeps one connection, and replaces it before the server cuts it. A `ChatRoom` keeps one room's order:
 * ids go 1, 2, 3, …, so the room sees what is missing and fetches it from the history. What not everybody uses is a
 * feature, handed in by name. `index.html` shows how to use it.
 */
export { Changes, applyChange } from "./changes.js";
export { ChatClient } from "./client.js";
export { ChatError } from "./errors.js";
export { Kept } from "./kept.js";
export { Moderation } from "./moderation.js";
export { Online } from "./online.js";
export { Reactions } from "./reactions.js";
export { Reads } from "./reads.js";
export { ChatRoom } from "./room.js";
export { Rounds } from "./rounds.js";
export { Signals } from "./signals.js";
export { Uploads } from "./uploads.js";
