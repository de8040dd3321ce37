// @ts-check
/** The line of one message. */
import { colour } from "./colour.js";
import { create, webUrl } from "./dom.js";
import { linked } from "./links.js";
import { marked, meansMe } from "./mentions.js";
import { inWords, label, say, sayTime } from "./words.js";

/** @import { Id, Message, Profile } from "../chat-client.js" */
/** With a `file` as long as it is on its way. @typedef {Omit<Message, "id" | "sender" | "chatroomId"> & { id?: number, sender?: Profile, file?: Chosen }} Shown */
/** What one chose to send, and where the browser has it. @typedef {{ name: string, url: string }} Chosen */
/**
 * What a line asks its room, and what it tells it.
 * @typedef {object} Around
 * @property {(id: Id) => string} name
 * @property {(id: Id) => boolean} isMe
 * @property {(ids: Id[]) => void} meet Asks for names that a text has and nobody has told.
 * @property {(id: number) => Message | undefined} original
 * @property {(id: number) => void} jump
 * @property {(id: number, emoji: string, on: boolean) => void} react
 * @property {(id: number) => Promise<string | undefined>} renew Gives a file's address anew.
 * @property {(change: () => void) => void} still Makes a change, and what the reader looks at stays in place.
 */

/** @param {Shown} message @param {string} name @param {boolean} isMine @param {Around} around */
export function messageLine(message, name, isMine, around) {
  const { id, createTime, sender } = message;
  const line = create("article", isMine ? "message mine" : "message");
  if (id !== undefined) line.dataset.id = String(id);
  colour(line, message.senderId);
  line.tabIndex = -1;
  const time = document.createElement("time");
  sayTime(time, new Date(createTime));
  const who = create("b", "name");
  if (isMine) {
    say(who, "you");
  } else {
    who.textContent = name;
    who.dir = "auto";
  }
  const head = create("p", "head", who, " ", time);
  const bubble = create("div", "bubble", head, ...parts(message, name, around));
  line.append(avatar(name, sender?.headPic), bubble);
  return line;
}

/** All that a change may change. @param {Shown} message @param {string} name @param {Around} around */
function parts(message, name, around) {
  const { eraseTime, deleted, deletedBy = message.senderId, version, replyTo } = message;
  if (deleted) return [around.isMe(deletedBy) ? gone("youRecalled") : gone("recalled", { name: around.name(deletedBy) })];
  if (eraseTime) return [gone("erased")];
  /** @type {HTMLElement[]} */ const made = [];
  if (replyTo !== undefined) made.push(quote(replyTo, around));
  if (meansMe(message.mentions, around.isMe) && !around.isMe(message.senderId)) {
    const meant = create("p", "meant visually-hidden");
    say(meant, "mentionsYou");
    made.push(meant);
  }
  made.push(body(message, name, around));
  if (version) {
    const mark = create("p", "edited");
    say(mark, "edited");
    made.push(mark);
  }
  const row = reactionsRow(message, around);
  return row ? [...made, row] : made;
}

/** What stands where content was. @param {string} word @param {Record<string, unknown>} [values] */
function gone(word, values) {
  const text = create("p", "content erased");
  say(text, word, values);
  return text;
}

/** The message's new state, in the line that it has. @param {HTMLElement} line @param {Message} message @param {string} name @param {Around} around */
export function changeLine(line, message, name, around) {
  const bubble = line.querySelector(".bubble");
  const head = bubble?.querySelector(".head");
  const more = bubble?.querySelector(".more");
  if (!bubble || !head) return;
  const wasInside = bubble.contains(document.activeElement);
  bubble.replaceChildren(head, ...parts(message, name, around), ...(more && !message.deleted ? [more] : []));
  if (wasInside && !bubble.contains(document.activeElement)) line.focus();
}

/** Only the reactions, so that the one that was pressed keeps the focus. @param {HTMLElement} line @param {Message} message @param {Around} around */
export function reactLine(line, message, around) {
  const before = line.querySelector(".reactions");
  const after = message.deleted ? null : reactionsRow(message, around);
  const pressed = before?.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.emoji : null;
  if (before && after) before.replaceWith(after);
  else if (before) before.remove();
  else if (after) line.querySelector(".bubble")?.append(after);
  if (!pressed) return;
  const same = [...(after?.querySelectorAll("button") ?? [])].find(({ dataset }) => dataset.emoji === pressed);
  (same ?? line).focus();
}

