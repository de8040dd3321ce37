// @ts-check
/** The page: the form, the list of rooms, and the room that is open. */
import { ChatClient, Changes, Online, Reactions, Rounds, Signals } from "../chat-client.js";
import { create, find, webUrl } from "./dom.js";
import { MessageMenu } from "./menu.js";
import { sayFirstLine } from "./message.js";
import { RoomView } from "./room-view.js";
import { together } from "./together.js";
import { badAddress, deployment, localRun, toId } from "./way.js";
import { label, preferredLanguage, say, speak } from "./words.js";

/** @import { ChatError, Disconnected, Kind, Profile } from "../chat-client.js" */
/** @import { Choice } from "./menu.js" */
/** @import { Room } from "./room-view.js" */
/** @import { Way } from "./way.js" */
/** What is being written: an answer, or a message anew. @typedef {{ what: "replying" | "editing", id: number }} About */

/** The server's limit, in characters. */
const TEXT_MAX = 4_000;
/** Enough to answer without a word; another reaction is a press on one that is there. */
const EMOJIS = ["👍", "❤️", "😂", "🎉", "😮", "😢"];
const FEATURES = [Changes, Reactions, Online, Signals, Rounds];

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
const [back, leave, newer, here, aboutCancel, sendButton] = ["back", "leave", "newer", "here", "about-cancel", "send"].map((id) =>
  find(id, HTMLButtonElement),
);
const people = find("people", HTMLElement);
const peopleList = find("people-list", HTMLElement);
const typing = find("typing", HTMLElement);
const news = find("news", HTMLElement);
const about = find("about", HTMLElement);
const [aboutWhat, aboutText] = ["about-what", "about-text"].map((id) => find(id, HTMLElement));
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

/** @type {ChatClient<typeof FEATURES[number]> | null} */ let client = null;
/** The user, as the form says. @type {Profile} */ let me;
/** By room id, in the order of the list. @type {Map<string, { view: RoomView, item: HTMLElement, draft: string, about: About | null, typing: string[] }>} */
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
  const said = rooms.get(kept.open)?.about;
  text.value = "";
  choose("text");
  fitText();
  write(null);
  if (said?.what === "editing") void edit(view, said.id, content);
  else view.send(chosen, content, said?.id);
  text.focus();
});

aboutCancel.addEventListener("click", () => {
  stopWriting();
  text.focus();
});

here.addEventListener("click", () => {
  people.hidden = !people.hidden;
  here.ariaExpanded = String(!people.hidden);
  const room = rooms.get(kept.open)?.view.room;
  if (people.hidden || !room) return;
  showPeople();
  // Names that nobody has told yet. The room's `error` event shows why there are none.
  if (room.quiet || [...room.online.values()].includes(null)) void room.members().catch(() => {});
});

people.addEventListener("keydown", closePeople);
here.addEventListener("keydown", closePeople);

text.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && rooms.get(kept.open)?.about) return stopWriting();
  // Ignore the Enter that ends a word of Chinese input. Safari marks it by the key code 229 alone (WebKit bug 165004).
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  composer.requestSubmit();
});
text.addEventListener("input", () => {
  fitText();
  const now = rooms.get(kept.open);
  if (text.value.trim() && now && now.about?.what !== "editing") now.view.room.typing();
});
kind.addEventListener("change", () => {
  choose(kind.value);
  text.focus();
});

const menu = new MessageMenu(find("menu", HTMLElement), choices);
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
    features: FEATURES,
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
  const { signal } = view;
  room.addEventListener("error", ({ detail }) => roomFailed(id, detail), { signal });
  const showIt = together(() => showHere(id));
  for (const kind of /** @type {const} */ (["joined", "left", "message"])) room.addEventListener(kind, showIt, { signal });
  room.addEventListener("online", showIt, { signal });
  room.addEventListener("members", showIt, { signal });
  room.addEventListener("typing", ({ detail }) => showTyping(id, detail.userIds.map((user) => view.nameOf(user))), { signal });
  view.addEventListener("news", (event) => {
    const { word, values } = /** @type {CustomEvent} */ (event).detail;
    say(news, word, values);
  });
  view.addEventListener("again", (event) => {
    text.value = [text.value, /** @type {CustomEvent} */ (event).detail].filter(Boolean).join("\n");
    fitText();
    text.focus();
  });
  // A message that is answered or edited may be recalled meanwhile.
  room.addEventListener("changed", ({ detail }) => {
    const known = rooms.get(id);
    if (known?.about?.id !== detail.id) return;
    if (detail.deleted) known.about = null;
    if (id === kept.open) write(known.about);
  }, { signal });
  menu.watch(view);
  rooms.set(id, { view, item, draft: "", about: null, typing: [] });
  roomList.append(item);
  logs.append(view.log);
  if (!kept.rooms.includes(id)) kept.rooms.push(id);
  keep();
  view.enter().catch(() => {}); // the room's `error` event shows it
}

