// @ts-check
/** The words of the protocol and of the client, for all of its files. */

/** @import { ChatClient } from "./client.js" */
/** @import { ChatError } from "./errors.js" */
/** @import { ChatRoom } from "./room.js" */

/** @typedef {number | string} Id A string of digits that a number holds exactly is that number. */
/** @typedef {"text" | "image" | "file"} Kind */
/** @typedef {{ id: Id, username: string, nickName: string, headPic: string | null, email?: string, createTime?: string }} Profile */
/** Who reacted with what: the users of each emoji. @typedef {Record<string, Id[]>} Reacted */
/** What a message may have besides: the message that it answers, whom it mentions, and what the application adds. @typedef {{ replyTo?: number, mentions?: Id[], metadata?: Record<string, unknown> }} Extras */
/** What comes with changes: the number of the last one, its time, and whether the message was recalled, and by whom. @typedef {{ version?: number, updateTime?: string, deleted?: boolean, deletedBy?: Id }} Changeable */
/**
 * A pushed message has a `clientMessageId`; one from the history has none. Where there is an `attachment`, the key of a file,
 * `content` is the file's address, which ends after an hour or two, and may be 3 KB long. With an `eraseTime` a message is an empty text,
 * and so is one that is `deleted`.
 * @typedef {{ id: number, type: Kind, content: string, chatroomId: Id, senderId: Id, createTime: string, eraseTime?: string, sender: Profile, clientMessageId?: string, reactions?: Reacted, reactionVersion?: number, attachment?: string } & Extras & Changeable} Message
 */
/** @typedef {{ id: number, createTime: string, clientMessageId: string }} Sent */
/** @typedef {{ messages: Message[], hasOlder: boolean }} Page Oldest first. */
/** @typedef {{ userId: Id, user?: Profile }} Presence Those who join have a `user`; those who leave have none. */
/** @typedef {{ code: string, reason: string, willRetry: boolean, retryInMs?: number }} Disconnected `code` is a `ChatError`'s. */
/** @typedef {{ connecting: null, connected: null, disconnected: Disconnected, error: ChatError }} ClientEvents */
/** @typedef {{ message: Message, joined: Presence, left: Presence, error: ChatError }} RoomEvents */
/**
 * @typedef {object} ChatOptions
 * @property {string} url The WebSocket API: `wss://….amazonaws.com/dev`.
 * @property {string} historyUrl The history: `https://….amazonaws.com/chat-history/list`.
 * @property {() => string | Promise<string>} getToken
 *   Called before each connection, and when the history no longer takes the token. It may throw: the client tries again, unless it
 *   is a `ChatError` that is not `retryable`. If it returns no token, the client ends with the code `token`.
 * @property {number} [pingIntervalMs] How long the connection may be silent before the client pings; 5 minutes.
 * @property {number} [lifetimeMs] How long the server lets a connection live; 2 hours. Before that, a new one takes over.
 * @property {number} [timeoutMs] Longest wait for any answer; 15 seconds.
 * @property {typeof globalThis.WebSocket} [WebSocket] For runtimes without a global one: `ws` in Node 20, for example.
 */
/** @typedef {Required<Omit<ChatOptions, "WebSocket">>} Settings */
/** @template Detail @typedef {{ on(event: CustomEvent<Detail>): void }["on"] | EventListenerObject} Listener */
/**
 * An `EventTarget` that knows its events.
 * @template {Record<string, any>} Events
 * @typedef {{
 *   addEventListener<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | AddEventListenerOptions): void,
 *   removeEventListener<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | EventListenerOptions): void,
 *   dispatchEvent(event: Event): boolean,
 * }} TypedTarget
 */
/** @template T @typedef {{ promise: Promise<T>, resolve: (value: T) => void, reject: (error: unknown) => void }} Deferred */
/** When a send was first tried, by three clocks: one may stop, one may jump, and one is the server's. @typedef {{ at: number, wall: number, server: number }} Tried */
/** @typedef {{ clientMessageId?: string } & Extras} SendOptions */
/** Up to which message and which change an application keeps what it was told. @typedef {{ id: number, change?: number }} Since */
/** What the server stores. @typedef {{ id?: number, message?: Record<string, any>, clientMessageId?: string }} Stored */
/** @typedef {{ frame: Record<string, unknown>, take: (ack: any) => any, tries: number, tried?: Tried, done: Deferred<any> }} Send */
/**
 * What a room can do more: `Changes`, `Reactions`, `Online`, `Signals`, `Rounds`, `Kept`, `Reads`, `Uploads`, `Moderation`. One is
 * made for each room; `extend` gives the client more as well.
 * @typedef {{
 *   new (room: ChatRoom, client: ChatClient<any>): {
 *     adds: object,
 *     asks?: () => object,
 *     entered?: (ack: any, wasIn: boolean, since?: Since) => void,
 *     receive?: (frame: any) => void,
 *     show?: (message: Message) => Message | void,
 *     left?: () => void,
 *   },
 *   extend?(client: ChatClient<any>): object,
 * }} Feature
 */
