// @ts-check
/** Every word of the page, in both languages. Only this file puts words into the page, so that they change with the language. */

/** @typedef {Record<string, any>} Values */
/** @typedef {Record<string, string | ((values: Values) => string)>} Words */

/** Why something failed, by a `ChatError`'s code, for people. @type {Record<"en" | "zh", Record<string, string>>} */
export const reasons = {
  en: {
    offline: "you are offline",
    connectionLost: "the connection was lost",
    unreachable: "the chat cannot be reached",
    token: "you could not be signed in",
    identity: "this name or user id cannot be used",
    refused: "your token was not accepted; it may have expired",
    tooManyConnections: "it is open in too many windows",
    badRequest: "this cannot be sent",
    tooLarge: "this is too large",
    notAllowed: "you may not do this here",
    notJoined: "you are not in this room",
    notFound: "the message is not there any more",
    tooLate: "it is too late for that",
    tooMany: "there are too many already",
    rateLimited: "too much at once; wait a moment",
    tooManyRooms: "you are in too many rooms; leave one first",
    queueFull: "too many messages are waiting to be sent",
    unknown: "it is not known whether the message was sent",
    left: "you have left the room",
    removed: "you are not in this room any more",
    cancelled: "it was cancelled",
    disconnected: "you have left",
    uploadFailed: "the file could not be saved",
    notifyDenied: "this browser does not allow it",
    notifyFailed: "this browser cannot be notified",
    barred: "you may not write here for now",
    rejected: "it was not accepted",
    signInDenied: "the sign-in was given up or not allowed",
    signInFailed: "the sign-in did not work",
    signInForeign: "this sign-in was not begun here; sign in again",
    signInUnreachable: "the sign-in service cannot be reached",
    internal: "the chat has a problem",
  },
  zh: {
    offline: "你已离线",
    connectionLost: "连接已断开",
    unreachable: "无法连接到聊天服务",
    token: "无法登录",
    identity: "这个名字或用户编号不可用",
    refused: "令牌未被接受，可能已过期",
    tooManyConnections: "打开的窗口太多",
    badRequest: "无法发送此内容",
    tooLarge: "内容太大",
    notAllowed: "你没有这里的权限",
    notJoined: "你不在这个房间里",
    notFound: "消息已不存在",
    tooLate: "已超过可操作的时间",
    tooMany: "数量已达上限",
    rateLimited: "操作太频繁，请稍候",
    tooManyRooms: "加入的房间太多，请先离开一个",
    queueFull: "等待发送的消息太多",
    unknown: "无法确认消息是否已发送",
    left: "你已离开房间",
    removed: "你已不在这个房间里",
    cancelled: "已取消",
    disconnected: "你已离开",
    uploadFailed: "文件未能保存",
    notifyDenied: "浏览器不允许通知",
    notifyFailed: "此浏览器无法接收通知",
    barred: "你暂时不能在这里发言",
    rejected: "内容未被接受",
    signInDenied: "登录已取消或未获允许",
    signInFailed: "登录未成功",
    signInForeign: "此登录不是在这里开始的，请重新登录",
    signInUnreachable: "无法连接到登录服务",
    internal: "聊天服务出了问题",
  },
};

/** Of all other codes, a person only needs to know that it was not their mistake. @param {"en" | "zh"} language @param {string} code */
function because(language, code) {
  return reasons[language][code] ?? reasons[language].internal;
}

