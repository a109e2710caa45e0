/** A customer's own site: the balance in passing, the notice, Site Health, the command line, the block, and a network. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { accessibilityFaults, at, balance, follow, pictures, visit } from "./lib/browser.mjs";
import { openLab } from "./lib/lab.mjs";
import { startLiar } from "./lib/liar.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";
const CONNECT = ["nivella", "connect"];

describe("a customer's own site", () => {
  let lab, site, daemon, browser, liar, staff, key, page;

  const spend = (credits) => daemon.api(staff, "POST", "/v1/debits", { site: "site-123", credits, label: "Answers" });
  const tick = () => site.wp("cron", "event", "run", "nivella_credit_wallet_tick", "--quiet");
  /** Runs WP-CLI and gives back how it ended. */
  const wp = async (...args) => {
    try {
      return { status: 0, stdout: await site.wp(...args), stderr: "" };
    } catch (error) {
      return { status: error.status, stdout: error.stdout, stderr: error.stderr };
    }
  };

  before(async () => {
    lab = await openLab();
    ({ daemon, site, browser } = lab);
    liar = await startLiar(daemon.url);
    await daemon.deliver("12-line-meta-site-id/001-order.created");
    staff = await daemon.key("admin");
    key = await daemon.key("site:site-123");
    await site.settings({ url: liar.url, key, store: "" });
    page = await visit(browser, site, "admin", "/wp-admin/edit.php");
  });
  after(() => Promise.all([lab?.close(), liar?.stop()]));

  it("shows no balance in the admin bar before one is known, and asks nobody for it", async () => {
    assert.equal(await at(page, "bar-balance").count(), 0);
    await page.goto(`${site.url}/`);
    assert.equal(await at(page, "bar-balance").count(), 0);
    assert.deepEqual(liar.asked, []);
  });

  it("shows it in wp-admin and on the website once the task has asked", async () => {
    await tick();
    for (const path of ["/", "/wp-admin/edit.php"]) {
      await page.goto(site.url + path);
      assert.equal(await at(page, "bar-balance").getAttribute("data-nivella-value"), "1000", path);
      assert.match(await page.locator("#wp-admin-bar-nivella-credit-wallet").innerText(), /1,000/);
    }
    await pictures(page, "site-admin-bar");
    assert.deepEqual(await accessibilityFaults(page, "#wp-admin-bar-nivella-credit-wallet"), []);
    await follow(page, () => page.locator("#wp-admin-bar-nivella-credit-wallet a").click());
    assert.equal(await balance(page), "1000");
  });

  it("shows it to staff only", async () => {
    const alice = await visit(browser, site, "alice", "/");
    assert.equal(await alice.locator("#wpadminbar").count(), 1);
    assert.equal(await at(alice, "bar-balance").count(), 0);
    await alice.context().close();
  });

  it("never waits for a daemon that says nothing, and never asks it for the bar", async () => {
    await site.wp("transient", "delete", "--all", "--quiet");
    liar.lie = "silence";
    liar.asked.length = 0;
    for (const path of ["/", "/wp-admin/edit.php", "/wp-admin/upload.php"]) {
      const began = Date.now();
      await page.goto(site.url + path, { waitUntil: "commit" });
      assert.ok(Date.now() - began < 2000, `${path} took ${Date.now() - began} ms`);
      await page.waitForLoadState();
      assert.equal(await at(page, "bar-balance").getAttribute("data-nivella-value"), "1000");
    }
    assert.deepEqual(liar.asked, []);
    liar.lie = null;
  });

  it("says on every page of wp-admin that credits run low, until that is dismissed", async () => {
    await spend("850");
    await tick();
    await page.goto(`${site.url}/wp-admin/edit.php`);
    const notice = at(page, "low-credit-notice");
    await notice.waitFor();
    assert.match(await notice.innerText(), /Running low: 150 AI Credits can be used/);
    await pictures(page, "site-notice");
    assert.deepEqual(await accessibilityFaults(page, '[data-nivella="low-credit-notice"]'), []);
    assert.match(await page.locator("#wp-admin-bar-nivella-credit-wallet").getAttribute("class"), /nivella-bar-low/);

    // The wallet's own page says it by itself.
    await page.goto(site.url + PAGE);
    assert.equal(await notice.count(), 0);

    await page.goto(`${site.url}/wp-admin/edit.php`);
    await at(page, "dismiss").focus();
    await page.keyboard.press("Enter");
    await notice.waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "the keyboard goes on at the heading");
    for (const path of ["/wp-admin/edit.php", "/wp-admin/", "/wp-admin/plugins.php"]) {
      await page.goto(site.url + path);
      assert.equal(await notice.count(), 0, path);
    }
  });

  it("leaves others their notice", async () => {
    const args = ["user", "create", "carol", "carol@example.com", "--role=administrator", "--quiet"];
    await site.wp(...args);
    const carol = await visit(browser, site, "carol", "/wp-admin/edit.php");
    await at(carol, "low-credit-notice").waitFor();
    await carol.context().close();
  });

  it("speaks up again when the next level is crossed, and is dismissed without JavaScript too", async () => {
    await spend("120");
    await tick();
    const plain = await visit(browser, site, "admin", "/wp-admin/edit.php", { scripts: false });
    assert.equal(await at(plain, "low-credit-notice").getAttribute("data-nivella-status"), "critical");
    await follow(plain, () => at(plain, "dismiss").click());
    assert.equal(new URL(plain.url()).pathname, "/wp-admin/edit.php");
    assert.equal(await at(plain, "low-credit-notice").count(), 0);
    await plain.context().close();
  });

  it("takes a dismissal only from those who may, and only when it was meant", async () => {
    const send = (who, form, path = "/wp-admin/admin-ajax.php") =>
      who.request.post(site.url + path, { form, failOnStatusCode: false, maxRedirects: 0 });
    const form = { action: "nivella_credit_wallet_dismiss", crossing: "a".repeat(20), _wpnonce: "0123456789" };
    const alice = await visit(browser, site, "alice", "/");
    for (const path of ["/wp-admin/admin-ajax.php", "/wp-admin/admin-post.php"]) {
      assert.equal((await send(page, form, path)).status(), 403, "no nonce");
      const nonce = await site.wp("eval", 'wp_set_current_user( 2 ); echo wp_create_nonce( "nivella_credit_wallet_dismiss" );');
      assert.equal((await send(alice, { ...form, _wpnonce: nonce }, path)).status(), 403, "a subscriber");
    }
    await alice.context().close();
  });

  it("tells Site Health how things stand", async () => {
    await page.goto(`${site.url}/wp-admin/site-health.php`);
    await page.waitForFunction(() => !document.querySelector(".site-health-progress-wrapper.loading"), null, { timeout: 60_000 });
    const passed = page.locator(".site-health-view-passed");
    await passed.click();
    const good = await page.locator("#health-check-issues-good").innerText();
    for (const words of ["requests to the wallet service are allowed", "the figures are recent", "the wallet service answers", "the key is for this website", "the clocks agree"]) {
      assert.ok(good.includes(`AI Credits: ${words}`), words);
    }
    await page.goto(`${site.url}/wp-admin/site-health.php?tab=debug`);
    const info = await page.locator("#health-check-accordion-block-nivella-credit-wallet").textContent();
    assert.ok(info.includes(liar.url));
    assert.equal((await page.content()).includes("nwk_"), false);
  });

  it("tells Site Health what is wrong", async () => {
    await site.wp("transient", "delete", "--all", "--quiet");
    await daemon.kill();
    const checks = JSON.parse((await wp("nivella", "doctor", "--format=json")).stdout);
    assert.equal(checks.find(({ check }) => check === "connection").status, "critical");
    await page.goto(`${site.url}/wp-admin/site-health.php`);
    await page.locator("#health-check-issues-critical", { hasText: "AI Credits cannot reach the wallet service" }).waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: /AI Credits cannot reach the wallet service/ }).click();
    await pictures(page, "site-health");
    await daemon.start();
    await site.wp("transient", "delete", "--all", "--quiet");
  });

  it("asks Site Health's questions for those who may see it only", async () => {
    const nobody = await fetch(`${site.url}/wp-json/nivella-credit-wallet/v1/health/connection`);
    assert.equal(nobody.status, 401);
    assert.equal((await nobody.text()).includes(liar.url), false);
  });

  it("speaks on the command line, in words, in JSON and by its exit code", async () => {
    const status = await wp("nivella", "status", "--format=json");
    assert.equal(status.status, 0, status.stderr);
    assert.deepEqual([JSON.parse(status.stdout).ok, JSON.parse(status.stdout).role], [true, "site"]);
    assert.match((await wp("nivella", "status")).stdout, /reason\s+Connected to the wallet of/);

    const wallet = JSON.parse((await wp("nivella", "wallet", "--format=json")).stdout);
    assert.deepEqual([wallet.available, wallet.status], ["30", "critical"]);
    const history = JSON.parse((await wp("nivella", "wallet", "--history", "--format=json")).stdout);
    assert.equal(history.at(-1).credits, "+1000");
    assert.match((await wp("nivella", "wallet", "--history", "--format=csv")).stdout, /^at,kind,label,credits,site,order\n/);

    const doctor = await wp("nivella", "doctor", "--format=json");
    assert.equal(doctor.status, 0, doctor.stdout);
    assert.deepEqual(
      JSON.parse(doctor.stdout).map(({ check, status }) => [check, status]),
      ["external", "age", "connection", "binding", "clock"].map((check) => [check, "good"]),
    );
    const customer = await wp("nivella", "wallet", "--customer=alice");
    assert.equal(customer.status, 1);
    assert.match(customer.stderr, /one wallet/);
  });

  it("connects on the command line, or says why not and ends with 1", async () => {
    for (const [args, words] of [
      [[...CONNECT, "--address=ftp://x", "--key=nwk_0123456789"], /This web address cannot be used/],
      [[...CONNECT, `--address=${daemon.url}`, "--key=secret"], /not a key/],
      [[...CONNECT, `--address=${daemon.url}`], /Give the key/],
      [[...CONNECT, `--address=${daemon.url}`, "--key=nwk_0123456789abcdef"], /key was refused.*key create/],
      [[...CONNECT], /pairing code/],
    ]) {
      const { status, stderr } = await wp(...args);
      assert.equal(status, 1, args.join(" "));
      assert.match(stderr, words);
    }
    const wrong = await wp("nivella", "status", "--format=json");
    assert.equal(wrong.status, 1);
    assert.equal(JSON.parse(wrong.stdout).code, "nivella_unauthorized");
    assert.equal((await wp("nivella", "wallet")).status, 1);
    assert.equal((await wp("nivella", "doctor")).status, 1);

    const right = await wp(...CONNECT, `--address=${liar.url}`, `--key=${key}`);
    assert.equal(right.status, 0, right.stderr);
    assert.match(right.stdout, /Success: Connected to the wallet of/);
    await site.wp("option", "delete", "nivella_credit_wallet", "--quiet");
    const none = await wp("nivella", "status");
    assert.deepEqual([none.status, /Enter both in the settings/.test(none.stderr)], [1, true]);
    await site.settings({ url: liar.url, key, store: "" });
  });

  it("has a block with a preview in the editor, in three sizes", async () => {
    const editor = await visit(browser, site, "admin", "/wp-admin/post-new.php");
    await editor.waitForFunction(() => globalThis.wp?.data?.select("core/editor")?.__unstableIsEditorReady?.() ?? globalThis.wp?.blocks?.getBlockType("nivella/credit-wallet"));
    await editor.evaluate(() => {
      const { dispatch } = globalThis.wp.data;
      dispatch("core/preferences").set("core/edit-post", "welcomeGuide", false);
      dispatch("core/editor").editPost({ title: "Credits of the site", status: "publish" });
      dispatch("core/block-editor").insertBlock(globalThis.wp.blocks.createBlock("nivella/credit-wallet", { view: "balance" }));
    });
    const canvas = () => editor.frames().find((frame) => frame.name() === "editor-canvas") ?? editor.mainFrame();
    const preview = () => canvas().locator('[data-nivella="wallet"]');
    await editor.waitForFunction(() => (document.querySelector('iframe[name="editor-canvas"]')?.contentDocument ?? document).querySelector('[data-nivella="wallet"]'), null, { timeout: 20_000 });
    assert.equal(await preview().getAttribute("data-nivella-view"), "balance");
    assert.equal(await preview().locator('[data-nivella="balance"]').getAttribute("data-nivella-value"), "30");
    await editor.screenshot({ path: new URL("../../target/screenshots/site-block-editor.png", import.meta.url).pathname });

    // With the sidebar's own choice, as a person would.
    await editor.evaluate(() => {
      const { dispatch, select } = globalThis.wp.data;
      const [block] = select("core/block-editor").getBlocks();
      dispatch("core/block-editor").selectBlock(block.clientId);
      (dispatch("core/interface").enableComplementaryArea)("core", "edit-post/block");
    });
    await editor.getByRole("radio", { name: "One line" }).check();
    await canvas().locator('[data-nivella-view="bar"]').waitFor();
    const link = await editor.evaluate(async () => {
      await globalThis.wp.data.dispatch("core/editor").savePost();
      return globalThis.wp.data.select("core/editor").getPermalink();
    });
    // WordPress's own welcome wants a picture of its own.
    assert.deepEqual(editor.complaints.filter((complaint) => !complaint.includes("s.w.org")), []);
    await editor.context().close();

    await page.goto(link);
    assert.equal(await at(page, "wallet").getAttribute("data-nivella-view"), "bar");
    assert.equal(await balance(page), "30");
    await pictures(page, "site-block-bar");
    assert.deepEqual(await accessibilityFaults(page, ".nivella"), []);
    const nobody = await visit(browser, site, null, new URL(link).pathname);
    assert.equal((await nobody.content()).includes('data-nivella="balance"'), false);
    await nobody.context().close();
  });

  it("has the same sizes as a shortcode", async () => {
    const content = '[nivella_credit_wallet view="balance" wallet="site:site-456"]';
    await site.wp("post", "create", "--post_type=page", "--post_status=publish", "--post_title=Balance", `--post_content=${content}`);
    await page.goto(`${site.url}/balance/`);
    assert.equal(await at(page, "wallet").getAttribute("data-nivella-view"), "balance");
    assert.equal(await balance(page), "30");
    assert.equal(await at(page, "history").count(), 0);
    await pictures(page, "site-shortcode-balance");
    assert.deepEqual(await accessibilityFaults(page, ".nivella"), []);
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    assert.equal(await site.debugLog(), "");
    // Site Health has a question of its own for WordPress's home.
    assert.equal((await site.outsideLog()).replaceAll("https://wordpress.org\n", ""), "");
    assert.deepEqual(page.complaints, []);
  });
});

