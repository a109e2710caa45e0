/**
 * The fast lane and the facts, with the real WooCommerce: what happens in the shop is in the daemon at once, whatever is
 * bought, paid, refunded or deleted, and a daemon that is away costs nobody anything.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { at, follow, pictures, visit } from "./lib/browser.mjs";
import { isSigned, startFront } from "./lib/front.mjs";
import { openLab } from "./lib/lab.mjs";
import { until } from "./lib/process.mjs";
import { NO_WOOCOMMERCE, prepareShop } from "./lib/shop.mjs";

const SETTINGS = "/wp-admin/admin.php?page=nivella-credit-wallet-settings";

/** Credits are to be there this long after the payment. */
const VISIBLE_MS = 1000;

/** What a daemon that is away may add to a checkout, beyond the limit of the lane. */
const COST_MS = 100;
const LANE_MS = 2000;

for (const [kind, tables] of [["today's order tables", true], ["orders as posts", false]]) {
  describe(`the fast lane, ${kind}`, { skip: NO_WOOCOMMERCE }, () => {
    let lab, site, daemon, browser, front, shop, page, key, secret;

    const median = (times) => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    /** How many deliveries there were so far. */
    const mark = () => front.deliveries.length;
    /** What the lane brought about an order or product, after the first `since` deliveries. */
    const brought = (id, since = 0) =>
      front.deliveries
        .slice(since)
        .filter(({ agent, raw, answered }) => agent.startsWith("nivella-credit-wallet/") && answered && JSON.parse(raw).id === id);
    const awaitBrought = (id, since) =>
      until(() => brought(id, since).at(-1), { within_s: 10, what: `a delivery about ${id}` });
    const body = (delivery) => JSON.parse(delivery.raw);
    const available = async () => {
      const wallet = await daemon.api(key, "GET", "/v1/wallets/account:shop:customer:2").catch(() => null);
      return wallet ? Number(wallet.available) : 0;
    };
    const rest = async (path, method = "GET") => (await shop.does("rest", { path, method })).done;
    const pay = async (parameters = {}) => {
      const { done, at: paid_at, took_ms } = await shop.does("pay", { product: shop.credits, ...parameters });
      return { order: done[0], orders: done, paid_at, took_ms };
    };
    const waiting = async () => (await shop.does("later")).done;
    /** As a server's own cron does every minute. */
    const cron = async () => {
      await site.wp("cron", "event", "run", "nivella_credit_wallet_catch_up", "--quiet").catch(() => {});
    };

    before(async () => {
      lab = await openLab({ woocommerce: "real" });
      ({ daemon, site, browser } = lab);
      shop = await prepareShop(site, { tables });
      await shop.promise(shop.credits, "1000", "", "");
      await shop.promise(shop.bundle, "5000", "", "");
      front = await startFront(daemon);
      // All that the daemon knows of this shop it is told.
      front.withholdsKeys = true;
      page = await visit(browser, site, "admin", SETTINGS);
      // The editor of an order is large, and a busy machine slow.
      page.setDefaultNavigationTimeout(30_000);
      await at(page, "pairing-code").fill(await front.code());
      await follow(page, () => at(page, "pair").click());
      assert.equal(await at(page, "test-result").getAttribute("data-nivella-code"), "ok");
      // Nobody's admin page may drive WooCommerce's queue meanwhile.
      await page.goto("about:blank");
      key = await daemon.key("admin");
      secret = JSON.parse(await site.wp("option", "get", "nivella_credit_wallet_shop", "--format=json")).secret;
    });
    after(async () => {
      await lab?.close();
      await front?.close();
    });

    it("shows credits within a second of each payment, with no cron and no visitor", async (t) => {
      const times = [];
      for (const buy of ["pay", "buysAtBlocks", "buysAtClassic", "pay", "buysAtBlocks", "buysAtClassic"]) {
        const had = buy === "pay" ? await available() : null;
        const bought = buy === "pay" ? await pay() : await shop[buy](shop.credits);
        const paid_at = bought.paid_at ?? bought.at;
        const seen = await awaitBrought(bought.order, 0);
        assert.equal(JSON.parse(seen.answer).result, "granted", `${buy}: ${seen.answer}`);
        if (had !== null) assert.equal(await available(), had + 1000);
        times.push(seen.answered - paid_at);
      }
      t.diagnostic(`granted ${times.join(", ")} ms after the shop's answer`);
      assert.ok(median(times) < VISIBLE_MS, `${times} ms`);
    });

    it("brings several orders of one request, each once and in order", async () => {
      const { orders, paid_at } = await pay({ count: 5 });
      await awaitBrought(orders[4]);
      const ids = front.deliveries.map((delivery) => body(delivery).id).filter((id) => orders.includes(id));
      assert.deepEqual(ids, orders);
      assert.ok(brought(orders[4])[0].answered - paid_at < LANE_MS + 500);
    });

    it("signs as WooCommerce does, with the facts as REST shows them", async () => {
      const { order } = await pay({ quantity: 2 });
      const delivery = await awaitBrought(order);
      assert.ok(isSigned(delivery, secret));
      const { nivella, ...told } = body(delivery);
      assert.deepEqual(told, await rest(`/wc/v3/orders/${order}`), "the body WooCommerce builds");
      assert.deepEqual(Object.keys(nivella), ["version", "told_at", "refunds", "products", "categories"]);
      assert.match(nivella.told_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      assert.deepEqual(nivella.refunds, []);
      const product = await rest(`/wc/v3/products/${shop.credits}`);
      const [row] = nivella.products;
      for (const name of ["id", "parent_id", "sku", "name", "permalink", "price", "status"]) {
        assert.deepEqual(row[name], product[name], name);
      }
      assert.deepEqual(row.categories, product.categories.map(({ id, name, slug }) => ({ id, name, slug })));
      assert.deepEqual(row.meta_data, [{ key: "_nivella_credits", value: "1000" }]);
      assert.deepEqual(nivella.categories, [{ id: shop.tokens, name: "Tokens", slug: "tokens", parent: 0 }]);
    });

    it("names a category's ancestors, and brings nothing that is not about credits", async () => {
      const { order } = await pay({ product: shop.bundle });
      const { nivella } = body(await awaitBrought(order));
      assert.deepEqual(nivella.categories.map(({ slug }) => slug), ["bundles", "tokens"]);
      const { order: other } = await pay({ product: shop.shirt });
      await sleep(1500);
      assert.deepEqual(brought(other), []);
    });

    it("brings a refund's lines, a refund that is deleted, and an order that is deleted for good", async () => {
      const had = await available();
      const { order } = await pay({ quantity: 2 });
      await awaitBrought(order);
      let since = mark();
      const { done: refund } = await shop.does("refund", { order, amount: "10" });
      let seen = await awaitBrought(order, since);
      assert.deepEqual(body(seen).nivella.refunds, await rest(`/wc/v3/orders/${order}/refunds`));
      assert.equal(body(seen).nivella.refunds[0].line_items[0].quantity, -1);
      assert.equal(JSON.parse(seen.answer).result, "clawed_back");
      assert.equal(await available(), had + 1000);

      // WooCommerce tells nobody of this: no webhook, and the order's date does not move.
      since = mark();
      await rest(`/wc/v3/orders/${order}/refunds/${refund}`, "DELETE");
      seen = await awaitBrought(order, since);
      assert.deepEqual(body(seen).nivella.refunds, []);
      await until(async () => (await available()) === had + 2000, { what: "the credits given back" });

      since = mark();
      await shop.does("delete", { order });
      seen = await awaitBrought(order, since);
      assert.equal(body(seen).status, "trash");
      since = mark();
      await shop.does("untrash", { order });
      seen = await awaitBrought(order, since);
      assert.equal(body(seen).status, "processing");
      since = mark();
      await shop.does("delete", { order, force: 1 });
      seen = await awaitBrought(order, since);
      assert.equal(seen.topic, "order.deleted");
      assert.equal(body(seen).nivella.gone, true);
    });

    it("brings a refund from the order screen, and its deletion", async () => {
      const had = await available();
      const { order } = await pay();
      await awaitBrought(order);
      let since = mark();
      await page.goto(
        site.url + (tables ? `/wp-admin/admin.php?page=wc-orders&action=edit&id=${order}` : `/wp-admin/post.php?post=${order}&action=edit`),
      );
      page.on("dialog", (dialog) => dialog.accept());
      await page.locator("button.refund-items").click();
      await page.locator("input.refund_order_item_qty").first().fill("1");
      await page.locator("input.refund_order_item_qty").first().dispatchEvent("change");
      await follow(page, () => page.locator("button.do-manual-refund").click());
      let seen = await awaitBrought(order, since);
      assert.equal(body(seen).nivella.refunds.length, 1);
      assert.equal(body(seen).nivella.refunds[0].line_items.length, 1);
      assert.equal(await available(), had);
      since = mark();
      await page.locator("a.delete_refund").first().dispatchEvent("click");
      seen = await awaitBrought(order, since);
      assert.deepEqual(body(seen).nivella.refunds, []);
      await page.goto("about:blank");
    });

    it("brings meta data that change by themselves", async () => {
      const { order } = await pay();
      await awaitBrought(order);
      for (const act of ["line-meta", "order-meta"]) {
        // Today's order tables save an order for its meta once in a second and tell nobody of more: a second later they do.
        const second = Math.floor(Date.now() / 1000);
        await until(() => Date.now() / 1000 >= second + 2, { what: "the next second" });
        const since = mark();
        await shop.does(act, { order, value: `site-${act}` });
        const seen = await awaitBrought(order, since);
        assert.ok(seen.raw.includes(`site-${act}`), act);
      }
    });

    it("brings a product whose categories change, if it is about credits before or after", async () => {
      let since = mark();
      await shop.does("categories", { product: shop.shirt, terms: shop.bundles });
      let seen = await awaitBrought(shop.shirt, since);
      assert.equal(seen.topic, "product.updated");
      assert.deepEqual(body(seen).nivella.categories.map(({ slug }) => slug), ["bundles", "tokens"]);
      since = mark();
      await shop.does("categories", { product: shop.shirt, terms: shop.apparel });
      await awaitBrought(shop.shirt, since);
      since = mark();
      await shop.does("rename", { term: shop.bundles, name: "Packs" });
      seen = await awaitBrought(shop.bundle, since);
      assert.equal(body(seen).nivella.categories[0].name, "Packs");
      since = mark();
      await shop.does("rename", { term: shop.apparel, name: "Clothes" });
      await sleep(1000);
      assert.deepEqual(brought(shop.shirt, since), []);
    });

    it("lets WooCommerce's own deliveries come too, with the same facts, and nothing changes", async () => {
      // A webhook of somebody else gets what it always got.
      await site.wp(
        "eval",
        `$hook = new WC_Webhook(); $hook->set_name( 'crm' ); $hook->set_user_id( 1 ); $hook->set_topic( 'order.updated' ); $hook->set_secret( 's' );
         $hook->set_delivery_url( '${front.url}/crm' ); $hook->set_status( 'active' ); $hook->save();`,
      );
      const { order } = await pay();
      const own = await awaitBrought(order);
      const had = await available();
      await shop.does("queue");
      const theirs = front.deliveries.filter((delivery) => delivery.agent.startsWith("WooCommerce/") && body(delivery).id === order);
      assert.deepEqual(theirs.map(({ topic }) => topic).sort(), ["order.created", "order.updated"]);
      for (const delivery of theirs) {
        assert.equal(delivery.status, 200);
        assert.equal(JSON.parse(delivery.answer).result, "unchanged");
        const [a, b] = [body(delivery), body(own)];
        delete a.nivella.told_at;
        delete b.nivella.told_at;
        assert.deepEqual(a, b);
      }
      assert.equal(await available(), had);
      const crm = front.others.filter(({ url }) => url === "/crm").map(({ raw }) => raw.toString());
      assert.ok(crm.some((raw) => raw.includes(`"id":${order},`)), "the other webhook heard nothing");
      assert.ok(crm.every((raw) => !raw.includes('"nivella"')), "facts went to somebody else");
    });

    it("builds a whole body in a request that does not load WooCommerce's routes", async () => {
      // WooCommerce itself sends an error instead when it delivers inside a block checkout.
      await site.wp("eval", `file_put_contents( WPMU_PLUGIN_DIR . '/now.php', "<?php add_filter( 'woocommerce_webhook_deliver_async', '__return_false' );" );`);
      const { order } = await shop.buysAtBlocks(shop.credits);
      await awaitBrought(order);
      await site.wp("eval", "unlink( WPMU_PLUGIN_DIR . '/now.php' );");
      const all = front.deliveries.filter((delivery) => body(delivery).id === order);
      assert.ok(all.length >= 2, "WooCommerce's own delivery came too");
      for (const delivery of all) assert.equal(body(delivery).nivella.products[0].id, shop.credits, delivery.topic);
      assert.ok(!front.deliveries.some(({ raw }) => raw.includes("rest_no_route")));
    });

    for (const mode of ["away", "silent"]) {
      it(`costs a customer nothing when the daemon is ${mode}, and catches up by itself`, async (t) => {
        front.mode = mode;
        const [usual, down, orders] = [[], [], []];
        for (let i = 0; i < 5; i++) {
          const bought = await shop.buysAtClassic(shop.credits);
          down.push(bought.took_ms);
          orders.push(bought.order);
          assert.equal(Number(bought.headers.get("content-length")) > 0, true, "the browser knows when it has all");
          // Of a shirt the daemon is never told. In turns, because the machine may do other things.
          usual.push((await shop.buysAtClassic(shop.shirt)).took_ms);
        }
        t.diagnostic(`checkout with the daemon ${mode} ${down} ms, of a shirt ${usual} ms`);
        assert.ok(Math.max(...down) < Math.max(...usual) + LANE_MS + COST_MS, `${down} ms, of a shirt ${usual} ms`);
        // Only the first asks; the browser has its answer before even that.
        assert.ok(median(down) < median(usual) + COST_MS + Math.max(...usual) - Math.min(...usual), `${down} ms, of a shirt ${usual} ms`);
        const all = orders.map((order) => `nivella_credit_wallet_later_order_${order}`);
        await until(async () => { const names = await waiting(); return all.every((name) => names.includes(name)); }, { what: "all of them waiting" });

        await page.goto(site.url + SETTINGS);
        assert.match(await at(page, "waiting").innerText(), /\d+ changes wait/);
        assert.equal(await at(page, "fault").count() > 0, true);
        if (mode === "silent") await pictures(page, `lane-${mode}`);
        await page.goto("about:blank");

        front.mode = null;
        const since = mark();
        await cron();
        for (const order of orders) {
          await awaitBrought(order, since);
          // An admin page drives WooCommerce's own queue too, which may have been the first.
          const results = front.deliveries.filter((delivery) => delivery.answer && body(delivery).id === order).map(({ answer }) => JSON.parse(answer).result);
          assert.ok(results.includes("granted"), `${order}: ${results}`);
        }
        assert.deepEqual(await waiting(), []);
        assert.equal(await site.wp("cron", "event", "list", "--hook=nivella_credit_wallet_catch_up", "--format=count"), "0");
      });
    }

    it("switches webhooks on again that WooCommerce gave up, when the daemon is back", async () => {
      const give = (id, status, failures) =>
        site.wp("eval", `$hook = new WC_Webhook( ${id} ); $hook->set_status( '${status}' ); $hook->set_failure_count( ${failures} ); $hook->save();`);
      const { webhooks } = JSON.parse(await site.wp("option", "get", "nivella_credit_wallet_shop", "--format=json"));
      // What is in the queue would succeed, and clear the count.
      await shop.does("queue");
      // The first fails for the seventh time; the other was switched off by somebody.
      await give(webhooks["order.updated"], "active", 6);
      await give(webhooks["product.deleted"], "disabled", 0);
      front.mode = "away";
      await pay({ product: shop.shirt });
      await shop.does("queue");
      const state = (topic) => site.wp("eval", `echo ( new WC_Webhook( ${webhooks[topic]} ) )->get_status();`);
      assert.equal(await state("order.updated"), "disabled");
      front.mode = null;
      await cron();
      assert.equal(await state("order.updated"), "active");
      assert.equal(await state("product.deleted"), "disabled");
    });

    it("leaves no notice of PHP behind", async () => {
      const log = await site.debugLog();
      assert.ok(!/nivella-credit-wallet\//i.test(log), log.slice(0, 3000));
    });
  });
}
