// Reads an AsyncAPI document by AsyncAPI's own parser. Whatever the parser says is wrong, hints included, is an error.
const { Parser } = require("@asyncapi/parser");
const { readFileSync } = require("node:fs");

async function main([file]) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"), { source: file });
  for (const { range, code, message } of diagnostics) {
    console.error(`${file}:${range.start.line + 1}: ${code}: ${message}`);
  }
  if (!document || diagnostics.length > 0) process.exit(1);
  console.log(`${file}: ${document.messages().all().length} messages`);
}

main(process.argv.slice(2));
