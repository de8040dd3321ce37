// @ts-check
/** Mentions: whom a text means by `@Name`, and the list of people that an "@" opens at the text box. */
import { create, find } from "./dom.js";
import { HAN } from "./links.js";
import { toId } from "./way.js";
import { say } from "./words.js";

/** @import { Id, KeptInfo, Profile } from "../chat-client.js" */
/** @import { Around } from "./message.js" */
/** @import { Room, RoomView } from "./room-view.js" */
/** Somebody, by the name that stands in the text. @typedef {{ id: Id, name: string }} Mention */
/** A room. Its `mentions` are those whom one chose for the text that is being written. @typedef {{ view: RoomView, mentions: Mention[], info?: KeptInfo }} Entry */
/**
 * What the page does for it.
 * @typedef {object} Page
 * @property {() => Entry | undefined} entry The room that is open.
 * @property {() => boolean} isFree Whether a text is being written that may mention somebody.
 */

/** The server's limit. */
const MENTIONS_MAX = 20;
/** The word among the ids that means everybody. */
const EVERYBODY = "all";
/** Of more people than this the list shows the best, and typing finds the others. */
const SHOWN_MAX = 20;
/** A longer name is not looked for, in UTF-16 units. */
const NAME_MAX = 100;
/** What may stand before an "@": it is no part of an address, be it one of the web or of a mailbox. */
const BEFORE = /[\s\p{Ps}\p{Pi}"'*~,;!，。、：；！？]/u;
const WORD = /[\p{L}\p{N}\p{M}_]/u;

/** Whether a message means oneself, alone or among all. @param {Id[] | undefined} ids @param {(id: Id) => boolean} isMe */
export function meansMe(ids, isMe) {
  return ids?.some((id) => id === EVERYBODY || isMe(id)) ?? false;
}

/**
 * The text with the mentions in it as elements. `isWhole` says whether each was found: a name may not be known here yet, or not
 * any more.
 * @param {string} text @param {Id[]} ids @param {Around} around
 */
export function marked(text, ids, around) {
  // Whoever has no name is called by the id.
  const spans = found(text, ids.flatMap((id) => [around.name(id), String(id)].map((name) => ({ id, name }))));
  /** @type {(string | HTMLElement)[]} */ const parts = [];
  let done = 0;
  for (const { from, to, people } of spans) {
    const isOwn = meansMe(people.map(({ id }) => id), around.isMe);
    parts.push(text.slice(done, from), create("span", isOwn ? "mention own" : "mention", text.slice(from, to)));
    done = to;
  }
  const isFound = (/** @type {Id} */ id) => spans.some(({ people }) => people.some((one) => one.id === id));
  return { parts: [...parts, text.slice(done)].filter((part) => part !== ""), isWhole: ids.every(isFound) };
}

/** Those of the chosen whose `@Name` still stands in the text, in its order. @param {string} text @param {Mention[]} chosen */
function standing(text, chosen) {
  /** @type {Mention[]} */ const all = [];
  for (const { people } of found(text, chosen)) {
    // Several may have one name: then each place is for another one, the last chosen first.
    const one = people.findLast((one) => !all.some(({ id }) => id === one.id));
    if (one) all.push(one);
  }
  return all.slice(0, MENTIONS_MAX);
}

/** Where the text names whom. Of names that begin alike it is the longest. @param {string} text @param {Mention[]} people */
function found(text, people) {
  const longestFirst = people.filter(({ name }) => name).sort((one, other) => other.name.length - one.name.length);
  const spans = [];
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    if (!beginsWord(text, at)) continue;
    const named = longestFirst.filter(({ name }) => text.startsWith(name, at + 1) && endsWord(text, at + 1 + name.length));
    if (named.length === 0) continue;
    const { name } = named[0];
    const to = at + 1 + name.length;
    spans.push({ from: at, to, people: named.filter((one) => one.name === name) });
    at = to - 1;
  }
  return spans;
}

/** Chinese has no spaces between its words. @param {string} text @param {number} at */
function beginsWord(text, at) {
  const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? " ";
  return BEFORE.test(before) || HAN.test(before);
}

/** @param {string} text @param {number} end */
function endsWord(text, end) {
  const [next] = text.slice(end, end + 2);
  const [last] = [...text.slice(Math.max(0, end - 2), end)].slice(-1);
  return next === undefined || !WORD.test(next) || HAN.test(next) || HAN.test(last);
}

/** Without accents, and all in small letters. @param {string} text */
function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/** How well somebody is what is looked for: the less, the better. @param {Mention} one @param {string} wanted */
function rank({ id, name }, wanted) {
  const text = folded(name);
  if (text === wanted) return 0;
  if (text.startsWith(wanted)) return 1;
  if (text.includes(` ${wanted}`)) return 2;
  if (text.includes(wanted)) return 3;
  return folded(String(id)).includes(wanted) ? 4 : Infinity;
}

