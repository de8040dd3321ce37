/** A room that components share, whatever framework they are of: the first that uses it enters it, the last one leaves it. */
import { ChatError } from "serverless-chat-client";
import type { ChatRoom, Id, Message, OnlineRoom } from "serverless-chat-client";
export type ClientOf<R extends ChatRoom = ChatRoom> = EventTarget & {
    room(id: Id): R;
};
export type RoomState = {
    entered: boolean;
    error: ChatError | null;
};
export type MessagesState = {
    messages: readonly Message[];
    hasOlder: boolean;
    isLoading: boolean;
};
export type OnlineState = Pick<OnlineRoom, "online" | "onlineCount" | "onlineMore">;
/** The room's, always the same object. Enters nothing before somebody subscribes. @param {ClientOf} client @param {Id} roomId */
export declare function sharedRoom(client: ClientOf, roomId: Id): SharedRoom;
/** A part of what is known of a room: a snapshot that is replaced, and never changed. @template T */
export declare class Part<T> {
    #private;
    empty: T;
    /** @param {SharedRoom} room @param {() => T} make */
    constructor(room: SharedRoom, make: () => T);
    /** Bound, because frameworks compare it. */
    get: () => T;
    /** What a server renders, which enters no room. */
    getEmpty: () => T;
    get isUsed(): boolean;
    /** @param {() => void} listener */
    subscribe: (listener: () => void) => () => void;
    /** In a crowd one frame brings many messages: all that a task brings is told once. */
    changed(): void;
    reset(): void;
}
export declare class SharedRoom {
    #private;
    state: Part<RoomState>;
    messages: Part<MessagesState>;
    online: Part<OnlineState>;
    typing: Part<readonly Id[]>;
    room: ChatRoom;
    /** @param {ClientOf} client @param {ChatRoom} room */
    constructor(client: ClientOf, room: ChatRoom);
    use(): void;
    release(): void;
    /** Bound, for buttons. Asks again to be let in, after a refusal. */
    join: () => void;
    /** Bound, for buttons. Reads the page before what is shown, or once more what could not be read. */
    loadOlder: () => Promise<void>;
}
