// @ts-check
/** The page: the form, the list of rooms, and the room that is open. */
import { ChatClient, Changes, Kept, Moderation, Online, Reactions, Reads, Rounds, Signals, Uploads } from "../chat-client.js";
import { Address, addressOf, comeBack } from "./address.js";
import { beginAppHere } from "./app.js";
import { colour } from "./colour.js";
import { question } from "./dialog.js";
import { create, find, webUrl } from "./dom.js";
import { offerEmojis } from "./emoji.js";
import { takeFiles } from "./files.js";
import { Finding } from "./finding.js";
import { inbox, putFirst, sayLast } from "./inbox.js";
import { Keeping } from "./keeping.js";
import { Mentions, meansMe } from "./mentions.js";
import { MessageMenu } from "./menu.js";
import { sayFirstLine } from "./message.js";
import { Moderating, isPaced, whyRemoved } from "./moderating.js";
import { People } from "./people.js";
import { Push, pushUrl } from "./push.js";
import { RoomView } from "./room-view.js";
import { Status } from "./status.js";
import { together } from "./together.js";
import { watchPictures } from "./viewer.js";
import { badAddress, deployment, isKept, localRun, mayKeepRooms, moderatedBy, shownBy, toId } from "./way.js";
import { ask, inWords, label, preferredLanguage, say, speak } from "./words.js";
import { Writing } from "./writing.js";

/** @import { ChatError, Disconnected, Kind, Id, KeptInfo, KeptRoom, Message, Profile } from "../chat-client.js" */
/** @import { Place } from "./address.js" */
/** @import { Last } from "./inbox.js" */
/** @import { Mention } from "./mentions.js" */
/** @import { Choice } from "./menu.js" */
/** @import { Room } from "./room-view.js" */
/** @import { Way } from "./way.js" */
/**
 * A room of the list. One that is kept says when something was last said there, and what.
 * @typedef {{ view: RoomView, item: HTMLElement, preview: HTMLElement, draft: string, mentions: Mention[], about: About | null, typing: string[], listed?: KeptRoom, last?: Last, info?: KeptInfo }} Entry
 */
/** What is being written: an answer, or a message anew. @typedef {{ what: "replying" | "editing", id: number }} About */

/** The server's limit, in characters. */
const TEXT_MAX = 4_000;
/** Enough to answer without a word; another reaction is a press on one that is there. */
const EMOJIS = ["👍", "❤️", "😂", "🎉", "😮", "😢"];
const FEATURES = [Changes, Reactions, Online, Signals, Rounds, Kept, Reads, Uploads, Moderation];
/** So many kept rooms tell at once what is said in them; a connection is in 100 rooms at most. Others do when they were opened. */
const LISTENED_MAX = 50;
/** Of more unread messages nobody wants to know how many exactly. */
const UNREAD_MAX = 99;
/** A notification shows how a text begins, in characters. */
const NOTIFIED_MAX = 160;
/** So long it may take to tell whoever pushes that one signs out. In milliseconds. */
const SIGN_OUT_MS = 3_000;
/** So long it is said that something was done. In milliseconds. */
const DONE_MS = 4_000;

const language = find("language", HTMLSelectElement);
const status = new Status(find("status", HTMLElement));
const done = find("done", HTMLElement);
const notice = find("notice", HTMLElement);
const entry = find("entry", HTMLElement);
const entryForm = find("entry-form", HTMLFormElement);
const entryHint = find("entry-hint", HTMLElement);
const enterButton = find("enter", HTMLButtonElement);
const identity = find("identity", HTMLFieldSetElement);
const tokenLabel = find("token-label", HTMLElement);
const [name, userId, picture, token, firstRoom] = ["name", "user-id", "picture", "token", "first-room"].map((id) =>
  find(id, HTMLInputElement),
);
const moderates = find("moderates", HTMLInputElement);
const chat = find("chat", HTMLElement);
const [selfAvatar, selfName] = ["self-avatar", "self-name"].map((id) => find(id, HTMLElement));
const signOut = find("sign-out", HTMLButtonElement);
const roomList = find("rooms", HTMLElement);
const addRoom = find("add-room", HTMLFormElement);
const newRoom = find("new-room", HTMLInputElement);
const making = find("making", HTMLDetailsElement);
const make = find("make", HTMLFormElement);
const makeKind = find("make-kind", HTMLSelectElement);
const makeName = find("make-name", HTMLInputElement);
const roomTitle = find("room-title", HTMLElement);
const [back, leave, newer, aboutCancel, sendButton] = ["back", "leave", "newer", "about-cancel", "send"].map((id) =>
  find(id, HTMLButtonElement),
);
const typing = find("typing", HTMLElement);
const news = find("news", HTMLElement);
const about = find("about", HTMLElement);
const [aboutWhat, aboutText] = ["about-what", "about-text"].map((id) => find(id, HTMLElement));
const logs = find("logs", HTMLElement);
const composer = find("composer", HTMLFormElement);
const kind = find("kind", HTMLSelectElement);
const text = find("text", HTMLTextAreaElement);

