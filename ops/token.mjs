// Signs a token as `ops token` does, where there is no Rust: node token.mjs USER [ROOMS] < secret.txt
//
// ROOMS is * or ids with commas; without them the token grants the deployment's DefaultRooms. It is good for an hour, for
// whoever has it. The secret comes by standard input: an argument would stand in the list of processes.

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

const SECONDS = 3_600;
/** The authorizer takes no shorter one. */
const SECRET_BYTES_MIN = 32;

const [userId, rooms] = process.argv.slice(2);
const secret = readFileSync(0, "utf8").replace(/[\r\n]+$/, "");
if (!userId) fail("usage: node token.mjs USER [ROOMS] < secret.txt");
if (Buffer.byteLength(secret) < SECRET_BYTES_MIN) fail(`the secret on standard input is shorter than ${SECRET_BYTES_MIN} bytes`);

const now = Math.floor(Date.now() / 1_000);
const granted = rooms && (rooms === "*" ? rooms : rooms.split(",").map((id) => id.trim()).filter(Boolean));
const claims = { userId, iat: now, exp: now + SECONDS, ...(granted && { rooms: granted }) };
const signed = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
console.log(`${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`);

/** @param {string} why @returns {never} */
function fail(why) {
  console.error(why);
  process.exit(1);
}
