/** Starts the local run for a test, the way a user would. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const timeoutMs = 60_000;

/** @typedef {Awaited<ReturnType<typeof startLocalRun>>} LocalRun */

/**
 * Builds it if need be, and starts it on free ports, in memory.
 * @param {{ lifetimeSeconds?: number, idleSeconds?: number, events?: string, parameters?: Record<string, string> }} [options]
 */
export async function startLocalRun({ lifetimeSeconds, idleSeconds, events, parameters = {} } = {}) {
  const options = ["--port", "0", "--dynamodb-port", "0", "--s3-port", "0", "--memory", "--parameter", "SendsPerSecond=1000", "--parameter", "RequestsPerSecond=10000"];
  if (lifetimeSeconds) options.push("--connection-lifetime", String(lifetimeSeconds));
  if (idleSeconds) options.push("--idle-timeout", String(idleSeconds));
  if (events) options.push("--events", events);
  for (const [name, value] of Object.entries(parameters)) options.push("--parameter", `${name}=${value}`);
  const run = spawn(programs()["chat-local"], options, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  /** @type {string[]} */ const log = [];
  createInterface({ input: run.stderr }).on("line", (line) => log.push(line));

  /** @type {Map<string, string>} */ const places = new Map();
  await /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the local run did not start")), timeoutMs);
      run.once("exit", () => reject(new Error(`the local run ended: ${log.join("\n")}`)));
      createInterface({ input: run.stdout }).on("line", (line) => {
        const [, name, place] = line.match(/^ {2}(page|websocket|history|dynamodb|s3) +(\S+)/) ?? [];
        if (name) places.set(name, place);
        if (places.size === 5) resolve(clearTimeout(timer));
      });
    })
  );

  const page = place("page");
  return {
    page,
    url: place("websocket"),
    historyUrl: place("history").replace(/\?.*/, ""),
    dynamodb: place("dynamodb"),
    s3: place("s3"),
    log,
    /** A token as the application would sign it. @param {Record<string, unknown>} claims */
    async token(claims) {
      const body = JSON.stringify({ rooms: "*", ...claims });
      const response = await fetch(new URL("/local/token", page), { method: "POST", body });
      if (!response.ok) throw new Error(await response.text());
      return String((await response.json()).token);
    },
    /** What an operator does to a user who wants to be forgotten. @param {number} id */
    async eraseUser(id) {
      const ports = ["--port", new URL(page).port, "--dynamodb-port", new URL(place("dynamodb")).port, "--s3-port", new URL(place("s3")).port];
      await promisify(execFile)(programs().ops, ["--local", ...ports, "erase-user", String(id), "--yes"]);
    },
    async stop() {
      run.removeAllListeners("exit");
      const ended = new Promise((resolve) => run.once("exit", resolve));
      if (run.exitCode === null && run.kill()) await ended;
    },
  };

  function place(/** @type {string} */ name) {
    return /** @type {string} */ (places.get(name));
  }
}

/** @typedef {{ "chat-local": string, ops: string }} Programs */
/** @type {Programs | undefined} */ let built;

/** Builds with the features of the whole workspace, as the Rust tests do; otherwise everything would be built again. */
function programs() {
  if (built) return built;
  const environment = { cwd: root, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] };
  const options = ["build", "--workspace", "--bin", "chat-local", "--bin", "ops", "--locked", "--message-format", "json-render-diagnostics"];
  const lines = execFileSync("cargo", options, /** @type {any} */ (environment)).toString().trim().split("\n");
  const artifacts = lines.map((line) => JSON.parse(line)).filter(({ executable }) => executable);
  return (built = /** @type {Programs} */ (Object.fromEntries(artifacts.map(({ target, executable }) => [target.name, executable]))));
}
