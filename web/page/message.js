// @ts-check
/** The line of one message. */
import { create, webUrl } from "./dom.js";
import { inWords, say, sayTime } from "./words.js";

/** @import { Message, Profile } from "../chat-client.js" */
/** @typedef {Pick<Message, "type" | "content" | "createTime" | "eraseTime"> & { id?: number, sender?: Profile }} Shown */

/** @param {Shown} message @param {string} name @param {boolean} isMine */
export function messageLine({ id, type, content, createTime, eraseTime, sender }, name, isMine) {
  const line = create("article", isMine ? "message mine" : "message");
  if (id !== undefined) line.dataset.id = String(id);
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
  line.append(avatar(name, sender?.headPic), create("div", "bubble", head, eraseTime ? erased() : body(type, content, name)));
  return line;
}

function erased() {
  const text = create("p", "content erased");
  say(text, "erased");
  return text;
}

/** @param {Message["type"]} type @param {string} content @param {string} name */
function body(type, content, name) {
  const url = type === "text" ? null : webUrl(content);
  if (!url) {
    const text = create("p", "content", content);
    text.dir = "auto";
    return text;
  }
  const link = create("a", type === "image" ? "picture" : "content file");
  link.dir = "auto";
  link.href = url.href;
  link.rel = "noopener noreferrer";
  link.target = "_blank";
  link.append(...(type === "image" ? [image(url, name)] : [fileName(url), create("span", "host", url.host)]));
  return link;
}

/** @param {URL} url @param {string} name */
function image(url, name) {
  const image = create("img", "");
  image.loading = "lazy";
  image.alt = inWords("pictureOf", { name });
  image.src = url.href;
  return image;
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
 * @param {Shown} message @param {string} name @param {{ retry(): void, discard(): void }} choices
 */
export function outgoingLine(message, name, { retry, discard }) {
  const line = messageLine(message, name, true);
  const state = create("p", "");
  line.querySelector(".bubble")?.append(state);
  return {
    line,
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
    /** @param {Shown & { id: number }} message @param {string} name */
    arrived(message, name) {
      this.sent(message.id);
      const made = messageLine(message, name, true);
      for (const part of PARTS) {
        const [shown, told] = [line, made].map((whole) => whole.querySelector(part));
        if (shown && told && shown.outerHTML !== told.outerHTML) shown.replaceWith(told);
      }
    },
    failed() {
      line.classList.remove("sending");
      line.classList.add("failed");
      const [notSent, again, away] = [create("span", ""), create("button", ""), create("button", "")];
      say(notSent, "notSent");
      say(again, "retry");
      say(away, "discard");
      again.type = away.type = "button";
      again.addEventListener("click", retry);
      away.addEventListener("click", discard);
      state.className = "state";
      state.removeAttribute("data-word");
      state.replaceChildren(notSent, " ", again, " ", away);
    },
  };
}
