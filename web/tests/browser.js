/** The system's own Chromium. */
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

/** @import { BrowserContext } from "playwright-core" */

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** No sandbox, because containers do not allow one. No calls home, because they would only fail. */
const OPTIONS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function startBrowser() {
  const executablePath = process.env.CHROMIUM ?? PLACES.find(existsSync);
  if (!executablePath) throw new Error("no Chromium: install one (.ci/browser does), or name it in CHROMIUM");
  return chromium.launch({ executablePath, args: OPTIONS });
}

/**
 * A window that shares nothing with others. It collects errors, warnings and dialogs, which a test wants to be none.
 * @param {BrowserContext} context
 */
export async function openWindow(context) {
  const page = await context.newPage();
  /** @type {string[]} */ const complaints = [];
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  return { page, complaints };
}
