// @ts-check
/** A small choice of emoji for the text box. */
import { create } from "./dom.js";

const EMOJIS = [
  ..."😀😂🙂😉😍😘😎🤔😮😢😭😡🥳😴🤗🙏",
  ..."👍👎👏🙌👋🤝💪👌✨🎉🎂🎁🌹🔥💯🚀",
  "❤️", ..."💔🌞🌙", "☕", ..."🍺🍜🍎🐶🐱🐼🎵📷📎", "✅", "❓",
];

/**
 * The arrow keys go from one to the next. One that is chosen comes to where the cursor is.
 * @param {HTMLButtonElement} button @param {HTMLElement} panel @param {HTMLTextAreaElement} text
 */
export function offerEmojis(button, panel, text) {
  const items = EMOJIS.map((emoji, at) => {
    const item = create("button", "", emoji);
    item.type = "button";
    item.tabIndex = at === 0 ? 0 : -1;
    return item;
  });
  panel.append(...items);

  function close() {
    panel.hidden = true;
    button.ariaExpanded = "false";
  }
  /** @param {number} at */
  function point(at) {
    for (const item of items) item.tabIndex = -1;
    const item = items.at(at % items.length);
    if (!item) return;
    item.tabIndex = 0;
    item.focus();
  }
  button.addEventListener("click", () => {
    if (!panel.hidden) return close();
    panel.hidden = false;
    button.ariaExpanded = "true";
    point(0);
  });
  panel.addEventListener("click", ({ target }) => {
    const item = items.find((item) => item === target);
    if (!item) return;
    close();
    text.setRangeText(String(item.textContent), text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new Event("input"));
    text.focus();
  });
  panel.addEventListener("keydown", (event) => {
    const at = items.findIndex((item) => item === document.activeElement);
    // All of a row have one top.
    const perRow = items.filter(({ offsetTop }) => offsetTop === items[0].offsetTop).length;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + perRow, ArrowUp: at - perRow, Home: 0, End: -1 }[event.key];
    if (to !== undefined) point(to);
    else if (event.key === "Escape") {
      close();
      button.focus();
    } else return;
    event.preventDefault();
  });
  panel.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !panel.contains(relatedTarget) && relatedTarget !== button) close();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !panel.contains(target) && !button.contains(target)) close();
  });
  return close;
}
