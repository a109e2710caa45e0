/** The plugin's pages in German and French, from right to left, and on paper. */
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { join } from "node:path";
import { accessibilityFaults, at, DESKTOP, PHONE, pictures, visit } from "./lib/browser.mjs";
import { openLab } from "./lib/lab.mjs";
import { REPOSITORY } from "./lib/wordpress.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";
const PICTURES = join(REPOSITORY, "target/screenshots");
const SETTINGS = `${PAGE}-settings`;
const ACCOUNT = "/my-account/ai-credits/";
const LANGUAGES = {
  de_DE: { lang: "de-DE", status: "Genug vorhanden", use: "Jetzt nutzbar", test: "Verbindung testen", line: "Eine Zeile", wallets: "Wallets suchen" },
  fr_FR: { lang: "fr-FR", status: "Solde suffisant", use: "Vous pouvez utiliser maintenant", test: "Tester la connexion", line: "Une ligne", wallets: "Rechercher des portefeuilles" },
};

/** English words without anything to fill in, and what stands for them in a translation. */
async function translations(locale) {
  const text = await readFile(join(REPOSITORY, `wp-plugin/languages/nivella-credit-wallet-${locale}.po`), "utf8");
  const words = new Map();
  for (const [, source, translated] of text.matchAll(/^msgid ("(?:.|\n")*?)\nmsgstr ("(?:.|\n")*)/gm)) {
    const [from, to] = [source, translated].map((part) => part.trim().split("\n").map((line) => JSON.parse(line)).join(""));
    if (from && from !== to) words.set(from, to);
  }
  return words;
}

/** Everything people read of the plugin on this page: texts, and what is only read out. */
function textsOf(page) {
  return page.evaluate(() => {
    const texts = [];
    for (const element of document.querySelectorAll("[class*=nivella]:not(body), [class*=nivella]:not(body) *, #toplevel_page_nivella-credit-wallet *")) {
      if (element.closest("script, style")) continue;
      for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) texts.push(node.textContent);
      for (const name of ["aria-label", "data-title", "title", "placeholder"]) texts.push(element.getAttribute(name) ?? "");
    }
    return [...new Set(texts.map((text) => text.trim().replace(/\s+/g, " ")).filter(Boolean))];
  });
}

/** What sticks out of the window at either side, of what the plugin shows. */
function outside(page) {
  return page.evaluate(() => {
    // What is only there to be read out is clipped to nothing; WordPress puts a row's links aside until the row is looked at.
    const hidden = (element) => {
      if (element.closest(".row-actions")) return true;
      for (let each = element; each; each = each.parentElement) {
        const { position, clip, clipPath } = getComputedStyle(each);
        if (position === "absolute" && (clip !== "auto" || clipPath !== "none")) return true;
      }
      return false;
    };
    return [...document.querySelectorAll(".nivella, .nivella *, .nivella-staff, .nivella-staff *")]
      .filter((element) => element instanceof HTMLElement && element.getClientRects().length > 0 && !hidden(element))
      .filter((element) => {
        const { left, right } = element.getBoundingClientRect();
        return left < -1 || right > innerWidth + 1;
      })
      .map((element) => element.outerHTML.slice(0, 120));
  });
}