/** @type {Record<"en" | "zh", Words>} */
const languages = {
  en: {
    title: "Chat",
    language: "Language",
    welcome: "Come in",
    localHint: "A second window can be a second user.",
    remoteHint: ({ hosts }) => `Your token goes to ${hosts}, and nowhere else.`,
    signInHint: ({ provider, hosts }) => `You sign in at ${provider}. Your token goes to ${hosts}, and nowhere else.`,
    signInLost: "This sign-in was begun in another window. Open the chat by its link again.",
    signInEnded: "Your sign-in has ended. Sign in again: what you wrote is kept.",
    signIn: "Sign in",
    missingInAddress: ({ name }) => `“${name}” is missing in this page's address.`,
    badAddress: ({ name, protocols }) => `“${name}” in this page's address must be an address of ${protocols}.`,
    identity: "Who you are",
    name: "Name",
    userId: "User id",
    picture: "Picture (web address, optional)",
    token: "Token",
    room: "Room",
    enter: "Enter",
    rooms: "Rooms",
    newRoom: "New room",
    join: "Join",
    leave: "Leave",
    back: "Back to the rooms",
    roomTitle: ({ id }) => `Room ${id}`,
    noRoom: "Choose a room",
    unread: ({ count, isMentioned }) => `${count === 1 ? "1 unread message" : `${count} unread messages`}${isMentioned ? ", you are mentioned" : ""}`,
    mentionWhom: "Whom to mention",
    mentionFound: ({ count, name }) => `${count === 1 ? "1 person" : `${count} people`}: ${name}`,
    mentionChosen: ({ name }) => `${name} is mentioned`,
    mentionsYou: "mentions you",
    mentionedYou: ({ name }) => `${name} mentioned you`,
    newer: ({ count }) => (count === 1 ? "1 new message ↓" : `${count} new messages ↓`),
    toEnd: "To the newest ↓",
    find: "Find in this room",
    findBack: "Look further back",
    found: ({ count, more }) => `${count === 0 ? "Nothing" : count === 1 ? "1 message" : `${number(count)} messages`} found${more ? " so far" : ""}.`,
    close: "Close",
    openInWindow: "Open in a new window",
    brokenPicture: "This picture cannot be shown.",
    emojis: "Emoji",
    copyLink: "Copy link",
    linkCopied: "The link is copied.",
    linkIs: "Link to the message",
    signedIn: "You are",
    signOut: "Sign out",
    signOutSure: ({ count }) => (count === 1 ? "Press again: 1 message was not sent" : `Press again: ${count} messages were not sent`),
    notifyHidden: "Notify me when this window is hidden",
    maybeSent: "Nobody knows whether this was sent.",
    kind: "Kind of message",
    text: "Text",
    image: "Image",
    file: "File",
    message: "Message",
    send: "Send",
    messages: ({ id }) => `Messages of room ${id}`,
    older: "Older messages",
    loading: "Loading…",
    beginning: "This is where the room begins.",
    joined: ({ name }) => `${name} joined`,
    left: ({ name }) => `${name} left`,
    you: "You",
    user: ({ id }) => `User ${id}`,
    pictureOf: ({ name }) => `Picture from ${name}`,
    erased: "This message was erased.",
    edited: "edited",
    recalled: ({ name }) => `${name} recalled a message`,
    youRecalled: "You recalled a message",
    writeAgain: "Write again",
    actions: "What to do with this message",
    reply: "Reply",
    edit: "Edit",
    recall: "Recall",
    reactWith: ({ emoji }) => `React with ${emoji}`,
    reactions: "Reactions",
    reacted: ({ emoji, names }) => `${emoji} ${names.length}: ${names.join(", ")}`,
    quote: "To the message that this one answers",
    earlier: "an earlier message",
    replying: ({ name }) => `In reply to ${name}:`,
    editing: "Editing:",
    cancel: "Cancel",
    save: "Save",
    here: ({ count, more }) => `${number(count)}${more ? "+" : ""} here`,
    membersHere: ({ members, count }) => `${members === 1 ? "1 member" : `${members} members`}, ${number(count)} here`,
    hereNow: "here",
    owner: "owner",
    takeOut: "Take out",
    takeOutWho: ({ name }) => `Take ${name} out of the group`,
    invite: "Invite",
    quit: "Quit the group",
    quitSure: "Press again to quit",
    removed: ({ name, id }) => `You are not in ${name ?? `room ${id}`} any more.`,
    making: "New conversation",
    makeKind: "Kind of conversation",
    group: "Group",
    pair: "With one person",
    groupName: "What to call it",
    withWhom: "With whom (id)",
    whomToInvite: "Whom to invite (id)",
    make: "Create",
    notify: "Notify me when I am away",
    someMessage: "New message",
    newMessages: "New messages",
    read: "Read",
    attach: "Attach files",
    uploading: "How much of the file is saved",
    notSaved: ({ code }) => `Not sent: ${because("en", code)}.`,
    messagesOf: ({ name }) => `Messages of ${name}`,
    namedProblem: ({ name, code }) => `${name}: ${because("en", code)}`,
    people: "Who is here",
    others: ({ count }) => (count === 1 ? "and 1 other" : `and ${number(count)} others`),
    typingOne: ({ name }) => `${name} is typing…`,
    typingMany: ({ count }) => `${count} are typing…`,
    newsEdited: ({ name, text }) => `${name} edited a message: ${text}`,
    newsReacted: ({ name, emoji, text }) => `${name} reacted with ${emoji}: ${text}`,
    sending: "sending…",
    notSent: "Not sent.",
    retry: "Retry",
    discard: "Discard",
    tooLong: ({ max }) => `A message has at most ${max} characters.`,
    needsUrl: "An image or a file needs a web address: https://…",
    connecting: "Connecting…",
    connected: "Connected",
    disconnected: ({ code }) => `Not connected: ${because("en", code)}`,
    retryIn: ({ seconds }) => ` · again in ${seconds} s`,
    problem: ({ code }) => because("en", code),
    roomProblem: ({ id, code }) => `Room ${id}: ${because("en", code)}`,
    badRoom: "There can be no room with this name.",
    refused: ({ code }) => `You are not let in: ${because("en", code)}`,
    asModerator: "As a moderator",
    moderate: "Moderate",
    moderation: "Moderation of this room",
    slowMode: "Slow mode",
    pace: ({ seconds }) => (seconds === 0 ? "off" : `a message every ${lasting.en(seconds).replace(/^an? /, "")}`),
    lasting: ({ seconds }) => lasting.en(seconds),
    lookAgain: "Look again",
    barredNow: "Muted and banned",
    nobodyBarred: "Nobody",
    muteUntil: ({ until }) => `muted until ${when(until)}`,
    banUntil: ({ until }) => `banned until ${when(until)}`,
    lift: "Lift",
    liftWho: ({ name }) => `Lift it for ${name}`,
    reports: "Reports",
    noReports: "None",
    moreReports: "Older reports",
    report: "Report…",
    reportWhat: ({ name }) => `Report a message from ${name}`,
    reportWhy: "What is wrong with it?",
    reportNow: "Report",
    youReported: ({ name }) => `You reported a message from ${name}`,
    mute: "Mute…",
    muteWho: ({ name }) => `Mute ${name}`,
    muteNow: "Mute",
    ban: "Ban…",
    banWho: ({ name }) => `Ban ${name}`,
    banNow: "Ban",
    kick: "Take out of the room",
    forHowLong: "For how long",
    youMuted: ({ name, until }) => `You muted ${name} until ${when(until)}`,
    youBanned: ({ name, until }) => `You banned ${name} until ${when(until)}`,
    youKicked: ({ name }) => `You took ${name} out of the room`,
    youLifted: ({ name }) => `${name} may write and come in again`,
    mutedUntil: ({ until }) => `You cannot write here until ${when(until)}.`,
    tryWriting: "Try again",
    banned: ({ name, id, until }) => `You are banned from ${name ?? `room ${id}`}${until === undefined ? "" : ` until ${when(until)}`}.`,
    kicked: ({ name, id }) => `You were taken out of ${name ?? `room ${id}`}. You may come in again.`,
    slowed: "Slow mode.",
    slowEvery: ({ seconds }) => `Slow mode: one message every ${lasting.en(seconds).replace(/^an? /, "")}.`,
    slowNext: ({ ms }) => `You may write again in ${Math.ceil(ms / 1_000)} s.`,
    slowWait: ({ ms }) => `Slow mode: you may write again in ${Math.ceil(ms / 1_000)} s.`,
    rejected: ({ reason }) => `Not sent: ${reason}`,
    notChanged: ({ reason }) => `Not changed: ${reason}`,
  },
  zh: {
    title: "聊天室",
    language: "语言",
    welcome: "进入聊天室",
    localHint: "再开一个窗口，就可以是另一位用户。",
    remoteHint: ({ hosts }) => `令牌只会发送到 ${hosts}。`,
    signInHint: ({ provider, hosts }) => `你将在 ${provider} 登录。令牌只会发送到 ${hosts}。`,
    signInLost: "此登录是在另一个窗口开始的。请通过链接重新打开聊天室。",
    signInEnded: "登录已过期，请重新登录。你写的内容都已保留。",
    signIn: "登录",
    missingInAddress: ({ name }) => `本页地址中缺少“${name}”。`,
    badAddress: ({ name, protocols }) => `本页地址中的“${name}”必须是 ${protocols} 地址。`,
    identity: "你的身份",
    name: "名字",
    userId: "用户 ID",
    picture: "头像（网址，可不填）",
    token: "令牌",
    room: "房间",
    enter: "进入",
    rooms: "房间",
    newRoom: "新房间",
    join: "加入",
    leave: "离开",
    back: "返回房间列表",
    roomTitle: ({ id }) => `房间 ${id}`,
    noRoom: "请选择房间",
    unread: ({ count, isMentioned }) => `${count} 条未读消息${isMentioned ? "，有人提到了你" : ""}`,
    mentionWhom: "提及的人",
    mentionFound: ({ count, name }) => `${count} 人：${name}`,
    mentionChosen: ({ name }) => `已提及 ${name}`,
    mentionsYou: "提到了你",
    mentionedYou: ({ name }) => `${name} 提到了你`,
    newer: ({ count }) => `${count} 条新消息 ↓`,
    toEnd: "回到最新 ↓",
    find: "在此房间查找",
    findBack: "查找更早的消息",
    found: ({ count, more }) => `${more ? "目前" : ""}找到 ${number(count)} 条消息。`,
    close: "关闭",
    openInWindow: "在新窗口打开",
    brokenPicture: "无法显示这张图片。",
    emojis: "表情",
    copyLink: "复制链接",
    linkCopied: "链接已复制。",
    linkIs: "消息的链接",
    signedIn: "当前用户",
    signOut: "退出登录",
    signOutSure: ({ count }) => `再按一次：有 ${count} 条消息未发送`,
    notifyHidden: "窗口在后台时通知我",
    maybeSent: "无法确认是否已发送。",
    kind: "消息类型",
    text: "文字",
    image: "图片",
    file: "文件",
    message: "消息",
    send: "发送",
    messages: ({ id }) => `房间 ${id} 的消息`,
    older: "更早的消息",
    loading: "加载中…",
    beginning: "这里是房间的开头。",
    joined: ({ name }) => `${name} 加入了`,
    left: ({ name }) => `${name} 离开了`,
    you: "你",
    user: ({ id }) => `用户 ${id}`,
    pictureOf: ({ name }) => `${name} 的图片`,
    erased: "此消息已被删除。",
    edited: "已编辑",
    recalled: ({ name }) => `${name} 撤回了一条消息`,
    youRecalled: "你撤回了一条消息",
    writeAgain: "重新编辑",
    actions: "对此消息的操作",
    reply: "回复",
    edit: "编辑",
    recall: "撤回",
    reactWith: ({ emoji }) => `用 ${emoji} 回应`,
    reactions: "回应",
    reacted: ({ emoji, names }) => `${emoji} ${names.length}：${names.join("、")}`,
    quote: "跳到被回复的消息",
    earlier: "更早的一条消息",
    replying: ({ name }) => `回复 ${name}：`,
    editing: "编辑：",
    cancel: "取消",
    save: "保存",
    here: ({ count, more }) => `${number(count)}${more ? "+" : ""} 人在线`,
    membersHere: ({ members, count }) => `${members} 名成员，${number(count)} 人在线`,
    hereNow: "在线",
    owner: "群主",
    takeOut: "移出",
    takeOutWho: ({ name }) => `将 ${name} 移出群聊`,
    invite: "邀请",
    quit: "退出群聊",
    quitSure: "再按一次退出",
    removed: ({ name, id }) => `你已不在“${name ?? `房间 ${id}`}”中。`,
    making: "新的会话",
    makeKind: "会话类型",
    group: "群聊",
    pair: "单聊",
    groupName: "群聊名称",
    withWhom: "对方的 ID",
    whomToInvite: "被邀请人的 ID",
    make: "创建",
    notify: "离开时通知我",
    someMessage: "新消息",
    newMessages: "新消息",
    read: "已读",
    attach: "添加文件",
    uploading: "文件保存进度",
    notSaved: ({ code }) => `未发送：${because("zh", code)}。`,
    messagesOf: ({ name }) => `${name}的消息`,
    namedProblem: ({ name, code }) => `${name}：${because("zh", code)}`,
    people: "在线的人",
    others: ({ count }) => `还有 ${number(count)} 人`,
    typingOne: ({ name }) => `${name} 正在输入…`,
    typingMany: ({ count }) => `${count} 人正在输入…`,
    newsEdited: ({ name, text }) => `${name} 编辑了一条消息：${text}`,
    newsReacted: ({ name, emoji, text }) => `${name} 用 ${emoji} 回应了：${text}`,
    sending: "发送中…",
    notSent: "未发送。",
    retry: "重试",
    discard: "放弃",
    tooLong: ({ max }) => `一条消息最多 ${max} 个字符。`,
    needsUrl: "图片或文件需要网址：https://…",
    connecting: "连接中…",
    connected: "已连接",
    disconnected: ({ code }) => `未连接：${because("zh", code)}`,
    retryIn: ({ seconds }) => ` · ${seconds} 秒后重试`,
    problem: ({ code }) => because("zh", code),
    roomProblem: ({ id, code }) => `房间 ${id}：${because("zh", code)}`,
    badRoom: "不能使用这个房间名。",
    refused: ({ code }) => `无法进入：${because("zh", code)}`,
    asModerator: "作为管理员",
    moderate: "管理",
    moderation: "管理此房间",
    slowMode: "慢速模式",
    pace: ({ seconds }) => (seconds === 0 ? "关闭" : `每 ${lasting.zh(seconds)}一条消息`),
    lasting: ({ seconds }) => lasting.zh(seconds),
    lookAgain: "刷新",
    barredNow: "被禁言和被封禁的人",
    nobodyBarred: "没有",
    muteUntil: ({ until }) => `禁言至 ${when(until)}`,
    banUntil: ({ until }) => `封禁至 ${when(until)}`,
    lift: "解除",
    liftWho: ({ name }) => `为 ${name} 解除`,
    reports: "举报",
    noReports: "没有",
    moreReports: "更早的举报",
    report: "举报…",
    reportWhat: ({ name }) => `举报 ${name} 的消息`,
    reportWhy: "有什么问题？",
    reportNow: "举报",
    youReported: ({ name }) => `你举报了 ${name} 的一条消息`,
    mute: "禁言…",
    muteWho: ({ name }) => `禁言 ${name}`,
    muteNow: "禁言",
    ban: "封禁…",
    banWho: ({ name }) => `封禁 ${name}`,
    banNow: "封禁",
    kick: "请出房间",
    forHowLong: "时长",
    youMuted: ({ name, until }) => `你已将 ${name} 禁言至 ${when(until)}`,
    youBanned: ({ name, until }) => `你已将 ${name} 封禁至 ${when(until)}`,
    youKicked: ({ name }) => `你已将 ${name} 请出房间`,
    youLifted: ({ name }) => `${name} 可以重新发言和进入`,
    mutedUntil: ({ until }) => `你在 ${when(until)} 之前不能在这里发言。`,
    tryWriting: "再试一次",
    banned: ({ name, id, until }) => `你已被“${name ?? `房间 ${id}`}”封禁${until === undefined ? "" : `，直至 ${when(until)}`}。`,
    kicked: ({ name, id }) => `你已被请出“${name ?? `房间 ${id}`}”，可以再次进入。`,
    slowed: "慢速模式。",
    slowEvery: ({ seconds }) => `慢速模式：每 ${lasting.zh(seconds)}一条消息。`,
    slowNext: ({ ms }) => `${Math.ceil(ms / 1_000)} 秒后可以再次发言。`,
    slowWait: ({ ms }) => `慢速模式：${Math.ceil(ms / 1_000)} 秒后可以再次发言。`,
    rejected: ({ reason }) => `未发送：${reason}`,
    notChanged: ({ reason }) => `未更改：${reason}`,
  },
};

