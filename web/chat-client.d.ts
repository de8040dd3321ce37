/**
 * Rooms in a browser (or in Node) over connections that come and go: every message once, in order, none missing.
 *
 * A `ChatClient` keeps one connection, and replaces it before the server cuts it. A `ChatRoom` keeps one room's order:
 * ids go 1, 2, 3, …, so the room sees what is missing and fetches it from the history. What not everybody uses is a
 * feature, handed in by name. `index.html` shows how to use it.
 *
 * Made of the files in `client/` by `npm run bundle`.
 */
export type Id = number | string;
export type Kind = "text" | "image" | "file";
export type Profile = {
    id: Id;
    username: string;
    nickName: string;
    headPic: string | null;
    email?: string;
    createTime?: string;
};
export type Reacted = Record<string, Id[]>;
export type Extras = {
    replyTo?: number;
    mentions?: Id[];
    metadata?: Record<string, unknown>;
};
export type Changeable = {
    version?: number;
    updateTime?: string;
    deleted?: boolean;
    deletedBy?: Id;
};
export type Message = {
    id: number;
    type: Kind;
    content: string;
    chatroomId: Id;
    senderId: Id;
    createTime: string;
    eraseTime?: string;
    sender: Profile;
    clientMessageId?: string;
    reactions?: Reacted;
    reactionVersion?: number;
    attachment?: string;
} & Extras & Changeable;
export type Sent = {
    id: number;
    createTime: string;
    clientMessageId: string;
};
export type Page = {
    messages: Message[];
    hasOlder: boolean;
};
export type Presence = {
    userId: Id;
    user?: Profile;
};
export type Disconnected = {
    code: string;
    reason: string;
    willRetry: boolean;
    retryInMs?: number;
};
export type ClientEvents = {
    connecting: null;
    connected: null;
    disconnected: Disconnected;
    error: ChatError;
};
export type RoomEvents = {
    message: Message;
    joined: Presence;
    left: Presence;
    error: ChatError;
};
export type ChatOptions = {
    /**
     * The WebSocket API: `wss://….amazonaws.com/dev`.
     */
    url: string;
    /**
     * The history: `https://….amazonaws.com/chat-history/list`.
     */
    historyUrl: string;
    /**
     *   Called before each connection, and when the history no longer takes the token. It may throw: the client tries again, unless it
     *   is a `ChatError` that is not `retryable`. If it returns no token, the client ends with the code `token`.
     */
    getToken: () => string | Promise<string>;
    /**
     * How long the connection may be silent before the client pings; 5 minutes.
     */
    pingIntervalMs?: number;
    /**
     * How long the server lets a connection live; 2 hours. Before that, a new one takes over.
     */
    lifetimeMs?: number;
    /**
     * Longest wait for any answer; 15 seconds.
     */
    timeoutMs?: number;
    /**
     * For runtimes without a global one: `ws` in Node 20, for example.
     */
    WebSocket?: typeof globalThis.WebSocket;
};
export type Settings = Required<Omit<ChatOptions, "WebSocket">>;
export type Listener<Detail> = {
    on(event: CustomEvent<Detail>): void;
}["on"] | EventListenerObject;
export type TypedTarget<Events extends Record<string, any>> = {
    addEventListener<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | AddEventListenerOptions): void;
    removeEventListener<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | EventListenerOptions): void;
    dispatchEvent(event: Event): boolean;
};
export type Deferred<T> = {
    promise: Promise<T>;
    resolve: (value: T) => void;
    reject: (error: unknown) => void;
};
export type Tried = {
    at: number;
    wall: number;
    server: number;
};
export type SendOptions = {
    clientMessageId?: string;
} & Extras;
export type Since = {
    id: number;
    change?: number;
};
export type Stored = {
    id?: number;
    message?: Record<string, any>;
    clientMessageId?: string;
};
export type Send = {
    frame: Record<string, unknown>;
    take: (ack: any) => any;
    tries: number;
    tried?: Tried;
    done: Deferred<any>;
};
export type Feature = {
    new (room: ChatRoom, client: ChatClient<any>): {
        adds: object;
        asks?: () => object;
        entered?: (ack: any, wasIn: boolean, since?: Since) => void;
        receive?: (frame: any) => void;
        show?: (message: Message) => Message | void;
        left?: () => void;
    };
    extend?(client: ChatClient<any>): object;
};
export type Each<All> = (All extends unknown ? (all: All) => void : never) extends (all: infer Each) => void ? Each : never;
export type ClientWith<F extends Feature> = [F] extends [never] ? unknown : Each<F extends {
    extend(client: any): infer Adds;
} ? Adds : never>;
export type RoomWith<F extends Feature> = [F] extends [never] ? ChatRoom : ChatRoom & Each<InstanceType<F>["adds"]>;
export type Listening<Events extends Record<string, any>> = {
    addEventListener: <T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | AddEventListenerOptions) => void;
    removeEventListener: <T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | EventListenerOptions) => void;
};
export type Change = Omit<Message, "sender"> & {
    version: number;
};
export type Changed = {
    id: number;
    version: number;
    updateTime: string;
};
export type ChangeEvents = {
    changed: Change;
    stale: null;
};
export type ChangingRoom = {
    /**
     *   Settles when the edit is stored. It is sent in turn with the messages, and again until it was answered.
     */
    edit: (id: number, text: string, options?: {
        clientMessageId?: string;
    }) => Promise<Changed>;
    /**
     * Recalls a message, in the same way.
     */
    remove: (id: number) => Promise<Changed>;
    /**
     * What to keep for the next `join({ since })`; undefined while the room was not entered.
     */
    position: Since | undefined;
};
export type Reaction = {
    id: number;
    reactions: Reacted;
    reactionVersion: number;
    userId?: Id;
    emoji?: string;
    on?: boolean;
};
export type ReactionEvents = {
    reaction: Reaction;
};
export type ReactingRoom = {
    /**
     *   Settles when it is stored. What cannot be sent now is refused, and not sent later.
     */
    react: (id: number, emoji: string, on?: boolean) => Promise<void>;
};
export type OnlineEvents = {
    online: null;
};
export type OnlineRoom = {
    /**
     *   Who is in the room, those who are here longest first: at most the first hundred. A profile is null until the client has
     *   heard it. Where the room is `quiet` nobody is listed, until `members` asks.
     */
    online: ReadonlyMap<Id, Profile | null>;
    /**
     * How many there are.
     */
    onlineCount: number;
    /**
     * Whether there are more than were counted.
     */
    onlineMore: boolean;
    /**
     * Asks for the profiles of those who are here, at most a hundred.
     */
    members: () => Promise<Profile[]>;
};
export type RoundsEvents = {
    members: null;
};
export type RoomOfRounds = {
    /**
     *   How many connections the room's last round was pushed to; undefined where the room is not in rounds. A user may have several.
     */
    memberCount: number | undefined;
};
export type Signal = {
    userId: Id;
    kind: string;
    data?: any;
};
export type SignalEvents = {
    signal: Signal;
    typing: {
        userIds: Id[];
    };
};
export type SignallingRoom = {
    /**
     * Whether the room is small enough for signals to be passed on.
     */
    signals: boolean;
    /**
     *   Tells those who are here now, and nobody later; not stored, not answered. Returns whether it was sent. Throws a
     *   `ChatError` if the server could not take it: `kind` is 1 to 32 of `A-Z a-z 0-9 _ - .`, `data` at most 1 KB of JSON.
     */
    signal: (kind: string, data?: unknown) => boolean;
    /**
     * To be called with each key: a signal is sent every 10 seconds at most.
     */
    typing: () => boolean;
};
export type KeptRoom = {
    id: string;
    name: string;
    type: boolean;
    createTime: string;
    userCount: number;
    userIds: Id[];
    unread: number;
    lastRead: number;
    mentioned: boolean;
    lastMessage?: LastMessage;
};
export type LastMessage = Pick<Message, "id" | "type" | "content" | "senderId" | "createTime" | "deleted" | "eraseTime" | "attachment">;
export type KeptInfo = {
    id: string;
    name: string;
    type: boolean;
    createTime: string;
    owner?: Id;
    users: Profile[];
};
export type KeptEvents = {
    roomAdded: {
        roomId: Id;
        userId: Id;
    };
} & RemovedEvents;
export type RemovedEvents = {
    removed: {
        roomId: Id;
        reason: string;
        retryAfterMs?: number;
    };
};
export type Bar = "mute" | "ban" | "kick" | "none";
export type BarAck = {
    chatroomId: Id;
    targetId: Id;
    bar: Bar;
    until?: string;
};
export type Barred = {
    user: Profile;
    bar: "mute" | "ban";
    until: string;
};
export type Bars = {
    chatroomId: Id;
    bars: Barred[];
    slowSeconds?: number;
};
export type Report = {
    id: number;
    user: Profile;
    reason: string;
    createTime: string;
};
export type Reports = {
    chatroomId: Id;
    reports: Report[];
    more?: boolean;
};
export type ModerationEvents = {
    barred: null;
    slow: null;
};
export type ModerationRoom = {
    /**
     *   Mutes, bans, takes out, or lets back in. A mute or a ban lasts for 1 to 31,536,000 seconds.
     */
    bar: (userId: Id, bar: Bar, seconds?: number) => Promise<BarAck>;
    /**
     *   Lets each write once in so many seconds, up to 3,600; 0 ends that.
     */
    slow: (seconds: number) => Promise<{
        chatroomId: Id;
        seconds: number;
    }>;
    /**
     * Who is muted or banned, and until when.
     */
    bars: () => Promise<Bars>;
    /**
     *   Tells the moderators of a message, by anybody; the reason has 1 to 500 characters.
     */
    report: (id: number, reason: string) => Promise<{
        chatroomId: Id;
        id: number;
    }>;
    /**
     * What was reported; or what stands behind a report, which is the
     * last one of the answer before.
     */
    reports: (before?: Report) => Promise<Reports>;
    /**
     * How long one may not write; 0 if one may. Known since one entered, or was refused.
     */
    mutedForMs: number;
    /**
     * How often one may write; 0 if nobody has to wait. Who is in the room is not told of a new pace.
     */
    slowSeconds: number;
    /**
     * How long one's next message has to wait.
     */
    slowForMs: number;
};
export type KeptClient = {
    /**
     *   The inbox: one's rooms, the newest activity first, at most 200; or those whose name has `name` in it.
     */
    rooms: (options?: {
        name?: string;
    }) => Promise<KeptRoom[]>;
    /**
     * The id of the pair's room, always the same.
     */
    createPair: (friendId: Id) => Promise<string>;
    /**
     *   The new room's id. To repeat it after a failure, pass the same `clientRoomId`: then there is one group.
     */
    createGroup: (name: string, options?: {
        clientRoomId?: string;
    }) => Promise<string>;
    /**
     * Takes somebody into a group. Every member may.
     */
    invite: (roomId: Id, userId: Id) => Promise<void>;
    /**
     * Leaves a group for good; or, as its owner, takes somebody out.
     */
    quit: (roomId: Id, userId?: Id) => Promise<void>;
    /**
     * A room and its members.
     */
    info: (roomId: Id) => Promise<KeptInfo>;
};
export type ReadEvents = {
    read: {
        userId: Id;
        id: number;
    };
};
export type ReadRoom = {
    /**
     *   Marks as read up to a message; without one, all that came. One mark is sent every 3 seconds at most, the last. Settles with what
     *   is stored, which is never less. With `tell` a small room's others are pushed it, one's own devices too.
     */
    markRead: (id?: number, options?: {
        tell?: boolean;
    }) => Promise<number>;
    /**
     *   Whether what comes is marked by itself while the page is visible; `"tell"` tells others. Off at first. On is for the room that is shown.
     */
    autoRead: boolean | "tell";
    /**
     * One's own mark; undefined before it is known.
     */
    lastRead: number | undefined;
    /**
     * How many came after it.
     */
    unread: number | undefined;
    /**
     * Asks up to where others have read. Only in rooms that are kept.
     */
    reads: () => Promise<Map<Id, number>>;
};
export type UploadOptions = SendOptions & {
    onProgress?: (done: number) => void;
    signal?: AbortSignal;
};
export type UploadRoom = {
    /**
     *   Saves a file, then sends it: as an image if it is one that browsers show, else as a file. Where that fails nothing was sent
     *   (`cancelled`, `uploadFailed`, `tooLarge`, …). To try again, pass the same `clientMessageId`.
     */
    upload: (file: File | Blob, options?: UploadOptions) => Promise<Sent>;
    /**
     * Reads a message again, whose file then has a new address.
     */
    renew: (id: number) => Promise<Message | undefined>;
};
export type Timer = ReturnType<typeof setTimeout> | undefined;
export declare class ChatError extends Error {
    code: string;
    retryable: boolean;
    action: string | undefined;
    retryAfterMs: number | undefined;
    /**
     * @param {string} code The server's (`badRequest`, `tooLarge`, `notAllowed`, `internal`, …) or one of: `connectionLost`,
     *   `offline`, `disconnected`, `refused`, `left`, `removed`, `queueFull`, `unknown`, `cancelled`, `uploadFailed`, `token`,
     *   `unreachable`, `badFrame`, `badResponse`.
     * @param {string} message
     * @param {{ retryable?: boolean, action?: string, cause?: unknown, retryAfterMs?: number }} [about]
     */
    constructor(code: string, message: string, { retryable, action, cause, retryAfterMs }?: {
        retryable?: boolean;
        action?: string;
        cause?: unknown;
        retryAfterMs?: number;
    });
}
/** `EventTarget` itself, whose events the compiler knows. */
declare const Typed: new <Events extends Record<string, any>>() => TypedTarget<Events>;
/**
 * An `EventTarget` with typed events; the data is in `detail`.
 * @template {Record<string, any>} Events @extends {Typed<Events>}
 */
