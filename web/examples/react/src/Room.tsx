import type { Id } from "serverless-chat-client";
import { useMessages, useOnline, useRoom, useTyping } from "serverless-chat-client/react";
import type { Client } from "./main.tsx";

export function Room({ client, id }: { client: Client; id: Id }) {
  const { room, entered, error, join } = useRoom(client, id);
  return (
    <main>
      <People client={client} id={id} />
      {error && (
        <p role="alert">
          {error.message} {entered || <button onClick={join}>Try again</button>}
        </p>
      )}
      <Messages client={client} id={id} />
      <form
        action={(form) => {
          // A failure comes as the room's `error`, too.
          room.send(String(form.get("text"))).catch(() => {});
        }}
      >
        <input name="text" aria-label="Message" required autoComplete="off" onInput={() => room.typing()} />
        <button>Send</button>
      </form>
    </main>
  );
}

function People({ client, id }: { client: Client; id: Id }) {
  const { online, onlineCount } = useOnline(client, id);
  const typing = useTyping(client, id);
  const nameOf = (user: Id) => online.get(user)?.nickName ?? `User ${user}`;
  return (
    <p>
      {onlineCount} here{typing.length > 0 && `, ${typing.map(nameOf).join(" and ")} typing`}
    </p>
  );
}

function Messages({ client, id }: { client: Client; id: Id }) {
  const { messages, hasOlder, isLoading, loadOlder } = useMessages(client, id);
  return (
    <>
      {hasOlder && (
        <button onClick={loadOlder} disabled={isLoading}>
          Older
        </button>
      )}
      <ol>
        {messages.map((message) => (
          <li key={message.id}>
            <b>{message.sender.nickName}</b> {message.deleted ? <i>recalled</i> : message.content}
          </li>
        ))}
      </ol>
    </>
  );
}
