/** How long the chat is waited for (ms): as long as API Gateway waits for its function, and a little less than for this one. */
const patienceMs = 10_000;
const wordsMax = 200;
const limitMax = 50;

/**
 * @typedef {{ headers?: Record<string, string | undefined>, queryStringParameters?: Record<string, string | undefined> }} HttpEvent
 * @typedef {{ room: string, words: string, before?: number, limit: number }} Search
 */

/**
 * Answers `GET /search?chatroomId=…&words=…[&before=…][&limit=…]`, for whom the chat lets read the room.
 *
 * Whether it does, the chat itself is asked, with the caller's own token: for one message of the room's history. So tokens,
 * kept rooms, bars and revocations are looked at where their rules stand, and here is no copy of them.
 * @param {{ historyUrl: string, search: (search: Search) => Promise<unknown> }} parts
 */
export function door({ historyUrl, search }) {
  return async (/** @type {HttpEvent} */ event) => {
    const { chatroomId, words, before, limit } = event.queryStringParameters ?? {};
    const authorization = event.headers?.authorization;
    if (!authorization) return answer(401, { message: "Unauthorized" });
    if (!chatroomId || !words || words.length > wordsMax) return refuse(`chatroomId and words are required; words have ${wordsMax} characters at most`);
    const [from, most] = [number(before, 1, Number.MAX_SAFE_INTEGER), number(limit, 1, limitMax)];
    if (Number.isNaN(from) || Number.isNaN(most)) return refuse(`before must be an id, and limit a number from 1 to ${limitMax}`);

    // The very room that is looked in: one text for both.
    const asked = `${historyUrl}/chat-history/list?chatroomId=${encodeURIComponent(chatroomId)}&limit=1`;
    const admitted = await fetch(asked, { headers: { authorization }, signal: AbortSignal.timeout(patienceMs), redirect: "error" });
    if (admitted.status !== 200) return answer(admitted.status, await admitted.text());
    return answer(200, await search({ room: `ROOM#${chatroomId}`, words, before: from, limit: most ?? 20 }));
  };
}

/** @param {string | undefined} text @param {number} least @param {number} most @returns {number | undefined} NaN if it is none */
function number(text, least, most) {
  if (text === undefined) return undefined;
  const value = /^\d+$/u.test(text) ? Number(text) : NaN;
  return value >= least && value <= most ? value : NaN;
}

const refuse = (/** @type {string} */ message) => answer(400, { message });

/** @param {number} statusCode @param {unknown} body a text is JSON already */
function answer(statusCode, body) {
  // No cache may keep what was said.
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { statusCode, headers, body: typeof body === "string" ? body : JSON.stringify(body) };
}