declare class Target<Events extends Record<string, any>> extends Typed<Events> {
}
/**
 * Edits and recalls. Changes of a room are numbered, 1, 2, 3, …; of every message whose last change is not above the
 * position, the last state was told. What the pushes lack is in the feed, where each changed message is once.
 */
export declare class Changes {
    #private;
    /** @type {ChangingRoom & Listening<ChangeEvents>} */ adds: ChangingRoom & Listening<ChangeEvents>;
}
/**
 * The message after a change: the change's state, with what it does not tell. A recall takes the reactions along.
 * @param {Message} message @param {Change} change @returns {Message}
 */
export declare function applyChange(message: Message, change: Change): Message;
/** Made by `client.room(id)`. @extends {Target<RoomEvents>} */
export declare class ChatRoom extends Target<RoomEvents> {
    #private;
    get id(): Id;
    /** Whether an open connection is in the room. */
    get joined(): boolean;
    /** Whether the room is so large that the server announces nobody: there are no `joined` and `left` events, only messages. */
    get quiet(): boolean;
    /**
     * Enters, and enters again after each reconnect, until `leave` or a refusal. Who keeps messages says `since` when: all
     * that came after them is told, so it is not for an absence of months.
     * @param {{ since?: Since }} [options] @returns {Promise<void>}
     */
    join({ since }?: {
        since?: Since;
    }): Promise<void>;
    /** @returns {Promise<void>} */
    leave(): Promise<void>;
    /**
     * Settles when the message is stored. Until then it is sent again, over later connections too. Messages are sent in the
     * order of the calls. To repeat a rejected send, pass its `clientMessageId`: then it cannot be stored twice.
     * @param {string} text @param {SendOptions} [options]
     */
    send(text: string, options?: SendOptions): Promise<Sent>;
    /** @param {string} url An http or https address. @param {SendOptions} [options] */
    sendImage(url: string, options?: SendOptions): Promise<Sent>;
    /** @param {string} url An http or https address. @param {SendOptions} [options] */
    sendFile(url: string, options?: SendOptions): Promise<Sent>;
    /**
     * A page of messages. Without `before`, the page ends exactly where the `message` events begin: nothing is missing, and
     * nothing comes twice. So it may wait for a message that was on its way when the room was entered.
     * @param {{ limit?: number, before?: number }} [paging] `limit` up to 100, 50 if not given
     * @returns {Promise<Page>}
     */
    history({ limit, before }?: {
        limit?: number;
        before?: number;
    }): Promise<Page>;
}
/**
 * One user's connection to the rooms. For another user, make another client. Its rooms can do what its `features` add.
 * @template {Feature} [F=never] @extends {Target<ClientEvents>}
 */
