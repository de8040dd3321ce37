/** How large clients are, all measured in the same way; `npm run sizes` writes the table in docs/client.md. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { installed } from "./installed.js";

const web = fileURLToPath(new URL("..", import.meta.url));
const document = new URL("../../docs/client.md", import.meta.url);
const TABLE = /(?<=<!-- npm run sizes writes this table. -->\n)(\|.*\n)*/;
const OURS = "serverless-chat-client";
/** The most that ours may have, alone and with all features: minified and gzipped, in bytes. As one file, and as a package. */
export const [CORE_MAX, ALL_MAX] = [6_656, 12_032];
const ALL = "ChatClient, Changes, applyChange, Kept, Moderation, Online, Reactions, Reads, Rounds, Signals, Uploads";

/** What an application imports, by what it is called in the table, with the package whose version is told first. */
const MEASURED = [
  { what: `\`${OURS}\``, packages: [OURS], code: `export { ChatClient } from "${OURS}"` },
  { what: `\`${OURS}\` with all features`, packages: [OURS], code: `export { ${ALL} } from "${OURS}"` },
  { what: "`socket.io-client`", packages: ["socket.io-client"], code: 'export { io } from "socket.io-client"' },
  { what: "`@supabase/realtime-js`", packages: ["@supabase/realtime-js"], code: 'export { RealtimeClient } from "@supabase/realtime-js"' },
  { what: "`centrifuge`", packages: ["centrifuge"], code: 'export { Centrifuge } from "centrifuge"' },
  {
    what: "`@ably/chat` with `ably`",
    packages: ["@ably/chat", "ably"],
    code: 'export { ChatClient } from "@ably/chat"; export { Realtime } from "ably"',
  },
];

/** Bundled for browsers, minified and gzipped, in bytes; with the versions that were measured. */
export async function sizes() {
  const pinned = await installed("sizes");
  return Promise.all(
    MEASURED.map(async ({ what, packages, code }) => {
      const isOurs = packages.includes(OURS);
      const size = await sizeOf(code, isOurs ? web : pinned);
      const manifests = packages.map((name) => (isOurs ? join(web, "package.json") : join(pinned, "node_modules", name, "package.json")));
      const versions = await Promise.all(manifests.map(async (path) => String(JSON.parse(await readFile(path, "utf8")).version)));
      return { what, isOurs, versions: versions.join(", "), size };
    }),
  );
}

/** What the hooks of a framework add, without the framework itself, in the same bytes. @param {"react" | "vue"} framework */
export async function sizeOfHooks(framework) {
  const client = `export { ChatClient } from "${OURS}";`;
  const [without, with_] = await Promise.all([client, `${client} export * from "${OURS}/${framework}"`].map((code) => sizeOf(code, web)));
  return with_ - without;
}

/** @param {string} contents @param {string} resolveDir */
async function sizeOf(contents, resolveDir) {
  const made = await build({
    stdin: { contents, resolveDir },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    define: { "process.env.NODE_ENV": '"production"' },
    external: ["react", "vue"],
    write: false,
    logLevel: "error",
  });
  return gzipSync(made.outputFiles[0].text, { level: 9 }).length;
}

/** @param {Awaited<ReturnType<typeof sizes>>} measured */
export function tableOf(measured) {
  const rows = measured.map(({ what, versions, size }) => `| ${what} | ${versions} | ${(size / 1_024).toFixed(1)} KB |\n`);
  return `| client | version | on the wire |\n|---|---|---|\n${rows.join("")}`;
}

/** The table as the document has it. */
export async function tableInDocument() {
  return (await readFile(document, "utf8")).match(TABLE)?.[0];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const table = tableOf(await sizes());
  await writeFile(document, (await readFile(document, "utf8")).replace(TABLE, table));
}
