/** The shop's staff: wallets, what can be done about them, waiting orders, and the box on an order's screen. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { accessibilityFaults, at, balance, follow, pictures, visit } from "./lib/browser.mjs";
import { openLab } from "./lib/lab.mjs";
import { startLiar } from "./lib/liar.mjs";
import { NO_WOOCOMMERCE } from "./lib/shop.mjs";
import { prepareOrders, tellOrder } from "./lib/staff-shop.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";
const ORDERS = `${PAGE}-orders`;

describe("the wallets of a shop", () => {
  let lab, site, daemon, browser, liar, page, key;

  const api = (method, path, body) => daemon.api(key, method, path, body);
  const account = (name) => api("GET", `/v1/accounts?query=${encodeURIComponent(name)}`).then(({ items }) => items[0].id);
  const available = (wallet) => api("GET", `/v1/wallets/${encodeURIComponent(wallet)}`).then((shown) => shown.available);
  const names = () => at(page, "wallet-link").allInnerTexts();
  const act = (name) => at(page, `act-${name}`);
  /** Fills in an act's form and sends it: what comes is the page that says what will happen, or what is wrong. */
  const review = async (name, fields) => {
    if (!(await act(name).evaluate((details) => details.open))) await act(name).locator("summary").click();
    for (const [field, value] of Object.entries(fields)) {
      const input = page.locator(`#nivella-${name}-${field}`);
      if (await input.evaluate((element) => element.tagName === "SELECT")) await input.selectOption(value);
      else await input.fill(value);
    }
    await follow(page, () => at(act(name), "act-review").click());
  };
  const yes = () => follow(page, () => at(page, "confirm-yes").click());
  const done = () => at(page, "done-text").innerText();
  const open = (id) => page.goto(`${site.url}${PAGE}&account=${id}`);

  before(async () => {
    lab = await openLab({ woocommerce: "stub" });
    ({ daemon, site, browser } = lab);
    // Alice: pool and two sites; Bob: an order; a guest; Alice again with everything taken back.
    for (const each of ["02-paid-order-one-token", "12-line-meta-site-id", "03-quantity-3", "16-full-refund"]) {
      await daemon.deliver(each);
    }
    await daemon.deliver("07-guest/006-order.updated");
    key = await daemon.key("admin");
    await api("POST", "/v1/grants", { wallet: "account:lab:customer:3", credits: "250", reason: "for the test" });
    await api("POST", "/v1/grants", { wallet: "account:lab:email:carol@example.com", credits: "700", reason: "for the test" });
    liar = await startLiar(daemon.url);
    await site.settings({ url: liar.url, key, store: "lab" });
    await site.wp("role", "create", "shop_manager", "Shop manager");
    await site.wp("cap", "add", "shop_manager", "read", "manage_woocommerce");
    for (const [name, role] of [["mary", "shop_manager"], ["eddy", "editor"], ["dora", "subscriber"]]) {
      await site.wp("user", "create", name, `${name}@example.com`, `--role=${role}`, `--display_name=${name} Doe`);
    }
    page = await visit(browser, site, "admin", PAGE);
  });
  after(() => Promise.all([lab?.close(), liar?.stop()]));

  it("lists them all, each with what it has", async () => {
    const { total } = await api("GET", "/v1/accounts?limit=1");
    assert.equal(await at(page, "wallet-link").count(), total);
    assert.match(await at(page, "total").first().innerText(), new RegExp(`^${total} items`));
    const alice = page.locator("tr", { hasText: "alice@example.com" });
    assert.equal(await at(alice, "available").getAttribute("data-nivella-value"), await available("account:lab:customer:2"));
    assert.match(await at(alice, "user-link").getAttribute("href"), /user_id=2/);
    await pictures(page, "staff-wallets");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-staff"), []);
  });

  it("finds a wallet by name, address, account and website", async () => {
    const id = await account("lab:customer:2");
    for (const [words, found] of [
      ["alice", "alice@example.com"],
      [id, "alice@example.com"],
      ["site-456", "alice@example.com"],
      ["carol@example.com", "carol@example.com"],
    ]) {
      await page.goto(site.url + PAGE);
      await page.getByRole("searchbox").fill(words);
      await follow(page, () => page.getByRole("button", { name: "Search wallets" }).click());
      assert.ok((await page.locator(".wp-list-table").innerText()).includes(found), words);
    }
    assert.equal((await names()).length, 1);
    await page.goto(`${site.url}${PAGE}&s=nobody-is-called-that`);
    await at(page, "empty").waitFor();
    await at(page, "found-none").waitFor();
    // Where no wallet fits, somebody may still be looked for.
    await page.goto(`${site.url}${PAGE}&filter=debt`);
    await page.getByRole("searchbox").fill("alice");
  });

  it("narrows them down and sorts them", async () => {
    await page.goto(site.url + PAGE);
    await follow(page, () => page.getByRole("link", { name: "Guests" }).click());
    assert.ok((await page.locator(".wp-list-table tbody tr").count()) >= 1);
    assert.equal(await page.locator(".wp-list-table tbody tr").count(), await page.locator(".wp-list-table tbody .nivella-tag", { hasText: "Guest" }).count());
    await follow(page, () => page.getByRole("link", { name: "All", exact: true }).click());
    const amounts = () => at(page, "available").evaluateAll((cells) => cells.map((cell) => Number(cell.dataset.nivellaValue)));
    await follow(page, () => page.locator("thead").getByRole("link", { name: /^Available/ }).click());
    const falling = await amounts();
    assert.deepEqual(falling, [...falling].sort((a, b) => b - a));
    assert.ok(new Set(falling).size > 2, "there is something to sort");
    await follow(page, () => page.locator("thead").getByRole("link", { name: /^Available/ }).click());
    assert.deepEqual(await amounts(), [...falling].reverse());
  });

  it("turns pages of as many rows as somebody wants, there and back", async () => {
    await page.goto(`${site.url}${PAGE}&orderby=name&order=asc`);
    const all = await names();
    await page.getByRole("button", { name: "Screen Options" }).click();
    await page.getByLabel("Wallets per page:").fill("2");
    await follow(page, () => page.locator("#screen-options-apply").click());
    await page.goto(`${site.url}${PAGE}&orderby=name&order=asc`);
    const seen = [...(await names())];
    assert.equal(seen.length, 2);
    assert.equal(await at(page, "page-prev").count(), 0);
    while (await at(page, "page-next").count()) {
      await follow(page, () => at(page, "page-next").first().click());
      seen.push(...(await names()));
      assert.match(await at(page, "total").first().innerText(), new RegExp(`^${all.length} items`));
    }
    assert.deepEqual(seen, all);
    const last = await names();
    await follow(page, () => at(page, "page-prev").first().click());
    assert.deepEqual(await names(), all.slice(all.length - last.length - 2, all.length - last.length));
    await follow(page, () => at(page, "page-first").first().click());
    assert.deepEqual(await names(), all.slice(0, 2));
    await site.wp("user", "meta", "delete", "1", "nivella_credit_wallet_wallets_per_page");
  });

  it("finds people who never bought, and opens a wallet for them with what they are given", async () => {
    await page.goto(`${site.url}${PAGE}&s=dora`);
    assert.match(await at(page, "found").innerText(), /no wallet yet/);
    await follow(page, () => at(page, "customer").first().click());
    await at(page, "new").waitFor();
    await review("grant", { credits: "50", reason: "welcome", kind: "bonus", validity: "30d" });
    assert.match(await at(page, "confirm").innerText(), /dora Doe gets 50 .*valid for: 30 days/s);
    await yes();
    assert.match(await done(), /^Done: 50 .*added, 50 available/);
    assert.equal(await balance(page), "50");
  });

  it("names what is wrong at the field, and keeps what was typed", async () => {
    await open(await account("lab:customer:2"));
    await pictures(page, "staff-wallet");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-staff"), []);
    const before_ = await available("account:lab:customer:2");
    await review("grant", { credits: "many", reason: "thanks & <b>more</b>" });
    assert.match(await at(page, "fault-credits").innerText(), /500 or 0.5/);
    assert.equal(await page.locator("#nivella-grant-credits").inputValue(), "many");
    assert.equal(await page.locator("#nivella-grant-credits").getAttribute("aria-invalid"), "true");
    await pictures(page, "staff-wrong");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-staff"), []);
    assert.equal(await available("account:lab:customer:2"), before_);
  });

  it("says in numbers what will happen, does it once, and says what it did", async () => {
    const id = await account("lab:customer:2");
    const had = Number(await available(`account:${id}`));
    await open(id);
    await review("grant", { credits: "1,500.50", reason: "invoice 7", kind: "paid", validity: "1y", label: "Thank you" });
    assert.match(await at(page, "confirm").innerText(), /Alice Doe gets 1,500.5 AI Credits \(Bought\)/);
    const then = await at(page, "then").getAttribute("data-nivella-value");
    assert.equal(Number(await available(`account:${id}`)), had, "nothing is booked yet");
    await pictures(page, "staff-confirm");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-staff"), []);

    // Sent twice at once, as two clicks would without the script, and again afterwards.
    const form = await at(page, "confirm").locator("form").evaluate((element) => ({
      url: element.getAttribute("action"),
      form: Object.fromEntries(new FormData(element)),
    }));
    const send = () => page.request.post(form.url, { form: form.form, maxRedirects: 0, failOnStatusCode: false });
    const answers = await Promise.all([send(), send()]);
    assert.deepEqual(answers.map((answer) => answer.status()), [302, 302]);
    await yes();
    assert.match(await done(), /^Done: 1,500.5 AI Credits added, /);
    await pictures(page, "staff-done");
    await page.reload();
    await page.reload();
    assert.equal(Number(await available(`account:${id}`)), had + 1500.5, "booked once");
    assert.match(await at(page, "account-has").innerText(), new RegExp((had + 1500.5).toLocaleString("en-US")));
    const pool = (await api("GET", `/v1/wallets/account:${id}`)).breakdown.filter(({ scope }) => scope === "pool");
    assert.equal(pool.reduce((sum, slice) => sum + Number(slice.remaining), 0), Number(then), "it was what was said");
  });

  it("corrects a balance downwards, and says which credits go", async () => {
    const id = await account("carol@example.com");
    await open(id);
    await review("adjust", { credits: "-701", reason: "x" });
    assert.match(await at(page, "fault-credits").innerText(), /only 700/);
    await review("adjust", { credits: "-300", reason: "counted twice" });
    assert.match(await at(page, "confirm-slices").innerText(), /^300/);
    await yes();
    assert.match(await done(), /Done: 300 .* taken away, 400 available/);
    assert.equal(await available(`account:${id}`), "400");
  });

  it("moves credits between pool and website, and back", async () => {
    const id = await account("lab:customer:2");
    const had = await available(`account:${id}`);
    await open(id);
    const site1 = await at(page, "staff-site").first().getAttribute("data-nivella-site");
    const only = () => at(page, "staff-sites").locator(`[data-nivella-site="${site1}"] [data-nivella-value]`).getAttribute("data-nivella-value");
    const there = Number(await only());
    await review("allocate", { direction: "to", site: site1, credits: "100" });
    assert.equal(await at(page, "then").count(), 2);
    await yes();
    assert.match(await done(), /Done: 100 AI Credits moved to/);
    assert.equal(Number(await only()), there + 100);
    await review("allocate", { direction: "from", site: site1, credits: "100" });
    await yes();
    assert.match(await done(), /Done: 100 AI Credits moved to the pool/);
    assert.equal(Number(await only()), there);
    assert.equal(await available(`account:${id}`), had);
  });

  it("assigns a website, takes it from somebody else, and takes it away", async () => {
    const bob = await account("lab:customer:3");
    await open(bob);
    await review("site", { site: "brand-new", label: "Bob's blog" });
    assert.match(await at(page, "confirm").innerText(), /The website brand-new is new here/);
    await yes();
    assert.match(await done(), /brand-new belongs to/);
    await open(await account("lab:customer:2"));
    await review("site", { site: "brand-new" });
    assert.match(await at(page, "confirm").innerText(), /brand-new belongs to .* now\. It is taken away/);
    await yes();
    assert.equal((await api("GET", "/v1/sites/brand-new")).account.id, await account("lab:customer:2"));
    await review("release", { site: "brand-new" });
    await yes();
    assert.equal((await api("GET", "/v1/sites/brand-new")).account, null);
  });

  it("puts a wallet on hold and releases it, with the reason to be read", async () => {
    await open(await account("lab:customer:3"));
    await review("freeze", { reason: "chargeback of order 7" });
    await yes();
    assert.match(await at(page, "frozen").innerText(), /chargeback of order 7/);
    assert.equal(await act("freeze").count(), 0);
    await pictures(page, "staff-frozen");
    await page.goto(`${site.url}${PAGE}&filter=frozen`);
    assert.match(await page.locator(".wp-list-table tbody").innerText(), /chargeback of order 7/);
    await follow(page, () => at(page, "wallet-link").first().click());
    await review("unfreeze", { reason: "settled" });
    await yes();
    assert.equal(await at(page, "frozen").count(), 0);
  });

  it("makes a guest's claim link, which is shown once and works", async () => {
    const carol = await account("carol@example.com");
    await open(carol);
    await review("claim", { days: "7" });
    await yes();
    const link = new URL(await at(page, "secret").inputValue());
    await at(page, "copy").click();
    await pictures(page, "staff-claim");
    await page.reload();
    assert.equal(await at(page, "secret").count(), 0);
    assert.equal(link.origin, site.url);
    const claimed = await api("POST", "/v1/claims", { token: link.searchParams.get("nivella_claim"), account: "lab:customer:3" });
    assert.equal(claimed.from, carol);
    await open(await account("lab:customer:2"));
    assert.equal(await act("claim").count(), 0, "only guests have one");
  });

  it("tells the story of an order, assigns it and looks at it again", async () => {
    await page.goto(`${site.url}${ORDERS}&state=all`);
    await pictures(page, "staff-orders");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-staff"), []);
    await page.goto(`${site.url}${ORDERS}&order_id=27`);
    await at(page, "story-summary").waitFor();
    assert.equal(await at(page, "line-granted").getAttribute("data-nivella-value"), "1000");
    assert.match(await at(page, "explain").innerText(), /granted to the pool/);
    await pictures(page, "staff-order");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-staff"), []);
    await review("assign", { customer: "nobody-at-all" });
    assert.match(await at(page, "fault-customer").innerText(), /There is no such customer/);
    await review("assign", { customer: "bob@example.com" });
    assert.match(await at(page, "confirm").innerText(), /Customer: Bob Roe \(now: Alice Doe\)/);
    await yes();
    assert.match(await done(), /order 27 is assigned/);
    assert.equal((await api("GET", "/v1/orders/lab/27")).account.id, await account("lab:customer:3"));
    await review("replay", {});
    await yes();
    assert.match(await done(), /processed again/);
  });

  it("shows unclaimed orders first, with a way to their claim link", async () => {
    await page.goto(site.url + ORDERS);
    await page.getByRole("link", { name: "Unclaimed", exact: true }).waitFor();
    if (await at(page, "order-claim").count()) {
      await follow(page, () => at(page, "order-claim").first().click());
      await act("claim").locator("form").waitFor();
    }
  });

  it("needs no JavaScript", async () => {
    const plain = await visit(browser, site, "admin", `${ORDERS}&order_id=33`, { scripts: false });
    await plain.getByLabel("Amount to refund").fill("5.00");
    await follow(plain, () => plain.getByRole("button", { name: "Preview" }).click());
    assert.match(await at(plain, "preview").innerText(), /credits, .* used; refunding .* takes back .*, shortfall /);
    await plain.goto(`${site.url}${PAGE}&account=${await account("lab:customer:3")}`);
    await at(plain, "act-grant").locator("summary").click();
    await plain.locator("#nivella-grant-credits").fill("1");
    await plain.locator("#nivella-grant-reason").fill("x");
    await follow(plain, () => at(at(plain, "act-grant"), "act-review").click());
    await follow(plain, () => at(plain, "confirm-yes").click());
    assert.match(await at(plain, "done-text").innerText(), /^Done: 1 /);
    await plain.context().close();
  });

  it("can be used with the keyboard alone", async () => {
    await open(await account("lab:customer:3"));
    await act("grant").locator("summary").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.type("2");
    for (let field = 0; field < 5; field++) await page.keyboard.press("Tab");
    await page.keyboard.type("by keyboard");
    await follow(page, () => page.keyboard.press("Enter"));
    assert.equal(await page.evaluate(() => document.activeElement.id), "nivella-act", "one is where it is said");
    await page.keyboard.press("Tab");
    await follow(page, () => page.keyboard.press("Enter"));
    assert.match(await done(), /^Done: 2 /);
  });

  it("lets only staff act, and only with the nonce of this act on this wallet", async () => {
    const alice = await account("lab:customer:2");
    const bob = await account("lab:customer:3");
    const forms = async (person, id) => {
      await person.goto(`${site.url}${PAGE}&account=${id}`);
      return person.locator(".nivella-act form").evaluateAll((elements) =>
        elements.map((element) => ({ url: element.getAttribute("action"), fields: Object.fromEntries(new FormData(element)) })),
      );
    };
    const people = Object.fromEntries(
      await Promise.all(["admin", "mary", "eddy", "alice", null].map(async (name) => [name ?? "nobody", await visit(browser, site, name, "/")])),
    );
    const own = { admin: await forms(people.admin, alice), mary: await forms(people.mary, alice) };
    const others = { admin: await forms(people.admin, bob), mary: await forms(people.mary, bob) };
    assert.ok(own.admin.length >= 6 && own.mary.length === own.admin.length, "a shop manager may do all that");
    for (const refused of ["eddy", "alice"]) {
      const answer = await people[refused].goto(`${site.url}${PAGE}&account=${alice}`);
      assert.equal(answer.status(), 403);
    }

    const expected = { admin: 302, mary: 302, eddy: 403, alice: 403, nobody: 400 };
    for (const { url, fields } of own.admin) {
      for (const [name, person] of Object.entries(people)) {
        const mine = (own[name] ?? own.admin).find((form) => form.fields.act === fields.act).fields;
        const bobs = (others[name] ?? others.admin).find((form) => form.fields.act === fields.act)?.fields;
        const tries = { right: mine, none: { ...mine, _wpnonce: "" }, ...(bobs && { "another wallet's": { ...mine, _wpnonce: bobs._wpnonce } }) };
        for (const [which, form] of Object.entries(tries)) {
          const before_ = liar.asked.length;
          const answer = await person.request.post(url, { form, maxRedirects: 0, failOnStatusCode: false });
          const status = which === "right" ? expected[name] : expected[name] === 302 ? 403 : expected[name];
          assert.equal(answer.status(), status, `${name} ${fields.act} ${which} nonce`);
          if (status !== 302) assert.equal(liar.asked.length, before_, `${name} ${fields.act} ${which}: the daemon was asked`);
        }
        const looked = await person.request.get(`${url}?${new URLSearchParams(mine)}`, { maxRedirects: 0, failOnStatusCode: false });
        assert.equal(looked.status(), { admin: 405, mary: 405, eddy: 405, alice: 405, nobody: 400 }[name], `${name} ${fields.act} by GET`);
      }
    }
    await Promise.all(Object.values(people).map((person) => person.context().close()));
  });

  it("says why there is nothing to see while the daemon is down, and waits for it once", async () => {
    const visitAt = async (path) => {
      const begun = Date.now();
      await page.goto(site.url + path);
      return Date.now() - begun;
    };
    // What this machine takes for such a page now, whatever else it does.
    const usual = await visitAt(PAGE);
    liar.lie = "silence";
    const first = await visitAt(PAGE);
    assert.equal(await at(page, "trouble").getAttribute("data-nivella-code"), "nivella_timeout");
    await pictures(page, "staff-down");
    assert.ok(first - usual < 3500, `the first page took ${first} ms, and usually ${usual} ms`);
    for (const path of [ORDERS, `${ORDERS}&order_id=27`, `${PAGE}&customer=2`]) {
      const before_ = liar.asked.length;
      await visitAt(path);
      assert.equal(liar.asked.length, before_, `${path} asked a dead daemon`);
      await at(page, "trouble").first().waitFor();
      assert.equal(await page.locator(".nivella-act").count(), 0);
    }
    liar.lie = null;
    await page.goto(site.url + PAGE);
    await follow(page, () => at(page, "refresh").first().click());
    await at(page, "wallet-link").first().waitFor();
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    assert.equal(await site.debugLog(), "");
    assert.equal(await site.outsideLog(), "");
    assert.deepEqual(page.complaints, []);
  });
});

