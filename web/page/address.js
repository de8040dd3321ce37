// @ts-check
/**
 * Which room is open stands in the page's address, as `#/room`, and each room that is opened is an entry of the browser's
 * history. `#/room/42` leads to a message.
 */

/** @typedef {{ room: string, id?: number, isToCome?: boolean }} Place An empty room is the list. */
/** What the page does about it. @typedef {{ isNarrow(): boolean, go(place: Place): void }} Page */

/** @param {Place} place */
export function addressOf({ room, id }) {
  return `#/${encodeURIComponent(room)}${id === undefined ? "" : `/${id}`}`;
}

/** The place that an address names, if it names one. @param {string} hash @returns {Place | null} */
export function placeOf(hash) {
  if (hash.startsWith("#/")) {
    const [room, id, ...more] = hash.slice(2).split("/");
    const number = Number(id);
    try {
      return more.length > 0 ? null : { room: decodeURIComponent(room), ...(isId(number) && { id: number }) };
    } catch {
      return null; // a per cent sign that escapes nothing
    }
  }
  // As the service worker writes it.
  const said = new URLSearchParams(hash.slice(1));
  const [room, id] = [said.get("room"), Number(said.get("message"))];
  return room && isId(id) ? { room, id } : null;
}

/** @param {number} id */
function isId(id) {
  return Number.isSafeInteger(id) && id > 0;
}

export class Address {
  #page;
  /** Where the page is, as it knows. */
  #room = "";

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    window.addEventListener("popstate", ({ state }) => {
      const place = placeOf(location.hash) ?? (state && { room: String(state.room ?? "") });
      // Somebody typed what is no place.
      if (!place) return;
      this.#room = place.room;
      this.#page.go(place);
    });
  }

  /** What the address asks for, when somebody comes in. */
  get asked() {
    return placeOf(location.hash);
  }

  /** Somebody came in and sees a room: in a narrow window, the list is one step back. @param {string} room */
  begin(room) {
    this.#room = room;
    const was = history.state?.room;
    // A reload finds the entries as they were.
    if (!room || was || !this.#page.isNarrow()) return this.#replace(room, history.state?.isOverList);
    const address = withoutMessage(room);
    if (was === undefined) this.#replace("", false, addressOf({ room: "" }));
    history.pushState({ room, isOverList: true }, "", address);
  }

  /** Somebody chose a room. @param {string} room */
  push(room) {
    if (room === this.#room) return;
    const isOverList = this.#room === "";
    this.#room = room;
    history.pushState({ room, isOverList }, "", addressOf({ room }));
  }

  /** The room changed by itself, or the address has done its work. @param {string} room */
  replace(room) {
    if (room === this.#room) return this.#replace(room, history.state?.isOverList);
    this.#room = room;
    this.#replace(room, false, addressOf({ room }));
  }

  /** Back to the list. False if that is no step back. */
  back() {
    if (!history.state?.isOverList) return false;
    history.back();
    return true;
  }

  /** Somebody signed out. */
  clear() {
    this.#room = "";
    history.replaceState(null, "", plain());
  }

  /** @param {string} room @param {boolean} [isOverList] @param {string} [address] */
  #replace(room, isOverList = false, address = withoutMessage(room)) {
    history.replaceState({ room, isOverList }, "", address);
  }
}

/** The address without the message, to which one is led once: a reload is to show what was open then. @param {string} room */
function withoutMessage(room) {
  return placeOf(location.hash)?.room === room && location.hash.startsWith("#/") ? addressOf({ room }) : plain();
}

function plain() {
  return location.pathname + location.search;
}
