// @ts-check
/** The view of one room: the log, joins and leaves, messages on their way, what changes, and what is unread. */
import { ChatError, applyChange } from "../chat-client.js";
import { changed, create } from "./dom.js";
import { changeLine, fillQuote, messageLine, outgoingLine, reactLine } from "./message.js";
import { meansMe } from "./mentions.js";
import { together } from "./together.js";
import { inWords, label, say, sayDay } from "./words.js";

/** @import { Change, Changes, Id, Kind, Message, Moderation, Online, Presence, Profile, Reaction, Reactions, Reads, RoomWith, Rounds, Signals, Uploads } from "../chat-client.js" */
/** @import { Unsent } from "./device.js" */
/** @import { Mention } from "./mentions.js" */
/** @import { Around, Shown } from "./message.js" */
/** @typedef {RoomWith<typeof Changes | typeof Reactions | typeof Online | typeof Rounds | typeof Signals | typeof Reads | typeof Uploads | typeof Moderation>} Room */
/** A room that the server keeps for its members: their coming and going online is no news, and what they read is marked. @typedef {{ name: string, isPair: boolean }} KeptAs */

/** Messages of one sender within this time stand under one head. */
const GROUP_MS = 5 * 60_000;
/** Nearer to the end than this, the reader follows new messages. In pixels. */
const END_PX = 60;
/** So many lines are in the log at most; of more, those far from the reader go, until so many are left. */
const [LINES_MAX, LINES_KEPT] = [600, 400];
/** Newer messages are fetched when the last line is this near. In pixels. */
const NEWER_PX = 600;
/** The server's largest page. */
const PAGE_MAX = 100;
/** So many pages are read on the way to a message. If it is farther away, the log begins anew around it. */
const PAGES_BACK = 4;
/** So many messages after one that is far away are shown with it. */
const AROUND = 25;
/** So many messages are known of a room at most, to be found again. */
const KNOWN_MAX = 5_000;
/** A search reads so many pages further back at a time. */
const SEARCH_PAGES = 5;
/** The server knows a `clientMessageId` for 24 hours; an hour of them is for clocks that are wrong. In milliseconds. */
const RESUME_MS = 23 * 60 * 60_000;
/** Older messages are fetched when the first one is this near. In pixels. */
const AHEAD = "600px";
/** A file that is shown where it stands, before the server says so. */
const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/;

/** @typedef {ReturnType<typeof outgoingLine> & { clientMessageId: string, message: Said, stop: AbortController }} Outgoing */
/** @typedef {Pick<Message, "senderId" | "createTime"> & Pick<Shown, "file">} Said */

/**
 * An `EventTarget`: `change` when there is more or less unread, or below the visible part; `news` with a sentence for those
 * who do not see what changed; `again` with what its author recalled, or what was rejected, and is wanted back; `known`
 * when there is more to find; `missing` when one was led to a message that is not there; `unsent` with a message that has
 * to survive a reload, and `settled` with the `clientMessageId` of one that has not any more.
 */
export class RoomView extends EventTarget {
  log = create("div", "log");
  #items = create("div", "items");
  #older = create("button", "older");
  #beginning = create("p", "note");
  #room;
  /** @type {() => Profile} */ #me;
  /** @type {Map<string, string>} */ #names = new Map();
  /** Messages that have not arrived yet, or were not sent: at the end of the log, in this order. @type {Outgoing[]} */ #outgoing = [];
  /** What the lines show, or showed, by id. Messages that are only quoted are in it, too. @type {Map<number, Message>} */ #said = new Map();
  /** What others answered, and is read, one after the other. @type {Set<number>} */ #sought = new Set();
  #seeking = Promise.resolve();
  /** What a line needs to know. @type {Around} */ #around;
  /** The oldest and the newest message in the log. @type {Message | null} */ #first = null;
  /** @type {Message | null} */ #last = null;
  /** What came in this task, and is shown together. @type {Message[]} */ #arrived = [];
  /** Where the log ends, and the newest message, when the reader is so far up that newer ones are not in the log. @type {{ end: number, newest: number } | null} */
  #behind = null;
  /** Another one after lines were taken out: a page that was on its way does not fit any more. */
  #cut = {};
  /** From which message on all are known; 0 if the room's first one is. @type {number | null} */ #knownFrom = null;
  #loading = false;
  #loadingNewer = false;
  #isOpen = false;
  #wasAtEnd = true;
  /** How high the log was when its height changed last. In pixels. */
  #height = 0;
  /** A hidden log loses its scroll position, so it is kept here. */
  #scrollTop = 0;
  /** Whether another line came after the newest message: then the next message needs a head. */
  #isInterrupted = false;
  /** @type {KeptAs | undefined} */ #kept;
  /** From which message on it was new when the reader last came, if anything was. @type {number | null} */ #newFrom = null;
  /** Whether the newest page was read. */
  #hasBegun = false;
  /** Whether the reader is still to be led there. */
  #isToBeLed = false;
  /** Up to where the other one of a pair has read. */
  #readUpTo = 0;
  #receipt = create("p", "receipt");
  #newLine = create("p", "note new");
  #sight;
  #resizing;
  #gone = new AbortController();
  /** Who got a name since the lines were looked at that lack one. @type {Set<string>} */ #named = new Set();
  #nameLater = together(() => this.#markAgain());
  #hasAsked = false;
  /** Up to which message one is mentioned in what is unread; 0 if one is not. */
  #mentionedAt = 0;
  unread = 0;

