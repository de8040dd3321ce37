// @ts-check
/** Which browsers are kept, whose they are, and how they end. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { newBrowser } from "./push-service.js";
import { startRecipe } from "./recipe.js";

const recipe = await startRecipe();

it("says which key a browser subscribes with, and says it again when one is kept", async () => {
  const browser = newBrowser(recipe.service.host);
  for (const answer of [await recipe.ask("a", "GET"), await recipe.ask("a", "POST", browser.subscription)]) {
    assert.deepEqual([answer.statusCode, JSON.parse(answer.body)], [200, { publicKey: recipe.keys.publicKey }]);
  }
  assert.equal((await kept("a")).length, 1);
});

it("keeps nothing for somebody whom the authorizer did not name", async () => {
  const { handler } = await import("../src/subscriptions.js");
  const body = JSON.stringify({ ...newBrowser(recipe.service.host).subscription, userId: "b" });
  for (const authorizer of [undefined, {}, { lambda: {} }]) {
    const { statusCode } = await handler({ body, requestContext: { http: { method: "POST" }, authorizer } });
    assert.equal(statusCode, 403);
  }
  // Nor for whom a body names.
  assert.equal((await recipe.ask("c", "POST", body)).statusCode, 200);
  assert.deepEqual([(await kept("b")).length, (await kept("c")).length], [0, 1]);
});

it("refuses an endpoint of somebody else's, and what is no subscription", async () => {
  const { endpoint, keys } = newBrowser(recipe.service.host).subscription;
  for (const body of [
    { endpoint: "https://evil.example/", keys },
    { endpoint: endpoint.replace("https", "http"), keys },
    { endpoint: "https://169.254.169.254/latest/meta-data/", keys },
    { endpoint: [endpoint], keys },
    { endpoint },
    { endpoint, keys: { ...keys, p256dh: keys.p256dh.slice(1) } },
    { endpoint, keys: { ...keys, p256dh: Buffer.alloc(65, 4).toString("base64url") } },
    { endpoint, keys: { ...keys, auth: "" } },
    { endpoint, keys: { ...keys, auth: 1 } },
    { endpoint, keys, more: "x".repeat(4_096) },
    "nonsense",
    "null",
    "",
  ]) {
    const answer = await recipe.ask("d", "POST", body);
    assert.deepEqual([answer.statusCode, JSON.parse(answer.body).code], [400, "badRequest"], JSON.stringify(body));
  }
  assert.deepEqual(await kept("d"), []);
});

it("lets nobody delete what is somebody else's", async () => {
  const { subscription } = newBrowser(recipe.service.host);
  await recipe.ask("e", "POST", subscription);
  assert.equal((await recipe.ask("f", "DELETE", { endpoint: subscription.endpoint })).statusCode, 200);
  assert.deepEqual((await kept("e")).map(({ endpoint }) => endpoint), [subscription.endpoint]);
  // One's own goes, as often as one likes.
  for (let times = 0; times < 2; times++) assert.equal((await recipe.ask("e", "DELETE", { endpoint: subscription.endpoint })).statusCode, 200);
  assert.deepEqual(await kept("e"), []);
});

it("keeps ten of a user, each once; the oldest makes place", async () => {
  const browsers = Array.from({ length: 11 }, () => newBrowser(recipe.service.host).subscription);
  for (const browser of browsers.slice(0, 10)) await recipe.ask("g", "POST", browser);
  // One that comes again is the newest.
  await recipe.ask("g", "POST", browsers[0]);
  await recipe.ask("g", "POST", browsers[10]);
  const wanted = [...browsers.slice(2, 10), browsers[0], browsers[10]].map(({ endpoint }) => endpoint);
  assert.deepEqual((await kept("g")).map(({ endpoint }) => endpoint), wanted);
});

it("loses none of several that come at once", async () => {
  const browsers = Array.from({ length: 4 }, () => newBrowser(recipe.service.host).subscription);
  await Promise.all(browsers.map((browser) => recipe.ask("h", "POST", browser)));
  assert.deepEqual((await kept("h")).map(({ endpoint }) => endpoint).sort(), browsers.map(({ endpoint }) => endpoint).sort());
});

it("ends one that did not come again for sixty days, and then its row", async (test) => {
  const [browser, other] = [newBrowser(recipe.service.host), newBrowser(recipe.service.host)];
  await recipe.ask("i", "POST", browser.subscription);
  const [{ until }] = await kept("i");
  const days = (until - Date.now() / 1_000) / 86_400;
  assert.ok(days > 59 && days <= 60, `${days}`);
  assert.ok((await row("i")).expiresAt >= until);
  const now = Date.now();
  test.mock.method(Date, "now", () => now + 61 * 86_400_000);
  await recipe.ask("i", "POST", other.subscription);
  assert.deepEqual((await kept("i")).map(({ endpoint }) => endpoint), [other.subscription.endpoint]);
});

/** @param {string} user */
async function row(user) {
  const { Item } = await recipe.db.send(new GetCommand({ TableName: "PushSubscriptions", Key: { PK: `USER#${user}` }, ConsistentRead: true }));
  return Item ?? {};
}

/** @param {string} user @returns {Promise<{ endpoint: string, until: number }[]>} */
async function kept(user) {
  return (await row(user)).subscriptions ?? [];
}
