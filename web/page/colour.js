// @ts-check
/** A colour for each person, the same everywhere. The style sheet has the colours, for light and for dark. */

/** @import { Id } from "../chat-client.js" */

/** As many as the style sheet has. */
const COLOURS = 12;

/** @param {Element} element @param {Id} id */
export function colour(element, id) {
  // FNV-1a: neighbouring ids get colours that are far apart.
  let hash = 0x811c9dc5;
  for (const char of String(id)) hash = Math.imul(hash ^ /** @type {number} */ (char.codePointAt(0)), 0x01000193);
  element.setAttribute("data-colour", String((hash >>> 0) % COLOURS));
}
