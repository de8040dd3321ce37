// @ts-check
/**
 * Signing in at an identity provider, by `?issuer=…&client=…`: OpenID Connect's authorization code flow with PKCE. The page is
 * left for the provider and comes back with a code. Tokens are in memory alone. A reload asks the provider again, whose session
 * answers for the user. No hidden frame renews them: browsers give a frame of another site no cookies.
 */
import { ChatError } from "../chat-client.js";
import { TRIP } from "./address.js";
import { urlOf } from "./dom.js";
import { claimsOf } from "./way.js";

/** @import { Returned } from "./address.js" */
/** What a provider says of itself. @typedef {Record<string, unknown> & { issuer: string }} Metadata */
/** @typedef {{ id_token?: string, access_token?: string, refresh_token?: string, error?: string, error_description?: string }} Answer */

const SCOPE = "openid profile";
/** Bytes of each secret; 43 characters, which is the least that a code verifier has (RFC 7636, section 4.1). */
const SECRET_BYTES = 32;
/** The longest wait for an answer of the provider. In milliseconds. */
const TIMEOUT_MS = 10_000;
/** API Gateway ends a connection by then. In milliseconds. */
const CONNECTION_MS = 7_200_000;
/** By then a token is surely over. In milliseconds. */
const AFTER_MS = 100;
/** The longest time that a timer takes. In milliseconds. */
const TIMER_MAX_MS = 2_147_483_647;

export class SigningIn {
  #issuer;
  #clientId;
  #scope;
  /** Names an API. Then its access token is sent in place of the ID token. */
  #audience;
  #returned;
  #ended;
  /** @type {Promise<Metadata> | null} */ #metadata = null;
  /** @type {string | null} */ #endSession = null;
  /** One at a time: a refresh token may be used once. @type {Promise<void> | null} */ #asking = null;
  /** Changes when all is forgotten: what is still under way then is for nobody. */
  #era = {};
  #token = "";
  #idToken = "";
  #refreshToken = "";
  #lifetimeMs = 0;
  #goodUntil = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {URLSearchParams} query @param {Returned} returned @param {() => void} ended Is called when the token is over, and no other can be had. */
  constructor(query, returned, ended) {
    this.#issuer = String(query.get("issuer"));
    this.#clientId = String(query.get("client"));
    this.#scope = query.get("scope") || SCOPE;
    this.#audience = query.get("audience") || undefined;
    this.#returned = returned.answer;
    this.#ended = ended;
  }

