// @ts-check
/** The page. What is said over the wire is in `chat-client.js`. */
import { ChatClient } from "./chat-client.js";

/** @import { Id, Kind, Message, Presence, Profile, Status, ChatError } from "./chat-client.js" */
/** @typedef {{ client: ChatClient, me: Profile, roomId: string }} Session */

const title = element("title", HTMLElement);
const status = element("status", HTMLElement);
const leave = element("leave", HTMLButtonElement);
const entry = element("entry", HTMLFormElement);
const nameInput = element("name", HTMLInputElement);
const userIdInput = element("user-id", HTMLInputElement);
const roomInput = element("room", HTMLInputElement);
const pictureInput = element("picture", HTMLInputElement);
const chat = element("chat", HTMLElement);
const older = element("older", HTMLButtonElement);
const log = element("log", HTMLElement);
const composer = element("composer", HTMLFormElement);
const kind = element("kind", HTMLSelectElement);
const content = element("content", HTMLInputElement);

/** @type {Session | null} */ let session = null;
/** @type {Map<number, HTMLElement>} */ const lines = new Map();
/** @type {Map<string, string>} */ const names = new Map();
let atEnd = true;

// Per window, not per browser: two windows can be two users.
for (const input of [nameInput, userIdInput, roomInput, pictureInput]) {
  input.value = sessionStorage.getItem(input.id) ?? input.value;
}
userIdInput.value ||= String(1 + (crypto.getRandomValues(new Uint32Array(1))[0] % 99_999));
sessionStorage.setItem(userIdInput.id, userIdInput.value);

entry.addEventListener("submit", async (event) => {
  event.preventDefault();
  for (const input of [nameInput, userIdInput, roomInput, pictureInput]) sessionStorage.setItem(input.id, input.value);
  const name = nameInput.value.trim();
  const headPic = webUrl(pictureInput.value) ?? undefined;
  const me = { id: toId(userIdInput.value.trim()), username: name, nickName: name, headPic };
  show("Connecting…", "connecting");
  try {
    // Fetched ahead, so that a refusal shows while the form is still there to correct.
    const token = await fetchToken(me);
    const { webSocketPath } = await (await fetch("/local/endpoints")).json();
    if (!session) enter(me, roomInput.value.trim(), token, webSocketPath);
  } catch (caught) {
    show(/** @type {Error} */ (caught).message, "error");
  }
});

leave.addEventListener("click", async () => {
  const left = session;
  end("You left the room.", "idle");
  await left?.client.leave(left.roomId).catch(() => {});
  left?.client.close();
});

composer.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = content.value.trim();
  if (!session || !text) return;
  const { client, me, roomId } = session;
  const type = /** @type {Kind} */ (kind.value);
  if (type !== "text" && !webUrl(text)) return show("An image or a file needs a web address: https://…", "error");
  const line = messageLine({ type, content: text, senderId: me.id, sender: me, createTime: new Date().toISOString() });
  line.classList.add("pending");
  atEnd = true;
  place(line);
  content.value = "";
  try {
    await client.send(roomId, type, text);
    line.remove();
    if (status.dataset.state === "error") showStatus({ state: "online" });
  } catch (caught) {
    line.classList.replace("pending", "failed");
    line.querySelector("time")?.replaceWith("not sent");
    if (session?.client === client) show(/** @type {Error} */ (caught).message, "error");
  }
});

older.addEventListener("click", async () => {
  if (!session) return;
  const fromEnd = log.scrollHeight - log.scrollTop;
  older.disabled = true;
  announce(false);
  try {
    await session.client.loadOlder(session.roomId);
    log.scrollTop = log.scrollHeight - fromEnd;
  } catch (caught) {
    show(/** @type {Error} */ (caught).message, "error");
  }
  older.disabled = false;
  announce(true);
  (older.hidden ? log : older).focus();
});

kind.addEventListener("change", () => {
  content.placeholder = kind.value === "text" ? "Message" : "https://";
  content.inputMode = kind.value === "text" ? "text" : "url";
});

log.addEventListener("scroll", () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
});

/** @param {Profile} me @param {string} roomId @param {string} token @param {string} webSocketPath */
function enter(me, roomId, token, webSocketPath) {
  const { protocol, host, origin } = location;
  const client = new ChatClient({
    socketUrl: `${protocol === "https:" ? "wss" : "ws"}://${host}${webSocketPath}`,
    historyUrl: `${origin}/chat-history/list`,
    me,
    getToken: async () => {
      const fresh = token || fetchToken(me);
      token = "";
      return fresh;
    },
    on: { message: showMessage, presence: showPresence, history: showHistory, status: showStatus, error: showError },
  });
  session = { client, me, roomId };
  log.replaceChildren();
  lines.clear();
  names.clear();
  atEnd = true;
  announce(false);
  title.textContent = document.title = `Room ${roomId}`;
  entry.hidden = true;
  chat.hidden = leave.hidden = false;
  content.focus();
  // A refusal comes to `showError` as well.
  client.join(roomId).catch(() => {});
  void client.connect();
}

