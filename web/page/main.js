// @ts-check
/** The page: the form, the list of rooms, and the room that is open. */
import { ChatClient } from "../chat-client.js";
import { create, find, webUrl } from "./dom.js";
import { RoomView } from "./room-view.js";
import { badAddress, deployment, localRun, toId } from "./way.js";
import { label, preferredLanguage, say, speak } from "./words.js";

/** @import { ChatError, Disconnected, Kind, Profile } from "../chat-client.js" */
/** @import { Way } from "./way.js" */

/** The server's limit, in characters. */
const TEXT_MAX = 4_000;

const language = find("language", HTMLSelectElement);
const status = find("status", HTMLElement);
const notice = find("notice", HTMLElement);
const entry = find("entry", HTMLElement);
const entryForm = find("entry-form", HTMLFormElement);
const entryHint = find("entry-hint", HTMLElement);
const identity = find("identity", HTMLFieldSetElement);
const tokenLabel = find("token-label", HTMLElement);
const [name, userId, picture, token, firstRoom] = ["name", "user-id", "picture", "token", "first-room"].map((id) =>
  find(id, HTMLInputElement),
);
const chat = find("chat", HTMLElement);
const roomList = find("rooms", HTMLElement);
const addRoom = find("add-room", HTMLFormElement);
const newRoom = find("new-room", HTMLInputElement);
const roomTitle = find("room-title", HTMLElement);
const [back, leave, newer] = ["back", "leave", "newer"].map((id) => find(id, HTMLButtonElement));
const logs = find("logs", HTMLElement);
const composer = find("composer", HTMLFormElement);
const kind = find("kind", HTMLSelectElement);
const text = find("text", HTMLTextAreaElement);

const query = new URLSearchParams(location.search);
/** What a reload restores. Kept per window, so that two windows can be two users. */
const kept = {
  rooms: /** @type {string[]} */ ([]),
  open: "1",
  isIn: false,
  fields: { name: "", "user-id": String(1 + (crypto.getRandomValues(new Uint32Array(1))[0] % 99_999)), picture: "" },
  ...JSON.parse(sessionStorage.getItem("chat") ?? "{}"),
};

/** @type {ChatClient | null} */ let client = null;
/** The user, as the form says. @type {Profile} */ let me;
/** By room id, in the order of the list. @type {Map<string, { view: RoomView, item: HTMLElement, draft: string }>} */
const rooms = new Map();
/** @type {ReturnType<typeof setInterval> | undefined} */ let countdown;

language.addEventListener("change", () => {
  localStorage.setItem("language", language.value);
  speak(language.value);
  showTitle();
});

entryForm.addEventListener("submit", (event) => {
  event.preventDefault();
  for (const input of [name, userId, picture]) kept.fields[/** @type {keyof typeof kept.fields} */ (input.id)] = input.value.trim();
  const room = firstRoom.value.trim();
  if (room) {
    kept.open = room;
    if (!kept.rooms.includes(room)) kept.rooms.push(room);
  }
  void enter();
});

addRoom.addEventListener("submit", (event) => {
  event.preventDefault();
  const id = String(toId(newRoom.value.trim()));
  newRoom.value = "";
  if (!id) return;
  addToList(id);
  if (rooms.has(id)) open(id);
});

leave.addEventListener("click", () => {
  // If the leave cannot be sent, the room is left when the connection ends.
  void client?.room(toId(kept.open)).leave();
  forget(kept.open);
  focusOnList();
});

back.addEventListener("click", () => {
  open("");
  focusOnList();
});

newer.addEventListener("click", () => {
  rooms.get(kept.open)?.view.scrollToEnd();
  text.focus();
});

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const content = text.value.trim();
  const view = rooms.get(kept.open)?.view;
  if (!view || !content) return;
  const chosen = /** @type {Kind} */ (kind.value);
  if (chosen !== "text" && !webUrl(content)) return complain("needsUrl");
  if ([...content].length > TEXT_MAX) return complain("tooLong", { max: TEXT_MAX });
  notice.hidden = true;
  text.value = "";
  choose("text");
  fitText();
  view.send(chosen, content);
  text.focus();
});

text.addEventListener("keydown", (event) => {
  // Ignore the Enter that ends a word of Chinese input. Safari marks it by the key code 229 alone (WebKit bug 165004).
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  composer.requestSubmit();
});
text.addEventListener("input", fitText);
kind.addEventListener("change", () => {
  choose(kind.value);
  text.focus();
});

