// @ts-check
/** Messages that change and people who are seen, on the page: by mouse, by keyboard, by touch, and read aloud. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startBrowser } from "./browser.js";
import { startLocalRun } from "./local-run.js";
import { button, enterPage, eventually, line, openMenu, pick, scan, send, texts, write } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, BrowserContextOptions, Page } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */
/** @import { Visit } from "./visitors.js" */

let rooms = 0;
const fresh = () => `living-${++rooms}`;

describe("the living page", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun(), startBrowser()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  it("shows both the same after one was offline while the other edited, recalled and reacted", async (test) => {
    const { guang, dong, complaints } = await two(test);
    for (const word of ["first", "second", "third"]) await send(guang, word);
    await eventually(() => texts(dong), ["first", "second", "third"]);
    await pick(dong, 3, "React with 🎉");
    await button(guang, 3, "🎉 1: Dong").waitFor();

    await dong.context().setOffline(true);
    await dong.getByRole("status").getByText("you are offline").waitFor();
    await pick(guang, 1, "Edit");
    await write(guang, "first, and better");
    await pick(guang, 2, "Recall");
    await pick(guang, 3, "React with 🎉");
    await pick(guang, 3, "React with 👍");
    await eventually(() => texts(guang), ["first, and better", "You recalled a message", "third"]);
    await button(guang, 3, "👍 1: You").waitFor();
    assert.deepEqual(await texts(dong), ["first", "second", "third"]);

    await dong.context().setOffline(false);
    await eventually(() => texts(dong), ["first, and better", "Guang recalled a message", "third"]);
    await button(dong, 3, "👍 1: Guang").waitFor();
    const look = (/** @type {Page} */ page) => page.locator(".log [data-id]").evaluateAll((lines) =>
      lines.map((line) => [
        line.querySelector(".edited") !== null,
        ...[...line.querySelectorAll(".reaction")].map(({ textContent }) => textContent).sort(),
      ]),
    );
    const both = [[true], [false], [false, "👍 1", "🎉 2"].sort()];
    await eventually(async () => (await look(guang)).map((line) => line.sort()), both.map((line) => [...line].sort()));
    assert.deepEqual((await look(dong)).map((line) => line.sort()), (await look(guang)).map((line) => line.sort()));

    // And both read it so afresh.
    await dong.reload();
    await eventually(() => texts(dong), ["first, and better", "Guang recalled a message", "third"]);
    assert.deepEqual(complaints().filter((line) => !line.includes("ERR_INTERNET_DISCONNECTED")), []);
  });

  it("edits in the box, and gives it up with Escape", async (test) => {
    const { guang, dong, complaints } = await two(test);
    await send(guang, "helo");
    await eventually(() => texts(dong), ["helo"]);
    const box = guang.getByRole("textbox", { name: "Message" });
    await pick(guang, 1, "Edit");
    assert.equal(await box.inputValue(), "helo");
    await guang.locator("#about").getByText("Editing: helo").waitFor();
    await box.press("Escape");
    assert.deepEqual([await box.inputValue(), await guang.locator("#about").isVisible()], ["", false]);
    await pick(guang, 1, "Edit");
    await write(guang, "hello");
    await eventually(() => texts(dong), ["hello"]);
    await dong.locator("[data-id='1'] .edited", { hasText: "edited" }).waitFor();
    await eventually(() => dong.locator("#news").textContent(), "Guang edited a message: hello");
    assert.equal(await guang.locator("#news").textContent(), "", "nobody is told of one's own doings");
    // Somebody else's message has no such choices.
    assert.deepEqual(await choices(dong, 1), ["Reply", "Copy link", "Report…"]);
    assert.deepEqual(await choices(guang, 1), ["Reply", "Copy link", "Edit", "Recall"]);
    assert.deepEqual(complaints(), []);
  });

  it("lets its author write a recalled message again, and nobody do anything else with it", async (test) => {
    const { guang, dong, complaints } = await two(test);
    await send(guang, "in haste");
    await pick(guang, 1, "Recall");
    await eventually(() => texts(dong), ["Guang recalled a message"]);
    await line(dong, 1).locator(".content").hover();
    assert.equal(await line(dong, 1).locator(".more").count(), 0);
    await line(guang, 1).getByRole("button", { name: "Write again" }).click();
    assert.equal(await guang.getByRole("textbox", { name: "Message" }).inputValue(), "in haste");
    await dong.getByLabel("Language").selectOption("中文");
    await eventually(() => texts(dong), ["Guang 撤回了一条消息"]);
    assert.deepEqual(complaints(), []);
  });

  it("brings back what could not be stored, and says why", async (test) => {
    const strict = await startLocalRun({ parameters: { EditMinutes: "off", RecallMinutes: "off" } });
    test.after(() => strict.stop());
    const { page } = await enter(test, { room: fresh(), address: strict.page });
    await send(page, "for ever");
    await pick(page, 1, "Edit");
    await write(page, "not any more");
    await page.getByRole("alert").getByText("it is too late for that").waitFor();
    await eventually(() => page.getByRole("textbox", { name: "Message" }).inputValue(), "not any more");
    assert.deepEqual(await texts(page), ["for ever"]);
    await page.getByRole("button", { name: "Cancel" }).click();
    await pick(page, 1, "Recall");
    await eventually(() => page.locator(".sending").count(), 0);
    assert.deepEqual(await texts(page), ["for ever"]);
  });

  it("quotes what a message answers, leads to it, and takes a recall along", async (test) => {
    const { guang, dong, room, complaints } = await two(test);
    await send(guang, "the question\nand more of it");
    for (let n = 0; n < 60; n++) await send(guang, `line ${n}`);
    await dong.locator("[data-id='61']").waitFor();
    await pick(dong, 1, "Reply");
    await dong.locator("#about").getByText("In reply to Guang: the question").waitFor();
    await send(dong, "the answer");
    const quote = guang.locator("[data-id='62']").getByRole("button", { name: "Guang the question" });
    await quote.waitFor();
    assert.equal(await dong.locator("#about").isVisible(), false);

    // Whoever comes later has neither of the two in the log's first page, and is led to it all the same.
    const { page: xiao } = await enter(test, { name: "Xiao", id: 3, room });
    const far = xiao.locator("[data-id='62']").getByRole("button", { name: "Guang the question" });
    await far.click();
    await eventually(() => xiao.evaluate(() => document.activeElement?.getAttribute("data-id")), "1");
    await pick(guang, 1, "Recall");
    for (const page of [guang, dong, xiao]) {
      await eventually(async () => (await page.locator("[data-quotes='1']").textContent())?.replace(/^\S+ /, ""), page === guang ? "You recalled a message" : "Guang recalled a message");
    }
    assert.deepEqual(complaints(), []);
  });

  it("is used by keyboard alone: from line to line, into the menu, and back", async (test) => {
    const { guang, dong } = await two(test);
    for (const word of ["one", "two"]) await send(guang, word);
    await dong.locator("[data-id='2']").waitFor();
    await dong.getByRole("log").focus();
    await dong.keyboard.press("Tab");
    const focused = () => dong.evaluate(() => document.activeElement?.getAttribute("data-id"));
    assert.equal(await focused(), "2");
    await dong.keyboard.press("ArrowUp");
    assert.equal(await focused(), "1");
    await dong.keyboard.press("Enter");
    const said = () => dong.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent);
    assert.equal(await said(), "React with 👍");
    await dong.keyboard.press("Escape");
    assert.equal(await focused(), "1");
    await dong.keyboard.press("Enter");
    await dong.keyboard.press("End");
    assert.equal(await said(), "Report…");
    await dong.keyboard.press("ArrowDown");
    await dong.keyboard.press("ArrowRight");
    await dong.keyboard.press("Enter");
    await button(guang, 1, "❤️ 1: Dong").waitFor();
    assert.equal(await focused(), "1");
    // The button of the reaction keeps the focus when it changes.
    await pick(guang, 1, "React with ❤️");
    const own = button(dong, 1, "❤️ 2: Guang, You");
    await own.focus();
    await dong.keyboard.press("Enter");
    await button(dong, 1, "❤️ 1: Guang").waitFor();
    await eventually(said, "❤️ 1: Guang");
    assert.equal(await button(dong, 1, "❤️ 1: Guang").getAttribute("aria-pressed"), "false");
  });

  it("is used by touch", async (test) => {
    const options = { hasTouch: true, isMobile: true, viewport: { width: 360, height: 640 } };
    const { page } = await enter(test, { room: fresh(), options });
    await send(page, "tapped");
    await page.locator("[data-id='1'] .content").tap();
    await page.getByRole("button", { name: "What to do with this message" }).tap();
    const menu = page.getByRole("menu");
    const { x, y, width, height } = /** @type {any} */ (await menu.boundingBox());
    assert.ok(x >= 0 && y >= 0 && x + width <= 360 && y + height <= 640, `${[x, y, width, height]}`);
    await menu.getByRole("menuitemcheckbox", { name: "React with 😂" }).tap();
    await button(page, 1, "😂 1: You").tap();
    await eventually(() => page.locator(".reaction").count(), 0);
    const [wide, available] = await page.locator(".log").evaluate((log) => [log.scrollWidth, log.clientWidth]);
    assert.ok(wide <= available, `${wide} pixels in ${available}`);
  });

  it("says who is here, and who is typing", async (test) => {
    const { guang, dong, room, complaints } = await two(test);
    for (const page of [guang, dong]) await page.getByRole("button", { name: "2 here" }).waitFor();
    const { page: xiao } = await enter(test, { name: "Xiao", id: 3, room });
    await guang.getByRole("button", { name: "3 here" }).click();
    await eventually(() => guang.getByRole("list", { name: "Who is here" }).getByRole("listitem").allTextContents(), ["Guang", "Dong", "Xiao"]);
    // Who came last was told nobody's name; it asks.
    await xiao.getByRole("button", { name: "3 here" }).click();
    await eventually(() => xiao.getByRole("list", { name: "Who is here" }).getByRole("listitem").allTextContents(), ["Guang", "Dong", "Xiao"]);
    await xiao.getByRole("button", { name: "3 here" }).press("Escape");
    assert.equal(await xiao.locator("#people").isVisible(), false);

    await dong.getByRole("textbox", { name: "Message" }).pressSequentially("he");
    for (const page of [guang, xiao]) await page.getByText("Dong is typing…").waitFor();
    await xiao.getByRole("textbox", { name: "Message" }).pressSequentially("me too");
    await guang.getByText("2 are typing…").waitFor();
    assert.equal(await dong.getByText("Dong is typing…").count(), 0);
    await send(dong, "hello");
    await guang.getByText("Xiao is typing…").waitFor();
    await xiao.getByRole("button", { name: "Leave" }).click();
    await guang.getByRole("button", { name: "2 here" }).waitFor();
    await eventually(() => guang.locator("#typing").textContent(), "");
    assert.deepEqual(complaints(), []);
  });

  it("says nothing of who is here in a room that is quiet", async (test) => {
    const quiet = await startLocalRun({ parameters: { NoticesUpTo: "1", SignalsUpTo: "1" } });
    test.after(() => quiet.stop());
    const room = fresh();
    const { page: guang } = await enter(test, { room, id: 1, address: quiet.page });
    const { page: dong } = await enter(test, { room, id: 2, name: "Dong", address: quiet.page });
    await send(dong, "hello");
    await guang.locator("[data-id='1']").waitFor();
    assert.equal(await dong.locator("#here").isVisible(), false);
  });

  for (const [name, options] of /** @type {[string, BrowserContextOptions][]} */ ([
    ["wide", { viewport: { width: 1_280, height: 800 } }],
    ["narrow", { viewport: { width: 360, height: 640 } }],
    ["dark", { viewport: { width: 1_280, height: 800 }, colorScheme: "dark" }],
  ])) {
    it(`has nothing that an accessibility scan finds, ${name}`, async (test) => {
      // The page's own policy would refuse axe, which is injected into the page.
      const { page } = await enter(test, { room: fresh(), options: { ...options, bypassCSP: true } });
      for (const word of ["one", "two", "three"]) await send(page, word);
      await page.locator("[data-id='3']").waitFor();
      await pick(page, 1, "React with 👍");
      await pick(page, 1, "Reply");
      await send(page, "an answer");
      await page.locator("[data-id='4'] .quote").waitFor();
      await pick(page, 2, "Recall");
      await pick(page, 3, "Edit");
      await write(page, "three, edited");
      await page.locator("[data-id='3'] .edited").waitFor();
      await page.getByRole("button", { name: "1 here" }).click();
      // The log has less place, and goes back to its end, which closes a menu.
      for (let frame = 0; frame < 3; frame++) await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
      await pick(page, 3, "Edit");
      await scan(page, "editing");
      await line(page, 1).locator(".content").hover();
      await page.getByRole("button", { name: "What to do with this message" }).click();
      await scan(page, "the menu");
    });
  }

  /** Guang, who is 1, and Dong, who is 2, in a room of their own. @param {TestContext} test */
  async function two(test) {
    const room = fresh();
    const guang = await enter(test, { name: "Guang", id: 1, room });
    const dong = await enter(test, { name: "Dong", id: 2, room });
    await guang.page.getByText("Dong joined").waitFor();
    return { room, guang: guang.page, dong: dong.page, complaints: () => [...guang.complaints, ...dong.complaints] };
  }

  /** @param {TestContext} test @param {Visit} visit */
  function enter(test, visit) {
    return enterPage(test, browser, { address: run.page, ...visit });
  }
});

/** The choices apart from reactions. @param {Page} page @param {number} id */
async function choices(page, id) {
  const menu = await openMenu(page, id);
  const found = await menu.getByRole("menuitem").allTextContents();
  await page.keyboard.press("Escape");
  return found;
}
