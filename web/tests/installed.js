/** What tests need of npm beyond web/ itself: pinned by a lock file, installed once outside the clone, and shared by all runs. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** @import { TestContext } from "node:test" */

const run = promisify(execFile);
const web = fileURLToPath(new URL("..", import.meta.url));
const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];

/** The folder with what `tests/<name>/package-lock.json` pins. @param {string} name */
export async function installed(name) {
  const pins = new URL(`${name}/`, import.meta.url);
  const lock = await readFile(new URL("package-lock.json", pins));
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "chat/tools");
  const folder = join(cache, `web-${name}-${createHash("sha256").update(lock).digest("hex").slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(`${folder}-`);
  for (const file of ["package.json", "package-lock.json"]) await cp(new URL(file, pins), join(making, file));
  await npm(making, "ci", "--ignore-scripts");
  // Another test may have been faster. A folder that is half installed never has the name.
  await rename(making, folder).catch(() => rm(making, { recursive: true }));
  return folder;
}

/** An application's folder that has the package as `npm pack` makes it, beside what is pinned. @param {TestContext} test @param {string} among */
export async function withPackage(test, among) {
  const folder = await mkdtemp(join(among, "application-"));
  test.after(() => rm(folder, { recursive: true }));
  const { stdout } = await npm(web, "pack", "--json", "--pack-destination", folder);
  const [{ filename, files }] = JSON.parse(stdout);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "application", private: true, type: "module" }));
  await npm(folder, "install", "--offline", "--no-save", "--no-package-lock", join(folder, filename));
  return { folder, files: /** @type {{ path: string }[]} */ (files).map(({ path }) => path) };
}

/** @param {string} cwd @param {...string} what */
export async function npm(cwd, ...what) {
  return run("npm", [...what, ...quiet], { cwd }).catch((failed) => {
    throw new Error(`npm ${what[0]}: ${failed.stdout}${failed.stderr}`);
  });
}
