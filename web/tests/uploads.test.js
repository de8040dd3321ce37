// @ts-check
/** Files: saved first, then sent, and nothing sent of what was not saved. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { openWindow, startBrowser } from "./browser.js";
import { replace, until } from "./listening.js";
import { entered } from "./living.js";
import { TOKEN, answer, startScriptedServer } from "./scripted-server.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser } from "playwright-core" */

const PICTURE = new File([new Uint8Array([137, 80, 78, 71])], "猫 1.png", { type: "image/png" });

describe("a file", { concurrency: true }, () => {
  it("is saved, and then sent under the same id", async (test) => {
    const { server, room, seen } = await entered(test);
    /** @type {number[]} */ const done = [];
    const { id, clientMessageId } = await room.upload(PICTURE, { onProgress: (part) => done.push(part), replyTo: 3, metadata: { width: 8 } });
    const asked = { chatroomId: 1, clientMessageId, name: "猫 1.png", type: "image/png", size: 4 };
    assert.deepEqual(server.requests, [{ method: "POST", path: "/createUpload", query: {}, body: asked }]);
    const key = `rooms/1/7/${clientMessageId}/猫 1.png`;
    const form = String(server.files.get(key));
    assert.deepEqual([...form.matchAll(/ name="(\w+)"/g)].map(([, name]) => name), ["key", "policy", "file"], "what comes after the file is not read");
    assert.match(form, /Content-Type: image\/png\r\n\r\n\x89PNG\r\n/);
    const [{ requestId: _, ...frame }] = server.frames("sendMessage");
    assert.deepEqual(frame, { action: "sendMessage", chatroomId: 1, message: { type: "image", attachment: key, replyTo: 3, metadata: { width: 8 } }, clientMessageId });
    await until(() => seen.messages.length === 1);
    const [message] = seen.messages;
    assert.deepEqual([message.id, message.type, message.attachment, message.content], [id, "image", key, server.address(key)]);
    assert.ok(message.content.length > 2_500, "the address is whole");
    assert.equal(done.at(-1), 1);
  });

  it("that is no picture for a browser is a file, with its type but no parameters, and a name", async (test) => {
    const { server, room } = await entered(test);
    await room.upload(new File(["<svg/>"], "a.svg", { type: "image/svg+xml" }));
    await room.upload(new Blob(["text"], { type: "text/plain;charset=utf-8" }));
    await room.upload(new File(["?"], "data"));
    assert.deepEqual(server.requests.map(({ body: { name, type, size } }) => [name, type, size]), [["a.svg", "image/svg+xml", 6], ["file", "text/plain", 4], ["data", "", 1]]);
    assert.deepEqual(server.frames("sendMessage").map(({ message }) => message.type), ["file", "file", "file"]);
  });

  it("that is too large, or of a room that one may not enter, is refused and not saved", async (test) => {
    const { server, room, errors } = await entered(test);
    const refuse = (/** @type {number} */ status, /** @type {string} */ code) => (/** @type {unknown} */ _, /** @type {any} */ response) =>
      answer(response, status, { type: "error", action: "createUpload", code, message: `it is ${code}` });
    server.answerRequest = refuse(400, "tooLarge");
    await assert.rejects(room.upload(PICTURE), { code: "tooLarge", message: "it is tooLarge", retryable: false });
    server.answerRequest = refuse(403, "notAllowed");
    await assert.rejects(room.upload(PICTURE), { code: "notAllowed" });
    await assert.rejects(room.upload(PICTURE, { clientMessageId: "not one" }), { code: "badRequest" });
    assert.deepEqual([server.requests.length, server.files.size, server.frames("sendMessage")], [2, 0, []]);
    assert.deepEqual(errors.map(({ code }) => code), ["tooLarge", "notAllowed", "badRequest"]);
  });

  it("waits for the server's pace, so that several go at once", async (test) => {
    const { server, room } = await entered(test);
    let refusals = 3;
    server.answerRequest = (_, response) => refusals-- > 0 && answer(response, 429, { type: "error", action: "createUpload", code: "rateLimited", message: "slower" });
    const sent = await Promise.all([1, 2, 3].map(() => room.upload(PICTURE)));
    assert.deepEqual([new Set(sent.map(({ id }) => id)).size, server.files.size, server.requests.length], [3, 3, 6]);
  });

  it("is given up after some answers that make no sense", async (test) => {
    // No wait between the tries. Others, beside this one, wait less for it.
    replace(test, Math, { random: () => 0 });
    const { server, room } = await entered(test);
    server.answerRequest = (_, response) => answer(response, 200, { url: "https://example.com/", fields: null });
    await assert.rejects(room.upload(PICTURE), { code: "badResponse" });
    assert.equal(server.requests.length, 6);
  });

  for (const [how, retryable, fail] of /** @type {[string, boolean, (response: any) => unknown][]} */ ([
    ["refuses it", false, (response) => answer(response, 403, "<Error><Code>AccessDenied</Code></Error>")],
    ["fails", true, (response) => answer(response, 503, "<Error><Code>SlowDown</Code></Error>")],
    ["cannot be reached", true, (response) => response.destroy()],
  ])) {
    it(`is not sent where the store ${how}, and goes out once when it is tried again`, async (test) => {
      const { server, room, seen } = await entered(test);
      server.answerStore = (response) => (fail(response), true);
      await assert.rejects(room.upload(PICTURE, { clientMessageId: "mine" }), { code: "uploadFailed", retryable });
      assert.deepEqual([server.files.size, server.frames("sendMessage")], [0, []]);
      server.answerStore = () => false;
      const one = await room.upload(PICTURE, { clientMessageId: "mine" });
      const again = await room.upload(PICTURE, { clientMessageId: "mine" });
      assert.deepEqual([one.id, again.id, server.files.size], [1, 1, 1]);
      await until(() => seen.messages.length === 1);
    });
  }

  it("is not sent where it is cancelled, before and while it is saved", async (test) => {
    const { server, room } = await entered(test);
    await assert.rejects(room.upload(PICTURE, { signal: AbortSignal.abort() }), { code: "cancelled" });
    const cancelling = new AbortController();
    server.answerStore = () => (cancelling.abort(), true);
    await assert.rejects(room.upload(PICTURE, { signal: cancelling.signal }), { code: "cancelled", retryable: false });
    assert.deepEqual([server.requests.length, server.files.size, server.frames("sendMessage")], [1, 0, []]);
  });

  it("is not sent where the room was left meanwhile", async (test) => {
    const { server, room } = await entered(test);
    server.answerStore = () => (void room.leave(), false);
    await assert.rejects(room.upload(PICTURE), { code: "left" });
    assert.deepEqual(server.frames("sendMessage"), []);
  });

  it("has a new address when its message is read again", async (test) => {
    const { server, room } = await entered(test);
    const { id } = await room.upload(PICTURE);
    server.address = (key) => `https://files.example.com/${key}?later`;
    const stored = /** @type {any} */ (server.room(1).messages.get(id));
    stored.content = server.address(stored.attachment);
    const renewed = await room.renew(id);
    assert.deepEqual([renewed?.id, renewed?.content], [id, stored.content]);
    assert.deepEqual([server.asked.at(-1)?.get("before"), server.asked.at(-1)?.get("limit")], [String(id + 1), "1"]);
    assert.equal(await room.renew(id + 5), undefined);
  });
});

