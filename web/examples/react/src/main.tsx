import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Changes, ChatClient, Online, Signals } from "serverless-chat-client";
import { Room } from "./Room.tsx";
import { name, token } from "./user.ts";

const client = new ChatClient({
  url: `${location.origin.replace("http", "ws")}/dev`, // wss://….execute-api.eu-central-1.amazonaws.com/dev
  historyUrl: `${location.origin}/chat-history/list`, // https://….execute-api.eu-central-1.amazonaws.com/chat-history/list
  getToken: token,
  features: [Changes, Online, Signals],
});
// The state tells what is wrong.
client.connect().catch(() => {});

export type Client = typeof client;

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <h1>{name}</h1>
    <Room client={client} id={1} />
  </StrictMode>,
);