language.value = preferredLanguage();
speak(language.value);
prepareEntry();
if (kept.isIn && !deployment(query)) void enter();
else showEntry();

function prepareEntry() {
  name.value = kept.fields.name;
  userId.value = kept.fields["user-id"];
  picture.value = kept.fields.picture;
  firstRoom.value = kept.open;
  const bad = badAddress(query);
  const remote = bad ? null : deployment(query);
  identity.hidden = identity.disabled = remote !== null;
  tokenLabel.hidden = remote === null;
  token.required = remote !== null;
  if (bad) say(entryHint, "badAddress", bad);
  else if (remote) say(entryHint, "remoteHint", { hosts: remote.hosts });
  else say(entryHint, "localHint");
  for (const field of entryForm.querySelectorAll("button, input")) field.toggleAttribute("disabled", bad !== null);
}

async function enter() {
  notice.hidden = true;
  try {
    const { name: nickName, "user-id": id } = kept.fields;
    const headPic = webUrl(kept.fields.picture)?.href;
    const way = deployment(query) ?? (await localRun({ userId: id, name: nickName, picture: headPic }));
    // Get a token first: if it is refused, the form is still there to correct.
    const first = await way.token(token.value.trim());
    if (client) return;
    me = { id: toId(id), username: nickName, nickName, headPic: headPic ?? null };
    start(way, first);
  } catch (caught) {
    showEntry();
    const { code, message } = /** @type {{ code?: unknown, message: string }} */ (caught);
    complain("refused", { code: typeof code === "string" ? code : "unreachable" }, message);
  }
}

/** @param {Way} way @param {string} first */
function start(way, first) {
  let ahead = first;
  client = new ChatClient({
    url: way.url,
    historyUrl: way.historyUrl,
    lifetimeMs: way.lifetimeMs,
    getToken: async () => {
      const next = ahead || way.token(first);
      ahead = "";
      return next;
    },
  });
  client.addEventListener("connecting", () => showStatus("connecting"));
  client.addEventListener("connected", () => {
    showStatus("connected");
    notice.hidden = true;
  });
  client.addEventListener("disconnected", ({ detail }) => showDisconnected(detail));
  client.addEventListener("error", ({ detail }) => {
    // A missing token is shown as the reason of the state.
    if (detail.code !== "token") complain("problem", { code: detail.code }, detail.message);
  });
  for (const id of kept.rooms) addToList(id);
  kept.isIn = true;
  entry.hidden = true;
  chat.hidden = false;
  client.connect().catch(() => {}); // the event shows it
  open(rooms.has(kept.open) ? kept.open : (kept.rooms[0] ?? ""));
  text.focus();
}

/** What was typed stays, and so do the rooms. Their messages will be fetched again. */
function showEntry() {
  const ended = client;
  client = null;
  ended?.disconnect();
  for (const { view, item } of rooms.values()) {
    view.remove();
    item.remove();
  }
  rooms.clear();
  kept.isIn = false;
  keep();
  entry.hidden = false;
  chat.hidden = true;
  status.textContent = "";
  showTitle();
  const empty = [name, token].find((input) => input.offsetParent !== null && !input.value);
  (empty ?? firstRoom).focus();
}

/** The user of the form, until the token says who it is. */
function whoAmI() {
  return client?.userId === undefined ? me : { ...me, id: client.userId };
}

/** @param {string} id */
function addToList(id) {
  if (!client || rooms.has(id)) return;
  const room = roomOf(client, id);
  if (!room) {
    forget(id);
    return complain("badRoom");
  }
  const view = new RoomView(room, whoAmI);
  const [title, badge] = [create("span", "name"), create("span", "badge")];
  say(title, "roomTitle", { id });
  badge.hidden = true;
  const button = create("button", "", title, badge);
  button.type = "button";
  button.addEventListener("click", () => {
    open(id);
    text.focus();
  });
  const item = create("li", "", button);
  view.addEventListener("change", () => {
    badge.hidden = view.unread === 0;
    badge.textContent = String(view.unread);
    label(badge, "unread", { count: view.unread });
    badge.setAttribute("role", "img");
    if (id === kept.open) showNewer();
    showTitle();
  });
  room.addEventListener("error", ({ detail }) => roomFailed(id, detail), { signal: view.signal });
  rooms.set(id, { view, item, draft: "" });
  roomList.append(item);
  logs.append(view.log);
  if (!kept.rooms.includes(id)) kept.rooms.push(id);
  keep();
  view.enter().catch(() => {}); // the room's `error` event shows it
}

