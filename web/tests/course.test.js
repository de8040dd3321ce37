// @ts-check
/** The course's own page, with the one line changed that says where the chat is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { startLocalRun } from "./local-run.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */

const tests = fileURLToPath(new URL(".", import.meta.url));
const chapter = readFileSync(new URL("fixtures/course-chat.tsx", import.meta.url), "utf8");
const line = "io('http://localhost:3005')";

/** As the README says it, with the token in either place. */
const places = {
  auth: "auth: (answer) => fetch('/token').then((response) => response.text()).then((token) => answer({ token }))",
  query: "query: { token: window.chat.token }",
};

describe("the course's page", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun({ parameters: { SocketIo: "on" } }), startBrowser()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  for (const [place, how] of Object.entries(places)) {
    it(`works in two windows with one changed line, and its token in ${place}`, async (test) => {
      const one = await open(test, run, how);
      await one.page.getByText("用户 1加入聊天室").first().waitFor();
      // A second window of the same user is no news, so only what is said shows that it is in.
      const other = await open(test, run, how);
      const friend = json(test, run, 2);
      await friend.room(1).join();
      for (let said = 0; (await other.page.getByText(`are you there by ${place}`).count()) === 0; said++) {
        assert.ok(said < 1000, "the second window gets in");
        await friend.room(1).send(`are you there by ${place}`);
      }
      await one.page.getByRole("textbox").fill(`hello by ${place}`);
      await one.page.getByRole("textbox").blur();
      for (const { page } of [one, other]) await page.getByText(`hello by ${place}`).waitFor();

      // Somebody with another client comes, says something, and goes.
      await one.page.getByText("用户 2加入聊天室").first().waitFor();
      await friend.room(1).sendImage(new URL("/page/icon.svg", run.page).href);
      await one.page.getByRole("img").first().waitFor();
      await friend.room(1).leave();
      await friend.room(1).join();
      await friend.room(1).send(`still there by ${place}`);
      for (const { page } of [one, other]) await page.getByText(`still there by ${place}`).waitFor();
      for (const { complaints } of [one, other]) assert.deepEqual(complaints.filter(isUncaught), []);
    });
  }

  it("comes back when it is cut", async (test) => {
    const short = await startLocalRun({ lifetimeSeconds: 3, parameters: { SocketIo: "on" } });
    test.after(() => short.stop());
    const { page, complaints } = await open(test, short, places.auth);
    await page.getByText("用户 1加入聊天室").first().waitFor();
    // It joins again when it is back, and is told so.
    await page.getByText("用户 1加入聊天室").nth(1).waitFor();
    await page.getByRole("textbox").fill("back again");
    await page.getByRole("textbox").blur();
    await page.getByText("back again").first().waitFor();
    assert.deepEqual(complaints.filter(isUncaught), []);
  });

  /** @param {TestContext} test @param {LocalRun} run @param {number} userId */
  function json(test, run, userId) {
    const getToken = () => run.token({ userId });
    const client = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    void client.connect();
    return client;
  }

  /** The page in a window, bundled and served as a frontend of its own. @param {TestContext} test @param {LocalRun} run @param {string} how */
  async function open(test, run, how) {
    const { origin } = new URL(run.page);
    assert.equal(chapter.split(line).length, 2, "there is one such line");
    const changed = chapter.replace(line, `io('${origin}', { path: '/dev', transports: ['websocket'], addTrailingSlash: false, ${how} })`);
    const { outputFiles } = await build({
      stdin: {
        contents: `import { createRoot } from "react-dom/client"; ${changed}; createRoot(document.body).render(<Chat />);`,
        resolveDir: tests,
        loader: "tsx",
      },
      bundle: true,
      write: false,
      format: "esm",
      jsx: "automatic",
      alias: { antd: fileURLToPath(new URL("antd.js", import.meta.url)) },
      define: { "process.env.NODE_ENV": '"development"' },
    });
    const token = await run.token({ userId: 1 });
    const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
      <script>window.chat = ${JSON.stringify({ token })}</script><script type="module" src="application.js"></script>`;
    const server = createServer(async ({ url }, response) => {
      const [type, body] =
        url === "/application.js" ? ["text/javascript", outputFiles[0].contents]
        : url === "/token" ? ["text/plain", await run.token({ userId: 1 })]
        : ["text/html", html];
      response.setHeader("Content-Type", type);
      response.end(body);
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
    test.after(() => server.close());
    const context = await browser.newContext();
    test.after(() => context.close());
    const opened = await openWindow(context);
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    await opened.page.goto(`http://127.0.0.1:${port}/`);
    return opened;
  }
});

/** React's advice about keys is the course's to take. @param {string} complaint */
function isUncaught(complaint) {
  return complaint.startsWith("uncaught") || complaint.startsWith("dialog");
}
