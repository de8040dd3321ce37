// @ts-check
/** Makes and finds elements. Text is always inserted as text. */

/** @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {string} className @param {...(Node | string)} children */
export function create(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
export function find(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

/** When an element gains or loses a child. @param {Element} element */
export function changed(element) {
  return new Promise((resolve) => {
    const watching = new MutationObserver(() => resolve(watching.disconnect()));
    watching.observe(element, { childList: true });
  });
}

/** Http and https addresses only: a `javascript:` or `data:` address of another user must not get into the page. @param {unknown} text */
export function webUrl(text) {
  return urlOf(String(text ?? ""), ["http:", "https:"]);
}

/** @param {string} text @param {string[]} protocols */
export function urlOf(text, protocols) {
  try {
    const url = new URL(text);
    return protocols.includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}
