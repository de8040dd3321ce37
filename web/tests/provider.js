/** A strict identity provider on this machine: it checks redirect addresses, PKCE, and that codes and refresh tokens are used once. */
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
// @ts-expect-error: the package has no types
import Provider from "oidc-provider";

/** @import { TestContext } from "node:test" */
/** @typedef {Awaited<ReturnType<typeof startProvider>>} TestProvider */

export const CLIENT_ID = "chat-page";
/** Of another application, whose users are the same. */
export const OTHER_CLIENT_ID = "shop";

/**
 * Runs until the test ends. Its users are who they say, with a password or without.
 * @param {TestContext} test
 * @param {string} page Where the page is.
 * @param {{ tokenSeconds?: number, refreshes?: boolean, userId?: number | null }} [options] Without a user id in its tokens, their `sub` says who it is.
 */
export async function startProvider(test, page, { tokenSeconds = 3_600, refreshes = true, userId = 7 } = {}) {
  /** @type {any} */ let provider;
  /** Each code, verifier and refresh token that was taken. @type {URLSearchParams[]} */ const grants = [];
  const server = createServer((request, response) => {
    if (String(request.url).startsWith("/interaction/")) return void interact(request, response);
    provider.callback()(request, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const issuer = `http://127.0.0.1:${port}`;
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });

  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const client = {
    token_endpoint_auth_method: "none", redirect_uris: [page], post_logout_redirect_uris: [page],
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
  };
  provider = new Provider(issuer, {
    clients: [CLIENT_ID, OTHER_CLIENT_ID].map((id) => ({ ...client, client_id: id })),
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "1", use: "sig", alg: "RS256" }] },
    cookies: { keys: ["of this test"] },
    claims: { openid: ["sub", "userId"], profile: ["name", "picture"] },
    // As Cognito, Auth0 and Keycloak do: the ID token has the names in it.
    conformIdTokenClaims: false,
    findAccount: (/** @type {unknown} */ _, /** @type {string} */ id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...(userId !== null && { userId }), name: `光 ${id}`, picture: "https://example.com/a.png" }),
    }),
    // It is the operator's own page, so nobody is asked whether it may know them.
    async loadExistingGrant(/** @type {any} */ { oidc }) {
      const grant = new provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
      grant.addOIDCScope("openid profile");
      await grant.save();
      return grant;
    },
    issueRefreshToken: () => refreshes,
    ttl: { IdToken: tokenSeconds, AccessToken: tokenSeconds, RefreshToken: 3_600, AuthorizationCode: 60, Session: 3_600, Grant: 3_600, Interaction: 600 },
    clientBasedCORS: (/** @type {unknown} */ _, /** @type {string} */ origin) => origin === new URL(page).origin,
    interactions: { url: (/** @type {unknown} */ _, /** @type {{ uid: string }} */ { uid }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(/** @type {any} */ context, /** @type {string} */ form) {
          context.body = html(`${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Yes, sign out</button>`);
        },
      },
    },
  });
  provider.on("grant.success", (/** @type {any} */ { oidc }) => grants.push(new URLSearchParams(oidc.body)));

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async function interact(request, response) {
    if (request.method !== "POST") {
      response.setHeader("Content-Type", "text/html");
      return response.end(html(`<form method="post"><label>User <input name="user"></label> <button>Go on</button> <button name="no" value="1">Give up</button></form>`));
    }
    const said = new URLSearchParams(await text(request));
    const aborted = { error: "access_denied", error_description: "the user gave up" };
    await provider.interactionFinished(request, response, said.has("no") ? aborted : { login: { accountId: said.get("user") } });
  }

  /** Signs in as a browser would, without one. @param {string} user @returns {Promise<{ id_token: string, access_token: string, refresh_token?: string }>} */
  async function tokens(user, clientId = CLIENT_ID) {
    const verifier = randomBytes(32).toString("base64url");
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const asked = { response_type: "code", client_id: clientId, redirect_uri: page, scope: "openid profile", code_challenge: challenge, code_challenge_method: "S256" };
    /** @type {Map<string, string>} */ const cookies = new Map();
    let url = new URL(`${issuer}/auth?${new URLSearchParams(asked)}`);
    while (url.origin === issuer) {
      const form = url.pathname.startsWith("/interaction/") ? { method: "POST", body: new URLSearchParams({ user }) } : {};
      const headers = { Cookie: [...cookies].map((cookie) => cookie.join("=")).join("; ") };
      const answer = await fetch(url, { ...form, headers, redirect: "manual" });
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name, value] = /** @type {RegExpExecArray} */ (/^([^=]+)=([^;]*)/.exec(cookie));
        cookies.set(name, value);
      }
      const next = answer.headers.get("Location");
      if (!next) throw new Error(`the provider answered ${answer.status}: ${await answer.text()}`);
      url = new URL(next, url);
    }
    const grant = { grant_type: "authorization_code", code: String(url.searchParams.get("code")), redirect_uri: page, client_id: clientId, code_verifier: verifier };
    const answer = await fetch(`${issuer}/token`, { method: "POST", body: new URLSearchParams(grant) });
    if (!answer.ok) throw new Error(await answer.text());
    return /** @type {any} */ (await answer.json());
  }

  return { issuer, grants, tokens };
}

/** @param {string} body */
function html(body) {
  return `<!doctype html><html lang="en"><title>Provider</title><link rel="icon" href="data:,">${body}</html>`;
}

/** What a token says. @param {string} token @returns {Record<string, any>} */
export function claims(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
}
