/** The archive that `make plugin-zip` makes, as a shop owner meets it: installed, used, and deleted without a trace. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { join } from "node:path";
import { at, balance, follow, startBrowser, visit } from "./lib/browser.mjs";
import { startDaemon } from "./lib/daemon.mjs";
import { run } from "./lib/process.mjs";
import { REPOSITORY, startWordPress } from "./lib/wordpress.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";
const ZIP = join(REPOSITORY, "target/nivella-credit-wallet.zip");

describe("the plugin's archive", () => {
  let site, daemon, browser, page;

  /** Everything of ours in the database, by table. */
  const traces = async () =>
    JSON.parse(
      await site.wp(
        "eval",
        `global $wpdb;
        $ours = static function ( $table, $column ) { global $wpdb; return $wpdb->get_col( "SELECT $column FROM $table WHERE $column LIKE '%nivella%' AND $column NOT LIKE '%nivella_lab%'" ); };
        $cron = array();
        foreach ( _get_cron_array() as $hooks ) { foreach ( array_keys( $hooks ) as $hook ) { if ( false !== strpos( $hook, 'nivella' ) ) { $cron[] = $hook; } } }
        echo wp_json_encode( array( 'options' => $ours( $wpdb->options, 'option_name' ), 'users' => $ours( $wpdb->usermeta, 'meta_key' ), 'posts' => $ours( $wpdb->postmeta, 'meta_key' ), 'cron' => $cron, 'active' => array_values( get_option( 'active_plugins' ) ) ) );`,
      ),
    );

  before(async () => {
    await run(join(REPOSITORY, "scripts/plugin-zip"), []);
    [daemon, site, browser] = await Promise.all([startDaemon(), startWordPress({ plugin: null, woocommerce: "stub" }), startBrowser()]);
  });
  after(() => Promise.all([browser?.close(), site?.stop(), daemon?.remove()]));

  it("has what a plugin needs and nothing that it does not", async () => {
    const names = (await run("unzip", ["-Z1", ZIP])).trim().split("\n").map((name) => name.replace("nivella-credit-wallet/", ""));
    for (const name of ["nivella-credit-wallet.php", "readme.txt", "uninstall.php", "LICENSE", "languages/nivella-credit-wallet-de_DE.mo", "blocks/credit-wallet/block.json"]) {
      assert.ok(names.includes(name), name);
    }
    assert.deepEqual(names.filter((name) => /(^|\/)(\.|tests?\/|node_modules\/)|\.(zip|map|png|md|sh|mjs)$/.test(name)), []);
  });

  it("is installed and activated from the archive alone", async () => {
    const said = await site.wp("plugin", "install", ZIP, "--activate");
    assert.match(said, /Plugin 'nivella-credit-wallet' activated/);
    const [{ status, version }] = JSON.parse(await site.wp("plugin", "list", "--name=nivella-credit-wallet", "--format=json"));
    assert.equal(status, "active");
    assert.match(version, /^\d+\.\d+\.\d+$/);
  });

  it("opens its page, is connected there, and shows the wallet", async () => {
    page = await visit(browser, site, "admin", PAGE);
    await page.getByText("One step left: connect your wallet").waitFor();
    await daemon.deliver("12-line-meta-site-id/001-order.created");
    await page.goto(`${site.url}${PAGE}-settings`);
    const [address, key] = [page.locator('[name="nivella_credit_wallet[url]"]'), page.locator('[name="nivella_credit_wallet[key]"]')];
    if (!(await address.isVisible())) await address.evaluate((input) => (input.closest("details").open = true));
    await address.fill(daemon.url);
    await key.fill(await daemon.key("site:site-123"));
    await follow(page, () => page.getByRole("button", { name: "Save and connect" }).click());
    await page.goto(site.url + PAGE);
    assert.equal(await balance(page), "1000");
    assert.deepEqual(page.complaints, []);
  });

  it("keeps settings, figures, a task, and what belongs to people and products", async () => {
    await site.wp("user", "meta", "update", "2", "nivella_credit_wallet_mail", "off");
    await site.wp("eval", "$product = wp_insert_post( array( 'post_type' => 'product', 'post_title' => 'Credits' ) ); foreach ( array( 'credits' => '1000', 'validity' => '30d', 'kind' => 'paid' ) as $key => $value ) { add_post_meta( $product, \"_nivella_$key\", $value ); }");
    const { options, users, posts, cron } = await traces();
    assert.ok(options.includes("nivella_credit_wallet") && options.length > 1, options.join());
    assert.deepEqual(users, ["nivella_credit_wallet_mail"]);
    assert.equal(posts.length, 3);
    assert.ok(cron.includes("nivella_credit_wallet_tick"), cron.join());
  });

  it("keeps its settings while it is only switched off, and no task", async () => {
    await site.wp("plugin", "deactivate", "nivella-credit-wallet");
    const { options, cron } = await traces();
    assert.ok(options.includes("nivella_credit_wallet"), options.join());
    assert.deepEqual(cron, []);
    await site.wp("plugin", "activate", "nivella-credit-wallet");
    await page.goto(site.url + PAGE);
    assert.equal(await balance(page), "1000");
  });

  it("leaves nothing when it is deleted", async () => {
    await site.wp("plugin", "uninstall", "nivella-credit-wallet", "--deactivate");
    assert.deepEqual(await traces(), { options: [], users: [], posts: [], cron: [], active: ["woocommerce/woocommerce.php"] });
    assert.deepEqual((await readdir(join(site.root, "wp-content/plugins"))).filter((name) => name.includes("nivella")), []);
    await page.goto(`${site.url}/wp-admin/`);
    assert.equal(await at(page, "balance").count(), 0);
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    assert.equal(await site.debugLog(), "");
    assert.equal(await site.outsideLog(), "");
  });
});
