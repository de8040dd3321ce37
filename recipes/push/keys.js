// @ts-check
/** A new pair of keys for VAPID. `node keys.js` prints it as parameters of template.yaml. */
import { createECDH } from "node:crypto";
import { fileURLToPath } from "node:url";

/** As base64url: the point, uncompressed, which browsers are told; and the number behind it. */
export function newKeys() {
  const pair = createECDH("prime256v1");
  const publicKey = pair.generateKeys("base64url");
  // A number that begins with zeros is shorter.
  const privateKey = Buffer.concat([Buffer.alloc(32), pair.getPrivateKey()]).subarray(-32).toString("base64url");
  return { publicKey, privateKey };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { publicKey, privateKey } = newKeys();
  console.log(`VapidPublicKey=${publicKey} VapidPrivateKey=${privateKey}`);
}
