// @ts-check
/** A question in a window of its own: it is answered, or given up by Escape or a button. */
import { create } from "./dom.js";
import { say } from "./words.js";

/**
 * Returns whether it was answered; the field has what. Then the focus is where it was before.
 * @param {{ title: string, values?: Record<string, unknown>, word: string, field: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement, action: string }} question
 *   All but the field are words: over it, beside the field, and on the button.
 * @returns {Promise<boolean>}
 */
export function question({ title, values, word, field, action }) {
  const [heading, caption, go, away] = [create("h2", ""), create("span", ""), create("button", ""), create("button", "away")];
  heading.id = "question";
  away.type = "button";
  say(heading, title, values);
  say(caption, word);
  say(go, action);
  say(away, "cancel");
  const form = create("form", "", heading, create("label", "", caption, field), go, " ", away);
  const dialog = create("dialog", "", form);
  dialog.setAttribute("aria-labelledby", heading.id);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let isAnswered = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      isAnswered = true;
      dialog.close();
    });
    away.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(isAnswered);
    });
    dialog.showModal();
    field.focus();
  });
}
