// @ts-check
/** What moderators do in a room, and what everybody may tell them: choices in a message's menu, and a panel. */
import { ChatError } from "../chat-client.js";
import { question } from "./dialog.js";
import { create, find } from "./dom.js";
import { fillQuote } from "./message.js";
import { label, say, sayTime } from "./words.js";

/** @import { Bar, Barred, Id, Message, Report } from "../chat-client.js" */
/** @import { Choice } from "./menu.js" */
/** @import { RoomView } from "./room-view.js" */

/** How long a mute or a ban may last, in seconds. */
const LASTING = [600, 3_600, 86_400, 604_800, 31_536_000];
/** How often one may write in slow mode, in seconds; 0 is always. */
const PACES = [0, 5, 10, 30, 60, 300];
/** The server's limit for a reason, in characters. */
const REASON_MAX = 500;
/** So often something is asked that comes faster than the server's pace for moderators. */
const TRIES = 10;
/** What is said when it is done. @type {Record<Bar, string>} */
const DONE = { mute: "youMuted", ban: "youBanned", kick: "youKicked", none: "youLifted" };

export class Moderating {
  #button = find("moderate", HTMLButtonElement);
  #panel = find("moderation", HTMLElement);
  #pace = find("slow-mode", HTMLSelectElement);
  #again = find("look-again", HTMLButtonElement);
  #bars = find("bars", HTMLElement);
  #reports = find("reports", HTMLElement);
  #role;
  /** @type {RoomView | undefined} */ #view;
  /** The rows of reported messages, by id. @type {Map<number, HTMLElement>} */ #rows = new Map();

