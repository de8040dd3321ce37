// @ts-check
import { useEffect, useState } from "react";

/** @import { ChatClient, ChatError, Id, Message } from "../chat-client.js" */

/**
 * A room for as long as the component is mounted: `const { messages, send } = useRoom(client, 1)`.
 * @param {ChatClient} client One for the whole application, connected where it is created.
 * @param {Id} roomId
 */
export function useRoom(client, roomId) {
  const [messages, setMessages] = useState(/** @type {Message[]} */ ([]));
  const [error, setError] = useState(/** @type {ChatError | null} */ (null));

  useEffect(() => {
    const room = client.room(roomId);
    const unmounted = new AbortController();
    const { signal } = unmounted;
    room.addEventListener("message", ({ detail }) => setMessages((known) => [...known, detail]), { signal });
    room.addEventListener("error", ({ detail }) => setError(detail), { signal });
    const enter = async () => {
      await room.join();
      const { messages: earlier } = await room.history();
      if (!signal.aborted) setMessages((known) => [...earlier, ...known]);
    };
    enter().catch(() => {}); // the error event shows it
    return () => {
      unmounted.abort();
      setMessages([]);
      setError(null);
      void room.leave();
    };
  }, [client, roomId]);

  return { messages, error, send: (/** @type {string} */ text) => client.room(roomId).send(text) };
}