  /** Whom the user signs in with. */
  get host() {
    return new URL(this.#issuer).host;
  }

  /** Whether a token is there, or a code for one. */
  get isIn() {
    return this.#token !== "" || this.#returned !== undefined;
  }

  /** The server pushes nothing more when a token is over. A connection that ends earlier is replaced by one with a newer token. */
  get connectionMs() {
    return Math.min(CONNECTION_MS, this.#lifetimeMs / 2);
  }

  /** Leaves for the provider. @param {"assign" | "replace"} how */
  async leave(how) {
    const url = this.#endpoint(await this.#discover(), "authorization_endpoint");
    const [state, nonce, verifier] = [secret(), secret(), secret()];
    const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
    const { search, hash } = location;
    sessionStorage.setItem(TRIP, JSON.stringify({ state, nonce, verifier, search, hash }));
    setAll(url.searchParams, {
      response_type: "code", client_id: this.#clientId, redirect_uri: here(), scope: this.#scope, state, nonce,
      code_challenge: challenge, code_challenge_method: "S256", ...(this.#audience && { audience: this.#audience }),
    });
    location[how](url);
  }

  /** A token that is good for at least half its time, where the provider renews it. */
  async token() {
    const isFresh = this.#goodUntil - Date.now() > this.#lifetimeMs / 2;
    if (!isFresh && (this.#returned || this.#refreshToken)) {
      const ask = () => (this.#returned ? this.#exchange() : this.#renew());
      await (this.#asking ??= ask().finally(() => (this.#asking = null)));
    }
    if (this.#goodUntil > Date.now()) return this.#token;
    this.forget();
    // The client does not tell of it as long as a connection is open, and nothing is pushed there any more.
    this.#ended();
    throw new ChatError("token", "the sign-in has ended");
  }

  /** The next one signs in anew. */
  forget() {
    clearTimeout(this.#timer);
    this.#era = {};
    this.#token = this.#idToken = this.#refreshToken = "";
    this.#goodUntil = 0;
    this.#returned = undefined;
  }

  /** Where the provider's own session ends, if it has such a place. The page comes back from there. */
  signOut() {
    const url = this.#endSession ? new URL(this.#endSession) : null;
    const idToken = this.#idToken;
    this.forget();
    if (!url) return null;
    sessionStorage.setItem(TRIP, JSON.stringify({ isOut: true, search: location.search }));
    // The last one is what Cognito calls it.
    setAll(url.searchParams, { id_token_hint: idToken, client_id: this.#clientId, post_logout_redirect_uri: here(), logout_uri: here() });
    return url;
  }

  /** A code is good for one token. */
  async #exchange() {
    const { code, error, description, iss, nonce, verifier } = /** @type {NonNullable<Returned["answer"]>} */ (this.#returned);
    this.#returned = undefined;
    if (error === "access_denied") throw failed("signInDenied", description ?? error);
    if (error || !code) throw failed("signInFailed", `${error}: ${description}`);
    const metadata = await this.#discover();
    // An answer of another provider is not for this one (RFC 9207).
    const isIssuer = iss === null ? !metadata.authorization_response_iss_parameter_supported : iss === this.#issuer;
    if (!isIssuer) throw failed("signInFailed", "another issuer answered");
    const tokens = await this.#ask({ grant_type: "authorization_code", code, redirect_uri: here(), code_verifier: verifier });
    if (claimsOf(tokens.id_token ?? "")?.nonce !== nonce) throw failed("signInFailed", "the token is of another sign-in");
    this.#take(tokens);
  }

  async #renew() {
    const era = this.#era;
    try {
      const tokens = await this.#ask({ grant_type: "refresh_token", refresh_token: this.#refreshToken });
      if (era === this.#era) this.#take(tokens);
    } catch (caught) {
      // Whoever cannot be reached now may be later, and the token that is there may still be good.
      if (!(caught instanceof ChatError) || !caught.retryable) this.#refreshToken = "";
      else if (this.#goodUntil <= Date.now()) throw caught;
    }
  }

  /** The provider itself sent them over TLS, so what they say is compared here, and the server checks who signed. @param {Answer} tokens */
  #take({ id_token: idToken, access_token: accessToken, refresh_token: refreshToken }) {
    // A renewal may bring an access token alone.
    const claims = claimsOf(idToken ?? this.#idToken);
    const isForUs = claims && [claims.aud].flat().includes(this.#clientId) && (claims.azp ?? this.#clientId) === this.#clientId;
    if (!isForUs || claims.iss !== this.#issuer) throw failed("signInFailed", "the ID token is of another issuer, or for another client");
    const before = claimsOf(this.#idToken);
    if (before && before.sub !== claims.sub) throw failed("signInFailed", "the ID token is of another user");
    const token = this.#audience ? accessToken : idToken;
    const { exp, iat } = claimsOf(token ?? "") ?? {};
    if (!token || !(exp > iat)) throw failed("signInFailed", "the token cannot be read");
    this.#token = token;
    this.#idToken = idToken ?? this.#idToken;
    this.#refreshToken = refreshToken ?? this.#refreshToken;
    // How long it is good does not depend on the clock here, which may be wrong.
    this.#lifetimeMs = (exp - iat) * 1_000;
    this.#goodUntil = Date.now() + this.#lifetimeMs;
    clearTimeout(this.#timer);
    // Nobody else asks for a token that is not renewed.
    this.#timer = setTimeout(() => this.token().catch(() => {}), Math.min(this.#lifetimeMs + AFTER_MS, TIMER_MAX_MS));
  }

  #discover() {
    this.#metadata ??= this.#readMetadata().catch((caught) => {
      this.#metadata = null;
      throw caught;
    });
    return this.#metadata;
  }

  /** @returns {Promise<Metadata>} */
  async #readMetadata() {
    // A slash at the issuer's end is left out here alone (OpenID Connect Discovery 1.0, section 4).
    const metadata = await fetchJson(`${this.#issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
    if (metadata.issuer !== this.#issuer) throw failed("signInFailed", "the provider says it is another issuer");
    if (metadata.end_session_endpoint) this.#endSession = this.#endpoint(metadata, "end_session_endpoint").href;
    return metadata;
  }

  /** @param {Metadata} metadata @param {string} name */
  #endpoint(metadata, name) {
    const url = urlOf(String(metadata[name]), ["https:", new URL(this.#issuer).protocol]);
    if (!url) throw failed("signInFailed", `the provider has no ${name}`);
    return url;
  }

  /** @param {Record<string, string>} request @returns {Promise<Answer>} */
  async #ask(request) {
    const body = new URLSearchParams({ ...request, client_id: this.#clientId });
    return fetchJson(this.#endpoint(await this.#discover(), "token_endpoint").href, { method: "POST", body });
  }
}

/** @param {string} url @param {RequestInit} [request] */
async function fetchJson(url, request) {
  const response = await fetch(url, { ...request, credentials: "omit", redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((cause) => {
    throw failed("signInUnreachable", cause.message, true);
  });
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  if (response.status >= 500 || response.status === 429) throw failed("signInUnreachable", `the provider answered ${response.status}`, true);
  throw failed("signInFailed", answer?.error_description ?? answer?.error ?? `the provider answered ${response.status}`);
}

/** @param {string} code @param {string} message */
function failed(code, message, retryable = false) {
  return new ChatError(code, message, { retryable });
}

/** Where the provider sends the user back to. It has to know this address, so there is nothing in it that changes. */
function here() {
  return location.origin + location.pathname;
}

function secret() {
  return base64url(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)).buffer);
}

/** @param {ArrayBuffer} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {URLSearchParams} parameters @param {Record<string, string>} values */
function setAll(parameters, values) {
  for (const [name, value] of Object.entries(values)) parameters.set(name, value);
}
