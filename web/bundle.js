// @ts-check
/**
 * Makes `chat-client.js`, the one file that is copied, of the files in `client/`: one after the other, each after those
 * that it imports, with all their comments. `npm run bundle` writes it; a test compares.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const IMPORT = /^import \{[^}]*\} from "\.\/([\w-]+\.js)";\n/gm;
const REEXPORT = /^export \{ (.*) \} from "\.\/([\w-]+\.js)";\n/gm;
const folder = new URL("client/", import.meta.url);

/** The text of the one file. */
export async function bundle() {
  const index = await readFile(new URL("index.js", folder), "utf8");
  const exported = new Set([...index.matchAll(REEXPORT)].flatMap(([, names]) => names.split(", ")));
  /** In the order in which they are needed. @type {Map<string, string>} */ const parts = new Map();

  /** @param {string} name */
  async function add(name) {
    if (parts.has(name)) return;
    const code = await readFile(new URL(name, folder), "utf8");
    for (const [, needed] of code.matchAll(IMPORT)) await add(needed);
    const part = code
      .replace("// @ts-check\n", "")
      .replace(IMPORT, "")
      .replace(/^\/\*\* @import .*\n/gm, "")
      .replace(/^export (?=(?:async )?(?:class|const|function) (\w+))/gm, (keyword, name) => (exported.has(name) ? keyword : ""));
    parts.set(name, part.trim());
  }

  // The numbers come after the types: then the compiler does not take the types' comments for those of a class.
  for (const name of ["types.js", "limits.js"]) await add(name);
  for (const [, , name] of index.matchAll(REEXPORT)) await add(name);
  const head = index.replace(REEXPORT, "").replace(" */\n", " *\n * Made of the files in `client/` by `npm run bundle`.\n */\n").trim();
  return `${[head, ...parts.values()].join("\n\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(new URL("chat-client.js", import.meta.url), await bundle());
}