/** All of them. @template All @typedef {(All extends unknown ? (all: All) => void : never) extends (all: infer Each) => void ? Each : never} Each */
/** What features add to the client. @template {Feature} F @typedef {[F] extends [never] ? unknown : Each<F extends { extend(client: any): infer Adds } ? Adds : never>} ClientWith */
/** A room with what features add. @template {Feature} F @typedef {[F] extends [never] ? ChatRoom : ChatRoom & Each<InstanceType<F>["adds"]>} RoomWith */
/**
 * Events that a feature adds.
 * @template {Record<string, any>} Events
 * @typedef {object} Listening
 * @property {<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | AddEventListenerOptions) => void} addEventListener
 * @property {<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | EventListenerOptions) => void} removeEventListener
 */
/** A message's newest state, without its sender. Everything that it had before is replaced by it, reactions apart. @typedef {Omit<Message, "sender"> & { version: number }} Change */
/** @typedef {{ id: number, version: number, updateTime: string }} Changed */
/** @typedef {{ changed: Change, stale: null }} ChangeEvents `stale`: too much has changed; what was read before is to be read again. */
/**
 * @typedef {object} ChangingRoom
 * @property {(id: number, text: string, options?: { clientMessageId?: string }) => Promise<Changed>} edit
 *   Settles when the edit is stored. It is sent in turn with the messages, and again until it was answered.
 * @property {(id: number) => Promise<Changed>} remove Recalls a message, in the same way.
 * @property {Since | undefined} position What to keep for the next `join({ since })`; undefined while the room was not entered.
 */
/**
 * All reactions of a message, as they are now. Those that were pushed say who did what; those that were read do not.
 * @typedef {{ id: number, reactions: Reacted, reactionVersion: number, userId?: Id, emoji?: string, on?: boolean }} Reaction
 */
/** @typedef {{ reaction: Reaction }} ReactionEvents */
/**
 * @typedef {object} ReactingRoom
 * @property {(id: number, emoji: string, on?: boolean) => Promise<void>} react
 *   Settles when it is stored. What cannot be sent now is refused, and not sent later.
 */
/** @typedef {{ online: null }} OnlineEvents */
/**
 * @typedef {object} OnlineRoom
 * @property {ReadonlyMap<Id, Profile | null>} online
 *   Who is in the room, those who are here longest first: at most the first hundred. A profile is null until the client has
 *   heard it. Where the room is `quiet` nobody is listed, until `members` asks.
 * @property {number} onlineCount How many there are.
 * @property {boolean} onlineMore Whether there are more than were counted.
 * @property {() => Promise<Profile[]>} members Asks for the profiles of those who are here, at most a hundred.
 */
/** @typedef {{ members: null }} RoundsEvents */
/**
 * @typedef {object} RoomOfRounds
 * @property {number | undefined} memberCount
 *   How many connections the room's last round was pushed to; undefined where the room is not in rounds. A user may have several.
 */
/** @typedef {{ userId: Id, kind: string, data?: any }} Signal */
/** @typedef {{ signal: Signal, typing: { userIds: Id[] } }} SignalEvents `typing` says who is typing now, without oneself. */
/**
 * @typedef {object} SignallingRoom
 * @property {boolean} signals Whether the room is small enough for signals to be passed on.
 * @property {(kind: string, data?: unknown) => boolean} signal
 *   Tells those who are here now, and nobody later; not stored, not answered. Returns whether it was sent. Throws a
 *   `ChatError` if the server could not take it: `kind` is 1 to 32 of `A-Z a-z 0-9 _ - .`, `data` at most 1 KB of JSON.
 * @property {() => boolean} typing To be called with each key: a signal is sent every 10 seconds at most.
 */
/**
 * A room of the inbox: a group where `type` is true, otherwise a pair. `unread` may count a few numbers that no message has, and
 * `userIds` are fifty at most.
 * @typedef {{ id: string, name: string, type: boolean, createTime: string, userCount: number, userIds: Id[], unread: number, lastRead: number, mentioned: boolean, lastMessage?: LastMessage }} KeptRoom
 */
/** Its `content` is 200 characters at most, and the name of a file that was uploaded. @typedef {Pick<Message, "id" | "type" | "content" | "senderId" | "createTime" | "deleted" | "eraseTime" | "attachment">} LastMessage */
/** @typedef {{ id: string, name: string, type: boolean, createTime: string, owner?: Id, users: Profile[] }} KeptInfo */
/**
 * Pushed to each of one's devices that is connected then, perhaps twice; who was away asks for the inbox. `userId` is who added one.
 * @typedef {{ roomAdded: { roomId: Id, userId: Id } } & RemovedEvents} KeptEvents
 */
