// Components that use the composables, in a window that a test tells what to show.
import { ChatClient, Changes, Moderation, Online, Reactions, Rounds, Signals } from "serverless-chat-client";
import { useMessages, useOnline, useRoom, useTyping } from "serverless-chat-client/vue";
import { createApp, defineComponent, h, reactive, ref } from "vue";

const { url, historyUrl, token } = (window as any).chat;
const client = new ChatClient({ url, historyUrl, getToken: () => token, features: [Changes, Moderation, Online, Reactions, Rounds, Signals] });
/** What a test reads, and does. */
const seen = { client, renders: 0, show };
(window as any).seen = seen;

const Log = defineComponent({
  props: { id: { type: [Number, String], default: 1 }, name: { type: String, default: "log" } },
  setup(props) {
    // As it comes out of an application's own state.
    const { proxied } = reactive({ proxied: client });
    const { room } = useRoom(proxied as typeof client, () => props.id);
    const { messages, hasOlder, isLoading, loadOlder } = useMessages(proxied as typeof client, () => props.id);
    return () => {
      seen.renders++;
      const items = messages.value.map((message) => h("li", { key: message.id }, (message.deleted ? "recalled" : message.content) + Object.keys(message.reactions ?? {})));
      return h("section", { "aria-label": props.name }, [
        h("ol", { "aria-busy": isLoading.value }, items),
        hasOlder.value ? h("button", { onClick: loadOlder }, "Older") : null,
        h("button", { onClick: () => room.value.send("from here") }, "Send"),
      ]);
    };
  },
});

const State = defineComponent(() => {
  const { entered, error, join } = useRoom(client, 1);
  return () => [h("output", entered.value ? "in" : (error.value?.code ?? "entering")), h("button", { onClick: join }, "Join")];
});

const People = defineComponent(() => {
  const { online, onlineCount } = useOnline(client, 1);
  return () => h("p", `${onlineCount.value} here: ${[...online.value.keys()].join()}`);
});

const Typing = defineComponent(() => {
  const typing = useTyping(client, 1);
  return () => h("p", `typing: ${typing.value.join()}`);
});

const trees: Record<string, () => any> = {
  nothing: () => [],
  log: () => h(Log),
  two: () => [h(Log, { name: "first" }), h(Log, { name: "second" })],
  "other room": () => h(Log, { id: "elsewhere" }),
  "other screen": () => h("main", h(Log, { name: "there" })),
  state: () => h(State),
  people: () => h(People),
  typing: () => h(Typing),
  "typing, and a log": () => [h(Typing), h(Log)],
};
const shown = ref("nothing");
createApp(() => trees[shown.value]()).mount(document.body.appendChild(document.createElement("div")));

function show(name: string) {
  shown.value = name;
}
