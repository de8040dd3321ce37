/** A strict identity provider on this machine: it checks redirect addresses, PKCE, and that codes and refresh tokens are used once. */
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
// @ts-expect-error: the package has no types
import Provider from "oidc-provider";

/** @import { TestContext } from "node:test" */
/** @typedef {Awaited<ReturnType<typeof startProvider>>} TestProvider */

export const CLIENT_ID = "chat-page";

/**
 * Runs until the test ends. Its users are who they say, with a password or without.
 * @param {TestContext} test
 * @param {string} page Where the page is.
 * @param {{ tokenSeconds?: number, refreshes?: boolean }} [options]
 */
export async function startProvider(test, page, { tokenSeconds = 3_600, refreshes = true } = {}) {
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
    client_id: CLIENT_ID, token_endpoint_auth_method: "none", redirect_uris: [page], post_logout_redirect_uris: [page],
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
  };
  provider = new Provider(issuer, {
    clients: [client],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "1", use: "sig", alg: "RS256" }] },
    cookies: { keys: ["of this test"] },
    claims: { openid: ["sub", "userId"], profile: ["name", "picture"] },
    // As Cognito, Auth0 and Keycloak do: the ID token has the names in it.
    conformIdTokenClaims: false,
    findAccount: (/** @type {unknown} */ _, /** @type {string} */ id) => ({
      accountId: id,
      claims: () => ({ sub: id, userId: 7, name: `光 ${id}`, picture: "https://example.com/a.png" }),
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

  return { issuer, grants };
}

/** @param {string} body */
function html(body) {
  return `<!doctype html><html lang="en"><title>Provider</title><link rel="icon" href="data:,">${body}</html>`;
}
