// @ts-check
/** `/subscriptions`: GET answers the key that a browser subscribes with, POST keeps a subscription, DELETE forgets one. */
import { createECDH } from "node:crypto";
import { BODY_BYTES_MAX, SUBSCRIPTION_DAYS } from "./limits.js";
import { isTaken } from "./services.js";
import { setting, tables } from "./settings.js";

/** What of API Gateway's event is read (format 2.0). @typedef {{ body?: string, isBase64Encoded?: boolean, requestContext: { http: { method: string }, authorizer?: { lambda?: Record<string, string> } } }} Request */

const db = tables();
const publicKey = setting("VAPID_PUBLIC_KEY");
const services = setting("PUSH_SERVICES");

/** @param {Request} event */
export async function handler(event) {
  // Who it is says the chat's authorizer, and nothing in the body.
  const { userId, issuedAt } = event.requestContext.authorizer?.lambda ?? {};
  if (!userId) return refusal(403, "notAllowed", "nobody is signed in");
  const { method } = event.requestContext.http;
  if (method === "GET") return answer(200, { publicKey });
  const body = read(event);
  if (typeof body?.endpoint !== "string") return refusal(400, "badRequest", "the body must be a JSON object with an endpoint");
  if (method === "DELETE") {
    await db.remove(userId, [body.endpoint]);
    return answer(200, {});
  }
  if (!isTaken(body.endpoint, services)) return refusal(400, "badRequest", "endpoint must be of a push service that this deployment knows");
  const { p256dh, auth } = body.keys ?? {};
  if (!isKey(p256dh) || !isSecret(auth)) return refusal(400, "badRequest", "keys must have the p256dh and auth of a PushSubscription");
  const until = Math.floor(Date.now() / 1_000) + SUBSCRIPTION_DAYS * 24 * 3_600;
  await db.add(userId, { endpoint: body.endpoint, p256dh, auth, issuedAt: Number(issuedAt), until });
  return answer(200, { publicKey });
}

/** @param {Request} event @returns {any} */
function read({ body = "", isBase64Encoded }) {
  if (body.length > BODY_BYTES_MAX) return null;
  try {
    return JSON.parse(isBase64Encoded ? Buffer.from(body, "base64").toString() : body);
  } catch {
    return null;
  }
}

/** A point of the curve: another would fail with each message. @param {unknown} text */
function isKey(text) {
  if (!isBytes(text, 65)) return false;
  const pair = createECDH("prime256v1");
  pair.generateKeys();
  try {
    return pair.computeSecret(Buffer.from(text, "base64url")).length === 32;
  } catch {
    return false;
  }
}

/** @param {unknown} text */
function isSecret(text) {
  return isBytes(text, 16);
}

/** @param {unknown} text @param {number} bytes @returns {text is string} */
function isBytes(text, bytes) {
  return typeof text === "string" && /^[\w-]+$/.test(text) && Buffer.from(text, "base64url").length === bytes;
}

/** @param {number} statusCode @param {object} body */
function answer(statusCode, body) {
  return { statusCode, headers: { "content-type": "application/json", "cache-control": "no-store" }, body: JSON.stringify(body) };
}

/** In the shape that the chat's own errors have. @param {number} statusCode @param {string} code @param {string} message */
function refusal(statusCode, code, message) {
  return answer(statusCode, { type: "error", code, message });
}
