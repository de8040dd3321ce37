/** Chromium, as the system has it. */
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

/** @import { BrowserContext } from "playwright-core" */

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Without a sandbox, which containers do not allow, and without calls home, which would only fail. */
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
 * A window of its own, with nothing kept from others, which remembers what it should not say.
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
