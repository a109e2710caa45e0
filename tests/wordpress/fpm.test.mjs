/** The fast lane with PHP-FPM, as most shops run: the customer has their answer before the daemon is even asked. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { at, follow, visit } from "./lib/browser.mjs";
import { NO_FPM, serveWithFpm } from "./lib/fpm.mjs";
import { startFront } from "./lib/front.mjs";
import { openLab } from "./lib/lab.mjs";
import { until } from "./lib/process.mjs";
import { NO_WOOCOMMERCE, prepareShop } from "./lib/shop.mjs";

describe("the fast lane with PHP-FPM", { skip: NO_WOOCOMMERCE || NO_FPM }, () => {
  let lab, site, daemon, front, shop, fpm;

  before(async () => {
    lab = await openLab({ woocommerce: "real" });
    ({ site, daemon } = lab);
    shop = await prepareShop(site);
    await shop.promise(shop.credits, "1000", "", "");
    front = await startFront(daemon);
    fpm = await serveWithFpm(site);
    // Nothing is compiled yet.
    for (const path of ["/", "/wp-admin/admin-ajax.php", "/wp-login.php"]) await (await fetch(site.url + path)).arrayBuffer();
    const page = await visit(lab.browser, site, "admin", "/wp-admin/admin.php?page=nivella-credit-wallet-settings");
    await at(page, "pairing-code").fill(await front.code());
    await follow(page, () => at(page, "pair").click());
    assert.equal(await at(page, "test-result").getAttribute("data-nivella-code"), "ok");
    await page.context().close();
  });
  after(async () => {
    await fpm?.stop();
    await lab?.close();
    await front?.close();
  });

  it("answers the customer first, however long the daemon takes, and is there within a second", async (t) => {
    const [took, seen] = [[], []];
    for (const late_ms of [0, 1500]) {
      Object.assign(front, { mode: late_ms ? "late" : null, late_ms });
      for (const buy of ["buysAtBlocks", "buysAtClassic", "buysAtBlocks", "buysAtClassic"]) {
        const { order, took_ms, at: answered_at } = await shop[buy](shop.credits);
        const delivery = await until(
          () => front.deliveries.find(({ raw, answered }) => answered && JSON.parse(raw).id === order),
          { what: `order ${order}` },
        );
        took.push(took_ms);
        seen.push(delivery.answered - answered_at);
        assert.ok(delivery.answered - answered_at > late_ms * 0.8, "the customer waited for the daemon");
      }
    }
    t.diagnostic(`checkouts ${took} ms; granted ${seen} ms after the answer, the last four by a daemon that takes 1500 ms`);
    assert.ok([...seen.slice(0, 4)].sort((a, b) => a - b)[2] < 1000, `${seen}`);
  });

  it("catches up with any request, without cron", async () => {
    front.mode = "away";
    const { order } = await shop.buysAtClassic(shop.credits);
    await until(async () => (await shop.does("later")).done.length === 1, { what: "it to wait" });
    Object.assign(front, { mode: null });
    // Half a minute later somebody looks at a page.
    await site.wp("eval", "wp_clear_scheduled_hook( 'nivella_credit_wallet_catch_up' ); $memory = get_option( 'nivella_credit_wallet_lane' ); $memory['down_until'] = 0; update_option( 'nivella_credit_wallet_lane', $memory ); wp_schedule_single_event( time(), 'nivella_credit_wallet_catch_up' );");
    await fetch(`${site.url}/`).then((answer) => answer.text());
    await until(() => front.deliveries.find(({ raw, answered }) => answered && JSON.parse(raw).id === order), { what: "the order" });
    assert.deepEqual((await shop.does("later")).done, []);
  });
});