/**
 * The list at the text box. HTML lets a box of several lines be no combobox, and only that could be `aria-expanded`: so it is a
 * text box with `aria-autocomplete` and `aria-activedescendant`, and that the list is open is said.
 */
export class Mentions {
  #text;
  #page;
  #list = find("mentions", HTMLElement);
  #news = find("news", HTMLElement);
  /** What the open list is about: where its "@" stands, what was typed since, and whom it shows. @type {{ at: number, typed: string, items: Mention[] } | null} */
  #asked = null;
  #active = 0;
  #isComposing = false;
  /** The "@" at which one closed the list. */
  #refused = -1;
  /** The "@" for which names were asked for. */
  #named = -1;
  /** Whether a list is wanted that nobody is on, yet. */
  #isWaiting = false;
  #again = () => this.#isWaiting && this.#look();

  /** @param {HTMLTextAreaElement} text @param {Page} page */
  constructor(text, page) {
    this.#text = text;
    this.#page = page;
    // Before those that send, and that give up an answer.
    text.addEventListener("keydown", (event) => this.#key(event), { capture: true });
    text.addEventListener("input", () => this.#look());
    // What is being composed is no name yet, and moves nothing.
    text.addEventListener("compositionstart", () => (this.#isComposing = true));
    text.addEventListener("compositionend", () => {
      this.#isComposing = false;
      this.#look();
    });
    text.addEventListener("blur", ({ relatedTarget }) => relatedTarget !== this.#list && this.#end());
    // What scrolls has to take the focus. Here it gives it back: the keys of the text scroll it.
    this.#list.addEventListener("focus", () => text.focus());
    document.addEventListener("selectionchange", () => {
      if (this.#asked && this.#cursor()?.typed !== this.#asked.typed) this.#look();
    });
    // A press on the list leaves the focus in the text.
    this.#list.addEventListener("mousedown", (event) => event.preventDefault());
    this.#list.addEventListener("click", ({ target }) => {
      const at = [...this.#list.children].findIndex((item) => target instanceof Node && item.contains(target));
      if (at >= 0) this.#choose(at);
    });
  }

  /** Whom the text means by now; undefined if nobody. */
  get chosen() {
    const chosen = standing(this.#text.value, this.#page.entry()?.mentions ?? []);
    return chosen.length > 0 ? chosen : undefined;
  }

  /** Whom a text means that goes out. The next one begins with nobody. */
  take() {
    this.#end();
    const { chosen } = this;
    const entry = this.#page.entry();
    if (entry) entry.mentions = [];
    return chosen;
  }

  close() {
    this.#asked = null;
    this.#isWaiting = false;
    this.#list.hidden = true;
    this.#list.replaceChildren();
    this.#text.removeAttribute("aria-activedescendant");
  }

  /** More is known of who is in the room. */
  update() {
    if (this.#asked || this.#isWaiting) this.#look();
  }

  /** Shows who may be meant, or nobody. */
  #look() {
    if (this.#isComposing) return;
    const asked = this.#cursor();
    if (asked?.at !== this.#refused) this.#refused = -1;
    if (!asked) this.#named = -1;
    if (!asked || this.#refused >= 0) return this.#end();
    const items = this.#matching(asked.typed);
    if (items.length === 0) this.#end();
    else this.#show({ ...asked, items });
    this.#isWaiting = items.length === 0;
    const room = this.#page.entry()?.view.room;
    if (this.#isWaiting) room?.addEventListener("online", this.#again, { once: true });
    if (room && this.#named !== asked.at) void this.#askNames(room, asked.at);
  }

  /** What was typed between an "@" and the cursor. */
  #cursor() {
    const { value, selectionStart: end, selectionEnd } = this.#text;
    const entry = this.#page.entry();
    if (!entry || end !== selectionEnd || !this.#page.isFree()) return null;
    let at = value.lastIndexOf("@", end - 1);
    while (at > 0 && !beginsWord(value, at)) at = value.lastIndexOf("@", at - 1);
    const typed = value.slice(at + 1, end);
    if (end === 0 || at < 0 || !beginsWord(value, at) || typed.length > NAME_MAX || /^\s|\n|\s\s/.test(typed)) return null;
    // Who was chosen stays so, whatever is written after the name.
    if (found(value, entry.mentions).some(({ from, to }) => from === at && to < end)) return null;
    return standing(value, entry.mentions).length < MENTIONS_MAX ? { at, typed } : null;
  }

  /** @param {string} typed */
  #matching(typed) {
    const wanted = folded(typed.trimEnd());
    const ranked = this.#people().map((one) => ({ one, rank: rank(one, wanted) })).filter(({ rank }) => rank < Infinity);
    return ranked.sort((one, other) => one.rank - other.rank).slice(0, SHOWN_MAX).map(({ one }) => one);
  }

  /** The members of a kept room; else who is here, and those who were heard of last. Who is here comes first. */
  #people() {
    const entry = this.#page.entry();
    if (!entry) return [];
    const { view, info } = entry;
    const named = (/** @type {Profile} */ { id, nickName, username }) => ({ id, name: nickName || username || String(id) });
    const { online } = view.room;
    const here = [...online.values()].filter((profile) => profile !== null).map(named);
    const heard = [...view.names].reverse().map(([id, name]) => ({ id: toId(id), name }));
    const all = info ? info.users.map(named).sort((one, other) => Number(online.has(other.id)) - Number(online.has(one.id))) : [...here, ...heard];
    /** @type {Map<string, Mention>} */ const people = new Map();
    for (const one of all) if (!people.has(String(one.id)) && !view.around.isMe(one.id)) people.set(String(one.id), one);
    return [...people.values()];
  }

  /** Names that nobody has told yet. Whoever is in a kept room is known. @param {Room} room @param {number} at */
  async #askNames(room, at) {
    if (this.#page.entry()?.info || !(room.quiet || [...room.online.values()].includes(null))) return;
    this.#named = at;
    // The room's `error` event shows why there are none.
    await room.members().catch(() => {});
    if (this.#page.entry()?.view.room === room && this.#named === at && (this.#asked || this.#isWaiting)) this.#look();
  }

  /** @param {{ at: number, typed: string, items: Mention[] }} asked */
  #show(asked) {
    const before = this.#asked?.typed === asked.typed ? this.#asked.items[this.#active] : null;
    this.#asked = asked;
    const { items, typed } = asked;
    const wanted = folded(typed.trimEnd());
    this.#list.replaceChildren(...items.map((one, at) => {
      const name = create("span", "name", one.name);
      name.dir = "auto";
      const item = create("li", "", name);
      item.id = `mention-${at}`;
      item.setAttribute("role", "option");
      // The id, where it says more than the name.
      const isTwin = items.some((other) => other !== one && folded(other.name) === folded(one.name));
      if (isTwin || rank(one, wanted) === 4) item.append(" ", create("small", "", String(one.id)));
      return item;
    }));
    this.#list.hidden = false;
    // Names that come later take nobody's choice away.
    this.#point(Math.max(0, items.findIndex(({ id }) => id === before?.id)));
    say(this.#news, "mentionFound", { count: items.length, name: items[0].name });
  }

  /** @param {number} to */
  #point(to) {
    const items = [...this.#list.children];
    this.#active = (to + items.length) % items.length;
    for (const [at, item] of items.entries()) item.ariaSelected = String(at === this.#active);
    const active = items[this.#active];
    this.#text.setAttribute("aria-activedescendant", active.id);
    active.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    // In a composition the keys are the input method's.
    if (!this.#asked || event.isComposing || event.keyCode === 229) return;
    const { key, shiftKey, ctrlKey, altKey, metaKey } = event;
    if (shiftKey || ctrlKey || altKey || metaKey) return;
    if (key === "ArrowDown") this.#point(this.#active + 1);
    else if (key === "ArrowUp") this.#point(this.#active - 1);
    else if (key === "Enter" || key === "Tab") this.#choose(this.#active);
    else if (key === "Escape") {
      this.#refused = this.#asked.at;
      this.close();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  /** @param {number} which */
  #choose(which) {
    if (!this.#asked) return;
    const [{ at, items }, { value, selectionEnd: end }] = [this.#asked, this.#text];
    this.close();
    this.#remember(items[which]);
    this.#text.setRangeText(`@${items[which].name} `, at, value[end] === " " ? end + 1 : end, "end");
    this.#text.dispatchEvent(new Event("input"));
    say(this.#news, "mentionChosen", { name: items[which].name });
  }

  /** @param {Mention} chosen */
  #remember(chosen) {
    const entry = this.#page.entry();
    if (entry) entry.mentions = [...entry.mentions.filter(({ id, name }) => id !== chosen.id || name !== chosen.name), chosen];
  }

  /** Whoever types a name in full, of which there is one, has chosen. */
  #end() {
    this.#isWaiting = false;
    if (!this.#asked) return;
    const { at, typed, items } = this.#asked;
    this.close();
    const name = typed.trimEnd();
    const [one, ...others] = items.filter((one) => folded(one.name) === folded(name));
    const isThere = this.#text.value.startsWith(`@${name}`, at) && endsWord(this.#text.value, at + 1 + name.length);
    if (!one || others.length > 0 || !isThere) return;
    this.#remember(one);
    if (one.name !== name) this.#text.setRangeText(one.name, at + 1, at + 1 + name.length, "preserve");
  }
}
