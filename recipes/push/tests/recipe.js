// @ts-check
/** The recipe's handlers in this process, on a local run of the chat and a push service that the test plays. */
import { after } from "node:test";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import WebSocket from "ws";
import { ChatClient, Kept } from "../../../web/chat-client.js";
import { startLocalRun } from "../../../web/tests/local-run.js";
import { newKeys } from "../keys.js";
import { makeTable } from "../template.js";
import { newBrowser, startPushService } from "./push-service.js";

/** One for each file of tests, since handlers read their environment when they are loaded. Not in a hook: what ends it would run after that. */
export async function startRecipe() {
  const [chat, service] = [await startLocalRun(), await startPushService({ after })];
  after(() => chat.stop());
  const keys = newKeys();
  Object.assign(process.env, {
    CHAT_TABLE: "ChatTable",
    CONNECTIONS_TABLE: "ConnectionsTable",
    SUBSCRIPTIONS_TABLE: "PushSubscriptions",
    CONTACT: "mailto:admin@example.com",
    PUSH_SERVICES: service.host,
    PREVIEW: "on",
    VAPID_PUBLIC_KEY: keys.publicKey,
    VAPID_PRIVATE_KEY: keys.privateKey,
    AWS_ENDPOINT_URL_DYNAMODB: chat.dynamodb,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
  });
  await makeTable("PushSubscriptions");
  const { handler: notify } = await import("../src/notify.js");
  const { handler: subscriptions } = await import("../src/subscriptions.js");
  const db = DynamoDBDocumentClient.from(new DynamoDBClient());
  let users = 0;

  const recipe = {
    chat,
    service,
    keys,
    notify,
    db,

    /** Somebody who is connected. @param {string} nickName */
    async person(nickName) {
      const id = ++users;
      const getToken = () => chat.token({ userId: id, username: nickName, nickName, rooms: "@mine" });
      const client = new ChatClient({ ...chat, getToken, WebSocket: /** @type {any} */ (WebSocket), features: [Kept] });
      after(() => client.disconnect());
      await client.connect();
      return { id, client, getToken };
    },

    /** Somebody who has been here and is away, with a browser that is to be notified. @param {string} nickName */
    async away(nickName) {
      const { id, client } = await recipe.person(nickName);
      client.disconnect();
      return { id, ...(await recipe.browser(id)) };
    },

    /** A browser of a user's that is to be notified. @param {number} id @param {number} [issuedAt] */
    async browser(id, issuedAt = Math.floor(Date.now() / 1_000)) {
      const browser = newBrowser(service.host);
      const { statusCode, body } = await recipe.ask(id, "POST", browser.subscription, issuedAt);
      if (statusCode !== 200) throw new Error(body);
      return { browser, told: () => service.posts.filter(({ path }) => path === browser.path).map(browser.read) };
    },

    /** What API Gateway hands on, for whom the authorizer let in. @param {number | string} id @param {string} method @param {unknown} [body] @param {number} [issuedAt] */
    ask(id, method, body, issuedAt = Math.floor(Date.now() / 1_000)) {
      const lambda = { userId: String(id), username: "", issuedAt: String(issuedAt) };
      return subscriptions({ body: typeof body === "string" ? body : JSON.stringify(body), requestContext: { http: { method }, authorizer: { lambda } } });
    },

    /** A group of these. @param {{ client: any }} owner @param {{ id: number }[]} others @param {string} [name] */
    async group(owner, others, name = "Harbour") {
      const id = await owner.client.createGroup(name);
      for (const other of others) await owner.client.invite(id, other.id);
      const room = owner.client.room(id);
      await room.join();
      return room;
    },

    /** The event of a message, as the bus hands it on. @param {string | number} room @param {number} id */
    event: (room, id) => ({
      version: "0",
      "detail-type": "chat",
      source: "chat",
      detail: { v: 1, event: "INSERT", room: `ROOM#${room}`, key: `MSG#${String(id).padStart(16, "0")}` },
    }),

    /** Says something, and hands the event on. @param {any} room @param {string} content @param {object} [options] */
    async say(room, content, options) {
      const { id } = await room.send(content, options);
      const event = recipe.event(room.id, id);
      await notify(event);
      return event;
    },

    /** What somebody else writes into the chat's table. @param {string} PK @param {string} SK @param {string} name @param {unknown} value */
    set: (PK, SK, name, value) => db.send(new UpdateCommand({
      TableName: "ChatTable",
      Key: { PK, SK },
      UpdateExpression: "SET #name = :value",
      ExpressionAttributeNames: { "#name": name },
      ExpressionAttributeValues: { ":value": value },
    })),

    /** @param {object} Item */
    put: (Item) => db.send(new PutCommand({ TableName: "ConnectionsTable", Item })),
  };
  return recipe;
}