const mentions = new Mentions(text, {
  entry: () => rooms.get(kept.open),
  // An edit leaves them as they are.
  isFree: () => kind.value === "text" && rooms.get(kept.open)?.about?.what !== "editing",
});
const returned = comeBack();
const query = new URLSearchParams(location.search);
/** Where one signs in, if the address names an identity provider. Nobody else loads it. */
const signingIn = !query.has("issuer") || badAddress(query) ? null : new (await import("./signing-in.js")).SigningIn(query, returned, signInEnded);
/** What a reload restores. Kept per window, so that two windows can be two users. */
const kept = { ...unknown(), ...JSON.parse(sessionStorage.getItem("chat") ?? "{}") };

/** @type {ChatClient<typeof FEATURES[number]> | null} */ let client = null;
/** The user, as the form says. @type {Profile} */ let me;
/** By room id. @type {Map<string, Entry>} */
const rooms = new Map();
/** Reads the list of kept rooms. @type {() => Promise<void>} */ let loadInbox = async () => {};
/** Which rooms one moderates, as the token says. @type {(id: Id) => boolean} */ let isModerator = () => false;
/** Kept rooms that one is banned from, and until when. They are not asked for before. @type {Map<string, number>} */
const banned = new Map();
/** Where an address leads, as long as that is not there. @type {Place | null} */ let wanted = null;
/** The room that was open before a reload, until the list has come that it may be in. */
let returning = "";

language.addEventListener("change", () => {
  localStorage.setItem("language", language.value);
  // What stands there already is not read aloud again.
  for (const { view } of rooms.values()) view.unannounced(() => {});
  speak(language.value);
  showTitle();
});

entryForm.addEventListener("submit", (event) => {
  event.preventDefault();
  for (const input of [name, userId, picture]) kept.fields[/** @type {keyof typeof kept.fields} */ (input.id)] = input.value.trim();
  kept.moderates = moderates.checked;
  const room = firstRoom.value.trim();
  if (room) {
    kept.open = room;
    if (!kept.rooms.includes(room)) kept.rooms.push(room);
    if (wanted && wanted.room !== room && !isKept(wanted.room)) wanted = null;
  }
  void enter("assign");
});

addRoom.addEventListener("submit", (event) => {
  event.preventDefault();
  const id = String(toId(newRoom.value.trim()));
  newRoom.value = "";
  if (!id) return;
  addToList(id);
  if (rooms.has(id)) visit(id);
});

makeKind.addEventListener("change", () => {
  const word = makeKind.value === "group" ? "groupName" : "withWhom";
  say(/** @type {HTMLElement} */ (makeName.labels?.[0]), word);
  ask(makeName, word);
  makeName.focus();
});

make.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = makeName.value.trim();
  if (!client || !given) return;
  try {
    const id = await (makeKind.value === "group" ? client.createGroup(given) : client.createPair(toId(given)));
    await loadInbox();
    makeName.value = "";
    making.open = false;
    if (rooms.has(id)) visit(id);
    text.focus();
  } catch {
    // The client's `error` event shows why.
  }
});

leave.addEventListener("click", () => {
  // If the leave cannot be sent, the room is left when the connection ends.
  void client?.room(toId(kept.open)).leave();
  drop(kept.open);
  focusOnList();
});

