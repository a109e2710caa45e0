/** What the shop's customers get: all their websites, a mail when credits run low, and what they bought as guests. */
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { join } from "node:path";
import { accessibilityFaults, at, balance, follow, pictures, refresh, visit } from "./lib/browser.mjs";
import { openLab } from "./lib/lab.mjs";
import { startLiar } from "./lib/liar.mjs";
import { until } from "./lib/process.mjs";
import { NO_WOOCOMMERCE } from "./lib/shop.mjs";
import { PASSWORD, REPOSITORY } from "./lib/wordpress.mjs";

const WALLET = "/my-account/ai-credits/";
const GUEST = "guest@example.test";
const SECRET = `whsec_${randomBytes(24).toString("base64")}`;

for (const woocommerce of ["stub", "real"]) {
  const isReal = woocommerce === "real";
  const skip = isReal && NO_WOOCOMMERCE;
  const onlyReal = !isReal && "only the real WooCommerce has this";

  describe(`customers of a shop with ${isReal ? "WooCommerce" : "a stub of WooCommerce"}`, { skip }, () => {
    let lab, site, daemon, browser, liar, staff, alice;

    const php = (code) => site.wp("eval", code);
    const spend = (credits, where = "site-123") =>
      daemon.api(staff, "POST", "/v1/debits", { site: where, credits, label: "Answers" });
    const token = async () => (await daemon.run("account", "claim-link", `lab:email:${GUEST}`)).match(/nivella_claim=(\S+)/)[1];
    let product = 10;

    /** The recorded guest's order once more, as another guest's. */
    const deliverFor = async (email) => {
      const order = JSON.parse(await readFile(join(REPOSITORY, "fixtures/woocommerce/07-guest/002-order.updated/body.bin"), "utf8"));
      order.id = 9001;
      order.number = "9001";
      order.billing.email = email;
      for (const line of order.line_items) line.id += 9000;
      const body = JSON.stringify(order);
      const answer = await fetch(`${daemon.url}/webhooks/woocommerce/lab`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-wc-webhook-topic": "order.updated",
          "x-wc-webhook-signature": createHmac("sha256", "lab-webhook-secret-not-a-real-one").update(body).digest("base64"),
        },
        body,
      });
      assert.equal((await answer.json()).result, "granted");
    };

    /** Sends an event as the daemon does; changes of the headers make it a forgery. */
    const push = async (event, headers = {}) => {
      const body = JSON.stringify({ type: event.type, timestamp: event.at, data: event });
      const id = `msg_${event.id}`;
      const stamp = headers["webhook-timestamp"] ?? String(Math.floor(Date.now() / 1000));
      const key = Buffer.from(SECRET.slice(6), "base64");
      const signature = createHmac("sha256", key).update(`${id}.${stamp}.${body}`).digest("base64");
      const answer = await fetch(`${site.url}/wp-json/nivella-credit-wallet/v1/events`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": stamp,
          "webhook-signature": `v1,${signature}`,
          ...headers,
        },
        body,
      });
      return { status: answer.status, ...(await answer.json()) };
    };
    const event = (more = {}) => ({
      id: "ev_pushed_1",
      type: "credits.low",
      at: new Date().toISOString(),
      account: { id: "acc_1", name: "Alice Doe", names: ["lab:customer:2"] },
      wallet: "site:site-123",
      level: "20%",
      status: "low",
      // More than there is, or the shop would see that somebody has topped up since, and would tell nobody.
      available: "1180.456789",
      unit: "AI Credits",
      ...more,
    });

    before(async () => {
      lab = await openLab({ woocommerce });
      ({ daemon, site, browser } = lab);
      liar = await startLiar(daemon.url);
      await daemon.deliver("12-line-meta-site-id/001-order.created");
      await daemon.deliver("07-guest/002-order.updated");
      staff = await daemon.key("admin");
      await site.settings({ url: liar.url, key: staff, store: "lab" });
      await site.wp("option", "update", "nivella_credit_wallet_shop", JSON.stringify({ events_secret: SECRET }), "--format=json");
      if (isReal) await site.wp("option", "update", "woocommerce_coming_soon", "no");

      if (isReal) {
        product = Number(
          await php(`
            $term = wp_insert_term( "Tokens", "product_cat", array( "slug" => "tokens" ) );
            $child = wp_insert_term( "Large", "product_cat", array( "slug" => "large-tokens", "parent" => $term["term_id"] ) );
            $product = new WC_Product_Simple(); $product->set_name( "AI Credits" ); $product->set_regular_price( "10" ); $product->set_virtual( true );
            $product->set_category_ids( array( $child["term_id"] ) ); $product->save(); echo $product->get_id();`),
        );
      }
      await daemon.api(staff, "PUT", "/v1/sites/site-123", { label: "Alice’s shop" });
      await daemon.api(staff, "PUT", "/v1/sites/new-site", { account: "lab:customer:2", label: "A site without credits" });
      // What of the shop the recorded one does not know.
      liar.instead = async (question, answer) => {
        if (question.url.endsWith("/feed")) {
          const told = await fetch(daemon.url + question.url, { headers: { authorization: question.headers.authorization } });
          const feed = await told.json();
          if (told.ok) feed.packages = [{ product_id: product, name: "AI Credits 1,000", credits: "1000", price_html: "<b>$10.00</b>", url: `${site.url}/product/ai-credits/` }];
          answer.writeHead(told.status, { "content-type": "application/json" }).end(JSON.stringify(feed));
          return true;
        }
        return false;
      };
      alice = await visit(browser, site, "alice", WALLET);
    });
    after(() => Promise.all([lab?.close(), liar?.stop()]));

    it("shows a customer all their websites, by name, with what is left on each", async () => {
      const rows = await at(alice, "site").evaluateAll((all) =>
        all.map((row) => [row.dataset.nivellaSite, row.querySelector("[data-nivella-value]").dataset.nivellaValue, row.querySelector("bdi").innerText]),
      );
      assert.deepEqual(rows, [
        ["site-456", "5000", "site-456"],
        ["site-123", "1000", "Alice’s shop"],
        ["new-site", "0", "A site without credits"],
      ]);
      await pictures(alice, `people-account-${woocommerce}`);
      assert.deepEqual(await accessibilityFaults(alice, ".nivella"), []);
    });

    it("leads from a website to its history and its file", async () => {
      await follow(alice, () => at(alice, "site").filter({ hasText: "Alice’s shop" }).getByRole("link", { name: /History/ }).click());
      assert.equal(await at(alice, "history-row").count(), 1);
      assert.match(await at(alice, "history-row").innerText(), /\+1,000/);
      const file = await alice.request.get(await at(alice, "csv").getAttribute("href"));
      assert.equal((await file.text()).trimEnd().split("\r\n").length, 2);
      await alice.goto(site.url + WALLET);
    });

    it("puts a package for a website into the cart", async () => {
      await follow(alice, () => at(alice, "site").filter({ hasText: "Alice’s shop" }).getByRole("link", { name: /Top up/ }).click());
      assert.equal(await at(alice, "buy-site").inputValue(), "site-123", "the website is chosen already");
      const buy = at(alice, "package-buy").first();
      await buy.focus();
      const [asked] = await Promise.all([
        alice.waitForRequest((request) => request.url().includes("add-to-cart=")),
        alice.keyboard.press("Enter"),
      ]);
      const asks = new URL(asked.url());
      assert.deepEqual([asks.pathname, asks.searchParams.get("add-to-cart"), asks.searchParams.get("nivella_site")], ["/cart/", String(product), "site-123"]);
      await alice.waitForLoadState();
      if (isReal) await alice.getByText("AI Credits").first().waitFor();
      await alice.goto(site.url + WALLET);
    });

    it("takes an event only when it is signed with the shop's secret", async () => {
      const now = Math.floor(Date.now() / 1000);
      for (const [what, headers] of [
        ["no signature", { "webhook-signature": "" }],
        ["another secret", { "webhook-signature": `v1,${randomBytes(32).toString("base64")}` }],
        ["too old", { "webhook-timestamp": String(now - 400) }],
        ["from the future", { "webhook-timestamp": String(now + 400) }],
        ["another message", { "webhook-id": "msg_other" }],
      ]) {
        const answer = await push(event(), headers);
        assert.equal(answer.status, 401, what);
      }
      assert.deepEqual(await site.mails(), []);
    });

    it("mails the customer once that credits run low", async () => {
      assert.deepEqual(await push(event()), { status: 200, result: "sent" });
      assert.deepEqual(await push(event()), { status: 200, result: "repeat" });
      const topped = event({ id: "ev_topped_up", type: "credits.empty", status: "empty", available: "0" });
      assert.deepEqual(await push(topped), { status: 200, result: "ignored" }, "used up is not what a website with 1,000 credits is");
      const both = await Promise.all([1, 2, 3, 4].map(() => push(event({ id: "ev_pushed_2", type: "credits.critical" }))));
      assert.deepEqual(both.map(({ result }) => result).sort(), ["repeat", "repeat", "repeat", "sent"]);
      const mails = await site.mails();
      assert.deepEqual(mails.map(({ to }) => to), ["alice@example.com", "alice@example.com"]);
      const [{ subject, message }] = mails;
      assert.match(subject, /Running low: AI Credits for Alice’s shop/);
      assert.match(message, /1,180\.45 AI Credits/);
      assert.match(message, /nivella_for=site-123#nivella-packages/);
      const mail = await browser.newPage({ viewport: { width: 700, height: 900 } });
      await mail.setContent(message);
      await mail.screenshot({ path: new URL(`../../target/screenshots/people-mail-${woocommerce}.png`, import.meta.url).pathname, fullPage: true });
      assert.deepEqual(await accessibilityFaults(mail, "body"), []);
      await mail.close();
    });

    it("asks for events itself, and tells nobody twice", async () => {
      const before = (await site.mails()).length;
      await spend("850");
      await site.wp("cron", "event", "run", "nivella_credit_wallet_tick", "--quiet");
      const state = JSON.parse(await site.wp("option", "get", "nivella_credit_wallet_events", "--format=json"));
      assert.notEqual(state.cursor, "");
      const mails = (await site.mails()).slice(before);
      assert.equal(mails.length, 1, JSON.stringify(mails));
      assert.match(mails[0].message, /150 AI Credits/);
      await site.wp("cron", "event", "run", "nivella_credit_wallet_tick", "--quiet");
      assert.equal((await site.mails()).length, before + 1);
    });

    it("lets a customer turn the mails off, with the keyboard", async () => {
      await alice.goto(`${site.url}${WALLET}#nivella-mail`);
      const box = alice.getByRole("checkbox", { name: /E-mail me once/ });
      assert.equal(await box.isChecked(), true);
      await box.focus();
      await alice.keyboard.press("Space");
      await alice.keyboard.press("Tab");
      await follow(alice, () => alice.keyboard.press("Enter"));
      await at(alice, "mail-saved").waitFor();
      assert.equal(await box.isChecked(), false);
      assert.deepEqual(await push(event({ id: "ev_off" })), { status: 200, result: "ignored" });
      const forged = await alice.request.post(`${site.url}/wp-admin/admin-post.php`, {
        form: { action: "nivella_credit_wallet_mail", wants: "1", _wpnonce: "0123456789" },
        failOnStatusCode: false,
      });
      assert.equal(forged.status(), 403);
      await box.check();
      await follow(alice, () => at(alice, "mail-save").click());
      assert.deepEqual(await push(event({ id: "ev_on" })), { status: 200, result: "sent" });
    });

    it("lets the shop turn the mail off", async () => {
      const settings = JSON.stringify({ enabled: "no" });
      await site.wp("option", "update", "woocommerce_nivella_low_credit_settings", settings, "--format=json");
      assert.deepEqual(await push(event({ id: "ev_shop_off" })), { status: 200, result: "ignored" });
      await site.wp("option", "delete", "woocommerce_nivella_low_credit_settings");
    });

    it("lists the mail in WooCommerce's settings, with a preview, to be edited there", { skip: onlyReal }, async () => {
      const admin = await visit(browser, site, "admin", "/wp-admin/profile.php");
      admin.setDefaultTimeout(60_000);
      await admin.goto(`${site.url}/wp-admin/admin.php?page=wc-settings&tab=email&section=nivella_low_credit`);
      await admin.getByRole("heading", { name: /AI Credits running low/ }).first().waitFor();
      await admin.locator("#woocommerce_nivella_low_credit_subject").fill("{website} has {available} left");
      await follow(admin, () => admin.getByRole("button", { name: "Save changes" }).click());
      assert.deepEqual(await push(event({ id: "ev_edited" })), { status: 200, result: "sent" });
      assert.equal((await site.mails()).at(-1).subject, "Alice’s shop has 1,180.45 left");
      const html = await php(
        '$preview = wc_get_container()->get( Automattic\\WooCommerce\\Internal\\Admin\\EmailPreview\\EmailPreview::class ); $preview->set_email_type( "Nivella\\\\CreditWallet\\\\Low_Credit_Email" ); echo $preview->get_subject(), "\\n", $preview->render();',
      );
      assert.match(html, /^www\.example\.com has 180 left\n/);
      assert.match(html, /The credits are running low/);
      await admin.goto(`${site.url}/wp-admin/admin.php?page=wc-settings&tab=email&section=nivella_low_credit`);
      const frame = admin.frameLocator("iframe").first();
      await frame.getByText("The credits are running low").waitFor({ timeout: 20_000 });
      await admin.screenshot({ path: new URL("../../target/screenshots/people-mail-settings.png", import.meta.url).pathname, fullPage: true });
      await site.wp("option", "delete", "woocommerce_nivella_low_credit_settings");
      await php('update_option( "woocommerce_nivella_low_credit_settings", array( "enabled" => "yes", "email_type" => "plain" ) );');
      await push(event({ id: "ev_plain", wallet: "site:a-b" }));
      const { message } = (await site.mails()).at(-1);
      assert.match(message, /Can be used: 1,180\.45 AI Credits\n/);
      assert.doesNotMatch(message, /<|&#?\w+;/);
      await site.wp("option", "delete", "woocommerce_nivella_low_credit_settings");
      await admin.context().close();
    });

    it("asks whoever follows a claim link to log in, brings them back, and claims after a click", async () => {
      const link = `/my-account/?nivella_claim=${await token()}`;
      // The wallet service's own links lead to the shop's front page.
      const bob = await visit(browser, site, null, link.replace("/my-account", ""));
      assert.equal(new URL(bob.url()).pathname, "/my-account/");
      await at(bob, "claim-login").waitFor();
      await pictures(bob, `people-claim-login-${woocommerce}`);
      await bob.getByLabel(/^Username or email address/i).fill("bob");
      await bob.getByLabel(/^Password/).first().fill(PASSWORD);
      await follow(bob, () => bob.getByRole("button", { name: /^log in$/i }).click());
      await at(bob, "claim").waitFor();
      assert.match(await at(bob, "claim").innerText(), /bob@example\.com/);
      await pictures(bob, `people-claim-${woocommerce}`);
      assert.deepEqual(await accessibilityFaults(bob, ".nivella"), []);
      // Looking is not claiming.
      await bob.reload();
      await at(bob, "claim-confirm").focus();
      await follow(bob, () => bob.keyboard.press("Enter"));
      assert.equal(await at(bob, "claim-result").getAttribute("data-nivella-code"), "claimed");
      assert.match(await at(bob, "claim-result").innerText(), /1,000 credits were added/);
      assert.equal(await balance(bob), "1000");
      await pictures(bob, `people-claimed-${woocommerce}`);

      await bob.goto(site.url + link);
      await follow(bob, () => at(bob, "claim-confirm").click());
      assert.equal(await at(bob, "claim-result").getAttribute("data-nivella-code"), "already_claimed");
      await bob.goto(`${site.url}/my-account/?nivella_claim=${link.split("=")[1].replace(/.$/, (last) => (last === "A" ? "B" : "A"))}`);
      await follow(bob, () => at(bob, "claim-confirm").click());
      assert.equal(await at(bob, "claim-result").getAttribute("data-nivella-code"), "invalid_request");
      await bob.goto(site.url + link);
      const forged = await bob.request.post(`${site.url}/wp-admin/admin-post.php`, {
        form: { action: "nivella_credit_wallet_claim", token: link.split("=")[1], _wpnonce: "0123456789" },
        failOnStatusCode: false,
      });
      assert.equal(forged.status(), 403);
      await bob.context().close();
    });

    it("says on the first page of My Account that credits run low, and nothing while they do not", async () => {
      await alice.goto(`${site.url}/my-account/`);
      assert.equal(await at(alice, "account-low-credit").count(), 0);
      await daemon.api(staff, "PUT", "/v1/sites/bobs-site", { account: "lab:customer:3" });
      await spend("850", "bobs-site");
      await site.wp("transient", "delete", "--all", "--quiet");
      const bob = await visit(browser, site, "bob", "/my-account/");
      assert.match(await at(bob, "account-low-credit").innerText(), /Running low: 150 AI Credits can be used\./);
      assert.deepEqual(await accessibilityFaults(bob, ".nivella"), []);
      await pictures(bob, `people-account-low-${woocommerce}`);
      await bob.context().close();
    });

    it("is told by the wallet service itself, within seconds", async () => {
      // The recorded shop lives elsewhere, and events go to the shop's own address only.
      await daemon.run("store", "set", "lab", "--url", site.url);
      const [, pairing] = (await daemon.run("store", "pair", "lab", "--address", daemon.url)).match(/#(nwp_[A-Za-z0-9_-]{43})/);
      const { events_secret } = await daemon.api(staff, "POST", "/v1/pairing", {
        token: pairing,
        url: site.url,
        webhook_secret: randomBytes(24).toString("hex"),
        events_url: `${site.url}/wp-json/nivella-credit-wallet/v1/events`,
      });
      await site.wp("option", "update", "nivella_credit_wallet_shop", JSON.stringify({ events_secret }), "--format=json");
      const before = (await site.mails()).length;
      await spend("120", "bobs-site");
      await until(async () => (await site.mails()).length > before, { within_s: 20, what: "a mail" });
      const [{ to, subject }] = (await site.mails()).slice(before);
      assert.equal(to, "bob@example.com");
      assert.match(subject, /Almost used up/);
    });

    it("says so when the wallet cannot be reached, and lets one try again", async () => {
      liar.lie = "a closed connection";
      await site.wp("transient", "delete", "--all", "--quiet");
      await alice.goto(`${site.url}/my-account/?nivella_claim=${"x".repeat(40)}`);
      await follow(alice, () => at(alice, "claim-confirm").click());
      assert.equal(await at(alice, "claim-result").getAttribute("data-nivella-code"), "unreachable");
      await at(alice, "claim-confirm").waitFor();
      liar.lie = null;
      // For half a minute nobody would ask again.
      await site.wp("transient", "delete", "--all", "--quiet");
    });

    it("gives a guest the link with the order's mail and after checkout, without asking anybody", { skip: onlyReal }, async () => {
      await site.wp("option", "update", "woocommerce_enable_myaccount_registration", "yes");
      const make = (email, what = product) =>
        php(`
          $order = wc_create_order(); $order->add_product( wc_get_product( ${what} ), 1 ); $order->set_billing_email( "${email}" ); $order->calculate_totals();
          $order->set_status( "processing" ); $order->save(); echo $order->get_checkout_order_received_url();`);
      liar.asked.length = 0;
      const before = (await site.mails()).length;
      const thanks = await make("guest2@example.test");
      const mail = (await site.mails()).slice(before).find(({ to }) => to === "guest2@example.test");
      const link = mail.message.match(/href="([^"]*nivella_claim=[^"]*)"/)[1].replaceAll("&#038;", "&").replaceAll("&amp;", "&");
      assert.deepEqual(liar.asked, [], "no mail waits for the wallet service");
      assert.equal((await site.mails()).slice(before).find(({ to }) => to === "admin@example.com")?.message.includes("nivella_claim") ?? false, false);

      const guest = await visit(browser, site, null, thanks.replace(site.url, ""));
      await at(guest, "claim-link").waitFor();
      assert.ok(!(await guest.content()).includes("nivella_claim"), "whoever typed the address has not shown that it is theirs");
      await pictures(guest, "people-thank-you");
      assert.deepEqual(await accessibilityFaults(guest, ".nivella"), []);
      const shirt = await php('$product = new WC_Product_Simple(); $product->set_name( "Shirt" ); $product->set_regular_price( "10" ); $product->save(); echo $product->get_id();');
      await make("apparel@example.test", shirt);
      assert.equal((await site.mails()).filter(({ to, message }) => to === "apparel@example.test" && message.includes("nivella_claim")).length, 0);

      // Registers on the way, and comes back. The wallet service does not know the order yet.
      await guest.goto(link);
      const form = guest.locator("form.register");
      await form.getByLabel(/Email address/).fill("guest2@example.test");
      await follow(guest, () => form.getByRole("button", { name: "Register" }).click());
      await at(guest, "claim").waitFor();
      await follow(guest, () => at(guest, "claim-confirm").click());
      assert.equal(await at(guest, "claim-result").getAttribute("data-nivella-code"), "not_there");
      await deliverFor("guest2@example.test");
      await follow(guest, () => at(guest, "claim-confirm").click());
      assert.equal(await at(guest, "claim-result").getAttribute("data-nivella-code"), "claimed");
      assert.equal(await balance(guest), "1000");
      await guest.context().close();
    });

    it("hands a person's data over and forgets what need not be kept", async () => {
      const steps = JSON.parse(
        await php('$all = array(); $page = 0; do { $step = Nivella\\CreditWallet\\export_personal_data( "alice@example.com", ++$page ); $all = array_merge( $all, $step["data"] ); } while ( ! $step["done"] && $page < 50 ); echo wp_json_encode( $all );'),
      );
      const text = JSON.stringify(steps);
      assert.match(text, /Alice Doe/);
      assert.match(text, /\+1000/);
      const erased = JSON.parse(await php('echo wp_json_encode( Nivella\\CreditWallet\\erase_personal_data( "alice@example.com" ) );'));
      assert.deepEqual([erased.items_retained, erased.done, erased.messages.length], [true, true, 1]);
      assert.match(await php('echo wp_json_encode( array( array_keys( apply_filters( "wp_privacy_personal_data_exporters", array() ) ), array_keys( apply_filters( "wp_privacy_personal_data_erasers", array() ) ) ) );'), /nivella-credit-wallet.*nivella-credit-wallet/);
    });

    it("has a customer's own wallet in a block, whatever is written into it", async () => {
      const content = '<!-- wp:nivella/credit-wallet {"view":"bar","wallet":"account:lab:customer:3","customer":3} /-->';
      await site.wp("post", "create", "--post_type=page", "--post_status=publish", "--post_title=Mine", `--post_content=${content}`);
      await alice.goto(`${site.url}/mine/`);
      assert.equal(await at(alice, "wallet").getAttribute("data-nivella-view"), "bar");
      assert.equal(await balance(alice), "5150");
      await pictures(alice, `people-block-${woocommerce}`);
      const nobody = await visit(browser, site, null, "/mine/");
      await at(nobody, "login").waitFor();
      await nobody.context().close();
    });

    it("keeps the last figures of all its websites when the daemon is gone", async () => {
      await alice.goto(site.url + WALLET);
      await refresh(alice);
      const known = await at(alice, "site").count();
      const visitAgain = async () => {
        await site.wp("transient", "delete", "--all", "--quiet");
        const began = Date.now();
        await alice.goto(site.url + WALLET);
        return Date.now() - began;
      };
      const usual_ms = await visitAgain();
      liar.lie = "silence";
      const took_ms = await visitAgain();
      assert.ok(took_ms < usual_ms + 3500, `${took_ms} ms instead of ${usual_ms}`);
      assert.equal(await at(alice, "wallet").getAttribute("data-nivella-state"), "stale");
      assert.equal(await balance(alice), "5150");
      assert.equal(await at(alice, "site").count(), known);
      liar.lie = null;
    });

    it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
      const log = await site.debugLog();
      const ours = isReal ? log.split("\n").filter((line) => line.includes("nivella-credit-wallet")).join("\n") : log;
      assert.equal(ours, "");
      if (!isReal) assert.equal(await site.outsideLog(), "");
      assert.deepEqual(alice.complaints, []);
    });
  });
}
