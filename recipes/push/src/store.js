// @ts-check
/** What is read of the chat's two tables, and this recipe's own table. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ConditionalCheckFailedException, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { BatchGetCommand, DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";
import { BATCH_GET_MAX, MARK_SECONDS, SUBSCRIPTIONS_PER_USER_MAX, WRITE_TRIES } from "./limits.js";

/**
 * A browser of a user's. `issuedAt` is of the token that it came with, in seconds, as `until` is.
 * @typedef {{ endpoint: string, p256dh: string, auth: string, issuedAt: number, until: number }} Subscription
 */
/** @typedef {Record<string, any>} Row */

/**
 * | PK | holds |
 * |---|---|
 * | `USER#<userId>` | `subscriptions`, and `revision`, which rises with each write |
 * | `ROOM#<roomId>#MSG#<id>` | that a message was told; `left`, whose push service has to be asked again |
 *
 * All browsers of a user are in one row: so a hundred users are read at once, and one write bounds how many there are.
 *
 * @param {{ chat: string, connections: string, subscriptions: string }} tables @param {DynamoDBClient} [client]
 */
export function store(tables, client = new DynamoDBClient()) {
  const db = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const nowInSeconds = () => Math.floor(Date.now() / 1_000);

  /** All rows of these keys, in whatever order. @param {string} table @param {Row[]} keys @param {Row} [how] @returns {Promise<Row[]>} */
  async function batch(table, keys, how = {}) {
    /** @type {Row[]} */ const found = [];
    for (let start = 0; start < keys.length; start += BATCH_GET_MAX) {
      let wanted = keys.slice(start, start + BATCH_GET_MAX);
      for (let tries = 1; wanted.length > 0; tries++) {
        const answer = await db.send(new BatchGetCommand({ RequestItems: { [table]: { ...how, Keys: wanted } } }));
        found.push(...(answer.Responses?.[table] ?? []));
        wanted = answer.UnprocessedKeys?.[table]?.Keys ?? [];
        if (wanted.length === 0) break;
        if (tries === WRITE_TRIES) throw new Error("DynamoDB leaves rows unread");
        await sleep(50 * 2 ** tries);
      }
    }
    return found;
  }

  /** @param {string} user */
  async function rowOf(user) {
    const { Item } = await db.send(new GetCommand({ TableName: tables.subscriptions, Key: { PK: `USER#${user}` }, ConsistentRead: true }));
    return Item ?? {};
  }

  /**
   * Writes a user's browsers anew, as long as nobody else did meanwhile. Nothing is written where nothing changes.
   * @param {string} user @param {(now: Subscription[]) => Subscription[]} change
   */
  async function change(user, change) {
    for (let tries = 1; ; tries++) {
      const { subscriptions: before = [], revision = 0 } = /** @type {{ subscriptions?: Subscription[], revision?: number }} */ (await rowOf(user));
      const after = change(before.filter(({ until }) => until > nowInSeconds()));
      if (JSON.stringify(after) === JSON.stringify(before)) return;
      const Item = {
        PK: `USER#${user}`,
        subscriptions: after,
        revision: revision + 1,
        // Without any it goes by itself, and not at once: a write that is on its way must meet the number.
        expiresAt: Math.max(nowInSeconds() + MARK_SECONDS, ...after.map(({ until }) => until)),
      };
      try {
        await db.send(new PutCommand({
          TableName: tables.subscriptions,
          Item,
          ConditionExpression: "attribute_not_exists(PK) OR revision = :seen",
          ExpressionAttributeValues: { ":seen": revision },
        }));
        return;
      } catch (caught) {
        if (!(caught instanceof ConditionalCheckFailedException) || tries === WRITE_TRIES) throw caught;
      }
    }
  }

  return {
    /** A browser comes, or comes again. Of too many the oldest makes place. @param {string} user @param {Subscription} subscription */
    add: (user, subscription) => change(user, (now) => {
      const others = now.filter(({ endpoint }) => endpoint !== subscription.endpoint);
      return [...others, subscription].slice(-SUBSCRIPTIONS_PER_USER_MAX);
    }),

    /** @param {string} user @param {string[]} endpoints */
    remove: (user, endpoints) => change(user, (now) => now.filter(({ endpoint }) => !endpoints.includes(endpoint))),

    /** The browsers of these users that have not ended. @param {string[]} users @returns {Promise<Map<string, Subscription[]>>} */
    async subscriptions(users) {
      const rows = await batch(tables.subscriptions, users.map((user) => ({ PK: `USER#${user}` })));
      const now = nowInSeconds();
      return new Map(rows.map(({ PK, subscriptions = [] }) => [
        PK.slice("USER#".length),
        subscriptions.filter((/** @type {Subscription} */ { until }) => until > now),
      ]));
    },

    /** A kept room, its head, and a message in it, as they are now. @param {string} room @param {string} key The message's sort key. */
    async message(room, key) {
      const PK = `ROOM#${room}`;
      const rows = await batch(tables.chat, ["INFO", "HEAD", key].map((SK) => ({ PK, SK })), { ConsistentRead: true });
      const [info, head, message] = ["INFO", "HEAD", key].map((SK) => rows.find((row) => row.SK === SK));
      const isThere = message && !(message.expiresAt <= nowInSeconds());
      return { info, head, message: isThere ? message : undefined };
    },

    /** Who has a connection that is in a room: it was pushed the message. @param {string} room @returns {Promise<Set<string>>} */
    async listening(room) {
      const users = new Set();
      /** @type {Row | undefined} */ let start;
      do {
        /** @type {Row} */ const answer = await db.send(new QueryCommand({
          TableName: tables.connections,
          KeyConditionExpression: "PK = :room AND begins_with(SK, :connections)",
          FilterExpression: "expiresAt > :now",
          ProjectionExpression: "userId",
          ExpressionAttributeValues: { ":room": `ROOM#${room}`, ":connections": "CONN#", ":now": nowInSeconds() },
          ExclusiveStartKey: start,
        }));
        for (const { userId } of answer.Items ?? []) users.add(String(userId));
        start = answer.LastEvaluatedKey;
      } while (start);
      return users;
    },

    /** How these users are called, and since when their tokens are revoked. @param {string[]} users @returns {Promise<Map<string, Row>>} */
    async people(users) {
      const how = { ProjectionExpression: "PK, username, nickName, revokedAt" };
      const rows = await batch(tables.chat, users.map((user) => ({ PK: `USER#${user}`, SK: "PROFILE" })), how);
      return new Map(rows.map((row) => [row.PK.slice("USER#".length), row]));
    },

    /** What an earlier attempt left over; undefined if there was none. @param {string} room @param {string} key @returns {Promise<Set<string> | undefined>} */
    async leftOf(room, key) {
      const { Item } = await db.send(new GetCommand({ TableName: tables.subscriptions, Key: { PK: `ROOM#${room}#${key}` } }));
      return Item && new Set(Item.left);
    },

    /** @param {string} room @param {string} key @param {string[]} left Endpoints. */
    async tell(room, key, left) {
      const Item = {
        PK: `ROOM#${room}#${key}`,
        // DynamoDB knows no empty set.
        left: left.length > 0 ? new Set(left.map(nameOf)) : undefined,
        expiresAt: nowInSeconds() + MARK_SECONDS,
      };
      await db.send(new PutCommand({ TableName: tables.subscriptions, Item }));
    },
  };
}

/** An endpoint, in a few bytes. @param {string} endpoint */
export function nameOf(endpoint) {
  return createHash("sha256").update(endpoint).digest("base64url").slice(0, 22);
}