  /** @param {{ mayBar(view: RoomView): boolean, mayRecall(view: RoomView): boolean, isOwner(view: RoomView, id: Id): boolean }} role */
  constructor(role) {
    this.#role = role;
    for (const seconds of PACES) this.#pace.append(this.#option(seconds, "pace"));
    this.#button.addEventListener("click", () => (this.#panel.hidden ? this.#open() : this.close()));
    for (const place of [this.#button, this.#panel]) {
      place.addEventListener("keydown", ({ key }) => {
        if (key !== "Escape" || this.#panel.hidden) return;
        this.close();
        this.#button.focus();
      });
    }
    this.#again.addEventListener("click", () => void this.#load());
    this.#pace.addEventListener("change", () => void this.#tried(async (view) => {
      await paced(() => view.room.slow(Number(this.#pace.value)));
      this.#showPace(view.room.slowSeconds);
    }));
  }

  /** @param {RoomView} view */
  watch(view) {
    // What is shown of a reported message is what the log shows, which hears it first.
    view.room.addEventListener("changed", ({ detail }) => view === this.#view && this.#fill(detail.id), { signal: view.signal });
  }

  /** @param {RoomView | undefined} view */
  show(view) {
    this.#view = view;
    this.close();
    this.update();
  }

  /** One may have become the owner of the room, or is known to be it now. */
  update() {
    this.#button.hidden = !this.#view || !this.#role.mayBar(this.#view);
    if (this.#button.hidden) this.close();
  }

  close() {
    this.#panel.hidden = true;
    this.#button.ariaExpanded = "false";
  }

  /** What can be done with somebody else's message. @param {RoomView} view @param {Message} message @returns {Choice[]} */
  choices(view, { id, senderId }) {
    /** @type {Choice[]} */ const made = [{ word: "report", run: () => void this.#report(view, id) }];
    if (this.#role.mayRecall(view)) made.push({ word: "recall", run: () => void view.recall(id) });
    if (!this.#role.mayBar(view) || this.#role.isOwner(view, senderId)) return made;
    for (const bar of /** @type {const} */ (["mute", "ban"])) made.push({ word: bar, run: () => void this.#ask(view, senderId, bar) });
    // Whoever is in a kept room has a right to come back at once; its owner takes people out among the members.
    if (!view.kept) made.push({ word: "kick", run: () => void this.#bar(view, senderId, "kick") });
    return made;
  }

  #open() {
    this.#panel.hidden = false;
    this.#button.ariaExpanded = "true";
    this.#bars.replaceChildren();
    this.#reports.replaceChildren();
    this.#rows.clear();
    this.#showPace(this.#view?.room.slowSeconds ?? 0);
    void this.#load();
  }

  /** The room's `error` event shows why not. @param {(view: RoomView) => Promise<void>} step @param {RoomView} [view] */
  async #tried(step, view = this.#view) {
    try {
      if (view) await step(view);
    } catch (caught) {
      if (!(caught instanceof ChatError)) throw caught;
    }
  }

  /** For how long? @param {RoomView} view @param {Id} user @param {"mute" | "ban"} bar */
  async #ask(view, user, bar) {
    const field = create("select", "");
    for (const seconds of LASTING) field.append(this.#option(seconds, "lasting"));
    const values = { name: view.nameOf(user) };
    const title = bar === "mute" ? "muteWho" : "banWho";
    if (await question({ title, values, word: "forHowLong", field, action: bar === "mute" ? "muteNow" : "banNow" })) {
      await this.#bar(view, user, bar, Number(field.value));
    }
  }

  /** @param {RoomView} view @param {Id} user @param {Bar} bar @param {number} [seconds] */
  #bar(view, user, bar, seconds) {
    return this.#tried(async () => {
      const { until } = await paced(() => view.room.bar(user, bar, seconds));
      view.note(DONE[bar], { name: view.nameOf(user), until });
      if (view === this.#view && !this.#panel.hidden) await this.#loadBars(view);
    }, view);
  }

  /** @param {RoomView} view @param {number} id */
  async #report(view, id) {
    const message = view.message(id);
    if (!message) return;
    const field = create("textarea", "");
    [field.required, field.rows, field.maxLength, field.dir] = [true, 3, REASON_MAX, "auto"];
    const name = view.nameOf(message.senderId);
    if (!(await question({ title: "reportWhat", values: { name }, word: "reportWhy", field, action: "reportNow" }))) return;
    await this.#tried(async () => {
      await view.room.report(id, field.value.trim());
      view.note("youReported", { name });
    }, view);
  }

  /** Asks who is barred and what was reported: nobody is told. */
  #load() {
    return this.#tried(async (view) => {
      await this.#loadBars(view);
      await this.#loadReports(view, []);
    });
  }

  /** What was reported, behind what is shown. @param {RoomView} view @param {Report[]} shown */
  async #loadReports(view, shown) {
    const { reports, more } = await paced(() => view.room.reports(shown.at(-1)));
    if (this.#view !== view || this.#panel.hidden) return;
    const known = this.#rows.size;
    this.#replace(() => this.#showReports(view, [...shown, ...reports], more));
    // Whoever asked for older ones goes on reading there.
    const rows = [...this.#rows.values()];
    if (shown.length > 0) (rows[known] ?? rows.at(-1))?.querySelector("button")?.focus();
    for (const id of this.#rows.keys()) {
      if (view.message(id)) continue;
      await view.find(id);
      if (this.#view !== view) return;
      this.#fill(id);
    }
  }

  /** @param {RoomView} view */
  async #loadBars(view) {
    const { bars } = await paced(() => view.room.bars());
    if (this.#view !== view || this.#panel.hidden) return;
    this.#showPace(view.room.slowSeconds);
    this.#replace(() => this.#showBars(view, bars));
  }

  /** What was pressed may be gone then; the keyboard stays in the panel. @param {() => void} change */
  #replace(change) {
    const wasInside = this.#panel.contains(document.activeElement);
    change();
    if (wasInside && !this.#panel.contains(document.activeElement)) this.#again.focus();
  }

  /** @param {number} seconds */
  #showPace(seconds) {
    const known = [...this.#pace.options].some(({ value }) => value === String(seconds));
    if (!known) this.#pace.append(this.#option(seconds, "pace"));
    this.#pace.value = String(seconds);
  }

  /** @param {RoomView} view @param {Barred[]} bars */
  #showBars(view, bars) {
    const lines = bars.map(({ user, bar, until }) => {
      view.learn(user.id, user);
      const name = view.nameOf(user.id);
      const [how, lift] = [create("span", "how"), this.#act("lift", () => void this.#bar(view, user.id, "none"))];
      say(how, bar === "mute" ? "muteUntil" : "banUntil", { until });
      label(lift, "liftWho", { name });
      return create("li", "", named(name), " ", how, " ", lift);
    });
    this.#bars.replaceChildren(...(lines.length > 0 ? lines : [nothing("nobodyBarred")]));
  }

  /** A row for each message, with all who reported it. @param {RoomView} view @param {Report[]} reports @param {boolean} [more] */
  #showReports(view, reports, more) {
    this.#rows.clear();
    /** @type {Map<number, Report[]>} */ const byId = new Map();
    for (const report of reports) byId.set(report.id, [...(byId.get(report.id) ?? []), report]);
    for (const [id, about] of byId) {
      const quote = create("button", "quote");
      quote.type = "button";
      quote.addEventListener("click", () => view.around.jump(id));
      const said = about.map(({ user, reason, createTime }) => {
        view.learn(user.id, user);
        const [why, time] = [create("span", "said", reason), document.createElement("time")];
        why.dir = "auto";
        sayTime(time, new Date(createTime));
        return create("p", "reason", named(view.nameOf(user.id)), ": ", why, " ", time);
      });
      this.#rows.set(id, create("li", "", quote, ...said, create("p", "acts")));
      this.#fill(id);
    }
    const rows = [...this.#rows.values()];
    if (more) {
      const older = this.#act("moreReports", () => void this.#tried((view) => this.#loadReports(view, reports)));
      rows.push(create("li", "", older));
    }
    this.#reports.replaceChildren(...(rows.length > 0 ? rows : [nothing("noReports")]));
  }

  /** A reported message as it is now, and what can be done about it. @param {number} id */
  #fill(id) {
    const [row, view] = [this.#rows.get(id), this.#view];
    const [quote, acts] = [row?.querySelector(".quote"), row?.querySelector(".acts")];
    if (!view || !(quote instanceof HTMLElement) || !acts) return;
    const message = view.message(id);
    fillQuote(quote, message, view.around);
    if (!message) return acts.replaceChildren();
    const { senderId, deleted, eraseTime } = message;
    const made = [];
    if (!deleted && !eraseTime && this.#role.mayRecall(view)) made.push(this.#act("recall", () => void view.recall(id)));
    if (!this.#role.isOwner(view, senderId) && !view.around.isMe(senderId)) {
      for (const bar of /** @type {const} */ (["mute", "ban"])) made.push(this.#act(bar, () => void this.#ask(view, senderId, bar)));
    }
    const wasInside = acts.contains(document.activeElement);
    acts.replaceChildren(...made);
    if (wasInside) quote.focus();
  }

  /** @param {string} word @param {() => void} run */
  #act(word, run) {
    const button = create("button", "");
    button.type = "button";
    say(button, word);
    button.addEventListener("click", run);
    return button;
  }

  /** @param {number} seconds @param {string} word */
  #option(seconds, word) {
    const option = create("option", "");
    option.value = String(seconds);
    say(option, word, { seconds });
    return option;
  }
}

/** Waits for the server's pace. @template T @param {() => Promise<T>} ask @returns {Promise<T>} */
async function paced(ask) {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (caught) {
      if (!isPaced(caught) || tries === TRIES) throw caught;
      await new Promise((resolve) => setTimeout(resolve, /** @type {ChatError} */ (caught).retryAfterMs ?? 1_000));
    }
  }
}

/** Whether it was only asked too fast. @param {unknown} error */
export function isPaced(error) {
  return error instanceof ChatError && error.code === "rateLimited" && ["barUser", "slowMode", "listBars", "listReports"].includes(error.action ?? "");
}

/** @param {string} name */
function named(name) {
  const shown = create("b", "name", name);
  shown.dir = "auto";
  return shown;
}

/** @param {string} word */
function nothing(word) {
  const line = create("li", "none");
  say(line, word);
  return line;
}

/**
 * Why a room is gone, in a word and its values.
 * @param {string} reason @param {{ name?: string, id: Id }} room @param {number} [retryAfterMs] @returns {[string, Record<string, unknown>]}
 */
export function whyRemoved(reason, room, retryAfterMs) {
  const word = { ban: "banned", kick: "kicked" }[reason] ?? "removed";
  return [word, { ...room, until: retryAfterMs === undefined ? undefined : Date.now() + retryAfterMs }];
}
