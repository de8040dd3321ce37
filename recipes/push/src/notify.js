// @ts-check
/** An event of the chat comes in: whoever is in the room, and was not there, is notified. */
import { createHash } from "node:crypto";
import { NAME_CHARS_MAX, POSTS_AT_ONCE, PREVIEW_CHARS_MAX } from "./limits.js";
import { isTaken } from "./services.js";
import { setting, tables } from "./settings.js";
import { nameOf } from "./store.js";
import { pusher } from "./web-push.js";

/** @import { Row, Subscription } from "./store.js" */
/** A browser that is to be told. @typedef {Subscription & { user: string, isMeant: boolean }} Due */

const db = tables();
const post = pusher({ publicKey: setting("VAPID_PUBLIC_KEY"), privateKey: setting("VAPID_PRIVATE_KEY"), contact: setting("CONTACT") });
const services = setting("PUSH_SERVICES");
const showsPreview = setting("PREVIEW") === "on";

/** @param {{ detail: { event: string, room: string, key: string } }} event */
export async function handler({ detail: { event, room: partition, key } }) {
  // The rule asks for nothing else. Locally all events come here.
  const [, room] = /^ROOM#([gp]-[\w-]{22})$/.exec(partition) ?? [];
  if (event !== "INSERT" || !room || !key.startsWith("MSG#")) return;

  // As it is by now: an event may be hours old, and what was recalled is told to nobody.
  const { info, head, message } = await db.message(room, key);
  if (!info || !message || message.isVoid || message.deletedAt || message.eraseTime) return;
  const left = await db.leftOf(room, key);
  if (left?.size === 0) return;

  const due = (await whom(room, info, head, message)).filter(({ endpoint }) => left?.has(nameOf(endpoint)) ?? true);
  if (due.length === 0) return;
  const people = await db.people([...new Set([String(message.senderId), ...due.map(({ user }) => user)])]);
  // Whoever was shut out since is not told what is said.
  const wanted = due.filter(({ user, issuedAt }) => !(people.get(user)?.revokedAt >= issuedAt));
  const { failed, gone, refused } = await postAll(wanted, words(room, info, message, people));

  await db.tell(room, key, failed);
  await Promise.all([...gone].map(([user, endpoints]) => db.remove(user, endpoints)));
  console.log(JSON.stringify({ posts: wanted.length, failed: failed.length, gone: [...gone.values()].flat().length, refused }));
  // Lambda tries again, and then there are only those.
  if (failed.length > 0) throw new Error(`${failed.length} of ${wanted.length} posts are to be tried again`);
}

/** The browsers of those who are in the room and heard nothing. @param {string} room @param {Row} info @param {Row | undefined} head @param {Row} message */
async function whom(room, info, head, message) {
  const listening = await db.listening(room);
  const now = Date.now() / 1_000;
  const absent = [...(info.members ?? [])].filter((user) => user !== String(message.senderId) && !listening.has(user) && !(head?.banned?.[user] > now));
  const meant = new Set((message.mentions ?? []).map(String));
  /** @type {Due[]} */ const due = [];
  for (const [user, subscriptions] of await db.subscriptions(absent)) {
    // The list of hosts may be shorter than it was.
    const taken = subscriptions.filter(({ endpoint }) => isTaken(endpoint, services));
    due.push(...taken.map((subscription) => ({ ...subscription, user, isMeant: meant.has(user) })));
  }
  return due;
}

/** What a browser is told, and under which name. @param {string} room @param {Row} info @param {Row} message @param {Map<string, Row>} people */
function words(room, info, message, people) {
  const sender = people.get(String(message.senderId));
  const told = {
    room,
    id: message.id,
    name: info.kind === "group" ? cut(info.name, NAME_CHARS_MAX) : undefined,
    sender: cut(sender?.nickName || sender?.username || String(message.senderId), NAME_CHARS_MAX),
    type: message.kind,
    text: showsPreview && message.kind === "text" ? cut(message.content, PREVIEW_CHARS_MAX) : undefined,
  };
  // A topic has 32 characters at most, of these (RFC 8030, section 5.4).
  const topic = createHash("sha256").update(`${room}#${message.id}`).digest("base64url").slice(0, 32);
  return { told, topic };
}

/** By characters, as people count them. @param {string} text @param {number} most */
function cut(text, most) {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}

/** @param {Due[]} due @param {ReturnType<typeof words>} words */
async function postAll(due, { told, topic }) {
  /** @type {string[]} */ const failed = [];
  /** By user. @type {Map<string, string[]>} */ const gone = new Map();
  let refused = 0;
  /** @param {Iterable<Due>} waiting Shared by all who post. */
  async function postInTurn(waiting) {
    for (const target of waiting) {
      const text = JSON.stringify({ ...told, user: target.user });
      const status = await post(target, text, { topic, urgency: target.isMeant ? "high" : "normal" });
      if (status === 404 || status === 410) gone.set(target.user, [...(gone.get(target.user) ?? []), target.endpoint]);
      else if (status === 0 || status === 429 || status >= 500) failed.push(target.endpoint);
      else if (status >= 300) {
        refused++;
        // The path is the browser's secret.
        console.error(JSON.stringify({ level: "ERROR", message: "a push service refused", host: new URL(target.endpoint).host, status }));
      }
    }
  }
  // Whom the message means are told before anybody else is.
  for (const some of [due.filter(({ isMeant }) => isMeant), due.filter(({ isMeant }) => !isMeant)]) {
    const waiting = some.values();
    await Promise.all(Array.from({ length: POSTS_AT_ONCE }, () => postInTurn(waiting)));
  }
  return { failed, gone, refused };
}
