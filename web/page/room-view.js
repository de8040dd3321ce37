// @ts-check
/** What is shown of one room: its log, who came and went, what is on its way, and what has not been seen. */
import { ChatError } from "../chat-client.js";
import { create } from "./dom.js";
import { messageLine, outgoingLine } from "./message.js";
import { inWords, label, say, sayDay } from "./words.js";

/** @import { ChatRoom, Id, Kind, Message, Presence, Profile } from "../chat-client.js" */

/** Messages of one sender within this time stand under one head. */
const GROUP_MS = 5 * 60_000;
/** Nearer to the end than this, one is reading what comes. In pixels. */
const END_PX = 60;
/** Older messages are fetched when the first is this near. */
const AHEAD = "600px";

/** An `EventTarget`: `change` when what is unread, or below, has changed. */
export class RoomView extends EventTarget {
  log = create("div", "log");
  #items = create("div", "items");
  #outgoing = create("div", "outgoing");
  #older = create("button", "older");
  #beginning = create("p", "note");
  #room;
  /** @type {() => Profile} */ #me;
  /** @type {Map<string, string>} */ #names = new Map();
  /** @type {Map<string, { line: HTMLElement, sent(id: number): void }>} */ #pending = new Map();
  /** The oldest and the newest message that stand in the log. @type {Message | null} */ #first = null;
  /** @type {Message | null} */ #last = null;
  #loading = false;
  #isOpen = false;
  #isAtEnd = true;
  /** A log that is not shown forgets where it was. */
  #scrollTop = 0;
  /** Something else came after the newest message, so that the next one needs a head. */
  #isInterrupted = false;
  #sight;
  #resizing;
  #gone = new AbortController();
  unread = 0;

