// Components that use the hooks, in a window that a test tells what to show.
import { StrictMode, startTransition, useLayoutEffect, useState, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { ChatClient, Changes, Moderation, Online, Reactions, Rounds, Signals } from "serverless-chat-client";
import { useMessages, useOnline, useRoom, useTyping } from "serverless-chat-client/react";

const { url, historyUrl, token } = (window as any).chat;
const client = new ChatClient({ url, historyUrl, getToken: () => token, features: [Changes, Moderation, Online, Reactions, Rounds, Signals] });
/** What a test reads, and does. */
const seen = { client, renders: 0, during: [] as number[], torn: [] as number[][], told: 0, show };
(window as any).seen = seen;

function Log({ id = 1, name = "log" }: { id?: number | string; name?: string }) {
  const { room } = useRoom(client, id);
  const { messages, hasOlder, isLoading, loadOlder } = useMessages(client, id);
  seen.renders++;
  return <section aria-label={name}>
    <ol aria-busy={isLoading}>{messages.map((message) => <li key={message.id}>{message.deleted ? "recalled" : message.content}{Object.keys(message.reactions ?? {})}</li>)}</ol>
    {hasOlder && <button onClick={loadOlder}>Older</button>}
    <button onClick={() => room.send("from here")}>Send</button>
  </section>;
}

function State({ id = 1 }: { id?: number }) {
  const { entered, error, join } = useRoom(client, id);
  return <><output>{entered ? "in" : error ? error.code : "entering"}</output><button onClick={join}>Join</button></>;
}

function People() {
  const { online, onlineCount } = useOnline(client, 1);
  return <p>{`${onlineCount} here: ${[...online.keys()].join()}`}</p>;
}

function Typing() {
  return <p>typing: {useTyping(client, 1).join()}</p>;
}

/** Takes so long that a browser breaks the rendering up, and what comes meanwhile is heard. */
function Reader() {
  const { messages } = useMessages(client, 1);
  seen.during.push(messages.length);
  for (const end = performance.now() + 8; performance.now() < end; );
  return <i>{messages.length}</i>;
}

function Readers() {
  const [isOpen, open] = useState(false);
  useLayoutEffect(() => {
    if (!isOpen) return;
    seen.torn.push([...document.querySelectorAll("i")].map(({ textContent }) => Number(textContent)));
  });
  return <>
    <Log />
    <button onClick={() => startTransition(() => open(true))}>Open</button>
    {isOpen && Array.from({ length: 60 }, (_, at) => <Reader key={at} />)}
  </>;
}

const trees: Record<string, ReactNode> = {
  nothing: null,
  log: <Log />,
  two: <><Log name="first" /><Log name="second" /></>,
  "other room": <Log id="elsewhere" />,
  "other screen": <main><Log name="there" /></main>,
  state: <State />,
  people: <People />,
  typing: <Typing />,
  "typing, and a log": <><Typing /><Log /></>,
  readers: <Readers />,
};
const root = createRoot(document.body.appendChild(document.createElement("div")));

function show(name: string) {
  root.render(<StrictMode>{trees[name]}</StrictMode>);
}