/** The word that each element shows. @type {WeakMap<Element, { word: string, values: Values }>} */
const said = new WeakMap();

/** @type {"en" | "zh"} */
let language = "en";
/** How times and days are written: the browser's variant of the language. */
let locale = "en";

/** @param {string} word @param {Values} [values] */
export function inWords(word, values = {}) {
  const text = languages[language][word];
  return typeof text === "function" ? text(values) : text;
}

/** Shows a word in an element, and again when the language changes. @param {Element} element @param {string} word @param {Values} [values] */
export function say(element, word, values = {}) {
  said.set(element, { word, values });
  element.setAttribute("data-word", word);
  element.textContent = inWords(word, values);
}

/** The same for a label that only a screen reader says. @param {Element} element @param {string} word @param {Values} [values] */
export function label(element, word, values = {}) {
  said.set(element, { word, values });
  element.setAttribute("data-label", word);
  element.setAttribute("aria-label", inWords(word, values));
}

/** The same for what stands in an empty field. @param {Element} input @param {string} word */
export function ask(input, word) {
  input.setAttribute("data-placeholder", word);
  input.setAttribute("placeholder", inWords(word));
}

/** Units of time, in seconds, the longest first. @type {Record<"en" | "zh", [seconds: number, one: string, many: string][]>} */
const units = {
  en: [[31_536_000, "a year", "years"], [604_800, "a week", "weeks"], [86_400, "a day", "days"], [3_600, "an hour", "hours"], [60, "a minute", "minutes"], [1, "a second", "seconds"]],
  zh: [[31_536_000, "1 年", "年"], [604_800, "1 周", "周"], [86_400, "1 天", "天"], [3_600, "1 小时", "小时"], [60, "1 分钟", "分钟"], [1, "1 秒", "秒"]],
};

