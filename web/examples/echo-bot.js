// @ts-check
// A bot that repeats what it hears: node --experimental-websocket web/examples/echo-bot.js [room] [address]
import { ChatClient } from "../chat-client.js";

const [roomId = "1", address = "http://127.0.0.1:3000"] = process.argv.slice(2);
// Node 22 has a WebSocket, Node 20 has one with the flag. The package `ws` works as well.
const WebSocket = globalThis.WebSocket ?? (await import("ws").catch(explain)).default;

const client = new ChatClient({
  url: new URL("/dev", address.replace(/^http/, "ws")).href,
  historyUrl: new URL("/chat-history/list", address).href,
  // Against a deployment, sign one: cargo run -p ops -- token echo --rooms '*' < secret.txt
  getToken: async () => {
    const body = JSON.stringify({ userId: "echo", nickName: "Echo", rooms: "*" });
    const response = await fetch(new URL("/local/token", address), { method: "POST", body });
    return (await response.json()).token;
  },
  WebSocket,
});

const room = client.room(roomId);
room.addEventListener("message", ({ detail: { type, content, senderId } }) => {
  // Its own messages come back to it, too: without this it would never stop.
  if (type === "text" && senderId !== client.userId) void room.send(content);
});
room.addEventListener("error", ({ detail }) => console.error(detail.message));
client.addEventListener("disconnected", ({ detail }) => console.error(detail.reason));

await client.connect();
await room.join();
console.log(`listening in room ${roomId}`);

/** @returns {never} */
function explain() {
  console.error("This Node has no WebSocket. Start it with --experimental-websocket, or install one: npm install ws");
  process.exit(1);
}
