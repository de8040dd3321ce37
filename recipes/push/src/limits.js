// @ts-check
/** Every number of this recipe, with its reason. */

/** Browsers of one user that are told at once: a telephone, a computer at home, one at work, and as many again. The oldest makes place. */
export const SUBSCRIPTIONS_PER_USER_MAX = 10;
/** Days after which a subscription ends whose page did not come again. The page renews it each time that it opens. */
export const SUBSCRIPTION_DAYS = 60;
/** In characters. Real ones have about 200. */
export const ENDPOINT_CHARS_MAX = 1_024;
/** A subscription is 1.5 KB at most. In bytes. */
export const BODY_BYTES_MAX = 4_096;
/** What a push service takes at least (RFC 8030, section 7.2). In bytes, with everything that encryption adds. */
export const POST_BYTES_MAX = 4_096;
/** Of a message and of a name: more does not fit into a notification, and 400 characters of 4 bytes stay below a post's size. */
export const PREVIEW_CHARS_MAX = 160;
export const NAME_CHARS_MAX = 64;
/** How long a push service keeps a notification for a browser that is off. What is older is found by opening the chat. In seconds. */
export const KEPT_SECONDS = 24 * 3_600;
/** A push service answers in some 100 ms. In milliseconds. */
export const POST_TIMEOUT_MS = 5_000;
/** Two hundred people with ten browsers each are done in some seconds; in 200, if no push service answers. */
export const POSTS_AT_ONCE = 50;
/** A day at most is allowed (RFC 8292, section 2). In seconds. */
export const VAPID_SECONDS = 12 * 3_600;
/** Longer than a message is tried for: Lambda gives an event up after an hour, EventBridge after a day. In seconds. */
export const MARK_SECONDS = 2 * 24 * 3_600;
/** DynamoDB's own limit of a BatchGetItem. */
export const BATCH_GET_MAX = 100;
/** A row is written by one at a time: two browsers of a user who come at once try again. */
export const WRITE_TRIES = 5;