for (const storage of ["hpos", "posts"]) {
  describe(`an order's screen in WooCommerce, orders kept ${storage === "hpos" ? "in its own tables" : "as posts"}`, { skip: NO_WOOCOMMERCE }, () => {
    let lab, site, daemon, browser, liar, page, made, key;

    const preview = async (pattern) => {
      await page.waitForFunction(
        ([source]) => new RegExp(source).test(document.querySelector('[data-nivella="preview"]').textContent),
        [pattern.source],
      );
      return at(page, "preview").innerText();
    };

    before(async () => {
      lab = await openLab({ woocommerce: "real" });
      ({ daemon, site, browser } = lab);
      made = await prepareOrders(site, storage);
      await daemon.run("package", "set", "--store", "lab", "--product", String(made.product), "--credits", "1000");
      await tellOrder(daemon, made.body);
      key = await daemon.key("admin");
      await daemon.api(key, "PUT", "/v1/sites/shop-1", { account: "lab:customer:2" });
      await daemon.api(key, "POST", "/v1/debits", { site: "shop-1", credits: "380", label: "Answers" });
      liar = await startLiar(daemon.url);
      await site.settings({ url: liar.url, key, store: "lab" });
      page = await visit(browser, site, "admin", "/wp-login.php");
      // The first page of a new WooCommerce takes its time.
      page.setDefaultTimeout(60_000);
      await page.goto(site.url + made.edit);
    });
    after(() => Promise.all([lab?.close(), liar?.stop()]));

    it("has a box with what the order granted and what is left of it", async () => {
      await at(page, "story").waitFor();
      assert.equal(await at(page, "line-granted").getAttribute("data-nivella-value"), "1000");
      assert.equal(await at(page, "line-used").getAttribute("data-nivella-value"), "380");
      assert.equal(await at(page, "line-left").getAttribute("data-nivella-value"), "620");
      assert.equal(await at(page, "story-line").count(), 1, "shirts are none of its business");
      await at(page, "explain").locator("summary").click();
      assert.match(await at(page, "explain").innerText(), /granted to the pool/);
      assert.deepEqual(await accessibilityFaults(page, "#nivella-credit-wallet"), []);
      await pictures(page, `staff-box-${storage}`);
    });

    it("says what a refund takes back while it is typed", async () => {
      await page.locator("button.refund-items").click();
      await page.locator("input.refund_order_item_qty").first().fill("1");
      await page.locator("input.refund_order_item_qty").first().blur();
      assert.equal(await preview(/shortfall \d/), "1,000 credits, 380 used; refunding $100.00 takes back 620, shortfall 380");
      assert.match(await at(page, "preview-notes").innerText(), /380 were used already/);
      await pictures(page, `staff-preview-${storage}`);
      await page.locator("input.refund_order_item_qty").first().fill("0");
      await page.locator("input.refund_line_total").first().fill("40");
      await page.locator("input.refund_line_total").first().blur();
      assert.equal(await preview(/\$40/), "1,000 credits, 380 used; refunding $40.00 takes back 400, shortfall 0");
      // A fee sells no credits: what is refunded of it takes none back.
      await page.locator("tr.fee input.refund_line_total").fill("5");
      await page.locator("tr.fee input.refund_line_total").blur();
      assert.equal(await preview(/\$45/), "1,000 credits, 380 used; refunding $45.00 takes back 400, shortfall 0");
      const asked = liar.asked.filter((url) => url.includes("refund-preview")).length;
      assert.ok(asked <= 6, `asked ${asked} times`);
      await page.locator(".refund-actions button.cancel-action").click();
      await page.waitForFunction(() => document.querySelector('[data-nivella="preview"]').hidden);
      const story = await daemon.api(key, "GET", `/v1/orders/lab/${made.order}`);
      assert.equal(story.grants[0].remaining, "620", "nothing was taken back");
    });

    it("leads to the order's page and to the wallet", async () => {
      const wallet = await at(page, "wallet-link").getAttribute("href");
      await follow(page, () => at(page, "box-assign").click());
      await page.locator("#nivella-assign-customer").waitFor();
      assert.ok(await at(page, "act-assign").evaluate((details) => details.open));
      assert.match(await at(page, "order-edit").getAttribute("href"), new RegExp(String(made.order)));
      await page.goto(wallet);
      assert.match(await at(page, "customer-name").innerText(), /alice/i);
    });

    it("is not there for orders without credits, nor for people who may not see wallets", async () => {
      await page.goto(site.url + made.other);
      await page.locator("#woocommerce-order-items").waitFor();
      assert.equal(await at(page, "order-box").count(), 0);
      await site.wp("cap", "add", "editor", "edit_shop_orders", "edit_others_shop_orders", "read_shop_order", "edit_shop_order", "edit_published_shop_orders", "edit_private_shop_orders");
      await site.wp("user", "create", "eddy", "eddy@example.com", "--role=editor");
      const eddy = await visit(browser, site, "eddy", "/wp-login.php");
      eddy.setDefaultTimeout(60_000);
      await eddy.goto(site.url + made.edit);
      assert.equal(await at(eddy, "order-box").count(), 0);
      await eddy.context().close();
    });

    it("is no slower while the daemon is silent, and says why it is empty", async () => {
      liar.lie = "silence";
      const asked = liar.asked.length;
      await page.goto(site.url + made.edit, { waitUntil: "commit" });
      assert.equal(liar.asked.length, asked, "the page was there before anybody was asked");
      await at(page, "trouble").waitFor();
      assert.equal(await at(page, "trouble").getAttribute("data-nivella-code"), "nivella_timeout");
      await page.locator("#woocommerce-order-items").waitFor();
      await pictures(page, `staff-box-down-${storage}`);
      liar.lie = null;
    });

    it("leaves no notice of PHP of ours behind", async () => {
      const ours = (await site.debugLog()).split("\n").filter((line) => line.includes("nivella-credit-wallet"));
      assert.deepEqual(ours, []);
      assert.deepEqual(page.complaints.filter((each) => /nivella|staff/.test(each)), []);
    });
  });
}
