/** The shop: each customer sees one wallet, their own, whatever their browser asks for. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { accessibilityFaults, at, balance, follow, pictures, refresh, visit } from "./lib/browser.mjs";
import { openLab } from "./lib/lab.mjs";
import { NO_WOOCOMMERCE } from "./lib/shop.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";

for (const woocommerce of ["stub", "real"]) {
  const skip = woocommerce === "real" && NO_WOOCOMMERCE;

  describe(`My Account with ${woocommerce === "stub" ? "a stub of WooCommerce" : "WooCommerce"}`, { skip }, () => {
    let lab, site, daemon, browser, alice, bob;

    before(async () => {
      lab = await openLab({ woocommerce });
      ({ daemon, site, browser } = lab);
      await daemon.deliver("02-paid-order-one-token");
      await daemon.deliver("03-quantity-3");
      await daemon.deliver("07-guest/006-order.updated");
      await site.settings({ url: daemon.url, key: await daemon.key("admin"), store: "lab" });
      alice = await visit(browser, site, "alice", "/my-account/");
      bob = await visit(browser, site, "bob", "/my-account/");
    });
    after(() => lab?.close());

    it("has a menu entry, before Log out, that leads each customer to their own wallet", async () => {
      for (const [page, credits] of [
        [alice, "4000"],
        [bob, "1000"],
      ]) {
        const menu = await page.locator(".woocommerce-MyAccount-navigation a").allInnerTexts();
        assert.deepEqual(menu.slice(-2).map((words) => words.trim()), ["AI Credits", "Log out"]);
        await follow(page, () => page.getByRole("link", { name: "AI Credits" }).first().click());
        assert.equal(page.url(), `${site.url}/my-account/ai-credits/`);
        assert.equal(await balance(page), credits);
        assert.equal(await page.getByRole("heading", { level: 1 }).first().innerText(), "AI Credits");
      }
      await pictures(alice, `my-account-${woocommerce}`);
      assert.deepEqual(await accessibilityFaults(alice, ".nivella"), []);
    });

    it("shows a purchase after Refresh", async () => {
      await daemon.deliver("13-failed-then-paid");
      await refresh(alice);
      assert.equal(await balance(alice), "5000");
      await refresh(bob);
      assert.equal(await balance(bob), "1000");
    });

    it("does not let the browser choose whose wallet it shows", async () => {
      for (const query of [
        "customer=2",
        "user_id=2",
        "user=alice",
        "wallet=account:lab:customer:2",
        "nivella_site=account:lab:customer:2",
        "ai-credits=2",
      ]) {
        await bob.goto(`${site.url}/my-account/ai-credits/?${query}`);
        assert.equal(await balance(bob), "1000", query);
        assert.equal((await bob.content()).includes("5,000"), false, query);
      }
      await bob.goto(`${site.url}/my-account/ai-credits/2/`);
      assert.equal(await balance(bob), "1000");
      await bob.goto(`${site.url}/my-account/ai-credits/`);
    });

    it("gives nobody a file or a refresh of another's wallet", async () => {
      const hers = await at(alice, "csv").getAttribute("href");
      const his = await at(bob, "csv").getAttribute("href");
      const download = (page, url) => page.request.get(url, { failOnStatusCode: false });

      const own = await download(bob, his);
      assert.equal(own.status(), 200);
      assert.match(await own.text(), /1000/);
      // Her link is worth nothing to him: what proves that it was meant is bound to her.
      assert.equal((await download(bob, hers)).status(), 403);
      assert.equal((await download(bob, `${his}&customer=2`)).status(), 403);

      const form = await bob.locator("form.nivella-refresh").evaluate((element) => ({
        url: element.getAttribute("action"),
        fields: Object.fromEntries(new FormData(element)),
      }));
      const forged = await bob.request.post(form.url, {
        form: { ...form.fields, customer: "2" },
        failOnStatusCode: false,
        maxRedirects: 0,
      });
      assert.equal(forged.status(), 403);
    });

    it("shows customers nothing of wp-admin", async () => {
      const other = await visit(browser, site, "bob", "/");
      await other.goto(`${site.url}${PAGE}&customer=2`);
      assert.equal(await at(other, "wallet").count(), 0);
      await other.context().close();
    });

    it("tells a customer who never bought anything so, and not that something is broken", async () => {
      const admin = await visit(browser, site, "admin", "/my-account/ai-credits/");
      assert.equal(await at(admin, "wallet").getAttribute("data-nivella-state"), "none");
      await admin.context().close();
    });

    it("shows the shortcode's wallet to its owner, and a login to everybody else", async () => {
      // Whatever somebody writes into the shortcode, it stays the visitor's own wallet.
      const content = "[nivella_credit_wallet wallet=account:lab:customer:2 customer=2 id=2]";
      const made = ["post", "create", "--post_type=page", "--post_status=publish", "--post_title=Credits"];
      await site.wp(...made, `--post_content=${content}`);
      await bob.goto(`${site.url}/credits/`);
      assert.equal(await balance(bob), "1000");
      assert.deepEqual(await accessibilityFaults(bob, ".nivella"), []);
      await pictures(bob, `shortcode-${woocommerce}`);

      const nobody = await visit(browser, site, null, "/credits/");
      await at(nobody, "login").waitFor();
      assert.equal(await at(nobody, "wallet").count(), 0);
      await nobody.context().close();
    });

    it("lets staff look a customer up", async () => {
      const staff = await visit(browser, site, "admin", PAGE);
      await staff.getByRole("searchbox").fill("alice");
      await follow(staff, () => staff.getByRole("button", { name: "Search wallets" }).click());
      // An order of Bob's was billed to Alice Doe, too.
      const hers = staff.locator("tr").filter({ hasText: "alice@example.com" });
      await follow(staff, () => hers.locator('[data-nivella="wallet-link"]').first().click());
      await at(staff, "customer-name").waitFor();
      assert.equal(await balance(staff), "5000");
      await pictures(staff, `shop-${woocommerce}`);
      assert.deepEqual(await accessibilityFaults(staff, ".nivella-wrap"), []);
      assert.deepEqual(staff.complaints, []);
      await staff.context().close();
    });

    it("keeps a customer's last figures when the daemon is gone, without technical words", async () => {
      await alice.goto(`${site.url}/my-account/ai-credits/`);
      await daemon.kill();
      await refresh(alice);
      // Customers cannot force a new question while a failure is remembered; their page may still be fresh.
      assert.equal(await balance(alice), "5000");
      assert.equal(await at(alice, "wallet").getAttribute("data-nivella-state"), "stale");
      assert.match(await at(alice, "stale").innerText(), /last known figures, \d+ \w+ old/);
      assert.equal(await at(alice, "reason").count(), 0);
      await pictures(alice, `my-account-daemon-down-${woocommerce}`);
      await daemon.start();
    });

    it("says that it works with WooCommerce's order tables and checkout blocks", { skip: woocommerce === "real" }, async () => {
      const declared = await site.wp(
        "eval",
        "echo wp_json_encode( Automattic\\WooCommerce\\Utilities\\FeaturesUtil::$declared );",
      );
      const plugin = { "nivella-credit-wallet/nivella-credit-wallet.php": true };
      assert.deepEqual(JSON.parse(declared), { custom_order_tables: plugin, cart_checkout_blocks: plugin });
    });

    it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
      const log = await site.debugLog();
      // The real WooCommerce has notices of its own; ours name our plugin's folder or our text domain.
      const ours = woocommerce === "stub" ? log : log.split("\n").filter((line) => line.includes("nivella-credit-wallet")).join("\n");
      assert.equal(ours, "");
      if (woocommerce === "stub") assert.equal(await site.outsideLog(), "");
      assert.deepEqual([...alice.complaints, ...bob.complaints], []);
    });
  });
}
