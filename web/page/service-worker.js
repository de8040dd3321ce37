// @ts-check
/// <reference lib="webworker" />
/**
 * Shows what was said while nobody looked, as a push or a hidden page tells it, and leads there. It serves no files: its scope
 * is this folder, in which no page is. What it says of a notification, and where the page is, the page has put into the cache
 * (`push.js`).
 */

/** What a push brings, or a page. @typedef {{ room: string, id: number, user: string, name?: string, sender: string, type: string, text?: string }} Told */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** A window that is frozen does not answer. A browser lets a click open a window for some seconds. In milliseconds. */
const PATIENCE_MS = 2_000;
let turns = Promise.resolve();

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("push", (event) => event.waitUntil(inTurn(event.data?.json())));
worker.addEventListener("message", (event) => event.waitUntil(inTurn(event.data)));
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(lead(event.notification.data));
});

/** One after the other: of two that come at once, each must see what the other shows. @param {Told} told */
function inTurn(told) {
  return (turns = turns.catch(() => {}).then(() => tell(told)));
}

/** One notification for each room: the newest message replaces what was shown. @param {Told} told */
async function tell({ room, id, user, name, sender, type, text }) {
  const answers = await Promise.all((await windows()).map((window) => ask(window, { asks: "shows", room, user })));
  if (answers.includes(true)) return;
  const [shown] = await worker.registration.getNotifications({ tag: room });
  // A post that comes twice, or late, says nothing new.
  if (shown?.data.id >= id) return;
  const { words } = await settings();
  const said = text ?? words[type] ?? words.text ?? "…";
  const options = { body: name ? `${sender}: ${said}` : said, tag: room, renotify: true, data: { room, id, user } };
  await worker.registration.showNotification(name ?? sender, options);
}

/** To the message, in a window that is open, or in a new one. @param {Pick<Told, "room" | "id" | "user">} told */
async function lead({ room, id, user }) {
  // One after the other: only one of them is to open it.
  for (const window of await windows()) {
    if (await ask(window, { asks: "open", room, id, user })) return void (await window.focus());
  }
  const { page = new URL("../", worker.location.href).href } = await settings();
  await worker.clients.openWindow(`${page}#${new URLSearchParams({ room, message: String(id) })}`);
}

/** The page is outside of the scope. */
function windows() {
  return worker.clients.matchAll({ type: "window", includeUncontrolled: true });
}

/** Whether a window says yes. @param {WindowClient} window @param {object} question @returns {Promise<boolean>} */
function ask(window, question) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data === true);
    setTimeout(resolve, PATIENCE_MS, false);
    window.postMessage(question, [port2]);
  });
}

/** @returns {Promise<{ page?: string, words: Record<string, string> }>} */
async function settings() {
  const kept = await (await caches.open("push")).match("settings");
  return kept ? await kept.json() : { words: {} };
}