describe("a network of sites", () => {
  let lab, site, daemon;
  const on = (url, ...args) => site.wp(...args, `--url=${url}`);

  before(async () => {
    lab = await openLab();
    ({ daemon, site } = lab);
    await daemon.deliver("12-line-meta-site-id/001-order.created");
    await site.wp("plugin", "deactivate", "nivella-credit-wallet", "--quiet");
    await site.wp("core", "multisite-convert", "--quiet");
    await site.wp("plugin", "activate", "nivella-credit-wallet", "--network", "--quiet");
  });
  after(() => lab?.close());

  it("gives each site a wallet of its own, also one that is made later", async () => {
    for (const slug of ["one", "two"]) await site.wp("site", "create", `--slug=${slug}`, "--quiet");
    for (const [slug, wallet] of [["one", "site-123"], ["two", "site-456"]]) {
      const settings = { url: daemon.url, key: await daemon.key(`site:${wallet}`), store: "" };
      await on(`${site.url}/${slug}/`, "option", "update", "nivella_credit_wallet", JSON.stringify(settings), "--format=json");
    }
    for (const [slug, credits] of [["one", "1000"], ["two", "5000"]]) {
      const url = `${site.url}/${slug}/`;
      assert.equal(JSON.parse(await on(url, "nivella", "wallet", "--format=json")).available, credits);
      assert.match(await on(url, "cron", "event", "list", "--fields=hook"), /nivella_credit_wallet_tick/);
    }
    await assert.rejects(on(site.url, "nivella", "status"), /missing/, "the main site has its own settings: none");
  });

  it("leaves nothing on any site when it is deleted", async () => {
    await on(`${site.url}/one/`, "user", "meta", "update", "1", "nivella_credit_wallet_dismissed", "x");
    await site.wp("plugin", "deactivate", "nivella-credit-wallet", "--network", "--quiet");
    await site.wp("plugin", "uninstall", "nivella-credit-wallet", "--quiet");
    for (const slug of ["", "one/", "two/"]) {
      const found = await on(
        site.url + "/" + slug,
        "eval",
        'global $wpdb; echo wp_json_encode( $wpdb->get_col( "SELECT option_name FROM $wpdb->options WHERE option_name LIKE \'%nivella_credit_wallet%\' OR ( option_value LIKE \'%nivella_credit_wallet%\' AND option_name <> \'recently_activated\' )" ) ), wp_json_encode( $wpdb->get_col( "SELECT meta_key FROM $wpdb->usermeta WHERE meta_key LIKE \'%nivella%\'" ) );',
      );
      assert.equal(found, "[][]", slug);
    }
    assert.equal(await site.debugLog(), "");
  });
});
