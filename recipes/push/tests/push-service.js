// @ts-check
/** A push service and a browser's keys, for tests. Nothing here is shared with what is tried: it reads a post as the RFCs say. */
import assert from "node:assert/strict";
import { createDecipheriv, createECDH, createHmac, createPublicKey, randomBytes, verify } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

/** @import { IncomingHttpHeaders } from "node:http" */
/** What came to an endpoint. @typedef {{ path: string, headers: IncomingHttpHeaders, body: Buffer }} Post */
/** @typedef {Awaited<ReturnType<typeof startPushService>>} PushService */
/** @typedef {ReturnType<typeof newBrowser>} TestBrowser */

/** On loopback, with a certificate of its own, which `npm test` has Node trust. @param {{ after(end: () => void): void }} test */
export async function startPushService(test) {
  const [cert, key] = ["push-service.pem", "push-service-key.pem"].map((name) => readFileSync(new URL(name, import.meta.url)));
  /** @type {Post[]} */ const posts = [];
  const service = {
    host: "",
    posts,
    /** The status of an answer; a promise is waited for. @type {(post: Post) => number | Promise<number>} */ answer: () => 201,
  };
  const server = createServer({ cert, key }, async (request, response) => {
    /** @type {Buffer[]} */ const parts = [];
    for await (const part of request) parts.push(part);
    const post = { path: String(request.url), headers: request.headers, body: Buffer.concat(parts) };
    assert.equal(request.method, "POST");
    posts.push(post);
    // Whoever would follow it would come to another endpoint.
    response.writeHead(await service.answer(post), { location: "/elsewhere" }).end("what a push service says of it");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  service.host = `127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
  return service;
}

/** What a browser has of a subscription. @param {string} host Of its push service. */
export function newBrowser(host) {
  const [pair, auth] = [createECDH("prime256v1"), randomBytes(16)];
  const path = `/push/${randomBytes(12).toString("base64url")}`;
  const keys = { p256dh: pair.generateKeys("base64url"), auth: auth.toString("base64url") };
  return {
    path,
    subscription: { endpoint: `https://${host}${path}`, expirationTime: null, keys },
    /** @param {Post} post */
    read: ({ headers, body }) => {
      assert.equal(headers["content-encoding"], "aes128gcm");
      return JSON.parse(decrypt(body, pair.getPrivateKey(), auth));
    },
  };
}

/** RFC 8188, section 2, with the keys of RFC 8291, section 3.4. @param {Buffer} body @param {Buffer} privateKey @param {Buffer} auth */
export function decrypt(body, privateKey, auth) {
  const [salt, recordSize, keyLength] = [body.subarray(0, 16), body.readUInt32BE(16), body.readUInt8(20)];
  const [theirs, record] = [body.subarray(21, 21 + keyLength), body.subarray(21 + keyLength)];
  assert.equal(keyLength, 65);
  assert.ok(record.length <= recordSize && body.length <= 4_096, "one record, and no more than a push service takes");
  const pair = createECDH("prime256v1");
  pair.setPrivateKey(privateKey);
  const hmac = (/** @type {Buffer} */ key, /** @type {Buffer[]} */ ...parts) => createHmac("sha256", key).update(Buffer.concat(parts)).digest();
  const text = (/** @type {string} */ words) => Buffer.from(`${words}\0`);
  const one = Buffer.of(1);
  // HKDF by its two steps: extract, and one block of expand.
  const secret = hmac(hmac(auth, pair.computeSecret(theirs)), text("WebPush: info"), pair.getPublicKey(), theirs, one);
  const prk = hmac(salt, secret);
  const key = hmac(prk, text("Content-Encoding: aes128gcm"), one).subarray(0, 16);
  const nonce = hmac(prk, text("Content-Encoding: nonce"), one).subarray(0, 12);
  const decipher = createDecipheriv("aes-128-gcm", key, nonce);
  decipher.setAuthTag(record.subarray(-16));
  const plain = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
  const end = plain.lastIndexOf(2);
  assert.ok(end >= 0 && plain.subarray(end + 1).every((byte) => byte === 0), "the last record's delimiter, then padding");
  return plain.subarray(0, end).toString();
}

/** Whether a post was signed as RFC 8292 says; its claims. @param {Post} post @param {string} publicKey */
export function signedBy({ headers }, publicKey) {
  const [, token, key] = /^vapid t=([\w.-]+), k=([\w-]+)$/.exec(String(headers.authorization)) ?? [];
  assert.equal(key, publicKey);
  const [header, claims, signature] = token.split(".");
  assert.deepEqual(JSON.parse(Buffer.from(header, "base64url").toString()), { typ: "JWT", alg: "ES256" });
  const point = Buffer.from(publicKey, "base64url");
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url"));
  const jwk = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
  const isGood = verify("sha256", Buffer.from(`${header}.${claims}`), { key: jwk, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
  assert.ok(isGood, "the signature");
  return JSON.parse(Buffer.from(claims, "base64url").toString());
}