/** Null if no room can have this id. @param {ChatClient} client @param {string} id */
function roomOf(client, id) {
  try {
    return client.room(toId(id));
  } catch {
    return null;
  }
}

/** @param {string} id @param {ChatError} error */
function roomFailed(id, error) {
  if (error.code === "left" || error.code === "disconnected") return;
  complain("roomProblem", { id, code: error.code }, error.message);
  if (error.action === "joinRoom") forget(id);
}

/** @param {string} id */
function forget(id) {
  rooms.get(id)?.view.remove();
  rooms.get(id)?.item.remove();
  rooms.delete(id);
  kept.rooms = kept.rooms.filter((/** @type {string} */ room) => room !== id);
  if (kept.open === id) open("");
  keep();
  showTitle();
}

/** Shows a room. Without a room, a narrow window shows the list. @param {string} id */
function open(id) {
  const before = rooms.get(kept.open);
  if (before) before.draft = text.value;
  kept.open = id;
  keep();
  for (const [known, { view, item }] of rooms) {
    view.show(known === id);
    const button = item.querySelector("button");
    if (known === id) button?.setAttribute("aria-current", "page");
    else button?.removeAttribute("aria-current");
  }
  const now = rooms.get(id);
  chat.dataset.open = String(now !== undefined);
  leave.hidden = composer.hidden = now === undefined;
  if (now) say(roomTitle, "roomTitle", { id });
  else say(roomTitle, "noRoom");
  text.value = now?.draft ?? "";
  fitText();
  showNewer();
  showTitle();
}

function focusOnList() {
  const first = roomList.querySelector("button");
  (first ?? newRoom).focus();
}

function keep() {
  sessionStorage.setItem("chat", JSON.stringify(kept));
}

/** @param {"connecting" | "connected"} state */
function showStatus(state) {
  clearInterval(countdown);
  // Keep showing why the connection was lost while the next attempt runs.
  if (state === "connecting" && status.dataset.state === "disconnected" && status.textContent) {
    status.lastElementChild?.replaceChildren(" …");
    return;
  }
  status.dataset.state = state;
  status.title = "";
  say(status, state);
}

/** @param {Disconnected} why */
function showDisconnected({ code, reason, willRetry, retryInMs = 0 }) {
  clearInterval(countdown);
  if (!client) return;
  if (!willRetry) {
    showEntry();
    return complain("refused", { code }, reason);
  }
  const [said, wait] = [create("span", ""), create("span", "")];
  // Offline is the reason, whatever failed.
  say(said, "disconnected", { code: navigator.onLine ? code : "offline" });
  status.title = reason;
  wait.ariaHidden = "true"; // not read aloud every second
  status.dataset.state = "disconnected";
  status.removeAttribute("data-word");
  status.replaceChildren(said, wait);
  const until = performance.now() + retryInMs;
  const tick = () => say(wait, "retryIn", { seconds: Math.max(0, Math.ceil((until - performance.now()) / 1000)) });
  tick();
  countdown = setInterval(tick, 1000);
}

/** @param {string} word @param {Record<string, unknown>} [values] @param {string} [detail] For people who want to know more. */
function complain(word, values, detail = "") {
  notice.hidden = false;
  notice.title = detail;
  say(notice, word, values);
}

function showNewer() {
  const unread = rooms.get(kept.open)?.view.unread ?? 0;
  newer.hidden = unread === 0;
  say(newer, "newer", { count: unread });
}

function showTitle() {
  const unread = [...rooms.values()].reduce((sum, { view }) => sum + view.unread, 0);
  const title = document.querySelector("h1")?.textContent ?? "";
  document.title = unread > 0 ? `(${unread}) ${title}` : title;
}

/** @param {string} chosen */
function choose(chosen) {
  kind.value = chosen;
  text.inputMode = chosen === "text" ? "text" : "url";
  text.placeholder = chosen === "text" ? "" : "https://";
}

function fitText() {
  // From one line up to six; the style sheet has the height of a line.
  text.rows = Math.min(6, text.value.split("\n").length);
}
