// @ts-check
/** Finds what was said in the room that is open: in what was read here, and further back when that is asked for. */
import { colour } from "./colour.js";
import { create, find } from "./dom.js";
import { together } from "./together.js";
import { say, sayTime } from "./words.js";

/** @import { Message } from "../chat-client.js" */
/** @import { RoomView } from "./room-view.js" */

/** Whoever gets more hits than these looks for something else. */
const HITS_MAX = 50;
/** So many characters of a message stand before what was found in it. */
const BEFORE = 30;

export class Finding {
  #button = find("find", HTMLButtonElement);
  #panel = find("finding", HTMLElement);
  #form = find("find-form", HTMLFormElement);
  #words = find("find-words", HTMLInputElement);
  #back = find("find-back", HTMLButtonElement);
  #count = find("find-count", HTMLElement);
  #hits = find("hits", HTMLElement);
  /** @type {RoomView | undefined} */ #view;

  constructor() {
    this.#button.addEventListener("click", () => (this.#panel.hidden ? this.#open() : this.close(true)));
    find("find-close", HTMLButtonElement).addEventListener("click", () => this.close(true));
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#words.addEventListener("input", together(() => this.#look()));
    this.#back.addEventListener("click", () => void this.#lookBack());
    this.#panel.addEventListener("keydown", (event) => this.#key(event));
    // What a time or a name looks like depends on the language.
    find("language", HTMLSelectElement).addEventListener("change", () => this.#look());
  }

  /** @param {RoomView} view */
  watch(view) {
    const look = together(() => view === this.#view && this.#look());
    view.addEventListener("known", look, { signal: view.signal });
    // What was recalled is not to be found any more.
    view.room.addEventListener("changed", look, { signal: view.signal });
  }

  /** @param {RoomView | undefined} view */
  show(view) {
    this.#view = view;
    this.#button.hidden = !view;
    this.#words.value = "";
    this.close(false);
  }

  /** @param {boolean} isFocused */
  close(isFocused) {
    this.#panel.hidden = true;
    this.#button.ariaExpanded = "false";
    if (isFocused) this.#button.focus();
  }

  #open() {
    this.#panel.hidden = false;
    this.#button.ariaExpanded = "true";
    this.#look();
    this.#words.select();
    this.#words.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Escape") {
      this.close(true);
    } else {
      const stops = [this.#words, ...this.#hits.querySelectorAll("button")];
      const at = stops.indexOf(/** @type {HTMLInputElement} */ (document.activeElement));
      const to = at < 0 ? undefined : { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
      if (to === undefined || !stops[to]) return;
      stops[to].focus();
    }
    event.preventDefault();
  }

  async #lookBack() {
    const view = this.#view;
    this.#back.ariaDisabled = "true";
    say(this.#back, "loading");
    // The room's `error` event shows why not; the button stays.
    await view?.readBack().catch(() => {});
    this.#back.ariaDisabled = null;
    say(this.#back, "findBack");
    if (view === this.#view) this.#look();
  }

  #look() {
    if (this.#panel.hidden || !this.#view) return;
    const words = folded(this.#words.value.trim());
    const found = words ? this.#view.known().filter(({ type, content }) => type === "text" && folded(content).includes(words)) : [];
    this.#fill(this.#view, words, found);
    this.#back.hidden = !words || !this.#view.hasUnknown;
    if (words) say(this.#count, "found", { count: found.length, more: this.#view.hasUnknown });
    else {
      this.#count.textContent = "";
      this.#count.removeAttribute("data-word");
    }
  }

  /** @param {RoomView} view @param {string} words @param {Message[]} found */
  #fill(view, words, found) {
    const id = this.#hits.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.hit : undefined;
    const hits = found.slice(0, HITS_MAX).map((message) => hit(view, words, message));
    this.#hits.replaceChildren(...hits.map((button) => create("li", "", button)));
    if (id) (hits.find(({ dataset }) => dataset.hit === id) ?? this.#words).focus();
  }
}

/** @param {RoomView} view @param {string} words @param {Message} message */
function hit(view, words, { id, senderId, content, createTime }) {
  const [who, said, time] = [create("b", "name"), create("span", "said"), document.createElement("time")];
  if (view.around.isMe(senderId)) say(who, "you");
  else who.textContent = view.nameOf(senderId);
  who.dir = said.dir = "auto";
  sayTime(time, new Date(createTime));
  said.append(...excerpt(content, words));
  const button = create("button", "quote", who, " ", time, " ", said);
  button.type = "button";
  button.dataset.hit = String(id);
  colour(button, senderId);
  button.addEventListener("click", () => view.around.jump(id));
  return button;
}

/** The part of a text in which something was found, which is marked. @param {string} text @param {string} words */
function excerpt(text, words) {
  const plain = folded(text);
  const at = plain.indexOf(words);
  // Some letters are longer when they are folded, and then nobody knows where in the text it is.
  if (plain.length !== text.length) return [text.slice(0, 4 * BEFORE)];
  // Not in the middle of a letter of two halves.
  const from = at > BEFORE ? text.indexOf(" ", at - BEFORE) + 1 || at : 0;
  const start = from > at ? at : from;
  const mark = create("mark", "", text.slice(at, at + words.length));
  return [start > 0 ? "…" : "", text.slice(start, at), mark, text.slice(at + words.length, at + words.length + 4 * BEFORE)];
}

/** For comparing: large and small letters, and those of full width, are the same. @param {string} text */
function folded(text) {
  return text.normalize("NFKC").toLowerCase();
}
