/** A daemon that is there but cannot be believed: the page keeps its head, its last figures, and its time. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { at, balance, refresh, visit } from "./lib/browser.mjs";
import { openLab } from "./lib/lab.mjs";
import { LIES, startLiar } from "./lib/liar.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";
const PAGE_MS_MAX = 3500;

describe("the wallet page with a daemon that lies", () => {
  let lab, site, daemon, browser, page, liar;

  before(async () => {
    lab = await openLab();
    ({ daemon, site, browser } = lab);
    await daemon.deliver("12-line-meta-site-id/001-order.created");
    liar = await startLiar(daemon.url);
    await site.settings({ url: liar.url, key: await daemon.key("site:site-123"), store: "" });
    page = await visit(browser, site, "admin", PAGE);
  });
  after(() => Promise.all([lab?.close(), liar?.stop()]));

  for (const lie of Object.keys(LIES)) {
    it(`answers in time with the last known balance after ${lie}`, async () => {
      liar.lie = null;
      await refresh(page);
      assert.equal(await at(page, "wallet").getAttribute("data-nivella-state"), "fresh");
      assert.equal(await balance(page), "1000");

      liar.lie = lie;
      await refresh(page);
      const took_ms = await page.evaluate(() => {
        const [visit] = performance.getEntriesByType("navigation");
        return visit.responseEnd - visit.requestStart;
      });
      assert.ok(took_ms < PAGE_MS_MAX, `the page took ${Math.round(took_ms)} ms`);
      assert.equal(await at(page, "wallet").getAttribute("data-nivella-state"), "stale");
      assert.equal(await balance(page), "1000");
      assert.match(await at(page, "stale").innerText(), /last known figures, \d+ \w+ old/);
      assert.notEqual(await page.title(), "owned");
      assert.equal(await page.locator(".nivella-wrap script").count(), 0);
    });
  }

  it("does not make the next visitor wait for a daemon that is known to be silent", async () => {
    liar.lie = "silence";
    await refresh(page);
    liar.asked.length = 0;
    const began = Date.now();
    await page.goto(site.url + PAGE);
    assert.ok(Date.now() - began < 2000, `it took ${Date.now() - began} ms`);
    assert.deepEqual(liar.asked, []);
    assert.equal(await balance(page), "1000");
  });

  it("never followed a redirect", () => {
    assert.ok(!liar.asked.includes("/elsewhere"));
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    assert.equal(await site.debugLog(), "");
    assert.equal(await site.outsideLog(), "");
    assert.deepEqual(page.complaints, []);
  });
});
