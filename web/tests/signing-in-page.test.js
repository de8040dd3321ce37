// @ts-check
/** Signing in at an identity provider: how one comes in, stays in, comes back, and goes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { openWindow, startBrowser } from "./browser.js";
import { hostingPolicy, servePage } from "./page-server.js";
import { CLIENT_ID, claims, startProvider } from "./provider.js";
import { startScriptedServer } from "./scripted-server.js";
import { comeIn, eventually, fillIn, join, line, openPage, scan, signIn, signedIn, texts, write } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, BrowserContextOptions, Page, Request } from "playwright-core" */
/** @import { ScriptedServer } from "./scripted-server.js" */
/** @import { TestProvider } from "./provider.js" */
/** @typedef {{ server: ScriptedServer, provider: TestProvider, origin: string, address: string }} Deployment */

/** The page of another origin may read it. */
const FOR_ALL = { "Access-Control-Allow-Origin": "*" };

describe("signing in", () => {
  /** @type {Browser} */ let browser;
  before(async () => void (browser = await startBrowser()));
  after(() => browser.close());

  it("comes in by a code with PKCE, to the message that a link names, and leaves no trace of it", async (test) => {
    const deployment = await deploy(test);
    const { server, provider } = deployment;
    for (let n = 0; n < 3; n++) server.say("a b/c");
    const { page, complaints } = await openPage(test, browser, deployment.address + "#/a%20b%2Fc/2");
    await page.getByText(`You sign in at ${new URL(provider.issuer).host}. Your token goes to`).waitFor();
    assert.equal(await page.getByLabel("Token").isVisible(), false);
    assert.equal(await page.getByLabel("Name").isVisible(), false);
    /** @type {string[]} */ const addresses = [];
    await page.exposeFunction("note", (/** @type {string} */ address) => void addresses.push(address));
    // Before the page asks for anything, its address is clean.
    page.on("request", (request) => {
      if (request.url().includes("/token")) void page.evaluate(() => location.href).then((at) => addresses.push(at), () => {});
    });
    const asking = page.waitForRequest((request) => request.url().startsWith(`${provider.issuer}/auth?`));
    await signIn(page);
    const asked = new URL((await asking).url()).searchParams;
    await signedIn(page, "dong");
    await page.locator('[data-id="2"].found').waitFor();
    await page.getByRole("heading", { name: "Room a b/c" }).waitFor();
    await page.getByRole("textbox", { name: "Message" }).fill("begun");

    assert.deepEqual([asked.get("response_type"), asked.get("client_id"), asked.get("redirect_uri")], ["code", CLIENT_ID, deployment.origin]);
    assert.deepEqual([asked.get("scope"), asked.get("code_challenge_method")], ["openid profile", "S256"]);
    for (const name of ["state", "nonce"]) assert.ok(String(asked.get(name)).length >= 43, name);
    const [grant] = provider.grants;
    const verifier = String(grant.get("code_verifier"));
    assert.match(verifier, /^[\w.~-]{43,128}$/);
    assert.equal(createHash("sha256").update(verifier).digest("base64url"), asked.get("code_challenge"));
    assert.equal(new Set([verifier, asked.get("state"), asked.get("nonce")]).size, 3);

    const { sub, aud, iss } = claims(server.peer.token);
    assert.deepEqual([sub, aud, iss], ["dong", CLIENT_ID, provider.issuer]);
    assert.equal(await page.locator("#self-name").textContent(), "光 dong");
    assert.equal(page.url(), `${deployment.address}#/a%20b%2Fc`);
    const code = String(grant.get("code"));
    for (const address of addresses) assert.equal(address.includes(code), false);
    assert.ok(addresses.length > 0);
    const kept = await page.evaluate(async () => {
      /** @type {(request: IDBRequest) => Promise<any>} */
      const done = (request) => new Promise((resolve) => request.addEventListener("success", () => resolve(request.result)));
      const rows = [];
      for (const { name } of await indexedDB.databases()) {
        const database = await done(indexedDB.open(String(name)));
        for (const store of database.objectStoreNames) rows.push(store, await done(database.transaction(store).objectStore(store).getAll()));
      }
      return JSON.stringify([{ ...sessionStorage }, { ...localStorage }, rows, document.cookie]);
    });
    assert.match(kept, /"drafts",\[/);
    assert.doesNotMatch(kept, /eyJ|verifier|nonce/);
    assert.deepEqual(complaints, []);
  });

  it("trusts nobody who says to be another issuer, even by a slash", async (test) => {
    const deployment = await deploy(test);
    const { page } = await openPage(test, browser, deployment.address);
    await page.route("**/.well-known/openid-configuration", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), issuer: `${deployment.provider.issuer}/` } });
    });
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("You are not let in: the sign-in did not work").waitFor();
    assert.equal(page.url(), deployment.address);
  });

  it("follows no address of a provider that is no web address", async (test) => {
    const deployment = await deploy(test);
    const { page } = await openPage(test, browser, deployment.address);
    await page.route("**/.well-known/openid-configuration", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), authorization_endpoint: "javascript:hacked=1" } });
    });
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("the sign-in did not work").waitFor();
  });

  it("takes no answer that it did not ask for, and forgets it at once", async (test) => {
    const deployment = await deploy(test);
    const { page } = await openPage(test, browser, deployment.address);
    /** @type {string[]} */ const asked = [];
    page.on("request", (request) => void (new URL(request.url()).origin === deployment.provider.issuer && asked.push(request.url())));
    // In the middle of a sign-in of one's own.
    await signIn(page, null);
    asked.length = 0;
    await page.goto(`${deployment.origin}?code=another&state=another`);
    await page.getByRole("alert").getByText("this sign-in was not begun here").waitFor();
    assert.equal(page.url(), deployment.address);
    assert.deepEqual(asked, []);
    await signIn(page);
    await signedIn(page, "dong");

    // In a window that began none.
    const other = await openPage(test, browser, deployment.address);
    await other.page.goto(`${deployment.origin}?code=another&state=another&session_state=1#/1`);
    await other.page.getByText("This sign-in was begun in another window.").waitFor();
    assert.equal(other.page.url(), `${deployment.origin}#/1`);
    assert.equal(await other.page.getByRole("button", { name: "Enter" }).isDisabled(), true);
    await other.page.goto(`${deployment.address}&code=another&state=another`);
    await other.page.getByRole("alert").getByText("this sign-in was not begun here").waitFor();
    assert.equal(new URL(other.page.url()).searchParams.has("code"), false);
  });

  it("takes no answer that another provider gave", async (test) => {
    const deployment = await deploy(test);
    const { page } = await openPage(test, browser, deployment.address);
    const { server } = deployment;
    const serve = server.answerPage;
    server.answerPage = (path, response, request) => {
      const url = new URL(String(request.url), deployment.origin);
      if (url.searchParams.get("iss") !== deployment.provider.issuer) return serve(path, response, request);
      url.searchParams.set("iss", "https://other.example.com");
      response.writeHead(302, { Location: url.href }).end();
      return true;
    };
    await signIn(page);
    await page.getByRole("alert").getByText("the sign-in did not work").waitFor();
    assert.equal(deployment.provider.grants.length, 0);
  });

  it("takes no token of another sign-in: the nonce is compared", async (test) => {
    const deployment = await deploy(test);
    const { page } = await openPage(test, browser, deployment.address);
    await page.route(`${deployment.provider.issuer}/auth?*`, async (route) => {
      const url = new URL(route.request().url());
      if (url.searchParams.get("nonce") === "another") return route.fallback();
      url.searchParams.set("nonce", "another");
      await route.fulfill({ status: 302, headers: { Location: url.href } });
    });
    await signIn(page);
    await page.getByRole("alert").getByText("the sign-in did not work").waitFor();
    assert.equal(deployment.provider.grants.length, 1);
    assert.equal(deployment.server.handshakes.length, 0);
  });

  for (const [what, change] of /** @type {[string, object][]} */ ([
    ["another issuer", { iss: "https://other.example.com" }],
    ["another client", { aud: "other" }],
    ["another party of several", { aud: [CLIENT_ID, "other"], azp: "other" }],
  ])) {
    it(`takes no token of ${what}`, async (test) => {
      const deployment = await deploy(test);
      const { page } = await openPage(test, browser, deployment.address);
      await changeTokens(page, change);
      await signIn(page);
      await page.getByRole("alert").getByText("the sign-in did not work").waitFor();
      assert.equal(deployment.server.handshakes.length, 0);
    });
  }

  it("says in words that somebody gave up, in both languages, and lets them try again", async (test) => {
    const deployment = await deploy(test);
    const { page, complaints } = await openPage(test, browser, deployment.address);
    await signIn(page, null);
    await page.getByRole("button", { name: "Give up" }).click();
    await page.getByRole("alert").getByText("You are not let in: the sign-in was given up or not allowed").waitFor();
    assert.equal(page.url(), deployment.address);
    await page.getByLabel("Language").selectOption("中文");
    await page.getByRole("alert").getByText("无法进入：登录已取消或未获允许").waitFor();
    await page.getByLabel("语言").selectOption("English");
    await signIn(page);
    await signedIn(page, "dong");
    assert.deepEqual(complaints, []);
  });

  it("says so when the provider cannot be reached", async (test) => {
    const deployment = await deploy(test);
    const { page } = await openPage(test, browser, deployment.address);
    await page.route(`${deployment.provider.issuer}/**`, (route) => route.abort());
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("the sign-in service cannot be reached").waitFor();
  });

  it("renews the token again and again before it ends, each time with the newest refresh token", async (test) => {
    const deployment = await deploy(test, { tokenSeconds: 4 });
    const { server, provider } = deployment;
    const { page, complaints } = await openPage(test, browser, deployment.address);
    await signIn(page);
    await signedIn(page, "dong");
    await eventually(async () => provider.grants.length >= 4, true);
    const [, ...renewed] = provider.grants;
    assert.ok(renewed.every((grant) => grant.get("grant_type") === "refresh_token"));
    const used = renewed.map((grant) => grant.get("refresh_token"));
    assert.equal(new Set(used).size, used.length, "each is used once");
    // A connection is replaced by one with a newer token before the server stops pushing to it.
    assert.ok(new Set(server.peers.map(({ token }) => token)).size >= 3);
    await page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
    for (const refresh of used) assert.equal(kept.includes(String(refresh)), false);
    assert.deepEqual(complaints, []);
  });

  it("stays in while the provider cannot be reached for a moment, with the token that is still good", async (test) => {
    const deployment = await deploy(test, { tokenSeconds: 10 });
    const { server, provider } = deployment;
    const { page } = await openPage(test, browser, deployment.address);
    let isAway = true;
    let refused = 0;
    await page.route(`${provider.issuer}/token`, (route) => {
      if (!isAway || !isRenewal(route.request())) return route.fallback();
      return refused++ % 2 === 0 ? route.abort() : route.fulfill({ status: 503, headers: FOR_ALL, body: "" });
    });
    await signIn(page);
    await signedIn(page, "dong");
    // The first one is replaced by one with a token that is fresh enough; then there should be a new one.
    await eventually(async () => server.peers.length >= 3 && refused > 0, true);
    assert.equal(new Set(server.peers.map(({ token }) => token)).size, 1);
    isAway = false;
    await eventually(async () => server.peer.token !== server.peers[0].token, true);
    assert.equal(await page.getByRole("alert").isVisible(), false);
    await write(page, "still here");
    await line(page, 1).waitFor();
  });

  it("says that the sign-in has ended, also when the provider could not say so in time", async (test) => {
    const deployment = await deploy(test, { tokenSeconds: 4 });
    const { server, provider } = deployment;
    const { page } = await openPage(test, browser, deployment.address);
    let isAway = true;
    await page.route(`${provider.issuer}/token`, (route) => {
      if (!isRenewal(route.request())) return route.fallback();
      return isAway ? route.abort() : route.fulfill({ status: 400, headers: FOR_ALL, json: { error: "invalid_grant" } });
    });
    await signIn(page);
    await signedIn(page, "dong");
    const over = 1_000 * claims(server.peer.token).exp + 1_500;
    // The client tries again after 30 seconds at the most.
    const patient = { timeout: 60_000 };
    await page.waitForRequest((request) => isRenewal(request) && Date.now() > over, patient);
    assert.equal(await page.getByRole("alert").isVisible(), false);
    isAway = false;
    await page.getByRole("alert").getByText("Your sign-in has ended. Sign in again: what you wrote is kept.").waitFor(patient);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
  });

  for (const refreshes of [false, true]) {
    it(`leads to the provider again when a token ends that ${refreshes ? "is not renewed any more" : "nobody renews"}, and back to what was written`, async (test) => {
      const deployment = await deploy(test, { tokenSeconds: 5, refreshes });
      const { server, provider } = deployment;
      const { page } = await openPage(test, browser, deployment.address + "#/harbour");
      // The provider has ended the session by then.
      if (refreshes) {
        await page.route(`${provider.issuer}/token`, (route) => {
          return isRenewal(route.request()) ? route.fulfill({ status: 400, headers: FOR_ALL, json: { error: "invalid_grant" } }) : route.fallback();
        });
      }
      server.answer = ({ action }) => action === "sendMessage";
      await signIn(page);
      await signedIn(page, "dong");
      await write(page, "not stored yet");
      await eventually(async () => server.frames("sendMessage").length > 0, true);
      const [{ clientMessageId }] = server.frames("sendMessage");
      await page.getByRole("textbox", { name: "Message" }).fill("begun");
      await page.getByRole("alert").getByText("Your sign-in has ended. Sign in again: what you wrote is kept.").waitFor();
      server.answer = () => false;
      // The provider still knows who it is, so it asks nothing.
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Room harbour" }).waitFor();
      await eventually(() => page.getByRole("textbox", { name: "Message" }).inputValue(), "begun");
      await eventually(() => texts(page), ["not stored yet"]);
      await line(page, 1).waitFor();
      const sent = server.frames("sendMessage").map((frame) => frame.clientMessageId);
      assert.deepEqual([...new Set(sent)], [clientMessageId]);
      assert.equal([...server.room("harbour").messages].length, 1);
    });
  }

  it("comes back into the same room after a reload, without a press", async (test) => {
    const deployment = await deploy(test);
    const { page, complaints } = await openPage(test, browser, deployment.address + "#/harbour");
    await signIn(page);
    await signedIn(page, "dong");
    await page.getByRole("heading", { name: "Room harbour" }).waitFor();
    await page.reload();
    await page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    await page.getByRole("heading", { name: "Room harbour" }).waitFor();
    assert.equal(deployment.provider.grants.length, 2);
    assert.deepEqual(complaints, []);
    // Somebody whom the provider forgot is led there, and may change their mind.
    await page.context().clearCookies();
    await page.evaluate(() => location.reload());
    await page.getByRole("button", { name: "Give up" }).click();
    await page.getByRole("alert").getByText("the sign-in was given up").waitFor();
    assert.equal(new URL(page.url()).hash, "#/harbour");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "enter");
  });

  it("sends nobody on to the provider again who comes back from it by the browser's way back", async (test) => {
    const deployment = await deploy(test);
    const { page } = await openPage(test, browser, deployment.address + "#/harbour");
    await signIn(page);
    await signedIn(page, "dong");
    await join(page, "mole");
    await page.getByRole("heading", { name: "Room mole" }).waitFor();
    await page.context().clearCookies();
    await page.evaluate(() => location.reload());
    await page.getByRole("button", { name: "Give up" }).waitFor();
    await page.goBack();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    assert.equal(page.url(), `${deployment.address}#/harbour`);
    await signIn(page);
    await signedIn(page, "dong");
    await page.getByRole("heading", { name: "Room harbour" }).waitFor();
  });

  it("ends the provider's session with its own, and is at its own address again", async (test) => {
    const deployment = await deploy(test);
    const { page, complaints } = await openPage(test, browser, deployment.address);
    await signIn(page);
    await signedIn(page, "dong");
    const leaving = page.waitForRequest((request) => request.url().startsWith(`${deployment.provider.issuer}/session/end?`));
    await page.getByRole("button", { name: "Sign out" }).click();
    const asked = new URL((await leaving).url()).searchParams;
    assert.equal(asked.get("post_logout_redirect_uri"), deployment.origin);
    assert.equal(asked.get("logout_uri"), deployment.origin, "Cognito's name for it");
    assert.equal(claims(String(asked.get("id_token_hint"))).sub, "dong");
    await page.getByRole("button", { name: "Yes, sign out" }).click();
    await page.getByText("You sign in at").waitFor();
    assert.equal(page.url(), deployment.address);
    // Somebody else may sign in now.
    await signIn(page, "liu");
    await signedIn(page, "liu");
    assert.deepEqual(complaints, []);
  });

  it("stays on the page after signing out where the provider ends no sessions", async (test) => {
    const deployment = await deploy(test);
    const { page } = await openPage(test, browser, deployment.address);
    await endNoSessions(page);
    await signIn(page);
    await signedIn(page, "dong");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    assert.equal(page.url(), deployment.address);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "enter");
  });

  it("has no token any more after signing out, though one was on its way", async (test) => {
    const deployment = await deploy(test, { tokenSeconds: 6 });
    const { page } = await openPage(test, browser, deployment.address);
    await endNoSessions(page);
    /** @type {() => void} */ let release = () => {};
    const released = new Promise((resolve) => (release = () => resolve(null)));
    await page.route(`${deployment.provider.issuer}/token`, async (route) => {
      if (isRenewal(route.request())) await released;
      await route.fallback();
    });
    const renewing = page.waitForRequest(isRenewal);
    await signIn(page);
    await signedIn(page, "dong");
    await renewing;
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    const renewed = page.waitForResponse((response) => isRenewal(response.request()));
    release();
    await (await renewed).finished();
    const asking = page.waitForRequest((request) => request.url().startsWith(`${deployment.provider.issuer}/auth?`));
    await page.getByRole("button", { name: "Sign in" }).click();
    await asking;
  });

  it("lets two windows of one browser sign in at the same time", async (test) => {
    const deployment = await deploy(test);
    const context = await browser.newContext({ locale: "en-GB" });
    test.after(() => context.close());
    const [one, other] = await Promise.all([openWindow(context), openWindow(context)]);
    for (const [{ page }, room] of /** @type {const} */ ([[one, "one"], [other, "other"]])) {
      await page.goto(`${deployment.address}#/${room}`);
      await signIn(page, null);
    }
    await fillIn(one.page, "dong");
    await signedIn(one.page, "dong");
    await fillIn(other.page, "dong");
    await signedIn(other.page, "dong");
    await one.page.getByRole("heading", { name: "Room one" }).waitFor();
    await other.page.getByRole("heading", { name: "Room other" }).waitFor();
    assert.deepEqual([...one.complaints, ...other.complaints], []);
  });

  it("sends an API's access token where the address names one", async (test) => {
    const deployment = await deploy(test, {}, { audience: "https://chat.example.com", scope: "openid profile offline_access" });
    const { page } = await openPage(test, browser, deployment.address);
    const accessToken = `e30.${Buffer.from(JSON.stringify({ sub: "dong", name: "光 dong", iat: 1, exp: 3_601 })).toString("base64url")}.x`;
    await page.route(`${deployment.provider.issuer}/token`, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), access_token: accessToken } });
    });
    const asking = page.waitForRequest((request) => request.url().startsWith(`${deployment.provider.issuer}/auth?`));
    await signIn(page);
    const asked = new URL((await asking).url()).searchParams;
    await signedIn(page, "dong");
    assert.deepEqual([asked.get("audience"), asked.get("scope")], ["https://chat.example.com", "openid profile offline_access"]);
    assert.equal(deployment.server.peer.token, accessToken);
  });

  it("works under the policy that web/hosting.yaml sets, which lets the page ask the provider for two things", async (test) => {
    const deployment = await deploy(test);
    const { server, provider } = deployment;
    const policy = hostingPolicy({
      WebSocketUrl: server.url, HttpUrl: new URL(server.historyUrl).origin,
      SignInIssuer: provider.issuer, SignInTokenUrl: `${provider.issuer}/token`,
    });
    const serve = server.answerPage;
    server.answerPage = (path, response, request) => {
      response.setHeader("Content-Security-Policy", policy);
      return serve(path, response, request);
    };
    const { page, complaints } = await openPage(test, browser, deployment.address);
    await signIn(page);
    await signedIn(page, "dong");
    assert.deepEqual(complaints, []);
    const tryIt = (/** @type {string} */ path) => page.evaluate((url) => fetch(url, { mode: "no-cors" }).then(() => "asked", () => "refused"), provider.issuer + path);
    assert.equal(await tryIt("/.well-known/openid-configuration"), "asked");
    assert.equal(await tryIt("/me"), "refused");
    // An issuer with a slash at its end has one slash there, too.
    assert.match(hostingPolicy({ SignInIssuer: "https://a.auth0.com/" }), / https:\/\/a\.auth0\.com\/\.well-known\/openid-configuration /);
  });

  it("is told by web/hosting.yaml where one signs in, and each parameter for it is explained", () => {
    const [template, deploy] = ["../hosting.yaml", "../../docs/deploy.md"].map((path) => readFileSync(new URL(path, import.meta.url), "utf8"));
    const parameters = [...template.matchAll(/^ {2}(SignIn\w+):\n {4}Type/gm)].map(([, name]) => name);
    const explained = [...deploy.matchAll(/^\| `(SignIn\w+)` \|/gm)].map(([, name]) => name);
    assert.equal(parameters.length, 5);
    assert.deepEqual(explained, parameters);
    const [, page] = template.split("PageUrl:");
    assert.match(page, /"&issuer=\$\{SignInIssuer\}&client=\$\{SignInClientId\}&scope=\$\{Scope\}"/);
    assert.match(page, /"&audience=\$\{SignInAudience\}"/);
  });

  it("asks for what it asked for before, where its address names no provider", async (test) => {
    const server = await startScriptedServer(test);
    const origin = servePage(server);
    const context = await browser.newContext({ locale: "en-GB" });
    test.after(() => context.close());
    const { page } = await openWindow(context);
    /** @type {string[]} */ const asked = [];
    page.on("request", (request) => {
      const { pathname, search } = new URL(request.url());
      if (!/^\/(page\/.*|chat-client\.js|)$/.test(pathname)) asked.push(`${request.method()} ${pathname}${search} ${request.postData() ?? ""}`);
      assert.notEqual(pathname, "/page/signing-in.js");
    });
    await page.goto(origin);
    await comeIn(page, { name: "Guang", id: 7, room: "1" });
    await eventually(async () => asked.length, 4);
    const claims = { userId: 7, username: "Guang", nickName: "Guang", rooms: ["*", "@mine"] };
    assert.deepEqual(asked.sort(), [
      "GET /chat-history/list?chatroomId=1&limit=50&before=1 ",
      "GET /chatroom/list ",
      "GET /local/endpoints ",
      `POST /local/token ${JSON.stringify(claims)}`,
    ]);
    // A deployment without a provider still asks for a token.
    await page.goto(`${origin}?${new URLSearchParams({ ws: server.url, http: origin })}`);
    await page.getByLabel("Token").waitFor();
    await page.getByRole("button", { name: "Enter" }).waitFor();
  });

  it("says which part of its address is missing", async (test) => {
    const deployment = await deploy(test);
    for (const name of ["client", "ws"]) {
      const address = new URL(deployment.address);
      address.searchParams.delete(name);
      if (name === "ws") address.searchParams.delete("http");
      const { page } = await openPage(test, browser, address.href);
      await page.getByText(`“${name}” is missing in this page's address.`).waitFor();
      assert.equal(await page.getByRole("button", { name: "Enter" }).isDisabled(), true);
    }
  });

  for (const [what, options] of /** @type {[string, BrowserContextOptions][]} */ ([
    ["wide", { viewport: { width: 1_280, height: 800 } }],
    ["narrow", { viewport: { width: 320, height: 640 } }],
    ["dark", { viewport: { width: 1_280, height: 800 }, colorScheme: "dark" }],
  ])) {
    it(`has nothing that an accessibility scan finds, ${what}`, async (test) => {
      const deployment = await deploy(test);
      const { page } = await openPage(test, browser, deployment.address, { ...options, bypassCSP: true });
      await scan(page, "before");
      await signIn(page, null);
      await page.getByRole("button", { name: "Give up" }).click();
      await page.getByRole("alert").waitFor();
      await scan(page, "refused");
      const [width, available] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(width <= available, `${width} pixels wide in a window of ${available}`);
      if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/${what}.png` });
    });
  }

  /** A page, a chat and a provider. @param {TestContext} test @param {Parameters<typeof startProvider>[2]} [options] @param {Record<string, string>} [more] Of the page's address. */
  async function deploy(test, options, more) {
    const server = await startScriptedServer(test);
    const origin = servePage(server);
    const provider = await startProvider(test, origin, options);
    const parameters = { ws: server.url, http: origin, issuer: provider.issuer, client: CLIENT_ID, ...more };
    return { server, provider, origin, address: `${origin}?${new URLSearchParams(parameters)}` };
  }

});

/** Asks for a token by an older one. @param {Request} request */
function isRenewal(request) {
  return request.postData()?.includes("grant_type=refresh_token") ?? false;
}

/** The provider has no place where its sessions end. @param {Page} page */
async function endNoSessions(page) {
  await page.route("**/.well-known/openid-configuration", async (route) => {
    const response = await route.fetch();
    const { end_session_endpoint: _, ...json } = await response.json();
    await route.fulfill({ response, json });
  });
}

/** Changes what the provider's tokens say. The page leaves it to the server to check who signed. @param {Page} page @param {object} change */
async function changeTokens(page, change) {
  await page.route("**/token", async (route) => {
    const response = await route.fetch();
    const tokens = await response.json();
    const [header, , signature] = tokens.id_token.split(".");
    const payload = Buffer.from(JSON.stringify({ ...claims(tokens.id_token), ...change })).toString("base64url");
    await route.fulfill({ response, json: { ...tokens, id_token: [header, payload, signature].join(".") } });
  });
}
