// @ts-check
/**
 * Which room is open stands in the page's address, as `#/room`, and each room that is opened is an entry of the browser's
 * history. `#/room/42` leads to a message.
 */

/** @typedef {{ room: string, id?: number, isToCome?: boolean }} Place An empty room is the list. */
/**
 * What an identity provider sent back, and what was kept for it in this tab. An answer to another tab is foreign; it is lost
 * where the address does not say which chat it is.
 * @typedef {{ answer?: { code: string | null, error: string | null, description: string | null, iss: string | null, nonce: string, verifier: string }, isLost?: boolean, isForeign?: boolean }} Returned
 */
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

/** What is kept in this tab while the user is at the identity provider. */
export const TRIP = "signing-in";
/** All that a provider may put into the address. */
const ANSWER = ["state", "code", "error", "error_description", "error_uri", "iss", "session_state"];

/**
 * Whoever comes back from the identity provider finds the address that was left. The code and the state leave it at once, and
 * so they are in no link that is copied and in no list of visited pages.
 * @returns {Returned}
 */
export function comeBack() {
  const query = new URLSearchParams(location.search);
  const [state, code, error, description, iss] = ["state", "code", "error", "error_description", "iss"].map((name) => query.get(name));
  const isAnswer = state !== null && (code !== null || error !== null);
  const trip = JSON.parse(sessionStorage.getItem(TRIP) ?? "null");
  if (!isAnswer && !(trip?.isOut && !location.search)) return {};
  sessionStorage.removeItem(TRIP);
  for (const name of ANSWER) query.delete(name);
  const rest = query.size > 0 ? `?${query}` : "";
  history.replaceState(null, "", location.pathname + (trip?.search ?? rest) + (trip?.hash ?? location.hash));
  if (!isAnswer) return {};
  const { nonce, verifier } = trip ?? {};
  if (trip?.state === state) return { answer: { code, error, description, iss, nonce, verifier } };
  return { isForeign: true, isLost: !trip && !rest };
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
