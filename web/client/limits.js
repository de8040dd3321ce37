// @ts-check
/** Numbers of the client, each with its reason. */

/** API Gateway cuts a connection that is silent for 10 minutes. */
export const PING_INTERVAL_MS = 5 * 60_000;
/** API Gateway cuts every connection after 2 hours. */
export const LIFETIME_MS = 2 * 3_600_000;
/** Longer than any function may take. */
export const TIMEOUT_MS = 15_000;
/** The time-out of `send-message`: an id that is older than this is stored by now, or never will be. */
export const FINAL_AFTER_MS = 10_000;
/** Pushes may overtake each other by this much. If every member asked at once, each would cost a request. */
export const OVERTAKING_MS = 300;
/** When a room goes over into rounds, its first frame is pushed beside what the senders still push: to thousands, for seconds. */
export const ENTERING_ROUNDS_MS = 2_000;
export const RECONNECT_MAX_MS = 30_000;
/** The longest wait that the server may ask for. A longer one is a mistake, and would look like a permanent failure. */
export const RETRY_AFTER_MAX_MS = 5 * 60_000;
/** `setTimeout` fires at once if it is given more. */
export const TIMER_MAX_MS = 2 ** 31 - 1;
export const REPEAT_MAX_MS = 4_000;
/** A connection that lived this long was good: the next one starts without a long wait, even on a train. */
export const STABLE_MS = 3_000;
/** The server knows a `clientMessageId` for 24 hours; after that a retry would be a second message. */
export const RETRY_WINDOW_MS = 23 * 3_600_000;
/** The server's limit, in characters. A frame over 32 KB would not be answered: API Gateway closes the connection. */
export const CONTENT_MAX = 4_000;
/** A little less than API Gateway's 32 KB: the request's id comes on top. */
export const FRAME_BYTES_MAX = 32_000;
/** The server's limit for whom a message mentions. */
export const MENTIONS_MAX = 20;
/** The server's limit for the id of a room. */
export const ID_BYTES_MAX = 255;
/** After so many failures of the server, a send is given up: the sends behind it must not wait for ever. */
export const SEND_TRIES = 6;
/** The most messages and changes of a room that wait to be sent. */
export const OUTBOX_MAX = 100;
/** The most messages that wait for one before them. Later ones are fetched when it is their turn. */
export const HELD_MAX = 1_000;
/** How many users' last join or leave is remembered. */
export const PRESENT_MAX = 1_000;
/** The server's largest page. */
export const PAGE_MAX = 100;
/** The fields that an answer must have, by action. @type {Record<string, string>} */
export const TOLD = { joinRoom: "lastId", sendMessage: "id" };
/** The server's limit for what an application adds to a message or a signal, as JSON. */
export const DATA_BYTES_MAX = 1_024;
/** The history's numbers for kinds. */
export const KINDS = /** @type {const} */ (["text", "image", "file"]);

/** Refusals of the server that end after a while. */
export const RETRYABLE = ["internal", "rateLimited", "tooManyConnections"];
/** After so many changes nobody asks for each one: the application reads its pages again. */
export const BEHIND_MAX = 1_000;
/** Of how many messages the newest state is remembered. */
export const LATEST_MAX = 1_000;
/** The server's limit for a reaction. */
export const EMOJI_BYTES_MAX = 64;
/** What is read again for its reactions after an absence: the page that `history` gives first. */
export const NEWEST_PAGE = 50;
/** A mark of what was read goes so often at the most: the last one says all. */
export const MARK_MS = 3_000;
/** An upload of which nothing moved for so long is given up: the network is gone, and TCP would take many minutes to say so. */
export const STALLED_MS = 60_000;
/** The server's limit for how long a mute or a ban lasts: a year. */
export const BARRED_MAX_MS = 31_536_000_000;
/** Typing is told so often at the most: it costs as much as a message. */
export const TYPING_MS = 10_000;
/** And it is believed a little longer, so that it does not flicker. */
export const TYPING_SHOWN_MS = 12_000;
