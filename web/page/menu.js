// @ts-check
/** What can be done with a message: by a button at the line that is pointed at or focused, or by Enter on it. */
import { create } from "./dom.js";
import { label, say } from "./words.js";

/** @import { RoomView } from "./room-view.js" */
/** @typedef {{ word: string, values?: Record<string, unknown>, text?: string, isOn?: boolean, run(): void }} Choice A `text` is shown in place of the word, which then is its label. */

export class MessageMenu {
  #menu;
  #choices;
  #more = create("button", "more", "⋯");
  /** Where the button is. @type {{ view: RoomView, line: HTMLElement, id: number } | null} */ #at = null;

  /** @param {HTMLElement} menu @param {(view: RoomView, id: number) => Choice[]} choices */
  constructor(menu, choices) {
    this.#menu = menu;
    this.#choices = choices;
    this.#more.type = "button";
    this.#more.ariaHasPopup = "menu";
    this.#more.ariaExpanded = "false";
    label(this.#more, "actions");
    label(menu, "actions");
    this.#more.addEventListener("click", () => (menu.hidden ? this.#open() : this.close()));
    menu.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("pointerdown", ({ target }) => {
      const isInside = target instanceof Node && (menu.contains(target) || this.#more.contains(target));
      if (!menu.hidden && !isInside) this.close(false);
    });
  }

  /** @param {RoomView} view */
  watch(view) {
    const { log, signal } = view;
    const point = (/** @type {Event} */ { target }) => this.#point(view, target);
    log.addEventListener("pointerover", point, { signal });
    log.addEventListener("focusin", point, { signal });
    log.addEventListener("scroll", () => this.close(false), { passive: true, signal });
    log.addEventListener("keydown", (event) => this.#walk(event), { signal });
  }

  close(isFocused = true) {
    if (this.#menu.hidden) return;
    this.#menu.hidden = true;
    this.#more.ariaExpanded = "false";
    if (isFocused) this.#at?.line.focus();
  }

  /** Puts the button at a line. It is one for all: fifty would be fifty stops of the keyboard. @param {RoomView} view @param {EventTarget | null} target */
  #point(view, target) {
    const focused = target instanceof Element ? target.closest(".message") : null;
    // From the log, Tab leads to its newest line.
    const line = focused ?? (target === view.log && !view.log.querySelector('[tabindex="0"]') ? [...view.log.querySelectorAll(".message")].at(-1) : null);
    if (!(line instanceof HTMLElement) || !this.#menu.hidden) return;
    const id = Number(line.dataset.id);
    const has = line.dataset.id !== undefined && this.#choices(view, id).length > 0;
    if (line.tabIndex === 0 && (!has || line.contains(this.#more))) return;
    view.unannounced(() => {
      for (const other of view.log.querySelectorAll('.message[tabindex="0"]')) /** @type {HTMLElement} */ (other).tabIndex = -1;
      line.tabIndex = 0;
      if (has) line.querySelector(".bubble")?.append(this.#more);
    });
    if (has) this.#at = { view, line, id };
  }

  #open() {
    if (!this.#at || !this.#more.isConnected) return;
    const { view, id } = this.#at;
    const [reactions, others] = [create("div", "emojis"), create("div", "")];
    for (const group of [reactions, others]) group.setAttribute("role", "group");
    for (const choice of this.#choices(view, id)) {
      const { word, values, text, isOn, run } = choice;
      const item = create("button", "");
      item.type = "button";
      item.tabIndex = -1;
      item.setAttribute("role", isOn === undefined ? "menuitem" : "menuitemcheckbox");
      if (isOn !== undefined) item.ariaChecked = String(isOn);
      if (text === undefined) say(item, word, values);
      else {
        item.textContent = text;
        label(item, word, values);
      }
      item.addEventListener("click", () => {
        this.close();
        run();
      });
      (text === undefined ? others : reactions).append(item);
    }
    label(reactions, "reactions");
    this.#menu.replaceChildren(...[reactions, others].filter((group) => group.hasChildNodes()));
    this.#menu.hidden = false;
    this.#more.ariaExpanded = "true";
    this.#place();
    this.#menu.querySelector("button")?.focus();
  }

  /** Under the button, or over it; never out of the window. */
  #place() {
    const [from, menu] = [this.#more.getBoundingClientRect(), this.#menu.getBoundingClientRect()];
    const isBelow = from.bottom + menu.height + 8 <= innerHeight;
    this.#menu.style.top = `${Math.max(8, isBelow ? from.bottom + 4 : from.top - menu.height - 4)}px`;
    this.#menu.style.left = `${Math.max(8, Math.min(from.right - menu.width, innerWidth - menu.width - 8))}px`;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const items = [...this.#menu.querySelectorAll("button")];
    const at = items.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) items.at(to % items.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") this.close();
    else return;
    event.preventDefault();
  }

  /** From line to line, and into the menu of one. @param {KeyboardEvent} event */
  #walk(event) {
    const { target, key } = event;
    if (!(target instanceof HTMLElement) || !target.matches(".message")) return;
    if (key === "Enter") {
      if (!target.contains(this.#more)) return;
      this.#open();
      event.preventDefault();
    }
    const lines = [...(target.parentElement?.querySelectorAll(".message") ?? [])];
    const at = lines.indexOf(target);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: lines.length - 1 }[key];
    const line = to === undefined ? undefined : lines[to];
    if (!(line instanceof HTMLElement)) return;
    line.focus();
    event.preventDefault();
  }
}
