// The same reviewer for Node.js.

const words = (process.env.WORDS ?? "").toLowerCase().split(",").map((word) => word.trim()).filter(Boolean);

export async function handler({ Content: content }) {
  if (/https?:\/\//.test(content)) {
    return { ReviewResult: "DENY", Content: "", Attributes: { Reason: "no addresses here" } };
  }
  const starred = (word) => (words.includes(word.toLowerCase()) ? "*".repeat([...word].length) : word);
  return { ReviewResult: "ALLOW", Content: content.split(" ").map(starred).join(" "), Attributes: {} };
}
