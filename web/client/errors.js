// @ts-check
export class ChatError extends Error {
  /**
   * @param {string} code The server's (`badRequest`, `tooLarge`, `notAllowed`, `internal`, …) or one of: `connectionLost`,
   *   `offline`, `disconnected`, `refused`, `left`, `removed`, `queueFull`, `unknown`, `cancelled`, `uploadFailed`, `token`,
   *   `unreachable`, `badFrame`, `badResponse`.
   * @param {string} message
   * @param {{ retryable?: boolean, action?: string, cause?: unknown, retryAfterMs?: number }} [about]
   */
  constructor(code, message, { retryable = false, action, cause, retryAfterMs } = {}) {
    super(message, { cause });
    this.name = "ChatError";
    this.code = code;
    this.retryable = retryable;
    this.action = action;
    this.retryAfterMs = retryAfterMs;
  }
}

/** @param {unknown} caught @param {string} code */
export function chatError(caught, code) {
  if (caught instanceof ChatError) return caught;
  return new ChatError(code, caught instanceof Error ? caught.message : String(caught), { retryable: true, cause: caught });
}

export function connectionLost(/** @type {string} */ reason) {
  return new ChatError("connectionLost", reason, { retryable: true });
}

/** A mistake of the application. */
export function badRequest(/** @type {string} */ message) {
  return new ChatError("badRequest", message);
}

export function badFrame(code = "badFrame") {
  return new ChatError(code, "the server sent what makes no sense", { retryable: true });
}

/** @param {unknown} error */
export function ignoreLoss(error) {
  if (!(error instanceof ChatError && error.code === "connectionLost")) throw error;
}