/** Null if there is none. @param {Shown} message @param {Around} around */
function reactionsRow({ id, reactions = {} }, around) {
  const emojis = Object.entries(reactions).filter(([, users]) => users.length > 0);
  if (emojis.length === 0 || id === undefined) return null;
  const row = create("ul", "reactions");
  label(row, "reactions");
  for (const [emoji, users] of emojis) {
    const isMine = users.some((user) => around.isMe(user));
    const button = create("button", isMine ? "reaction own" : "reaction", emoji, " ", String(users.length));
    button.type = "button";
    button.dataset.emoji = emoji;
    button.ariaPressed = String(isMine);
    label(button, "reacted", { emoji, names: users.map((user) => (around.isMe(user) ? inWords("you") : around.name(user))) });
    button.title = users.map((user) => around.name(user)).join(", ");
    button.addEventListener("click", () => around.react(id, emoji, !isMine));
    row.append(create("li", "", button));
  }
  return row;
}

/** @param {number} id @param {Around} around */
function quote(id, around) {
  const button = create("button", "quote");
  button.type = "button";
  button.dataset.quotes = String(id);
  button.addEventListener("click", () => around.jump(id));
  fillQuote(button, around.original(id), around);
  return button;
}

/** @param {HTMLElement} button @param {Message | undefined} original @param {Around} around */
export function fillQuote(button, original, around) {
  const [who, said] = [create("b", "name"), create("span", "said")];
  if (original) {
    who.textContent = around.name(original.senderId);
    colour(button, original.senderId);
  }
  who.dir = said.dir = "auto";
  sayFirstLine(said, original, around);
  button.replaceChildren(who, " ", said);
}

/** What a message says, in one line. @param {HTMLElement} element @param {Message | undefined} message @param {Around} around */
export function sayFirstLine(element, message, around) {
  if (!message) return say(element, "earlier");
  const { type, content, deleted, deletedBy = message.senderId, eraseTime } = message;
  if (deleted) return around.isMe(deletedBy) ? say(element, "youRecalled") : say(element, "recalled", { name: around.name(deletedBy) });
  if (eraseTime) return say(element, "erased");
  if (type !== "text") return say(element, type);
  element.removeAttribute("data-word");
  element.textContent = content.trim().split("\n")[0];
}

/** @param {Shown} message @param {string} name @param {Around} around */
function body({ id, type, content, attachment, file, mentions = [] }, name, around) {
  if (file) {
    const shown = create("p", type === "image" ? "picture" : "content file", type === "image" ? image(file.url, name) : file.name);
    shown.dir = "auto";
    if (type === "image") whenBroken(shown, around);
    return shown;
  }
  const url = type === "text" ? null : webUrl(content);
  if (!url) {
    const { parts, isWhole } = marked(content, mentions, around);
    const text = create("p", "content", ...parts.flatMap((part) => (typeof part === "string" && type === "text" ? linked(part) : part)));
    text.dir = "auto";
    if (!isWhole) {
      text.dataset.unmet = "";
      around.meet(mentions);
    }
    return text;
  }
  const link = create("a", type === "image" ? "picture" : "content file");
  link.dir = "auto";
  link.href = url.href;
  link.rel = "noopener noreferrer";
  link.target = "_blank";
  if (type === "image") link.append(image(url.href, name));
  // Where the server keeps its files is nobody's concern.
  else link.append(fileName(url), ...(attachment ? [] : [create("span", "host", url.host)]));
  const renewed = attachment && id !== undefined ? keepFresh(link, () => around.renew(id)) : undefined;
  if (type === "image") whenBroken(link, around, renewed);
  return link;
}

/** @param {string} url @param {string} name */
function image(url, name) {
  const image = create("img", "");
  image.loading = "lazy";
  image.alt = inWords("pictureOf", { name });
  image.src = url;
  return image;
}

/**
 * A picture that cannot be loaded is small and says so.
 * @param {HTMLElement} place @param {Around} around @param {() => Promise<boolean>} [renew] Whether it is worth another try.
 */
function whenBroken(place, around, renew = async () => false) {
  const shown = place.querySelector("img");
  let isRenewed = false;
  shown?.addEventListener("error", async () => {
    if (!isRenewed) {
      isRenewed = true;
      if (await renew()) return;
    }
    const words = create("span", "");
    say(words, "brokenPicture");
    around.still(() => {
      place.classList.add("broken");
      shown.replaceWith(words);
    });
  });
}

