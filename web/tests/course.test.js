// @ts-check
/** The course's own page, with the one line changed that says where the chat is. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { openWindow, startBrowser } from "./browser.js";
import { places, serveCourse } from "./course.js";
import { startLocalRun } from "./local-run.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */

describe("the course's page", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun({ parameters: { SocketIo: "on" } }), startBrowser()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  for (const [place, how] of Object.entries(places)) {
    it(`works in two windows with one changed line, and its token in ${place}`, async (test) => {
      const one = await open(test, run, how);
      await one.page.getByText("用户 1加入聊天室").first().waitFor();
      // A second window of the same user is no news, so only what is said shows that it is in.
      const other = await open(test, run, how);
      const friend = json(test, run, 2);
      await friend.room(1).join();
      for (let said = 0; (await other.page.getByText(`are you there by ${place}`).count()) === 0; said++) {
        assert.ok(said < 1000, "the second window gets in");
        await friend.room(1).send(`are you there by ${place}`);
      }
      await one.page.getByRole("textbox").fill(`hello by ${place}`);
      await one.page.getByRole("textbox").blur();
      for (const { page } of [one, other]) await page.getByText(`hello by ${place}`).waitFor();

      // Somebody with another client comes, says something, and goes.
      await one.page.getByText("用户 2加入聊天室").first().waitFor();
      await friend.room(1).sendImage(new URL("/page/icon.svg", run.page).href);
      await one.page.getByRole("img").first().waitFor();
      await friend.room(1).leave();
      await friend.room(1).join();
      await friend.room(1).send(`still there by ${place}`);
      for (const { page } of [one, other]) await page.getByText(`still there by ${place}`).waitFor();
      for (const { complaints } of [one, other]) assert.deepEqual(complaints.filter(isUncaught), []);
    });
  }

  it("comes back when it is cut", async (test) => {
    const short = await startLocalRun({ lifetimeSeconds: 3, parameters: { SocketIo: "on" } });
    test.after(() => short.stop());
    const { page, complaints } = await open(test, short, places.auth);
    await page.getByText("用户 1加入聊天室").first().waitFor();
    // It joins again when it is back, and is told so.
    await page.getByText("用户 1加入聊天室").nth(1).waitFor();
    await page.getByRole("textbox").fill("back again");
    await page.getByRole("textbox").blur();
    await page.getByText("back again").first().waitFor();
    assert.deepEqual(complaints.filter(isUncaught), []);
  });

  /** @param {TestContext} test @param {LocalRun} run @param {number} userId */
  function json(test, run, userId) {
    const getToken = () => run.token({ userId });
    const client = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => client.disconnect());
    void client.connect();
    return client;
  }

  /** The page in a window. @param {TestContext} test @param {LocalRun} run @param {string} how */
  async function open(test, run, how) {
    const served = await serveCourse(run, how);
    test.after(() => served.stop());
    const context = await browser.newContext();
    test.after(() => context.close());
    const opened = await openWindow(context);
    await opened.page.goto(served.url);
    return opened;
  }
});

/** React's advice about keys is the course's to take. @param {string} complaint */
function isUncaught(complaint) {
  return complaint.startsWith("uncaught") || complaint.startsWith("dialog");
}