back.addEventListener("click", () => {
  if (address.back()) return;
  go({ room: "" });
  address.replace("");
});

signOut.addEventListener("click", async () => {
  const count = [...rooms.values()].reduce((sum, { view }) => sum + view.unsent, 0);
  if (count > 0 && signOut.dataset.word !== "signOutSure") return say(signOut, "signOutSure", { count });
  // Whoever pushes is told, if that can be; nobody has to wait for a network that is gone.
  await Promise.race([push.end().catch(() => {}), new Promise((resolve) => setTimeout(resolve, SIGN_OUT_MS))]);
  notice.hidden = true;
  const elsewhere = signingIn?.signOut();
  const forgetAll = keeping.end();
  showEntry();
  token.value = "";
  Object.assign(kept, unknown());
  sessionStorage.removeItem("chat");
  address.clear();
  prepareEntry();
  [name, token, enterButton].find((field) => field.offsetParent)?.focus();
  await forgetAll();
  // Otherwise whoever presses the button next is the same user again.
  if (elsewhere) location.assign(elsewhere);
});
signOut.addEventListener("blur", () => say(signOut, "signOut"));

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
  const said = rooms.get(kept.open)?.about;
  if (writing.waitMs > 0 && said?.what !== "editing") return complain("slowWait", { ms: writing.waitMs });
  notice.hidden = true;
  const meant = mentions.take();
  text.value = "";
  choose("text");
  fitText();
  write(null);
  keepDraft();
  if (said?.what === "editing") void edit(view, said.id, content);
  else view.send(chosen, content, said?.id, meant);
  text.focus();
  // Where the whole page scrolls, the line that came may have moved it out of sight.
  text.scrollIntoView({ block: "nearest" });
});

aboutCancel.addEventListener("click", () => {
  stopWriting();
  text.focus();
});

text.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && rooms.get(kept.open)?.about) return stopWriting();
  // Ignore the Enter that ends a word of Chinese input. Safari marks it by the key code 229 alone (WebKit bug 165004).
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  composer.requestSubmit();
});
text.addEventListener("input", () => {
  fitText();
  keepDraft();
  const now = rooms.get(kept.open);
  if (text.value.trim() && now && now.about?.what !== "editing") now.view.room.typing();
});
kind.addEventListener("change", () => {
  choose(kind.value);
  text.focus();
});

takeFiles({ button: find("attach", HTMLButtonElement), input: find("files", HTMLInputElement), text, room: find("room", HTMLElement) }, (files) => {
  const now = rooms.get(kept.open);
  if (!now || now.about?.what === "editing" || writing.isBarred) return;
  const said = now.about;
  write(null);
  keepDraft();
  for (const [at, file] of files.entries()) now.view.upload(file, at === 0 ? said?.id : undefined);
  text.focus();
});

const closeEmojis = offerEmojis(find("emoji", HTMLButtonElement), find("emojis", HTMLElement), text);
watchPictures(logs);
const finding = new Finding();
const narrow = matchMedia("(max-width: 44rem)");
const address = new Address({ isNarrow: () => narrow.matches, go });
wanted = address.asked;
const keeping = new Keeping({
  rooms: () => rooms.keys(),
  draft(id, { text: draft, replyTo, mentions = [] }) {
    const entry = rooms.get(id);
    entry?.mentions.push(...mentions);
    if (replyTo !== undefined) void answer(id, replyTo);
    if (entry && id !== kept.open) entry.draft ||= draft;
    if (id !== kept.open || text.value) return;
    text.value = draft;
    fitText();
  },
  resume(id, unsent) {
    listen(id);
    rooms.get(id)?.view.resume(unsent);
  },
  add: addToList,
});
const people = new People({
  client: () => client,
  open: () => kept.open,
  entry: (id) => rooms.get(id),
  told(id) {
    showLast(id);
    moderating.update();
    if (id === kept.open) mentions.update();
  },
  quit(id) {
    drop(id);
    focusOnList();
  },
});
const menu = new MessageMenu(find("menu", HTMLElement), choices);
const push = new Push(find("notify", HTMLElement), find("notify-on", HTMLInputElement), {
  user: () => (client ? String(whoAmI().id) : undefined),
  shows: (room) => client !== null && kept.open === room,
  lead: (room, id) => {
    wanted = { room, id, isToCome: true };
    lead();
  },
  complain: (code, message) => complain("problem", { code }, message),
});
// The owner of a group has to wait as the others do.
const writing = new Writing(composer, text, ({ id }) => isModerator(id));
const moderating = new Moderating({ mayBar, mayRecall: ({ id }) => isModerator(id), isOwner });
beginAppHere(find("manifest", HTMLLinkElement), location);
language.value = preferredLanguage();
speak(language.value);
prepareEntry();
if (signingIn ? kept.isIn || signingIn.isIn : kept.isIn && !deployment(query)) void enter("replace");
else showEntry();
if (returned.isForeign && !returned.isLost) complain("refused", { code: "signInForeign" });

