// @ts-check
// A bot that throws dice where somebody says !roll: npm start -- [room] [address]
import { randomInt } from "node:crypto";
import { ChatClient } from "serverless-chat-client";
import WebSocket from "ws";

const [roomId = "1", address = "http://127.0.0.1:3000"] = process.argv.slice(2);

const client = new ChatClient({
  url: new URL("/dev", address.replace(/^http/, "ws")).href,
  historyUrl: new URL("/chat-history/list", address).href,
  // Against a deployment, sign one: cargo run -p ops -- token dice --rooms '*' < secret.txt
  getToken: async () => {
    const body = JSON.stringify({ userId: "dice", nickName: "Dice", rooms: "*" });
    const response = await fetch(new URL("/local/token", address), { method: "POST", body });
    return (await response.json()).token;
  },
  // Node 22 has one of its own, Node 20 has none.
  WebSocket: /** @type {any} */ (WebSocket),
});

const room = client.room(roomId);
room.addEventListener("message", ({ detail: { id, content, senderId } }) => {
  if (content === "!roll" && senderId !== client.userId) void room.send(`You rolled ${randomInt(1, 7)}`, { replyTo: id });
});
room.addEventListener("error", ({ detail }) => console.error(detail.message));
client.addEventListener("disconnected", ({ detail }) => console.error(detail.reason));

await client.connect();
await room.join();
console.log(`listening in room ${roomId}`);
