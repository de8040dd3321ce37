// @ts-check
/** Takes what is not sent to the device, and gives it to the rooms when they are there again. */
import { Device } from "./device.js";
import { isKept } from "./way.js";

/** @import { Id } from "../chat-client.js" */
/** @import { Draft, Unsent } from "./device.js" */
/** @import { RoomView } from "./room-view.js" */
/**
 * What the page does for it.
 * @typedef {object} Page
 * @property {() => Iterable<string>} rooms The ids of the rooms that are there.
 * @property {(id: string, draft: Draft) => void} draft Something was begun to be written.
 * @property {(id: string, unsent: Unsent[]) => void} resume Something was not sent.
 * @property {(id: string) => void} add A room is needed that is not there.
 */

export class Keeping {
  #page;
  /** As soon as the token has said who it is. @type {Promise<Device> | null} */ #device = null;
  /** What was kept, and no room has taken yet. @type {Map<string, Draft>} */ #drafts = new Map();
  /** @type {Unsent[]} */ #unsent = [];

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
  }

  /** Somebody comes in. @param {string} server @param {Promise<Id | undefined>} user Nothing is kept for nobody. */
  begin(server, user) {
    const device = user.then(async (user) => {
      const made = new Device(server, user);
      const { drafts, unsent } = await made.read();
      if (this.#device !== device) return made;
      [this.#drafts, this.#unsent] = [drafts, unsent];
      for (const id of this.#page.rooms()) this.restore(id);
      // One that was not on the list of this window; kept rooms come with the server's list.
      for (const { room } of [...this.#unsent]) if (!isKept(room)) this.#page.add(room);
      return made;
    });
    this.#device = device;
  }

  /** Nobody is in any more. Returns a way to forget what was kept for who was. */
  end() {
    const device = this.#device;
    this.#device = null;
    this.#drafts = new Map();
    this.#unsent = [];
    return async () => (await device)?.clear();
  }

  /** @param {RoomView} view */
  watch(view) {
    view.addEventListener("unsent", (event) => this.#tell((device) => device.keepUnsent(/** @type {CustomEvent} */ (event).detail)));
    view.addEventListener("settled", (event) => this.#tell((device) => device.forgetUnsent(/** @type {CustomEvent} */ (event).detail)));
  }

  /** @param {string} id @param {Draft} draft */
  draft(id, draft) {
    this.#tell((device) => device.keepDraft(id, draft));
  }

  /** Gives a room what was kept of it. @param {string} id */
  restore(id) {
    const draft = this.#drafts.get(id);
    const unsent = this.#unsent.filter(({ room }) => room === id);
    this.#drafts.delete(id);
    this.#unsent = this.#unsent.filter(({ room }) => room !== id);
    if (draft) this.#page.draft(id, draft);
    if (unsent.length > 0) this.#page.resume(id, unsent);
  }

  /** @param {(device: Device) => unknown} what */
  #tell(what) {
    void this.#device?.then(what);
  }
}
