/** The page on a scripted server, which then answers what the page asks as a test tells it to. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { TOKEN, answer } from "./scripted-server.js";

/** @import { ScriptedServer } from "./scripted-server.js" */

const TYPES = /** @type {Record<string, string>} */ ({ ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json" });

/** The page, whose user is 7. Returns its address. @param {ScriptedServer} server */
export function servePage(server, token = TOKEN) {
  server.answerPage = (path, response) => {
    if (/^\/(chat(-history|room)\/|createUpload|store)/.test(path)) return false;
    if (path === "/local/endpoints") return answer(response, 200, { webSocketPath: "/dev", connectionLifetimeMs: 7_200_000 });
    if (path === "/local/token") return answer(response, 200, { token });
    const name = path === "/" ? "/index.html" : path;
    const type = TYPES[extname(name)];
    if (!type) return answer(response, 404, "");
    response.setHeader("Content-Type", type);
    response.end(readFileSync(new URL(`..${name}`, import.meta.url)));
    return true;
  };
  return new URL("/", server.historyUrl).href;
}
