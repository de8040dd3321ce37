// @ts-check
/**
 * The whole way: the page subscribes, its window is closed, somebody speaks, the recipe posts, the browser shows it, and a click
 * leads to the message. No push service can be reached from here. So the test makes the subscription, plays the push service,
 * decrypts the post, and hands what it says to the browser by DevTools. Everything else is as it is shipped.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { ChatClient, Kept, Online } from "../../../web/chat-client.js";
import { openWindow, startBrowser } from "../../../web/tests/browser.js";
import { startLocalRun } from "../../../web/tests/local-run.js";
import { comeIn, eventually, scan, texts } from "../../../web/tests/visitors.js";
import { newBrowser, signedBy, startPushService } from "./push-service.js";

/** @import { TestContext } from "node:test" */
/** @typedef {Awaited<ReturnType<typeof startBrowser>>} Browser */
/** @typedef {Awaited<ReturnType<Browser["newContext"]>>} BrowserContext */

const folder = await mkdtemp(join(tmpdir(), "push-"));
const events = join(folder, "events.jsonl");
const [browser, chat, service] = await Promise.all([startBrowser(), startLocalRun({ events }), startPushService({ after })]);
after(() => browser.close());
after(() => chat.stop());
/** Where the recipe is served. */
const push = await startRecipe();
after(() => rm(folder, { recursive: true }));
let users = 0;

it("tells somebody whose window is closed, and leads to the message", async (test) => {
  const guang = await friend(test, "Guang");
  const [dong, mei] = [await visit(test, "Dong"), await visit(test, "Mei")];
  await turnOn(mei);
  await mei.page.close();
  const group = await guang.client.createGroup("Harbour");
  for (const { id } of [dong, mei]) await guang.client.invite(group, id);
  const room = guang.client.room(group);
  await room.join();
  await room.send("Welcome.");
  await dong.page.locator("#rooms").getByText("Harbour").waitFor();
  await turnOn(dong);
  const { options } = await dong.subscribed();
  assert.deepEqual([options.userVisibleOnly, dong.asked()], [true, 1]);

  // Who is there is not told. Mei is away, so her post says that it was decided.
  await room.send("You are still here.");
  await until(() => mei.posts().length === 2);
  await dong.page.close();
  await until(() => room.onlineCount === 1);

  const { id } = await room.send("The boat leaves at nine.", { mentions: [dong.id] });
  await until(() => dong.posts().length > 0);
  const [post, ...more] = dong.posts();
  signedBy(post, options.applicationServerKey);
  assert.equal(post.headers.urgency, "high");
  const told = dong.browser.read(post);
  assert.deepEqual(told, { room: group, id, name: "Harbour", sender: "Guang", type: "text", text: "The boat leaves at nine.", user: String(dong.id) });
  assert.deepEqual(more, []);

  await dong.deliver(told);
  await eventually(() => dong.shown(), [{ title: "Harbour", body: "Guang: The boat leaves at nine.", tag: group }]);
  // Twice is once, and what comes late is not newer.
  for (const late of [told, { ...told, id: id - 1, text: "older" }, { ...told, room: "g-another", name: "Garden" }]) await dong.deliver(late);
  await eventually(async () => (await dong.shown()).map(({ title, body }) => [title, body]), [["Garden", "Guang: The boat leaves at nine."], ["Harbour", "Guang: The boat leaves at nine."]]);

  const address = await dong.click(group);
  assert.equal(new URL(address).origin + new URL(address).pathname, chat.page);
  const page = await dong.open(address);
  await comeIn(page, { name: "Dong", id: dong.id, room: "" });
  await page.getByRole("heading", { name: "Harbour" }).waitFor();
  await eventually(() => texts(page), ["Welcome.", "You are still here.", "The boat leaves at nine."]);
  await page.locator(`[data-id="${id}"].found`).waitFor();
  assert.equal(new URL(page.url()).hash, "");
  // What is looked at is no news any more.
  await eventually(async () => (await dong.shown()).map(({ title }) => title), ["Garden"]);
  assert.deepEqual(dong.complaints, []);
});

