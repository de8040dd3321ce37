// @ts-check
/** Shows a picture over the whole page. Escape or a press beside it closes it, and the focus is where it was before. */
import { create } from "./dom.js";
import { say } from "./words.js";

/** @param {HTMLElement} logs */
export function watchPictures(logs) {
  logs.addEventListener("click", (event) => {
    const { target, defaultPrevented, ctrlKey, metaKey, shiftKey } = event;
    const link = target instanceof Element ? target.closest("a.picture") : null;
    // Whoever wants another window gets one, and a picture that cannot be shown is a link.
    if (!(link instanceof HTMLAnchorElement) || defaultPrevented || ctrlKey || metaKey || shiftKey) return;
    const shown = link.querySelector("img");
    if (!shown || link.classList.contains("broken")) return;
    event.preventDefault();
    view(link, shown.alt);
  });
}

/** @param {HTMLAnchorElement} link @param {string} alt */
function view(link, alt) {
  const [picture, open, close] = [create("img", ""), create("a", ""), create("button", "away")];
  picture.alt = alt;
  picture.src = open.href = link.href;
  open.rel = "noopener noreferrer";
  open.target = "_blank";
  say(open, "openInWindow");
  close.type = "button";
  say(close, "close");
  const dialog = create("dialog", "viewer", picture, create("p", "acts", open, close));
  dialog.setAttribute("aria-label", alt);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}
