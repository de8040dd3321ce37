// @ts-check
/** One message, as it is shown. */
import { create, webUrl } from "./dom.js";
import { inWords, say, sayTime } from "./words.js";

/** @import { Message, Profile } from "../chat-client.js" */
/** @typedef {Pick<Message, "type" | "content" | "createTime"> & { id?: number, sender?: Profile }} Shown */

/** @param {Shown} message @param {string} name @param {boolean} isMine */
export function messageLine({ id, type, content, createTime, sender }, name, isMine) {
  const line = create("article", isMine ? "message mine" : "message");
  if (id !== undefined) line.dataset.id = String(id);
  const time = document.createElement("time");
  sayTime(time, new Date(createTime));
  const who = create("b", "name");
  if (isMine) say(who, "you");
  else who.textContent = name;
  const head = create("p", "head", who, " ", time);
  line.append(avatar(name, sender?.headPic), create("div", "bubble", head, body(type, content, name)));
  return line;
}

/** @param {Message["type"]} type @param {string} content @param {string} name */
function body(type, content, name) {
  const url = type === "text" ? null : webUrl(content);
  if (!url) return create("p", "content", content);
  const link = create("a", type === "image" ? "picture" : "content file");
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
    return last || url.host; // a per cent sign that stands for itself
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

/** A message that is on its way. @param {Shown} message @param {() => void} retry */
export function outgoingLine(message, retry) {
  const line = messageLine(message, inWords("you"), true);
  const state = create("p", "state");
  line.querySelector(".bubble")?.append(state);
  return {
    line,
    sending() {
      line.classList.add("sending");
      say(state, "sending");
    },
    sent(/** @type {number} */ id) {
      line.classList.remove("sending");
      line.dataset.id = String(id);
      state.remove();
    },
    failed() {
      line.classList.remove("sending");
      line.classList.add("failed");
      const [notSent, again, away] = [create("span", ""), create("button", ""), create("button", "")];
      say(notSent, "notSent");
      say(again, "retry");
      say(away, "discard");
      again.type = away.type = "button";
      again.addEventListener("click", () => {
        line.classList.remove("failed");
        retry();
      });
      away.addEventListener("click", () => line.remove());
      state.removeAttribute("data-word");
      state.replaceChildren(notSent, " ", again, " ", away);
    },
  };
}

