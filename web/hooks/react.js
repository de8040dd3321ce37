// @ts-check
/** Hooks for React: a room is entered while a component that uses it is mounted, once for all of them. */
import { useMemo, useSyncExternalStore } from "react";
import { sharedRoom } from "./shared-room.js";

/** @import { ChatRoom, Id, Listening, OnlineEvents, OnlineRoom, SignalEvents, SignallingRoom } from "serverless-chat-client" */
/** @import { ClientOf, Part } from "./shared-room.js" */

/**
 * `const { room, entered, error } = useRoom(client, 1)`. Whoever was refused, or taken out, asks again with `join`.
 * @template {ChatRoom} R
 * @param {ClientOf<R>} client One for the whole application, made outside of components.
 * @param {Id} roomId
 */
export function useRoom(client, roomId) {
  const shared = sharedRoom(client, roomId);
  const state = usePart(shared.state);
  return useMemo(() => ({ ...state, room: client.room(roomId), join: shared.join }), [client, roomId, shared, state]);
}

/**
 * What was said, oldest first: the newest page, what comes, and with `loadOlder` what was before. With the features
 * `Changes` and `Reactions` each message is as it is now.
 * @param {ClientOf} client @param {Id} roomId
 */
export function useMessages(client, roomId) {
  const shared = sharedRoom(client, roomId);
  const state = usePart(shared.messages);
  return useMemo(() => ({ ...state, loadOlder: shared.loadOlder }), [shared, state]);
}

/** Who is here; for clients with the feature `Online`. @param {ClientOf<ChatRoom & OnlineRoom & Listening<OnlineEvents>>} client @param {Id} roomId */
export function useOnline(client, roomId) {
  return usePart(sharedRoom(client, roomId).online);
}

/** The ids of those who type now; for clients with the feature `Signals`. @param {ClientOf<ChatRoom & SignallingRoom & Listening<SignalEvents>>} client @param {Id} roomId */
export function useTyping(client, roomId) {
  return usePart(sharedRoom(client, roomId).typing);
}

/** @template T @param {Part<T>} part */
function usePart({ subscribe, get, getEmpty }) {
  return useSyncExternalStore(subscribe, get, getEmpty);
}
