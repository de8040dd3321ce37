// @ts-check
/** The members of a kept room: who is in, who is here, and whom its owner may take out. */
import { create } from "./dom.js";
import { label, say } from "./words.js";

/** @import { Id, KeptInfo } from "../chat-client.js" */
/** @import { Room } from "./room-view.js" */

/**
 * @param {KeptInfo} info @param {Room} room @param {(id: Id) => boolean} isMe
 * @param {(id: Id) => void} takeOut
 */
export function memberLines({ users, owner }, room, isMe, takeOut) {
  const isOwner = owner !== undefined && isMe(owner);
  const here = new Set([...room.online.keys()].map(String));
  return users.map(({ id, nickName, username }) => {
    const name = nickName || username || String(id);
    const shown = create("span", "name", name);
    shown.dir = "auto";
    const line = create("li", "member", shown);
    if (owner !== undefined && String(owner) === String(id)) line.append(" ", word("owner"));
    if (here.has(String(id))) line.append(" ", word("hereNow"));
    if (isOwner && !isMe(id)) {
      const button = create("button", "");
      button.type = "button";
      say(button, "takeOut");
      label(button, "takeOutWho", { name });
      button.addEventListener("click", () => takeOut(id));
      line.append(" ", button);
    }
    return line;
  });
}

/** @param {string} what */
function word(what) {
  const made = create("small", "");
  say(made, what);
  return made;
}
