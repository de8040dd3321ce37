/**
 * Rooms in a browser (or in Node) over connections that come and go: every message once, in order, none missing.
 *
 * A `ChatClient` keeps one connection, and replaces it before the server cuts it. A `ChatRoom` keeps one room's order:
 * ids go 1, 2, 3, …, so the room sees what is missing and fetches it from the history. `index.html` shows how to use it.
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
};
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
export type Send = {
    type: Kind;
    content: string;
    clientMessageId: string;
    tries: number;
    tried?: Tried;
    done: Deferred<Sent>;
};
export declare class ChatError extends Error {
    code: string;
    retryable: boolean;
    action: string | undefined;
    retryAfterMs: number | undefined;
    /**
     * @param {string} code The server's (`badRequest`, `tooLarge`, `notAllowed`, `internal`, …) or one of: `connectionLost`,
     *   `offline`, `disconnected`, `refused`, `left`, `queueFull`, `unknown`, `token`, `unreachable`, `badFrame`, `badResponse`.
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
/**
 * An `EventTarget` with typed events; the data is in `detail`.
 * @template {Record<string, any>} Events
 */
declare class Target<Events extends Record<string, any>> extends EventTarget {
    /**
     * @template {keyof Events & string} T
     * @param {T} type
     * @param {Listener<Events[T]> | null} listener
     * @param {boolean | AddEventListenerOptions} [options]
     */
    addEventListener<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | AddEventListenerOptions): void;
    /**
     * @template {keyof Events & string} T
     * @param {T} type
     * @param {Listener<Events[T]> | null} listener
     * @param {boolean | EventListenerOptions} [options]
     */
    removeEventListener<T extends keyof Events & string>(type: T, listener: Listener<Events[T]> | null, options?: boolean | EventListenerOptions): void;
}
/** One user's connection to the rooms. For another user, make another client. @extends {Target<ClientEvents>} */
export declare class ChatClient extends Target<ClientEvents> {
    #private;
    /** @param {ChatOptions} options */
    constructor(options: ChatOptions);
    get state(): "connected" | "connecting" | "disconnected";
    /** The user of the token; undefined before the first token. */
    get userId(): Id | undefined;
    /** The room, always the same object. Sends nothing before `join`. Throws a `ChatError` if no room can have this id. @param {Id} id */
    room(id: Id): ChatRoom;
    /** Connects, and stays connected until `disconnect` or a refusal. @returns {Promise<void>} */
    connect(): Promise<void>;
    /** Ends the connection. The next `connect` joins the rooms again. Unsent messages are rejected. */
    disconnect(): void;
}
/** Made by `client.room(id)`. @extends {Target<RoomEvents>} */
export declare class ChatRoom extends Target<RoomEvents> {
    #private;
    get id(): Id;
    /** Whether an open connection is in the room. */
    get joined(): boolean;
    /** Whether the room is so large that the server announces nobody: there are no `joined` and `left` events, only messages. */
    get quiet(): boolean;
    /** Enters, and enters again after each reconnect, until `leave` or a refusal. @returns {Promise<void>} */
    join(): Promise<void>;
    /** @returns {Promise<void>} */
    leave(): Promise<void>;
    /**
     * Settles when the message is stored. Until then it is sent again, over later connections too. Messages are sent in the
     * order of the calls. To repeat a rejected send, pass its `clientMessageId`: then it cannot be stored twice.
     * @param {string} text @param {{ clientMessageId?: string }} [options]
     */
    send(text: string, options?: {
        clientMessageId?: string;
    }): Promise<Sent>;
    /** @param {string} url An http or https address. @param {{ clientMessageId?: string }} [options] */
    sendImage(url: string, options?: {
        clientMessageId?: string;
    }): Promise<Sent>;
    /** @param {string} url An http or https address. @param {{ clientMessageId?: string }} [options] */
    sendFile(url: string, options?: {
        clientMessageId?: string;
    }): Promise<Sent>;
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
export type Timer = ReturnType<typeof setTimeout> | undefined;
export {};
