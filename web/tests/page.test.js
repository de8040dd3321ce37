// @ts-check
/** The page in a browser, used by people and by attackers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { ChatClient } from "../chat-client.js";
import { startBrowser } from "./browser.js";
import { startLocalRun } from "./local-run.js";
import { startNetwork } from "./network.js";
import { choose, comeIn, enterPage, eventually, join, openPage, openRoom, scan, send, texts } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, BrowserContextOptions } from "playwright-core" */
/** @import { LocalRun } from "./local-run.js" */
/** @import { Visit } from "./visitors.js" */

let rooms = 0;
const fresh = () => `room-${++rooms}`;

describe("the page", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun(), startBrowser()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  it("lets two people talk", async (test) => {
    const room = fresh();
    const guang = await enter(test, { name: "Guang", id: 1, room });
    const dong = await enter(test, { name: "Dong", id: 2, room });
    await guang.page.getByText("Dong joined").waitFor();
    await send(guang.page, "hello");
    await send(guang.page, "you there?");
    await send(dong.page, "yes");
    for (const { page } of [guang, dong]) await eventually(() => texts(page), ["hello", "you there?", "yes"]);
    const mine = await dong.page.locator(".mine").count();
    const heads = await dong.page.locator(".head:visible").allInnerTexts();
    assert.deepEqual([mine, heads.map((head) => head.split(" ")[0])], [1, ["Guang", "You"]], "one head for two of one sender");
    assert.equal(await dong.page.locator(".day").count(), 1);

    await choose(guang.page, "Image");
    await send(guang.page, new URL("/page/icon.svg", run.page).href);
    await dong.page.getByRole("img", { name: "Picture from Guang" }).waitFor();
    await choose(guang.page, "File");
    await send(guang.page, "https://example.com/notes%202026.pdf");
    const link = dong.page.getByRole("link", { name: "notes 2026.pdf" });
    const attributes = ["href", "target", "rel"].map((name) => link.getAttribute(name));
    assert.deepEqual(await Promise.all(attributes), ["https://example.com/notes%202026.pdf", "_blank", "noopener noreferrer"]);

    await dong.page.getByRole("button", { name: "Leave" }).click();
    await guang.page.getByText("Dong left").waitFor();
    await send(guang.page, "gone already?");
    await join(dong.page, room);
    const all = ["hello", "you there?", "yes", "notes 2026.pdfexample.com", "gone already?"];
    await eventually(() => texts(dong.page), all);
    assert.deepEqual([...guang.complaints, ...dong.complaints], []);
  });

  it("comes back to the same rooms after a reload", async (test) => {
    const [room, other] = [fresh(), fresh()];
    const { page, complaints } = await enter(test, { room });
    await send(page, "still here");
    await join(page, other);
    await openRoom(page, room);
    await page.reload();
    await eventually(() => texts(page), ["still here"]);
    await eventually(() => page.getByRole("list", { name: "Rooms" }).getByRole("button").allTextContents(), [
      `Room ${room}`,
      `Room ${other}`,
    ]);
    assert.equal(await page.getByRole("heading", { name: `Room ${room}` }).count(), 1);
    assert.deepEqual(complaints, []);
  });

  it("counts what is unread in the rooms behind, and at the end of a long one", async (test) => {
    const [room, other] = [fresh(), fresh()];
    const friend = client(test, 20);
    for (const id of [room, other]) await friend.room(id).join();
    for (let n = 0; n < 30; n++) await friend.room(room).send(`line ${n}`);
    const { page } = await enter(test, { room: other, id: 21 });
    await join(page, room);
    await page.getByText("line 29").waitFor();
    await friend.room(other).send("psst");
    await friend.room(other).send("hey");
    await page.getByRole("button", { name: `Room ${other} 2 unread messages` }).waitFor();
    assert.equal(await page.title(), "(2) Chat");

    const log = page.getByRole("log", { name: `Messages of room ${room}` });
    await log.evaluate((element) => element.scrollTo(0, 200));
    await eventually(() => log.evaluate((element) => element.scrollTop), 200);
    await friend.room(room).send("below");
    await page.getByRole("button", { name: "1 new message ↓" }).click();
    await page.getByText("below").waitFor();
    await eventually(() => page.getByRole("button", { name: /new message/ }).count(), 0);
    await openRoom(page, other);
    await page.getByText("hey").waitFor();
    await eventually(() => page.title(), "Chat");
  });

  it("shows a message at once, and offers to try again what was not sent", async (test) => {
    const network = await startNetwork(test, run.page);
    const room = fresh();
    const { page } = await enter(test, { room, address: network.through(run.page) });
    const friend = client(test, 31);
    await friend.room(room).join();
    network.cut();
    await page.getByRole("status").getByText("Not connected").waitFor();
    await send(page, "said offline");
    await page.locator(".sending", { hasText: "said offline" }).waitFor();
    const edge = await page.locator(".sending .bubble").evaluate((bubble) => [getComputedStyle(bubble).borderStyle, getComputedStyle(bubble).borderColor]);
    assert.deepEqual([edge[0], edge[1].startsWith("rgb(")], ["dashed", true], "it is seen to be on its way");
    network.up();
    await page.locator("[data-id]", { hasText: "said offline" }).waitFor();
    assert.equal(await page.locator(".sending").count(), 0);

    // Refused by the server: the page cannot know that its room is not granted any more.
    await choose(page, "Image");
    await send(page, "not an address");
    await page.getByRole("alert").getByText("needs a web address").waitFor();
    await choose(page, "Text");
    await send(page, "x".repeat(4_001));
    await page.getByRole("alert").getByText("at most 4000 characters").waitFor();
    assert.deepEqual(await texts(page), ["said offline"]);
  });

  it("leaves one's own message where it is when it has come, and has it read aloud once", async (test) => {
    const room = fresh();
    const { page, complaints } = await enter(test, { name: "Guang", id: 33, room });
    await page.getByText("Guang joined").waitFor();
    await page.evaluate(() => {
      const log = /** @type {HTMLElement} */ (document.querySelector(".log"));
      const look = (/** @type {Element} */ line) => ({
        height: line.getBoundingClientRect().height,
        fromTop: line.getBoundingClientRect().top + log.scrollTop,
        avatar: line.querySelector(".avatar")?.textContent,
      });
      /** @type {any} */ (window).seen = { look, log, read: [], first: {} };
      new MutationObserver((changes) => {
        for (const { target, addedNodes } of changes) {
          for (const node of addedNodes) {
            const text = node.textContent ?? "";
            for (const word of ["first", "second", "third"]) if (text.includes(word)) /** @type {any} */ (window).seen.read.push(word);
            if (!(node instanceof HTMLElement) || !node.matches(".message")) continue;
            const isLive = log.getAttribute("aria-live") === "polite" && target !== document.body;
            /** @type {any} */ (window).seen.first[node.querySelector(".content")?.textContent ?? ""] = { ...look(node), isLive };
          }
        }
      }).observe(log, { childList: true, subtree: true, characterData: true });
    });
    for (const word of ["first", "second", "third"]) {
      await send(page, word);
      const line = page.locator(".mine[data-id]:not(.sending)", { hasText: word });
      await line.waitFor();
      // The event may come before or after the answer; the next message comes after both.
      await eventually(() => line.count(), 1);
    }
    await eventually(() => texts(page), ["first", "second", "third"]);
    const { read, first, now } = await page.evaluate(() => {
      const { look, read, first, log } = /** @type {any} */ (window).seen;
      return { read, first, now: [...log.querySelectorAll(".message")].map(look) };
    });
    assert.deepEqual(read, ["first", "second", "third"], "once each");
    const then = ["first", "second", "third"].map((word) => first[word]);
    assert.deepEqual(then.map(({ isLive, ...look }) => [isLive, look]), now.map((look) => [true, look]));
    assert.deepEqual(now.map(({ avatar }) => avatar), ["G", "G", "G"]);
    assert.ok(now[1].height < now[0].height, "one head for three");
    assert.deepEqual(complaints, []);
  });

  it("keeps what was not sent behind what has come", async (test) => {
    const room = fresh();
    const { page } = await enter(test, { room, id: 34 });
    await choose(page, "Image");
    // The page accepts it, but the server does not.
    await send(page, `https://example.com/${"x".repeat(2_100)}`);
    await page.locator(".failed").waitFor();
    await page.getByRole("alert").getByText(`Room ${room}: this cannot be sent`).waitFor();
    await send(page, "but this");
    await page.locator("[data-id='1']").waitFor();
    const friend = client(test, 35);
    await friend.room(room).join();
    await friend.room(room).send("and that");
    await page.getByText("and that").waitFor();
    const kinds = () => page.locator("#logs .message, #logs .day").evaluateAll((lines) => lines.map((line) => line.className.replace(" continued", "")));
    await eventually(kinds, ["note day", "message mine", "message", "message mine failed"]);
    await page.locator(".failed").getByRole("button", { name: "Discard" }).click();
    await eventually(kinds, ["note day", "message mine", "message"]);
    await send(page, "done");
    await eventually(() => texts(page), ["but this", "and that", "done"]);
  });

  it("says at once that one is offline, in words, and comes back", async (test) => {
    const room = fresh();
    const { page } = await openPage(test, browser, run.page, { locale: "zh-CN" });
    await page.getByLabel("名字").fill("光");
    await page.getByRole("textbox", { name: "房间" }).fill(room);
    await page.getByRole("button", { name: "进入" }).click();
    const status = page.getByRole("status");
    await status.getByText("已连接").waitFor();
    await page.context().setOffline(true);
    await status.getByText("未连接：你已离线").waitFor({ timeout: 5_000 });
    await page.getByLabel("语言").selectOption("English");
    await status.getByText("Not connected: you are offline").waitFor();
    await page.context().setOffline(false);
    await status.getByText("Connected", { exact: true }).waitFor();
  });

  it("has words for every reason of the client and of the server, in both languages", async (test) => {
    const [protocol, code] = ["../../docs/protocol.md", "../chat-client.js"].map((path) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8"));
    const table = protocol.split("| `code` | what it means |")[1].split("\n\n")[0];
    const ofServer = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
    const ofClient = [...code.matchAll(/new ChatError\("(\w+)"/g)].map(([, code]) => code);
    // These codes mean a mistake in a program; a person needs no word for each.
    const faults = ["unknownAction", "gone", "badFrame", "badResponse"];
    const codes = [...new Set([...ofServer, ...ofClient])].filter((code) => !faults.includes(code));
    assert.ok(codes.length > 12, `${codes}`);
    const { page } = await openPage(test, browser, run.page);
    const words = await page.evaluate(() => import(String("/page/words.js")).then(({ reasons }) => reasons));
    for (const code of codes) {
      assert.match(words.en[code] ?? "", /^[a-z ,;]+$/, code);
      assert.match(words.zh[code] ?? "", /^[\u4e00-\u9fff，]+$/, code);
    }
    assert.deepEqual(Object.keys(words.en), Object.keys(words.zh));
  });

  it("does not send with the Enter that ends a word of Chinese input, in any browser", async (test) => {
    const { page } = await enter(test, { room: fresh() });
    const text = page.getByRole("textbox", { name: "Message" });
    await text.fill("你好");
    /** Whether the page leaves it to the browser. @param {number} keyCode */
    const isLeft = (keyCode, isComposing = false) => {
      const options = { key: "Enter", bubbles: true, cancelable: true, keyCode, isComposing };
      return text.evaluate((field, options) => field.dispatchEvent(new KeyboardEvent("keydown", options)), options);
    };
    assert.equal(await isLeft(229, true), true);
    assert.equal(await isLeft(229), true, "Safari ends the composition first");
    assert.equal(await page.locator(".mine").count(), 0);
    assert.equal(await isLeft(13), false);
    await eventually(() => texts(page), ["你好"]);
  });

  it("writes from right to left what is written so", async (test) => {
    const room = fresh();
    const friend = client(test, 36, { nickName: "نور" });
    await friend.room(room).join();
    await friend.room(room).send("مرحبا، كيف الحال؟");
    await friend.room(room).send("hello");
    const { page } = await enter(test, { room, id: 37 });
    await page.getByText("hello").waitFor();
    const directions = () => page.locator(".content, .head .name").evaluateAll((all) => all.map((one) => getComputedStyle(one).direction));
    assert.deepEqual(await directions(), ["rtl", "rtl", "rtl", "ltr"]);
    const text = page.getByRole("textbox", { name: "Message" });
    await text.fill("مرحبا");
    assert.equal(await text.evaluate((field) => getComputedStyle(field).direction), "rtl");
  });

  it("says when there can be no such room", async (test) => {
    const { page, complaints } = await enter(test, { room: fresh() });
    await page.getByLabel("New room").evaluate((field) => (/** @type {HTMLInputElement} */ (field).value = "half \ud83d"));
    await page.getByRole("button", { name: "Join" }).click();
    await page.getByRole("alert").getByText("There can be no room with this name.").waitFor();
    await send(page, "still connected");
    await page.locator(".mine[data-id]").waitFor();
    assert.equal(await page.getByRole("list", { name: "Rooms" }).getByRole("button").count(), 1);
    assert.deepEqual(complaints, []);
  });

  it("lets what was not sent be sent again, or dropped", async (test) => {
    const room = fresh();
    const { page } = await enter(test, { room });
    // A hundred wait at most; the network holds them back.
    const network = await startNetwork(test, run.page);
    await page.goto(network.through(run.page));
    await comeIn(page, { room });
    network.silence();
    for (let n = 0; n <= 101; n++) await send(page, `n ${n}`);
    const failed = page.locator(".failed");
    await eventually(() => failed.count(), 2);
    await failed.first().getByRole("button", { name: "Discard" }).click();
    await eventually(() => failed.count(), 1);
    network.cut();
    network.up();
    await page.locator("[data-id]", { hasText: "n 99" }).waitFor();
    await failed.getByRole("button", { name: "Retry" }).click();
    await page.locator("[data-id]", { hasText: "n 101" }).waitFor();
    await eventually(async () => (await texts(page)).length, 101);
  });

  it("loses nothing when the network goes and comes back", async (test) => {
    const network = await startNetwork(test, run.page);
    const room = fresh();
    const { page } = await enter(test, { room, id: 41, address: network.through(run.page) });
    const friend = client(test, 42);
    await friend.room(room).join();
    const expected = [];
    for (let round = 0; round < 3; round++) {
      await friend.room(room).send(`before ${round}`);
      await page.getByText(`before ${round}`).waitFor();
      network.cut();
      await page.getByRole("status").getByText("Not connected").waitFor();
      await friend.room(room).send(`meanwhile ${round}`);
      expected.push(`before ${round}`, `meanwhile ${round}`);
      network.up();
      await page.getByText(`meanwhile ${round}`).waitFor();
      await page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    }
    await eventually(() => texts(page), expected);
  });

  it("stays connected over the server's cuts, and nobody sees it swap", async (test) => {
    const short = await startLocalRun({ lifetimeSeconds: 8 });
    test.after(() => short.stop());
    const room = fresh();
    const { page, complaints } = await enter(test, { room, id: 51, address: short.page });
    await page.evaluate(() => {
      const status = /** @type {HTMLElement} */ (document.getElementById("status"));
      const states = /** @type {any} */ (window).states = [status.dataset.state];
      new MutationObserver(() => states.push(status.dataset.state)).observe(status, { attributeFilter: ["data-state"] });
    });
    const sockets = new Set();
    page.on("websocket", (socket) => sockets.add(socket));
    const said = [];
    for (let n = 0; sockets.size < 2; n++) {
      said.push(`tick ${n}`);
      await send(page, `tick ${n}`);
      await page.locator("[data-id]", { hasText: `tick ${n}` }).last().waitFor();
    }
    await eventually(() => texts(page), said);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).states), ["connected"]);
    assert.equal(await page.getByText("left").count(), 0);
    assert.deepEqual(complaints, []);
  });

  it("scrolls through 5,000 messages without a jump, each once and in order", async (test) => {
    const room = fresh();
    await Promise.all(Array.from({ length: 10 }, (_, n) => talk(600 + n, room, 500)));
    const { page, complaints } = await enter(test, { room });
    await page.locator("[data-id]").first().waitFor();
    const log = page.getByRole("log");
    // The line at the top of the window must stay there when older messages are inserted above it.
    const jump = await log.evaluate(async (log) => {
      const { top: edge } = log.getBoundingClientRect();
      const lines = () => [...log.querySelectorAll("[data-id]")];
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      const first = () => Number(/** @type {HTMLElement} */ (lines()[0]).dataset.id);
      const read = new Set();
      let worst = 0;
      for (let before; (before = first()) > 1; ) {
        log.scrollTop = 300;
        const line = /** @type {Element} */ (lines().find((line) => line.getBoundingClientRect().bottom > edge));
        const top = line.getBoundingClientRect().top;
        const started = performance.now();
        while (first() === before) {
          if (performance.now() - started > 20_000) throw new Error(`nothing older than ${before} came`);
          await frame();
        }
        const ids = lines().map((line) => Number(/** @type {HTMLElement} */ (line).dataset.id));
        if (ids.some((id, at) => id !== ids[0] + at)) throw new Error(`there is a gap, or a doubling, in ${ids}`);
        for (const id of ids) read.add(id);
        worst = Math.max(worst, Math.abs(line.getBoundingClientRect().top - top));
      }
      return { worst, read: read.size };
    });
    assert.ok(jump.worst <= 1, `it jumped by ${jump.worst} pixels`);
    assert.equal(jump.read, 5_000);
    await page.getByText("This is where the room begins.").waitFor();
    assert.equal(await page.locator(".day").count(), 1);
    await send(page, "still quick");
    await page.locator("[data-id='5001']").waitFor();
    assert.deepEqual(complaints, []);
  });

  it("shows hostile content as what it is: text", async (test) => {
    const room = fresh();
    const hostile = client(test, 71, { nickName: "<img src=x onerror=hacked=1>\u202e", headPic: "javascript:hacked=1" });
    await hostile.room(room).join();
    const words = [
      "<script>hacked=1</script>",
      "<img src=x onerror=hacked=1>",
      "javascript:hacked=1",
      "😀".repeat(4_000),
      "\u202eright to left",
      "w".repeat(4_000),
      "&lt;b&gt; {{7*7}} ${7*7}",
    ];
    for (const word of words) await hostile.room(room).send(word);
    for (const url of ["https://example.com/%E0%A4%A", `https://example.com/${"y".repeat(2_000)}`]) await hostile.room(room).sendFile(url);
    for (const kind of /** @type {const} */ (["sendImage", "sendFile"])) {
      await assert.rejects(hostile.room(room)[kind]("javascript:hacked=1"), { code: "badRequest" });
    }
    const { page, complaints } = await enter(test, { room, id: 72, options: { viewport: { width: 320, height: 640 } } });
    await page.locator("[data-id='9']").waitFor();
    const shown = await page.locator(".content:not(.file)").allTextContents();
    assert.deepEqual(shown, words);
    assert.equal(await page.evaluate(() => "hacked" in window), false);
    assert.equal(await page.locator("#logs script, #logs img, #logs b b").count(), 0);
    const hrefs = await page.locator("#logs a").evaluateAll((links) => links.map((link) => /** @type {HTMLAnchorElement} */ (link).protocol));
    assert.deepEqual(hrefs, ["https:", "https:"]);
    const [width, available] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(width <= available, `${width} pixels wide in a window of ${available}`);
    assert.deepEqual(complaints, []);
  });

  it("says that a message was erased, in its place, and has nothing left of it", async (test) => {
    const room = fresh();
    const [author, friend] = [client(test, 74).room(room), client(test, 75).room(room)];
    await Promise.all([author.join(), friend.join()]);
    await author.send("said in haste");
    await friend.send("kept");
    await author.sendImage(new URL("/page/icon.svg", run.page).href);
    await run.eraseUser(74);
    const { page, complaints } = await enter(test, { room, id: 76 });
    await eventually(() => texts(page), ["This message was erased.", "kept", "This message was erased."]);
    assert.equal(await page.locator("#logs .picture").count(), 0);
    await page.getByLabel("Language").selectOption("中文");
    await eventually(() => texts(page), ["此消息已被删除。", "kept", "此消息已被删除。"]);
    assert.deepEqual(complaints, []);
  });

  it("talks to a deployment that its address names, with a token that is given", async (test) => {
    const room = fresh();
    const { page, complaints } = await openPage(test, browser, deployment(run.url));
    await page.getByText(`Your token goes to ${new URL(run.page).host}, and nowhere else.`).waitFor();
    assert.equal(await page.getByLabel("Name").isVisible(), false, "the token says who it is");
    await page.getByLabel("Token").fill("not.a.token");
    await page.getByLabel("Room", { exact: true }).fill(room);
    await page.getByRole("button", { name: "Enter" }).click();
    await page.getByRole("alert").getByText("You are not let in: your token was not accepted").waitFor();
    complaints.length = 0; // the browser itself complains of a handshake that is refused

    await page.getByLabel("Token").fill(await run.token({ userId: "auth0|81", name: "Xiao" }));
    await page.getByRole("button", { name: "Enter" }).click();
    await send(page, "from afar");
    await page.locator(".mine[data-id]").waitFor();
    assert.equal(await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]).includes("ey")), false);
    assert.deepEqual(complaints, []);

    await page.goto(deployment("javascript:alert(1)"));
    await page.getByText("“ws” in this page's address must be an address of wss: ws:.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Enter" }).isDisabled(), true);
  });

  it("says when a room is not for somebody, and takes it from the list", async (test) => {
    const { page } = await openPage(test, browser, deployment(run.url));
    await page.getByLabel("Token").fill(await run.token({ userId: 91, rooms: ["open"] }));
    await page.getByLabel("Room", { exact: true }).fill("closed");
    await page.getByRole("button", { name: "Enter" }).click();
    await page.getByRole("alert").getByText("Room closed:").waitFor();
    assert.equal(await page.getByRole("button", { name: "Room closed" }).count(), 0);
    await join(page, "open");
    await send(page, "here I may");
    await page.locator("[data-id]").waitFor();
  });

  it("speaks Chinese where the browser does, and changes without a reload", async (test) => {
    const room = fresh();
    const { page, complaints } = await openPage(test, browser, run.page, { locale: "zh-CN" });
    await page.getByLabel("名字").fill("光");
    await page.getByRole("textbox", { name: "房间" }).fill(room);
    await page.getByRole("button", { name: "进入" }).click();
    await page.getByRole("status").getByText("已连接").waitFor();
    await page.getByText("光 加入了").waitFor();
    await page.getByLabel("语言").selectOption("English");
    await page.getByText("光 joined").waitFor();
    await page.getByRole("textbox", { name: "Message" }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
    await page.reload();
    await page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    assert.deepEqual(complaints, []);
  });

  it("can be used with the keyboard alone", async (test) => {
    const [room, other] = [fresh(), fresh()];
    const { page } = await enter(test, { room });
    await page.keyboard.type("typed");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("on two lines");
    await page.keyboard.press("Enter");
    await eventually(() => texts(page), ["typed\non two lines"]);
    await page.getByLabel("New room").focus();
    await page.keyboard.type(other);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: `Room ${other}` }).waitFor();
    await page.getByRole("button", { name: `Room ${room}` }).press("Enter");
    await page.keyboard.type("back again");
    await page.keyboard.press("Enter");
    await eventually(() => texts(page), ["typed\non two lines", "back again"]);
  });

  for (const [name, options] of /** @type {[string, BrowserContextOptions][]} */ ([
    ["wide", { viewport: { width: 1_280, height: 800 } }],
    ["narrow", { viewport: { width: 360, height: 640 } }],
    ["dark", { viewport: { width: 1_280, height: 800 }, colorScheme: "dark" }],
  ])) {
    it(`has nothing that an accessibility scan finds, ${name}`, async (test) => {
      const room = fresh();
      // The page's own policy would refuse axe, which is injected into the page.
      const { page } = await openPage(test, browser, run.page, { ...options, bypassCSP: true });
      await scan(page, "coming in");
      await comeIn(page, { room });
      const friend = client(test, 101, { nickName: "Dong" });
      await friend.room(room).join();
      await friend.room(room).send("hello");
      await friend.room(room).sendFile("https://example.com/a.pdf");
      await friend.room(room).sendImage(new URL("/page/icon.svg", run.page).href);
      await page.getByRole("img", { name: "Picture from Dong" }).waitFor();
      await send(page, "hi");
      await page.locator(".mine[data-id]").waitFor();
      await choose(page, "Image");
      await send(page, "no address");
      await page.getByRole("alert").waitFor();
      await scan(page, "in a room");
      if (name === "narrow") {
        await page.getByRole("button", { name: "Back to the rooms" }).click();
        await page.getByLabel("New room").waitFor();
        await scan(page, "the list");
      }
    });
  }

  /** @param {TestContext} test @param {Visit} visit */
  function enter(test, visit) {
    return enterPage(test, browser, { address: run.page, ...visit });
  }

  /** @param {string} ws */
  function deployment(ws) {
    return new URL(`/?${new URLSearchParams({ ws, http: run.page })}`, run.page).href;
  }

  /** Says much, and listens to nothing. @param {number} id @param {string} room @param {number} count */
  async function talk(id, room, count) {
    const socket = new WebSocket(run.url, ["chat", `bearer.${await run.token({ userId: id })}`]);
    await once(socket, "open");
    for (let n = 0; n < count; n++) {
      const message = { type: "text", content: `${id} says line ${n}` };
      socket.send(JSON.stringify({ action: "sendMessage", chatroomId: room, message }));
      await once(socket, "message");
    }
    socket.close();
  }

  /** @param {TestContext} test @param {number} id @param {Record<string, string>} [claims] */
  function client(test, id, claims) {
    const getToken = () => run.token({ userId: id, username: `user-${id}`, ...claims });
    const made = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket) });
    test.after(() => made.disconnect());
    void made.connect();
    return made;
  }
});
