// @ts-check
/**
 * What the page connects to: the local run that serves it, or a deployment, by `?ws=wss://…&http=https://…`. And where its
 * tokens come from. With `&push=https://…` they go there as well. With `&issuer=https://…&client=…` an identity provider gives them.
 */
import { urlOf } from "./dom.js";

/** @import { Id, Profile } from "../chat-client.js" */
/** @typedef {{ userId: string, name: string, picture?: string, moderates?: boolean }} Identity */
/** @typedef {{ url: string, historyUrl: string, hosts: string, lifetimeMs?: number, token(given: string): Promise<string> }} Way */

const HISTORY = "chat-history/list";

/** The first address of the query that is missing or has a wrong protocol; null if all are right. @param {URLSearchParams} query */
export function badAddress(query) {
  const wanted = { ws: ["wss:", "ws:"], http: ["https:", "http:"] };
  for (const [name, protocols] of Object.entries(wanted)) {
    const given = query.get(name);
    const isMissing = given === null && [...query.keys()].some((key) => key in wanted);
    if (isMissing || (given !== null && !urlOf(given, protocols))) return { name, protocols: protocols.join(" ") };
  }
  const push = query.get("push");
  if (push !== null && !urlOf(push, wanted.http)) return { name: "push", protocols: wanted.http.join(" ") };
  const issuer = query.get("issuer");
  if (issuer === null) return null;
  if (!urlOf(issuer, wanted.http)) return { name: "issuer", protocols: wanted.http.join(" ") };
  return ["ws", "client"].filter((name) => !query.get(name)).map((name) => ({ name, protocols: "" }))[0] ?? null;
}

/** @param {URLSearchParams} query @returns {Way | null} */
export function deployment(query) {
  const [ws, http] = [query.get("ws"), query.get("http")];
  if (!ws || !http) return null;
  const historyUrl = new URL(HISTORY, http.endsWith("/") ? http : `${http}/`).href;
  const hosts = [...new Set([ws, http, query.get("push") ?? http].map((url) => new URL(url).host))].join(", ");
  return { url: ws, historyUrl, hosts, token: async (given) => given };
}

/** For the local run that serves the page: it signs a token for whoever asks. @param {Identity} identity @returns {Promise<Way>} */
export async function localRun({ userId, name, picture, moderates }) {
  const { webSocketPath, connectionLifetimeMs } = await (await fetch("/local/endpoints")).json();
  const claims = { userId: toId(userId), username: name, nickName: name, headPic: picture, rooms: ["*", "@mine"], ...(moderates && { moderates: "*" }) };
  const headers = { "Content-Type": "application/json" };
  return {
    url: new URL(webSocketPath, location.origin.replace(/^http/, "ws")).href,
    historyUrl: new URL(HISTORY, location.origin).href,
    hosts: location.host,
    lifetimeMs: connectionLifetimeMs,
    async token() {
      const response = await fetch("/local/token", { method: "POST", headers, body: JSON.stringify(claims) });
      const answer = await response.json().catch(() => ({}));
      if (!response.ok) {
        const code = response.status < 500 ? "identity" : "token";
        throw Object.assign(new Error(answer.message ?? `no token: the server answered ${response.status}`), { code });
      }
      return answer.token;
    },
  };
}

/** How the user of a token is shown, as far as the token says it. @param {string} token @returns {Partial<Profile>} */
export function shownBy(token) {
  const claims = claimsOf(token) ?? {};
  // The names of OpenID Connect, and Cognito's own, in the order of the server.
  const username = claims.username ?? claims.preferred_username ?? claims["cognito:username"];
  return { nickName: claims.nickName ?? claims.name ?? claims.nickname, username, headPic: claims.headPic ?? claims.picture };
}

/** Whether a room is one that the server keeps for its members: nobody else can make one of this name. @param {string} id */
export function isKept(id) {
  return /^[gp]-[\w-]{22}$/.test(id);
}

/** Whether a token may open kept rooms. Where it names no rooms, the deployment decides. @param {string} token */
export function mayKeepRooms(token) {
  const { rooms = "@mine" } = claimsOf(token) ?? { rooms: [] };
  return [rooms].flat().includes("@mine");
}

/** Which rooms the user of a token moderates. The server decides; this is for what the page offers. @param {string} token @returns {(id: Id) => boolean} */
export function moderatedBy(token) {
  const rooms = [claimsOf(token)?.moderates ?? []].flat().map(String);
  return (id) => rooms.includes("*") || rooms.includes(String(id));
}

/** Null if it makes no sense. @param {string} token @returns {Record<string, any> | null} */
export function claimsOf(token) {
  try {
    const payload = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(payload, (char) => char.charCodeAt(0))));
  } catch {
    return null;
  }
}

/** The server's rule: a string of digits that a number holds exactly is that number. @param {string} text @returns {Id} */
export function toId(text) {
  return /^(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
}
