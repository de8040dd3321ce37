/**
 * What an event says of a message.
 * @typedef {{ room: string, id: number, version: number, erased: boolean, sender: string, created: number,
 *   expires: number | null, content: string, isText: boolean }} Message `sender` is JSON: an id is a number or a text.
 */

/**
 * Reads an event. Nothing for what is no message, such as a report.
 * @param {{ detail?: { row?: Record<string, Record<string, any>> } }} event @returns {Message | undefined}
 */
export function messageOf(event) {
  const row = event.detail?.row ?? {};
  const number = (/** @type {string} */ name) => (row[name] === undefined ? undefined : Number(row[name].N));
  // The keys of the row itself say which message it is.
  const [room, key] = [String(row.PK?.S), String(row.SK?.S)];
  if (!room.startsWith("ROOM#") || !key.startsWith("MSG#") || !row.senderId) return undefined;
  const erased = row.eraseTime !== undefined;
  // What is recalled or erased has no content, whatever is there.
  const isGone = erased || row.deletedAt !== undefined;
  return {
    room,
    id: Number(key.slice("MSG#".length)),
    version: number("version") ?? 0,
    erased,
    sender: JSON.stringify(row.senderId.S ?? number("senderId")),
    created: number("createTime") ?? 0,
    expires: number("expiresAt") ?? null,
    content: isGone ? "" : String(row.content?.S ?? ""),
    isText: row.kind?.S === "text",
  };
}