/**
 * The room that one was taken out of is left. `reason` is `quit` (out of a kept room), `kick` (one may come again) or `ban` (after
 * `retryAfterMs`).
 * @typedef {{ removed: { roomId: Id, reason: string, retryAfterMs?: number } }} RemovedEvents
 */
/** @typedef {"mute" | "ban" | "kick" | "none"} Bar `none` ends a mute or a ban. */
/** @typedef {{ chatroomId: Id, targetId: Id, bar: Bar, until?: string }} BarAck */
/** @typedef {{ user: Profile, bar: "mute" | "ban", until: string }} Barred */
/** @typedef {{ chatroomId: Id, bars: Barred[], slowSeconds?: number }} Bars */
/** Who reported which message, and why. @typedef {{ id: number, user: Profile, reason: string, createTime: string }} Report */
/** With `more` there are older ones. @typedef {{ chatroomId: Id, reports: Report[], more?: boolean }} Reports The newest message first. */
/** @typedef {{ barred: null, slow: null }} ModerationEvents `mutedForMs`, or `slowSeconds` or `slowForMs`, is not what it was. */
/**
 * None of it is sent later. Who may not is refused (`notAllowed`).
 * @typedef {object} ModerationRoom
 * @property {(userId: Id, bar: Bar, seconds?: number) => Promise<BarAck>} bar
 *   Mutes, bans, takes out, or lets back in. A mute or a ban lasts for 1 to 31,536,000 seconds.
 * @property {(seconds: number) => Promise<{ chatroomId: Id, seconds: number }>} slow
 *   Lets each write once in so many seconds, up to 3,600; 0 ends that.
 * @property {() => Promise<Bars>} bars Who is muted or banned, and until when.
 * @property {(id: number, reason: string) => Promise<{ chatroomId: Id, id: number }>} report
 *   Tells the moderators of a message, by anybody; the reason has 1 to 500 characters.
 * @property {(before?: Report) => Promise<Reports>} reports What was reported; or what stands behind a report, which is the
 *   last one of the answer before.
 * @property {number} mutedForMs How long one may not write; 0 if one may. Known since one entered, or was refused.
 * @property {number} slowSeconds How often one may write; 0 if nobody has to wait. Who is in the room is not told of a new pace.
 * @property {number} slowForMs How long one's next message has to wait.
 */
/**
 * @typedef {object} KeptClient
 * @property {(options?: { name?: string }) => Promise<KeptRoom[]>} rooms
 *   The inbox: one's rooms, the newest activity first, at most 200; or those whose name has `name` in it.
 * @property {(friendId: Id) => Promise<string>} createPair The id of the pair's room, always the same.
 * @property {(name: string, options?: { clientRoomId?: string }) => Promise<string>} createGroup
 *   The new room's id. To repeat it after a failure, pass the same `clientRoomId`: then there is one group.
 * @property {(roomId: Id, userId: Id) => Promise<void>} invite Takes somebody into a group. Every member may.
 * @property {(roomId: Id, userId?: Id) => Promise<void>} quit Leaves a group for good; or, as its owner, takes somebody out.
 * @property {(roomId: Id) => Promise<KeptInfo>} info A room and its members.
 */
/** @typedef {{ read: { userId: Id, id: number } }} ReadEvents Somebody, or one's own device, has read up to there. */
/**
 * @typedef {object} ReadRoom
 * @property {(id?: number, options?: { tell?: boolean }) => Promise<number>} markRead
 *   Marks as read up to a message; without one, all that came. One mark is sent every 3 seconds at most, the last. Settles with what
 *   is stored, which is never less. With `tell` a small room's others are pushed it, one's own devices too.
 * @property {boolean | "tell"} autoRead
 *   Whether what comes is marked by itself while the page is visible; `"tell"` tells others. Off at first. On is for the room that is shown.
 * @property {number | undefined} lastRead One's own mark; undefined before it is known.
 * @property {number | undefined} unread How many came after it.
 * @property {() => Promise<Map<Id, number>>} reads Asks up to where others have read. Only in rooms that are kept.
 */
/**
 * `onProgress` is told how much is done, from 0 to 1. `signal` cancels, until the file is there.
 * @typedef {SendOptions & { onProgress?: (done: number) => void, signal?: AbortSignal }} UploadOptions
 */
/**
 * @typedef {object} UploadRoom
 * @property {(file: File | Blob, options?: UploadOptions) => Promise<Sent>} upload
 *   Saves a file, then sends it: as an image if it is one that browsers show, else as a file. Where that fails nothing was sent
 *   (`cancelled`, `uploadFailed`, `tooLarge`, …). To try again, pass the same `clientMessageId`.
 * @property {(id: number) => Promise<Message | undefined>} renew Reads a message again, whose file then has a new address.
 */
/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */
