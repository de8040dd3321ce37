// @ts-check
/** Composables for Vue: a room is entered while a component that uses it is mounted, once for all of them. */
import { computed, shallowRef, toValue, triggerRef, watchPostEffect } from "vue";
import { sharedRoom } from "./shared-room.js";

/** @import { ChatRoom, Id, Listening, OnlineEvents, OnlineRoom, SignalEvents, SignallingRoom } from "serverless-chat-client" */
/** @import { MaybeRefOrGetter } from "vue" */
/** @import { ClientOf, Part, SharedRoom } from "./shared-room.js" */

/**
 * `const { room, entered, error } = useRoom(client, 1)`, each a ref. Whoever was refused, or taken out, asks again with `join`.
 * @template {ChatRoom} R
 * @param {ClientOf<R>} client One for the whole application.
 * @param {MaybeRefOrGetter<Id>} roomId May change.
 */
export function useRoom(client, roomId) {
  const { shared, shown } = usePart(client, roomId, ({ state }) => state);
  return {
    room: computed(() => client.room(toValue(roomId))),
    entered: computed(() => shown.value.entered),
    error: computed(() => shown.value.error),
    join: () => shared.value.join(),
  };
}

/**
 * What was said, oldest first: the newest page, what comes, and with `loadOlder` what was before. With the features
 * `Changes` and `Reactions` each message is as it is now.
 * @param {ClientOf} client @param {MaybeRefOrGetter<Id>} roomId
 */
export function useMessages(client, roomId) {
  const { shared, shown } = usePart(client, roomId, ({ messages }) => messages);
  return {
    messages: computed(() => shown.value.messages),
    hasOlder: computed(() => shown.value.hasOlder),
    isLoading: computed(() => shown.value.isLoading),
    loadOlder: () => shared.value.loadOlder(),
  };
}

/** Who is here; for clients with the feature `Online`. @param {ClientOf<ChatRoom & OnlineRoom & Listening<OnlineEvents>>} client @param {MaybeRefOrGetter<Id>} roomId */
export function useOnline(client, roomId) {
  const { shown } = usePart(client, roomId, ({ online }) => online);
  return {
    online: computed(() => shown.value.online),
    onlineCount: computed(() => shown.value.onlineCount),
    onlineMore: computed(() => shown.value.onlineMore),
  };
}

/** The ids of those who type now; for clients with the feature `Signals`. @param {ClientOf<ChatRoom & SignallingRoom & Listening<SignalEvents>>} client @param {MaybeRefOrGetter<Id>} roomId */
export function useTyping(client, roomId) {
  return usePart(client, roomId, ({ typing }) => typing).shown;
}

/** @template T @param {ClientOf} client @param {MaybeRefOrGetter<Id>} roomId @param {(shared: SharedRoom) => Part<T>} part */
function usePart(client, roomId, part) {
  const shared = computed(() => sharedRoom(client, toValue(roomId)));
  const told = shallowRef(0);
  const shown = computed(() => {
    void told.value;
    return part(shared.value).get();
  });
  // After the component is mounted, so never where a server renders it.
  watchPostEffect((onCleanup) => {
    onCleanup(part(shared.value).subscribe(() => triggerRef(told)));
    triggerRef(told);
  });
  return { shared, shown };
}
