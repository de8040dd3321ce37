// @ts-check
/** Who is notified of a message, of what, and how often. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { signedBy } from "./push-service.js";
import { startRecipe } from "./recipe.js";

const recipe = await startRecipe();

it("notifies who is away, and neither who is there nor who speaks", async () => {
  const { service, keys } = recipe;
  const [guang, mei] = [await recipe.person("Guang"), await recipe.person("Mei")];
  const dong = await recipe.away("Dong");
  const more = await recipe.browser(dong.id);
  const [speaks, isThere] = [await recipe.browser(guang.id), await recipe.browser(mei.id)];
  const room = await recipe.group(guang, [mei, dong]);
  await mei.client.room(room.id).join();
  await recipe.say(room, "The boat leaves at nine.");
  const told = { room: room.id, id: 1, name: "Harbour", sender: "Guang", type: "text", text: "The boat leaves at nine.", user: String(dong.id) };
  for (const browser of [dong, more]) assert.deepEqual(browser.told(), [told]);
  assert.deepEqual([speaks.told(), isThere.told()], [[], []]);
  const post = service.posts.find(({ path }) => path === dong.browser.path);
  assert.ok(post && signedBy(post, keys.publicKey));
  assert.deepEqual([post.headers.urgency, post.headers["content-encoding"]], ["normal", "aes128gcm"]);
});

it("notifies who is connected and not in the room: nothing was pushed there", async () => {
  const [guang, mei] = [await recipe.person("Guang"), await recipe.person("Mei")];
  const browser = await recipe.browser(mei.id);
  const room = await recipe.group(guang, [mei]);
  await recipe.say(room, "hello");
  assert.equal(browser.told().length, 1);
});

it("notifies who has only a connection that expired", async () => {
  const guang = await recipe.person("Guang");
  const dong = await recipe.away("Dong");
  const room = await recipe.group(guang, [dong]);
  const row = { PK: `ROOM#${room.id}`, SK: "CONN#a", userId: dong.id, joinedAt: 0, join: 1 };
  await recipe.put({ ...row, expiresAt: Math.floor(Date.now() / 1_000) - 1 });
  await recipe.say(room, "hello");
  assert.equal(dong.told().length, 1);
});

it("notifies whom the message means before all others, and more urgently", async () => {
  const { service } = recipe;
  const guang = await recipe.person("Guang");
  const others = [await recipe.away("A"), await recipe.away("B"), await recipe.away("C"), await recipe.away("D")];
  const [, , meant] = others;
  const room = await recipe.group(guang, others);
  const before = service.posts.length;
  // Nobody else is told as long as the answer to this post is not there.
  service.answer = async ({ path }) => {
    if (path === meant.browser.path) await new Promise((resolve) => setImmediate(resolve));
    return 201;
  };
  await recipe.say(room, "@C look", { mentions: [meant.id] });
  const posts = service.posts.slice(before);
  assert.deepEqual([posts.length, posts[0].path, posts[0].headers.urgency, posts[1].headers.urgency], [4, meant.browser.path, "high", "normal"]);
});

it("is told in a pair by the other one's name, and of a picture or a file without its address", async () => {
  const guang = await recipe.person("Guang");
  const dong = await recipe.away("Dong");
  const room = guang.client.room(await guang.client.createPair(dong.id));
  await room.join();
  await recipe.say(room, "x".repeat(159) + "𠮷𠮷");
  const { id } = await room.sendImage("https://example.com/cat.png");
  await recipe.notify(recipe.event(room.id, id));
  const [text, image] = dong.told();
  assert.deepEqual([text.name, text.sender, text.text], [undefined, "Guang", `${"x".repeat(159)}…`]);
  assert.deepEqual([image.type, image.text], ["image", undefined]);
});

it("fits into a post whatever is said by whomever, wherever", async () => {
  const guang = await recipe.person("🦊".repeat(60));
  const dong = await recipe.away("Dong");
  const room = await recipe.group(guang, [dong], "🦊".repeat(60));
  await recipe.say(room, `a${"\u0001".repeat(3_998)}z`);
  await recipe.say(room, "🦊".repeat(4_000));
  assert.deepEqual(dong.told().map(({ text }) => [...text].length), [160, 160]);
});

it("shows nothing of the text where previews are off", async (test) => {
  process.env.PREVIEW = "off";
  test.after(() => void (process.env.PREVIEW = "on"));
  const { handler } = await import(String("../src/notify.js?without-previews"));
  const guang = await recipe.person("Guang");
  const dong = await recipe.away("Dong");
  const room = await recipe.group(guang, [dong]);
  const { id } = await room.send("a secret");
  await handler(recipe.event(room.id, id));
  assert.deepEqual(dong.told(), [{ room: room.id, id: 1, name: "Harbour", sender: "Guang", type: "text", user: String(dong.id) }]);
});

it("notifies once of an event that comes twice", async () => {
  const guang = await recipe.person("Guang");
  const dong = await recipe.away("Dong");
  const room = await recipe.group(guang, [dong]);
  const event = await recipe.say(room, "hello");
  await recipe.notify(event);
  await recipe.notify(event);
  assert.equal(dong.told().length, 1);
});

it("gives two posts of one message the same topic, so that the later one replaces the other", async () => {
  const { service } = recipe;
  const guang = await recipe.person("Guang");
  const dong = await recipe.away("Dong");
  const room = await recipe.group(guang, [dong]);
  service.answer = () => 503;
  const { id } = await room.send("hello");
  await assert.rejects(recipe.notify(recipe.event(room.id, id)), /1 of 1 posts/);
  service.answer = () => 201;
  await recipe.notify(recipe.event(room.id, id));
  await recipe.say(room, "and again");
  const topics = service.posts.filter(({ path }) => path === dong.browser.path).map(({ headers }) => String(headers.topic));
  assert.equal(topics.length, 3);
  assert.ok(topics[0] === topics[1] && topics[0] !== topics[2], topics.join(" "));
  assert.match(topics[0], /^[\w-]{1,32}$/);
});

it("forgets a browser that its push service does not know any more", async () => {
  const { service } = recipe;
  const guang = await recipe.person("Guang");
  const dong = await recipe.away("Dong");
  const [gone, notFound] = [await recipe.browser(dong.id), await recipe.browser(dong.id)];
  const room = await recipe.group(guang, [dong]);
  service.answer = ({ path }) => (path === gone.browser.path ? 410 : path === notFound.browser.path ? 404 : 201);
  await recipe.say(room, "one");
  service.answer = () => 201;
  await recipe.say(room, "two");
  assert.deepEqual([gone, notFound, dong].map(({ told }) => told().length), [1, 1, 2]);
});

for (const status of [429, 500, 503]) {
  it(`fails where a push service answers ${status}, and the next attempt asks that one alone`, async () => {
    const { service } = recipe;
    const guang = await recipe.person("Guang");
    const [dong, mei] = [await recipe.away("Dong"), await recipe.away("Mei")];
    const room = await recipe.group(guang, [dong, mei]);
    service.answer = ({ path }) => (path === dong.browser.path ? status : 201);
    const { id } = await room.send("hello");
    const event = recipe.event(room.id, id);
    await assert.rejects(recipe.notify(event), /1 of 2 posts are to be tried again/);
    await assert.rejects(recipe.notify(event), /1 of 1 posts are to be tried again/);
    service.answer = () => 201;
    await recipe.notify(event);
    await recipe.notify(event);
    assert.deepEqual([dong.told().length, mei.told().length], [3, 1]);
  });
}

it("gives up what a push service refuses, and logs neither endpoints nor what was said", async (test) => {
  const { service } = recipe;
  const guang = await recipe.person("Guang");
  const dong = await recipe.away("Dong");
  const room = await recipe.group(guang, [dong]);
  service.answer = () => 403;
  const said = [test.mock.method(console, "log"), test.mock.method(console, "error")];
  await recipe.say(room, "a secret");
  service.answer = () => 201;
  const lines = said.flatMap(({ mock }) => mock.calls.map(({ arguments: [line] }) => String(line))).join("\n");
  assert.match(lines, /"host":"127\.0\.0\.1:\d+","status":403/);
  for (const secret of ["a secret", "/push/", dong.browser.path, dong.browser.subscription.keys.auth, recipe.keys.privateKey]) assert.ok(!lines.includes(secret), secret);
  await recipe.say(room, "and again");
  assert.equal(dong.told().length, 2);
});

it("tells nobody of what was recalled, erased or has expired by then", async () => {
  const guang = await recipe.person("Guang");
  const dong = await recipe.away("Dong");
  const room = await recipe.group(guang, [dong]);
  for (const [name, value] of [["deletedAt", Date.now()], ["eraseTime", Date.now()], ["isVoid", true], ["expiresAt", 1]]) {
    const { id } = await room.send("taken back");
    const event = recipe.event(room.id, id);
    await recipe.set(event.detail.room, event.detail.key, String(name), value);
    await recipe.notify(event);
  }
  await recipe.notify(recipe.event(room.id, 4_711));
  assert.deepEqual(dong.told(), []);
});

it("tells nobody who is banned, has quit, or was shut out", async () => {
  const guang = await recipe.person("Guang");
  const [banned, wasBanned, hasQuit, isOut, isBack] = [await recipe.away("A"), await recipe.away("B"), await recipe.away("C"), await recipe.away("D"), await recipe.away("E")];
  const room = await recipe.group(guang, [banned, wasBanned, hasQuit, isOut, isBack]);
  const now = Math.floor(Date.now() / 1_000);
  await room.send("so that there is a head");
  await recipe.set(`ROOM#${room.id}`, "HEAD", "banned", { [banned.id]: now + 3_600, [wasBanned.id]: now - 1 });
  await guang.client.quit(room.id, hasQuit.id);
  await recipe.set(`USER#${isOut.id}`, "PROFILE", "revokedAt", now + 60);
  // Who comes back with a new token subscribes with it.
  await recipe.set(`USER#${isBack.id}`, "PROFILE", "revokedAt", now + 60);
  const anew = await recipe.browser(isBack.id, now + 61);
  await recipe.say(room, "hello");
  assert.deepEqual([banned, wasBanned, hasQuit, isOut, isBack, anew].map(({ told }) => told().length), [0, 1, 0, 0, 0, 1]);
});

it("tells nobody of rooms that are not kept, of changes and of reports", async () => {
  const { notify, event } = recipe;
  const { detail } = event("g-V1hW3zQ1q4LxvcjnTv_ueQ", 1);
  const before = recipe.service.posts.length;
  await notify(event("1", 1));
  await notify(event("g-1", 1));
  await notify({ detail: { ...detail, event: "MODIFY" } });
  await notify({ detail: { ...detail, key: "REPORT#0000000000000001#7" } });
  await notify({ detail });
  assert.equal(recipe.service.posts.length, before);
});

it("costs what is said of a room of ten", async (test) => {
  const guang = await recipe.person("Guang");
  const others = [];
  for (let count = 1; count < 10; count++) others.push(await recipe.away(`Away ${count}`));
  // At the server's pace, nine invitations would take ten seconds.
  const room = await recipe.group(guang, []);
  await recipe.set(`ROOM#${room.id}`, "INFO", "members", new Set([guang, ...others].map(({ id }) => String(id))));
  const [{ id }, next] = [await room.send("hello"), await room.send("and again")];
  /** @type {string[]} */ const asked = [];
  const units = { read: 0, written: 0 };
  const { send } = /** @type {any} */ (DynamoDBDocumentClient.prototype);
  test.mock.method(DynamoDBDocumentClient.prototype, "send", /** @this {unknown} */ async function (/** @type {any} */ command) {
    command.input.ReturnConsumedCapacity = "TOTAL";
    const answer = await send.call(this, command);
    const name = command.constructor.name.replace("Command", "");
    asked.push(name);
    for (const { CapacityUnits } of [answer.ConsumedCapacity].flat()) units[name === "Put" ? "written" : "read"] += CapacityUnits;
    return answer;
  });
  await recipe.notify(recipe.event(room.id, id));
  assert.deepEqual(others.map(({ told }) => told().length), Array(9).fill(1));
  assert.deepEqual(asked, ["BatchGet", "Get", "Query", "BatchGet", "BatchGet", "Put"]);
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8").replace(/\s+/g, " ");
  const [, read] = /nine of whom are away with a browser each: ([\d.]+) read units, one write unit/.exec(readme) ?? [];
  assert.deepEqual(units, { read: Number(read), written: 1 });
  // Where everybody is there.
  for (const { id } of others) await recipe.put({ PK: `ROOM#${room.id}`, SK: `CONN#${id}`, userId: id, expiresAt: 4_000_000_000 });
  Object.assign(units, { read: 0, written: 0 });
  await recipe.notify(recipe.event(room.id, next.id));
  const [, less] = /Where everybody is there it is ([\d.]+) read units/.exec(readme) ?? [];
  assert.deepEqual(units, { read: Number(less), written: 0 });
});

it("posts nowhere else once the list of push services is shorter", async (test) => {
  const guang = await recipe.person("Guang");
  const dong = await recipe.away("Dong");
  const room = await recipe.group(guang, [dong]);
  process.env.PUSH_SERVICES = "push.example.com";
  test.after(() => void (process.env.PUSH_SERVICES = recipe.service.host));
  const { handler } = await import(String("../src/notify.js?another-list"));
  const { id } = await room.send("hello");
  await handler(recipe.event(room.id, id));
  assert.deepEqual(dong.told(), []);
});
