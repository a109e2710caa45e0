/** Credits sold by a real WooCommerce: what a product promises, for which website, and that the order says both. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { accessibilityFaults, at, follow, pictures, visit } from "./lib/browser.mjs";
import { openLab } from "./lib/lab.mjs";
import { NO_WOOCOMMERCE, openShop } from "./lib/shop.mjs";

const NOT_THEIRS = /Credits for the website "bob-site" cannot be bought with this account/;

describe("whether customers are asked for the website", () => {
  let lab, page;

  before(async () => {
    lab = await openLab();
    await lab.site.settings({ url: lab.daemon.url, key: await lab.daemon.key("admin"), store: "lab" });
    page = await visit(lab.browser, lab.site, "admin", "/wp-admin/admin.php?page=nivella-credit-wallet-settings");
  });
  after(() => lab?.close());

  const save = () => follow(page, () => page.getByRole("button", { name: "Save and connect" }).click());

  it("is a setting of the shop", async () => {
    const setting = page.getByLabel("Ask for the website");
    assert.equal(await setting.inputValue(), "optional");
    await setting.selectOption("required");
    await save();
    assert.equal(await setting.inputValue(), "required");
    await pictures(page, "selling-setting");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-wrap"), []);
  });

  it("keeps its value when another makes no sense", async () => {
    const setting = page.getByLabel("Ask for the website");
    await setting.evaluate((element) => (element.options[0].value = "sometimes"));
    await setting.selectOption("sometimes");
    await save();
    assert.match(await page.locator(".nivella-wrap").innerText(), /choose one of the three/);
    assert.equal(await setting.inputValue(), "required");
  });

  it("is none of a customer's site", async () => {
    await lab.site.settings({ url: lab.daemon.url, key: await lab.daemon.key("admin"), store: "" });
    await page.reload();
    assert.equal(await page.getByLabel("Ask for the website").count(), 0);
  });

  it("is gone when the plugin is deleted", async () => {
    await lab.site.wp("plugin", "uninstall", "nivella-credit-wallet", "--deactivate");
    assert.equal(await lab.site.wp("option", "list", "--search=*nivella*", "--field=option_name"), "");
    assert.equal(await lab.site.debugLog(), "");
  });
});

describe("selling credits with WooCommerce", { skip: NO_WOOCOMMERCE }, () => {
  let shop, site, browser, admin;

  before(async () => {
    shop = await openShop();
    ({ site, browser } = shop);
    await shop.use("block");
  });
  after(() => shop?.close());

  /** Somebody with an empty cart; WooCommerce keeps that of a user from one visit to the next. */
  const buyer = async (name, options) => {
    await shop.php(
      "global $wpdb; $wpdb->query( \"DELETE FROM {$wpdb->prefix}woocommerce_sessions\" ); delete_metadata( 'user', 0, '_woocommerce_persistent_cart_1', '', true );",
    );
    return visit(browser, site, name, "/shop/", { patience_ms: 45_000, ...options });
  };

  const meta = async (id) =>
    JSON.parse(
      await shop.php(
        `$m = array(); foreach ( array( 'credits', 'validity', 'kind' ) as $k ) { $m[] = wc_get_product( ${id} )->get_meta( "_nivella_$k" ); } echo wp_json_encode( $m );`,
      ),
    );

  describe("the fields of a product", () => {
    const fields = async (id) => {
      await admin.goto(`${site.url}/wp-admin/post.php?post=${id}&action=edit`);
      await admin.locator("li.nivella_credits_options a").click();
    };
    const save = () => follow(admin, () => admin.locator("#publish").click());

    before(async () => {
      admin = await visit(browser, site, "admin", "/wp-admin/", { patience_ms: 45_000 });
    });

    it("say how many credits it sells, for how long and of which kind", async () => {
      await fields(shop.credits);
      await admin.getByLabel("Credits", { exact: true }).fill("1000.50");
      await admin.getByLabel("Validity").selectOption("days");
      await admin.getByLabel("Number of days, months or years").first().fill("30");
      await admin.getByLabel("Kind").selectOption("Bonus");
      await admin.evaluate(() => document.querySelector("#wpadminbar")?.remove());
      await pictures(admin, "selling-product");
      assert.deepEqual(await accessibilityFaults(admin, "#nivella_credits_product_data"), []);
      await save();
      assert.deepEqual(await meta(shop.credits), ["1000.5", "30d", "bonus"]);
      await fields(shop.credits);
      assert.equal(await admin.getByLabel("Credits", { exact: true }).inputValue(), "1000.5");
      await admin.getByLabel("Credits", { exact: true }).fill("1000");
      await admin.getByLabel("Kind").selectOption("Bought");
      await save();
      assert.deepEqual(await meta(shop.credits), ["1000", "30d", "paid"]);
    });

    it("keep their values and say what is wrong when they cannot be meant", async () => {
      for (const wrong of ["1,000", "<b>9</b>"]) {
        await fields(shop.credits);
        await admin.getByLabel("Credits", { exact: true }).fill(wrong);
        await save();
        assert.ok((await admin.locator("#woocommerce_errors").innerText()).includes(`Credits: "${wrong}" is not a number of credits`), wrong);
        assert.equal(await admin.getByLabel("Credits", { exact: true }).inputValue(), "1000");
      }
      await fields(shop.credits);
      await admin.getByLabel("Validity").selectOption("years");
      await admin.getByLabel("Number of days, months or years").first().fill("101");
      await save();
      assert.match(await admin.locator("#woocommerce_errors").innerText(), /at most 36500 days, 1200 months or 100 years/);
      assert.deepEqual(await meta(shop.credits), ["1000", "30d", "paid"]);
    });

    it("of a variation are empty where the product's count", async () => {
      await fields(shop.pack);
      await admin.getByLabel("Credits", { exact: true }).fill("500");
      await admin.getByLabel("Validity").selectOption("years");
      await admin.getByLabel("Number of days, months or years").first().fill("1");
      await save();
      await admin.locator("li.variations_options a").click();
      const large = admin.locator(".woocommerce_variation").filter({ has: admin.locator(`input[value="${shop.variations.large}"]`) }).first();
      await large.locator("h3").click();
      const credits = large.getByLabel("Credits", { exact: true });
      await credits.waitFor();
      assert.equal(await credits.inputValue(), "");
      assert.equal(await credits.getAttribute("placeholder"), "500");
      assert.match(await large.getByLabel("Validity").locator("option:checked").innerText(), /As the product \(valid for 1 year\)/);
      await admin.evaluate(() => document.querySelector("#wpadminbar")?.remove());
      await pictures(admin, "selling-variation");
      assert.deepEqual(await accessibilityFaults(admin, ".nivella-variation-fields"), []);

      const saveVariations = async () => {
        const saved = admin.waitForResponse((answer) => answer.url().includes("admin-ajax.php") && answer.request().postData()?.includes("woocommerce_save_variations"));
        await admin.getByRole("button", { name: "Save changes" }).click();
        await saved;
      };
      await credits.fill("many");
      await saveVariations();
      await admin.getByText(`Variation #${shop.variations.large}: Credits: "many"`).waitFor();
      assert.deepEqual(await meta(shop.variations.large), ["", "", ""]);
      await admin.goto(`${site.url}/wp-admin/post.php?post=${shop.pack}&action=edit`);
      await admin.locator("li.variations_options a").click();
      await large.locator("h3").click();
      await credits.fill("6000");
      await saveVariations();
      assert.deepEqual(await meta(shop.variations.large), ["6000", "", ""]);
      assert.deepEqual(await meta(shop.variations.small), ["", "", ""]);
      assert.deepEqual(await meta(shop.pack), ["500", "1y", "paid"]);
    });

    it("are not saved for somebody who may not edit the product, or without its nonce", async () => {
      const alice = await buyer("alice");
      for (const extra of [{}, { woocommerce_meta_nonce: "0123456789" }]) {
        await alice.request.post(`${site.url}/wp-admin/post.php`, {
          form: { action: "editpost", post_ID: String(shop.credits), "nivella_sells[credits]": "999999", "nivella_sells[unit]": "never", ...extra },
          failOnStatusCode: false,
        });
      }
      const forged = `wp_set_current_user( 2 ); $_POST = array( 'woocommerce_meta_nonce' => wp_create_nonce( 'woocommerce_save_data' ), 'nivella_sells' => array( 'credits' => '999999' ) ); $p = wc_get_product( ${shop.credits} ); do_action( 'woocommerce_admin_process_product_object', $p ); $p->save();`;
      await shop.php(forged);
      await shop.php(forged.replace("wp_set_current_user( 2 )", "wp_set_current_user( 1 )").replace("wp_create_nonce( 'woocommerce_save_data' )", "'0123456789'"));
      assert.deepEqual(await meta(shop.credits), ["1000", "30d", "paid"]);
      await alice.context().close();
    });

    it("come with a file of products", async () => {
      const printed = await shop.php(
        `include_once WC_ABSPATH . 'includes/import/class-wc-product-csv-importer.php'; include_once WC_ABSPATH . 'includes/admin/importers/class-wc-product-csv-importer-controller.php'; include_once WC_ABSPATH . 'includes/admin/importers/mappings/mappings.php';
        $file = wp_upload_dir()['basedir'] . '/credits.csv'; wp_mkdir_p( dirname( $file ) ); file_put_contents( $file, "Name,SKU,Regular price,AI Credits,AI Credits: validity\\nImported,IMP-1,3,250,90d\\n" );
        $columns = apply_filters( 'woocommerce_csv_product_import_mapping_default_columns', array( 'Name' => 'name', 'SKU' => 'sku', 'Regular price' => 'regular_price' ), array() );
        $map = array(); foreach ( array( 'Name', 'SKU', 'Regular price', 'AI Credits', 'AI Credits: validity' ) as $c ) { $map[ $c ] = $columns[ $c ]; }
        ( new WC_Product_CSV_Importer( $file, array( 'parse' => true, 'mapping' => $map ) ) )->import(); unlink( $file );
        echo wc_get_product_id_by_sku( 'IMP-1' );`,
      );
      assert.deepEqual(await meta(Number(printed.split("\n").pop())), ["250", "90d", ""]);
    });

    it("are not there on a customer's site", async () => {
      await site.settings({ url: shop.liar.url, key: shop.key, store: "" });
      await admin.goto(`${site.url}/wp-admin/post.php?post=${shop.credits}&action=edit`);
      assert.equal(await admin.locator("li.nivella_credits_options").count(), 0);
      await site.settings({ url: shop.liar.url, key: shop.key, store: "lab" });
    });
  });

  describe("the page of a product", () => {
    it("says what is promised, and asks for which of the customer's websites it is", async () => {
      const page = await buyer("alice");
      await page.goto(`${site.url}/?p=${shop.credits}`);
      assert.equal(await at(page, "promise").innerText(), "1,000 AI Credits, valid for 30 days");
      const list = page.getByLabel(/Website for your credits/);
      assert.deepEqual((await list.locator("option").allInnerTexts()).sort(), ["Alice's shop (alice-shop)", "Another website", "No particular website", "alice-blog"]);
      assert.ok(!(await page.getByLabel("ID of the other website").isVisible()));
      assert.deepEqual(await accessibilityFaults(page, "form.cart"), []);

      // By keyboard alone.
      await list.focus();
      await page.keyboard.press("End");
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.id), "nivella_site_other");
      await page.keyboard.type("bob-site");
      await pictures(page, "selling-page");
      await follow(page, () => page.keyboard.press("Enter"));
      assert.match(await page.locator(".woocommerce-error, .is-error").innerText(), NOT_THEIRS);
      assert.ok(!(await page.content()).includes("lab:customer:3") && !(await page.content()).includes("Bob"), "it says whose");
      assert.equal(await page.getByLabel("ID of the other website").inputValue(), "bob-site", "what was typed is lost");

      await page.getByLabel("ID of the other website").fill("no id");
      await follow(page, () => page.locator(".single_add_to_cart_button").click());
      assert.match(await page.locator(".woocommerce-error, .is-error").innerText(), /not a website ID/);
      await page.getByLabel("ID of the other website").fill("alice-new");
      await follow(page, () => page.locator(".single_add_to_cart_button").click());
      assert.match(await page.locator(".woocommerce-info, .is-info").innerText(), /"alice-new" is new here. It will be registered for you/);
      await page.context().close();
    });

    it("says what the chosen variation brings", async () => {
      const page = await buyer(null);
      await page.goto(`${site.url}/?p=${shop.pack}`);
      assert.equal(await at(page, "site-field").count(), 1);
      await page.getByLabel("Size").selectOption("Large");
      await page.getByText("6,000 AI Credits, valid for 1 year").waitFor();
      await page.getByLabel("Size").selectOption("Small");
      await page.getByText("500 AI Credits, valid for 1 year").waitFor();
      assert.deepEqual(await accessibilityFaults(page, "form.cart"), []);
      await page.context().close();
    });

    it("asks nothing where nothing is sold, or where the shop does not want it", async () => {
      const page = await buyer("alice");
      await page.goto(`${site.url}/?p=${shop.shirt}`);
      assert.equal(await at(page, "site-field").count(), 0);
      await page.goto(`${site.url}/?p=${shop.bundle}`);
      assert.equal(await at(page, "site-field").count(), 1, "a category below Tokens counts");
      await shop.ask("hidden");
      await page.goto(`${site.url}/?p=${shop.credits}`);
      assert.equal(await at(page, "site-field").count(), 0);
      assert.equal(await at(page, "promise").count(), 1);
      await shop.ask("optional");
      await page.context().close();
    });

    it("insists where the shop wants an answer, but a list of products can still be bought from", async () => {
      await shop.ask("required");
      const page = await buyer("alice");
      await page.goto(`${site.url}/?p=${shop.credits}`);
      await follow(page, () => page.locator(".single_add_to_cart_button").click());
      assert.match(await page.locator(".woocommerce-error, .is-error").innerText(), /choose which website the credits are for/);
      await shop.add(page, shop.credits);
      assert.match(await page.locator("main").innerText(), /AI Credits 1,000/);
      await shop.ask("optional");
      await page.context().close();
    });
  });

  describe("an order in wp-admin", () => {
    it("shows and lets staff change the website, and a line they add carries the promise", async () => {
      const order = Number(
        (
          await shop.php(
            `$o = wc_create_order( array( 'customer_id' => 2 ) ); $o->add_product( wc_get_product( ${shop.credits} ), 2 ); $o->calculate_totals(); $i = current( $o->get_items() ); $i->update_meta_data( '_nivella_site_id', 'alice-shop' ); $i->save(); $o->save(); echo $o->get_id();`,
          )
        )
          .split("\n")
          .pop(),
      );
      assert.deepEqual(await shop.lines(order), [["AI Credits 1,000", { credits: "1000", kind: "paid", site_id: "alice-shop", validity: "30d" }]]);
      await admin.goto(`${site.url}/wp-admin/admin.php?page=wc-orders&action=edit&id=${order}`);
      const items = admin.locator("#woocommerce-order-items");
      const text = (await items.innerText()).replace(/\s+/g, " ");
      assert.match(text, /Website: alice-shop/);
      assert.match(text, /Credits: 1,000 AI Credits/);
      assert.match(text, /Validity: valid for 30 days/);
      assert.doesNotMatch(text, /_nivella_/);
      await pictures(admin, "selling-order");
      await items.locator("tr.item").first().hover();
      await items.locator("a.edit-order-item").first().click();
      const value = items.locator("tr.item .edit .meta textarea, tr.item .edit .meta input").filter({ visible: true });
      const boxes = await value.all();
      for (const box of boxes) if ((await box.inputValue()) === "alice-shop") await box.fill("alice-blog");
      await items.getByRole("button", { name: "Save" }).click();
      await admin.getByText("alice-blog").first().waitFor();
      assert.equal((await shop.lines(order))[0][1].site_id, "alice-blog");
    });

    it("made through the REST API carries the promise, tells it to the daemon, and a refund's line does not", async () => {
      const printed = await shop.php(
        `wp_set_current_user( 1 ); $r = new WP_REST_Request( 'POST', '/wc/v3/orders' ); $r->set_body_params( array( 'line_items' => array( array( 'product_id' => ${shop.pack}, 'variation_id' => ${shop.variations.small}, 'quantity' => 1, 'meta_data' => array( array( 'key' => '_nivella_site_id', 'value' => 'alice-shop' ), array( 'key' => '_nivella_validity', 'value' => '7d' ) ) ) ) ) ); $d = rest_do_request( $r )->get_data();
        $o = wc_get_order( $d['id'] );
        $g = new WP_REST_Request( 'GET', '/wc/v3/orders/' . $d['id'] ); $m = array(); foreach ( rest_do_request( $g )->get_data()['line_items'][0]['meta_data'] as $e ) { if ( '_' === $e['key'][0] ) { $m[ $e['key'] ] = $e['value']; } }
        $i = current( $o->get_items() ); foreach ( array( 'site_id', 'credits', 'validity', 'kind' ) as $k ) { $i->delete_meta_data( "_nivella_$k" ); } $i->save();
        $f = wc_create_refund( array( 'order_id' => $o->get_id(), 'amount' => '1', 'line_items' => array( $i->get_id() => array( 'qty' => 1, 'refund_total' => '1' ) ) ) );
        $n = array(); foreach ( current( $f->get_items() )->get_meta_data() as $e ) { if ( '_' === $e->key[0] ) { $n[] = $e->key; } } echo wp_json_encode( array( $m, $n ) );`,
      );
      const [told, refund] = JSON.parse(printed.split("\n").pop());
      assert.deepEqual(told, { _nivella_credits: "500", _nivella_kind: "paid", _nivella_site_id: "alice-shop", _nivella_validity: "7d" });
      assert.deepEqual(refund, ["_refunded_item_id"]);
    });

    it("made by a subscription carries promise and website", async () => {
      const printed = await shop.php(
        `$s = wc_create_order(); $s->add_product( wc_get_product( ${shop.credits} ) ); $i = current( $s->get_items() ); $i->update_meta_data( '_nivella_site_id', 'alice-shop' ); $i->update_meta_data( '_nivella_credits', '900' ); $i->save(); $s = wc_get_order( $s->get_id() );
        $o = wc_create_order(); $o->add_product( wc_get_product( ${shop.credits} ) ); $o->add_product( wc_get_product( ${shop.shirt} ) ); $j = current( $o->get_items() ); foreach ( array( 'site_id', 'credits', 'validity', 'kind' ) as $k ) { $j->delete_meta_data( "_nivella_$k" ); } $j->save();
        $o = apply_filters( 'wcs_renewal_order_created', wc_get_order( $o->get_id() ), $s ); echo $o->get_id();`,
      );
      assert.deepEqual(await shop.lines(Number(printed.split("\n").pop())), [["AI Credits 1,000", { credits: "900", kind: "paid", site_id: "alice-shop", validity: "30d" }], ["T-Shirt", {}]]);
    });
  });

  it("reads from right to left and without scripts", async () => {
    await shop.use("block");
    const page = await buyer("alice", { scripts: false });
    await page.goto(`${site.url}/?p=${shop.credits}`);
    await page.getByLabel(/Website for your credits/).selectOption("alice-shop");
    await follow(page, () => page.locator(".single_add_to_cart_button").click());
    assert.equal(await page.locator(".woocommerce-error, .is-error").count(), 0);
    await page.context().close();
    const rtl = await buyer("alice");
    await rtl.goto(`${site.url}/?p=${shop.credits}`);
    await rtl.evaluate(() => (document.documentElement.dir = "rtl"));
    await pictures(rtl, "selling-page-rtl");
    await rtl.context().close();
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
