/** Connecting a WordPress with the daemon, by hand, and what the page says when that does not work. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { accessibilityFaults, at, balance, follow, pictures, visit } from "./lib/browser.mjs";
import { openLab } from "./lib/lab.mjs";
import { startLiar } from "./lib/liar.mjs";
import { freePort } from "./lib/process.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";
const SETTINGS = `${PAGE}-settings`;

describe("the settings page", () => {
  let lab, site, daemon, browser, page, key, liar;

  const result = async () => {
    await at(page, "test-result").waitFor();
    return at(page, "test-result").getAttribute("data-nivella-code");
  };
  const save = async ({ url, key: typed, store }) => {
    if (url !== undefined) await page.getByLabel("Address of the wallet service").fill(url);
    if (typed !== undefined) await page.getByLabel("Key", { exact: true }).fill(typed);
    if (store !== undefined) await page.getByLabel("Store name").fill(store);
    await follow(page, () => page.getByRole("button", { name: "Save and connect" }).click());
  };
  const test = () => follow(page, () => at(page, "test-connection").click());

  before(async () => {
    lab = await openLab();
    ({ daemon, site, browser } = lab);
    liar = await startLiar(daemon.url);
    await daemon.deliver("12-line-meta-site-id/001-order.created");
    key = await daemon.key("site:site-123");
  });
  after(() => Promise.all([lab?.close(), liar?.stop()]));

  it("is where a new installation leads to", async () => {
    page = await visit(browser, site, "admin", PAGE);
    await at(page, "not-connected").waitFor();
    await pictures(page, "not-connected");
    await follow(page, () => page.getByRole("link", { name: "Connect", exact: true }).click());
    await page.getByRole("heading", { name: "AI Credits settings" }).waitFor();
    assert.equal(await at(page, "test-connection").count(), 0, "there is nothing to test yet");
  });

  it("connects with an address and a key, and keeps the key to itself", async () => {
    await save({ url: `  ${daemon.url}/v1/ `, key });
    assert.equal(await result(), "ok");
    assert.match(await at(page, "reason").innerText(), /site-123/);
    assert.equal(await page.getByLabel("Address of the wallet service").inputValue(), daemon.url);
    assert.ok(!(await page.content()).includes(key), "the key is in the page");
    assert.ok((await at(page, "key-state").innerText()).includes(key.slice(-4)));
    await pictures(page, "settings");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-wrap"), []);

    await page.goto(site.url + PAGE);
    assert.equal(await balance(page), "1000");
    assert.match(await at(page, "whose").innerText(), /site-123/);
    await page.goto(site.url + SETTINGS);
  });

  it("tests the connection when asked", async () => {
    await test();
    assert.equal(await result(), "ok");
    await page.reload();
    assert.equal(await at(page, "test-result").count(), 0, "an old result is not shown as a new one");
  });

  it("names a refused key", async () => {
    await save({ key: "nwk_this-is-nobodys-key-at-all" });
    assert.equal(await result(), "nivella_unauthorized");
    assert.match(await at(page, "remedy").innerText(), /key create/);
    await pictures(page, "settings-refused");
    await save({ key });
    assert.equal(await result(), "ok");
  });

  it("names an address where nothing answers", async () => {
    await save({ url: `http://127.0.0.1:${await freePort()}` });
    assert.equal(await result(), "nivella_refused");
    await test();
    assert.equal(await result(), "nivella_refused");
  });

  it("names an address where something else answers, and takes the key nowhere else", async () => {
    for (const [lie, code] of Object.entries({
      "a redirect": "nivella_redirect",
      "a page of HTML": "nivella_feed",
      "broken JSON": "nivella_feed",
      "a closed connection": "nivella_not_ready",
      silence: "nivella_timeout",
    })) {
      liar.lie = lie;
      await save({ url: liar.url });
      assert.equal(await result(), code, lie);
    }
    assert.ok(!liar.asked.includes("/elsewhere"), "a redirect was followed");
    await save({ url: daemon.url });
    assert.equal(await result(), "ok");
  });

  it("keeps the old settings when the new ones cannot be meant", async () => {
    await page.locator("form").evaluateAll((forms) => forms.forEach((form) => (form.noValidate = true)));
    await save({ url: "ftp://wallet.example.com", key: "not a key", store: "../etc" });
    const text = await page.locator(".nivella-wrap").innerText();
    assert.match(text, /This web address cannot be used/);
    assert.match(text, /not a key/);
    assert.match(text, /not the name of a store/);
    assert.equal(await page.getByLabel("Address of the wallet service").inputValue(), daemon.url);
    assert.equal(await page.getByLabel("Store name").inputValue(), "");
    await test();
    assert.equal(await result(), "ok");
  });

  it("notices a shop's key on a customer's site, and a site's key on a shop", async () => {
    await save({ key: await daemon.key("admin") });
    assert.equal(await result(), "nivella_shop_key");
    await save({ store: "lab" });
    assert.equal(await result(), "ok");
    await save({ key });
    assert.equal(await result(), "nivella_site_key");
    await save({ store: "" });
    assert.equal(await result(), "ok");
  });

  it("is for administrators only", async () => {
    const alice = await visit(browser, site, "alice", "/");
    for (const path of [PAGE, SETTINGS]) {
      const answer = await alice.goto(site.url + path);
      assert.equal(answer.status(), 403, path);
      assert.ok(!(await alice.content()).includes("1,000"));
    }
    await alice.context().close();
  });

  it("is gone without a trace when the plugin is deleted", async () => {
    await site.wp("plugin", "uninstall", "nivella-credit-wallet", "--deactivate");
    const left = await site.wp("option", "list", "--search=*nivella*", "--field=option_name");
    assert.equal(left, "");
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    assert.equal(await site.debugLog(), "");
    assert.equal(await site.outsideLog(), "");
    assert.deepEqual(page.complaints, []);
  });
});
