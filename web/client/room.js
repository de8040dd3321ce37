// @ts-check
import { persist } from "./connection.js";
import { ChatError, badFrame, badRequest, chatError, connectionLost, ignoreLoss } from "./errors.js";
import {
  CONTENT_MAX, ENTERING_ROUNDS_MS, FINAL_AFTER_MS, FRAME_BYTES_MAX, HELD_MAX, MENTIONS_MAX, OUTBOX_MAX, OVERTAKING_MS,
  PAGE_MAX, PRESENT_MAX, RECONNECT_MAX_MS, REPEAT_MAX_MS, RETRY_AFTER_MAX_MS, RETRY_WINDOW_MS, SEND_TRIES,
} from "./limits.js";
import { bytes, isCount, isKnown, isMessage, isPositive, isRoomId, mustBeClientMessageId, mustFit, readable } from "./messages.js";
import { Target, backoff, deferred, newId, noop, sleep } from "./tools.js";

/** @import { ChatClient } from "./client.js" */
/** @import { Connection } from "./connection.js" */
/** @import { Deferred, Feature, Id, Message, Page, Profile, RoomEvents, Send, SendOptions, Sent, Since, Stored } from "./types.js" */

/** Made by `client.room(id)`. @extends {Target<RoomEvents>} */
export class ChatRoom extends Target {
  #client;
  #id;
  /** Settles when the room is first entered; null while the application does not want the room. @type {Deferred<void> | null} */ #wanted = null;
  /** Where the application's own messages end, if it keeps any. @type {Since | undefined} */ #since;
  /** The connections that are in the room, the newest last. @type {Connection[]} */ #connections = [];
  /** Joining and leaving wait for each other: frames of one connection run side by side. */
  #turn = Promise.resolve();
  /** `message` events begin after this id; null before the room is first entered. @type {number | null} */ #start = null;
  /** From this time (`performance.now()`) on, no message up to `#start` can come. */
  #startFinalAt = 0;
  /** Every message up to this id was given out, or never will be. */
  #solid = 0;
  /** The newest id that the server is known to have counted. */
  #upTo = 0;
  /** From this time on, no message up to `#upTo` can come. */
  #upToFinalAt = 0;
  /** Messages above `#solid`; null for an id that stays unused. @type {Map<number, Message | null>} */ #held = new Map();
  #filling = false;
  /** Whether the last that came was a frame of a round. @internal */
  isInRounds = false;
  #quiet = false;
  /** Each user's last join or leave. @type {Map<string, "joined" | "left">} */ #present = new Map();
  /** @type {Send[]} */ #outbox = [];
  #sending = false;
  /** What the features add. @type {InstanceType<Feature>[]} */ #features;

  /** @internal @param {ChatClient} client @param {Id} id @param {Feature[]} features */
  constructor(client, id, features) {
    super();
    this.#client = client;
    this.#id = id;
    this.#features = features.map((Feature) => new Feature(this, client));
    for (const { adds } of this.#features) Object.defineProperties(this, Object.getOwnPropertyDescriptors(adds));
  }

  get id() {
    return this.#id;
  }

  /** Whether an open connection is in the room. */
  get joined() {
    return this.#connection !== undefined;
  }

  /** Whether the room is so large that the server announces nobody: there are no `joined` and `left` events, only messages. */
  get quiet() {
    return this.#quiet;
  }

  get #connection() {
    return this.#connections.findLast((connection) => connection.isOpen);
  }

