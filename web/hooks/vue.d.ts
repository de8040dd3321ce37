import type { ChatRoom, Id, Listening, OnlineEvents, OnlineRoom, SignalEvents, SignallingRoom } from "serverless-chat-client";
import type { MaybeRefOrGetter } from "vue";
import type { ClientOf } from "./shared-room.js";
/** @import { ChatRoom, Id, Listening, OnlineEvents, OnlineRoom, SignalEvents, SignallingRoom } from "serverless-chat-client" */
/** @import { MaybeRefOrGetter } from "vue" */
/** @import { ClientOf, Part, SharedRoom } from "./shared-room.js" */
/**
 * `const { room, entered, error } = useRoom(client, 1)`, each a ref. Whoever was refused, or taken out, asks again with `join`.
 * @template {ChatRoom} R
 * @param {ClientOf<R>} client One for the whole application.
 * @param {MaybeRefOrGetter<Id>} roomId May change.
 */
export declare function useRoom<R extends ChatRoom>(client: ClientOf<R>, roomId: MaybeRefOrGetter<Id>): {
    room: import("vue").ComputedRef<R>;
    entered: import("vue").ComputedRef<boolean>;
    error: import("vue").ComputedRef<import("serverless-chat-client").ChatError | null>;
    join: () => void;
};
/**
 * What was said, oldest first: the newest page, what comes, and with `loadOlder` what was before. With the features
 * `Changes` and `Reactions` each message is as it is now.
 * @param {ClientOf} client @param {MaybeRefOrGetter<Id>} roomId
 */
export declare function useMessages(client: ClientOf, roomId: MaybeRefOrGetter<Id>): {
    messages: import("vue").ComputedRef<readonly import("serverless-chat-client").Message[]>;
    hasOlder: import("vue").ComputedRef<boolean>;
    isLoading: import("vue").ComputedRef<boolean>;
    loadOlder: () => Promise<void>;
};
/** Who is here; for clients with the feature `Online`. @param {ClientOf<ChatRoom & OnlineRoom & Listening<OnlineEvents>>} client @param {MaybeRefOrGetter<Id>} roomId */
export declare function useOnline(client: ClientOf<ChatRoom & OnlineRoom & Listening<OnlineEvents>>, roomId: MaybeRefOrGetter<Id>): {
    online: import("vue").ComputedRef<ReadonlyMap<Id, import("serverless-chat-client").Profile | null>>;
    onlineCount: import("vue").ComputedRef<number>;
    onlineMore: import("vue").ComputedRef<boolean>;
};
/** The ids of those who type now; for clients with the feature `Signals`. @param {ClientOf<ChatRoom & SignallingRoom & Listening<SignalEvents>>} client @param {MaybeRefOrGetter<Id>} roomId */
export declare function useTyping(client: ClientOf<ChatRoom & SignallingRoom & Listening<SignalEvents>>, roomId: MaybeRefOrGetter<Id>): import("vue").ComputedRef<readonly Id[]>;
