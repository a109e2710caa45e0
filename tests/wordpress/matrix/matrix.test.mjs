/** The plugin in old and new WordPress on old and new PHP: every page opens, shows the wallet, and nothing complains. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { at, balance, startBrowser, visit } from "../lib/browser.mjs";
import { startDaemon } from "../lib/daemon.mjs";
import { startPlayground } from "./playground.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";
// WebAssembly takes about a second for a request, the first ones more.
const PATIENCE_MS = 60_000;

// MATRIX=6.2/7.4 tries just that one.
const only = process.env.MATRIX;

for (const wp of ["6.2", "6.5", "7.1"]) {
  for (const php of ["7.4", "8.3", "8.5"]) {
    if (only && only !== `${wp}/${php}`) continue;
    describe(`WordPress ${wp} on PHP ${php}`, () => {
      let daemon, browser, site, page;

      before(async () => {
        daemon = await startDaemon();
        browser = await startBrowser();
        await daemon.deliver("12-line-meta-site-id/001-order.created");
        const settings = { url: daemon.url, key: await daemon.key("site:site-123"), store: "" };
        site = await startPlayground({ wp, php, settings });
        page = await visit(browser, site, "admin", "/wp-admin/", { patience_ms: PATIENCE_MS });
      });
      after(() => Promise.all([browser?.close(), site?.stop(), daemon?.remove()]));

      it("is that WordPress", () => assert.ok(site.version.startsWith(wp), site.version));

      it("shows the balance on the wallet page and on the dashboard", async () => {
        await page.goto(site.url + PAGE);
        assert.equal(await balance(page), "1000");
        await page.goto(`${site.url}/wp-admin/index.php`);
        assert.equal(await balance(page), "1000");
      });

      it("opens its settings and tests the connection", async () => {
        await page.goto(`${site.url}${PAGE}-settings`);
        await at(page, "test-connection").click();
        await at(page, "test-result").waitFor();
        assert.equal(await at(page, "test-result").getAttribute("data-nivella-code"), "ok");
      });

      it("keeps the last figures when the daemon is gone", async () => {
        await daemon.kill();
        await page.goto(site.url + PAGE);
        await at(page, "refresh").click();
        await page.waitForLoadState();
        assert.equal(await balance(page), "1000");
        await daemon.start();
      });

      it("leaves no notice of PHP behind", async () => {
        const log = await site.debugLog();
        const ours = log.split("\n").filter((line) => line.includes("nivella") || line.includes("Fatal"));
        assert.deepEqual(ours, []);
        assert.deepEqual(page.complaints, []);
      });
    });
  }
}