/** Null if no room can have this id. @param {ChatClient<typeof FEATURES[number]>} client @param {string} id @returns {Room | null} */
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
  menu.close(false);
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
  write(now?.about ?? null);
  fitText();
  people.hidden = true;
  here.ariaExpanded = "false";
  news.textContent = "";
  showHere(id);
  showTyping(id, now?.typing ?? []);
  showNewer();
  showTitle();
}

/** What can be done with a message. @param {RoomView} view @param {number} id @returns {Choice[]} */
function choices(view, id) {
  const message = view.message(id);
  if (!message || message.deleted || message.eraseTime) return [];
  const { reactions = {} } = message;
  const { isMe, react } = view.around;
  /** @type {Choice[]} */ const made = EMOJIS.map((emoji) => {
    const isOn = (reactions[emoji] ?? []).some(isMe);
    return { word: "reactWith", values: { emoji }, text: emoji, isOn, run: () => react(id, emoji, !isOn) };
  });
  made.push({ word: "reply", run: () => begin({ what: "replying", id }) });
  if (!isMe(message.senderId)) return made;
  if (message.type === "text") made.push({ word: "edit", run: () => begin({ what: "editing", id }, message.content) });
  made.push({ word: "recall", run: () => void view.recall(id) });
  return made;
}

/** @param {About} what @param {string} [content] */
function begin(what, content) {
  if (content !== undefined || rooms.get(kept.open)?.about?.what === "editing") text.value = content ?? "";
  choose("text");
  write(what);
  fitText();
  text.focus();
}

function stopWriting() {
  if (rooms.get(kept.open)?.about?.what === "editing") text.value = "";
  write(null);
  fitText();
}

/** Says what is being written. @param {About | null} what */
function write(what) {
  const now = rooms.get(kept.open);
  if (now) now.about = what;
  about.hidden = !what;
  kind.disabled = what?.what === "editing";
  say(sendButton, kind.disabled ? "save" : "send");
  const message = what && now?.view.message(what.id);
  if (!what || !now || !message) return;
  say(aboutWhat, what.what, { name: now.view.nameOf(message.senderId) });
  sayFirstLine(aboutText, message, now.view.around);
}

/** What could not be stored comes back into the box. @param {RoomView} view @param {number} id @param {string} content */
async function edit(view, id, content) {
  try {
    await view.edit(id, content);
  } catch {
    // The room's `error` event shows why.
    const isFree = String(view.id) === kept.open && !text.value && !rooms.get(kept.open)?.about;
    if (isFree && view.message(id)?.deleted === undefined) begin({ what: "editing", id }, content);
  }
}

/** How many are there. In a room so large that nobody is told who comes and goes, its rounds say it. @param {Room} room */
function countOf(room) {
  return room.quiet ? (room.memberCount ?? 0) : room.onlineCount;
}

/** Who is there, where anybody says it. @param {string} id */
function showHere(id) {
  if (id !== kept.open) return;
  const room = rooms.get(id)?.view.room;
  here.hidden = !room || countOf(room) === 0;
  if (here.hidden || !room) {
    people.hidden = true;
    here.ariaExpanded = "false";
    return;
  }
  say(here, "here", { count: countOf(room), more: !room.quiet && room.onlineMore });
  if (!people.hidden) showPeople();
}

function showPeople() {
  const now = rooms.get(kept.open);
  if (!now) return;
  const { room } = now.view;
  const lines = [...room.online].map(([id, profile]) => {
    const line = create("li", "name", profile?.nickName || profile?.username || now.view.nameOf(id));
    line.dir = "auto";
    return line;
  });
  const others = countOf(room) - room.online.size;
  if (others > 0) {
    const line = create("li", "");
    say(line, "others", { count: others });
    lines.push(line);
  }
  peopleList.replaceChildren(...lines);
}

/** @param {KeyboardEvent} event */
function closePeople({ key }) {
  if (key !== "Escape" || people.hidden) return;
  people.hidden = true;
  here.ariaExpanded = "false";
  here.focus();
}

/** @param {string} id @param {string[]} names */
function showTyping(id, names) {
  const now = rooms.get(id);
  if (now) now.typing = names;
  if (id !== kept.open) return;
  if (names.length === 0) {
    typing.removeAttribute("data-word");
    typing.textContent = "";
  } else if (names.length === 1) say(typing, "typingOne", { name: names[0] });
  else say(typing, "typingMany", { count: names.length });
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
