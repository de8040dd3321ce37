// @ts-check
import { ChatError, badFrame, chatError } from "./errors.js";
import { REPEAT_MAX_MS, SEND_TRIES, STALLED_MS } from "./limits.js";
import { mustBeClientMessageId } from "./messages.js";
import { backoff, newId, noop, sleep } from "./tools.js";

/** @import { ChatClient } from "./client.js" */
/** @import { ChatRoom } from "./room.js" */
/** @import { Sent, UploadOptions, UploadRoom, Timer } from "./types.js" */

/** What a browser shows as a picture, and the server lets it. */
const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/;

/** Files that go to the server's store first, and then as a message. */
export class Uploads {
  /** @type {UploadRoom} */ adds;
  #room;
  #client;

  /** @internal @param {ChatRoom} room @param {ChatClient<any>} client */
  constructor(room, client) {
    this.#room = room;
    this.#client = client;
    this.adds = {
      upload: (file, options) => room.reported(this.#upload(file, options)),
      renew: async (id) => {
        const { messages } = await room.history({ before: id + 1, limit: 1 });
        return messages.find((message) => message.id === id);
      },
    };
  }

  /** @param {File | Blob} file @param {UploadOptions} [options] @returns {Promise<Sent>} */
  async #upload(file, { onProgress = noop, signal, clientMessageId = newId(), ...extras } = {}) {
    mustBeClientMessageId(clientMessageId);
    const name = "name" in file && file.name ? file.name : "file";
    // Parameters, such as a charset, are no part of what the server takes.
    const [type] = file.type.split(";");
    const asked = { chatroomId: this.#room.id, clientMessageId, name, type, size: file.size };
    const attachment = await this.#save(asked, file, onProgress, signal).catch((error) => {
      throw Object.assign(error, { action: "createUpload" });
    });
    return this.#room.post({ type: PICTURE.test(type) ? "image" : "file", attachment }, { clientMessageId, ...extras });
  }

  /** Gives the file's key. @param {object} asked @param {Blob} file @param {(done: number) => void} onProgress @param {AbortSignal} [signal] */
  async #save(asked, file, onProgress, signal) {
    const { url, fields, attachment } = await this.#ask(asked, signal);
    await save(url, fields, file, onProgress, signal);
    return attachment;
  }

  /** Several files at once are more than the server's pace lets through at once. @param {object} asked @param {AbortSignal} [signal] */
  async #ask(asked, signal) {
    for (let attempt = 1; ; attempt++) {
      mustGoOn(signal);
      try {
        const { answer } = await this.#client.ask("../createUpload", {}, asked);
        if (!answer?.url || !answer.fields || !answer.attachment) throw badFrame("badResponse");
        return answer;
      } catch (caught) {
        const error = chatError(caught, "badResponse");
        if (!error.retryable || attempt >= SEND_TRIES) throw error;
        await sleep(backoff(attempt, REPEAT_MAX_MS));
      }
    }
  }
}

/** @param {AbortSignal} [signal] */
function mustGoOn(signal) {
  if (signal?.aborted) throw new ChatError("cancelled", "the upload was cancelled");
}

/**
 * `fetch` tells no progress, so a browser's older way is taken where there is one.
 * @param {string} url @param {Record<string, string>} fields @param {Blob} file @param {(done: number) => void} onProgress @param {AbortSignal} [signal]
 */
async function save(url, fields, file, onProgress, signal) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  // The store ignores what comes after the file.
  form.append("file", file);
  const status = await (globalThis.XMLHttpRequest ? send(url, form, onProgress, signal) : fetched(url, form, signal));
  mustGoOn(signal);
  if (status < 200 || status > 299) {
    throw new ChatError("uploadFailed", `the store answered ${status}`, { retryable: status === 0 || status >= 500 });
  }
  onProgress(1);
  mustGoOn(signal);
}

/** The status, or 0. @param {string} url @param {FormData} body @param {AbortSignal} [signal] */
async function fetched(url, body, signal) {
  return fetch(url, { method: "POST", body, signal }).then(({ status }) => status, () => 0);
}

/** @param {string} url @param {FormData} form @param {(done: number) => void} onProgress @param {AbortSignal} [signal] @returns {Promise<number>} */
function send(url, form, onProgress, signal) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    /** @type {Timer} */ let timer;
    const end = () => request.abort();
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(end, STALLED_MS);
    };
    request.upload.onprogress = ({ loaded, total }) => {
      wait();
      onProgress(loaded / total);
    };
    // However it ends; a status of 0 is none.
    request.onloadend = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve(request.status);
    };
    signal?.addEventListener("abort", end);
    request.open("POST", url);
    request.send(form);
    wait();
  });
}