/** How long something lasts, in its largest unit. */
const lasting = { en: (/** @type {number} */ seconds) => last("en", seconds), zh: (/** @type {number} */ seconds) => last("zh", seconds) };

/** @param {"en" | "zh"} language @param {number} seconds */
function last(language, seconds) {
  const [size, one, many] = units[language].find(([size]) => seconds % size === 0) ?? units[language][5];
  return seconds === size ? one : `${number(seconds / size)} ${many}`;
}

/** A time of today, or with its day; what is over soon, to the second. @param {number | string} time */
function when(time) {
  const date = new Date(time);
  if (date.toDateString() !== new Date().toDateString()) return date.toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });
  return date.toLocaleTimeString(locale, { timeStyle: date.getTime() - Date.now() < 120_000 ? "medium" : "short" });
}

/** @param {number} count */
function number(count) {
  return count.toLocaleString(locale);
}

/** @param {HTMLTimeElement} time @param {Date} date */
export function sayTime(time, date) {
  time.dateTime = date.toISOString();
  time.dataset.time = "";
  time.textContent = date.toLocaleTimeString(locale, { timeStyle: "short" });
  time.title = date.toLocaleString(locale, { dateStyle: "full", timeStyle: "medium" });
}

/** @param {HTMLTimeElement} time @param {Date} date */
export function sayDay(time, date) {
  time.dateTime = date.toISOString();
  time.dataset.day = "";
  time.textContent = date.toLocaleDateString(locale, { dateStyle: "full" });
}

/** The language that was chosen before, or that the browser prefers. */
export function preferredLanguage() {
  const preferred = [localStorage.getItem("language") ?? "", ...navigator.languages].map((name) => name.slice(0, 2));
  return preferred.includes("zh") && !preferred.slice(0, preferred.indexOf("zh")).includes("en") ? "zh" : "en";
}

/** @param {string} chosen */
export function speak(chosen) {
  language = chosen === "zh" ? "zh" : "en";
  locale = navigator.languages.find((name) => name.startsWith(language)) ?? language;
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) {
    const { word, values } = said.get(element) ?? { word: String(element.getAttribute("data-word")), values: {} };
    element.textContent = inWords(word, values);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    const { word, values } = said.get(element) ?? { word: String(element.getAttribute("data-label")), values: {} };
    element.setAttribute("aria-label", inWords(word, values));
  }
  for (const input of document.querySelectorAll("[data-placeholder]")) ask(input, String(input.getAttribute("data-placeholder")));
  for (const time of document.querySelectorAll("time")) {
    if ("day" in time.dataset) sayDay(time, new Date(time.dateTime));
    else sayTime(time, new Date(time.dateTime));
  }
}
