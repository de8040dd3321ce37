// @ts-check
import { ChatError, badFrame, badRequest, chatError } from "./errors.js";
import { SEND_TRIES } from "./limits.js";
import { isRoomId, readItem } from "./messages.js";
import { forget, hearRemoved } from "./removed.js";
import { newId, sleep } from "./tools.js";

/** @import { ChatClient } from "./client.js" */
/** @import { Id, KeptClient, KeptEvents, KeptRoom, Listening } from "./types.js" */

/** Rooms that the server keeps for their members, groups and pairs: the inbox, and who is in. */
export class Kept {
  /** Nothing of a room itself. @type {never} */ adds = /** @type {never} */ ({});

  /** What the client has more. @param {ChatClient<any>} client @returns {KeptClient & Listening<KeptEvents>} */
  static extend(client) {
    /** Waits for the server's pace. What is posted may be repeated. @param {string} path @param {Record<string, unknown>} query @param {object} [posted] */
    async function ask(path, query, posted) {
      for (let tries = 1; ; tries++) {
        try {
          return (await client.ask(`../chatroom/${path}`, query, posted)).answer;
        } catch (caught) {
          const error = chatError(caught, "internal");
          // These routes answer in the course's shape, which has no code.
          const [, ms] = /again in (\d+) ms/.exec(error.message) ?? [];
          if (!ms && error.message.includes("at most")) throw new ChatError("tooMany", error.message);
          if (!ms) throw error;
          if (tries >= SEND_TRIES) throw new ChatError("rateLimited", error.message, { retryable: true });
          await sleep(Number(ms));
        }
      }
    }

    /** One room's route. @param {string} route @param {Id} roomId */
    function of(route, roomId) {
      if (!isRoomId(roomId)) throw badRequest("no room can have this id");
      return `${route}/${encodeURIComponent(roomId)}`;
    }

    /** A failure is told by the promise and as an event. @template T @param {string} action @param {() => Promise<T>} step */
    function told(action, step) {
      const promise = step();
      promise.catch((error) => client.emit("error", Object.assign(error, { action })));
      return promise;
    }

    /** @type {KeptClient} */ const adds = {
      rooms: ({ name } = {}) => told("rooms", async () => {
        const answer = await ask("list", { name });
        if (!Array.isArray(answer) || !answer.every((room) => isRoomId(room?.id))) throw badFrame("badResponse");
        return answer.map(({ lastMessage, ...room }) => {
          /** @type {KeptRoom} */ const listed = lastMessage ? { ...room, lastMessage: readItem(lastMessage) } : room;
          client.room(listed.id).emit(/** @type {any} */ ("listed"), /** @type {any} */ (listed));
          return listed;
        });
      }),
      createPair: (friendId) => told("createPair", () => ask("create-one-to-one", {}, { friendId })),
      createGroup: (name, { clientRoomId = newId() } = {}) => told("createGroup", () => ask("create-group", {}, { name, clientRoomId })),
      invite: (roomId, joinUserId) => told("invite", async () => void (await ask(of("join", roomId), {}, { joinUserId }))),
      quit: (roomId, quitUserId) => told("quit", async () => {
        await ask(of("quit", roomId), {}, { quitUserId });
        // The push that says so may be lost.
        if (quitUserId === undefined || String(quitUserId) === String(client.userId)) forget(client, roomId);
      }),
      info: (roomId) => told("info", async () => ask(of("info", roomId), {})),
    };

    hearRemoved(client);
    client.addEventListener(/** @type {any} */ ("frame"), (/** @type {CustomEvent} */ { detail }) => {
      const { type, chatroomId: roomId, userId } = detail;
      if (type !== "roomAdded") return;
      if (!isRoomId(roomId)) return client.emit("error", badFrame());
      client.emit(type, /** @type {any} */ ({ roomId, userId }));
    });
    return /** @type {any} */ (Object.assign(client, adds));
  }
}
