// @ts-check
import { LATEST_MAX } from "./limits.js";

/**
 * Remembers what is newest of a message, for the latest thousand. Of what must go, first goes what was given out.
 * @template T @param {Map<number, T>} all @param {number} id @param {T} state @param {number} solid
 */
export function remember(all, id, state, solid) {
  all.delete(id);
  all.set(id, state);
  if (all.size <= LATEST_MAX) return;
  const ids = [...all.keys()];
  all.delete(ids.find((known) => known <= solid) ?? ids[0]);
}