it("leads there in a window that is open, and shows nothing of a room that is looked at", async (test) => {
  const guang = await friend(test, "Guang");
  const dong = await visit(test, "Dong");
  const [harbour, garden] = [await guang.client.createGroup("Harbour"), await guang.client.createGroup("Garden")];
  for (const room of [harbour, garden]) await guang.client.invite(room, dong.id);
  const room = guang.client.room(garden);
  await room.join();
  await Promise.all(Array.from({ length: 60 }, (_, at) => room.send(`line ${at + 1}`)));
  await turnOn(dong);
  await dong.page.locator("#rooms button", { hasText: "Harbour" }).click();
  await dong.page.getByRole("heading", { name: "Harbour" }).waitFor();
  const told = { id: 3, sender: "Guang", type: "text", text: "line 3", user: String(dong.id) };
  await dong.deliver({ ...told, room: harbour, name: "Harbour" });
  await dong.deliver({ ...told, room: garden, name: "Garden" });
  await eventually(async () => (await dong.shown()).map(({ title }) => title), ["Garden"]);

  assert.equal(await dong.click(garden), "focus");
  await dong.page.getByRole("heading", { name: "Garden" }).waitFor();
  // It stands above the newest page.
  await dong.page.locator('[data-id="3"].found').waitFor();
  await eventually(() => dong.page.locator('[data-id="3"]').evaluate((line) => line === document.activeElement), true);
  // A window of somebody else's is left alone.
  await dong.deliver({ ...told, room: harbour, name: "Harbour", user: "somebody else" });
  await eventually(async () => (await dong.shown()).map(({ title }) => title), ["Harbour"]);
  assert.match(await dong.click(harbour), new RegExp(`#room=${harbour}&message=3$`));
  assert.equal(await dong.page.getByRole("heading", { name: "Garden" }).count(), 1);
  assert.deepEqual(dong.complaints, []);
});

it("speaks the page's language where it has no text to show", async (test) => {
  const dong = await visit(test, "Dong");
  await turnOn(dong);
  const told = { room: "g-a", id: 1, sender: "Guang", user: String(dong.id) };
  await dong.deliver({ ...told, type: "text" });
  await eventually(async () => (await dong.shown()).map(({ body }) => body), ["New message"]);
  await dong.page.getByLabel("Language").selectOption("中文");
  await dong.page.getByText("离开时通知我").waitFor();
  await dong.deliver({ ...told, id: 2, type: "image" });
  await eventually(async () => (await dong.shown()).map(({ title, body }) => [title, body]), [["Guang", "图片"]]);
  await dong.deliver({ ...told, id: 3, type: "text" });
  await eventually(async () => (await dong.shown()).map(({ body }) => body), ["新消息"]);
});

it("is turned off again, here and there, and stays as it was over a reload", async (test) => {
  const guang = await friend(test, "Guang");
  const dong = await visit(test, "Dong");
  const box = () => dong.page.getByLabel("Notify me when I am away");
  await turnOn(dong);
  await dong.page.reload();
  await dong.page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
  await eventually(() => box().isChecked(), true);
  assert.equal(dong.asked(), 1, "nobody is asked without a press");
  await box().click();
  await eventually(async () => [await box().isChecked(), await box().isEnabled(), await dong.subscribed()], [false, true, null]);
  await dong.page.close();
  const mei = await visit(test, "Mei");
  await turnOn(mei);
  await mei.page.close();
  const group = await guang.client.createGroup("Harbour");
  for (const { id } of [dong, mei]) await guang.client.invite(group, id);
  const room = guang.client.room(group);
  await room.join();
  // One event is done with before the next one begins.
  for (const text of ["one", "two"]) await room.send(text);
  await until(() => mei.posts().length === 2);
  assert.deepEqual(dong.posts(), []);
});

it("ends for whoever was notified by this browser before somebody else is", async (test) => {
  const dong = await visit(test, "Dong");
  await turnOn(dong);
  const mei = await dong.open(`${chat.page}?push=${push}`);
  await comeIn(mei, { name: "Mei", id: ++users, room: "" });
  const box = mei.getByLabel("Notify me when I am away");
  await box.waitFor();
  assert.equal(await box.isChecked(), false, "it is on for Dong");
  await box.click();
  await eventually(async () => [await box.isChecked(), await box.isEnabled()], [true, true]);
  assert.deepEqual(await mei.evaluate(() => /** @type {any} */ (window).pushed().ended), [dong.browser.subscription.endpoint]);
});

