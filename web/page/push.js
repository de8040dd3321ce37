// @ts-check
/**
 * Notifications: a switch, and what becomes of it. What is said while the window is hidden, the page itself tells. What is said
 * while no window is open is told by whoever `?push=…` names. `service-worker.js` shows both, so that nothing is shown twice,
 * and asks here whether somebody looks at the room already.
 */
import { urlOf } from "./dom.js";
import { inWords, say } from "./words.js";

/** What was said, as the service worker wants it. @typedef {{ room: string, id: number, name?: string, sender: string, type: string, text?: string }} Told */

/**
 * What the page does for it.
 * @typedef {object} Page
 * @property {() => string | undefined} user Who is in.
 * @property {(room: string) => boolean} shows Whether a room is the one that is open.
 * @property {(room: string, id: number) => void} lead Opens a room at a message, as soon as it is there.
 * @property {(code: string, message?: string) => void} complain
 */

/** Whom this browser notifies, and who tells it, if anybody does: a browser has one subscription, whoever is in. */
const NOTIFIED = "notifies";
/** In the folder of this file, as the service worker is. */
const SETTINGS = new URL("settings", import.meta.url);
const CACHE = "push";
const WORKER = new URL("service-worker.js", import.meta.url);

/** Only on secure pages. */
const canShow = "serviceWorker" in navigator && "Notification" in window;

/** Where notifications are turned on, if this browser can be pushed any. @param {URLSearchParams} query */
export function pushUrl(query) {
  const url = urlOf(query.get("push") ?? "", ["https:", "http:"]);
  return url && canShow && "PushManager" in window ? url : null;
}

export class Push {
  #line;
  #box;
  #page;
  /** @type {URL | null} */ #url = null;
  /** @type {() => Promise<string>} */ #token = async () => "";

