// @ts-check
/** Who is in a room and who is here: how many, their names, and what the owner of a group may do about it. */
import { create, find } from "./dom.js";
import { memberLines } from "./members.js";
import { toId } from "./way.js";
import { say } from "./words.js";

/** @import { ChatClient, Id, Kept, KeptInfo, KeptRoom } from "../chat-client.js" */
/** @import { Room, RoomView } from "./room-view.js" */
/** @typedef {{ view: RoomView, listed?: KeptRoom, info?: KeptInfo }} Entry */
/**
 * What the page does for it.
 * @typedef {object} Page
 * @property {() => ChatClient<typeof Kept> | null} client
 * @property {() => string} open The id of the room that is open.
 * @property {(id: string) => Entry | undefined} entry
 * @property {(id: string) => void} told Who is in a kept room is known now.
 * @property {(id: string) => void} quit One is not in it any more.
 */

export class People {
  #here = find("here", HTMLButtonElement);
  #panel = find("people", HTMLElement);
  #list = find("people-list", HTMLElement);
  #invite = find("invite", HTMLFormElement);
  #whom = find("invite-user", HTMLInputElement);
  #quit = find("quit", HTMLButtonElement);
  #page;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    this.#here.addEventListener("click", () => (this.#panel.hidden ? this.#open() : this.close()));
    for (const place of [this.#here, this.#panel]) place.addEventListener("keydown", (event) => this.#key(event));
    this.#invite.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#ask();
    });
    this.#quit.addEventListener("click", () => void this.#leave());
    this.#quit.addEventListener("blur", () => say(this.#quit, "quit"));
  }

  close() {
    this.#panel.hidden = true;
    this.#here.ariaExpanded = "false";
  }

  /** How many are there, where anybody says it. @param {string} id */
  show(id) {
    if (id !== this.#page.open()) return;
    const { view, listed, info } = this.#page.entry(id) ?? {};
    const room = view?.room;
    this.#here.hidden = !room || (countOf(room) === 0 && !listed);
    if (this.#here.hidden || !room) return this.close();
    if (listed) say(this.#here, "membersHere", { members: info?.users.length ?? listed.userCount, count: countOf(room) });
    else say(this.#here, "here", { count: countOf(room), more: !room.quiet && room.onlineMore });
    if (!this.#panel.hidden && listed) this.#listMembers(id);
    else if (!this.#panel.hidden) this.#listHere();
  }

  /** Asks who is in a kept room, whether here or not. @param {string} id */
  async load(id) {
    const entry = this.#page.entry(id);
    this.#listMembers(id);
    // The client's `error` event shows why there are none.
    const info = await this.#page.client()?.info(id).catch(() => undefined);
    if (!entry || !info || this.#page.entry(id) !== entry) return;
    entry.info = info;
    for (const user of info.users) entry.view.learn(user.id, user);
    this.show(id);
    this.#page.told(id);
  }

  #open() {
    const id = this.#page.open();
    const entry = this.#page.entry(id);
    this.#panel.hidden = false;
    this.#here.ariaExpanded = "true";
    if (!entry) return;
    if (entry.listed) return void this.load(id);
    this.#listHere();
    const { room } = entry.view;
    // Names that nobody has told yet. The room's `error` event shows why there are none.
    if (room.quiet || [...room.online.values()].includes(null)) void room.members().catch(() => {});
  }

  /** @param {KeyboardEvent} event */
  #key({ key }) {
    if (key !== "Escape" || this.#panel.hidden) return;
    this.close();
    this.#here.focus();
  }

  async #ask() {
    const [id, user] = [this.#page.open(), this.#whom.value.trim()];
    const client = this.#page.client();
    if (!client || !user) return;
    try {
      await client.invite(id, toId(user));
      this.#whom.value = "";
      await this.load(id);
    } catch {
      // The client's `error` event shows why.
    }
  }

  async #leave() {
    const id = this.#page.open();
    // Nobody comes back by themselves, so it is asked once more.
    if (this.#quit.dataset.word !== "quitSure") return say(this.#quit, "quitSure");
    try {
      await this.#page.client()?.quit(id);
      this.#page.quit(id);
    } catch {
      // The client's `error` event shows why.
    }
  }

  /** @param {string} id */
  #listMembers(id) {
    const entry = this.#page.entry(id);
    if (id !== this.#page.open() || !entry) return;
    this.#invite.hidden = !entry.listed?.type;
    const takeOut = async (/** @type {Id} */ user) => {
      // The client's `error` event shows why not.
      await this.#page.client()?.quit(id, user).catch(() => {});
      await this.load(id);
      this.#list.focus();
    };
    const { view, info } = entry;
    this.#list.replaceChildren(...(info ? memberLines(info, view.room, view.around.isMe, takeOut) : []));
  }

  #listHere() {
    const view = this.#page.entry(this.#page.open())?.view;
    if (!view) return;
    this.#invite.hidden = true;
    const lines = [...view.room.online].map(([id, profile]) => {
      const line = create("li", "name", profile?.nickName || profile?.username || view.nameOf(id));
      line.dir = "auto";
      return line;
    });
    const others = countOf(view.room) - view.room.online.size;
    if (others > 0) {
      const line = create("li", "");
      say(line, "others", { count: others });
      lines.push(line);
    }
    this.#list.replaceChildren(...lines);
  }
}

/** How many are there. In a room so large that nobody is told who comes and goes, its rounds say it. @param {Room} room */
function countOf(room) {
  return room.quiet ? (room.memberCount ?? 0) : room.onlineCount;
}
