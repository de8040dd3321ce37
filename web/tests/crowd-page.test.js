// @ts-check
/** The page in a crowd: a hundred messages in a frame, thousands in an hour. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { after, before, describe, it } from "node:test";
import { openWindow, startBrowser } from "./browser.js";
import { TOKEN, answer, startScriptedServer } from "./scripted-server.js";
import { comeIn, eventually, send } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, Page } from "playwright-core" */

const TYPES = /** @type {Record<string, string>} */ ({ ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" });
/** The most lines that the page keeps, and the day. */
const LINES_MAX = 600;

describe("the page in a crowd", () => {
  /** @type {Browser} */ let browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser.close());

  it("shows a frame of 100 messages at once, and one's own in it once", async (test) => {
    const { server, page, complaints } = await visit(test);
    await send(page, "mine");
    await page.locator(".message.sending").waitFor({ state: "detached" });
    for (let said = 0; said < 100; said++) server.say(1);
    const layouts = await measure(page, async () => {
      server.round(1);
      await page.locator("[data-id='101']").waitFor();
    });
    assert.ok(layouts.LayoutCount < 20, `${layouts.LayoutCount} layouts`);
    assert.deepEqual(await ids(page), numbers(1, 101));
    assert.equal(await page.locator(".mine").count(), 1);
    assert.deepEqual(complaints, []);
  });

  it("has time left where 50 messages a second are said", async (test) => {
    const { server, page, complaints } = await visit(test);
    for (let said = 0; said < LINES_MAX; said++) server.say(1);
    server.round(1);
    await page.locator(`[data-id='${LINES_MAX}']`).waitFor();
    const started = performance.now();
    const { TaskDuration } = await measure(page, async () => {
      for (let round = 0; round < 20; round++) {
        for (let said = 0; said < 12; said++) server.say(1, { content: `what somebody says in round ${round}, for the ${said}th time` });
        server.round(1, { members: 10_342 });
        const { lastId } = server.room(1);
        await page.locator(`[data-id='${lastId}']`).waitFor();
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, started + (round + 1) * 250 - performance.now())));
      }
    });
    const busy = (TaskDuration * 1_000) / (performance.now() - started);
    test.diagnostic(`the main thread is busy for ${Math.round(busy * 100)} % of the time`);
    assert.ok(busy < 0.5, `${busy}`);
    assert.deepEqual([await lines(page) <= LINES_MAX, server.asked.length, complaints], [true, 1, []]);
  });

  it("keeps some hundred lines of thousands, and reads the older ones again on the way up, and the newer ones on the way down", async (test) => {
    const { server, page, complaints } = await visit(test);
    for (let round = 0; round < 30; round++) {
      for (let said = 0; said < 100; said++) server.say(1);
      server.round(1);
    }
    await page.locator("[data-id='3000']").waitFor();
    assert.ok(await lines(page) <= LINES_MAX, `${await lines(page)} lines`);
    assert.deepEqual((await ids(page)).at(-1), 3_000);
    assert.equal(await page.locator(".day").count(), 1, "the first line that is left says its day");
    const jump = await wander(page, 300, 1);
    assert.ok(jump <= 1, `it jumped by ${jump} pixels on the way up`);
    await page.getByText("This is where the room begins.").waitFor();
    const back = await wander(page, -300, 3_000);
    assert.ok(back <= 1, `it jumped by ${back} pixels on the way down`);
    // And it follows again.
    await page.getByRole("log").evaluate((log) => new Promise((resolve) => {
      log.addEventListener("scroll", resolve, { once: true });
      log.scrollTo(0, log.scrollHeight);
    }));
    server.say(1);
    server.round(1);
    await page.locator("[data-id='3001']").waitFor();
    await eventually(() => page.getByRole("log").evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 2), true);
    assert.deepEqual(complaints, []);
  });

  it("leaves the reader where he reads, counts what is new, and leads there at once", async (test) => {
    const { server, page, complaints } = await visit(test);
    for (let said = 0; said < 100; said++) server.say(1);
    server.round(1);
    await page.locator("[data-id='100']").waitFor();
    const log = page.getByRole("log");
    await log.evaluate((element) => element.scrollTo(0, 1_000));
    await eventually(() => log.evaluate((element) => element.scrollTop), 1_000);
    const top = await page.locator("[data-id='40']").evaluate((line) => line.getBoundingClientRect().top);
    for (let round = 0; round < 20; round++) {
      for (let said = 0; said < 100; said++) server.say(1);
      server.round(1);
    }
    const newer = page.getByRole("button", { name: "2000 new messages ↓" });
    await newer.waitFor();
    assert.ok(await lines(page) <= LINES_MAX + 1, `${await lines(page)} lines`);
    assert.equal(await page.locator("[data-id='40']").evaluate((line) => line.getBoundingClientRect().top), top);
    await newer.click();
    await page.locator("[data-id='2100']").waitFor();
    await eventually(() => page.getByRole("button", { name: /new message/ }).count(), 0);
    assert.deepEqual(await ids(page), numbers(2_051, 2_100));
    // What one says from further up is at the end, once.
    await wander(page, 300, 1_200);
    await send(page, "from far away");
    server.round(1);
    await page.locator("[data-id='2101']").waitFor();
    await eventually(async () => (await ids(page)).at(-1), 2_101);
    assert.equal(await page.locator(".mine").count(), 1);
    assert.deepEqual(complaints, []);
  });

  it("says how many are here, in both languages", async (test) => {
    const { server, page } = await visit(test);
    await page.getByRole("button", { name: "Leave" }).waitFor();
    assert.equal(await page.locator("#here").isVisible(), false);
    server.answer = ({ action, requestId }, peer) => {
      if (action !== "listMembers") return false;
      const members = [{ id: 8, username: "other", nickName: "Other", headPic: null }];
      peer.push({ type: "ack", action, requestId, chatroomId: 1, members, onlineCount: 1_100, onlineMore: true });
      return true;
    };
    server.say(1);
    server.round(1, { members: 10_342 });
    await page.getByRole("button", { name: "10,342 here" }).click();
    await eventually(() => page.getByRole("list", { name: "Who is here" }).getByRole("listitem").allTextContents(), ["Other", "and 10,341 others"]);
    await page.getByLabel("Language").selectOption("中文");
    await page.getByRole("button", { name: "10,342 人在线" }).waitFor();
    server.leaveRounds(1);
    server.say(1);
    await eventually(() => page.locator("#here").isVisible(), false);
  });

  /** User 7 in room 1 of a scripted server, which is quiet and in rounds. @param {TestContext} test */
  async function visit(test) {
    const server = await startScriptedServer(test);
    server.joined = { quiet: true, onlineCount: 1_100, onlineMore: true };
    server.enterRounds(1);
    const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1_000, height: 700 } });
    test.after(() => context.close());
    const { page, complaints } = await openWindow(context);
    const { origin } = new URL(server.historyUrl);
    server.answerPage = (path, response) => {
      if (/^\/chat(-history|room)\//.test(path)) return false;
      if (path === "/local/endpoints") return answer(response, 200, { webSocketPath: "/dev", connectionLifetimeMs: 7_200_000 });
      if (path === "/local/token") return answer(response, 200, { token: TOKEN });
      const name = path === "/" ? "/index.html" : path;
      response.setHeader("Content-Type", TYPES[extname(name)]);
      response.end(readFileSync(new URL(`..${name}`, import.meta.url)));
      return true;
    };
    await page.goto(origin);
    await comeIn(page, { name: "Me", id: 7 });
    await page.getByText("This is where the room begins.").waitFor();
    return { server, page, complaints };
  }
});