/** @param {string} text @param {string} state */
function end(text, state) {
  session = null;
  title.textContent = document.title = "Chat";
  entry.hidden = false;
  chat.hidden = leave.hidden = older.hidden = true;
  show(text, state);
  roomInput.focus();
}

/** @param {string} text @param {string} state */
function show(text, state) {
  status.textContent = text;
  status.dataset.state = state;
}

/** @param {Status} status */
function showStatus({ state, reason, retryInMs = 0 }) {
  if (state === "online") show(`Connected as ${session?.me.nickName}.`, state);
  // The reason for the last loss stays readable while the next attempt runs.
  else if (state === "offline") show(`${reason}; trying again in ${Math.ceil(retryInMs / 1000)} s.`, state);
}

/** @param {ChatError} error */
function showError(error) {
  announce(true);
  if (error.action !== "joinRoom") return show(error.message, "error");
  session?.client.close();
  end(error.message, "error");
}

/** @param {Id} _roomId @param {boolean} hasOlder */
function showHistory(_roomId, hasOlder) {
  older.hidden = !hasOlder;
  announce(true);
}

/** @param {Message} message @param {Message} [next] */
function showMessage(message, next) {
  const line = messageLine(message);
  lines.set(message.id, line);
  place(line, next && lines.get(next.id));
}

/** @param {Presence} presence */
function showPresence({ type, userId, user }) {
  const name = isMe(userId) ? "You" : nameOf(userId, user);
  place(create("p", "presence", `${name} ${type === "joinRoom" ? "joined" : "left"}`));
}

/** A page of history is not news: it is not read aloud. @param {boolean} on */
function announce(on) {
  // A task later, so that what was just inserted still counts as quiet.
  if (on) setTimeout(() => log.setAttribute("aria-live", "polite"));
  else log.setAttribute("aria-live", "off");
}

/** Unsent messages stay last. @param {HTMLElement} line @param {HTMLElement} [before] */
function place(line, before) {
  const first = line.classList.contains("pending") ? null : log.querySelector(".pending");
  log.insertBefore(line, before ?? first);
  keepAtEnd();
}

function keepAtEnd() {
  if (atEnd) log.scrollTop = log.scrollHeight;
}

/** @param {Pick<Message, "type" | "content" | "senderId" | "sender" | "createTime">} message */
function messageLine(message) {
  const { senderId, sender } = message;
  const name = nameOf(senderId, sender);
  const line = create("div", isMe(senderId) ? "message own" : "message");
  const head = create("p", "head");
  head.append(create("b", "", name), isMe(senderId) ? " (you) " : " ", timeOf(message.createTime));
  const bubble = create("div", "bubble");
  bubble.append(head, body(message, name));
  line.append(avatar(name, sender?.headPic), bubble);
  return line;
}

/** @param {Pick<Message, "type" | "content">} message @param {string} name */
function body({ type, content }, name) {
  const url = type === "text" ? null : webUrl(content);
  if (url && type === "image") {
    const image = create("img", "picture");
    image.loading = "lazy";
    image.alt = `Image from ${name}`;
    image.addEventListener("load", keepAtEnd);
    image.src = url;
    return image;
  }
  if (!url) return create("p", "content", content);
  const link = create("a", "content", content);
  link.rel = "noopener noreferrer";
  link.target = "_blank";
  link.href = url;
  return link;
}

/** @param {string} name @param {string} [headPic] */
function avatar(name, headPic) {
  const initial = create("span", "avatar", [...name][0]?.toUpperCase());
  initial.ariaHidden = "true";
  const url = webUrl(headPic ?? "");
  if (!url) return initial;
  const image = create("img", "avatar");
  image.loading = "lazy";
  image.alt = "";
  image.addEventListener("error", () => image.replaceWith(initial));
  image.src = url;
  return image;
}

/** @param {string} createTime */
function timeOf(createTime) {
  const date = new Date(createTime);
  const isToday = date.toDateString() === new Date().toDateString();
  const text = date.toLocaleString([], { timeStyle: "short", ...(isToday ? {} : { dateStyle: "medium" }) });
  const time = create("time", "", text);
  time.dateTime = createTime;
  return time;
}

/** Leaving comes without a profile, so names are remembered. @param {Id} id @param {Profile} [profile] */
function nameOf(id, profile) {
  const name = profile?.nickName || profile?.username;
  if (name) names.set(String(id), name);
  return names.get(String(id)) ?? `User ${id}`;
}

/** @param {Id} id */
function isMe(id) {
  return String(id) === String(session?.me.id);
}

/** @param {Profile} me @returns {Promise<string>} */
async function fetchToken({ id, ...claims }) {
  const response = await fetch("/local/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ userId: id, ...claims, rooms: "*" }),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message ?? `no token: the server answered ${response.status}`);
  return answer.token;
}

/** The server's rule: digits that a number holds exactly are that number. @param {string} text @returns {Id} */
function toId(text) {
  return /^(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

/** Only the web: a `javascript:` or `data:` address from another user must not come into the page. @param {string} text */
function webUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

/** @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {string} className @param {string} [text] */
function create(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}