/** An address of a file ends. A link gets a new one when it is followed. Returns a way to get one before. @param {HTMLAnchorElement} link @param {() => Promise<string | undefined>} renew */
function keepFresh(link, renew) {
  const shown = link.querySelector("img");
  async function again() {
    const url = webUrl(await renew());
    if (!url) return false;
    link.href = url.href;
    if (shown) shown.src = url.href;
    return true;
  }
  let isNew = false;
  link.addEventListener("click", async (event) => {
    if (isNew || !isOver(new URL(link.href))) return void (isNew = false);
    event.preventDefault();
    // This machine's clock may be wrong, so a new address is taken whatever it says.
    isNew = await again();
    if (isNew) link.click();
  });
  return again;
}

/** Whether a signed address has ended, by what it says itself. @param {URL} url */
function isOver({ searchParams }) {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(searchParams.get("X-Amz-Date") ?? "") ?? [];
  const [year, month, day, ...time] = parts.map(Number);
  const from = Date.UTC(year, month - 1, day, ...time);
  return Date.now() >= from + 1_000 * Number(searchParams.get("X-Amz-Expires"));
}

/** @param {URL} url */
function fileName(url) {
  const last = url.pathname.split("/").at(-1);
  try {
    return decodeURIComponent(last ?? "") || url.host;
  } catch {
    return last || url.host; // a per cent sign that escapes nothing
  }
}

/** @param {string} name @param {string | null} [headPic] */
function avatar(name, headPic) {
  const initial = create("span", "avatar", [...name][0]?.toUpperCase() ?? "");
  initial.ariaHidden = "true";
  const url = webUrl(headPic);
  if (!url) return initial;
  const picture = create("img", "avatar");
  picture.loading = "lazy";
  picture.alt = "";
  picture.addEventListener("error", () => picture.replaceWith(initial));
  picture.src = url.href;
  return picture;
}

/** The parts of a line that may change when the server's message arrives. */
const PARTS = [".avatar", "time", ".content, .picture"];

/**
 * A message that is on its way. Its line stays in place when the message arrives. A moved or new line would jump, and
 * a screen reader would read it twice.
 * @param {Shown} message @param {string} name @param {{ retry(): void, rewrite(): void, discard(): void }} choices @param {Around} around
 */
export function outgoingLine(message, name, { retry, rewrite, discard }, around) {
  const line = messageLine(message, name, true, around);
  const state = create("p", "");
  line.querySelector(".bubble")?.append(state);
  return {
    line,
    /** How much of a file is there, and a way to stop it. @param {() => void} cancel */
    uploading(cancel) {
      line.classList.remove("failed");
      line.classList.add("sending");
      const [bar, stop] = [document.createElement("progress"), create("button", "")];
      label(bar, "uploading");
      bar.max = 1;
      bar.value = 0;
      say(stop, "cancel");
      stop.type = "button";
      stop.addEventListener("click", cancel);
      state.className = "state";
      state.removeAttribute("data-word");
      state.replaceChildren(bar, " ", stop);
      return (/** @type {number} */ done) => void (bar.value = done);
    },
    sending() {
      line.classList.remove("failed");
      line.classList.add("sending");
      // Shown by the line's edge, which takes no space.
      state.className = "visually-hidden";
      say(state, "sending");
    },
    sent(/** @type {number} */ id) {
      line.classList.remove("sending", "failed");
      line.dataset.id = String(id);
      state.remove();
    },
    /** @param {Message} message @param {string} name */
    arrived(message, name) {
      this.sent(message.id);
      // It changed on the way.
      if (message.version || message.reactionVersion) changeLine(line, message, name, around);
      const made = messageLine(message, name, true, around);
      for (const part of PARTS) {
        const [shown, told] = [line, made].map((whole) => whole.querySelector(part));
        if (shown && told && shown.outerHTML !== told.outerHTML) shown.replaceWith(told);
      }
    },
    /** @param {string} [code] Why, if it is to be said. @param {string} [reason] Somebody's own words for it: what was said must be said differently. */
    failed(code, reason) {
      line.classList.remove("sending");
      line.classList.add("failed");
      const [notSent, again, away] = [create("span", ""), create("button", ""), create("button", "")];
      if (reason) say(notSent, "rejected", { reason });
      else if (code === "unknown") say(notSent, "maybeSent");
      else if (code) say(notSent, "notSaved", { code });
      else say(notSent, "notSent");
      const isText = message.type === "text";
      say(again, reason && isText ? "edit" : "retry");
      say(away, "discard");
      again.type = away.type = "button";
      again.addEventListener("click", reason && isText ? rewrite : retry);
      away.addEventListener("click", discard);
      state.className = "state";
      state.removeAttribute("data-word");
      state.replaceChildren(notSent, " ", again, " ", away);
    },
  };
}
