// @ts-check
/** The examples, as somebody would start them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { next } from "./listening.js";
import { startLocalRun } from "./local-run.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser } from "playwright-core" */
/** @import { Id } from "../chat-client.js" */
/** @import { LocalRun } from "./local-run.js" */

const examples = fileURLToPath(new URL("../examples/", import.meta.url));
/** How long a sample may take to say what it is waited for. */
const sampleMs = 30_000;

/** @param {string} path */
const document = (path) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

describe("an example", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun(), startBrowser()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  it("is the one in the README, pasted into the page's console", async (test) => {
    const [, sample] = document("README.md").match(/```js\n(const \{ ChatClient \}.*?)```/s) ?? [];
    const { page, complaints } = await window(test);
    await page.goto(run.page);
    const said = page.waitForEvent("console");
    // A console takes `await` outside of functions, as this does.
    await page.evaluate(`(async () => {${sample.replaceAll("127.0.0.1:3000", new URL(run.page).host)}})()`);
    assert.match((await said).text(), /^\d+ 光 hello$/);
    assert.deepEqual(complaints, []);
  });

  it("is the one of the client", async (test) => {
    const [, sample] = document("docs/client.md").match(/```js\n(import \{ ChatClient \}.*?)```/s) ?? [];
    await says(test, sample, /^\d+ 光 hello$/);
  });

  it("is the guard of a square", async (test) => {
    const [, sample] = document("docs/client.md").match(/```js\n(import \{ ChatClient, Changes, Moderation \}.*?)```/s) ?? [];
    const token = await run.token({ userId: 10, moderates: ["square"] });
    const given = Object.entries({ url: run.url, historyUrl: run.historyUrl, token }).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`);
    const square = user(test, 11).room("square");
    await square.join();
    square.addEventListener("joined", ({ detail }) => detail.userId === 10 && square.send("buy now, all of you"));
    await says(test, `${given.join("\n")}\nconst getToken = () => token;\n${sample}`, /^muted user-11$/);
    await assert.rejects(square.send("buy now"), { code: "barred" });
  });

  it("is the one of the protocol", async (test) => {
    const [, sample] = document("docs/protocol.md").match(/```js\n(const socket = .*?)```/s) ?? [];
    const token = await run.token({ userId: 8 });
    await says(test, `const token = ${JSON.stringify(token)};\n${sample}`, /type: 'ack', action: 'joinRoom'/);
  });

  it("is one plain file", async (test) => {
    const friend = user(test, 1);
    await friend.room(1).join();
    await friend.room(1).send("before you came");
    const { page, complaints } = await window(test);
    await page.goto(new URL("/examples/plain.html", run.page).href);
    await page.getByText("user-1: before you came").waitFor();
    const answer = next(friend.room(1), "message");
    await page.getByRole("textbox", { name: "Message" }).fill("<b>hello</b>");
    await page.getByRole("button", { name: "Send" }).click();
    assert.equal((await answer).content, "<b>hello</b>");
    await page.getByText("Dong: <b>hello</b>").waitFor();
    assert.deepEqual(complaints, []);
  });

  it("is a React hook", async (test) => {
    const application = `
      import { StrictMode, useState } from "react";
      import { createRoot } from "react-dom/client";
      import { ChatClient } from "../chat-client.js";
      import { useRoom } from "./use-room.js";

      const client = new ChatClient({ ...window.chat, getToken: () => window.chat.token });
      client.connect();

      function Room({ id }) {
        const { messages, error, send } = useRoom(client, id);
        return <main>
          <button onClick={() => send("from React")}>Send</button>
          <p role="alert">{error?.message}</p>
          <ol>{messages.map(({ id, content }) => <li key={id}>{content}</li>)}</ol>
        </main>;
      }

      function Rooms() {
        const [id, setId] = useState("react");
        return <><button onClick={() => setId("elsewhere")}>Elsewhere</button><Room id={id} /></>;
      }

      createRoot(document.body).render(<StrictMode><Rooms /></StrictMode>);`;
    const friend = user(test, 2);
    const room = friend.room("react");
    await room.join();
    for (const text of ["one", "two"]) await room.send(text);
    const { page, complaints } = await bundled(test, application);
    await page.getByRole("listitem").nth(1).waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("from React").waitFor();
    assert.deepEqual(await page.getByRole("listitem").allTextContents(), ["one", "two", "from React"]);
    const left = next(room, "left");
    await page.getByRole("button", { name: "Elsewhere" }).click();
    await left;
    assert.deepEqual(await page.getByRole("listitem").allTextContents(), []);
    assert.deepEqual(complaints, []);
  });

  it("is the course's page, moved over", async (test) => {
    const application = `
      import { createRoot } from "react-dom/client";
      import { Chat } from "./Chat.tsx";
      createRoot(document.body).render(<Chat {...window.chat} getToken={() => window.chat.token} />);`;
    const friend = user(test, 3);
    const { page } = await bundled(test, application);
    await page.getByText("用户 9加入聊天室").waitFor();
    await friend.room(1).join();
    await page.getByText("用户 3加入聊天室").waitFor();
    await friend.room(1).sendImage(new URL("/page/icon.svg", run.page).href);
    await page.getByRole("img").waitFor();
    await page.getByRole("textbox").fill("你好");
    const heard = next(friend.room(1), "message");
    await page.getByRole("textbox").blur();
    assert.deepEqual([(await heard).content, (await heard).senderId], ["你好", 9]);
    await page.getByText("你好").waitFor();
  });

  it("is a bot that echoes, from a fresh clone, by the documents' command", async (test) => {
    const [, options] = document("docs/client.md").match(/^node (.*web\/examples\/echo-bot\.js)$/m) ?? [];
    const bot = spawn(process.execPath, [...options.split(" "), "bot", run.page], { cwd: await clone(test), stdio: ["ignore", "pipe", "inherit"] });
    test.after(() => bot.kill());
    const [line] = await once(createInterface({ input: bot.stdout }), "line");
    assert.equal(line, "listening in room bot");
    const friend = user(test, 4);
    const room = friend.room("bot");
    await room.join();
    /** @type {[Id, string][]} */ const heard = [];
    room.addEventListener("message", ({ detail }) => heard.push([detail.senderId, detail.content]));
    await room.send("echo?");
    while (heard.length < 2) await next(room, "message");
    await room.send("again");
    while (heard.length < 4) await next(room, "message");
    const said = [[4, "echo?"], ["echo", "echo?"], [4, "again"], ["echo", "again"]];
    assert.deepEqual(heard, said, "and it does not echo itself");
  });

  it("is a bot that says what is missing, where Node has no WebSocket", async (test) => {
    // What Node 20 is without the flag.
    const options = Number(process.versions.node.split(".")[0]) < 22 ? [] : ["--no-experimental-websocket"];
    const bot = spawn(process.execPath, [...options, "web/examples/echo-bot.js"], { cwd: await clone(test), stdio: ["ignore", "ignore", "pipe"] });
    const [[line], [code]] = await Promise.all([once(createInterface({ input: bot.stderr }), "line"), once(bot, "exit")]);
    assert.equal(line, "This Node has no WebSocket. Start it with --experimental-websocket, or install one: npm install ws");
    assert.equal(code, 1);
  });

  /** Runs it as a file beside the client until a line says this. @param {TestContext} test @param {string} sample @param {RegExp} line */
  async function says(test, sample, line) {
    const folder = await clone(test);
    await writeFile(join(folder, "web/sample.js"), sample.replaceAll("127.0.0.1:3000", new URL(run.page).host));
    const sampled = spawn(process.execPath, ["--experimental-websocket", "web/sample.js"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    test.after(() => sampled.kill());
    const givenUp = setTimeout(() => sampled.kill(), sampleMs);
    test.after(() => clearTimeout(givenUp));
    const said = [];
    for await (const one of createInterface({ input: sampled.stdout })) {
      if (line.test(one)) return;
      said.push(one);
    }
    assert.fail(`it ended and said ${said.join("\n")}`);
  }

  /** What the bot needs of the project, with nothing installed. @param {TestContext} test */
  async function clone(test) {
    const folder = await mkdtemp(join(tmpdir(), "chat-clone-"));
    test.after(() => rm(folder, { recursive: true }));
    for (const name of ["package.json", "chat-client.js", "examples/echo-bot.js"]) await cp(join(examples, "..", name), join(folder, "web", name));
    return folder;
  }

  /** @param {TestContext} test @param {number} id */
  function user(test, id) {
    const getToken = () => run.token({ userId: id, username: `user-${id}` });
    const client = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    void client.connect();
    return client;
  }

  /** @param {TestContext} test */
  async function window(test) {
    const context = await browser.newContext();
    test.after(() => context.close());
    return openWindow(context);
  }

  /** A React application beside the examples, built and served from an origin of its own. @param {TestContext} test @param {string} contents */
  async function bundled(test, contents) {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: examples, loader: "jsx" },
      bundle: true,
      write: false,
      format: "esm",
      jsx: "automatic",
      alias: { antd: fileURLToPath(new URL("antd.js", import.meta.url)) },
      define: { "process.env.NODE_ENV": '"development"' },
    });
    const chat = { url: run.url, historyUrl: run.historyUrl, token: await run.token({ userId: 9, username: "react" }) };
    const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
      <script>window.chat = ${JSON.stringify(chat)}</script><script type="module" src="application.js"></script>`;
    const server = createServer(({ url }, response) => {
      const isScript = url === "/application.js";
      response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? outputFiles[0].contents : page);
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    test.after(() => server.close());
    const opened = await window(test);
    await opened.page.goto(`http://127.0.0.1:${port}/`);
    return opened;
  }
});
