/** A customer's site: from a paid order in the shop to the figure on the wallet page, and the page's whole life. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { accessibilityFaults, at, balance, follow, PHONE, pictures, refresh, visit } from "./lib/browser.mjs";
import { openLab } from "./lib/lab.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";

describe("the wallet page", () => {
  let lab, site, daemon, browser, page, staff;

  const spend = (where, credits, label) =>
    daemon.api(staff, "POST", "/v1/debits", { site: where, credits, label });

  before(async () => {
    lab = await openLab();
    ({ daemon, site, browser } = lab);
    staff = await daemon.key("admin");
    const key = await daemon.key("account:lab:customer:2");
    await site.settings({ url: daemon.url, key, store: "" });
  });
  after(() => lab?.close());

  it("lets a person in through WordPress's own login, and says that nothing was bought yet", async () => {
    page = await visit(browser, site, null, PAGE);
    await page.getByLabel("Username or Email Address").fill(site.user);
    await page.getByLabel("Password", { exact: true }).fill(site.password);
    await follow(page, () => page.getByRole("button", { name: "Log In" }).click());
    await page.getByRole("heading", { name: "AI Credits", level: 1 }).waitFor();
    assert.equal(await at(page, "wallet").getAttribute("data-nivella-state"), "none");
    assert.equal(await balance(page), "0");
    await pictures(page, "wallet-new");
  });

  it("shows a recorded paid order as the new balance", async () => {
    const answers = await daemon.deliver("02-paid-order-one-token");
    assert.deepEqual(
      answers.filter(({ result }) => result === "granted").length,
      1,
      `six deliveries of one order grant once: ${JSON.stringify(answers)}`,
    );
    await refresh(page);
    assert.equal(await balance(page), "1000");
    assert.equal(await at(page, "balance").innerText(), "1,000");
    assert.equal(await at(page, "status").innerText(), "Enough left");
    const rows = at(page, "history-row");
    assert.equal(await rows.count(), 1);
    assert.match(await rows.innerText(), /Top-up\s+AI Credits 1,000\s+Order 27\s+\+1,000/);
  });

  it("shows the same after the same deliveries again", async () => {
    const answers = await daemon.deliver("02-paid-order-one-token");
    assert.ok(answers.every(({ result }) => result !== "granted"), JSON.stringify(answers));
    await refresh(page);
    assert.equal(await balance(page), "1000");
  });

  it("adds an order for two websites, and tells them apart", async () => {
    await daemon.deliver("12-line-meta-site-id/001-order.created");
    await refresh(page);
    assert.equal(await balance(page), "7000");
    const sites = await at(page, "site").evaluateAll((rows) =>
      rows.map((row) => [row.dataset.nivellaSite, row.querySelector("[data-nivella-value]").dataset.nivellaValue]),
    );
    // The row without a name is what all websites share.
    assert.deepEqual(Object.fromEntries(sites), { "site-456": "5000", "site-123": "1000", "": "1000" });
    assert.equal(sites[0][0], "site-456", "most first");
  });

  it("shows what was used, when and for what", async () => {
    await spend("site-123", "3", "Product questions");
    await spend("site-456", "2.5", "Order status");
    for (let line = 1; line <= 20; line++) await spend("site-123", "0.1", `Answer ${line}`);
    await refresh(page);
    assert.equal(await balance(page), "6992.5");
    assert.equal(await at(page, "used").getAttribute("data-nivella-value"), "7.5");
    assert.equal(await at(page, "total").getAttribute("data-nivella-value"), "7000");
    await at(page, "chart").waitFor();
    assert.match(await at(page, "usage-summary").innerText(), /^7\.5(0)? AI Credits in total/);
    await pictures(page, "wallet-normal");
  });

  it("turns the pages of the history", async () => {
    const rows = at(page, "history-row");
    assert.equal(await rows.count(), 20);
    const newest = await rows.first().innerText();
    await follow(page, () => at(page, "history-older").click());
    assert.equal(await rows.count(), 5);
    assert.match(await rows.last().innerText(), /Order 27/);
    await follow(page, () => at(page, "history-newest").click());
    assert.equal(await rows.first().innerText(), newest);
  });

  it("filters the history by kind, website and day", async () => {
    const kinds = () => at(page, "history-row").evaluateAll((rows) => rows.map((row) => row.dataset.nivellaKind));
    const submit = () => follow(page, () => at(page, "history-submit").click());

    await page.getByLabel("Show", { exact: true }).selectOption("top_up");
    await submit();
    assert.deepEqual(new Set(await kinds()), new Set(["top_up"]));
    assert.equal((await kinds()).length, 3);

    await page.getByLabel("Website", { exact: true }).selectOption("site-456");
    await submit();
    assert.deepEqual(await kinds(), ["top_up"]);
    assert.match(await at(page, "history-row").innerText(), /\+5,000/);

    await page.getByLabel("From", { exact: true }).fill("2031-01-01");
    await submit();
    await at(page, "history-empty").waitFor();
    await follow(page, () => at(page, "history-all").click());
    assert.equal((await kinds()).length, 20);
  });

  it("downloads the history as CSV, and only the part that was asked for", async () => {
    const download = async () => {
      const [file] = await Promise.all([page.waitForEvent("download"), at(page, "csv").click()]);
      return { name: file.suggestedFilename(), lines: (await readFile(await file.path(), "utf8")).trimEnd().split("\r\n") };
    };
    const all = await download();
    assert.match(all.name, /\.csv$/);
    assert.match(all.lines[0], /^at,kind,label,credits/);
    assert.match(all.lines[1], /top_up,"AI Credits 1,000",\+?1000/);
    assert.ok(all.lines.length >= 5, all.lines.join("\n"));

    await page.goto(`${site.url}${PAGE}&nivella_kind=top_up&nivella_site=site-456`);
    const part = await download();
    assert.equal(part.lines.length, 2, part.lines.join("\n"));
    assert.match(part.lines[1], /\+?5000/);
    await page.goto(site.url + PAGE);
  });

  it("needs no JavaScript", async () => {
    const plain = await visit(browser, site, "admin", PAGE, { scripts: false });
    await refresh(plain);
    assert.equal(await balance(plain), "6992.5");
    await plain.getByLabel("Show", { exact: true }).selectOption("top_up");
    await follow(plain, () => at(plain, "history-submit").click());
    assert.equal(await at(plain, "history-row").count(), 3);
    await plain.context().close();
  });

  it("can be used with the keyboard alone, and shows where one is", async () => {
    await page.goto(site.url + PAGE);
    await page.evaluate(() => {
      // What everything looks like while it is not focused.
      const look = (of) => {
        const { outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor } = getComputedStyle(of);
        return [outlineStyle === "none" ? "" : outlineWidth + outlineColor, boxShadow, borderColor].join(" ");
      };
      const plain = new Map([...document.querySelectorAll(".nivella *")].map((each) => [each, look(each)]));
      globalThis.focusShows = (focused) => plain.get(focused) !== look(focused);
    });
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.innerText), "Skip to main content");
    await page.keyboard.press("Enter");
    const passed = [];
    for (let steps = 0; steps < 60 && passed.at(-1)?.mark !== "csv"; steps++) {
      await page.keyboard.press("Tab");
      passed.push(
        await page.evaluate(() => {
          const focused = document.activeElement;
          return {
            mark: focused.dataset.nivella || focused.name || focused.tagName,
            shows: !focused.closest(".nivella") || globalThis.focusShows(focused),
          };
        }),
      );
    }
    const marks = passed.map(({ mark }) => mark);
    for (const mark of ["refresh", "chart-table-toggle", "nivella_kind", "nivella_from", "history-submit", "csv"]) {
      assert.ok(marks.includes(mark), `Tab does not reach ${mark}: ${marks.join(", ")}`);
    }
    // A field for a date takes several steps, and inside it the browser shows where one is.
    const shown = new Set(passed.filter(({ shows }) => shows).map(({ mark }) => mark));
    assert.deepEqual(marks.filter((mark) => !shown.has(mark)), [], "one cannot see where one is");

    await at(page, "chart-table-toggle").focus();
    await page.keyboard.press("Enter");
    await at(page, "chart-table").waitFor({ state: "visible" });

    await spend("site-123", "0.5", "One more");
    await at(page, "refresh").focus();
    await follow(page, () => page.keyboard.press("Enter"));
    assert.equal(await balance(page), "6992");
  });

  it("has no serious fault for those who cannot see or point", async () => {
    assert.deepEqual(await accessibilityFaults(page, ".nivella-wrap"), []);
    const phone = await visit(browser, site, "admin", PAGE, { size: PHONE });
    assert.deepEqual(await accessibilityFaults(phone, ".nivella-wrap"), []);
    await phone.context().close();
  });

  it("says early that credits run low, here and on the dashboard", async () => {
    await spend("site-456", "4997.5", "A large import");
    // A fifth of the one purchase that is left; what is used up no longer counts as stock.
    await spend("site-123", "1800", "A large import");
    await refresh(page);
    assert.equal(await balance(page), "194.5");
    assert.equal(await at(page, "wallet").getAttribute("data-nivella-status"), "low");
    assert.equal(await at(page, "status").innerText(), "Running low");
    await pictures(page, "wallet-low");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-wrap"), []);

    await page.goto(`${site.url}/wp-admin/`);
    await at(page, "low-credit-notice").waitFor();
    assert.match(await at(page, "low-credit-notice").innerText(), /Running low: 194\.50? AI Credits/);
    assert.equal(await at(page, "dashboard").locator('[data-nivella="balance"]').getAttribute("data-nivella-value"), "194.5");
    await follow(page, () => page.getByRole("link", { name: "Open AI Credits" }).first().click());
    assert.equal(await balance(page), "194.5");
  });

  it("says what an empty wallet means", async () => {
    await spend("site-123", "194.5", "The rest");
    await refresh(page);
    assert.equal(await balance(page), "0");
    assert.equal(await at(page, "wallet").getAttribute("data-nivella-status"), "empty");
    await at(page, "note-used-up").waitFor();
    await pictures(page, "wallet-empty");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-wrap"), []);
  });

  it("shows the last known balance and its age when the daemon is gone, and recovers by itself", async () => {
    await daemon.deliver("03-quantity-3");
    await refresh(page);
    assert.equal(await balance(page), "3000");

    await daemon.kill();
    await refresh(page);
    assert.equal(await at(page, "wallet").getAttribute("data-nivella-state"), "stale");
    assert.equal(await balance(page), "3000");
    assert.match(await at(page, "stale").innerText(), /last known figures, \d+ (second|minute)s? old/);
    assert.equal(await at(page, "trouble").getAttribute("data-nivella-code"), "nivella_refused");
    assert.ok(await at(page, "history-row").count(), "the last known history stays");
    await pictures(page, "wallet-daemon-down");
    assert.deepEqual(await accessibilityFaults(page, ".nivella-wrap"), []);

    await daemon.start();
    await refresh(page);
    assert.equal(await at(page, "wallet").getAttribute("data-nivella-state"), "fresh");
    assert.equal(await balance(page), "3000");
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    assert.equal(await site.debugLog(), "");
    assert.equal(await site.outsideLog(), "");
    assert.deepEqual(page.complaints, []);
  });
});
