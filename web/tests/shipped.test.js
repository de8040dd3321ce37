// @ts-check
/** What a frontend copies: one small file and its types. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { transform } from "esbuild";

/** @import { TestContext } from "node:test" */

const web = fileURLToPath(new URL("..", import.meta.url));
/** Minified and gzipped, in bytes. */
const SIZE_MAX = 6_000;

it("ships a client of at most 6 KB", async (test) => {
  const { code } = await transform(await readFile(join(web, "chat-client.js"), "utf8"), { minify: true, format: "esm" });
  const size = gzipSync(code, { level: 9 }).length;
  test.diagnostic(`chat-client.js is ${size} bytes, minified and gzipped`);
  assert.ok(size <= SIZE_MAX, `${size} bytes`);
  assert.doesNotMatch(code, /\bimport\b/, "it needs nothing else");
});

const TYPES = ["chat-client.d.ts", "examples/use-room.d.ts"];

it("ships types that are those of the code", async (test) => {
  const folder = await temporary(test);
  for (const at of ["", "examples"]) tsc("--project", join(web, at, "tsconfig.types.json"), "--outDir", join(folder, at));
  for (const name of TYPES) {
    const [made, shipped] = await Promise.all([folder, web].map((at) => readFile(join(at, name), "utf8")));
    assert.equal(shipped, made, `${name}: npm run types writes it`);
  }
});

it("has types in an application that is strict, made as Vite makes one", async (test) => {
  const folder = await temporary(test);
  for (const name of ["chat-client.js", "examples/use-room.js", ...TYPES]) await cp(join(web, name), join(folder, "src/chat", name));
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
    import { ChatClient, ChatError, type Message } from "./chat/chat-client.js";
    import { useRoom } from "./chat/examples/use-room.js";

    const client = new ChatClient({ url: "ws://localhost/dev", historyUrl: "http://localhost/", getToken: async () => "a.b.c" });

    export function Room({ id }: { id: number | string }) {
      const { messages, error, send } = useRoom(client, id);
      const last: Message | undefined = messages.at(-1);
      const why: string | undefined = error instanceof ChatError ? error.code : undefined;
      const quiet: boolean = client.room(id).quiet;
      return <button onClick={() => send("hello").then(({ id }) => id.toFixed())}>{last?.content}{why}{String(quiet)}</button>;
    }

    export function Wrong() {
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
