// @ts-check
/** Whether one may write: the text box, or until when there is none, and what slow mode lets one do. */
import { create, find } from "./dom.js";
import { say } from "./words.js";

/** @import { RoomView } from "./room-view.js" */

/** A shorter wait is the server's usual pace, of which nobody needs to know. */
const WORTH_SAYING_MS = 1_000;

export class Writing {
  #composer;
  #text;
  #barred = find("barred", HTMLElement);
  #until = create("p", "");
  #again = create("button", "");
  #slow = find("slow", HTMLElement);
  #pace = create("span", "");
  #next = create("span", "");
  /** @type {(view: RoomView) => boolean} */ #isFree;
  /** @type {RoomView | undefined} */ #view;
  /** Where one tries to write all the same: nobody is told that a mute was lifted. @type {WeakSet<RoomView>} */ #trying = new WeakSet();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {HTMLElement} composer @param {HTMLElement} text @param {(view: RoomView) => boolean} isFree Whether slow mode is for others. */
  constructor(composer, text, isFree) {
    this.#composer = composer;
    this.#text = text;
    this.#isFree = isFree;
    this.#again.type = "button";
    say(this.#again, "tryWriting");
    this.#again.addEventListener("click", () => {
      if (this.#view) this.#trying.add(this.#view);
      this.#look();
    });
    this.#barred.append(this.#until, this.#again);
    // Not read aloud every second.
    this.#next.ariaHidden = "true";
    this.#slow.append(this.#pace, " ", this.#next);
  }

  /** @param {RoomView} view */
  watch(view) {
    const { room, signal } = view;
    room.addEventListener("barred", () => {
      this.#trying.delete(view);
      if (view === this.#view) this.#look();
    }, { signal });
    room.addEventListener("slow", () => view === this.#view && this.#look(), { signal });
  }

  /** @param {RoomView | undefined} view */
  show(view) {
    this.#view = view;
    this.#look();
  }

  get isBarred() {
    return this.#composer.hidden;
  }

  /** How long one's next message has to wait. */
  get waitMs() {
    const view = this.#view;
    if (!view || this.#isFree(view)) return 0;
    const { slowSeconds, slowForMs } = view.room;
    return slowSeconds > 0 || slowForMs >= WORTH_SAYING_MS ? slowForMs : 0;
  }

  #look() {
    clearTimeout(this.#timer);
    const view = this.#view;
    const mutedMs = view && !this.#trying.has(view) ? view.room.mutedForMs : 0;
    const isMuted = mutedMs > 0;
    const [wasWriting, wasWaiting] = [this.#composer, this.#barred].map((place) => place.contains(document.activeElement));
    this.#composer.hidden = !view || isMuted;
    this.#barred.hidden = !isMuted;
    if (isMuted) say(this.#until, "mutedUntil", { until: Date.now() + mutedMs });
    if (wasWriting && isMuted) this.#again.focus();
    if (wasWaiting && !isMuted) this.#text.focus();
    this.#count(isMuted);
  }

  /** @param {boolean} isMuted */
  #count(isMuted) {
    const { waitMs } = this;
    const seconds = this.#view?.room.slowSeconds ?? 0;
    this.#slow.hidden = isMuted || (seconds === 0 && waitMs === 0);
    if (seconds > 0) say(this.#pace, "slowEvery", { seconds });
    else say(this.#pace, "slowed");
    this.#next.hidden = waitMs === 0;
    say(this.#next, "slowNext", { ms: waitMs });
    if (waitMs > 0) this.#timer = setTimeout(() => this.#look(), waitMs % 1_000 || 1_000);
  }
}