declare class Client<F extends Feature = never> extends Target<ClientEvents> {
    #private;
    /** @param {ChatOptions & { features?: F[] }} options */
    constructor(options: ChatOptions & {
        features?: F[];
    });
    get state(): "connected" | "connecting" | "disconnected";
    /** The user of the token; undefined before the first token. */
    get userId(): Id | undefined;
    /** The room, always the same object. Sends nothing before `join`. Throws a `ChatError` if no room can have this id. @param {Id} id @returns {RoomWith<F>} */
    room(id: Id): RoomWith<F>;
    /** Connects, and stays connected until `disconnect` or a refusal. @returns {Promise<void>} */
    connect(): Promise<void>;
    /** Ends the connection. The next `connect` joins the rooms again. Unsent messages are rejected. */
    disconnect(): void;
}
export type ChatClient<F extends Feature = never> = Client<F> & ClientWith<F>;
/** A client with what features add. @template {Feature} [F=never] @typedef {Client<F> & ClientWith<F>} ChatClient */
/** @type {{ new <F extends Feature = never>(options: ChatOptions & { features?: F[] }): ChatClient<F> }} */
export declare const ChatClient: {
    new <F extends Feature = never>(options: ChatOptions & {
        features?: F[];
    }): ChatClient<F>;
};
/** Rooms that the server keeps for their members, groups and pairs: the inbox, and who is in. */
export declare class Kept {
    /** Nothing of a room itself. @type {never} */ adds: never;
    /** What the client has more. @param {ChatClient<any>} client @returns {KeptClient & Listening<KeptEvents>} */
    static extend(client: ChatClient<any>): KeptClient & Listening<KeptEvents>;
}
/** What moderators do and are asked for, and what they do to oneself: until when one may not write, or not yet again. */
export declare class Moderation {
    #private;
    /** @type {ModerationRoom & Listening<ModerationEvents>} */ adds: ModerationRoom & Listening<ModerationEvents>;
    /** What the client tells more. @param {ChatClient<any>} client @returns {Listening<RemovedEvents>} */
    static extend(client: ChatClient<any>): Listening<RemovedEvents>;
}
/** Who is in the room: told when it is entered, and kept by the joins and leaves since. */
export declare class Online {
    #private;
    /** @type {OnlineRoom & Listening<OnlineEvents>} */ adds: OnlineRoom & Listening<OnlineEvents>;
}
/** Reactions: best effort when they are made, and read again after an absence. */
export declare class Reactions {
    #private;
    /** @type {ReactingRoom & Listening<ReactionEvents>} */ adds: ReactingRoom & Listening<ReactionEvents>;
}
/** Up to where one has read, on all of one's devices, and up to where others have. Marks only rise, so the last one says all. */
export declare class Reads {
    #private;
    /** @type {ReadRoom & Listening<ReadEvents>} */ adds: ReadRoom & Listening<ReadEvents>;
}
/** A room of thousands, or one where much is said, is told in rounds: one frame for all messages since the last one. */
export declare class Rounds {
    #private;
    /** @type {RoomOfRounds & Listening<RoundsEvents>} */ adds: RoomOfRounds & Listening<RoundsEvents>;
}
/** What is said and gone: an application's own signals, and who is typing. */
export declare class Signals {
    #private;
    /** @type {SignallingRoom & Listening<SignalEvents>} */ adds: SignallingRoom & Listening<SignalEvents>;
}
/** Files that go to the server's store first, and then as a message. */
export declare class Uploads {
    #private;
    /** @type {UploadRoom} */ adds: UploadRoom;
}
export {};
