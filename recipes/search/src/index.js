import { messageOf } from "./message.js";
import { Store } from "./store.js";

/** @type {Store | undefined} */ let opened;
const store = () => (opened ??= new Store(String(process.env.INDEX_FILE)));

/**
 * Takes a batch of events out of the queue, or answers a search that the door has let in. It can reach the file and nothing
 * else. The queue hands out one batch at a time, so nobody else writes meanwhile.
 * @param {{ Records?: { body: string }[], search?: Parameters<Store["search"]>[0] }} event
 */
export async function handler(event) {
  const now = Math.floor(Date.now() / 1000);
  if (event.search) return store().search(event.search, now);
  const messages = (event.Records ?? []).map(({ body }) => messageOf(JSON.parse(body)));
  store().apply(messages.filter((message) => message !== undefined), now);
  return undefined;
}
