// @ts-check
/** The examples that have a folder each, installed and started as somebody would, from that folder. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import WebSocket from "ws";
import { ChatClient, Online, Signals } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { npm } from "./installed.js";
import { next, until } from "./listening.js";
import { startLocalRun } from "./local-run.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser } from "playwright-core" */
/** @import { ChatRoom, Message } from "../chat-client.js" */
/** @import { LocalRun } from "./local-run.js" */

const web = fileURLToPath(new URL("..", import.meta.url));
/** What an example needs of the project: the package. */
const PACKAGE = ["package.json", "README.md", "LICENSE", "chat-client.js", "chat-client.d.ts", "client", "hooks"];

describe("an example with a folder of its own", { concurrency: 2 }, () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  /** @type {string} */ let clone;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun({ parameters: { SocketIo: "on" } }), startBrowser()]);
    clone = await mkdtemp(join(tmpdir(), "chat-examples-"));
    for (const name of PACKAGE) await cp(join(web, name), join(clone, name), { recursive: true });
  });
  after(() => Promise.all([run.stop(), browser.close(), rm(clone, { recursive: true })]));

  it("is a page of Vite, React and strict TypeScript", async (test) => {
    const folder = await example("react");
    await npm(folder, "ci");
    await npm(folder, "run", "build");
    const line = await started(test, folder, "npm", ["run", "dev", "--", "--port", "0"], /Local: +(\S+)/, { CHAT: run.page });
    const friend = user(test, 2).room(1);
    await friend.join();
    for (const text of ["one", "two"]) await friend.send(text);
    const { page, complaints } = await openWindow(await browser.newContext());
    await page.goto(`${line}?name=Guang`);
    await page.getByText("user-2 two").waitFor();
    await page.getByText("2 here").waitFor();
    const typing = next(friend, "typing");
    await page.getByRole("textbox", { name: "Message" }).pressSequentially("from React");
    await typing;
    const heard = next(friend, "message");
    await page.getByRole("button", { name: "Send" }).click();
    assert.deepEqual([(await heard).content, (await heard).sender.nickName], ["from React", "Guang"]);
    await page.getByText("Guang from React").waitFor();
    assert.deepEqual(await page.getByRole("listitem").allTextContents(), ["user-2 one", "user-2 two", "Guang from React"]);
    friend.typing();
    await page.getByText("2 here, user-2 typing").waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Message" }).inputValue(), "");
    assert.deepEqual(complaints, []);
  });

  it("is a bot in Node", async (test) => {
    const folder = await example("bot");
    await npm(folder, "ci");
    await started(test, folder, "npm", ["start", "--silent", "--", "dice", run.page], /^listening in room (dice)$/);
    const room = user(test, 3).room("dice");
    const said = await heardIn(room);
    await room.send("hello");
    const { id } = await room.send("!roll");
    await until(() => said.length === 3);
    assert.match(said[2].content, /^You rolled [1-6]$/);
    assert.deepEqual([said[2].senderId, said[2].replyTo], ["dice", id]);
  });

  it("is a bot in Python", async (test) => {
    const folder = await example("python");
    const { stdout } = await promisify(execFile)(join(web, "../.ci/tools"), ["socketio"]);
    const [wanted, pinned] = [join(folder, "requirements.txt"), join(web, "../.ci/requirements/socketio.txt")].map((path) => readFileSync(path, "utf8").trim().split("\n"));
    for (const line of wanted) assert.ok(pinned.includes(line), `${line} is what is installed`);
    await started(test, folder, join(stdout.trim(), "python"), ["bot.py", "python", run.page.replace(/\/$/, "")], /^listening in room (python)$/);
    const room = user(test, 4).room("python");
    const said = await heardIn(room);
    await room.send("echo?");
    await until(() => said.length === 2);
    await room.send("again");
    await until(() => said.length === 4);
    assert.deepEqual(said.map(({ senderId, content }) => [senderId, content]), [[4, "echo?"], ["python", "echo?"], [4, "again"], ["python", "again"]]);
  });

  it("is a script with curl", async (test) => {
    const folder = await example("curl");
    const room = user(test, 5).room("curl & friends");
    const said = await heardIn(room);
    const text = 'a "quoted" \\ text\nof two lines';
    const { stdout } = await promisify(execFile)(join(folder, "chat.sh"), [text, "curl & friends", run.page.replace(/\/$/, "")]);
    const [ack, history] = stdout.trim().split("\n").map((line) => JSON.parse(line));
    await until(() => said.length === 1);
    assert.deepEqual([said[0].id, said[0].content, said[0].senderId], [ack.id, text, "curl"]);
    assert.deepEqual(history.map((/** @type {Message} */ { content }) => content), [text]);
  });

  /** A copy with nothing installed. @param {string} name */
  async function example(name) {
    const filter = (/** @type {string} */ path) => !/\/(node_modules|dist)(\/|$)/.test(path.slice(web.length));
    await cp(join(web, "examples", name), join(clone, "examples", name), { recursive: true, filter });
    return join(clone, "examples", name);
  }

  /** Runs it until the test ends; what it says is waited for. @param {TestContext} test @param {string} cwd @param {string} program @param {string[]} options @param {RegExp} line @param {Record<string, string>} [more] */
  async function started(test, cwd, program, options, line, more = {}) {
    const env = { ...process.env, ...more, NO_COLOR: "1", FORCE_COLOR: undefined };
    // A group of its own: npm starts another program.
    const one = spawn(program, options, { cwd, env, stdio: ["ignore", "pipe", "inherit"], detached: true });
    const end = () => one.exitCode === null && process.kill(-(/** @type {number} */ (one.pid)));
    test.after(end);
    const late = setTimeout(end, 60_000);
    test.after(() => clearTimeout(late));
    const said = [];
    for await (const text of createInterface({ input: one.stdout })) {
      const [, found] = text.replace(/\x1b\[\d+m/g, "").match(line) ?? [];
      if (found) return found;
      said.push(text);
    }
    return assert.fail(`it ended and said ${said.join("\n")}`);
  }

  /** @param {TestContext} test @param {number} id */
  function user(test, id) {
    const getToken = () => run.token({ userId: id, username: `user-${id}` });
    const client = new ChatClient({ ...run, getToken, features: [Online, Signals], WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    void client.connect();
    return client;
  }
});

/** What is said from here on. @param {ChatRoom} room */
async function heardIn(room) {
  /** @type {Message[]} */ const said = [];
  room.addEventListener("message", ({ detail }) => said.push(detail));
  await room.join();
  return said;
}