  /** @param {ChatRoom} room @param {() => Profile} me */
  constructor(room, me) {
    super();
    this.#room = room;
    this.#me = me;
    this.log.setAttribute("role", "log");
    this.log.setAttribute("aria-live", "polite");
    this.log.tabIndex = 0;
    this.log.hidden = true;
    label(this.log, "messages", { id: room.id });
    this.#older.type = "button";
    this.#older.hidden = this.#beginning.hidden = true;
    say(this.#older, "older");
    say(this.#beginning, "beginning");
    this.log.append(this.#older, this.#beginning, this.#items, this.#outgoing);

    this.#older.addEventListener("click", () => this.#loadOlder());
    this.log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#sight = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#loadOlder(), {
      root: this.log,
      rootMargin: `${AHEAD} 0px 0px`,
    });
    // A picture that has come, or a keyboard that slid in, must not hide the end.
    this.#resizing = new ResizeObserver(() => this.#keepAtEnd());
    this.#resizing.observe(this.log);

    const { signal } = this;
    document.addEventListener("visibilitychange", () => this.#seen(), { signal });
    room.addEventListener("message", ({ detail }) => this.#append(detail), { signal });
    room.addEventListener("joined", ({ detail }) => this.#came(detail, "joined"), { signal });
    room.addEventListener("left", ({ detail }) => this.#came(detail, "left"), { signal });
  }

  /** Aborted when the room is not shown any more. */
  get signal() {
    return this.#gone.signal;
  }

  get id() {
    return this.#room.id;
  }

  /** Joins, and shows the newest page: it ends where the events begin, so it always goes on top. */
  async enter() {
    await this.#room.join();
    await this.#loadOlder();
  }

  /** The room itself stays with the client, and may be shown again. */
  remove() {
    this.#gone.abort();
    this.#sight.disconnect();
    this.#resizing.disconnect();
    this.log.remove();
  }

  /** @param {boolean} isOpen */
  show(isOpen) {
    if (this.#isOpen) this.#scrollTop = this.log.scrollTop;
    this.#isOpen = isOpen;
    this.log.hidden = !isOpen;
    if (isOpen) this.log.scrollTop = this.#scrollTop;
    this.#keepAtEnd();
    this.#seen();
  }

  scrollToEnd() {
    this.#isAtEnd = true;
    this.#keepAtEnd();
    this.#seen();
  }

  /** Shows it at once, and what becomes of it. @param {Kind} kind @param {string} content */
  send(kind, content) {
    const clientMessageId = newId();
    const message = { type: kind, content, createTime: new Date().toISOString(), sender: this.#me() };
    const outgoing = outgoingLine(message, () => deliver());
    const deliver = async () => {
      outgoing.sending();
      this.#pending.set(clientMessageId, outgoing);
      try {
        const { id } = await this.#hand(kind, content, clientMessageId);
        // Its event may have come before, and have taken its place.
        if (this.#pending.has(clientMessageId)) outgoing.sent(id);
      } catch {
        if (this.#pending.delete(clientMessageId)) outgoing.failed();
      }
    };
    this.#outgoing.append(outgoing.line);
    this.scrollToEnd();
    void deliver();
  }

  /** @param {Kind} kind @param {string} content @param {string} clientMessageId */
  #hand(kind, content, clientMessageId) {
    const options = { clientMessageId };
    if (kind === "image") return this.#room.sendImage(content, options);
    if (kind === "file") return this.#room.sendFile(content, options);
    return this.#room.send(content, options);
  }

  /** @param {Message} message */
  #append(message) {
    this.#settle(message);
    const lines = this.#lines([message], this.#last);
    if (this.#isInterrupted) lines.at(-1)?.classList.remove("continued");
    this.#isInterrupted = false;
    this.#items.append(...lines);
    this.#first ??= message;
    this.#last = message;
    if (!this.#isMine(message)) this.#unseen();
    this.#keepAtEnd();
  }

  /** What was on its way is here. What came by the history does not say which send it was; its id does. @param {Message} message */
  #settle({ id, clientMessageId, senderId }) {
    if (String(senderId) !== String(this.#me().id)) return;
    for (const [pendingId, { line }] of this.#pending) {
      if (pendingId !== clientMessageId && line.dataset.id !== String(id)) continue;
      line.remove();
      this.#pending.delete(pendingId);
    }
  }

  async #loadOlder() {
    if (this.#loading || !this.#room.joined) return;
    this.#loading = true;
    this.#sight.disconnect();
    this.#older.hidden = false;
    say(this.#older, "loading");
    this.#older.ariaDisabled = "true";
    try {
      const { messages, hasOlder } = await this.#room.history({ before: this.#first?.id });
      this.#prepend(messages, hasOlder);
    } catch (caught) {
      // The room's `error` event tells; the button stays, to try again.
      if (!(caught instanceof ChatError)) throw caught;
    }
    say(this.#older, "older");
    this.#older.ariaDisabled = null;
    this.#loading = false;
    if (!this.#older.hidden && this.#first && !this.signal.aborted) this.#sight.observe(this.#older);
  }

  /** What one looks at stays where it is: as far from the end as before. @param {Message[]} messages @param {boolean} hasOlder */
  #prepend(messages, hasOlder) {
    const fromEnd = this.log.scrollHeight - this.log.scrollTop;
    // Not news: it is not read aloud.
    this.log.setAttribute("aria-live", "off");
    this.#older.hidden = !hasOlder;
    this.#beginning.hidden = hasOlder;
    const newest = messages.at(-1);
    if (newest && this.#first) this.#mend(newest, this.#first);
    this.#items.prepend(...this.#lines(messages, null));
    this.#first = messages[0] ?? this.#first;
    this.#last ??= newest ?? null;
    this.log.scrollTop = this.log.scrollHeight - fromEnd;
    this.#keepAtEnd();
    setTimeout(() => this.log.setAttribute("aria-live", "polite"));
  }

  /** The first line was made without knowing what stands before it. @param {Message} before @param {Message} first */
  #mend(before, first) {
    const line = this.#items.querySelector(".message");
    if (dayOf(before) === dayOf(first)) this.#items.querySelector(".day")?.remove();
    line?.classList.toggle("continued", continues(before, first));
  }

  /** @param {Message[]} messages @param {Message | null} before */
  #lines(messages, before) {
    /** @type {HTMLElement[]} */ const lines = [];
    for (const message of messages) {
      const isNewDay = !before || dayOf(before) !== dayOf(message);
      if (isNewDay) lines.push(dayLine(message));
      const line = messageLine(message, this.#name(message.senderId, message.sender), this.#isMine(message));
      line.classList.toggle("continued", before !== null && !isNewDay && continues(before, message));
      lines.push(line);
      before = message;
    }
    return lines;
  }

  /** @param {Presence} presence @param {"joined" | "left"} word */
  #came({ userId, user }, word) {
    const line = create("p", "note");
    say(line, word, { name: this.#name(userId, user) });
    this.#isInterrupted = true;
    this.#items.append(line);
    this.#keepAtEnd();
  }

  /** Those who leave come without a profile, so names are remembered. @param {Id} id @param {Profile} [profile] */
  #name(id, profile) {
    const name = profile?.nickName || profile?.username;
    if (name) this.#names.set(String(id), name);
    return this.#names.get(String(id)) ?? inWords("user", { id });
  }

  /** @param {Message} message */
  #isMine({ senderId }) {
    return String(senderId) === String(this.#me().id);
  }

  #scrolled() {
    if (!this.#isOpen) return;
    this.#isAtEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < END_PX;
    if (this.#isAtEnd) this.#seen();
  }

  #unseen() {
    if (this.#isOpen && this.#isAtEnd && !document.hidden) return;
    this.unread += 1;
    this.dispatchEvent(new Event("change"));
  }

  #seen() {
    if (this.unread === 0 || !this.#isOpen || !this.#isAtEnd || document.hidden) return;
    this.unread = 0;
    this.dispatchEvent(new Event("change"));
  }

  #keepAtEnd() {
    if (this.#isOpen && this.#isAtEnd) this.log.scrollTop = this.log.scrollHeight;
  }
}

/** @param {Message} before @param {Message} message */
function continues(before, message) {
  const pause = Date.parse(message.createTime) - Date.parse(before.createTime);
  return String(before.senderId) === String(message.senderId) && pause < GROUP_MS;
}

/** @param {Message} message */
function dayOf({ createTime }) {
  return new Date(createTime).toDateString();
}

/** @param {Message} message */
function dayLine({ createTime }) {
  const day = document.createElement("time");
  sayDay(day, new Date(createTime));
  return create("p", "note day", day);
}

/** `crypto.randomUUID` exists on secure origins only. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
