/**
 * How texts are cut into words, when they are indexed and when they are looked for.
 *
 * SQLite cuts at what is neither a letter nor a digit, and takes capitals and accents off. Scripts without blanks between
 * words are cut into characters here, and what is looked for must stand there one after the other: so 会议 is found in
 * 明天的会议 whatever the words are, and no dictionary is needed.
 */
const withoutBlanks = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fc\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/gu;

/** A text as it is indexed. @param {string} text */
export function cut(text) {
  return text.normalize("NFKC").replace(withoutBlanks, " $& ");
}

/**
 * What somebody typed as a query of FTS5: all of it must be there, in any order; a word that ends with * may go on.
 * Nothing for what has no word in it. Whatever is typed stands between quotes, so it is never an operator.
 * @param {string} typed
 */
export function query(typed) {
  const terms = typed.normalize("NFKC").split(/\s+/u);
  const phrases = terms.filter((term) => /[\p{L}\p{N}]/u.test(term)).map((term) => `"${cut(term.replace(/["\0]/gu, " "))}"${term.endsWith("*") ? " *" : ""}`);
  return phrases.join(" AND ");
}
