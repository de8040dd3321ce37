// @ts-check
/** What a frontend takes from here: one small file, and types that say what it does. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { transform } from "esbuild";

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

it("ships types that are those of the code", async () => {
  const folder = await mkdtemp(join(tmpdir(), "chat-types-"));
  const tsc = fileURLToPath(import.meta.resolve("typescript/package.json")).replace("package.json", "bin/tsc");
  execFileSync(process.execPath, [tsc, "--project", join(web, "tsconfig.types.json"), "--outDir", folder]);
  const [made, shipped] = await Promise.all([folder, web].map((at) => readFile(join(at, "chat-client.d.ts"), "utf8")));
  await rm(folder, { recursive: true });
  assert.equal(shipped, made, "npm run types writes them");
});
