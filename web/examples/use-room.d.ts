import type { ChatClient, ChatError, Id, Message } from "../chat-client.js";
/** @import { ChatClient, ChatError, Id, Message } from "../chat-client.js" */
/**
 * A room for as long as the component is mounted: `const { messages, send } = useRoom(client, 1)`.
 * @param {ChatClient} client One for the whole application, connected where it is created.
 * @param {Id} roomId
 */
export declare function useRoom(client: ChatClient, roomId: Id): {
    messages: Message[];
    error: ChatError | null;
    send: (/** @type {string} */ text: string) => Promise<import("../chat-client.js").Sent>;
};
