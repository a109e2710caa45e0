/** Connecting a shop with one code, seeing how it stands, mending it, and taking it back. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { accessibilityFaults, at, follow, pictures, visit } from "./lib/browser.mjs";
import { isSigned, startFront } from "./lib/front.mjs";
import { openLab } from "./lib/lab.mjs";
import { freePort } from "./lib/process.mjs";
import { prepareShop } from "./lib/shop.mjs";

const SETTINGS = "/wp-admin/admin.php?page=nivella-credit-wallet-settings";
const TOPICS = [
  ...["order.created", "order.updated", "order.deleted", "order.restored"],
  ...["product.created", "product.updated", "product.deleted"],
];
const REAL = Boolean(process.env.WOOCOMMERCE_ZIP);

describe(`connecting a shop (${REAL ? "the real WooCommerce" : "a stand-in for WooCommerce"})`, () => {
  let lab, site, daemon, browser, page, front;

  const result = async () => {
    await at(page, "test-result").waitFor();
    return at(page, "test-result").getAttribute("data-nivella-code");
  };
  const reason = async () => `${await at(page, "reason").innerText()} ${await at(page, "remedy").innerText()}`;
  const paste = async (code) => {
    await page.goto(site.url + SETTINGS);
    const again = at(page, "connect-again");
    if (await again.count()) await again.locator("summary").click();
    await page.locator("form").evaluateAll((forms) => forms.forEach((form) => (form.noValidate = true)));
    await page.getByLabel("Pairing code").fill(code);
    await follow(page, () => at(page, "pair").click());
  };
  const disconnect = async () => {
    await page.goto(site.url + SETTINGS);
    await at(page, "disconnect-details").locator("summary").click();
    await follow(page, () => at(page, "disconnect").click());
  };
  const php = async (code) => {
    const printed = await site.wp("eval", `echo "\\n<<" . wp_json_encode( ${code} ) . ">>";`);
    return JSON.parse(printed.match(/<<(.*)>>/s)[1]);
  };
  /** What a connection has left in this WordPress. */
  const left = () =>
    php(`array(
      'options'  => $GLOBALS['wpdb']->get_col( "SELECT option_name FROM {$GLOBALS['wpdb']->options} WHERE option_name LIKE '%nivella_credit_wallet%' AND option_name NOT LIKE '%transient%'" ),
      'webhooks' => WC_Data_Store::load( 'webhook' )->get_webhooks_ids(),
      'keys'     => (int) $GLOBALS['wpdb']->get_var( "SELECT COUNT(*) FROM {$GLOBALS['wpdb']->prefix}woocommerce_api_keys" ),
      'events'   => wp_next_scheduled( 'nivella_credit_wallet_catch_up' ),
    )`);
  const NOTHING = { options: [], webhooks: [], keys: 0, events: false };
  const shop = () => php("Nivella\\CreditWallet\\shop()");
  const settings = () => php("Nivella\\CreditWallet\\settings()");
  const states = async () =>
    Object.fromEntries(
      await at(page, "webhook").evaluateAll((rows) =>
        rows.map(({ dataset }) => [dataset.nivellaTopic, dataset.nivellaState]),
      ),
    );
  const asks = (key) =>
    fetch(`${daemon.url}/v1/accounts?query=x`, { headers: { authorization: `Bearer ${key}` } }).then(({ status }) => status);

  before(async () => {
    lab = await openLab({ woocommerce: REAL ? "real" : "stub" });
    ({ daemon, site, browser } = lab);
    if (REAL) await prepareShop(site);
    front = await startFront(daemon);
    page = await visit(browser, site, "admin", SETTINGS);
    page.setDefaultNavigationTimeout(30_000);
  });
  after(async () => {
    await lab?.close();
    await front?.close();
  });

  it("offers a beginner both ways on one page", async () => {
    await page.getByRole("heading", { name: "Connect this shop" }).waitFor();
    await page.getByRole("heading", { name: "Connect a website that uses credits" }).waitFor();
    await pictures(page, "connect-shop");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-wrap"), []);
    assert.deepEqual(await left(), NOTHING);
  });

  it("names what is wrong with what was pasted, and leaves nothing", async () => {
    const token = "nwp_" + "a".repeat(43);
    for (const [code, expected, words] of [
      ["", "nivella_code_empty", /Paste the whole code/],
      ["nwk_this-is-nobodys-key", "nivella_code_is_key", /not a pairing code/],
      [token, "nivella_code_half", /from https/],
      ["https://wallet.example.com/pair", "nivella_code", /Copy it again/],
      [`http://127.0.0.1:${await freePort()}/pair#${token}`, "nivella_refused", /Nothing answers at 127\.0\.0\.1:\d+/],
      [`${front.url}/pair#${token}`, "nivella_unexpected", /used already, has expired.*store pair/],
    ]) {
      await paste(code);
      assert.equal(await result(), expected, code);
      assert.match(await reason(), words);
    }
    await pictures(page, "connect-ended");
    assert.deepEqual(await left(), NOTHING);
  });

  it("takes everything back when the test delivery is refused", async () => {
    front.mode = "forged";
    await paste(await front.code());
    front.mode = null;
    assert.equal(await result(), "nivella_unauthorized");
    assert.match(await reason(), /everything was undone.*refused the signature.*new code/);
    assert.deepEqual(await left(), NOTHING);
    assert.ok(front.asked.includes("DELETE /v1/pairing"), "the daemon's key was not given back");
  });

  it("connects with one code and proves it", async () => {
    front.deliveries.length = 0;
    const code = await front.code();
    await paste(`  ${code}\n`);
    assert.equal(await result(), "ok", await reason());
    const { store } = await settings();
    assert.equal(store, "shop");
    const kept = await shop();
    assert.deepEqual(Object.keys(kept.webhooks).sort(), [...TOPICS].sort());
    assert.match(kept.secret, /^[0-9a-f]{64}$/);
    assert.deepEqual(kept.tokens_categories, ["tokens"]);
    assert.equal((await left()).keys, 1);

    const [probe, ...more] = front.deliveries;
    assert.deepEqual(more, [], "one test delivery, and no pings");
    assert.equal(probe.topic, "nivella.categories");
    assert.equal(probe.status, 200);
    assert.ok(isSigned(probe, kept.secret));

    await page.goto(site.url + SETTINGS);
    assert.deepEqual(await states(), Object.fromEntries(TOPICS.map((topic) => [topic, "active"])));
    assert.equal(await at(page, "status").getAttribute("data-nivella-state"), "ok");
    for (const secret of [kept.secret, (await settings()).key, kept.events_secret, code.split("#")[1]]) {
      assert.ok(secret && !(await page.content()).includes(secret), "a secret is in the page");
    }
    await pictures(page, "connect-status");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-wrap"), []);
  });

  it("takes a code once", async () => {
    const before_ = await left();
    const [used] = [await front.code()];
    await paste(used);
    assert.equal(await result(), "ok");
    await paste(used);
    assert.equal(await result(), "nivella_unexpected");
    assert.equal((await left()).keys, before_.keys);
    assert.equal((await left()).webhooks.length, TOPICS.length);
  });

  it("replaces all of it when connected again", async () => {
    const [old, { key }] = [await shop(), await settings()];
    await paste(await front.code());
    assert.equal(await result(), "ok", await reason());
    const fresh = await shop();
    assert.notEqual(fresh.secret, old.secret);
    const { webhooks, keys } = await left();
    assert.deepEqual([...webhooks].sort(), Object.values(fresh.webhooks).sort());
    assert.equal(keys, 1);
    assert.equal(await asks(key), 401, "the old key still opens");
    assert.equal(await asks((await settings()).key), 200);
  });

  it("shows each webhook that is not as it should be, and mends them all", async () => {
    const { webhooks } = await shop();
    await php(`( static function () {
      $change = static function ( $id, $set ) { $hook = new WC_Webhook( $id ); $set( $hook ); $hook->save(); };
      $change( ${webhooks["order.created"]}, static function ( $hook ) { $hook->set_status( 'paused' ); } );
      $change( ${webhooks["order.updated"]}, static function ( $hook ) { $hook->set_status( 'disabled' ); $hook->set_failure_count( 6 ); } );
      ( new WC_Webhook( ${webhooks["order.deleted"]} ) )->delete( true );
      $change( ${webhooks["order.restored"]}, static function ( $hook ) { $hook->set_secret( 'another one' ); } );
      $change( ${webhooks["product.created"]}, static function ( $hook ) { $hook->set_delivery_url( 'https://else.example/' ); } );
      $change( ${webhooks["product.updated"]}, static function ( $hook ) { $hook->set_user_id( 2 ); } );
    } )()`);
    await page.goto(site.url + SETTINGS);
    assert.deepEqual(await states(), {
      "order.created": "paused",
      "order.updated": "disabled",
      "order.deleted": "missing",
      "order.restored": "secret",
      "product.created": "changed",
      "product.updated": "owner",
      "product.deleted": "active",
    });
    assert.equal(await at(page, "status").getAttribute("data-nivella-state"), "trouble");
    await pictures(page, "connect-trouble");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-wrap"), []);

    await follow(page, () => page.getByRole("button", { name: "Re-enable" }).click());
    assert.equal(await result(), "ok", await reason());
    assert.ok(Object.values(await states()).every((state) => state === "active"), JSON.stringify(await states()));
    const counts = await php(
      "array_map( static function ( $id ) { return ( new WC_Webhook( $id ) )->get_failure_count(); }, array_values( Nivella\\CreditWallet\\shop()['webhooks'] ) )",
    );
    assert.deepEqual(counts.map(Number), TOPICS.map(() => 0), "one more failure would switch it off again");
    assert.equal((await left()).webhooks.length, TOPICS.length);
  });

  it("lets WordPress's careful HTTP reach the daemon's address and no other", async () => {
    const { host } = new URL(front.url);
    const other = `127.0.0.1:${await freePort()}`;
    const allowed = await php(`array_map( 'wp_http_validate_url', array(
      'http://${host}/webhooks/woocommerce/shop', 'http://${other}/', 'http://10.0.0.7/', 'https://${host}/' ) )`);
    assert.deepEqual(allowed, [`http://${host}/webhooks/woocommerce/shop`, false, false, false]);
  });

  it("shows a daemon that is away, and keeps nobody waiting for it", async () => {
    await site.wp("transient", "delete", "--all", "--quiet");
    front.mode = "silent";
    const took = [];
    for (let i = 0; i < 2; i++) {
      const began = Date.now();
      await page.goto(site.url + SETTINGS);
      took.push(Date.now() - began);
    }
    front.mode = null;
    assert.ok(took[0] < 5000 && took[1] < 2500, `it took ${took} ms`);
    assert.equal(await at(page, "daemon-trouble").getAttribute("data-nivella-code"), "nivella_timeout");
    await pictures(page, "connect-silent");
    await follow(page, () => at(page, "mend").click());
    assert.equal(await result(), "ok");
    assert.equal(await at(page, "daemon-trouble").count(), 0);
  });

  it("is worked by keyboard", async () => {
    await page.goto(site.url + SETTINGS);
    await at(page, "connect-again").locator("summary").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "nivella-pairing-code");
    await page.keyboard.type("nwk_0123456789abcdef");
    await follow(page, () => page.keyboard.press("Enter"));
    assert.equal(await result(), "nivella_code_is_key");
  });

  it("is for administrators who meant it", async () => {
    const was = await left();
    for (const [name, status] of [["alice", 403], ["admin", 403]]) {
      const person = await visit(browser, site, name, "/");
      for (const action of ["pair", "mend", "disconnect"]) {
        const answer = await person.request.post(`${site.url}/wp-admin/admin-post.php`, {
          form: { action: `nivella_credit_wallet_${action}`, _wpnonce: "0123456789", code: await front.code() },
        });
        assert.equal(answer.status(), status, `${name} ${action}`);
      }
      await person.context().close();
    }
    // With a right nonce, by a link instead of the button.
    await page.goto(site.url + SETTINGS);
    const nonce = await page.locator("input[name=action][value$=_disconnect] + input[name=_wpnonce]").inputValue();
    const answer = await page.request.get(
      `${site.url}/wp-admin/admin-post.php?action=nivella_credit_wallet_disconnect&_wpnonce=${nonce}`,
    );
    assert.equal(answer.status(), 403);
    assert.deepEqual(await left(), was);
  });

  it("disconnects and leaves nothing here or there", async () => {
    const { key } = await settings();
    await disconnect();
    assert.equal(await result(), "disconnected");
    await pictures(page, "connect-disconnected");
    assert.deepEqual(await left(), NOTHING);
    assert.equal(await asks(key), 401);
  });

  it("disconnects from a dead daemon, and says what it could not tell", async () => {
    await paste(await front.code());
    assert.equal(await result(), "ok", await reason());
    const { key_id } = await shop();
    await front.close();
    await disconnect();
    assert.equal(await result(), "nivella_untold");
    assert.match(await reason(), new RegExp(`Nothing answers.*nivella-wallet key revoke ${key_id}`));
    assert.deepEqual(await left(), NOTHING);
    await front.open();
  });

  it("leaves nothing when the plugin is deleted while it is connected", async () => {
    await paste(await front.code());
    assert.equal(await result(), "ok", await reason());
    await site.wp("plugin", "uninstall", "nivella-credit-wallet", "--deactivate");
    const { webhooks, keys, options, events } = await left();
    assert.deepEqual({ webhooks: REAL ? webhooks : [], keys, options, events }, NOTHING);
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    const log = await site.debugLog();
    assert.ok(!/nivella-credit-wallet/i.test(log), log.slice(0, 3000));
    if (!REAL) {
      assert.equal(log, "");
      assert.equal(await site.outsideLog(), "");
      assert.deepEqual(page.complaints, []);
    }
  });
});