  /** @param {Room} room @param {() => Profile} me @param {KeptAs} [kept] */
  constructor(room, me, kept) {
    super();
    this.#room = room;
    this.#me = me;
    this.#kept = kept;
    this.#around = {
      name: (id) => this.nameOf(id),
      isMe: (id) => String(id) === String(this.#me().id),
      meet: (ids) => void this.#askNames(ids),
      original: (id) => this.#original(id),
      jump: (id) => void this.#jump(id),
      // The room's `error` event shows it.
      react: (id, emoji, on) => void this.#room.react(id, emoji, on).catch(() => {}),
      renew: (id) => this.#renew(id),
      still: (change) => this.#still(change),
    };
    this.log.setAttribute("role", "log");
    this.log.setAttribute("aria-live", "polite");
    this.log.tabIndex = 0;
    this.log.hidden = true;
    if (kept) label(this.log, "messagesOf", { name: kept.name });
    else label(this.log, "messages", { id: room.id });
    say(this.#newLine, "newMessages");
    say(this.#receipt, "read");
    this.#older.type = "button";
    this.#older.hidden = this.#beginning.hidden = true;
    say(this.#older, "older");
    say(this.#beginning, "beginning");
    this.log.append(this.#older, this.#beginning, this.#items);

    this.#older.addEventListener("click", () => this.#loadOlder());
    this.log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#sight = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#loadOlder(), {
      root: this.log,
      rootMargin: `${AHEAD} 0px 0px`,
    });
    // A picture that has loaded, or a keyboard that slid in, must not hide the end.
    this.#resizing = new ResizeObserver(() => {
      this.#height = this.log.clientHeight;
      this.#keepAtEnd();
    });
    this.#resizing.observe(this.log);

    const { signal } = this;
    document.addEventListener("visibilitychange", () => this.#seen(), { signal });
    const show = together(() => this.#showArrived());
    room.addEventListener("message", ({ detail }) => {
      this.#arrived.push(detail);
      show();
    }, { signal });
    if (kept) {
      room.addEventListener("read", ({ detail }) => this.#read(detail.userId, detail.id), { signal });
      this.count();
    }
    room.addEventListener("joined", ({ detail }) => this.#came(detail, "joined"), { signal });
    room.addEventListener("left", ({ detail }) => this.#came(detail, "left"), { signal });
    room.addEventListener("changed", ({ detail }) => this.#changed(detail), { signal });
    room.addEventListener("reaction", ({ detail }) => this.#reacted(detail), { signal });
    room.addEventListener("stale", () => void this.#reload(), { signal });
  }

  /** Aborted when the view is removed. */
  get signal() {
    return this.#gone.signal;
  }

  get id() {
    return this.#room.id;
  }

  get room() {
    return this.#room;
  }

  get around() {
    return this.#around;
  }

  get kept() {
    return this.#kept;
  }

  /** By id, in the order in which they were heard of. @returns {ReadonlyMap<string, string>} */
  get names() {
    return this.#names;
  }

  /** Whether something unread means oneself. */
  get isMentioned() {
    return this.unread > 0 && this.#mentionedAt > 0;
  }

  /** A name that was heard here. @param {Id} id */
  knownName(id) {
    return this.#names.get(String(id));
  }

  /** A name that was heard elsewhere. @param {Id} id @param {Profile} profile */
  learn(id, profile) {
    this.#name(id, profile);
  }

  /** Whether there is nothing below what is seen. */
  get isAtEnd() {
    return this.#isAtEnd && !this.#behind;
  }

  get #isAtEnd() {
    return this.#wasAtEnd;
  }

  set #isAtEnd(isAtEnd) {
    if (isAtEnd === this.#wasAtEnd) return;
    this.#wasAtEnd = isAtEnd;
    this.dispatchEvent(new Event("change"));
  }

  /** How many messages are not sent yet. */
  get unsent() {
    return this.#outgoing.length;
  }

  /** All messages that were read here and that still say something, the newest first. */
  known() {
    const all = [...this.#said.values()].filter(({ deleted, eraseTime }) => !deleted && !eraseTime);
    return all.sort((one, other) => other.id - one.id);
  }

  /** Whether there is more to find than is known. */
  get hasUnknown() {
    return this.#knownFrom !== 0 && this.#said.size < KNOWN_MAX;
  }

  /** Reads further back, to find something. Nothing of it is shown. */
  async readBack() {
    for (let page = 0; page < SEARCH_PAGES && this.hasUnknown && !this.signal.aborted; page++) {
      const before = this.#knownFrom ?? (this.#last ? this.#last.id + 1 : undefined);
      const { messages, hasOlder } = await this.#room.history({ before, limit: PAGE_MAX });
      for (const message of messages) {
        if (!this.#said.has(message.id)) this.#said.set(message.id, message);
        this.#name(message.senderId, message.sender);
      }
      this.#know(messages, hasOlder, before);
      this.dispatchEvent(new Event("known"));
    }
  }

  /** @param {Message[]} messages A page without a gap. @param {boolean} hasOlder @param {number} [before] */
  #know(messages, hasOlder, before = Infinity) {
    // What is far above leaves a gap between.
    if (before < (this.#knownFrom ?? 0)) return;
    const from = hasOlder && messages.length > 0 ? messages[0].id : 0;
    this.#knownFrom = Math.min(this.#knownFrom ?? Infinity, from);
  }

  /** What is shown of a message. @param {number} id */
  message(id) {
    return this.#said.get(id);
  }

  /** @param {number} id */
  lineOf(id) {
    return /** @type {HTMLElement | null} */ (this.#items.querySelector(`[data-id="${id}"]`));
  }

  /**
   * Joins and shows the newest page. The page ends where the events begin, so it always goes on top. A kept room may be one of
   * many, so its page is read when it is shown.
   */
  async enter() {
    await this.#room.join();
    if (this.#kept) {
      // What was said between the list and the join was told by neither; the join's answer counts it.
      this.#showArrived();
      this.count();
    }
    if (!this.#kept || this.#isOpen) await this.#begin();
  }

  async #begin() {
    if (!this.#hasBegun) await this.#loadOlder();
    if (this.#kept?.isPair && this.#isOpen) {
      // A server of before knows none, and the room's `error` event says what else is wrong.
      const reads = await this.#room.reads().catch(() => new Map());
      for (const [userId, id] of reads) this.#read(userId, id);
    }
  }

  /** The client keeps the room, which may be shown again. */
  remove() {
    this.#gone.abort();
    if (this.#kept) this.#room.autoRead = false;
    this.#sight.disconnect();
    this.#resizing.disconnect();
    this.log.remove();
  }

  /** @param {boolean} isOpen */
  show(isOpen) {
    if (this.#isOpen) this.#scrollTop = this.log.scrollTop;
    const wasOpen = this.#isOpen;
    this.#isOpen = isOpen;
    this.log.hidden = !isOpen;
    if (isOpen) this.log.scrollTop = this.#scrollTop;
    if (wasOpen && !isOpen && this.unread === 0) this.#showNew(null);
    if (!wasOpen && isOpen && this.#newFrom !== null) {
      this.#isToBeLed = true;
      this.#isAtEnd = false;
      this.#lead();
    }
    this.#keepAtEnd();
    this.#seen();
    this.#mark();
  }

  scrollToEnd() {
    if (this.#behind) return void this.#startAtEnd();
    this.#isAtEnd = true;
    this.#isToBeLed = false;
    this.#keepAtEnd();
    this.#seen();
    this.#mark();
  }

  /**
   * Shows the message at once, and then whether it was sent.
   * @param {Kind} type @param {string} content @param {number} [replyTo] @param {Mention[]} [mentions]
   */
  send(type, content, replyTo, mentions) {
    this.#begun({ type, content, replyTo, mentions });
  }

  /** Shows a file at once, then how much of it is there, and then that it was sent. @param {File} file @param {number} [replyTo] */
  upload(file, replyTo) {
    this.#begun({ type: PICTURE.test(file.type) ? "image" : "file", content: file.name, replyTo, file });
  }

  /** @param {Pick<Unsent, "type" | "content" | "replyTo" | "mentions" | "file">} what */
  #begun(what) {
    this.#showNew(null);
    this.#post({ ...what, clientMessageId: newId(), room: String(this.id), createTime: new Date().toISOString() });
    this.scrollToEnd();
  }

  /** Sends what a window that is gone did not, as the same message. @param {Unsent[]} left */
  resume(left) {
    const known = new Set(this.#outgoing.map(({ clientMessageId }) => clientMessageId));
    for (const unsent of left) if (!known.has(unsent.clientMessageId)) this.#post(unsent);
    this.#keepAtEnd();
  }

  /** @param {Unsent} unsent */
  #post(unsent) {
    const { clientMessageId, type, content, replyTo, createTime, file } = unsent;
    // After a reload nobody may have told the names yet.
    for (const one of unsent.mentions ?? []) if (!this.knownName(one.id)) this.#names.set(String(one.id), one.name);
    const mentions = unsent.mentions?.map(({ id }) => id);
    const sender = this.#me();
    const name = this.#names.get(String(sender.id)) ?? this.#name(sender.id, sender);
    const shown = file && { name: file.name, url: URL.createObjectURL(file) };
    const message = { type, content, replyTo, mentions, file: shown, createTime, senderId: sender.id, sender };
    const retry = () => void this.#deliver(outgoing, unsent);
    const discard = () => this.#drop(outgoing);
    const rewrite = () => {
      discard();
      this.#again(content, unsent.mentions);
    };
    const line = outgoingLine(message, name, { retry, rewrite, discard }, this.#around);
    /** @type {Outgoing} */ const outgoing = { ...line, clientMessageId, message, stop: new AbortController() };
    this.#outgoing.push(outgoing);
    this.#items.append(outgoing.line);
    this.#arrange();
    // The server does not know it any more, so it could be stored twice.
    const isOld = Date.now() - Date.parse(createTime) > RESUME_MS;
    if (isOld || unsent.failed) outgoing.failed(isOld ? "unknown" : undefined);
    else retry();
  }

  /** Drops what was not sent: one has left. */
  discard() {
    for (const outgoing of [...this.#outgoing]) this.#drop(outgoing);
  }

  /** @param {Outgoing} outgoing @param {Unsent} unsent */
  async #deliver(outgoing, unsent) {
    const tell = (/** @type {boolean} */ failed) => this.dispatchEvent(new CustomEvent("unsent", { detail: { ...unsent, failed } }));
    tell(false);
    try {
      const { id } = await this.#hand(outgoing, unsent);
      if (!this.#outgoing.includes(outgoing)) return; // its event came first
      // It was stored before this retry, so it stands where it belongs, further up perhaps than the log begins.
      if (this.lineOf(id) || (this.#last?.id ?? 0) > id) return this.#drop(outgoing);
      outgoing.sent(id);
      this.#settled(unsent.clientMessageId);
    } catch (caught) {
      if (!this.#outgoing.includes(outgoing)) return;
      const { code, action, message } = /** @type {ChatError} */ (caught);
      if (code === "cancelled") return this.#drop(outgoing);
      // Whoever is let in again sends it again.
      if (code !== "disconnected") tell(true);
      const isSaid = action === "createUpload" || code === "barred" || code === "unknown";
      outgoing.failed(isSaid ? code : undefined, code === "rejected" ? message : undefined);
      this.#keepAtEnd();
    }
  }

  /** @param {Outgoing} outgoing @param {Unsent} unsent */
  #hand(outgoing, { type, content, clientMessageId, replyTo, mentions, file }) {
    const { stop } = outgoing;
    const options = { clientMessageId, replyTo, mentions: mentions?.map(({ id }) => id) };
    if (file) return this.#room.upload(file, { ...options, signal: stop.signal, onProgress: outgoing.uploading(() => stop.abort()) });
    outgoing.sending();
    if (type === "image") return this.#room.sendImage(content, options);
    if (type === "file") return this.#room.sendFile(content, options);
    return this.#room.send(content, options);
  }

  /** @param {string} clientMessageId */
  #settled(clientMessageId) {
    this.dispatchEvent(new CustomEvent("settled", { detail: clientMessageId }));
  }

  /** A message, which is read if it is not known here. @param {number} id */
  async find(id) {
    const known = this.#said.get(id);
    if (known) return known;
    const { messages } = await this.#room.history({ before: id + 1, limit: 1 });
    const found = messages.find((message) => message.id === id);
    if (!found) return undefined;
    this.#said.set(id, found);
    this.#name(found.senderId, found.sender);
    return found;
  }

  /** A line that nobody else sees. @param {string} word @param {Record<string, unknown>} values */
  note(word, values) {
    this.#showArrived();
    // It is in no history, so it would not be read where it belongs.
    if (this.#behind || this.signal.aborted) return;
    const line = create("p", "note");
    say(line, word, values);
    this.#isInterrupted = true;
    this.#place(line);
    this.#arrange();
    if (this.#isAtEnd) this.#cutTop();
    this.#keepAtEnd();
  }

  /** Marks the message until the edit is stored. @param {number} id @param {string} content */
  async edit(id, content) {
    const line = this.lineOf(id);
    line?.classList.add("sending");
    try {
      await this.#room.edit(id, content);
    } finally {
      line?.classList.remove("sending");
    }
  }

  /** @param {number} id */
  async recall(id) {
    const line = this.lineOf(id);
    line?.classList.add("sending");
    // The room's `error` event shows why not.
    await this.#room.remove(id).catch(() => {});
    line?.classList.remove("sending");
  }

  /** Once for all that a frame brought. */
  #showArrived() {
    const messages = this.#arrived.splice(0);
    if (messages.length === 0 || this.signal.aborted) return;
    for (const message of messages) {
      if (!this.#behind && !this.#isAtEnd && this.#last && this.#items.childElementCount >= LINES_MAX) {
        this.#behind = { end: this.#last.id, newest: this.#last.id };
      }
      if (this.#behind) this.#behind.newest = message.id;
      else this.#append(message);
    }
    this.#arrange();
    if (this.#isAtEnd) this.#cutTop();
    this.#unseen(messages.filter((message) => !this.#isMine(message)));
    this.#keepAtEnd();
  }

  /** @param {Message} message */
  #append(message) {
    this.#said.set(message.id, message);
    const outgoing = this.#outgoing.find((outgoing) => this.#isSame(outgoing, message));
    const name = this.#name(message.senderId, message.sender);
    const line = outgoing?.line ?? messageLine(message, name, this.#isMine(message), this.#around);
    if (outgoing) {
      outgoing.arrived(message, name);
      // The ones before it were not sent; they stay below.
      if (outgoing !== this.#outgoing[0]) {
        this.unannounced(() => {
          dayOver(line)?.remove();
          this.#place(line);
        });
      }
      this.#outgoing = this.#outgoing.filter((other) => other !== outgoing);
      this.#settled(outgoing.clientMessageId);
      forget(outgoing.message);
    } else {
      this.#place(line);
    }
    this.#fit(line, message, this.#last, this.#isInterrupted);
    this.#isInterrupted = false;
    this.#first ??= message;
    this.#last = message;
  }

  /** Takes the oldest lines out where there are too many, and keeps what the reader looks at in place. */
  #cutTop() {
    if (this.#items.childElementCount <= LINES_MAX) return;
    const fromEnd = this.#fromEnd;
    this.#take(this.#arrivedLines().slice(0, -LINES_KEPT));
    const line = this.#arrivedLines().find(({ dataset }) => dataset.id);
    this.#first = this.#said.get(Number(line?.dataset.id)) ?? null;
    this.unannounced(() => line && this.#first && this.#fit(line, this.#first, null, false));
    this.#older.hidden = false;
    this.#beginning.hidden = true;
    if (!this.#loading) this.#watchTop();
    this.log.scrollTop = this.log.scrollHeight - this.log.clientHeight - fromEnd;
  }

  /** The same with the newest lines, when the reader is far above them. */
  #cutEnd() {
    if (this.#items.childElementCount <= LINES_MAX || this.#isAtEnd || !this.#last) return;
    const { newest } = this.#behind ?? { newest: this.#last.id };
    this.#take(this.#arrivedLines().slice(LINES_KEPT));
    const line = this.#arrivedLines().findLast(({ dataset }) => dataset.id);
    this.#last = this.#said.get(Number(line?.dataset.id)) ?? this.#last;
    this.#behind = { end: this.#last.id, newest };
    this.#isInterrupted = false;
    this.#arrange();
  }

  /** All lines but those of messages on their way. */
  #arrivedLines() {
    const own = new Set(this.#outgoing.flatMap(({ line }) => [line, dayOver(line)]));
    return /** @type {HTMLElement[]} */ ([...this.#items.children]).filter((line) => !own.has(line));
  }

  /** @param {HTMLElement[]} lines */
  #take(lines) {
    this.#cut = {};
    const isFocused = lines.some((line) => line.contains(document.activeElement));
    this.unannounced(() => lines.forEach((line) => line.remove()));
    if (isFocused) this.log.focus({ preventScroll: true });
    if (this.#said.size > KNOWN_MAX) this.#forgetOldest();
  }

  /** What is shown or quoted, by id. */
  #shownIds() {
    const shown = /** @type {NodeListOf<HTMLElement>} */ (this.#items.querySelectorAll("[data-id], [data-quotes]"));
    return new Set([...shown].flatMap(({ dataset: { id, quotes } }) => [Number(id), Number(quotes)]));
  }

  /** What is shown or quoted stays, since it may change. */
  #forgetOldest() {
    const needed = this.#shownIds();
    const ids = [...this.#said.keys()].sort((one, other) => one - other);
    for (const id of ids.slice(0, ids.length - KNOWN_MAX / 2)) {
      if (needed.has(id)) continue;
      this.#said.delete(id);
      this.#sought.delete(id);
      if (this.#knownFrom !== null && id >= this.#knownFrom) this.#knownFrom = id + 1;
    }
  }

  /** Reads on where the log ends, while the reader is near. */
  async #loadNewer() {
    if (this.#loadingNewer) return;
    this.#loadingNewer = true;
    try {
      while (this.#behind && this.#room.joined && !this.signal.aborted && this.#fromEnd < NEWER_PX) {
        const [{ end }, cut] = [this.#behind, this.#cut];
        // No more ids than a page has messages, so nothing between is missing.
        const { messages } = await this.#room.history({ before: end + PAGE_MAX + 1, limit: PAGE_MAX });
        if (cut === this.#cut) this.#readOn(messages, end + PAGE_MAX);
      }
    } catch (caught) {
      // The room's `error` event shows it; the next scroll tries again.
      if (!(caught instanceof ChatError)) throw caught;
    } finally {
      this.#loadingNewer = false;
    }
  }

  /** @param {Message[]} messages @param {number} end */
  #readOn(messages, end) {
    const behind = this.#behind;
    if (!behind) return;
    this.unannounced(() => {
      for (const message of messages) {
        // What is newer than the newest is still to come by itself.
        if (message.id <= behind.end || message.id > behind.newest) continue;
        this.#append(message);
      }
    });
    behind.end = end;
    if (behind.end >= behind.newest) this.#behind = null;
    this.#arrange();
    this.#cutTop();
    this.#scrolled();
  }

  /** The log begins anew with the newest page: what is between may be thousands. */
  async #startAtEnd() {
    const newest = this.#behind?.newest;
    if (newest === undefined || this.#loadingNewer) return;
    this.#loadingNewer = true;
    try {
      const { messages, hasOlder } = await this.#room.history({ before: newest + 1 });
      if (!this.#behind || this.signal.aborted) return;
      this.#begins(messages, hasOlder, newest, this.#behind.newest);
      this.log.scrollTop = this.log.scrollHeight;
    } catch (caught) {
      if (!(caught instanceof ChatError)) throw caught;
      return;
    } finally {
      this.#loadingNewer = false;
    }
    // Somebody may have spoken meanwhile.
    await this.#loadNewer();
    if (!this.#behind) this.scrollToEnd();
    this.#watchTop();
  }

  /** A message from the history does not say which send it was; its id does. @param {Outgoing} outgoing @param {Message} message */
  #isSame({ clientMessageId, line }, message) {
    if (!this.#isMine(message)) return false;
    return message.clientMessageId === clientMessageId || line.dataset.id === String(message.id);
  }

  /** Puts a line after all that has arrived and before what is on its way. @param {HTMLElement} line */
  #place(line) {
    const next = this.#outgoing[0]?.line ?? null;
    this.#items.insertBefore(line, next && (dayOver(next) ?? next));
  }

  /** Lines on their way get their final day and head, so that nothing moves when they arrive. */
  #arrange() {
    let [before, isInterrupted] = [/** @type {Said | null} */ (this.#last), this.#isInterrupted];
    for (const { line, message } of this.#outgoing) {
      this.#fit(line, message, before, isInterrupted);
      [before, isInterrupted] = [message, false];
    }
  }

  /**
   * Sets a line's day, if it is the first of the day, and whether it needs a head.
   * @param {HTMLElement} line @param {Said} message @param {Said | null} before @param {boolean} isInterrupted
   */
  #fit(line, message, before, isInterrupted) {
    const isNewDay = !before || dayOf(before) !== dayOf(message);
    const day = dayOver(line);
    if (isNewDay && !day) line.before(dayLine(message));
    if (!isNewDay) day?.remove();
    line.classList.toggle("continued", before !== null && !isNewDay && !isInterrupted && continues(before, message));
  }

  /** @param {Outgoing} outgoing */
  #drop(outgoing) {
    dayOver(outgoing.line)?.remove();
    outgoing.line.remove();
    this.#outgoing = this.#outgoing.filter((other) => other !== outgoing);
    this.#settled(outgoing.clientMessageId);
    forget(outgoing.message);
    this.#arrange();
  }

  /** Makes a change that a screen reader does not read aloud: old lines, or lines that move. @param {() => void} change */
  unannounced(change) {
    this.log.setAttribute("aria-live", "off");
    change();
    setTimeout(() => this.log.setAttribute("aria-live", "polite"));
  }

  /** Makes a change that nobody asked for: what the reader looks at stays in place. @param {() => void} change */
  #still(change) {
    const edge = this.log.getBoundingClientRect().top;
    // A day stays at the edge, whatever moves.
    const lines = this.#isOpen && !this.#isAtEnd ? [...this.#items.querySelectorAll(".message")] : [];
    const line = lines.find((line) => line.getBoundingClientRect().bottom > edge);
    const before = line?.getBoundingClientRect().top ?? 0;
    this.unannounced(change);
    if (line?.isConnected) this.log.scrollTop += line.getBoundingClientRect().top - before;
    this.#keepAtEnd();
  }

  async #loadOlder() {
    if (this.#loading || !this.#room.joined) return;
    this.#loading = true;
    const cut = this.#cut;
    this.#sight.disconnect();
    this.#older.hidden = false;
    say(this.#older, "loading");
    this.#older.ariaDisabled = "true";
    try {
      const before = this.#first?.id ?? (this.#last ? this.#last.id + 1 : undefined);
      const { messages, hasOlder } = await this.#room.history({ before });
      this.#know(messages, hasOlder, before);
      if (cut === this.#cut) this.#prepend(messages, hasOlder);
    } catch (caught) {
      // The room's `error` event shows it; the button stays, to try again.
      if (!(caught instanceof ChatError)) throw caught;
    }
    say(this.#older, "older");
    this.#older.ariaDisabled = null;
    this.#loading = false;
    this.#watchTop();
  }

  /** Anew: an observer tells what it sees when it begins, and then what changes. */
  #watchTop() {
    this.#sight.disconnect();
    if (!this.#older.hidden && this.#first && !this.signal.aborted) this.#sight.observe(this.#older);
  }

  /** Keeps what the reader looks at in place: as far from the end as before. @param {Message[]} messages @param {boolean} hasOlder */
  #prepend(messages, hasOlder) {
    const fromEnd = this.log.scrollHeight - this.log.scrollTop;
    this.#hasBegun = true;
    this.unannounced(() => {
      // What was sent again after a reload is in the history already, further up perhaps than this page.
      const newest = messages.at(-1);
      const isTold = (/** @type {Outgoing} */ own) => Number(own.line.dataset.id) <= (newest?.id ?? 0);
      for (const own of this.#outgoing.filter((own) => isTold(own) || messages.some((message) => this.#isSame(own, message)))) this.#drop(own);
      this.#older.hidden = !hasOlder;
      this.#beginning.hidden = hasOlder;
      if (newest && this.#first) this.#mend(newest, this.#first);
      this.#items.prepend(...this.#lines(messages, null));
      this.#first = messages[0] ?? this.#first;
      this.#last ??= newest ?? null;
      this.#arrange();
    });
    this.log.scrollTop = this.log.scrollHeight - fromEnd;
    this.#showNew();
    this.#lead();
    this.#cutEnd();
    this.#keepAtEnd();
    this.#confirm();
  }

  /** Corrects the first line, now that the line before it is known. @param {Message} before @param {Message} first */
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
      this.#said.set(message.id, message);
      const line = messageLine(message, this.#name(message.senderId, message.sender), this.#isMine(message), this.#around);
      line.classList.toggle("continued", before !== null && !isNewDay && continues(before, message));
      lines.push(line);
      before = message;
    }
    return lines;
  }

  /** @param {Change} change */
  #changed(change) {
    this.#showArrived();
    const before = this.#said.get(change.id);
    if (!before) return;
    const after = applyChange(before, change);
    this.#show(after);
    if (after.deletedBy !== undefined) void this.#meet(after.deletedBy, after.id);
    if (after.deleted && this.#around.isMe(after.deletedBy ?? "") && this.#isMine(after) && before.type === "text") this.#offer(before);
    if (this.#isMine(after) && !after.deleted) return;
    const name = this.nameOf(after.deletedBy ?? after.senderId);
    if (after.deleted) this.#tell("recalled", { name });
    else this.#tell("newsEdited", { name, text: after.content });
  }

  /** A moderator may have recalled it who never said anything: names are asked for. @param {Id} by @param {number} id */
  async #meet(by, id) {
    if (this.knownName(by) || this.#room.online.get(by) !== null) return;
    // The room's `error` event shows why not.
    await this.#room.members().catch(() => {});
    const message = this.#said.get(id);
    if (message && this.#room.online.get(by)) this.#show(message);
  }

  /** What one took back may be written anew, as long as the page knows it. @param {Message} before */
  #offer({ id, content, mentions = [] }) {
    const again = create("button", "again");
    again.type = "button";
    say(again, "writeAgain");
    again.addEventListener("click", () => {
      again.remove();
      this.#again(content, mentions.map((user) => ({ id: user, name: this.nameOf(user) })));
    });
    this.unannounced(() => this.lineOf(id)?.querySelector(".bubble")?.append(again));
  }

  /** @param {string} content @param {Mention[]} [mentions] */
  #again(content, mentions = []) {
    this.dispatchEvent(new CustomEvent("again", { detail: { content, mentions } }));
  }

  /** @param {Reaction} reaction */
  #reacted({ id, reactions, reactionVersion, userId, emoji, on }) {
    this.#showArrived();
    const before = this.#said.get(id);
    if (!before) return;
    const after = { ...before, reactions, reactionVersion };
    this.#said.set(id, after);
    const line = this.lineOf(id);
    if (line) this.#still(() => reactLine(line, after, this.#around));
    const isOwn = userId === undefined || this.#around.isMe(userId);
    if (on && !isOwn) this.#tell("newsReacted", { name: this.nameOf(userId), emoji, text: after.content });
  }

  /** A message's new state, in its line and wherever it is quoted. @param {Message} message */
  #show(message) {
    this.#said.set(message.id, message);
    const line = this.lineOf(message.id);
    this.#still(() => {
      if (line) changeLine(line, message, this.nameOf(message.senderId), this.#around);
      this.#requote(message.id);
    });
  }

  /** @param {number} id */
  #requote(id) {
    for (const quote of this.#items.querySelectorAll(`[data-quotes="${id}"]`)) {
      fillQuote(/** @type {HTMLElement} */ (quote), this.#said.get(id), this.#around);
    }
  }

  /** Too much has changed: what is shown is read again, and what is not is forgotten. */
  async #reload() {
    const [first, last] = [this.#first?.id ?? 0, this.#last?.id];
    if (last === undefined) return;
    const shown = this.#shownIds();
    for (const id of this.#said.keys()) if (!shown.has(id)) this.#said.delete(id);
    this.#knownFrom = first;
    try {
      for (let before = last + 1; this.#first && before > this.#first.id; ) {
        const { messages, hasOlder } = await this.#room.history({ before, limit: 100 });
        for (const message of messages) if (this.#said.has(message.id)) this.#show(message);
        if (!hasOlder || messages.length === 0) return;
        before = messages[0].id;
      }
    } catch (caught) {
      if (!(caught instanceof ChatError)) throw caught;
    }
  }

  /** A sentence for those who do not see it. @param {string} word @param {Record<string, unknown>} values */
  #tell(word, values) {
    if (this.#isOpen) this.dispatchEvent(new CustomEvent("news", { detail: { word, values } }));
  }

  /** The message that another answers; if it is not known here, it is read. @param {number} id */
  #original(id) {
    const known = this.#said.get(id);
    if (!known && !this.#sought.has(id) && this.#room.joined) {
      this.#sought.add(id);
      this.#seeking = this.#seeking.then(() => this.#seek(id));
    }
    return known;
  }

  /** @param {number} id */
  async #seek(id) {
    try {
      // An older page may have brought it meanwhile.
      const { messages } = this.#said.has(id) ? { messages: [] } : await this.#room.history({ before: id + 1, limit: 1 });
      const found = messages.find((message) => message.id === id);
      if (found) {
        this.#said.set(id, found);
        this.#name(found.senderId, found.sender);
      }
      this.unannounced(() => this.#requote(id));
    } catch (caught) {
      this.#sought.delete(id);
      if (!(caught instanceof ChatError)) throw caught;
    }
  }

  /** Leads to a message as soon as it is there: it may be on its way, or the room's newest page is. @param {number} id */
  async leadTo(id) {
    if (this.#behind) this.scrollToEnd();
    while (!this.lineOf(id) && !(this.#last && this.#last.id > id)) await changed(this.#items);
    await this.#jump(id);
  }

  /** Leads to a message, and reads the pages on the way to it. @param {number} id */
  async #jump(id) {
    for (let page = 0; page < PAGES_BACK && !this.lineOf(id) && this.#isAbove(id); page++) {
      const before = this.#first?.id;
      await this.#loadOlder();
      if (this.#first?.id === before) break;
    }
    // It may be below what is in the log, too.
    if (!this.lineOf(id)) await this.#startAround(id);
    const line = this.lineOf(id);
    if (!line) return void this.dispatchEvent(new Event("missing"));
    this.#isAtEnd = this.#isToBeLed = false;
    line.focus({ preventScroll: true });
    line.scrollIntoView({ block: "center" });
    this.#scrolled();
    line.classList.remove("found");
    requestAnimationFrame(() => line.classList.add("found"));
  }

  /** Whether a few pages lead to it. @param {number} id */
  #isAbove(id) {
    return this.#first !== null && id < this.#first.id && this.#first.id - id <= PAGES_BACK * PAGE_MAX;
  }

  /** The log begins anew around a message, and is read on from there. @param {number} id */
  async #startAround(id) {
    const newest = this.#behind?.newest ?? this.#last?.id;
    if (newest === undefined || id > newest || !this.#room.joined) return;
    const end = Math.min(id + AROUND, newest);
    try {
      const { messages, hasOlder } = await this.#room.history({ before: end + 1, limit: 2 * AROUND });
      if (this.signal.aborted || !messages.some((message) => message.id === id)) return;
      this.#isAtEnd = false;
      this.#begins(messages, hasOlder, end, Math.max(newest, this.#behind?.newest ?? this.#last?.id ?? 0));
      this.#watchTop();
    } catch (caught) {
      // The room's `error` event shows it.
      if (!(caught instanceof ChatError)) throw caught;
    }
  }

  /** Shows these messages, and none before them. @param {Message[]} messages @param {boolean} hasOlder @param {number} end @param {number} newest */
  #begins(messages, hasOlder, end, newest) {
    this.#take(this.#arrivedLines());
    this.#first = this.#last = null;
    this.#isInterrupted = false;
    this.#behind = { end: 0, newest };
    this.#readOn(messages, end);
    this.#older.hidden = !hasOlder;
    this.#beginning.hidden = hasOlder;
  }

  /** @param {Presence} presence @param {"joined" | "left"} word */
  #came({ userId, user }, word) {
    const name = this.#name(userId, user);
    if (!this.#kept) this.note(word, { name });
  }

  /** @param {Id} id */
  nameOf(id) {
    const own = this.#around.isMe(id) ? this.#me() : undefined;
    return this.#names.get(String(id)) ?? this.#name(id, this.#room.online.get(id) ?? own);
  }

  /** Remembers names: a leave has no profile. @param {Id} id @param {Profile} [profile] */
  #name(id, profile) {
    const name = profile?.nickName || profile?.username;
    if (name && this.knownName(id) !== name) {
      this.#names.set(String(id), name);
      this.#named.add(String(id));
      this.#nameLater();
    }
    return this.#names.get(String(id)) ?? inWords("user", { id });
  }

  /** Marks mentions under names that were not known before. */
  #markAgain() {
    const lines = /** @type {HTMLElement[]} */ ([...this.#items.querySelectorAll(".message:has([data-unmet])")]);
    for (const { dataset } of lines) {
      const message = this.#said.get(Number(dataset.id));
      if (message?.mentions?.some((id) => this.#named.has(String(id)))) this.#show(message);
    }
    this.#named.clear();
  }

  /** Whoever came before oneself told nobody's name. It is asked for once. @param {Id[]} ids */
  async #askNames(ids) {
    if (this.#hasAsked || !ids.some((id) => this.#room.online.get(id) === null && !this.knownName(id))) return;
    this.#hasAsked = true;
    // The room's `error` event shows why not.
    for (const profile of await this.#room.members().catch(() => [])) this.#name(profile.id, profile);
  }

  /** @param {Message} message */
  #isMine({ senderId }) {
    return String(senderId) === String(this.#me().id);
  }

  #scrolled() {
    if (!this.#isOpen || this.#isToBeLed) return;
    // A panel was opened since, which is not the reader's doing.
    if (this.#isAtEnd && this.log.clientHeight !== this.#height) return this.#keepAtEnd();
    this.#isAtEnd = !this.#behind && this.#fromEnd < END_PX;
    if (this.#isAtEnd) this.#seen();
    else if (this.#behind && this.#fromEnd < NEWER_PX) void this.#loadNewer();
    this.#mark();
  }

  get #fromEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight;
  }

  /** @param {Message[]} messages Others'. */
  #unseen(messages) {
    this.#confirm();
    if (messages.length === 0 || (this.#isOpen && this.#isAtEnd && !document.hidden)) return;
    if (this.unread === 0) this.#showNew(messages[0].id);
    this.unread += messages.length;
    this.#mentionedAt = messages.findLast(({ mentions }) => meansMe(mentions, this.#around.isMe))?.id ?? this.#mentionedAt;
    this.dispatchEvent(new Event("change"));
  }

  /** Puts the line over what is new: from this message on, or from the one before. @param {number | null} [from] */
  #showNew(from = this.#newFrom) {
    this.#newFrom = from;
    const lines = /** @type {HTMLElement[]} */ ([...this.#items.querySelectorAll("[data-id]")]);
    const line = from === null ? undefined : lines.find(({ dataset }) => Number(dataset.id) >= from);
    // What is new may begin further up than the log does.
    const isWhole = line && (line !== lines[0] || !this.#beginning.hidden || Number(line.dataset.id) === from);
    const at = isWhole ? (dayOver(line) ?? line) : null;
    if (at ? at.previousElementSibling === this.#newLine : !this.#newLine.isConnected) return;
    this.unannounced(() => {
      if (at) at.before(this.#newLine);
      else this.#newLine.remove();
    });
  }

  /** To what is new, when there is more of it than fits. */
  #lead() {
    if (!this.#isToBeLed || !this.#isOpen || !this.#hasBegun) return;
    this.#isToBeLed = false;
    if (this.#newLine.isConnected) this.#newLine.scrollIntoView({ block: "start" });
    else this.log.scrollTop = this.log.scrollHeight;
    this.#scrolled();
  }

  /** Marks what comes as long as its reader is at the end. */
  #mark() {
    if (!this.#kept || this.signal.aborted) return;
    const isRead = this.#isOpen && this.#isAtEnd;
    if (isRead === (this.#room.autoRead !== false)) return;
    this.#room.autoRead = isRead ? "tell" : false;
  }

  /** As much is unread as the inbox says. It knows that one is mentioned, and not where. @param {boolean} [isMentioned] */
  count(isMentioned) {
    const { unread = 0, lastRead = 0 } = this.#room;
    if (this.#isOpen && this.#isAtEnd && !document.hidden) return;
    if (unread > 0 && this.unread === 0) this.#showNew(lastRead + 1);
    this.unread = unread;
    if (isMentioned) this.#mentionedAt = Math.max(this.#mentionedAt, lastRead + unread);
    if (unread === 0 || this.#mentionedAt <= lastRead) this.#mentionedAt = 0;
    this.dispatchEvent(new Event("change"));
  }

  /** Somebody has read up to there, or oneself on another device. @param {Id} userId @param {number} id */
  #read(userId, id) {
    if (this.#around.isMe(userId)) return this.count();
    this.#readUpTo = Math.max(this.#readUpTo, id);
    this.#confirm();
  }

  /** Says under one's last message that the other one of a pair has read it. */
  #confirm() {
    if (!this.#kept?.isPair) return;
    const own = /** @type {HTMLElement | undefined} */ ([...this.#items.querySelectorAll(".mine[data-id]")].at(-1));
    const bubble = own && Number(own.dataset.id) <= this.#readUpTo ? own.querySelector(".bubble") : null;
    if (this.#receipt.parentElement === bubble) return;
    this.unannounced(() => {
      this.#receipt.remove();
      bubble?.append(this.#receipt);
    });
    this.#keepAtEnd();
  }

  /** @param {number} id */
  async #renew(id) {
    const found = await this.#room.renew(id).catch(() => undefined);
    if (found && this.#said.has(id)) this.#said.set(id, found);
    return found?.content;
  }

  #seen() {
    if (this.unread === 0 || !this.#isOpen || !this.#isAtEnd || document.hidden) return;
    this.unread = this.#mentionedAt = 0;
    this.dispatchEvent(new Event("change"));
  }

  #keepAtEnd() {
    if (this.#isOpen && this.#isAtEnd) this.log.scrollTop = this.log.scrollHeight;
  }
}

/** @param {Said} before @param {Said} message */
function continues(before, message) {
  const pause = Date.parse(message.createTime) - Date.parse(before.createTime);
  return String(before.senderId) === String(message.senderId) && pause < GROUP_MS;
}

/** @param {Said} message */
function dayOf({ createTime }) {
  return new Date(createTime).toDateString();
}

/** The day above a line. @param {HTMLElement} line */
function dayOver({ previousElementSibling: day }) {
  return day?.classList.contains("day") ? day : null;
}

/** @param {Said} message */
function dayLine({ createTime }) {
  const day = document.createElement("time");
  sayDay(day, new Date(createTime));
  return create("p", "note day", day);
}

/** The browser keeps a file for as long as it has an address. @param {{ file?: { url: string } }} message */
function forget({ file }) {
  if (file) URL.revokeObjectURL(file.url);
}

/** `crypto.randomUUID` exists on secure origins only. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
