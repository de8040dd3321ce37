import type { ChatRoom, Id, Listening, OnlineEvents, OnlineRoom, SignalEvents, SignallingRoom } from "serverless-chat-client";
import type { ClientOf } from "./shared-room.js";
/** @import { ChatRoom, Id, Listening, OnlineEvents, OnlineRoom, SignalEvents, SignallingRoom } from "serverless-chat-client" */
/** @import { ClientOf, Part } from "./shared-room.js" */
/**
 * `const { room, entered, error } = useRoom(client, 1)`. Whoever was refused, or taken out, asks again with `join`.
 * @template {ChatRoom} R
 * @param {ClientOf<R>} client One for the whole application, made outside of components.
 * @param {Id} roomId
 */
export declare function useRoom<R extends ChatRoom>(client: ClientOf<R>, roomId: Id): {
    entered: boolean;
    error: import("serverless-chat-client").ChatError | null;
    room: R;
    join: () => void;
};
/**
 * What was said, oldest first: the newest page, what comes, and with `loadOlder` what was before. With the features
 * `Changes` and `Reactions` each message is as it is now.
 * @param {ClientOf} client @param {Id} roomId
 */
export declare function useMessages(client: ClientOf, roomId: Id): {
    messages: readonly import("serverless-chat-client").Message[];
    hasOlder: boolean;
    isLoading: boolean;
    loadOlder: () => Promise<void>;
};
/** Who is here; for clients with the feature `Online`. @param {ClientOf<ChatRoom & OnlineRoom & Listening<OnlineEvents>>} client @param {Id} roomId */
export declare function useOnline(client: ClientOf<ChatRoom & OnlineRoom & Listening<OnlineEvents>>, roomId: Id): import("./shared-room.js").OnlineState;
/** The ids of those who type now; for clients with the feature `Signals`. @param {ClientOf<ChatRoom & SignallingRoom & Listening<SignalEvents>>} client @param {Id} roomId */
export declare function useTyping(client: ClientOf<ChatRoom & SignallingRoom & Listening<SignalEvents>>, roomId: Id): readonly Id[];