it("is off at another address than it was turned on for, which is sent no token", async (test) => {
  const dong = await visit(test, "Dong");
  await turnOn(dong);
  /** @type {(string | undefined)[]} */ const asked = [];
  const other = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(204, { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*" }).end();
  }).listen(0, "127.0.0.1");
  test.after(() => other.close());
  await once(other, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (other.address());
  const page = await dong.open(`${chat.page}?push=http://127.0.0.1:${port}/`);
  await comeIn(page, { name: "Dong", id: dong.id, room: "" });
  const box = page.getByLabel("Notify me when I am away");
  await box.waitFor();
  assert.equal(await box.isChecked(), false);
  // Whoever signs out there is notified by nobody any more.
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Name").waitFor();
  await eventually(() => page.evaluate(() => /** @type {any} */ (window).pushed().ended), [dong.browser.subscription.endpoint]);
  assert.deepEqual(asked, []);
});

it("says so where the browser does not allow it, and stays off", async (test) => {
  const dong = await visit(test, "Dong", { mayNotify: false });
  const box = dong.page.getByLabel("Notify me when I am away");
  await box.click();
  await dong.page.getByRole("alert").getByText("this browser does not allow it").waitFor();
  assert.deepEqual([await box.isChecked(), await box.isEnabled(), await dong.subscribed()], [false, true, null]);
});

it("asks nobody where the page was told of nobody who notifies", async (test) => {
  const dong = await visit(test, "Dong", { address: chat.page });
  assert.equal(await dong.page.getByText("Notify me when I am away").isVisible(), false);
  await dong.page.getByLabel("Notify me when this window is hidden").waitFor();
  assert.equal(await dong.page.evaluate(() => navigator.serviceWorker.getRegistrations().then(({ length }) => length)), 0);
});

it("is said before a token goes there, and nothing but a web address is one", async (test) => {
  const deployment = "ws=wss://chat.example.com/dev&http=https://history.example.com";
  const { page } = await visit(test, "Dong", { address: `${chat.page}?${deployment}&push=https://push.example.com/`, isIn: false });
  await page.getByText("Your token goes to chat.example.com, history.example.com, push.example.com, and nowhere else.").waitFor();
  await page.goto(`${chat.page}?push=javascript:alert(1)`);
  await page.getByText("“push” in this page's address must be an address of https: http:.").waitFor();
  assert.equal(await page.getByRole("button", { name: "Enter" }).isDisabled(), true);
});

it("needs a token, and takes none of another secret", async () => {
  const forged = `e30.${Buffer.from(JSON.stringify({ userId: 1, exp: 4_000_000_000 })).toString("base64url")}.AA`;
  for (const [authorization, status] of [[undefined, 401], ["Bearer nonsense", 403], [`Bearer ${forged}`, 403], [`Bearer ${await chat.token({ userId: 1 })}`, 200]]) {
    const headers = authorization ? { authorization: String(authorization) } : undefined;
    assert.equal((await fetch(`${push}/subscriptions`, { headers })).status, status);
  }
});

for (const [name, options] of /** @type {[string, object][]} */ ([["wide", { viewport: { width: 1_280, height: 800 } }], ["narrow", { viewport: { width: 360, height: 640 }, colorScheme: "dark" }]])) {
  it(`has nothing that an accessibility scan finds, ${name}`, async (test) => {
    const dong = await visit(test, "Dong", { options: { ...options, bypassCSP: true } });
    if (name === "narrow") await dong.page.getByRole("button", { name: "Back to the rooms" }).or(dong.page.locator("#rooms")).first().waitFor();
    await dong.page.getByLabel("Notify me when I am away").waitFor();
    await scan(dong.page, name);
    const [wide, available] = await dong.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= available, `${wide} pixels in ${available}`);
  });
}

/**
 * Somebody with a browser of their own, in which the push service is the test's.
 * @param {TestContext} test @param {string} name @param {{ address?: string, mayNotify?: boolean, isIn?: boolean, options?: object }} [how]
 */
async function visit(test, name, { address = `${chat.page}?push=${push}`, mayNotify = true, isIn = true, options = {} } = {}) {
  const id = ++users;
  const made = newBrowser(service.host);
  const context = await browser.newContext({ locale: "en-GB", ...options });
  test.after(() => context.close());
  if (mayNotify) await context.grantPermissions(["notifications"], { origin: new URL(chat.page).origin });
  let asked = 0;
  await context.exposeFunction("askedForPermission", () => void asked++);
  await context.addInitScript(standIn, made.subscription);
  // Another tab keeps the browser there when the window is closed, and speaks to its DevTools.
  const tools = await context.newPage();
  const devTools = await context.newCDPSession(tools);
  /** @type {Map<string, string>} */ const registrations = new Map();
  devTools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations: updated }) => {
    for (const { registrationId, scopeURL, isDeleted } of updated) if (!isDeleted) registrations.set(scopeURL, registrationId);
  });
  await devTools.send("ServiceWorker.enable");
  const { page, complaints } = await openWindow(context);
  await page.goto(address);
  if (isIn) await comeIn(page, { name, id, room: "" });

  return {
    id,
    page,
    complaints,
    browser: made,
    asked: () => asked,

    /** What the page has subscribed to. */
    subscribed: () => page.evaluate(() => /** @type {any} */ (window).pushed().now),

    /** What was posted to this browser. */
    posts: () => service.posts.filter(({ path }) => path === made.path),

    /** As the browser does when a push comes. @param {object} told */
    async deliver(told) {
      const scope = new URL("page/", chat.page).href;
      await until(() => registrations.has(scope));
      // On a slow machine a window takes longer to answer than one that is frozen is waited for.
      for (const running of context.serviceWorkers()) await running.evaluate(() => void (/** @type {any} */ (self).setTimeout = () => 0));
      await devTools.send("ServiceWorker.deliverPushMessage", { origin: new URL(chat.page).origin, registrationId: String(registrations.get(scope)), data: JSON.stringify(told) });
    },

    /** The notifications that are shown, by their titles. */
    shown: async () => (await worker(context)).evaluate(async () => {
      /** @type {Notification[]} */ const shown = await /** @type {any} */ (self).registration.getNotifications();
      return shown.map(({ title, body, tag }) => ({ title, body, tag })).sort((one, other) => (one.title < other.title ? -1 : 1));
    }),

    /**
     * Clicks a notification. DevTools has no way to, so the event is made in the service worker, whose browser then lets it neither
     * wait nor open a window: these two are the test's. Answers the address that was opened, or that a window was focused.
     * @param {string} tag
     */
    click: async (tag) => (await worker(context)).evaluate(async (tag) => {
      const scope = /** @type {any} */ (self);
      const [notification] = await scope.registration.getNotifications({ tag });
      const event = new scope.NotificationEvent("notificationclick", { notification });
      return await new Promise((resolve, reject) => {
        scope.clients.openWindow = async (/** @type {string} */ address) => resolve(address);
        scope.WindowClient.prototype.focus = async () => resolve("focus");
        event.waitUntil = (/** @type {Promise<void>} */ work) => work.catch(reject);
        scope.dispatchEvent(event);
      });
    }, tag),

    /** Another window of the same browser. @param {string} address */
    async open(address) {
      const opened = await openWindow(context);
      await opened.page.goto(address);
      return opened.page;
    },
  };
}

