// @ts-check
/** How large the client is beside others. */
import assert from "node:assert/strict";
import { before, it } from "node:test";
import { ALL_MAX, CORE_MAX, sizeOfHooks, sizes, tableInDocument, tableOf } from "./sizes.js";

/** What the hooks of a framework may add: minified and gzipped, in bytes. */
const HOOKS_MAX = 1_536;

/** @type {Awaited<ReturnType<typeof sizes>>} */ let measured;
before(async () => void (measured = await sizes()));

it("is as small as it is said to be, and no other one is smaller", (test) => {
  for (const { what, versions, size } of measured) test.diagnostic(`${what} ${versions}: ${size} bytes`);
  const [core, all, ...others] = measured;
  assert.ok(core.isOurs && core.size <= CORE_MAX, `${core.size} bytes`);
  assert.ok(all.isOurs && all.size <= ALL_MAX, `${all.size} bytes`);
  for (const { what, size } of others) assert.ok(size > core.size, `${what}: ${size} bytes`);
});

it("has the table in its document, as it is measured", async () => {
  assert.equal(await tableInDocument(), tableOf(measured), "npm run sizes writes it");
});

for (const framework of /** @type {const} */ (["react", "vue"])) {
  it(`adds ${HOOKS_MAX} bytes at most for ${framework}`, async (test) => {
    const size = await sizeOfHooks(framework);
    test.diagnostic(`${framework}: ${size} bytes`);
    assert.ok(size <= HOOKS_MAX, `${size} bytes`);
  });
}
