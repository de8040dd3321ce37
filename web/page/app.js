// @ts-check
/** The page as an app on a telephone or a desktop. */

const at = (/** @type {string} */ name) => new URL(name, import.meta.url).href;

/**
 * The manifest's file begins the app at the bare address. Where the address says which chat it is, the app has to begin there,
 * so the page makes the manifest itself. A deployment's policy lets it read no file, so what the file says stands here again.
 * @param {HTMLLinkElement} link @param {Location} here
 */
export function beginAppHere(link, { origin, pathname, search }) {
  if (!search) return;
  const colours = { background_color: "#eef2f0", theme_color: "#17634f" };
  const pictures = [192, 512].map((size) => ({ src: at(`icon-${size}.png`), type: "image/png", sizes: `${size}x${size}`, purpose: "any maskable" }));
  const icons = [{ src: at("icon.svg"), type: "image/svg+xml", sizes: "any", purpose: "any" }, ...pictures];
  const start = { start_url: origin + pathname + search, scope: at("../") };
  const manifest = { name: "Chat", short_name: "Chat", ...start, display: "standalone", ...colours, icons };
  link.href = URL.createObjectURL(new Blob([JSON.stringify(manifest)], { type: "application/manifest+json" }));
}
