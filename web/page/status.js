// @ts-check
/** Says whether there is a connection, why not, and when the next attempt is made. */
import { create } from "./dom.js";
import { say } from "./words.js";

/** @import { Disconnected } from "../chat-client.js" */

export class Status {
  #line;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #countdown;

  /** @param {HTMLElement} line */
  constructor(line) {
    this.#line = line;
  }

  /** @param {"connecting" | "connected"} state */
  show(state) {
    const line = this.#line;
    clearInterval(this.#countdown);
    // Keep showing why the connection was lost while the next attempt runs.
    if (state === "connecting" && line.dataset.state === "disconnected" && line.textContent) {
      line.lastElementChild?.replaceChildren(" …");
      return;
    }
    line.dataset.state = state;
    line.title = "";
    say(line, state);
  }

  /** @param {Disconnected} why */
  lost({ code, reason, retryInMs = 0 }) {
    clearInterval(this.#countdown);
    const [said, wait] = [create("span", ""), create("span", "")];
    // Offline is the reason, whatever failed.
    say(said, "disconnected", { code: navigator.onLine ? code : "offline" });
    this.#line.title = reason;
    wait.ariaHidden = "true"; // not read aloud every second
    this.#line.dataset.state = "disconnected";
    this.#line.removeAttribute("data-word");
    this.#line.replaceChildren(said, wait);
    const until = performance.now() + retryInMs;
    const tick = () => say(wait, "retryIn", { seconds: Math.max(0, Math.ceil((until - performance.now()) / 1000)) });
    tick();
    this.#countdown = setInterval(tick, 1000);
  }

  clear() {
    clearInterval(this.#countdown);
    this.#line.removeAttribute("data-word");
    this.#line.textContent = "";
  }
}
