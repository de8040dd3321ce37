/** The course's own page, with the one line changed that says where the chat is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** @import { LocalRun } from "./local-run.js" */

const tests = fileURLToPath(new URL(".", import.meta.url));
const chapter = readFileSync(new URL("fixtures/course-chat.tsx", import.meta.url), "utf8");
const line = "io('http://localhost:3005')";

/** As the document says it, with the token in either place. */
export const places = {
  auth: "auth: (answer) => fetch('/token').then((response) => response.text()).then((token) => answer({ token }))",
  query: "query: { token: window.chat.token }",
};

/** Bundles the page, and serves it as a frontend of its own. @param {LocalRun} run @param {string} how @param {Record<string, unknown>} [claims] */
export async function serveCourse(run, how, claims = { userId: 1 }) {
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
  const token = await run.token(claims);
  const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
      <script>window.chat = ${JSON.stringify({ token })}</script><script type="module" src="application.js"></script>`;
  const server = createServer(async ({ url }, response) => {
    const [type, body] =
      url === "/application.js" ? ["text/javascript", outputFiles[0].contents]
      : url === "/token" ? ["text/plain", await run.token(claims)]
      : ["text/html", html];
    response.setHeader("Content-Type", type);
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/`, stop: () => void server.close() };
}