const numbers = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** @param {Page} page */
const lines = (page) => page.locator(".items > *").count();

/** @param {Page} page */
function ids(page) {
  return page.locator("[data-id]").evaluateAll((all) => all.map((line) => Number(/** @type {HTMLElement} */ (line).dataset.id)));
}

/** What the browser did meanwhile. @param {Page} page @param {() => Promise<unknown>} meanwhile */
async function measure(page, meanwhile) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const look = async () => Object.fromEntries((await session.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const started = await look();
  await meanwhile();
  const ended = await look();
  return Object.fromEntries(Object.entries(ended).map(([name, value]) => [name, value - started[name]]));
}

/**
 * Scrolls on until a message is there: so many pixels from the top, or with a minus from the end. Gives how far a line
 * that was in sight moved when others were inserted or taken out. The lines are at all times without a gap, and bounded.
 * @param {Page} page @param {number} px @param {number} wanted
 */
async function wander(page, px, wanted) {
  return page.getByRole("log").evaluate(async (log, [px, wanted, max]) => {
    const { top: edge } = log.getBoundingClientRect();
    const all = () => /** @type {HTMLElement[]} */ ([...log.querySelectorAll("[data-id]")]);
    const shown = () => all().map(({ dataset }) => Number(dataset.id));
    let worst = 0;
    while (!shown().includes(wanted)) {
      log.scrollTop = px > 0 ? px : log.scrollHeight - log.clientHeight + px;
      const line = /** @type {HTMLElement} */ (all().find((line) => line.getBoundingClientRect().bottom > edge));
      const [top, before, started] = [line.getBoundingClientRect().top, String(shown()), performance.now()];
      while (String(shown()) === before) {
        if (performance.now() - started > 20_000) throw new Error(`nothing came beside ${before}`);
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      worst = Math.max(worst, Math.abs(line.getBoundingClientRect().top - top));
      const now = shown();
      if (now.some((id, at) => id !== now[0] + at)) throw new Error(`there is a gap in ${now}`);
      if (all().length > max) throw new Error(`${all().length} lines`);
    }
    return worst;
  }, [px, wanted, LINES_MAX]);
}