  /**
   * Enters, and enters again after each reconnect, until `leave` or a refusal. Who keeps messages says `since` when: all
   * that came after them is told, so it is not for an absence of months.
   * @param {{ since?: Since }} [options] @returns {Promise<void>}
   */
  join({ since } = {}) {
    if (!this.#wanted) {
      this.#wanted = deferred();
      this.#since = since;
      for (const connection of this.#client.connections) void this.enter(connection);
    }
    return this.#wanted.promise;
  }

  /** @returns {Promise<void>} */
  leave() {
    if (!this.#wanted) return Promise.resolve();
    this.forget(new ChatError("left", "the room was left"));
    const left = this.#inTurn(async () => {
      const isLeft = () => !this.#wanted;
      const leaving = { action: "leaveRoom", chatroomId: this.#id };
      // If one connection is lost, still wait for the other: a join must not overtake the leave there.
      await Promise.all(this.#client.connections.map((one) => persist(one, leaving, isLeft).catch(ignoreLoss)));
    });
    return this.reported(left);
  }

  /**
   * Settles when the message is stored. Until then it is sent again, over later connections too. Messages are sent in the
   * order of the calls. To repeat a rejected send, pass its `clientMessageId`: then it cannot be stored twice.
   * @param {string} text @param {SendOptions} [options]
   */
  send(text, options) {
    return this.post({ type: "text", content: readable(text) }, options);
  }

  /** @param {string} url An http or https address. @param {SendOptions} [options] */
  sendImage(url, options) {
    return this.post({ type: "image", content: readable(url) }, options);
  }

  /** @param {string} url An http or https address. @param {SendOptions} [options] */
  sendFile(url, options) {
    return this.post({ type: "file", content: readable(url) }, options);
  }

  /**
   * A page of messages. Without `before`, the page ends exactly where the `message` events begin: nothing is missing, and
   * nothing comes twice. So it may wait for a message that was on its way when the room was entered.
   * @param {{ limit?: number, before?: number }} [paging] `limit` up to 100, 50 if not given
   * @returns {Promise<Page>}
   */
  history({ limit = 50, before } = {}) {
    return this.reported(this.#settled(limit, before));
  }

  /** @param {number} limit @param {number} [before] */
  async #settled(limit, before = this.#start === null ? undefined : this.#start + 1) {
    for (let attempt = 0; ; attempt++) {
      const askedAt = performance.now();
      const { messages, hasOlder } = await this.#client.page(this.#id, { limit, before });
      if (this.#isOpenEnded(hasOlder ? messages : [{ id: 0 }, ...messages], before, askedAt)) {
        await sleep(backoff(attempt, REPEAT_MAX_MS));
        continue;
      }
      const known = messages.filter(isKnown);
      if (known.length > 0 || !hasOlder || messages.length === 0) {
        return { messages: known.map((message) => this.#shown(message)), hasOlder };
      }
      // A page with only kinds of a later server would look like the beginning.
      before = messages[0].id;
    }
  }

  /**
   * Whether another message may still appear between these.
   * @param {{ id: number, createTime?: string }[]} messages @param {number | undefined} before @param {number} askedAt
   */
  #isOpenEnded(messages, before, askedAt) {
    if (before === undefined || askedAt >= this.#startFinalAt) return false;
    /** @type {typeof messages} */ const above = [...messages.slice(1), { id: before }];
    // What is above has no time if it is the border: then nothing is final.
    const isFinal = ({ createTime = "" }) => this.#client.isFinal(createTime, askedAt);
    return messages.some(({ id }, index) => id < above[index].id - 1 && !isFinal(above[index]));
  }

  /**
   * Enters the room on a connection. Returns whether there was something to do. After a refusal the room is not wanted any more.
   * @internal @param {Connection} connection @returns {Promise<boolean>}
   */
  async enter(connection) {
    const wanted = this.#wanted;
    const isWanted = () => this.#wanted === wanted && !this.#connections.includes(connection);
    if (!wanted || !isWanted()) return false;
    await this.#inTurn(async () => {
      // `batches` tells the server that one frame may name several people who left.
      const asked = this.#features.map((feature) => feature.asks?.());
      const frame = Object.assign({ action: "joinRoom", chatroomId: this.#id, batches: true }, ...asked);
      const ack = await persist(connection, frame, isWanted);
      if (ack && isWanted()) this.#entered(connection, ack);
    }).catch((error) => {
      if (error.code === "connectionLost" || !isWanted()) return;
      this.forget(error);
      this.emit("error", error);
    });
    return true;
  }

  /** @param {Connection} connection @param {{ lastId: number, quiet?: boolean }} ack */
  #entered(connection, ack) {
    const { lastId, quiet } = ack;
    this.#quiet = quiet === true;
    const [wasIn, since] = [this.joined, this.#since];
    // Without a connection, nobody told us who joined and left, or whether rounds have ended.
    if (!wasIn) {
      this.#present.clear();
      this.isInRounds = false;
    }
    this.#connections = [...this.#connections.filter(({ isOpen }) => isOpen), connection];
    this.#count(lastId);
    if (this.#start === null) {
      const start = (this.#start = this.#solid = Math.min(since?.id ?? lastId, lastId));
      this.#startFinalAt = performance.now() + FINAL_AFTER_MS;
      for (const id of this.#held.keys()) if (id <= start) this.#held.delete(id);
    }
    for (const feature of this.#features) feature.entered?.(ack, wasIn, since);
    this.#advance(0);
    this.#wanted?.resolve();
    void this.#flush();
  }

  /** @internal @param {any} frame */
  receive(frame) {
    if (!this.#wanted) return;
    if (frame.type === "sendMessage") {
      const { message, unusedId } = frame;
      if (!isMessage(message)) return this.#client.emit("error", badFrame());
      // A push of before may come late, beside the first round.
      if (message.id > this.#upTo) this.isInRounds = false;
      this.#unused(unusedId);
      this.#pushed(message);
      this.#advance(OVERTAKING_MS);
    } else if (frame.type === "joinRoom") {
      this.#tell("joined", frame.userId, frame.user);
    } else if (frame.type === "leaveRoom") {
      for (const id of Array.isArray(frame.userIds) ? frame.userIds : [frame.userId]) this.#tell("left", id);
    } else {
      for (const feature of this.#features) feature.receive?.(frame);
    }
  }

  /**
   * What a round pushed: all that there is above `after`, up to `upTo`. An id without a message stays unused.
   * @internal @param {number} after @param {number} upTo @param {Message[]} messages
   */
  cover(after, upTo, messages) {
    const pushed = new Map(messages.map((message) => [message.id, message]));
    // What is not held has to be asked for, so the unused ids of a frame that is not held whole are not known either.
    for (let id = Math.max(after, this.#solid) + 1; id <= upTo && this.#held.size < HELD_MAX; id++) {
      const message = pushed.get(id);
      if (message) this.#pushed(message);
      else if (!this.#held.has(id)) this.#put(id, null);
    }
    this.#count(upTo);
    // The senders themselves still push what they counted before the rounds began.
    const delayMs = this.isInRounds ? OVERTAKING_MS : ENTERING_ROUNDS_MS;
    this.isInRounds = true;
    this.#advance(delayMs);
  }

  /** @param {Message} message */
  #pushed(message) {
    if (String(message.senderId) === String(this.#client.userId)) {
      for (const connection of this.#connections) connection.settle(message, this.#id);
    }
    this.#count(message.id);
    this.#hold(message);
  }

  /** @param {"joined" | "left"} news @param {Id} userId @param {Profile} [user] */
  #tell(news, userId, user) {
    const key = String(userId);
    // Two connections hear everything twice, and a join may be announced again.
    if (this.#present.get(key) === news) return;
    if (this.#present.size >= PRESENT_MAX) this.#present.clear();
    this.#present.set(key, news);
    this.emit(news, { userId, user });
  }

  /** Rejects what is not sent and not entered yet. @internal @param {ChatError} why */
  abandon(why) {
    if (this.#start === null && this.#wanted) this.forget(why);
    this.#unsend(why);
  }

  /** @param {ChatError} why */
  #unsend(why) {
    for (const send of this.#outbox.splice(0)) send.done.reject(why);
  }

  /** The room is not wanted any more. @internal @param {ChatError} why */
  forget(why) {
    this.#wanted?.reject(why);
    this.#wanted = this.#start = null;
    this.#connections = [];
    this.#solid = this.#upTo = 0;
    this.#quiet = this.isInRounds = false;
    this.#held.clear();
    for (const feature of this.#features) feature.left?.();
    this.#unsend(why);
  }

  /** @template T @param {() => Promise<T>} step @returns {Promise<T>} */
  #inTurn(step) {
    const taken = this.#turn.then(step);
    this.#turn = taken.then(noop, noop);
    return taken;
  }

  /** Passes over a kind that only a later server knows; nothing waits for it. @param {Message} message */
  #hold(message, max = HELD_MAX) {
    this.#client.observe(message.createTime);
    this.#put(message.id, isKnown(message) ? message : null, max);
  }

  /** @param {number} id @param {Message | null} message */
  #put(id, message, max = HELD_MAX) {
    if (id > this.#solid && this.#held.size < max) this.#held.set(id, message);
  }

  /** The number of a retry: no message will have it. @param {unknown} id */
  #unused(id) {
    if (!isCount(id)) return;
    this.#count(id);
    this.#put(id, null);
  }

  /** This id was given out, and all before it. @param {number} id */
  #count(id) {
    if (id <= this.#upTo) return;
    this.#upTo = id;
    this.#upToFinalAt = performance.now() + FINAL_AFTER_MS;
  }

  /** Gives out the messages whose turn it is, and fetches what is missing. @param {number} delayMs */
  #advance(delayMs) {
    if (this.#start === null) return;
    while (this.#held.has(this.#solid + 1)) {
      const message = this.#held.get(++this.#solid);
      this.#held.delete(this.#solid);
      if (message) this.emit("message", this.#shown(message));
    }
    if (this.#solid < this.#upTo && !this.#filling) void this.#fill(delayMs);
  }

  /** As it is now: it may have changed on the way. @param {Message} message */
  #shown(message) {
    return this.#features.reduce((shown, feature) => feature.show?.(shown) ?? shown, message);
  }

  /** Asks the history until no missing message can still come. @param {number} delayMs */
  async #fill(delayMs) {
    this.#filling = true;
    let solid;
    do {
      solid = this.#solid;
      await sleep(delayMs);
      // It moved on: what is missing now has been missing for a shorter time.
    } while (delayMs && solid < this.#solid && this.#solid < this.#upTo);
    for (let attempt = 0; this.joined && this.#solid < this.#upTo; ) {
      const askedAt = performance.now();
      const [wanted, solid] = [this.#wanted, this.#solid];
      try {
        const { messages, hasNewer } = await this.#client.page(this.#id, { limit: PAGE_MAX, after: solid });
        if (this.#wanted !== wanted) continue; // left, and perhaps joined again with another start
        // Hold it even if too many are held: otherwise the ids below would be passed over.
        for (const message of messages) {
          // In rounds, what is newer than the frames comes with the next one, and so does what is missing before it.
          if (!this.isInRounds) this.#count(message.id);
          this.#hold(message, Infinity);
        }
        this.#advance(0);
        const last = messages.at(-1);
        // The page says nothing of later ids.
        this.#pass(hasNewer && last ? last.id : this.#upTo, askedAt);
        if (this.#solid > solid) attempt = 0;
        else await sleep(backoff(attempt++, REPEAT_MAX_MS));
      } catch (caught) {
        if (this.#wanted) this.emit("error", chatError(caught, "badResponse"));
        await sleep(backoff(attempt++, RECONNECT_MAX_MS));
      }
    }
    this.#filling = false;
  }

  /** Passes over the ids up to `end` that stay unused. @param {number} end @param {number} askedAt */
  #pass(end, askedAt) {
    while (this.#solid < end) {
      const ids = [...this.#held.keys()].sort((one, other) => one - other);
      const above = ids.map((id) => this.#held.get(id)).find(Boolean);
      const isFinal = above && this.#client.isFinal(above.createTime, askedAt);
      if (!isFinal && askedAt < this.#upToFinalAt) return;
      this.#solid = Math.min((ids[0] ?? Infinity) - 1, end);
      this.#advance(0);
    }
  }

  /** @internal @param {Record<string, unknown>} what @param {SendOptions} [options] @returns {Promise<Sent>} */
  post(what, { clientMessageId = newId(), replyTo, mentions, metadata } = {}) {
    const message = { ...what, replyTo, mentions, metadata };
    return this.queue("sendMessage", { message, clientMessageId }, ({ id, createTime, unusedId, rounds }) => {
      this.later(rounds, (delayMs) => {
        this.#count(id);
        this.#unused(unusedId);
        this.#advance(delayMs);
      });
      return { id, createTime, clientMessageId };
    });
  }

  /**
   * Takes what an answer told of, which is still to be pushed. In rounds of so many ms that is forgotten until two of them
   * are over: each push before it would look as if something was missed.
   * @internal @param {any} rounds @param {(delayMs: number) => void} take
   */
  later(rounds, take) {
    if (!(rounds > 0)) return take(OVERTAKING_MS);
    const wanted = this.#wanted;
    void sleep(2 * Math.min(rounds, RETRY_AFTER_MAX_MS)).then(() => this.#wanted === wanted && take(0));
  }

  /**
   * What must not be lost: it is sent in turn, until the server has answered.
   * @internal @template T @param {string} action @param {Stored} what @param {(ack: any) => T} take @returns {Promise<T>}
   */
  queue(action, what, take) {
    /** @type {Deferred<T>} */ const done = deferred();
    try {
      if ("clientMessageId" in what) mustBeClientMessageId(what.clientMessageId);
      if ("id" in what && !isPositive(what.id)) throw badRequest("id must be the number of a message");
      if (!this.#wanted) throw new ChatError("left", "join the room first");
      if (this.#outbox.length >= OUTBOX_MAX) throw new ChatError("queueFull", `${OUTBOX_MAX} messages wait already`);
      if (what.message) mustBeMessage(what.message);
      this.#outbox.push({ frame: { action, chatroomId: this.#id, ...what }, take, tries: 0, done });
      void this.#flush();
    } catch (caught) {
      done.reject(Object.assign(/** @type {Error} */ (caught), { action }));
    }
    return this.reported(done.promise);
  }

  /** What is worth nothing later: it is not sent again. @internal @param {Record<string, unknown> & { action: string }} frame */
  request(frame) {
    return this.#connection?.request({ ...frame, chatroomId: this.#id }) ?? Promise.reject(connectionLost("not in the room"));
  }

  /** What the server does not answer. Returns whether it was sent. @internal @param {Record<string, unknown>} frame */
  tell(frame) {
    return this.#connection?.tell({ ...frame, chatroomId: this.#id }) ?? false;
  }

  /** The newest message whose event has come, or that was there before the events began. @internal */
  get solid() {
    return this.#solid;
  }

  /** Sends one at a time, so that they keep their order. */
  async #flush() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#connection && this.#outbox.length > 0) {
      const send = this.#outbox[0];
      try {
        if (await this.#isForgotten(send)) throw new ChatError("unknown", "nobody knows whether it was sent");
        const { frame } = send;
        // While we waited, the connection or the room may have gone.
        if (!this.#connection || this.#outbox[0] !== send) continue;
        send.done.resolve(send.take(await this.#connection.request(frame)));
      } catch (caught) {
        const error = chatError(caught, "badFrame");
        if (error.code === "connectionLost") continue;
        if (error.retryable && (error.retryAfterMs || ++send.tries < SEND_TRIES)) {
          this.emit(/** @type {any} */ ("retry"), /** @type {any} */ (error));
          await sleep(error.retryAfterMs ?? backoff(send.tries, REPEAT_MAX_MS));
          continue;
        }
        send.done.reject(error);
      }
      if (this.#outbox[0] === send) this.#outbox.shift();
    }
    this.#sending = false;
  }

  /** Whether the server has forgotten the send, so that a retry would be a second message. @param {Send} send */
  async #isForgotten(send) {
    const client = this.#client;
    const tried = (send.tried ??= { at: performance.now(), wall: Date.now(), server: client.serverTime });
    if (performance.now() - tried.at > RETRY_WINDOW_MS) return true;
    if (Date.now() - tried.wall <= RETRY_WINDOW_MS) return false;
    // Either the wall clock jumped, or the machine slept and the other clock stood still. The server's `Date` decides.
    await client.page(this.#id, { limit: 1 });
    return client.serverTime - tried.server > RETRY_WINDOW_MS;
  }

  /**
   * Raises an `error` event as well: nobody may look at the promise.
   * @internal @template T @param {Promise<T>} promise
   */
  reported(promise) {
    promise.catch((error) => this.emit("error", error));
    return promise;
  }
}

/** @param {Record<string, any>} message */
function mustBeMessage(message) {
  const { content = "", replyTo, mentions, metadata } = message;
  if ([...content].length > CONTENT_MAX) throw new ChatError("tooLarge", `longer than ${CONTENT_MAX} characters`);
  if (replyTo !== undefined && !isPositive(replyTo)) throw badRequest("replyTo must be the number of a message");
  if (mentions !== undefined && !(Array.isArray(mentions) && mentions.length <= MENTIONS_MAX && mentions.every(isRoomId))) {
    throw badRequest(`mentions must be at most ${MENTIONS_MAX} ids of users`);
  }
  if (metadata !== undefined) mustFit("metadata", metadata);
  if (bytes(JSON.stringify(message)) > FRAME_BYTES_MAX) throw new ChatError("tooLarge", `longer than ${FRAME_BYTES_MAX} bytes`);
}