  /** @param {HTMLElement} line @param {HTMLInputElement} box @param {Page} page */
  constructor(line, box, page) {
    this.#line = line;
    this.#box = box;
    this.#page = page;
    box.addEventListener("change", () => void this.#turn());
    // The language may be another one.
    document.getElementById("language")?.addEventListener("change", () => this.#isOn && void this.#tellWorker());
    navigator.serviceWorker?.addEventListener("message", ({ data, ports }) => ports[0]?.postMessage(this.#answer(data)));
    document.addEventListener("visibilitychange", () => void this.clear());
  }

  /** Somebody came in. @param {URL | null} url @param {() => Promise<string>} token */
  async start(url, token) {
    [this.#url, this.#token] = [url, token];
    this.#line.hidden = !canShow;
    const words = this.#line.querySelector("span");
    if (words) say(words, url ? "notify" : "notifyHidden");
    this.#box.checked = false;
    if (!canShow || !this.#isOn || Notification.permission !== "granted") return;
    if (!url) {
      this.#box.checked = (await navigator.serviceWorker.getRegistration(WORKER.href)) !== undefined;
      return;
    }
    const registration = await navigator.serviceWorker.getRegistration(WORKER.href);
    const subscription = await registration?.pushManager.getSubscription();
    if (!registration || !subscription) return;
    this.#box.checked = true;
    try {
      await this.#tellWorker();
      const { publicKey } = await this.#ask("POST", subscription.toJSON());
      // One that was made with another key hears nothing any more.
      if (publicKey !== keyOf(subscription)) await this.#subscribe(registration, publicKey);
    } catch {
      // It is good for weeks, and the page will come again.
    }
  }

  /** Somebody said something, and the window is there but nobody sees it. @param {Told} told */
  async tell(told) {
    const user = this.#page.user();
    if (!document.hidden || !this.#box.checked || user === undefined) return;
    const registration = await navigator.serviceWorker.getRegistration(WORKER.href);
    registration?.active?.postMessage({ ...told, user });
  }

  /** Nobody who comes after this user is to see anything of it. */
  async end() {
    if (!canShow) return;
    if (this.#notified.user === this.#page.user()) await this.#turnOff();
    this.#box.checked = false;
    const registration = await navigator.serviceWorker.getRegistration(WORKER.href);
    for (const shown of (await registration?.getNotifications()) ?? []) if (shown.data?.user === this.#page.user()) shown.close();
    await caches.delete(CACHE);
  }

  /** What is looked at needs no notification. */
  async clear() {
    if (this.#line.hidden || document.visibilityState !== "visible") return;
    const registration = await navigator.serviceWorker.getRegistration(WORKER.href);
    for (const shown of (await registration?.getNotifications()) ?? []) {
      if (shown.data?.user === this.#page.user() && this.#page.shows(shown.data.room)) shown.close();
    }
  }

  /** @returns {{ user?: string, url?: string }} */
  get #notified() {
    return JSON.parse(localStorage.getItem(NOTIFIED) ?? "{}");
  }

  /** Whoever makes a link with another address in it gets nobody's token. */
  get #isOn() {
    const { user, url } = this.#notified;
    return user !== undefined && user === this.#page.user() && url === this.#url?.href;
  }

  /** @param {{ asks: "shows" | "open", room: string, id: number, user: string }} question */
  #answer({ asks, room, id, user }) {
    const me = this.#page.user();
    if (asks === "shows") return me === user && document.visibilityState === "visible" && this.#page.shows(room);
    // Another window may be somebody else's. Where nobody is in, it is opened when somebody is.
    if (me !== undefined && me !== user) return false;
    this.#page.lead(room, id);
    return true;
  }

  async #turn() {
    const isOn = this.#box.checked;
    this.#box.disabled = true;
    try {
      await (isOn ? this.#turnOn() : this.#turnOff());
    } catch (caught) {
      this.#box.checked = !isOn;
      const { code, message } = /** @type {{ code?: unknown, message?: string }} */ (caught);
      this.#page.complain(typeof code === "string" ? code : "notifyFailed", message);
    }
    this.#box.disabled = false;
    // What is disabled loses it.
    if (document.activeElement === document.body) this.#box.focus();
  }

  async #turnOn() {
    if ((await Notification.requestPermission()) !== "granted") throw Object.assign(new Error("not allowed"), { code: "notifyDenied" });
    if (this.#url) {
      const { publicKey } = await this.#ask("GET");
      await this.#subscribe(await readyWorker(), publicKey);
    } else await readyWorker();
    localStorage.setItem(NOTIFIED, JSON.stringify({ user: this.#page.user(), url: this.#url?.href }));
    await this.#tellWorker();
  }

  /** @param {ServiceWorkerRegistration} registration @param {string} publicKey */
  async #subscribe({ pushManager }, publicKey) {
    // One that is there may be of somebody who was here before: it ends, and nobody hears the other's messages.
    await (await pushManager.getSubscription())?.unsubscribe();
    const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: publicKey });
    await this.#ask("POST", subscription.toJSON());
  }

  async #turnOff() {
    const isKnown = this.#url && this.#isOn;
    localStorage.removeItem(NOTIFIED);
    const registration = await navigator.serviceWorker.getRegistration(WORKER.href);
    const subscription = await registration?.pushManager.getSubscription();
    // If the server is not told, it is told by the push service.
    if (isKnown && subscription) await this.#ask("DELETE", { endpoint: subscription.endpoint }).catch(() => {});
    await subscription?.unsubscribe();
  }

  /** @param {"GET" | "POST" | "DELETE"} method @param {object} [body] */
  async #ask(method, body) {
    const headers = { Authorization: `Bearer ${await this.#token()}`, "Content-Type": "application/json" };
    const base = String(this.#url).replace(/\/?$/, "/");
    const response = await fetch(new URL("subscriptions", base), { method, headers, body: body && JSON.stringify(body) }).catch((caught) => {
      throw Object.assign(new Error(caught.message), { code: "unreachable" });
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const code = answer.code ?? (response.status === 401 || response.status === 403 ? "refused" : "internal");
    throw Object.assign(new Error(answer.message ?? `the server answered ${response.status}`), { code });
  }

  /** What the service worker needs when no page is open. */
  async #tellWorker() {
    const words = { text: inWords("someMessage"), image: inWords("image"), file: inWords("file") };
    const page = location.origin + location.pathname + location.search;
    await (await caches.open(CACHE)).put(SETTINGS, new Response(JSON.stringify({ page, words })));
  }
}

/** Which key a subscription was made with, as the server writes it. @param {PushSubscription} subscription */
function keyOf({ options }) {
  const bytes = new Uint8Array(options.applicationServerKey ?? new ArrayBuffer(0));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** The page's policy lets no text become code. What it lets through makes one address of any text. @type {{ createScriptURL(text: string): string } | undefined} */
let policy;

/** Registers the service worker, and waits until it can take a push. */
async function readyWorker() {
  policy ??= /** @type {any} */ (window).trustedTypes?.createPolicy("service-worker", { createScriptURL: () => WORKER.href });
  const registration = await navigator.serviceWorker.register(policy?.createScriptURL("") ?? WORKER.href);
  const worker = registration.installing ?? registration.waiting;
  while (worker && !registration.active) {
    await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
    if (worker.state === "redundant") throw new Error("the service worker could not be installed");
  }
  return registration;
}
