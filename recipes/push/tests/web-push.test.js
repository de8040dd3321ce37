// @ts-check
/** What is posted is what the RFCs say. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { newKeys } from "../keys.js";
import { isTaken } from "../src/services.js";
import { encrypt, pusher } from "../src/web-push.js";
import { defaultServices } from "../template.js";
import { decrypt, newBrowser, signedBy, startPushService } from "./push-service.js";

const bytes = (/** @type {string} */ text) => Buffer.from(text, "base64url");

it("is encrypted to the byte as the example of RFC 8291 is", () => {
  // Appendix A.
  const target = { p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", auth: "BTBZMqHH6r4Tts7J_aSIgg" };
  const with_ = { salt: bytes("DGv6ra1nlYgDCS1FRnbzlw"), privateKey: bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw") };
  const body = encrypt("When I grow up, I want to be a watermelon", target, with_);
  assert.equal(
    body.toString("base64url"),
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
  );
  const privateKey = bytes("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94");
  assert.equal(decrypt(body, privateKey, bytes(target.auth)), "When I grow up, I want to be a watermelon");
});

it("has a salt and a key of its own each time, and fits what push services take", () => {
  const { subscription: { keys } } = newBrowser("push.example.com");
  const [one, other] = [encrypt("again", keys), encrypt("again", keys)];
  assert.notDeepEqual(one.subarray(0, 16), other.subarray(0, 16));
  assert.notDeepEqual(one.subarray(21, 86), other.subarray(21, 86));
  assert.equal(encrypt("x".repeat(4_096 - 86 - 17), keys).length, 4_096);
  assert.throws(() => encrypt("x".repeat(4_096 - 86 - 16), keys), /do not fit/);
});

it("is signed for the push service that it goes to, for less than a day, and says how it is to be treated", async (test) => {
  const service = await startPushService(test);
  const { publicKey, privateKey } = newKeys();
  const post = pusher({ publicKey, privateKey, contact: "mailto:admin@example.com" });
  const browser = newBrowser(service.host);
  const target = { endpoint: browser.subscription.endpoint, ...browser.subscription.keys };
  assert.equal(await post(target, '{"a":1}', { topic: "t", urgency: "high" }), 201);
  const [came] = service.posts;
  const { aud, exp, sub } = signedBy(came, publicKey);
  assert.deepEqual([aud, sub], [`https://${service.host}`, "mailto:admin@example.com"]);
  const hours = (exp - Date.now() / 1_000) / 3_600;
  assert.ok(hours > 1 && hours < 24, `${hours}`);
  assert.deepEqual([came.path, came.headers.topic, came.headers.urgency, came.headers.ttl], [browser.path, "t", "high", "86400"]);
  assert.deepEqual(browser.read(came), { a: 1 });
});

it("follows no redirect, and says 0 where nobody answers", async (test) => {
  const service = await startPushService(test);
  service.answer = () => 307;
  const post = pusher({ ...newKeys(), contact: "mailto:admin@example.com" });
  const to = (/** @type {string} */ host) => {
    const { subscription: { endpoint, keys } } = newBrowser(host);
    return post({ endpoint, ...keys }, "{}", { topic: "t", urgency: "normal" });
  };
  assert.deepEqual([await to(service.host), service.posts.length], [307, 1]);
  // Nobody listens at port 1, and localhost is not in the certificate.
  assert.deepEqual([await to("127.0.0.1:1"), await to(service.host.replace("127.0.0.1", "localhost"))], [0, 0]);
});

it("goes to the push services of the list, and nowhere else", () => {
  for (const endpoint of [
    "https://fcm.googleapis.com/fcm/send/abc:def",
    "https://fcm.googleapis.com/wp/abc",
    "https://updates.push.services.mozilla.com/wpush/v2/abc",
    "https://web.push.apple.com/abc",
    "https://wns2-am3p.notify.windows.com/w/?token=abc",
    "https://FCM.googleapis.com:443/fcm/send/abc",
  ]) {
    assert.ok(isTaken(endpoint, defaultServices), endpoint);
  }
  for (const endpoint of [
    "http://fcm.googleapis.com/fcm/send/abc",
    "https://fcm.googleapis.com:8443/fcm/send/abc",
    "https://fcm.googleapis.com.evil.example/",
    "https://evil.example/?fcm.googleapis.com",
    "https://fcm.googleapis.com@evil.example/",
    "https://user:password@fcm.googleapis.com/",
    "https://evil.example#.notify.windows.com",
    "https://evil.example\\.notify.windows.com",
    "https://evilnotify.windows.com/",
    "https://notify.windows.com/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://localhost/",
    "https://googleapis.com/",
    "file:///etc/passwd",
    "fcm.googleapis.com",
    "",
    `https://fcm.googleapis.com/${"x".repeat(1_024)}`,
  ]) {
    assert.ok(!isTaken(endpoint, defaultServices), endpoint);
  }
});