/** As somebody does at a terminal. Answers where `/subscriptions` is. */
async function startRecipe() {
  const options = ["--events", events, "--chat", chat.page, "--dynamodb", chat.dynamodb, "--port", "0", "--keys", join(folder, "keys.json")];
  const script = fileURLToPath(new URL("../local.js", import.meta.url));
  const recipe = spawn(process.execPath, [script, ...options], { env: { ...process.env, PUSH_SERVICES: service.host }, stdio: ["ignore", "pipe", "inherit"] });
  after(async () => {
    recipe.removeAllListeners("exit");
    if (recipe.exitCode === null && recipe.kill()) await once(recipe, "exit");
  });
  const lines = createInterface({ input: recipe.stdout });
  return /** @type {Promise<string>} */ (new Promise((resolve, reject) => {
    recipe.once("exit", () => reject(new Error("the recipe ended")));
    lines.on("line", (line) => line.startsWith("subscriptions ") && resolve(line.split(/ +/)[1]));
  }));
}

/** In place of what needs a push service. @param {{ endpoint: string, keys: object }} made */
function standIn(made) {
  /** @type {any} */ let now = JSON.parse(localStorage.getItem("standIn") ?? "null");
  /** @type {string[]} */ const ended = [];
  const keep = () => localStorage.setItem("standIn", JSON.stringify(now));
  const bytes = (/** @type {string} */ text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0)).buffer;
  const subscription = () => now && {
    endpoint: made.endpoint,
    options: { ...now.options, applicationServerKey: bytes(now.options.applicationServerKey) },
    toJSON: () => made,
    unsubscribe: async () => {
      ended.push(made.endpoint);
      now = null;
      keep();
    },
  };
  if (!("PushManager" in window)) return;
  PushManager.prototype.getSubscription = async () => subscription();
  PushManager.prototype.subscribe = async (options) => {
    now = { options };
    keep();
    return subscription();
  };
  const ask = Notification.requestPermission.bind(Notification);
  Notification.requestPermission = async () => {
    await /** @type {any} */ (window).askedForPermission();
    return ask();
  };
  /** @type {any} */ (window).pushed = () => ({ now, ended });
}

/** @param {BrowserContext} context */
async function worker(context) {
  const [running] = context.serviceWorkers();
  return running ?? context.waitForEvent("serviceworker");
}

/** @param {Pick<Awaited<ReturnType<typeof visit>>, "page">} visitor */
async function turnOn({ page }) {
  const box = page.getByLabel("Notify me when I am away");
  await box.click();
  await eventually(async () => [await box.isChecked(), await box.isEnabled()], [true, true]);
}

/** @param {() => boolean | Promise<boolean>} holds */
function until(holds) {
  return eventually(async () => await holds(), true);
}

/** @param {TestContext} test @param {string} nickName */
async function friend(test, nickName) {
  const id = ++users;
  const getToken = () => chat.token({ userId: id, username: nickName, nickName, rooms: "@mine" });
  const client = new ChatClient({ ...chat, getToken, WebSocket: /** @type {any} */ (WebSocket), features: [Kept, Online] });
  test.after(() => client.disconnect());
  await client.connect();
  return { client, id };
}
