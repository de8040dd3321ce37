// @ts-check
/** What template.yaml sets, and local.js. */
import { store } from "./store.js";

/** @param {string} name */
export function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export function tables() {
  const [chat, connections, subscriptions] = ["CHAT_TABLE", "CONNECTIONS_TABLE", "SUBSCRIPTIONS_TABLE"].map((name) => process.env[name] ?? "");
  return store({ chat, connections, subscriptions });
}
