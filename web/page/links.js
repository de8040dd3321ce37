// @ts-check
/** Addresses in a text become links. */
import { create, webUrl } from "./dom.js";

/**
 * Ends at white space, at what cannot be seen, such as marks that turn the direction of writing, and at the punctuation of
 * Chinese and Arabic.
 */
const ADDRESS = /\bhttps?:\/\/[^\s<>"`\p{Cc}\p{Cf}\u2014\u2018-\u201f\u2026\u3001-\u3003\u3008-\u3011\u3014-\u301b！＂＇（），．：；？［］｛｝～｡-･،؛؟۔]+/giu;
/** In the name of a host of Latin letters, these are the sentence that goes on. */
export const HAN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
/** @type {Record<string, string>} */
const OPENING = { ")": "(", "]": "[", "}": "{" };

/** The text, with its http and https addresses as links. @param {string} text */
export function linked(text) {
  /** @type {(string | HTMLElement)[]} */ const parts = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = withoutEnd(withinHost(found));
    const url = webUrl(address);
    // `https://bank.example@evil.example` leads elsewhere than it seems.
    if (!url || url.username || url.password) continue;
    const link = create("a", "", address);
    link.href = link.title = url.href;
    link.rel = "noopener noreferrer";
    link.target = "_blank";
    // In a text from right to left, an address is read from left to right all the same.
    link.dir = "ltr";
    parts.push(text.slice(done, index), link);
    done = index + address.length;
  }
  return [...parts, text.slice(done)].filter((part) => part !== "");
}

/** @param {string} address */
function withinHost(address) {
  const [, start, host] = /^(\w+:\/\/)([^/?#]*)/.exec(address) ?? [];
  const at = host?.search(HAN) ?? -1;
  return at > 0 && host.slice(0, at).includes(".") ? address.slice(0, start.length + at) : address;
}

/** What ends the sentence is not part of the address, nor is a bracket that was opened before it. @param {string} address */
function withoutEnd(address) {
  const count = (/** @type {string} */ sign) => address.split(sign).length - 1;
  /** How many brackets too many there are. @type {Record<string, number>} */ const surplus = {};
  for (const [closing, opening] of Object.entries(OPENING)) surplus[closing] = count(closing) - count(opening);
  let end = address.length;
  for (; end > 0; end--) {
    const last = address[end - 1];
    if (surplus[last] > 0) surplus[last] -= 1;
    else if (!".,:;!?'*|".includes(last)) break;
  }
  return address.slice(0, end);
}
