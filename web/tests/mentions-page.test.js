// @ts-check
/** Mentions on the page: writing them, reading them, and being told of them. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { ChatClient, Changes, Kept, Reads } from "../chat-client.js";
import { startBrowser } from "./browser.js";
import { startLocalRun } from "./local-run.js";
import { startNetwork } from "./network.js";
import { contrast, enterPage, eventually, join, line, onDisk, openRoom, pick, scan, send, texts } from "./visitors.js";

/** @import { TestContext } from "node:test" */
/** @import { Browser, BrowserContextOptions, Page } from "playwright-core" */
/** @import { Message } from "../chat-client.js" */
/** @import { LocalRun } from "./local-run.js" */
/** @import { Visit } from "./visitors.js" */

const IMAGE = '<img src="x" onerror="alert(1)">';
let [rooms, users] = [0, 100];
const fresh = () => `mentions-${++rooms}`;

describe("mentions on the page", () => {
  /** @type {LocalRun} */ let run;
  /** @type {Browser} */ let browser;
  before(async () => {
    [run, browser] = await Promise.all([startLocalRun(), startBrowser()]);
  });
  after(() => Promise.all([run.stop(), browser.close()]));

  it("are chosen by keyboard from who is here, and sent as ids", async (test) => {
    const { page, box, friends: { Dong, Dora }, heard, complaints } = await visit(test, ["Dong", "Dora", "李雷"]);
    await box.pressSequentially("hello @");
    await eventually(() => offered(page), ["Dong", "Dora", "李雷"].sort());
    await box.pressSequentially("do");
    await eventually(() => options(page), ["Dong", "Dora"]);
    // What a screen reader follows is in the list, and the focus stays in the text.
    assert.deepEqual([await active(page), await people(page, { selected: true }).allTextContents()], ["Dong", ["Dong"]]);
    await page.locator("#news").getByText("2 people: Dong", { exact: true }).waitFor({ state: "attached" });
    await box.press("ArrowDown");
    assert.deepEqual([await active(page), await people(page, { selected: true }).allTextContents()], ["Dora", ["Dora"]]);
    await box.press("ArrowDown");
    assert.equal(await active(page), "Dong", "it goes round");
    await box.press("ArrowUp");
    await box.press("Enter");
    assert.deepEqual([await box.inputValue(), await listed(page), await box.getAttribute("aria-activedescendant")], ["hello @Dora ", false, null]);
    assert.equal(await page.locator("#news").textContent(), "Dora is mentioned");
    assert.equal(await page.locator(".mine").count(), 0, "it was not sent");
    await box.pressSequentially("and @dong");
    await box.press("Tab");
    assert.deepEqual([await box.inputValue(), await page.evaluate(() => document.activeElement?.id)], ["hello @Dora and @Dong ", "text"]);
    await box.press("Enter");
    await eventually(async () => heard.map(({ content, mentions }) => [content, mentions]), [["hello @Dora and @Dong", [Dora.id, Dong.id]]]);
    await eventually(() => page.locator(".mine .mention").allTextContents(), ["@Dora", "@Dong"]);
    // The next text begins with nobody.
    await send(page, "@Dora is only written");
    await eventually(async () => heard.at(1)?.content, "@Dora is only written");
    assert.equal(heard[1].mentions, undefined);
    assert.deepEqual(complaints, []);
  });

  it("are found without capitals and accents, by a part of a Chinese name, and by id", async (test) => {
    const { page, box, friends } = await visit(test, ["Éva Nagy", "Jörg", "欧阳李雷", "Ivan"]);
    for (const [typed, expected] of /** @type {[string, string[]][]} */ ([
      ["@eva", ["Éva Nagy"]],
      ["@ÉV", ["Éva Nagy"]],
      ["@nag", ["Éva Nagy"]],
      ["@eva n", ["Éva Nagy"]],
      ["@jorg", ["Jörg"]],
      ["请@李", ["欧阳李雷"]],
      ["(@iv", ["Ivan"]],
      // Who begins so is first.
      ["@va", ["Ivan", "Éva Nagy"].sort()],
      [`@${friends.Ivan.id}`, [`Ivan ${friends.Ivan.id}`]],
      ["@nobody", []],
      ["mail@iv", []],
      ["https://example.com/@iv", []],
      ["@ iv", []],
      ["@", ["Ivan", "Jörg", "Éva Nagy", "欧阳李雷"].sort()],
    ])) {
      await box.fill(typed);
      await eventually(async () => (await options(page)).sort(), expected);
      assert.equal(await listed(page), expected.length > 0, typed);
    }
    // One who begins so comes before one who only has it inside.
    await friend(test, "Van Dyck", (await heading(page)));
    await box.fill("");
    await box.fill("@van");
    await eventually(() => options(page), ["Van Dyck", "Ivan"]);
    // Of two of one name the ids tell which is which.
    const twins = [await friend(test, "Mei", await heading(page)), await friend(test, "Mei", await heading(page))];
    await box.fill("");
    await box.fill("@mei");
    await eventually(() => options(page), twins.map(({ id }) => `Mei ${id}`));
    // Neither an edit nor the address of a picture mentions anybody.
    await page.getByLabel("Kind of message").selectOption("Image");
    await box.fill("@iv");
    assert.equal(await listed(page), false);
  });

  it("are offered of whoever comes while one waits at the \"@\", and of nobody once one does not", async (test) => {
    const { page, box, room } = await visit(test, ["Dong"]);
    await box.pressSequentially("@mei");
    assert.equal(await listed(page), false);
    await friend(test, "Mei", room);
    await eventually(() => options(page), ["Mei"]);
    await box.press("Escape");
    await box.press("Backspace");
    await friend(test, "Melina", room);
    await page.getByText("Melina joined").first().waitFor();
    assert.equal(await listed(page), false);
  });

  it("leave the arrow keys, Enter and an answer alone once Escape closed the list", async (test) => {
    const { page, box, friends: { Dong }, heard } = await visit(test, ["Dong"]);
    await Dong.room.send("a question");
    await pick(page, 1, "Reply");
    await box.pressSequentially("@do");
    await eventually(() => options(page), ["Dong"]);
    await box.press("Escape");
    assert.deepEqual([await listed(page), await page.locator("#about").isVisible()], [false, true], "it was the list's");
    await box.pressSequentially("ng");
    assert.equal(await listed(page), false, "it does not come back by itself");
    await box.press("Enter");
    await eventually(async () => heard.map(({ content, mentions, replyTo }) => [content, mentions, replyTo]).slice(1), [["@dong", undefined, 1]]);
    // At another "@" it opens again, and closes where it has no place.
    await box.pressSequentially("x @d");
    await eventually(() => options(page), ["Dong"]);
    await box.press("Home");
    await eventually(() => listed(page), false);
    await box.press("End");
    await box.pressSequentially("o");
    await eventually(() => options(page), ["Dong"]);
    await page.getByLabel("New room").focus();
    assert.equal(await listed(page), false);
  });

  it("are chosen with the mouse and by touch, and the focus stays in the text", async (test) => {
    const { page, box, room, friends: { Dong, Dora }, heard } = await visit(test, ["Dong", "Dora"]);
    await box.pressSequentially("@d");
    await box.evaluate((field) => field.addEventListener("blur", () => (document.title = "blurred")));
    await people(page, { name: "Dora" }).click();
    assert.deepEqual([await box.inputValue(), await listed(page)], ["@Dora ", false]);
    assert.deepEqual([await page.evaluate(() => document.activeElement?.id), await page.title()], ["text", "Chat"]);
    await page.keyboard.type("hi");
    await page.keyboard.press("Enter");
    await eventually(async () => heard.map(({ content, mentions }) => [content, mentions]), [["@Dora hi", [Dora.id]]]);

    const touched = { hasTouch: true, isMobile: true, viewport: { width: 360, height: 640 } };
    const { page: phone } = await enter(test, { name: "Mei", id: ++users, room, options: touched });
    const written = phone.getByRole("textbox", { name: "Message" });
    await written.tap();
    await written.pressSequentially("@do");
    await people(phone, { name: "Dong" }).tap();
    assert.deepEqual([await written.inputValue(), await phone.evaluate(() => document.activeElement?.id)], ["@Dong ", "text"]);
    await phone.getByRole("button", { name: "Send" }).tap();
    await eventually(async () => heard.at(1)?.mentions, [Dong.id]);
  });

  it("do not disturb Chinese input", async (test) => {
    const { page, box, friends, heard } = await visit(test, ["李雷", "Lily"]);
    const keyboard = await page.context().newCDPSession(page);
    const compose = (/** @type {string} */ text) => keyboard.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length });
    /** A key that is the input method's. @param {string} key */
    const left = (key) => box.evaluate((field, key) => field.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, isComposing: true, keyCode: 229 })), key);
    await box.pressSequentially("@");
    await eventually(() => offered(page), ["Lily", "李雷"]);
    const first = await active(page);
    await compose("li");
    await eventually(() => box.inputValue(), "@li");
    // What is being composed filters nothing, and no key of it is the list's.
    for (const key of ["ArrowDown", "Enter", "Tab", "Escape"]) assert.equal(await left(key), true, key);
    assert.deepEqual([await offered(page), await active(page), await box.inputValue()], [["Lily", "李雷"], first, "@li"]);
    // Safari says that the composition is over before it says which key ended it.
    await keyboard.send("Input.insertText", { text: "李" });
    await eventually(() => options(page), ["李雷"]);
    const isLeft = await box.evaluate((field) => field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, keyCode: 229 })));
    assert.deepEqual([isLeft, await box.inputValue()], [true, "@李"]);
    await box.press("Enter");
    assert.equal(await box.inputValue(), "@李雷 ");
    // Nobody puts spaces between Chinese words.
    await box.press("Backspace");
    await keyboard.send("Input.insertText", { text: "你好" });
    await box.press("Enter");
    await eventually(async () => heard.map(({ content, mentions }) => [content, mentions]), [["@李雷你好", [friends["李雷"].id]]]);
    await eventually(() => page.locator(".mine .mention").allTextContents(), ["@李雷"]);
  });

  it("are of those whose names still stand in the text, of one only once, of two of one name both", async (test) => {
    const { page, box, room, friends: { Dong, Dora }, heard } = await visit(test, ["Dong", "Dora"]);
    const twins = [await friend(test, "Mei", room), await friend(test, "Mei", room)];
    const choose = async (/** @type {string} */ typed, n = 0) => {
      await box.pressSequentially(typed);
      await people(page).nth(n).waitFor();
      for (let at = 0; at < n; at++) await box.press("ArrowDown");
      await box.press("Enter");
    };
    await choose("@dong");
    await choose("@dora");
    for (let n = 0; n < "@Dora ".length; n++) await box.press("Backspace");
    await choose("and @dong");
    await box.press("Enter");
    await eventually(async () => [heard[0]?.content, heard[0]?.mentions], ["@Dong and @Dong", [Dong.id]]);
    // A name that is a part of a word is none, and a comma ends it.
    await choose("@dong");
    await box.press("Backspace");
    await box.pressSequentially("li, ");
    await choose("@dora");
    await box.press("Backspace");
    await box.pressSequentially(", hi");
    await box.press("Enter");
    await eventually(async () => [heard[1]?.content, heard[1]?.mentions], ["@Dongli, @Dora, hi", [Dora.id]]);
    await eventually(() => page.locator("[data-id='2'] .mention").allTextContents(), ["@Dora"]);
    await choose("@mei");
    await choose("@mei", 1);
    await box.press("Enter");
    await eventually(async () => heard[2]?.mentions?.map(Number).sort(), twins.map(({ id }) => id));
    // Whoever types the whole name means the one who has it; the text gets it as it is written.
    await box.pressSequentially("@dong hello @dora");
    await page.getByRole("button", { name: "Send" }).click();
    await eventually(async () => heard[3]?.content.toLowerCase(), "@dong hello @dora");
    assert.deepEqual([heard[3].content, heard[3].mentions], ["@Dong hello @Dora", [Dong.id, Dora.id]]);
  });

  it("are of twenty people at most, as the server has it", async (test) => {
    const names = Array.from({ length: 21 }, (_, at) => `P${String.fromCharCode(97 + at)}`);
    const { page, box, friends, heard } = await visit(test, names);
    for (const name of names.slice(0, 20)) {
      await box.pressSequentially(`@${name}`);
      await eventually(() => options(page), [name]);
      await box.press("Enter");
    }
    await box.pressSequentially("@Pu");
    assert.equal(await listed(page), false);
    await box.press("Enter");
    await eventually(async () => heard[0]?.mentions, names.slice(0, 20).map((name) => friends[name].id));
  });

  it("take names as they are: with spaces, with markup, the beginning of another one", async (test) => {
    const { page, box, room, friends, heard, complaints } = await visit(test, ["Guang", "Guang Li", IMAGE, `@${IMAGE}`, "https://a.example"]);
    for (const [typed, name] of [["@guang li", "Guang Li"], ["@<img", IMAGE], ["@@<", `@${IMAGE}`], ["@https", "https://a.example"]]) {
      await box.pressSequentially(typed);
      await eventually(async () => (await options(page))[0], name);
      await box.press("Enter");
    }
    await box.press("Enter");
    const all = `@Guang Li @${IMAGE} @@${IMAGE} @https://a.example`;
    await eventually(async () => heard.map(({ content, mentions }) => [content, mentions]), [[all, [friends["Guang Li"].id, friends[IMAGE].id, friends[`@${IMAGE}`].id, friends["https://a.example"].id]]]);
    // Others are shown the same, and the shorter name is not found in the longer one.
    const { page: other, complaints: others } = await enter(test, { name: "Reader", id: ++users, room });
    await friends.Guang.room.send("@Guang Li, @Guang and mail@Guang: https://b.example/@Guang", { mentions: [friends.Guang.id, friends["Guang Li"].id] });
    for (const window of [page, other]) {
      await eventually(() => window.locator("[data-id='1'] .mention").allTextContents(), ["@Guang Li", `@${IMAGE}`, `@@${IMAGE}`, "@https://a.example"]);
      assert.deepEqual([await texts(window).then(([text]) => text), await window.locator(".content img").count()], [all, 0]);
      await eventually(() => window.locator("[data-id='2'] .mention").allTextContents(), ["@Guang Li", "@Guang"]);
      assert.equal(await window.locator("[data-id='2'] a").getAttribute("href"), "https://b.example/@Guang");
    }
    assert.deepEqual([...complaints, ...others], []);
  });

  it("are of a group's members, here or not, and of nobody else", async (test) => {
    const [dong, dora, quitter] = [await friend(test, "Dong"), await friend(test, "Dora"), await friend(test, "Dough")];
    const id = ++users;
    const group = await dong.client.createGroup("Harbour");
    for (const one of [id, dora.id, quitter.id]) await dong.client.invite(group, one);
    /** @type {Message[]} */ const heard = [];
    dong.client.room(group).addEventListener("message", ({ detail }) => heard.push(detail));
    await dong.client.room(group).join();
    await quitter.client.room(group).join();
    await quitter.client.room(group).send("bye");
    await quitter.client.quit(group);
    dora.client.disconnect();
    const { page } = await enter(test, { id, room: "" });
    // Who the members are may come later than one writes.
    let tell = () => {};
    const isTold = new Promise((resolve) => (tell = () => resolve(null)));
    await page.route("**/chatroom/info/**", async (route) => {
      await isTold;
      await route.continue();
    });
    await page.locator("#rooms button", { hasText: "Harbour" }).click();
    const box = page.getByRole("textbox", { name: "Message" });
    await page.getByText("bye").first().waitFor();
    await box.pressSequentially("@do");
    await eventually(() => listed(page), true);
    tell();
    await eventually(() => options(page), ["Dong", "Dora"]);
    await box.press("ArrowDown");
    await box.press("Enter");
    await box.press("Enter");
    await eventually(async () => heard.at(-1)?.mentions, [dora.id]);
    // A pair's other one need not have said anything.
    await dora.client.createPair(id);
    await page.locator("#rooms .name").getByText("Dora", { exact: true }).click();
    await box.pressSequentially("@");
    await eventually(() => options(page), ["Dora"]);
  });

  it("survive an edit, and come back with what was recalled", async (test) => {
    const { page, box, friends: { Dong }, heard } = await visit(test, ["Dong"]);
    await box.pressSequentially("@do");
    await eventually(() => options(page), ["Dong"]);
    await box.press("Enter");
    await box.pressSequentially("hi");
    await box.press("Enter");
    await line(page, 1).locator(".mention").waitFor();
    await pick(page, 1, "Edit");
    await box.pressSequentially(" there @do");
    assert.equal(await listed(page), false, "an edit mentions nobody anew");
    await box.press("Enter");
    await line(page, 1).locator(".edited").waitFor();
    assert.deepEqual(await line(page, 1).locator(".mention").allTextContents(), ["@Dong"]);
    const { messages } = await Dong.room.history({ before: 2 });
    assert.deepEqual(messages.map(({ content, mentions }) => [content, mentions]), [["@Dong hi there @do", [Dong.id]]]);
    await pick(page, 1, "Recall");
    await line(page, 1).getByRole("button", { name: "Write again" }).click();
    assert.equal(await box.inputValue(), "@Dong hi there @do");
    await box.press("Enter");
    await eventually(async () => [heard[1]?.content, heard[1]?.mentions], ["@Dong hi there @do", [Dong.id]]);
  });

  it("stay with a draft in its room, and over a reload", async (test) => {
    const { page, box, room, friends: { Dong }, heard } = await visit(test, ["Dong"]);
    await box.pressSequentially("@do");
    await eventually(() => options(page), ["Dong"]);
    await box.press("Enter");
    await join(page, fresh());
    await eventually(() => box.inputValue(), "");
    await box.fill("@Dong is not meant here");
    await openRoom(page, room);
    assert.equal(await box.inputValue(), "@Dong ");
    await box.pressSequentially("later");
    await eventually(async () => (await onDisk(page, "drafts")).map(({ text, mentions }) => [text, mentions]).find(([text]) => text.endsWith("later")), ["@Dong later", [{ id: Dong.id, name: "Dong" }]]);
    Dong.client.disconnect();
    await page.reload();
    await eventually(() => box.inputValue(), "@Dong later");
    await box.press("Enter");
    await line(page, 1).locator(".mention").waitFor();
    assert.equal(heard.length, 0, "Dong is away");
    const late = await friend(test, "Late", room);
    assert.deepEqual((await late.room.history()).messages.map(({ content, mentions }) => [content, mentions]), [["@Dong later", [Dong.id]]]);
    await eventually(async () => (await onDisk(page, "drafts")).map(({ text }) => text), ["@Dong is not meant here"]);
  });

  it("stay with what was not sent, over a reload", async (test) => {
    const network = await startNetwork(test, run.page);
    const { page, box, friends: { Dong }, heard } = await visit(test, ["Dong"], { address: network.through(run.page) });
    await box.pressSequentially("@do");
    await eventually(() => options(page), ["Dong"]);
    await box.press("Enter");
    network.silence();
    await box.pressSequentially("are you there?");
    await box.press("Enter");
    await page.locator(".sending .mention").getByText("@Dong").waitFor();
    await eventually(async () => (await onDisk(page, "unsent")).map(({ mentions }) => mentions), [[{ id: Dong.id, name: "Dong" }]]);
    network.cut();
    network.up();
    await page.reload();
    await eventually(async () => heard.map(({ content, mentions }) => [content, mentions]), [["@Dong are you there?", [Dong.id]]]);
    await eventually(() => page.locator(".mine[data-id='1'] .mention").allTextContents(), ["@Dong"]);
    await eventually(() => onDisk(page, "unsent"), []);
  });

  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    it(`mark the line that means oneself, and say so in words, ${colorScheme}`, async (test) => {
      const room = fresh();
      const id = ++users;
      const senders = [];
      for (let n = 0; n < 24; n++) senders.push(await friend(test, `Sender ${n}`, room));
      const [dong] = senders;
      const silent = await friend(test, "Silent", room);
      await dong.room.send("@Guang and @Silent, hello", { mentions: [id, silent.id] });
      await dong.room.send("@Silent alone", { mentions: [silent.id] });
      await dong.room.send("@all of you", { mentions: ["all"] });
      await dong.room.send("@Somebody else by now", { mentions: [id] });
      await dong.room.send("@Guang is only written");
      for (const sender of senders) await sender.room.send("@Guang", { mentions: [id] });
      const { page, complaints } = await enter(test, { name: "Guang", id, room, options: { colorScheme } });
      await line(page, 29).waitFor();
      const own = (/** @type {number} */ n) => line(page, n).locator(".mention.own").allTextContents();
      const words = (/** @type {number} */ n) => line(page, n).locator(".meant").allTextContents();
      assert.deepEqual([await own(1), await words(1)], [["@Guang"], ["mentions you"]]);
      // Whoever came before told nobody's name: it is asked for.
      await eventually(() => line(page, 1).locator(".mention").allTextContents(), ["@Guang", "@Silent"]);
      await eventually(() => line(page, 2).locator(".mention").allTextContents(), ["@Silent"]);
      assert.deepEqual([await own(2), await words(2)], [[], []]);
      assert.deepEqual([await own(3), await words(3)], [["@all"], ["mentions you"]]);
      // Under another name it is a text, and yet means oneself.
      assert.deepEqual([await line(page, 4).locator(".mention").count(), await words(4)], [0, ["mentions you"]]);
      assert.deepEqual([await line(page, 5).locator(".mention").count(), await words(5)], [0, []]);
      // All people, and all that stands in such a line, can be read on its ground.
      const found = await page.evaluate(() => [...document.querySelectorAll(".message:has(.meant)")].flatMap((line) => {
        const ground = getComputedStyle(/** @type {Element} */ (line.querySelector(".bubble"))).backgroundColor;
        return [".name", "time", ".content", ".mention.own", ".content"].flatMap((part) => [...line.querySelectorAll(part)].map((element) => {
          const { color, backgroundColor } = getComputedStyle(element);
          return { part, color, ground: part === ".mention.own" ? backgroundColor : ground };
        }));
      }));
      assert.equal(new Set(found.filter(({ part }) => part === ".name").map(({ color }) => color)).size >= 10, true, "many colours of people");
      for (const { part, color, ground } of found) assert.ok(contrast(color, ground) >= 4.5, `${part}: ${color} on ${ground}`);
      for (const n of [1, 2]) {
        const [mention, ground] = await line(page, n).evaluate((line) => [line.querySelector(".mention:not(.own)"), line.querySelector(".bubble")].map((element, at) => getComputedStyle(/** @type {Element} */ (element))[at ? "backgroundColor" : "color"]));
        assert.ok(contrast(mention, ground) >= 4.5, `${mention} on ${ground}`);
      }
      const [meant, plain] = await Promise.all([1, 2].map((n) => line(page, n).locator(".bubble").evaluate((bubble) => getComputedStyle(bubble).backgroundColor)));
      assert.notEqual(meant, plain);
      await page.getByLabel("Language").selectOption("中文");
      assert.deepEqual(await words(1), ["提到了你"]);
      assert.deepEqual(complaints, []);
    });
  }

  it("are told by the list of rooms until they are read, for rooms that were joined by name", async (test) => {
    const { page, room, id, friends: { Dong } } = await visit(test, ["Dong"]);
    await join(page, fresh());
    const badge = page.getByRole("button", { name: `Room ${room}` }).locator(".badge");
    await Dong.room.send("nothing for you");
    await eventually(() => badge.textContent(), "1");
    await Dong.room.send("@Guang, look", { mentions: [id] });
    await Dong.room.send("and more");
    await eventually(() => badge.textContent(), "@ 3");
    await page.getByRole("button", { name: `Room ${room} 3 unread messages, you are mentioned` }).waitFor();
    await openRoom(page, room);
    await eventually(() => badge.isVisible(), false);
    // What is new after that does not mean oneself.
    await join(page, fresh());
    await Dong.room.send("again nothing");
    await eventually(() => badge.textContent(), "1");
  });

  it("are told by the list of rooms on all devices, also who was away", async (test) => {
    const dong = await friend(test, "Dong");
    const id = ++users;
    const group = await dong.client.createGroup("Harbour");
    await dong.client.invite(group, id);
    const room = dong.client.room(group);
    await room.join();
    await room.send("nothing for you");
    await room.send("@Guang, look", { mentions: [id] });
    const { page } = await enter(test, { id, room: "" });
    const other = await enter(test, { id, room: "" });
    for (const window of [page, other.page]) {
      await window.getByRole("button", { name: "Harbour 2 unread messages, you are mentioned" }).waitFor();
      assert.equal(await window.locator("#rooms .badge").textContent(), "@ 2");
    }
    await page.locator("#rooms button", { hasText: "Harbour" }).click();
    for (const window of [page, other.page]) await eventually(() => window.locator("#rooms .badge").isVisible(), false);
    // Whoever is here is told at once, and a newer list does not take it away, which does not know of all.
    await page.close();
    await room.send("@all, once more", { mentions: ["all"] });
    await eventually(() => other.page.locator("#rooms .badge").textContent(), "@ 1");
    const listed = other.page.waitForResponse("**/chatroom/list*");
    await dong.client.invite(await dong.client.createGroup("Garden"), id);
    await listed;
    await other.page.locator("#rooms button", { hasText: "Garden" }).waitFor();
    assert.equal(await other.page.locator("#rooms button", { hasText: "Harbour" }).locator(".badge").textContent(), "@ 1");
  });

  it("are told in the notification while the window is hidden", async (test) => {
    const { page, room, id, friends: { Dong } } = await visit(test, ["Dong"], { options: { permissions: ["notifications"] } });
    const box = page.getByLabel("Notify me when this window is hidden");
    await box.check();
    await eventually(() => box.isEnabled(), true);
    await page.evaluate(() => {
      Object.defineProperties(document, { hidden: { value: true }, visibilityState: { value: "hidden" } });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    const shown = () => page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration("/page/");
      return ((await registration?.getNotifications()) ?? []).map(({ title, body }) => [title, body]);
    });
    await Dong.room.send("hello");
    await eventually(shown, [[`Room ${room}`, "Dong: hello"]]);
    await Dong.room.send("@Guang, look", { mentions: [id] });
    await eventually(shown, [[`Room ${room}`, "Dong mentioned you: @Guang, look"]]);
    await eventually(() => page.locator("#rooms .badge").textContent(), "@ 2");
  });

  for (const [name, window] of /** @type {[string, BrowserContextOptions][]} */ ([
    ["wide", { viewport: { width: 1_280, height: 800 } }],
    ["narrow", { viewport: { width: 320, height: 640 } }],
    ["dark", { viewport: { width: 1_280, height: 800 }, colorScheme: "dark" }],
    ["enlarged four times", { viewport: { width: 320, height: 256 } }],
  ])) {
    it(`have nothing that an accessibility scan finds, and fit, ${name}`, async (test) => {
      const names = [...Array.from({ length: 11 }, (_, at) => `Person ${at}`), `Somebody with a name that is ${"very ".repeat(8)}long`];
      const { page, box, id, friends } = await visit(test, names, { options: { ...window, bypassCSP: true } });
      await friends["Person 0"].room.send("@Guang and @Person 1, hello", { mentions: [id, friends["Person 1"].id] });
      await line(page, 1).locator(".meant").waitFor({ state: "attached" });
      await box.pressSequentially("hello @");
      await eventually(async () => (await options(page)).length, 12);
      await scan(page, "the list");
      const fits = () => page.evaluate(() => {
        const list = /** @type {HTMLElement} */ (document.querySelector("#mentions")).getBoundingClientRect();
        const text = /** @type {HTMLElement} */ (document.querySelector("#text")).getBoundingClientRect();
        const active = /** @type {HTMLElement} */ (document.querySelector("[aria-selected='true']")).getBoundingClientRect();
        return {
          wide: document.documentElement.scrollWidth <= innerWidth,
          inside: list.left >= 0 && list.right <= innerWidth && list.top >= 0 && list.bottom <= text.top,
          active: active.top >= list.top && active.bottom <= list.bottom,
        };
      });
      assert.deepEqual(await fits(), { wide: true, inside: true, active: true });
      // The last one is the longest, and comes into sight.
      await box.press("ArrowUp");
      assert.deepEqual(await fits(), { wide: true, inside: true, active: true });
      await scan(page, "the list's end");
      await box.press("Enter");
      await box.press("Enter");
      await line(page, 2).locator(".mention").waitFor();
      await scan(page, "mentions that were sent");
    });
  }

  /**
   * Guang's window, and friends in the room who are not in a window; `heard` is what the first of them is told.
   * @param {TestContext} test @param {string[]} names @param {Omit<Visit, "room">} [visit]
   */
  async function visit(test, names, visit = {}) {
    const [room, id] = [fresh(), ++users];
    /** @type {Record<string, Awaited<ReturnType<typeof friend>>>} */ const friends = {};
    for (const name of names) friends[name] = await friend(test, name, room);
    /** @type {Message[]} */ const heard = [];
    friends[names[0]].room.addEventListener("message", ({ detail }) => heard.push(detail));
    const { page, complaints } = await enter(test, { id, room, ...visit });
    await page.getByText("Guang joined").first().waitFor();
    const box = page.getByRole("textbox", { name: "Message" });
    return { room, id, friends, heard, page, box, complaints };
  }

  /** @param {TestContext} test @param {Visit} visit */
  function enter(test, visit) {
    return enterPage(test, browser, { address: run.page, ...visit });
  }

  /** @param {TestContext} test @param {string} nickName @param {string} [room] */
  async function friend(test, nickName, room) {
    const id = ++users;
    const getToken = () => run.token({ userId: id, nickName, rooms: ["*", "@mine"] });
    const client = new ChatClient({ ...run, getToken, WebSocket: /** @type {any} */ (WebSocket), features: [Kept, Changes, Reads] });
    test.after(() => client.disconnect());
    await client.connect();
    const joined = client.room(room ?? fresh());
    if (room) await joined.join();
    return { id, client, room: joined };
  }
});

/** Who is offered. @param {Page} page @param {{ name?: string, selected?: boolean }} [which] */
function people(page, which) {
  return page.getByRole("listbox", { name: "Whom to mention" }).getByRole("option", which);
}

/** The same in words, in the list's order. @param {Page} page */
function options(page) {
  return people(page).allTextContents();
}

/** The same in any order. @param {Page} page */
async function offered(page) {
  return (await options(page)).sort();
}

/** Whether the list is open. @param {Page} page */
function listed(page) {
  return page.locator("#mentions").isVisible();
}

/** What the text box says is chosen. @param {Page} page */
function active(page) {
  return page.evaluate(() => document.getElementById(document.activeElement?.getAttribute("aria-activedescendant") ?? "")?.textContent);
}

/** The room that is open. @param {Page} page */
async function heading(page) {
  return String(await page.locator("#room-title").textContent()).replace(/^Room /, "");
}
