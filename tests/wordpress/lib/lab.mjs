/** A WordPress, a daemon and a browser, started side by side for a file of tests. */
import { startBrowser } from "./browser.mjs";
import { startDaemon } from "./daemon.mjs";
import { startWordPress } from "./wordpress.mjs";

/** Starts all three; when one cannot be started the others are stopped again, and it says why. */
export async function openLab({ woocommerce = "none" } = {}) {
  const results = await Promise.allSettled([startDaemon(), startWordPress({ woocommerce }), startBrowser()]);
  const [daemon, site, browser] = results.map(({ value }) => value);
  const close = () => Promise.all([browser?.close(), site?.stop(), daemon?.remove()]);
  const failed = results.find(({ status }) => status === "rejected");
  if (failed) {
    await close();
    throw failed.reason;
  }
  return { daemon, site, browser, close };
}
