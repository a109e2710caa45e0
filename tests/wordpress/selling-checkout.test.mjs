/** Credits bought at a real WooCommerce's two checkouts: for which website, and that the order says so. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { accessibilityFaults, follow, pictures, visit } from "./lib/browser.mjs";
import { NO_WOOCOMMERCE, openShop } from "./lib/shop.mjs";

const KINDS = (process.env.CHECKOUT || "classic block").split(" ");
const NOT_THEIRS = /Credits for the website "bob-site" cannot be bought with this account/;

describe("buying credits with WooCommerce", { skip: NO_WOOCOMMERCE }, () => {
  let shop, site, browser;

  before(async () => {
    shop = await openShop();
    ({ site, browser } = shop);
    await shop.promise(shop.credits, "1000", "30d", "paid");
    await shop.promise(shop.pack, "500", "1y", "paid");
    await shop.promise(shop.variations.large, "6000", "", "");
  });
  after(() => shop?.close());

  /** Somebody with an empty cart; WooCommerce keeps that of a user from one visit to the next. */
  const buyer = async (name, options) => {
    await shop.php(
      "global $wpdb; $wpdb->query( \"DELETE FROM {$wpdb->prefix}woocommerce_sessions\" ); delete_metadata( 'user', 0, '_woocommerce_persistent_cart_1', '', true );",
    );
    return visit(browser, site, name, "/shop/", { patience_ms: 45_000, ...options });
  };

  it("takes no promise from a customer who posts one as an attribute", async () => {
    const lines = JSON.parse(
      await shop.php(`
        WC()->frontend_includes(); WC()->initialize_session(); WC()->initialize_cart();
        // Its attributes were taken away after its variations were made: WooCommerce takes any that are posted.
        $shirt = new WC_Product_Variable(); $shirt->set_name( "Shirt" ); $shirt->save();
        $large = new WC_Product_Variation(); $large->set_parent_id( $shirt->get_id() ); $large->set_regular_price( "1" ); $large->save();
        $_REQUEST = array( "add-to-cart" => $shirt->get_id(), "variation_id" => $large->get_id(), "attribute_size" => "L",
          "attribute__nivella_credits" => "999999", "attribute__nivella_attribute_kind" => "paid", "attribute__nivella_site_id" => "bob-site" );
        WC_Form_Handler::add_to_cart_action();
        $order = new WC_Order();
        WC()->checkout()->create_order_line_items( $order, WC()->cart );
        $order->save();
        $found = array();
        foreach ( wc_get_order( $order->get_id() )->get_items() as $item ) { $found[] = wp_list_pluck( $item->get_meta_data(), "value", "key" ); }
        WC()->cart->empty_cart();
        echo wp_json_encode( $found );`),
    );
    assert.deepEqual(lines, [{ size: "L" }], "its own attribute, and nothing of ours");
  });

  for (const kind of KINDS) {
    describe(`the ${kind} checkout`, () => {
      before(async () => {
        await shop.use(kind);
        await shop.ask("optional");
      });

      const choose = async (page, id) => {
        await page.getByLabel(/Website for your credits/).selectOption(id);
      };
      const other = (page) => page.getByLabel("ID of the other website");
      const typed = (page) => page.getByLabel(/ID of the website for your credits/);

      it("takes one of the customer's websites for the lines that have none, and the order says it everywhere", async () => {
        const page = await buyer("alice");
        await shop.add(page, shop.credits);
        await shop.add(page, shop.credits, "alice-blog");
        await shop.add(page, shop.variations.large);
        await shop.add(page, shop.shirt);
        await page.goto(site.url + shop.cart);
        await page.getByText("alice-blog").first().waitFor();
        await page.getByText("6,000 AI Credits, valid for 1 year").first().waitFor();
        await pictures(page, `selling-cart-${kind}`);
        await shop.openCheckout(page);
        await choose(page, "alice-shop");
        assert.ok(!(await other(page).isVisible()));
        await pictures(page, `selling-checkout-${kind}`);
        assert.deepEqual(await accessibilityFaults(page, kind === "block" ? ".wp-block-woocommerce-checkout-additional-information-block" : ".nivella-site-field"), []);
        const before_ = (await site.mails()).length;
        const order = await shop.place(page);
        const paid = { kind: "paid" };
        assert.deepEqual(await shop.lines(order), [
          ["AI Credits 1,000", { credits: "1000", ...paid, site_id: "alice-shop", validity: "30d" }],
          ["AI Credits 1,000", { credits: "1000", ...paid, site_id: "alice-blog", validity: "30d" }],
          ["AI Credits Pack - Large", { credits: "6000", ...paid, site_id: "alice-shop", validity: "1y" }],
          ["T-Shirt", {}],
        ]);
        const says = async (where, text) => {
          const flat = text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
          assert.match(flat, /Credits: 1,000 AI Credits, valid for 30 days/, where);
          assert.match(flat, /Credits: 6,000 AI Credits, valid for 1 year/, where);
          assert.match(flat, /Website: alice-shop/, where);
          assert.match(flat, /Website: alice-blog/, where);
        };
        await says("the thank-you page", await page.locator("main").innerText());
        assert.doesNotMatch(await page.locator("main").innerText(), /Additional information/, "a heading with nothing below");
        await pictures(page, `selling-thanks-${kind}`);
        await says("the mails", (await site.mails()).slice(before_).map(({ message }) => message).join("\n"));
        await page.goto(`${site.url}/my-account/view-order/${order}/`);
        await says("My Account", await page.locator("main").innerText());
        await page.context().close();
      });

      it("takes another website after looking whose it is", async () => {
        const page = await buyer("alice");
        await shop.add(page, shop.credits);
        await shop.openCheckout(page, { pay: "Cash on delivery" });
        await choose(page, "*");
        await other(page).fill("bob-site");
        await shop.refused(page, NOT_THEIRS);
        await pictures(page, `selling-refused-${kind}`);
        await other(page).fill("not an id");
        await shop.refused(page, /not a website ID/);
        await other(page).fill("alice-third");
        const order = await shop.place(page);
        assert.equal((await shop.lines(order))[0][1].site_id, "alice-third");
        await page.context().close();
      });

      it("lets the website open where the shop does, and insists where it does not", async () => {
        const page = await buyer("alice");
        await shop.add(page, shop.credits);
        await shop.openCheckout(page);
        const order = await shop.place(page);
        assert.deepEqual(await shop.lines(order), [["AI Credits 1,000", { credits: "1000", kind: "paid", validity: "30d" }]]);
        await shop.ask("required");
        await shop.add(page, shop.credits);
        await shop.openCheckout(page);
        await shop.refused(page, kind === "block" ? /select a valid option/i : /choose which website/);
        await choose(page, "*");
        await shop.refused(page, kind === "block" ? /enter a valid id of the other website/i : /choose which website/);
        await choose(page, "alice-blog");
        assert.equal((await shop.lines(await shop.place(page)))[0][1].site_id, "alice-blog");
        await shop.ask("optional");
        await page.context().close();
      });

      it("asks a guest to type, and looks at the account of the address they give", async () => {
        const page = await buyer(null);
        await shop.add(page, shop.credits);
        await shop.openCheckout(page, { email: "guest@example.com" });
        await typed(page).fill("bob-site");
        await shop.refused(page, NOT_THEIRS);
        await typed(page).fill(`guest-${kind}`);
        const order = await shop.place(page);
        assert.equal((await shop.lines(order))[0][1].site_id, `guest-${kind}`);
        // The order registers the site for the guest's own account; the same address can buy for it again.
        await shop.daemon.api(shop.key, "PUT", `/v1/sites/guest-${kind}`, { account: "lab:email:guest@example.com" });
        await shop.add(page, shop.credits, `guest-${kind}`);
        await shop.openCheckout(page, { email: "Guest@Example.com" });
        assert.equal(await typed(page).count(), 0, "asks although every line has its website");
        assert.equal((await shop.lines(await shop.place(page)))[0][1].site_id, `guest-${kind}`);
        await shop.add(page, shop.credits, "bob-site");
        await shop.openCheckout(page, { email: "guest@example.com" });
        await shop.refused(page, /remove that line from the cart/);
        await page.context().close();
      });

      it("asks nothing for a cart without credits", async () => {
        const page = await buyer("bob");
        await shop.add(page, shop.shirt);
        await shop.openCheckout(page);
        assert.equal(await page.getByLabel(/Website for your credits/).count(), 0);
        assert.equal(await typed(page).count(), 0);
        const order = await shop.place(page);
        assert.deepEqual(await shop.lines(order), [["T-Shirt", {}]]);
        await page.context().close();
      });

      it("keeps the website when an order is placed again", async () => {
        const page = await buyer("bob");
        await shop.add(page, shop.credits, "bob-site");
        await shop.openCheckout(page);
        const order = await shop.place(page);
        await shop.php(`wc_get_order( ${order} )->update_status( 'completed' );`);
        await page.goto(`${site.url}/my-account/view-order/${order}/`);
        await follow(page, () => page.getByRole("link", { name: "Order again" }).click());
        await page.getByText("bob-site").first().waitFor();
        await shop.promise(shop.credits, "1100", "30d", "paid");
        await shop.openCheckout(page);
        const again = await shop.place(page);
        assert.deepEqual(await shop.lines(again), [["AI Credits 1,000", { credits: "1100", kind: "paid", site_id: "bob-site", validity: "30d" }]]);
        assert.equal((await shop.lines(order))[0][1].credits, "1000", "the old promise changed");
        await shop.promise(shop.credits, "1000", "30d", "paid");
        await page.context().close();
      });
    });
  }

  describe("without the daemon", () => {
    before(() => shop.ask("optional"));
    afterEach(() => (shop.liar.lie = null));

    for (const kind of KINDS) {
      it(`the ${kind} checkout waits once at most for one that is silent, and takes any well-formed id`, async () => {
        await shop.use(kind);
        await shop.php(`delete_transient( 'nivella_credit_wallet_down_' . Nivella\\CreditWallet\\wallet_digest( '' ) ); Nivella\\CreditWallet\\forget_options( array( 'sites_' ) );`);
        const page = await buyer("bob");
        await shop.add(page, shop.credits);
        const time = async () => {
          const begun = Date.now();
          await page.goto(site.url + shop.checkout);
          return Date.now() - begun;
        };
        const usual = await time();
        await shop.php("Nivella\\CreditWallet\\forget_options( array( 'sites_' ) );");
        shop.liar.asked.length = 0;
        shop.liar.lie = "silence";
        const waited = await time();
        // The machine may do other things: as long as usual, and what a page may wait at most.
        assert.ok(waited < 3500 + 2 * usual, `the page took ${waited} ms, usually ${usual} ms`);
        assert.equal(shop.liar.asked.length, 1, "it was asked when the page was shown");
        await shop.openCheckout(page);
        await page.getByLabel(/ID of the website for your credits/).fill("alice-shop");
        const order = await shop.place(page);
        assert.equal((await shop.lines(order))[0][1].site_id, "alice-shop", "the daemon puts it right");
        assert.ok(shop.liar.asked.length <= 1, `asked a silent daemon ${shop.liar.asked.length} times`);
        await page.context().close();
      });
    }

    it("a product can be bought when it was killed", async () => {
      await shop.php(`delete_transient( 'nivella_credit_wallet_down_' . Nivella\\CreditWallet\\wallet_digest( '' ) );`);
      await shop.daemon.kill();
      const page = await buyer("alice");
      await page.goto(`${site.url}/?p=${shop.credits}`);
      await page.getByLabel(/website/i).first().waitFor();
      await shop.add(page, shop.credits, "no id at all");
      assert.match(await page.locator("main").innerText(), /not a website ID/);
      await shop.add(page, shop.credits, "any-id");
      await shop.openCheckout(page);
      assert.equal((await shop.lines(await shop.place(page)))[0][1].site_id, "any-id");
      await page.context().close();
    });
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    // WooCommerce itself, activated by WP-CLI, loads its translations before WordPress wants it to.
    const log = (await site.debugLog()).split("\n").filter((line) => line !== "" && !/_load_textdomain_just_in_time.*<code>woocommerce<\/code>/.test(line));
    assert.deepEqual(log, []);
    // WooCommerce asks its makers for offers.
    const outside = (await site.outsideLog()).split("\n").filter((line) => line !== "" && !/^https:\/\/(public-api\.wordpress|woocommerce)\.com\//.test(line));
    assert.deepEqual(outside, []);
  });
});
