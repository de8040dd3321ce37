// @ts-check
/** What is deployed has what the code asks for. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { it } from "node:test";
import { isTaken } from "../src/services.js";
import { defaultServices } from "../template.js";

const template = readFileSync(new URL("../template.yaml", import.meta.url), "utf8");

it("sets what the functions read", () => {
  const folder = new URL("../src/", import.meta.url);
  const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
  const names = new Set([...sources.matchAll(/"([A-Z]+(?:_[A-Z]+)*)"/g)].map(([, name]) => name).filter((name) => name.includes("_") || name === "PREVIEW" || name === "CONTACT"));
  assert.equal(names.size, 8, [...names].join(" "));
  for (const name of names) assert.match(template, new RegExp(`^ {8,}${name}: `, "m"), name);
});

it("names handlers that are there", async () => {
  const handlers = [...template.matchAll(/Handler: (src\/[\w-]+)\.handler/g)].map(([, path]) => `${path}.js`);
  assert.equal(handlers.length, 2);
  for (const path of handlers) assert.match(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"), /^export async function handler/m);
});

it("knows the push services of the browsers that have one", () => {
  for (const host of ["fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com", "wns2-par02p.notify.windows.com"]) {
    assert.ok(isTaken(`https://${host}/a`, defaultServices), host);
  }
});