function prepareEntry() {
  name.value = kept.fields.name;
  userId.value = kept.fields["user-id"];
  picture.value = kept.fields.picture;
  moderates.checked = kept.moderates;
  firstRoom.value = wanted?.room && !isKept(wanted.room) ? wanted.room : kept.open;
  const bad = badAddress(query);
  const remote = bad ? null : deployment(query);
  identity.hidden = identity.disabled = remote !== null || returned.isLost === true;
  tokenLabel.hidden = remote === null || signingIn !== null;
  token.required = !tokenLabel.hidden;
  say(enterButton, signingIn ? "signIn" : "enter");
  if (bad) say(entryHint, bad.protocols ? "badAddress" : "missingInAddress", bad);
  else if (returned.isLost) say(entryHint, "signInLost");
  else if (remote && signingIn) say(entryHint, "signInHint", { provider: signingIn.host, hosts: remote.hosts });
  else if (remote) say(entryHint, "remoteHint", { hosts: remote.hosts });
  else say(entryHint, "localHint");
  for (const field of entryForm.querySelectorAll("button, input")) field.toggleAttribute("disabled", bad !== null || returned.isLost === true);
}

/** @param {"assign" | "replace"} how Leaves for the provider, where somebody has to sign in: in a new entry of the browser's history, or not. */
async function enter(how) {
  notice.hidden = true;
  try {
    if (signingIn && !signingIn.isIn) {
      // Whoever comes back by the browser's way back is not sent on again.
      kept.isIn = false;
      keep();
      return await signingIn.leave(how);
    }
    if (signingIn) status.show("connecting");
    const { name: nickName, "user-id": id } = kept.fields;
    const headPic = webUrl(kept.fields.picture)?.href;
    const remote = deployment(query);
    const way = remote ?? (await localRun({ userId: id, name: nickName, picture: headPic, moderates: kept.moderates }));
    if (signingIn) way.token = () => signingIn.token();
    // Get a token first: if it is refused, the form is still there to correct.
    const first = await way.token(token.value.trim());
    if (client) return;
    if (signingIn) way.lifetimeMs = signingIn.connectionMs;
    me = { id: toId(id), username: nickName, nickName, headPic: headPic ?? null };
    if (remote) me = { ...me, ...shownBy(first) };
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
  client.addEventListener("connecting", () => status.show("connecting"));
  client.addEventListener("connected", () => {
    status.show("connected");
    notice.hidden = true;
    // Who was away was told of nothing.
    void loadInbox();
  });
  // By then the token has said who it is.
  const known = new Promise((resolve) => client?.addEventListener("connected", resolve, { once: true }));
  void known.then(() => push.start(pushUrl(query), () => way.token(first)));
  keeping.begin(way.historyUrl, known.then(() => client?.userId));
  void known.then(showSelf);
  client.addEventListener("roomAdded", () => void loadInbox());
  client.addEventListener("removed", ({ detail }) => {
    gone(String(detail.roomId), detail.reason, detail.retryAfterMs);
  });
  client.addEventListener("disconnected", ({ detail }) => showDisconnected(detail));
  client.addEventListener("error", ({ detail }) => {
    // A missing token is shown as the reason of the state, and who has no kept rooms misses none.
    if (detail.code !== "token" && detail.action !== "rooms") complain("problem", { code: detail.code }, detail.message);
  });
  // An address that names a room says more than what was open before.
  if (wanted && !isKept(wanted.room)) kept.open = wanted.room;
  if (wanted?.room && !isKept(wanted.room) && !kept.rooms.includes(wanted.room)) kept.rooms.push(wanted.room);
  returning = kept.open;
  isModerator = moderatedBy(first);
  // Who may enter none is not refused each time.
  loadInbox = mayKeepRooms(first) ? inbox(client, showInbox) : async () => {};
  for (const id of kept.rooms) addToList(id);
  kept.isIn = true;
  entry.hidden = true;
  chat.hidden = false;
  client.connect().catch(() => {}); // the event shows it
  open(rooms.has(kept.open) || wanted?.room === "" ? kept.open : (kept.rooms[0] ?? ""));
  address.begin(kept.open);
  text.focus();
  showSelf();
  lead();
}

/** Who is in, and how others see it. */
function showSelf() {
  const { id, nickName, username } = whoAmI();
  const shown = nickName || username;
  selfName.removeAttribute("data-word");
  if (shown) selfName.textContent = shown;
  else say(selfName, "user", { id });
  selfAvatar.textContent = [...(selfName.textContent ?? "")][0]?.toUpperCase() ?? "";
  colour(selfAvatar, id);
}

/** What is being written survives a reload, but for what is written anew. */
function keepDraft() {
  const now = rooms.get(kept.open);
  if (now && now.about?.what !== "editing") keeping.draft(kept.open, { text: text.value, replyTo: now.about?.id, mentions: mentions.chosen });
}

/** A draft answers a message, unless that is gone. Whoever is quick sends the answer before it is read. @param {string} id @param {number} replyTo */
async function answer(id, replyTo) {
  const now = rooms.get(id);
  if (!now || now.about) return;
  /** @type {About} */ const said = { what: "replying", id: replyTo };
  now.about = said;
  const message = await now.view.find(replyTo).catch(() => undefined);
  if (now.about !== said) return;
  if (!message || message.deleted) now.about = null;
  if (id === kept.open) write(now.about);
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
  making.hidden = true;
  keeping.end();
  kept.isIn = false;
  keep();
  entry.hidden = false;
  chat.hidden = true;
  status.clear();
  showTitle();
  const empty = [name, token].find((input) => input.offsetParent !== null && !input.value);
  (signingIn ? enterButton : (empty ?? firstRoom)).focus();
}

/** The user of the form, until the token says who it is. */
function whoAmI() {
  return client?.userId === undefined ? me : { ...me, id: client.userId };
}

/** What the server says of the kept rooms: what is new, what was said where, and which are not there any more. @param {KeptRoom[]} listed */
function showInbox(listed) {
  making.hidden = false;
  const ids = new Set(listed.map(({ id }) => id));
  for (const [id, { listed }] of rooms) if (listed && !ids.has(id)) forget(id);
  for (const room of listed) {
    if ((banned.get(room.id) ?? 0) > Date.now()) continue;
    // It may have been joined by its id before.
    if (rooms.has(room.id) && !rooms.get(room.id)?.listed) forget(room.id);
    addToList(room.id, room);
    const entry = rooms.get(room.id);
    if (!entry) continue;
    entry.listed = room;
    if ((room.lastMessage?.id ?? 0) >= (entry.last?.id ?? 0)) entry.last = room.lastMessage;
    entry.view.count(room.mentioned);
    showLast(room.id);
    people.show(room.id);
  }
  if (rooms.has(returning) && rooms.get(returning)?.listed && kept.open !== returning) {
    open(returning);
    address.begin(returning);
  }
  returning = "";
  // The newest are listened to; that is what the order is of.
  for (const { id } of listed.slice(0, LISTENED_MAX)) listen(id);
  lead();
  missing();
}

/** What was last said in a kept room, and its place in the list. @param {string} id */
function showLast(id) {
  const entry = rooms.get(id);
  if (!entry?.listed) return;
  sayLast(entry.preview, entry.last, entry.view);
  const at = (/** @type {Entry} */ { last, listed }) => last?.createTime ?? listed?.createTime ?? "";
  const inOrder = [...rooms.values()].filter(({ listed }) => listed).sort((one, other) => (at(one) < at(other) ? 1 : -1));
  putFirst(roomList, inOrder.map(({ item }) => item));
}

/** @param {string} id */
function listen(id) {
  // The room's `error` event shows why not. Its newest page says who they are that spoke last.
  rooms.get(id)?.view.enter().then(() => showLast(id), () => {});
}

/** @param {Entry} entry */
function nameOf({ view }) {
  return view.kept?.name ?? String(view.id);
}

/** Says a room's name: its own, or its id. @param {HTMLElement} element @param {string} id @param {string} [name] */
function sayRoom(element, id, name) {
  if (name === undefined) return say(element, "roomTitle", { id });
  element.removeAttribute("data-word");
  element.textContent = name;
}

/** @param {string} id @param {KeptRoom} [listed] */
function addToList(id, listed) {
  if (!client || rooms.has(id)) return;
  const room = roomOf(client, id);
  if (!room) {
    forget(id);
    return complain("badRoom");
  }
  const view = new RoomView(room, whoAmI, listed && { name: listed.name, isPair: !listed.type });
  const other = listed?.userIds.find((user) => !view.around.isMe(user));
  if (listed && !listed.type && other !== undefined) view.learn(other, { id: other, username: listed.name, nickName: listed.name, headPic: null });
  const [title, badge, preview] = [create("span", "name"), create("span", "badge"), create("span", "preview")];
  sayRoom(title, id, listed?.name);
  title.dir = "auto";
  badge.hidden = true;
  const button = create("button", "", title, badge, preview);
  button.type = "button";
  button.addEventListener("click", () => {
    visit(id);
    text.focus();
  });
  const item = create("li", "", button);
  const showUnread = () => {
    badge.hidden = view.unread === 0;
    const count = view.unread > UNREAD_MAX ? `${UNREAD_MAX}+` : String(view.unread);
    badge.textContent = view.isMentioned ? `@ ${count}` : count;
    label(badge, "unread", { count: view.unread, isMentioned: view.isMentioned });
    badge.setAttribute("role", "img");
    if (id === kept.open) showNewer();
    showTitle();
  };
  view.addEventListener("change", showUnread);
  view.addEventListener("missing", () => complain("problem", { code: "notFound" }));
  const { signal } = view;
  room.addEventListener("error", ({ detail }) => roomFailed(id, detail), { signal });
  const showIt = together(() => people.show(id));
  for (const kind of /** @type {const} */ (["joined", "left", "message"])) room.addEventListener(kind, showIt, { signal });
  room.addEventListener("online", showIt, { signal });
  room.addEventListener("members", showIt, { signal });
  room.addEventListener("typing", ({ detail }) => showTyping(id, detail.userIds.map((user) => view.nameOf(user))), { signal });
  view.addEventListener("news", (event) => {
    const { word, values } = /** @type {CustomEvent} */ (event).detail;
    say(news, word, values);
  });
  view.addEventListener("again", (event) => {
    const { content, mentions: meant } = /** @type {CustomEvent} */ (event).detail;
    text.value = [text.value, content].filter(Boolean).join("\n");
    rooms.get(id)?.mentions.push(...meant);
    fitText();
    keepDraft();
    text.focus();
  });
  /** @type {Message | undefined} */ let newest;
  const tellHidden = together(() => {
    if (newest) tellOf(view, newest);
    newest = undefined;
  });
  room.addEventListener("message", ({ detail }) => {
    // Of all that a frame brought, one is told of what means oneself.
    const isLess = newest && meansMe(newest.mentions, view.around.isMe) && !meansMe(detail.mentions, view.around.isMe);
    if (!view.around.isMe(detail.senderId) && !isLess) newest = detail;
    tellHidden();
    const known = rooms.get(id);
    if (!known?.listed) return;
    known.last = detail;
    showLast(id);
  }, { signal });
  // A message that is answered or edited may be recalled meanwhile, and so may the last one.
  room.addEventListener("changed", ({ detail }) => {
    const known = rooms.get(id);
    if (known?.last?.id === detail.id) {
      known.last = { ...known.last, ...detail };
      showLast(id);
    }
    if (known?.about?.id !== detail.id) return;
    if (detail.deleted) known.about = null;
    if (id === kept.open) {
      write(known.about);
      keepDraft();
    }
  }, { signal });
  menu.watch(view);
  writing.watch(view);
  moderating.watch(view);
  finding.watch(view);
  keeping.watch(view);
  rooms.set(id, { view, item, preview, draft: "", mentions: [], about: null, typing: [], listed, last: listed?.lastMessage });
  roomList.append(item);
  logs.append(view.log);
  if (view.unread > 0) showUnread();
  // The server knows which of its rooms are one's own.
  if (listed) return keeping.restore(id);
  if (!kept.rooms.includes(id)) kept.rooms.push(id);
  keep();
  listen(id);
  keeping.restore(id);
}

/** Tells whoever does not see it. @param {RoomView} view @param {Message} message */
function tellOf(view, { id, senderId, type, content, mentions }) {
  const name = view.kept ? (view.kept.isPair ? undefined : view.kept.name) : inWords("roomTitle", { id: view.id });
  const text = type === "text" ? [...content].slice(0, NOTIFIED_MAX).join("") : undefined;
  const from = view.nameOf(senderId);
  const sender = meansMe(mentions, view.around.isMe) ? inWords("mentionedYou", { name: from }) : from;
  void push.tell({ room: String(view.id), id, name, sender, type, text });
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
  // What becomes of a file is said where it is shown.
  if (["left", "disconnected", "removed"].includes(error.code) || error.action === "createUpload") return;
  // So is what becomes of a message, and what a moderator asks is asked again.
  if (isPaced(error)) return;
  if (["barred", "rejected"].includes(error.code) && error.action === "sendMessage") return;
  if (error.code === "barred" && error.action === "joinRoom") return gone(id, "ban", error.retryAfterMs);
  if (error.code === "rejected") return complain("notChanged", { reason: error.message });
  const entry = rooms.get(id);
  if (entry?.listed) complain("namedProblem", { name: nameOf(entry), code: error.code }, error.message);
  else complain("roomProblem", { id, code: error.code }, error.message);
  if (error.action === "joinRoom") forget(id);
}

/** A room that one was taken out of. @param {string} id @param {string} reason @param {number} [retryAfterMs] */
function gone(id, reason, retryAfterMs) {
  const entry = rooms.get(id);
  if (reason === "ban") banned.set(id, Date.now() + (retryAfterMs ?? 0));
  if (entry) complain(...whyRemoved(reason, { name: entry.view.kept?.name, id }, retryAfterMs));
  forget(id);
}

/** @param {RoomView} view @param {Id} id */
function isOwner(view, id) {
  const owner = rooms.get(String(view.id))?.info?.owner;
  return owner !== undefined && String(owner) === String(id);
}

/** @param {RoomView} view */
function mayBar(view) {
  return isModerator(view.id) || isOwner(view, whoAmI().id);
}

/** @param {string} id */
function forget(id) {
  rooms.get(id)?.view.remove();
  rooms.get(id)?.item.remove();
  rooms.delete(id);
  kept.rooms = kept.rooms.filter((/** @type {string} */ room) => room !== id);
  if (kept.open === id) {
    open("");
    address.replace("");
  }
  keep();
  showTitle();
}

/** A room that one does not want any more. @param {string} id */
function drop(id) {
  rooms.get(id)?.view.discard();
  keeping.draft(id, { text: "" });
  forget(id);
}

/** Opens a room that was chosen. @param {string} id */
function visit(id) {
  open(id);
  address.push(id);
}

/** Where the browser went back to, or on to, or where an address leads. @param {Place} place */
function go(place) {
  if (!client) return void (wanted = place);
  if (place.room === "") {
    open("");
    return focusOnList();
  }
  if (!rooms.has(place.room) && !isKept(place.room)) addToList(place.room);
  wanted = place;
  lead();
  // By then the list has come.
  if (!making.hidden) missing();
}

/** An address leads to a room that one is not in. Of a new one, one may be notified before the list has it. */
function missing() {
  if (!wanted || wanted.isToCome) return;
  wanted = null;
  complain("problem", { code: "notJoined" });
}

/** Leads to where an address or a notification wants to, if that is there. The list of kept rooms may still have to come. */
function lead() {
  const now = wanted && rooms.get(wanted.room);
  if (!wanted || !now) return;
  const { room, id } = wanted;
  wanted = null;
  if (kept.open !== room) open(room);
  address.begin(room);
  text.focus();
  if (id !== undefined) void now.view.leadTo(id);
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
  writing.show(now?.view);
  moderating.show(now?.view);
  finding.show(now?.view);
  closeEmojis();
  mentions.close();
  // One is in a kept room until one quits, among its members.
  leave.hidden = now === undefined || now.listed !== undefined;
  if (now) sayRoom(roomTitle, id, now.listed?.name);
  else say(roomTitle, "noRoom");
  if (now?.listed) listen(id);
  // Who its owner is.
  if (now?.listed?.type && !now.info) void people.load(id);
  text.value = now?.draft ?? "";
  write(now?.about ?? null);
  fitText();
  people.close();
  news.textContent = "";
  people.show(id);
  showTyping(id, now?.typing ?? []);
  showNewer();
  showTitle();
  void push.clear();
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
  made.push({ word: "copyLink", run: () => void copyLink({ room: String(view.id), id }) });
  if (!isMe(message.senderId)) return [...made, ...moderating.choices(view, message)];
  if (message.type === "text") made.push({ word: "edit", run: () => begin({ what: "editing", id }, message.content) });
  made.push({ word: "recall", run: () => void view.recall(id) });
  return made;
}

/** @param {Place} place */
async function copyLink(place) {
  const link = location.origin + location.pathname + location.search + addressOf(place);
  try {
    await navigator.clipboard.writeText(link);
    say(done, "linkCopied");
    setTimeout(() => {
      done.removeAttribute("data-word");
      done.textContent = "";
    }, DONE_MS);
  } catch {
    // Where the browser allows no page to copy, people can.
    const field = create("input", "");
    [field.value, field.readOnly] = [link, true];
    const asked = question({ title: "copyLink", word: "linkIs", field, action: "close" });
    field.select();
    await asked;
  }
}

/** @param {About} what @param {string} [content] */
function begin(what, content) {
  if (content !== undefined || rooms.get(kept.open)?.about?.what === "editing") text.value = content ?? "";
  choose("text");
  write(what);
  keepDraft();
  fitText();
  text.focus();
}

function stopWriting() {
  if (rooms.get(kept.open)?.about?.what === "editing") text.value = "";
  write(null);
  fitText();
  keepDraft();
}

/** Says what is being written. @param {About | null} what */
function write(what) {
  const now = rooms.get(kept.open);
  if (now) now.about = what;
  const message = what && now?.view.message(what.id);
  about.hidden = !message;
  kind.disabled = what?.what === "editing";
  say(sendButton, kind.disabled ? "save" : "send");
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

/** What is kept of nobody. */
function unknown() {
  const anyId = String(1 + (crypto.getRandomValues(new Uint32Array(1))[0] % 99_999));
  const fields = { name: "", "user-id": anyId, picture: "" };
  return { rooms: /** @type {string[]} */ ([]), open: "1", isIn: false, moderates: false, fields };
}

function keep() {
  sessionStorage.setItem("chat", JSON.stringify(kept));
}

/** @param {Disconnected} why */
function showDisconnected(why) {
  if (!client) return;
  if (why.willRetry) return status.lost(why);
  signingIn?.forget();
  showEntry();
  complain("refused", { code: why.code }, why.reason);
}

/** The room and what was written in it are there again after the next sign-in. */
function signInEnded() {
  if (!client) return;
  showEntry();
  complain("signInEnded");
}

/** @param {string} word @param {Record<string, unknown>} [values] @param {string} [detail] For people who want to know more. */
function complain(word, values, detail = "") {
  notice.hidden = false;
  notice.title = detail;
  say(notice, word, values);
}

/** The way down, as long as there is something below. */
function showNewer() {
  const view = rooms.get(kept.open)?.view;
  const unread = view?.unread ?? 0;
  newer.hidden = !view || (unread === 0 && view.isAtEnd);
  if (unread > 0) say(newer, "newer", { count: unread });
  else say(newer, "toEnd");
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
