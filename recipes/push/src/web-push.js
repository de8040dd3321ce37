// @ts-check
/**
 * One post to a push service: encrypted for the browser (RFC 8291, with the encoding of RFC 8188), signed with the
 * deployment's key (RFC 8292, "VAPID"), delivered as RFC 8030 says. The primitives are Node's; the RFC's own example is a test.
 */
import { createCipheriv, createECDH, createPrivateKey, hkdfSync, randomBytes, sign } from "node:crypto";
import { KEPT_SECONDS, POST_BYTES_MAX, POST_TIMEOUT_MS, VAPID_SECONDS } from "./limits.js";

/** What a browser's `PushSubscription` says of itself. @typedef {{ endpoint: string, p256dh: string, auth: string }} Target */
/** Who signs: the pair as base64url, and whom a push service may write to. @typedef {{ publicKey: string, privateKey: string, contact: string }} Vapid */

const CURVE = "prime256v1";
/** A salt, the size of a record, the length of a key, and the key. */
const HEAD_BYTES = 16 + 4 + 1 + 65;
/** The one record's delimiter, and the cipher's tag. */
const RECORD_BYTES = 1 + 16;

/**
 * The body of a post. `with_` is only for the RFC's example: each post has a salt and a pair of keys of its own.
 * @param {string} text @param {Pick<Target, "p256dh" | "auth">} target @param {{ salt?: Buffer, privateKey?: Buffer }} [with_]
 */
export function encrypt(text, { p256dh, auth }, { salt = randomBytes(16), privateKey } = {}) {
  const plain = Buffer.from(text);
  if (HEAD_BYTES + plain.length + RECORD_BYTES > POST_BYTES_MAX) throw new Error(`${plain.length} bytes do not fit into a post`);
  const pair = createECDH(CURVE);
  if (privateKey) pair.setPrivateKey(privateKey);
  else pair.generateKeys();
  const [theirs, ours] = [Buffer.from(p256dh, "base64url"), pair.getPublicKey()];
  const about = Buffer.concat([Buffer.from("WebPush: info\0"), theirs, ours]);
  const secret = derive(pair.computeSecret(theirs), Buffer.from(auth, "base64url"), about, 32);
  const key = derive(secret, salt, "Content-Encoding: aes128gcm\0", 16);
  const cipher = createCipheriv("aes-128-gcm", key, derive(secret, salt, "Content-Encoding: nonce\0", 12));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(POST_BYTES_MAX);
  // The 2 says that this record is the last one.
  const record = [cipher.update(plain), cipher.update(Buffer.of(2)), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat([salt, size, Buffer.of(ours.length), ours, ...record]);
}

/** @param {Buffer} secret @param {Buffer} salt @param {Buffer | string} info @param {number} bytes */
function derive(secret, salt, info, bytes) {
  return Buffer.from(hkdfSync("sha256", secret, salt, info, bytes));
}

/** Posts for one deployment. @param {Vapid} vapid */
export function pusher({ publicKey, privateKey, contact }) {
  const point = Buffer.from(publicKey, "base64url");
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url"));
  const key = createPrivateKey({ key: { kty: "EC", crv: "P-256", x, y, d: privateKey }, format: "jwk" });
  /** What was signed, by push service, until when it is used. @type {Map<string, { header: string, until: number }>} */ const signed = new Map();

  /** @param {string} audience @param {number} now In seconds. */
  function authorization(audience, now) {
    const known = signed.get(audience);
    if (known && known.until > now) return known.header;
    const part = (/** @type {object} */ what) => Buffer.from(JSON.stringify(what)).toString("base64url");
    const claims = `${part({ typ: "JWT", alg: "ES256" })}.${part({ aud: audience, exp: now + VAPID_SECONDS, sub: contact })}`;
    const signature = sign("sha256", Buffer.from(claims), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
    const header = `vapid t=${claims}.${signature}, k=${publicKey}`;
    signed.set(audience, { header, until: now + VAPID_SECONDS / 2 });
    return header;
  }

  /**
   * Answers the push service's status; 0 if there is none. A later post of the same topic replaces one that still waits.
   * @param {Target} target @param {string} text @param {{ topic: string, urgency: "normal" | "high" }} how
   */
  return async function post(target, text, { topic, urgency }) {
    const headers = {
      authorization: authorization(new URL(target.endpoint).origin, Math.floor(Date.now() / 1_000)),
      "content-encoding": "aes128gcm",
      "content-type": "application/octet-stream",
      ttl: String(KEPT_SECONDS),
      topic,
      urgency,
    };
    const body = /** @type {BodyInit} */ (/** @type {unknown} */ (encrypt(text, target)));
    try {
      // A redirect could lead anywhere.
      const response = await fetch(target.endpoint, { method: "POST", redirect: "manual", headers, body, signal: AbortSignal.timeout(POST_TIMEOUT_MS) });
      await response.body?.cancel();
      return response.status;
    } catch {
      return 0;
    }
  };
}