describe("the plugin in other languages", () => {
  let lab, site, daemon, browser, asSite, asShop;

  const english = async (page, words) => (await textsOf(page)).filter((text) => words.has(text));
  /** Opens a page as somebody, hands it over, and closes it. */
  const look = async (name, path, see) => {
    const page = await visit(browser, site, name, path);
    try {
      await see(page);
      // The editor's own welcome has its pictures elsewhere.
      assert.deepEqual(page.complaints.filter((complaint) => !complaint.includes("//s.w.org/images/block-editor/")), []);
    } finally {
      await page.context().close();
    }
  };

  before(async () => {
    lab = await openLab({ woocommerce: "stub" });
    ({ daemon, site, browser } = lab);
    await daemon.deliver("02-paid-order-one-token");
    await daemon.deliver("12-line-meta-site-id/001-order.created");
    const key = await daemon.key("admin");
    await daemon.api(key, "POST", "/v1/debits", { site: "site-123", credits: "850.25", label: "Answers" });
    await daemon.api(key, "POST", "/v1/debits", { site: "site-123", credits: "820", label: "Summaries" });
    asSite = { url: daemon.url, key: await daemon.key("site:site-123"), store: "" };
    asShop = { url: daemon.url, key, store: "lab" };
    await mkdir(join(site.root, "wp-content/languages"), { recursive: true });
    for (const locale of Object.keys(LANGUAGES)) {
      // WordPress's own words stay English: an empty file makes it believe that it knows the language.
      const empty = Buffer.alloc(28);
      [0x950412de, 0, 0, 28, 28, 0, 28].forEach((number, i) => empty.writeUInt32LE(number, 4 * i));
      await writeFile(join(site.root, `wp-content/languages/${locale}.mo`), empty);
    }
  });
  after(() => lab?.close());

  for (const [locale, expected] of Object.entries(LANGUAGES)) {
    describe(locale, () => {
      let words;

      before(async () => {
        words = await translations(locale);
        assert.ok(words.size > 600, `${words.size} words`);
        await site.wp("option", "update", "WPLANG", locale);
        await site.settings(asSite);
      });

      it("shows the wallet page", () =>
        look("admin", PAGE, async (page) => {
          assert.equal(await page.locator("html").getAttribute("lang"), expected.lang);
          assert.equal(await at(page, "status").innerText(), expected.status);
          assert.match(await page.locator(".nivella-hero").innerText(), new RegExp(expected.use));
          assert.deepEqual(await english(page, words), []);
          assert.deepEqual(await accessibilityFaults(page, ".nivella"), []);
          await pictures(page, `wallet-${locale}`);
        }));

      it("shows the settings of a customer's website", () =>
        look("admin", SETTINGS, async (page) => {
          await page.getByRole("button", { name: expected.test }).waitFor();
          assert.deepEqual(await english(page, words), []);
          await pictures(page, `settings-${locale}`);
        }));

      it("shows the block in the editor, with its script's words", () =>
        look("admin", "/wp-admin/post-new.php?post_type=page", async (page) => {
          await page.waitForFunction(() => globalThis.wp?.blocks?.getBlockType("nivella/credit-wallet"));
          const line = await page.evaluate(() => globalThis.wp.i18n.__("One line", "nivella-credit-wallet"));
          assert.equal(line, expected.line);
          const { title, description } = await page.evaluate(() => globalThis.wp.blocks.getBlockType("nivella/credit-wallet"));
          assert.equal(title, "AI Credits");
          assert.doesNotMatch(description, /How many/);
        }));

      it("shows the shop's wallets and its settings", async () => {
        await site.settings(asShop);
        await look("admin", PAGE, async (page) => {
          await page.getByRole("button", { name: expected.wallets }).waitFor();
          assert.deepEqual(await english(page, words), []);
          await pictures(page, `staff-wallets-${locale}`);
          await page.goto(await at(page, "wallet-link").first().getAttribute("href"));
          await at(page, "act-grant").waitFor();
          assert.deepEqual(await english(page, words), []);
          await pictures(page, `staff-wallet-${locale}`);
        });
        await look("admin", SETTINGS, async (page) => {
          assert.deepEqual(await english(page, words), []);
          await pictures(page, `shop-settings-${locale}`);
        });
      });

      it("shows My Account", () =>
        look("alice", ACCOUNT, async (page) => {
          assert.equal(await at(page, "wallet").getAttribute("data-nivella-state"), "fresh");
          assert.deepEqual(await english(page, words), []);
          assert.deepEqual(await accessibilityFaults(page, ".nivella"), []);
          await pictures(page, `my-account-${locale}`);
        }));
    });
  }

  it("is read from right to left where people do, and nothing sticks out", async () => {
    await site.wp("option", "update", "WPLANG", "");
    await site.wp("option", "update", "date_format", "Y-m-d");
    const rtl = join(site.root, "wp-content/mu-plugins/nivella-rtl.php");
    await writeFile(rtl, "<?php\n// What a translation from right to left tells WordPress.\n$GLOBALS['text_direction'] = 'rtl';\n");
    const screens = [
      ["wallet-rtl", asSite, "admin", PAGE],
      ["settings-rtl", asSite, "admin", SETTINGS],
      ["staff-wallets-rtl", asShop, "admin", PAGE],
      ["shop-settings-rtl", asShop, "admin", SETTINGS],
      ["my-account-rtl", asShop, "alice", ACCOUNT],
    ];
    for (const [name, settings, who, path] of screens) {
      await site.settings(settings);
      await look(who, path, async (page) => {
        assert.equal(await page.locator("html").getAttribute("dir"), "rtl");
        for (const size of [DESKTOP, PHONE]) {
          await page.setViewportSize(size);
          assert.deepEqual(await outside(page), [], `${name} at ${size.width}`);
        }
        await page.setViewportSize(DESKTOP);
        if (name === "wallet-rtl") {
          for (const mark of [".nivella-bar", ".nivella-chart-plot"]) {
            const transform = await page.locator(mark).first().evaluate((element) => getComputedStyle(element).transform);
            assert.equal(transform, "matrix(-1, 0, 0, 1, 0, 0)", `${mark} is mirrored`);
          }
          // The first day stands where people begin to read.
          const [first, last] = await page.locator(".nivella-chart-days span").evaluateAll((spans) => spans.map((span) => span.getBoundingClientRect().left));
          assert.ok(first > last, `${first} > ${last}`);
          const heading = await page.locator(".nivella-hero h2").boundingBox();
          const hero = await page.locator(".nivella-hero").boundingBox();
          assert.ok(heading.x + heading.width > hero.x + hero.width / 2, "the heading begins at the right");
        }
        await pictures(page, name);
      });
    }
    await rm(rtl);
  });

  /** As wide as a sheet of A4 between its margins, where nothing may stick out. */
  const paper = async (page, name) => {
    await page.setViewportSize({ width: 718, height: 1000 });
    assert.deepEqual(await outside(page), [], name);
    await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
  };

  it("goes on paper without what only works on a screen", async () => {
    await site.wp("option", "update", "WPLANG", "");
    await site.settings(asSite);
    await look("admin", PAGE, async (page) => {
      await page.emulateMedia({ media: "print" });
      assert.equal(await at(page, "balance").isVisible(), true);
      assert.equal(await at(page, "history-row").first().isVisible(), true);
      for (const screen of ["#adminmenumain", "#wpadminbar", ".nivella-filter", ".nivella-panel-packages", ".nivella-acts"]) {
        for (const each of await page.locator(screen).all()) assert.equal(await each.isVisible(), false, screen);
      }
      await paper(page, "wallet-print");
    });
    await site.settings(asShop);
    await look("admin", PAGE, async (page) => {
      await page.emulateMedia({ media: "print" });
      assert.equal(await at(page, "available").first().isVisible(), true);
      for (const each of await page.locator("#adminmenumain, #wpadminbar, .search-box").all()) assert.equal(await each.isVisible(), false);
      await paper(page, "staff-wallets-print");
    });
    await look("alice", ACCOUNT, async (page) => {
      await page.emulateMedia({ media: "print" });
      assert.equal(await at(page, "balance").isVisible(), true);
      await paper(page, "my-account-print");
    });
  });

  it("has its main screens as the handbook shows them", async () => {
    await site.wp("option", "update", "WPLANG", "");
    await site.wp("option", "update", "date_format", "F j, Y");
    const size = { width: 1100, height: 800 };
    const screens = [
      ["wallet", asSite, "admin", PAGE],
      ["dashboard", asSite, "admin", "/wp-admin/index.php"],
      ["settings", asSite, "admin", SETTINGS],
      ["wallets", asShop, "admin", PAGE],
      ["connect", { url: "", key: "", store: "" }, "admin", SETTINGS],
      ["my-account", asShop, "alice", ACCOUNT],
    ];
    for (const [name, settings, who, path] of screens) {
      await site.settings(settings);
      await look(who, path, async (page) => {
        // The theme leaves much room above and beside what the shop has to say.
        const clip = name === "my-account" ? { x: 200, y: 230, width: 700, height: 1250 } : undefined;
        await page.setViewportSize(clip ? { ...size, height: 1500 } : size);
        await page.screenshot({ path: join(PICTURES, `plugin-${name}.png`), animations: "disabled", clip });
        if (name !== "wallets") return;
        await page.goto(await at(page, "wallet-link").first().getAttribute("href"));
        await at(page, "act-grant").locator("summary").click();
        await page.screenshot({ path: join(PICTURES, "plugin-wallet-of-a-customer.png"), animations: "disabled" });
      });
    }
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    assert.equal(await site.debugLog(), "");
    assert.equal(await site.outsideLog(), "");
  });
});
