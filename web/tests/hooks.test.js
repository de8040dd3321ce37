// @ts-check
/** The hooks for React and the composables for Vue, in a browser and on a server that does as it is told. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import WebSocket from "ws";
import { ChatClient, Online, Rounds } from "../chat-client.js";
import { sharedRoom } from "../hooks/shared-room.js";
import { openWindow, startBrowser } from "./browser.js";
import { installed } from "./installed.js";
import { until } from "./listening.js";
import { TOKEN, answer, startScriptedServer } from "./scripted-server.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, Page } from "playwright-core" */
/** @import { Id } from "../chat-client.js" */

/** @type {Record<string, { file: string, oldest?: string[] }>} */
const FRAMEWORKS = {
  React: { file: "react.tsx" },
  Vue: { file: "vue.ts" },
  "the oldest React": { file: "react.tsx", oldest: ["react", "react-dom"] },
  "the oldest Vue": { file: "vue.ts", oldest: ["vue"] },
};
const ENVIRONMENT = { "process.env.NODE_ENV": '"development"', __VUE_OPTIONS_API__: "true", __VUE_PROD_DEVTOOLS__: "false", __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false" };

/** @type {Browser} */ let browser;
before(async () => void (browser = await startBrowser()));
after(() => browser.close());

for (const [framework, { file, oldest = [] }] of Object.entries(FRAMEWORKS)) {
  describe(`a room in ${framework}`, { concurrency: 4 }, () => {
    /** @type {string} */ let script;
    before(async () => {
      const entryPoints = [fileURLToPath(new URL(`hooks/${file}`, import.meta.url))];
      const alias = Object.fromEntries(await Promise.all(oldest.map(async (name) => [name, join(await installed("oldest"), "node_modules", name)])));
      if (oldest.length > 0) assert.match(await readFile(join(alias[oldest[0]], "package.json"), "utf8"), /"version": "(18\.0|3\.3)\.0"/);
      // In an application the package is installed; here it is this folder.
      const made = await build({ entryPoints, bundle: true, write: false, format: "esm", jsx: "automatic", define: ENVIRONMENT, alias });
      script = made.outputFiles[0].text;
    });

    it("is one for two components, and is left when the last one goes", async (test) => {
      const { server, page, show, items, frames } = await opened(test);
      for (let count = 0; count < 3; count++) server.say(1, { ageMs: 60_000 });
      await show("two");
      for (const name of ["first", "second"]) await items(name, ["message 1", "message 2", "message 3"]);
      assert.deepEqual([frames("joinRoom"), server.asked.length], [1, 1]);
      await page.getByRole("button", { name: "Send" }).first().click();
      for (const name of ["first", "second"]) await items(name, ["message 1", "message 2", "message 3", "from here"]);
      await show("log");
      server.say(1);
      await items("log", ["message 1", "message 2", "message 3", "from here", "message 5"]);
      assert.equal(frames("leaveRoom"), 0, "the other one is still there");
      await show("nothing");
      await until(() => frames("leaveRoom") === 1);
      assert.equal(frames("joinRoom"), 1);
    });

    // What else is promised is tried with the newest.
    if (oldest.length > 0) return;

    it("is not left where one screen takes another's place", async (test) => {
      const { server, show, items, frames } = await opened(test);
      await show("log");
      await until(() => frames("joinRoom") === 1);
      server.say(1);
      await items("log", ["message 1"]);
      await show("other screen");
      await items("there", ["message 1"]);
      server.say(1);
      await items("there", ["message 1", "message 2"]);
      assert.deepEqual([frames("joinRoom"), frames("leaveRoom")], [1, 0]);
    });

    it("is heard by nobody who has gone: who comes again is told everything once", async (test) => {
      const { server, show, items, frames } = await opened(test);
      await show("log");
      await until(() => frames("joinRoom") === 1);
      server.say(1);
      await items("log", ["message 1"]);
      await show("nothing");
      await until(() => frames("leaveRoom") === 1);
      server.say(1);
      await show("log");
      await items("log", ["message 1", "message 2"]);
      server.say(1);
      await items("log", ["message 1", "message 2", "message 3"]);
    });

    it("is another one when its id is another one", async (test) => {
      const { server, show, items, frames } = await opened(test);
      server.say(1, { content: "here", ageMs: 60_000 });
      server.say("elsewhere", { content: "there", ageMs: 60_000 });
      await show("log");
      await items("log", ["here"]);
      await show("other room");
      await items("log", ["there"]);
      await until(() => frames("leaveRoom") === 1);
      assert.deepEqual(server.frames("leaveRoom").map(({ chatroomId }) => chatroomId), [1]);
    });

    it("says who is there and who types", async (test) => {
      const { server, page, show } = await opened(test);
      server.joined = { online: [8, 7], onlineCount: 2 };
      await show("people");
      await page.getByText("2 here: 8,7").waitFor();
      server.tell(1, { type: "joinRoom", chatroomId: 1, userId: 9 });
      await page.getByText("3 here: 8,7,9").waitFor();
      await show("typing");
      server.tell(1, { type: "signal", chatroomId: 1, userId: 8, kind: "typing" });
      await page.getByText("typing: 8").waitFor();
      server.say(1);
      await page.getByText("typing:", { exact: true }).waitFor();
    });

    it("says why one is not in it, and asks again", async (test) => {
      const { server, page, show, frames } = await opened(test);
      let isBarred = true;
      server.answer = ({ action, requestId, chatroomId }, peer) => {
        if (action !== "joinRoom" || !isBarred) return false;
        peer.push({ type: "error", code: "notAllowed", message: "no", action, requestId, chatroomId });
        return true;
      };
      await show("state");
      await page.getByText("notAllowed").waitFor();
      isBarred = false;
      await page.getByRole("button", { name: "Join" }).click();
      await page.getByText("in", { exact: true }).waitFor();
      server.tell(1, { type: "removed", chatroomId: 1, reason: "kick" });
      await page.getByText("removed").waitFor();
      await page.getByRole("button", { name: "Join" }).click();
      await page.getByText("in", { exact: true }).waitFor();
      assert.equal(frames("joinRoom"), 3);
    });

    it("draws once for all that a frame brings", async (test) => {
      const { server, page, show, items, frames } = await opened(test);
      await show("log");
      await until(() => frames("joinRoom") === 1);
      server.enterRounds(1);
      server.say(1);
      server.round(1);
      await items("log", numbers(1, 1));
      const renders = () => page.evaluate(() => /** @type {any} */ (globalThis).seen.renders);
      const earlier = await renders();
      for (let count = 0; count < 100; count++) server.say(1);
      server.round(1);
      await items("log", numbers(1, 101));
      // StrictMode renders twice.
      assert.ok((await renders()) - earlier <= 2, `${(await renders()) - earlier} renders`);
    });

    // What both have from the same file is tried once.
    if (framework === "Vue") return;

    it("has its history for who comes late, whoever entered it", async (test) => {
      const { server, page, show, items, frames } = await opened(test);
      server.say(1, { ageMs: 60_000 });
      await show("typing");
      await until(() => frames("joinRoom") === 1);
      const told = await listening(page, 1);
      server.say(1);
      await told();
      assert.equal(server.asked.length, 0, "whoever only types needs none");
      await show("typing, and a log");
      await items("log", ["message 1", "message 2"]);
      // The application enters another room by itself, and is told a message, before a component shows it.
      await page.evaluate(() => /** @type {any} */ (globalThis).seen.client.room("elsewhere").join());
      const toldThere = await listening(page, "elsewhere");
      server.say("elsewhere", { ageMs: 60_000 });
      await toldThere();
      await show("other room");
      await items("log", ["message 1"]);
      server.say("elsewhere");
      await items("log", ["message 1", "message 2"]);
    });

    it("is read page by page", async (test) => {
      const { server, page, show, items } = await opened(test);
      for (let count = 0; count < 60; count++) server.say(1, { ageMs: 60_000 });
      let failures = 1;
      server.answerHistory = (response) => failures-- > 0 && answer(response, 500, {});
      await show("log");
      // The first page could not be read, and can be asked for again.
      await page.getByRole("button", { name: "Older" }).click();
      await items("log", numbers(11, 60));
      await page.getByRole("button", { name: "Older" }).click();
      await items("log", numbers(1, 60));
      assert.equal(await page.getByRole("button", { name: "Older" }).count(), 0);
    });

    it("has each message as it is now", async (test) => {
      const { server, show, items } = await opened(test);
      for (let count = 0; count < 3; count++) server.say(1, { ageMs: 60_000 });
      await show("log");
      await items("log", ["message 1", "message 2", "message 3"]);
      server.change(1, 1, { content: "edited" });
      server.change(1, 2);
      server.react(1, 3, "👍");
      await items("log", ["edited", "recalled", "message 3👍"]);
    });

    it("is read again where too much has changed", async (test) => {
      const { server, page, show, items } = await opened(test);
      for (let count = 0; count < 2; count++) server.say(1, { ageMs: 60_000 });
      await show("log");
      await items("log", ["message 1", "message 2"]);
      server.room(1).messages.set(1, { ...server.say(1, { id: 1, isPushed: false, ageMs: 60_000 }), content: "another text" });
      await page.evaluate(() => /** @type {any} */ (globalThis).seen.client.room(1).dispatchEvent(new CustomEvent("stale", { detail: null })));
      await items("log", ["another text", "message 2"]);
      server.say(1);
      await items("log", ["another text", "message 2", "message 3"]);
    });

    it("is entered over a connection that the application opens again", async (test) => {
      const { server, page, show, items } = await opened(test, { connects: false });
      server.say(1, { ageMs: 60_000 });
      await show("log");
      // As an effect of an application does, when StrictMode runs it twice.
      await page.evaluate(async () => {
        const { client } = /** @type {any} */ (globalThis).seen;
        client.connect().catch(() => {});
        client.disconnect();
        await client.connect();
      });
      await items("log", ["message 1"]);
    });

    it("is the same in all of a tree that is rendered while a message comes", async (test) => {
      const { server, page, show, items, frames } = await opened(test);
      await show("readers");
      await until(() => frames("joinRoom") === 1);
      server.say(1);
      await items("log", numbers(1, 1));
      const seen = () => page.evaluate(() => {
        const { during, torn } = /** @type {any} */ (globalThis).seen;
        return /** @type {{ during: number[], torn: number[][] }} */ ({ during, torn });
      });
      await page.evaluate(() => {
        const { client, during } = /** @type {any} */ (globalThis).seen;
        const wait = () => (during.length > 3 ? client.room(1).send("meanwhile") : setTimeout(wait));
        setTimeout(wait);
      });
      await page.getByRole("button", { name: "Open" }).click();
      await items("log", ["message 1", "meanwhile"]);
      await page.locator("i").nth(59).waitFor();
      const { during, torn } = await seen();
      assert.ok(during.indexOf(2) > 0 && during.indexOf(2) < 120, `a message came while it rendered: ${during}`);
      for (const counts of torn) assert.equal(new Set(counts).size, 1, `${counts}`);
      assert.ok(torn.length > 0);
    });

    /** A window with a client. @param {TestContext} test */
    async function opened(test, { connects = true } = {}) {
      const server = await startScriptedServer(test);
      const chat = JSON.stringify({ url: server.url, historyUrl: server.historyUrl, token: TOKEN });
      server.answerPage = (path, response) => {
        if (path.startsWith("/chat-history")) return false;
        const isScript = path === "/application.js";
        response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
        response.end(isScript ? script : `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body><script>window.chat = ${chat}</script><script type="module" src="application.js"></script>`);
        return true;
      };
      const context = await browser.newContext();
      test.after(() => context.close());
      const { page, complaints } = await openWindow(context);
      // What fails, fails soon.
      page.setDefaultTimeout(10_000);
      await page.goto(new URL("/", server.historyUrl).href);
      const show = (/** @type {string} */ name) => page.evaluate((name) => /** @type {any} */ (globalThis).seen.show(name), name);
      if (connects) await page.evaluate(() => /** @type {any} */ (globalThis).seen.client.connect());
      return { server, page, complaints, show, items: itemsOf(page), frames: (/** @type {string} */ action) => server.frames(action).length };
    }
  });
}

describe("what frameworks share", () => {
  it("tells once for all that a task brings", async (test) => {
    const server = await startScriptedServer(test);
    const client = new ChatClient({ ...server, getToken: () => TOKEN, features: [Rounds], WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    const { messages } = sharedRoom(client, 1);
    let told = 0;
    test.after(messages.subscribe(() => told++));
    await client.connect();
    await until(() => server.asked.length === 1 && !messages.get().isLoading);
    const [before, shown] = [told, messages.get()];
    server.enterRounds(1);
    for (let count = 0; count < 100; count++) server.say(1);
    server.round(1);
    await until(() => messages.get().messages.length === 100);
    assert.deepEqual([told - before, shown.messages], [1, []], "and what was given out before does not change");
  });

  it("keeps the newest of very many, until older ones are asked for", async (test) => {
    const server = await startScriptedServer(test);
    const client = new ChatClient({ ...server, getToken: () => TOKEN, WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    const room = sharedRoom(client, 1);
    const { messages } = room;
    test.after(messages.subscribe(() => {}));
    await client.connect();
    await until(() => server.asked.length === 1 && !messages.get().isLoading);
    const ids = () => messages.get().messages.map(({ id }) => id);
    const range = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
    for (let count = 0; count < 600; count++) server.say(1);
    await until(() => ids().length === 600);
    assert.equal(messages.get().hasOlder, false);
    server.say(1);
    await until(() => ids().at(-1) === 601);
    assert.deepEqual([ids(), messages.get().hasOlder], [range(202, 601), true]);
    await room.loadOlder();
    await until(() => ids().length === 450);
    assert.deepEqual(ids(), range(152, 601));
    // The reader's place is up there now.
    for (let count = 0; count < 200; count++) server.say(1);
    await until(() => ids().at(-1) === 801);
    assert.deepEqual(ids(), range(152, 801));
  });
});

describe("what frameworks share of a room that the application entered", () => {
  it("says who was there already", async (test) => {
    const server = await startScriptedServer(test);
    server.joined = { online: [8, 7], onlineCount: 2 };
    const client = new ChatClient({ ...server, getToken: () => TOKEN, features: [Online], WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    // As a component's first rendering does.
    const { online } = sharedRoom(client, 1);
    void client.connect();
    await client.room(1).join();
    test.after(online.subscribe(() => {}));
    await until(() => online.get().onlineCount === 2);
    assert.deepEqual([...online.get().online.keys()], [8, 7]);
  });
});

describe("a server that renders", () => {
  it("enters no room", async (test) => {
    const server = await startScriptedServer(test);
    const client = new ChatClient({ ...server, getToken: () => TOKEN, WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    await client.connect();
    const [{ createElement }, { renderToString }, react] = await Promise.all([import("react"), import("react-dom/server"), import("../hooks/react.js")]);
    const Log = () => createElement("p", null, `${react.useMessages(client, 1).messages.length} messages, ${react.useRoom(client, 1).entered}`);
    assert.equal(renderToString(createElement(Log)), "<p>0 messages, false</p>");
    const [{ createSSRApp, h }, server_, vue] = await Promise.all([import("vue"), import("vue/server-renderer"), import("../hooks/vue.js")]);
    const Page = { setup: () => { const { messages } = vue.useMessages(client, 1); return () => h("p", messages.value.length); } };
    assert.equal(await server_.renderToString(createSSRApp(Page)), "<p>0</p>");
    // Whatever was sent before it has come by then.
    await client.room(2).join();
    assert.deepEqual(server.frames("joinRoom").map(({ chatroomId }) => chatroomId), [2]);
  });
});

/** Waits for the next message of a room in the window, from here on. @param {Page} page @param {Id} room */
async function listening(page, room) {
  const heard = await page.evaluateHandle((id) => {
    const room = /** @type {any} */ (globalThis).seen.client.room(id);
    const message = new Promise((resolve) => room.addEventListener("message", () => resolve(null), { once: true }));
    return { message };
  }, room);
  return () => heard.evaluate(({ message }) => message);
}

/** Waits until a log has just these lines. @param {Page} page */
function itemsOf(page) {
  return async (/** @type {string} */ name, /** @type {string[]} */ wanted) => {
    const log = page.getByRole("region", { name }).getByRole("listitem");
    await log.nth(wanted.length - 1).waitFor();
    await page.waitForFunction(([name, wanted]) => {
      const shown = [...document.querySelectorAll(`section[aria-label="${name}"] li`)].map(({ textContent }) => textContent);
      return JSON.stringify(shown) === wanted;
    }, [name, JSON.stringify(wanted)]);
  };
}

/** @param {number} from @param {number} to */
function numbers(from, to) {
  return Array.from({ length: to - from + 1 }, (_, at) => `message ${from + at}`);
}
