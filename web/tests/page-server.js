/** The page on a scripted server, which then answers what the page asks as a test tells it to; and the page hosted by itself. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { TOKEN, answer } from "./scripted-server.js";

/** @import { ServerResponse } from "node:http" */
/** @import { TestContext } from "node:test" */
/** @import { ScriptedServer } from "./scripted-server.js" */

const TYPES = /** @type {Record<string, string>} */ ({ ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json" });

/** The page, whose user is 7. Returns its address. @param {ScriptedServer} server */
export function servePage(server, token = TOKEN) {
  server.answerPage = (path, response) => {
    if (/^\/(chat(-history|room)\/|createUpload|store)/.test(path)) return false;
    if (path === "/local/endpoints") return answer(response, 200, { webSocketPath: "/dev", connectionLifetimeMs: 7_200_000 });
    if (path === "/local/token") return answer(response, 200, { token });
    return serveFile(path, response);
  };
  return new URL("/", server.historyUrl).href;
}

/** The page where no chat is, as on CloudFront: with the policy that is set before it is opened. @param {TestContext} test */
export async function hostPage(test) {
  const host = { address: "", policy: "" };
  const server = createServer((request, response) => {
    response.setHeader("Content-Security-Policy", host.policy);
    serveFile(new URL(String(request.url), host.address).pathname, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  host.address = `http://127.0.0.1:${port}/`;
  return host;
}

/** @param {string} path @param {ServerResponse} response */
function serveFile(path, response) {
  const name = path === "/" ? "/index.html" : path;
  const type = TYPES[extname(name)];
  if (!type) return answer(response, 404, "");
  response.setHeader("Content-Type", type);
  response.end(readFileSync(new URL(`..${name}`, import.meta.url)));
  return true;
}

/** What CloudFormation makes of the policy in `web/hosting.yaml`. @param {Record<string, string>} parameters */
export function hostingPolicy(parameters) {
  const template = readFileSync(new URL("../hosting.yaml", import.meta.url), "utf8");
  const sub = (/** @type {string} */ text) => text.replace(/\$\{(\w+)\}/g, (_, name) => parameters[name] ?? "");
  const [, policy] = /- "(frame-ancestors [^"]+)"/.exec(template) ?? [];
  const [, between, at, discovery] = /Discovery: !Join \["([^"]+)", !Split \["([^"]+)", !Sub "([^"]+)"\]\]/.exec(template) ?? [];
  const [, signIn] = /SignIn: !If \[SignsIn, !Sub \["([^"]+)"/.exec(template) ?? [];
  assert.ok(policy && discovery && signIn, "the template is not written as it is read here");
  const found = sub(discovery).split(at).join(between);
  return sub(policy.replace("${SignIn}", signIn.replace("${Discovery}", found)));
}
