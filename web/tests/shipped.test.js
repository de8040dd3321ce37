// @ts-check
/** What a frontend copies: one small file and its types. What it does not use, its bundler leaves out. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { bundle } from "../bundle.js";
import { ALL_MAX, CORE_MAX } from "./sizes.js";

/** @import { TestContext } from "node:test" */

const web = fileURLToPath(new URL("..", import.meta.url));
/** Everything that the client exports. */
const ALL = ["ChatClient", "ChatError", "ChatRoom", "Changes", "applyChange", "Reactions", "Online", "Signals", "Rounds", "Kept", "Reads", "Uploads", "Moderation"];
/** The most that an application loads for what it imports: minified and gzipped, in bytes. */
const SIZES = {
  "the client": { names: ["ChatClient", "ChatError"], max: CORE_MAX },
  "the client with changes": { names: ["ChatClient", "ChatError", "Changes", "applyChange"], max: 7_680 },
  "the client with rooms that are kept": { names: ["ChatClient", "ChatError", "Kept", "Reads", "Uploads"], max: 8_896 },
  "all of it": { names: ALL, max: ALL_MAX },
};
/** How much each feature adds to the client, in the same bytes. */
const FEATURES = { Changes: 1_024, Reactions: 704, Online: 576, Signals: 448, Rounds: 320, Kept: 704, Reads: 896, Uploads: 704, Moderation: 896 };
/** Each knows the names of its frames and its errors; nobody else does. @type {Record<keyof typeof FEATURES, string>} */
const WORDS = {
  Changes: "editMessage", Reactions: "reactMessage", Online: "listMembers", Signals: "signal", Rounds: "members",
  Kept: "roomAdded", Reads: "markRead", Uploads: "uploadFailed", Moderation: "barUser",
};

for (const [what, { names, max }] of Object.entries(SIZES)) {
  it(`ships ${what} in at most ${max / 1024} KB`, async (test) => {
    const { code, size } = await minified(names);
    test.diagnostic(`${what}: ${size} bytes, minified and gzipped`);
    assert.ok(size <= max, `${size} bytes`);
    assert.doesNotMatch(code, /\bimport\b/, "it needs nothing else");
    for (const [feature, word] of Object.entries(WORDS)) {
      assert.equal(code.includes(`"${word}"`), names.includes(feature), `${feature} in ${what}`);
    }
  });
}

for (const [feature, max] of Object.entries(FEATURES)) {
  it(`ships ${feature} in at most ${max} bytes`, async (test) => {
    const [without, with_] = await Promise.all([["ChatClient"], ["ChatClient", feature]].map(minified));
    const size = with_.size - without.size;
    test.diagnostic(`${feature}: ${size} bytes`);
    assert.ok(size <= max, `${size} bytes`);
  });
}

it("ships one file, made of those in client/", async () => {
  assert.equal(await readFile(join(web, "chat-client.js"), "utf8"), await bundle(), "npm run bundle writes it");
  const shipped = await import("../chat-client.js");
  assert.deepEqual(Object.keys(shipped).sort(), [...ALL].sort());
});

const TYPES = ["chat-client.d.ts", "hooks/react.d.ts", "hooks/shared-room.d.ts", "hooks/vue.d.ts", "examples/use-room.d.ts"];
/** What writes them, and where. */
const WRITERS = { "tsconfig.types.json": "", "tsconfig.room.json": "hooks", "tsconfig.hooks.json": "hooks", "examples/tsconfig.types.json": "examples" };

it("ships types that are those of the code", async (test) => {
  const folder = await temporary(test);
  for (const [writer, at] of Object.entries(WRITERS)) tsc("--project", join(web, writer), "--outDir", join(folder, at));
  for (const name of TYPES) {
    const [made, shipped] = await Promise.all([folder, web].map((at) => readFile(join(at, name), "utf8")));
    assert.equal(shipped, made, `${name}: npm run types writes it`);
  }
});

