// @ts-check
/**
 * Whoever signed in at an identity provider, in the chat itself: its authorizer checks the provider's tokens, and the page is
 * on an origin of its own, under the policy that `web/hosting.yaml` sets.
 *
 * The page's own policy, in `web/index.html`, has to name `ws:`: `http:` does not stand for it
 * (https://www.w3.org/TR/CSP3/#match-schemes), and `'self'` does only where the page is on the chat's origin. Without it the
 * browser refuses the handshake and tells the page no reason. Deployments are at `wss:`, so only a local run shows that.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { startBrowser } from "./browser.js";
import { collect, pause, replace, until } from "./listening.js";
import { startLocalRun } from "./local-run.js";
import { hostPage, hostingPolicy } from "./page-server.js";
import { CLIENT_ID, OTHER_CLIENT_ID, claims, startProvider } from "./provider.js";
import { eventually, line, openPage, signIn, signedIn, texts, write } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */

/** As Auth0 names its users. A chat without user ids of its own takes the provider's. */
const DONG = "auth0|dong";
const PICTURE = `<svg xmlns="http://www.w3.org/2000/svg"/>`;
const TOKEN_SECONDS = 6;
const BEHIND_MS = 55_000;

describe("somebody whom an identity provider signed in", () => {
  /** @type {Browser} */ let browser;
  before(async () => void (browser = await startBrowser()));
  after(() => browser.close());

  it("comes into the rooms that are for all, and is heard under their own name", async (test) => {
    const { provider, run, address } = await deploy(test);
    const liu = client(test, run, () => provider.tokens("liu"));
    await liu.connect();
    const room = liu.room(1);
    await room.join();
    const heard = collect(room);
    const { page, complaints } = await visit(test, address);
    await signIn(page, DONG);
    await signedIn(page, DONG);
    await page.getByRole("heading", { name: "Room 1" }).waitFor();
    await write(page, "hello");
    const said = await until(() => heard.messages[0]);
    assert.deepEqual([said.content, said.senderId, said.sender.nickName], ["hello", DONG, `光 ${DONG}`]);
    assert.equal(said.sender.headPic, "https://example.com/a.png");
    const { id } = await room.send("hello yourself");
    await line(page, id).getByText("hello yourself").waitFor();
    assert.equal(heard.messages[1].senderId, "liu");
    await page.locator(".log:not([hidden]) .head").getByText("光 liu").waitFor();
    assert.deepEqual(complaints, []);
    // The other rooms are not.
    await assert.rejects(liu.room(2).join(), { code: "notAllowed" });
  });

  it("goes on when the first token is over, and nothing is lost", async (test) => {
    // A token is over a minute later than it says, since clocks differ. The provider's is behind by almost that minute.
    const now = Date.now;
    replace(test, Date, { now: () => now() - BEHIND_MS });
    const { provider, run, address } = await deploy(test, { tokenSeconds: TOKEN_SECONDS, copiesKeys: true });
    const liu = client(test, run, () => provider.tokens("liu"), { lifetimeMs: 500 * TOKEN_SECONDS });
    await liu.connect();
    const room = liu.room(1);
    await room.join();
    const heard = collect(room);
    const { page, complaints } = await visit(test, address);
    const answering = page.waitForResponse(`${provider.issuer}/token`);
    await signIn(page, DONG);
    await signedIn(page, DONG);
    const { id_token: first } = await (await answering).json();
    let turns = 0;
    const talk = async () => {
      const { id } = await room.send(`liu ${++turns}`);
      await line(page, id).getByText(`liu ${turns}`, { exact: true }).waitFor();
      await write(page, `dong ${turns}`);
      await until(() => heard.messages.at(-1)?.content === `dong ${turns}`);
    };
    do {
      await talk();
      // So often that every new connection is talked over, and less than the 600 lines that the page keeps.
      await pause(100);
      assert.ok(turns < 250, "the first token is never over");
    } while (await isTaken(run, first));
    // Whoever had stayed on the first connection would be pushed nothing more.
    await talk();
    const said = Array.from({ length: turns }, (_, n) => [`liu ${n + 1}`, `dong ${n + 1}`]).flat();
    await eventually(() => texts(page), said);
    assert.deepEqual(heard.messages.map(({ content }) => content), said);
    const renewals = provider.grants.filter((grant) => grant.get("grant_type") === "refresh_token");
    assert.ok(renewals.length > 0);
    assert.equal(await page.getByRole("alert").isVisible(), false);
    assert.deepEqual(complaints, []);
  });

  it("is not let in where the provider's token is for another application", async (test) => {
    const { run, address } = await deploy(test);
    const ofAnother = new URL(address);
    ofAnother.searchParams.set("client", OTHER_CLIENT_ID);
    const { page } = await visit(test, ofAnother.href);
    await signIn(page, DONG);
    await page.getByRole("alert").getByText("You are not let in: your token was not accepted").waitFor();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await until(() => run.log.some((line) => line.includes("it is for another audience")));
    // The provider still knows who it is, so the right application has no form to fill in.
    await page.goto(address);
    await page.getByRole("button", { name: "Sign in" }).click();
    await signedIn(page, DONG);
  });

  it("is refused with a token that another key signed, even if it says the same under the same key's name", async (test) => {
    const { provider, run, page } = await deploy(test);
    const other = await startProvider(test, page);
    const { id_token: good } = await provider.tokens("liu");
    const { id_token: foreign } = await other.tokens("liu");
    const said = good.slice(0, good.lastIndexOf("."));
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    const forged = `${said}.${sign("sha256", Buffer.from(said), privateKey).toString("base64url")}`;
    await client(test, run, async () => ({ id_token: good })).connect();
    assert.equal(claims(foreign).aud, claims(good).aud);
    for (const [count, token] of [foreign, forged].entries()) {
      await assert.rejects(client(test, run, async () => ({ id_token: token })).connect(), { code: "refused" });
      assert.equal(await isTaken(run, token), false);
      // The handshake; the client, which asks the history why; and we.
      await until(() => run.log.filter((line) => line.includes("another key signed it")).length === 3 * (count + 1));
    }
  });

  /** @param {TestContext} test @param {string} address */
  async function visit(test, address) {
    const window = await openPage(test, browser, address);
    // The provider's users have a picture, which is not there.
    await window.page.route("https://example.com/a.png", (route) => route.fulfill({ contentType: "image/svg+xml", body: PICTURE }));
    return window;
  }

  /** A page, a provider, and a chat that trusts it. @param {TestContext} test @param {Parameters<typeof startProvider>[2] & { copiesKeys?: boolean }} [options] */
  async function deploy(test, { copiesKeys = false, ...options } = {}) {
    const host = await hostPage(test);
    const provider = await startProvider(test, host.address, { userId: null, ...options });
    const { issuer } = provider;
    const { jwks_uri: url, token_endpoint: tokens } = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
    /** @type {Record<string, string>} */ const keys = copiesKeys ? { TokenJwks: await (await fetch(url)).text() } : { TokenJwksUrl: url };
    const { origin } = new URL(host.address);
    const run = await startLocalRun({
      parameters: { ...keys, TokenIssuer: issuer, TokenAudience: CLIENT_ID, DefaultRooms: "1,@mine", AllowedOrigins: origin },
    });
    test.after(() => run.stop());
    const http = new URL(run.page).origin;
    host.policy = hostingPolicy({ WebSocketUrl: run.url, HttpUrl: http, SignInIssuer: issuer, SignInTokenUrl: tokens });
    const address = `${host.address}?${new URLSearchParams({ ws: run.url, http, issuer, client: CLIENT_ID })}`;
    return { provider, run, page: host.address, address };
  }
});

/** @param {TestContext} test @param {LocalRun} run @param {() => Promise<{ id_token: string }>} signIn @param {{ lifetimeMs?: number }} [options] */
function client(test, run, signIn, options) {
  const getToken = async () => (await signIn()).id_token;
  const made = new ChatClient({ url: run.url, historyUrl: run.historyUrl, WebSocket: /** @type {any} */ (WebSocket), getToken, ...options });
  test.after(() => made.disconnect());
  return made;
}

/** Whether the server takes a token. @param {LocalRun} run @param {string} token */
async function isTaken(run, token) {
  const { status } = await fetch(`${run.historyUrl}?chatroomId=1`, { headers: { Authorization: `Bearer ${token}` } });
  assert.ok([200, 403].includes(status), `answered ${status}`);
  return status === 200;
}