describe("a file in a browser", () => {
  /** @type {Browser} */ let browser;
  before(async () => void (browser = await startBrowser()));
  after(() => browser.close());

  it("tells its progress", async (test) => {
    const { server, page, complaints } = await open(test);
    const { done, sent } = await page.evaluate(async () => {
      /** @type {number[]} */ const done = [];
      const file = new File([new Uint8Array(3_000_000)], "large.png", { type: "image/png" });
      const sent = await /** @type {any} */ (window).room.upload(file, { onProgress: (/** @type {number} */ part) => done.push(part) });
      return { done, sent };
    });
    assert.equal(sent.id, 1);
    assert.ok(done.length >= 2 && done.at(-1) === 1, String(done));
    assert.deepEqual(done, [...done].sort((one, other) => one - other));
    assert.ok(Buffer.byteLength([...server.files.values()][0], "latin1") > 3_000_000);
    assert.deepEqual(complaints, []);
  });

  it("is cancelled on its way, and nothing is sent", async (test) => {
    const { server, page } = await open(test);
    server.answerStore = () => true;
    const code = await page.evaluate(async () => {
      // It does not end by itself.
      const start = window.setTimeout;
      window.setTimeout = /** @type {any} */ ((/** @type {() => void} */ run, /** @type {number} */ ms) => (ms === 60_000 ? 0 : start(run, ms)));
      const cancelling = new AbortController();
      const file = new File([new Uint8Array(1_000)], "a.png", { type: "image/png" });
      const options = { signal: cancelling.signal, onProgress: () => cancelling.abort() };
      return /** @type {any} */ (window).room.upload(file, options).catch((/** @type {any} */ error) => error.code);
    });
    assert.deepEqual([code, server.frames("sendMessage")], ["cancelled", []]);
  });

  it("that the store refuses says so", async (test) => {
    const { server, page } = await open(test);
    server.answerStore = (response) => answer(response, 403, "<Error/>");
    const error = await page.evaluate(async () => {
      return /** @type {any} */ (window).room.upload(new Blob(["x"])).catch((/** @type {any} */ { code, message }) => ({ code, message }));
    });
    assert.deepEqual(error, { code: "uploadFailed", message: "the store answered 403" });
    assert.deepEqual(server.frames("sendMessage"), []);
  });

  it("of which nothing moves any more is given up", async (test) => {
    const { server, page } = await open(test);
    server.answerStore = () => true;
    await page.evaluate(() => {
      const start = window.setTimeout;
      // A minute is over at once.
      window.setTimeout = /** @type {any} */ ((/** @type {() => void} */ run, /** @type {number} */ ms) => start(run, ms === 60_000 ? 100 : ms));
    });
    const error = await page.evaluate(async () => {
      return /** @type {any} */ (window).room.upload(new Blob(["x"])).catch((/** @type {any} */ { code, retryable }) => ({ code, retryable }));
    });
    assert.deepEqual(error, { code: "uploadFailed", retryable: true });
  });

  /** A client in a window, in room 1. @param {TestContext} test */
  async function open(test) {
    const server = await startScriptedServer(test);
    const code = await readFile(new URL("../chat-client.js", import.meta.url), "utf8");
    server.answerPage = (path, response) => {
      const [type, body] = path === "/client.js" ? ["text/javascript", code] : path === "/" ? ["text/html", '<link rel="icon" href="data:,">'] : [];
      if (!type) return false;
      response.setHeader("Content-Type", type);
      return (response.end(body), true);
    };
    const context = await browser.newContext();
    test.after(() => context.close());
    const { page, complaints } = await openWindow(context);
    await page.goto(new URL("/", server.historyUrl).href);
    await page.evaluate(async ({ url, historyUrl, token }) => {
      const { ChatClient, Uploads } = await import(String("/client.js"));
      const client = new ChatClient({ url, historyUrl, getToken: () => token, features: [Uploads] });
      const room = client.room(1);
      Object.assign(window, { room });
      void client.connect();
      await room.join();
    }, { url: server.url, historyUrl: server.historyUrl, token: TOKEN });
    return { server, page, complaints };
  }
});
