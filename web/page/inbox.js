// @ts-check
/** One's kept rooms: read from the server, in the order of what was last said, each with a first look at it. */
import { ChatError } from "../chat-client.js";
import { create } from "./dom.js";
import { sayFirstLine } from "./message.js";
import { say } from "./words.js";

/** @import { KeptClient, KeptRoom, LastMessage, Message, Profile } from "../chat-client.js" */
/** @import { RoomView } from "./room-view.js" */
/** @typedef {LastMessage & { sender?: Profile }} Last */

/** Reads the list, again if it was asked for meanwhile. @param {Pick<KeptClient, "rooms">} client @param {(listed: KeptRoom[]) => void} take */
export function inbox(client, take) {
  let isDue = false;
  /** @type {Promise<void> | null} */ let asking = null;
  async function ask() {
    try {
      while (isDue) {
        isDue = false;
        take(await client.rooms());
      }
    } catch (caught) {
      // Who may enter no kept room, or whose server keeps none, has none. The next connection asks again.
      if (!(caught instanceof ChatError)) throw caught;
    } finally {
      asking = null;
    }
  }
  return function load() {
    isDue = true;
    return (asking ??= ask());
  };
}

/** Puts items first in a list, in this order. What has the focus keeps it. @param {HTMLElement} list @param {HTMLElement[]} items */
export function putFirst(list, items) {
  const focused = document.activeElement;
  let next = list.firstElementChild;
  for (const item of items) {
    if (item === next) next = next.nextElementSibling;
    else list.insertBefore(item, next);
  }
  if (focused instanceof HTMLElement && list.contains(focused) && focused !== document.activeElement) focused.focus();
}

/** Who said what last, in one line. @param {HTMLElement} line @param {Last | undefined} last @param {RoomView} view */
export function sayLast(line, last, view) {
  if (!last) return line.replaceChildren();
  const [who, said] = [create("span", "who"), create("span", "said")];
  // The list itself names nobody.
  const name = last.sender?.nickName || last.sender?.username || view.knownName(last.senderId);
  who.dir = said.dir = "auto";
  if (view.around.isMe(last.senderId)) say(who, "you");
  else if (name && !view.kept?.isPair) who.textContent = name;
  sayFirstLine(said, /** @type {Message} */ (last), view.around);
  line.replaceChildren(...(who.textContent ? [who, ": "] : []), said);
}
