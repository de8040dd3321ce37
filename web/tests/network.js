/** A network between a client and a server that can be cut or go silent. */
import { connect, createServer } from "node:net";

/** @typedef {Awaited<ReturnType<typeof startNetwork>>} Network */

/**
 * Forwards every connection to the address, until the test ends.
 * @param {import("node:test").TestContext} test @param {string} address Such as `http://127.0.0.1:3000`
 */
export async function startNetwork(test, address) {
  const { hostname, port } = new URL(address);
  /** @type {Set<import("node:net").Socket>} */ const sockets = new Set();
  let state = /** @type {"up" | "cut" | "silent" | "deaf"} */ ("up");
  let connections = 0;
  const server = createServer((near) => {
    connections += 1;
    if (state === "cut") return near.resetAndDestroy();
    const far = connect(Number(port), hostname);
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from);
      const isHeard = () => state === "up" || (state === "deaf" && to === far);
      from.on("data", (bytes) => isHeard() && to.write(bytes));
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port: own } = /** @type {import("node:net").AddressInfo} */ (server.address());
  test.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    /** An address of the server, by way of this network. @param {string} url */
    through(url) {
      const here = new URL(url);
      here.port = String(own);
      return here.href;
    },
    /** How many connections were tried. */
    get connections() {
      return connections;
    },
    /** Every connection breaks, and none can be made. */
    cut() {
      state = "cut";
      for (const socket of sockets) socket.resetAndDestroy();
    },
    /** Connections stay open, but nothing arrives any more, not even their end. */
    silence() {
      state = "silent";
    },
    /** What the client sends arrives, but no answer comes back. */
    deafen() {
      state = "deaf";
    },
    up() {
      state = "up";
    },
  };
}