it("has types in an application that is strict, made as Vite makes one", async (test) => {
  const folder = await temporary(test);
  for (const name of ["chat-client.js", "examples/use-room.js", "chat-client.d.ts", "examples/use-room.d.ts"]) await cp(join(web, name), join(folder, "src/chat", name));
  await symlink(join(web, "node_modules"), join(folder, "node_modules"));
  const compilerOptions = {
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    module: "esnext",
    moduleResolution: "bundler",
    moduleDetection: "force",
    verbatimModuleSyntax: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    jsx: "react-jsx",
    strict: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    erasableSyntaxOnly: true,
    noUncheckedSideEffectImports: true,
    // Vite's template says true and so does not check the types of libraries.
    skipLibCheck: false,
    types: [],
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }));
  const application = `
    import { ChatClient, ChatError, Changes, Kept, Moderation, Online, Reactions, Reads, Rounds, Signals, Uploads, applyChange, type Message } from "./chat/chat-client.js";
    import { useRoom } from "./chat/examples/use-room.js";

    const client = new ChatClient({ url: "ws://localhost/dev", historyUrl: "http://localhost/", getToken: async () => "a.b.c" });

    export function Room({ id }: { id: number | string }) {
      const { messages, error, send } = useRoom(client, id);
      const last: Message | undefined = messages.at(-1);
      const why: string | undefined = error instanceof ChatError ? error.code : undefined;
      const quiet: boolean = client.room(id).quiet;
      return <button onClick={() => send("hello").then(({ id }) => id.toFixed())}>{last?.content}{why}{String(quiet)}</button>;
    }

    const options = { url: "ws://localhost/dev", historyUrl: "http://localhost/", getToken: async () => "a.b.c" };
    const living = new ChatClient({ ...options, features: [Changes, Reactions, Online, Signals, Rounds] });
    const changing: ChatClient<typeof Changes> = new ChatClient({ ...options, features: [Changes] });

    export function LivingRoom({ id }: { id: number | string }) {
      const { messages } = useRoom(living, id);
      const room = living.room(id);
      room.addEventListener("changed", ({ detail }) => messages.map((message) => applyChange(message, detail)));
      room.addEventListener("reaction", ({ detail }) => detail.reactions["👍"]?.length);
      room.addEventListener("typing", ({ detail }) => detail.userIds.length);
      room.addEventListener("signal", ({ detail }) => detail.kind.length);
      room.addEventListener("online", () => [...room.online.values()].map((profile) => profile?.nickName));
      room.addEventListener("message", ({ detail }) => detail.replyTo?.toFixed());
      room.addEventListener("members", () => room.memberCount?.toLocaleString());
      void room.join({ since: { id: 3, change: 4 } }).then(() => room.position?.change?.toFixed());
      void changing.room(id).edit(1, "text").then(({ version }) => version.toFixed());
      return <input onInput={() => room.typing()} onBlur={() => room.send("a", { replyTo: 1, mentions: [7, "all"] })} />;
    }

    const own = new ChatClient({ ...options, features: [Kept, Reads, Uploads] });

    export async function Inbox({ picture }: { picture: File }) {
      own.addEventListener("roomAdded", ({ detail }) => String(detail.roomId));
      own.addEventListener("disconnected", ({ detail }) => detail.code.length);
      const [first] = await own.rooms({ name: "Team" });
      const room = own.room(await own.createGroup("Team"));
      await own.invite(room.id, 8);
      room.autoRead = "tell";
      room.addEventListener("read", ({ detail }) => detail.id.toFixed());
      room.addEventListener("message", ({ detail }) => detail.attachment?.length);
      const { id } = await room.upload(picture, { onProgress: (done) => done.toFixed(2), signal: AbortSignal.timeout(1) });
      const address: string | undefined = (await room.renew(id))?.content;
      const users = (await own.info(room.id)).users.map(({ nickName }) => nickName);
      // Whoever takes any target of events takes a client and a room.
      const targets: EventTarget[] = [own, room, client];
      return [first?.unread.toFixed(), room.unread?.toFixed(), address, users, (await room.reads()).get(8), targets.length];
    }

    const ordered = new ChatClient({ ...options, features: [Kept, Moderation] });

    export async function Order() {
      ordered.addEventListener("removed", ({ detail }) => detail.reason.length + (detail.retryAfterMs ?? 0));
      const room = ordered.room(1);
      room.addEventListener("barred", () => room.mutedForMs.toFixed());
      room.addEventListener("slow", () => room.slowSeconds + room.slowForMs);
      const { until } = await room.bar(8, "mute", 600);
      const [first] = (await room.bars()).bars;
      const [reported] = (await room.reports()).reports;
      return [until?.length, first?.user.nickName, first?.until.length, reported?.reason, (await room.report(42, "spam")).id, (await room.slow(0)).seconds];
    }

    export function Wrong() {
      // @ts-expect-error
      void ordered.room(1).bar(8, "shout");
      // @ts-expect-error
      void living.room(1).report(42, "the feature was not handed in");
      // @ts-expect-error
      void client.rooms();
      // @ts-expect-error
      client.addEventListener("roomAdded", () => {});
      // @ts-expect-error
      void living.room(1).upload(new Blob());
      // @ts-expect-error
      own.room(1).autoRead = "loud";
      // @ts-expect-error
      void client.room(1).edit(1, "the feature was not handed in");
      // @ts-expect-error
      void changing.room(1).react(1, "👍");
      // @ts-expect-error
      changing.room(1).addEventListener("reaction", () => {});
      // @ts-expect-error
      changing.room(1).memberCount?.toFixed();
      // @ts-expect-error
      useRoom("no client", 1);
      // @ts-expect-error
      useRoom(client, 1).send(7);
      // @ts-expect-error
      return useRoom(client, 1).message;
    }`;
  await writeFile(join(folder, "src/application.tsx"), application);
  tsc("--project", folder);
});

/** What an application loads that imports these. @param {string[]} names */
async function minified(names) {
  const contents = `export { ${names} } from "./chat-client.js";`;
  const made = await build({ stdin: { contents, resolveDir: web }, bundle: true, minify: true, format: "esm", write: false });
  const code = made.outputFiles[0].text;
  return { code, size: gzipSync(code, { level: 9 }).length };
}

/** What it has against the code, it throws. @param {...string} options */
function tsc(...options) {
  const program = fileURLToPath(import.meta.resolve("typescript/package.json")).replace("package.json", "bin/tsc");
  try {
    execFileSync(process.execPath, [program, ...options], { encoding: "utf8" });
  } catch (caught) {
    assert.fail(/** @type {{ stdout: string }} */ (caught).stdout);
  }
}

/** A folder until the test ends. @param {TestContext} test */
async function temporary(test) {
  const folder = await mkdtemp(join(tmpdir(), "chat-shipped-"));
  test.after(() => rm(folder, { recursive: true }));
  return folder;
}
