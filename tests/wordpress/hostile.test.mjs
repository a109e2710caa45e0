/**
 * A daemon that was taken over: whatever it writes into a text, the page stays as it was made.
 *
 * The page with a hostile text must have exactly the elements and attributes it has with a harmless one, so
 * nothing of a text became markup, whatever the trick was.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startBrowser, visit } from "./lib/browser.mjs";
import { startDaemon } from "./lib/daemon.mjs";
import { startLiar } from "./lib/liar.mjs";
import { REPOSITORY, startWordPress } from "./lib/wordpress.mjs";

const PAGE = "/wp-admin/admin.php?page=nivella-credit-wallet";
const PAGE_MS_MAX = 3500;

// What makes a script run, out of a text and out of attributes in every way of quoting: 10 × 20.
const SCRIPTS = [
  "<script>owned()</script>",
  "<img src=x onerror=owned()>",
  "<svg/onload=owned()>",
  "<svg><script>owned()</script></svg>",
  "<iframe srcdoc='<script>parent.owned()</script>'></iframe>",
  "<details open ontoggle=owned()>",
  "<input autofocus onfocus=owned()>",
  "<video><source onerror=owned()></video>",
  "<math><mi xlink:href='javascript:owned()'>x</mi></math>",
  "<a href='javascript:owned()'>x</a>",
  "<form action=javascript:owned()><button>x</button></form>",
  "<object data='javascript:owned()'></object>",
  "<base href='javascript:owned()//'>",
  "<style>@import 'javascript:owned()';</style>",
  "<meta http-equiv=refresh content='0;url=javascript:owned()'>",
  "<template><script>owned()</script></template>",
  "<ScRiPt>owned()</sCrIpT>",
  "<scr<script>ipt>owned()</scr</script>ipt>",
  "%3Cscript%3Eowned()%3C/script%3E",
  "&lt;script&gt;owned()&lt;/script&gt;",
];
const BREAKS = ["", '">', "'>", "`>", "</textarea>", "</title></script>", '" onmouseover="owned()" x="', "' onfocus=owned() autofocus '", "-->", "]]>"];
const PAYLOADS = BREAKS.flatMap((out) => SCRIPTS.map((script) => out + script));

const FEED = JSON.parse(await readFile(join(REPOSITORY, "fixtures/feed/normal.json"), "utf8"));

/** The feed with `text` wherever the daemon may write words of its own. */
function feedWith(text) {
  const feed = structuredClone(FEED);
  Object.assign(feed, { unit: text.slice(0, 60) });
  feed.account.name = text;
  feed.site.label = text;
  for (const list of [feed.breakdown, feed.activity, feed.expiring]) for (const row of list) row.label = text;
  for (const row of feed.usage.by_action) row.action = text;
  for (const row of feed.packages) Object.assign(row, { name: text, ...("price_html" in row && { price_html: `$10 ${text}` }) });
  return feed;
}

/** Every element below the wallet's and the names of its attributes, in order; and whether it would run anything. */
function bones(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const roots = [...page.querySelectorAll(".nivella, .nivella-wrap, #nivella_credit_wallet")];
  const all = roots.flatMap((root) => [root, ...root.querySelectorAll("*")]);
  return {
    shape: all.map((one) => `${one.tagName} ${one.getAttributeNames().sort().join(" ")}`),
    runs: all
      .filter((one) =>
        one.getAttributeNames().some((name) => /^on/i.test(name) || /^\s*(javascript|data|vbscript):/i.test(one.getAttribute(name))),
      )
      .map((one) => one.outerHTML.slice(0, 200)),
  };
}

describe("the wallet with a daemon that was taken over", () => {
  let daemon, site, browser, liar, page;

  before(async () => {
    [daemon, site, browser] = await Promise.all([startDaemon(), startWordPress(), startBrowser()]);
    liar = await startLiar(daemon.url);
    await site.settings({ url: liar.url, key: await daemon.key("site:site-123"), store: "" });
    page = await visit(browser, site, "admin", PAGE);
  });
  after(() => Promise.all([browser?.close(), site?.stop(), daemon?.remove(), liar?.stop()]));

  /** Presses Refresh without drawing the page that follows. */
  let button = null;
  const pressRefresh = async () => {
    button ??= await page.locator("form.nivella-refresh").evaluate((form) => ({
      url: form.getAttribute("action"),
      fields: Object.fromEntries(new FormData(form)),
    }));
    const pressed = await page.request.post(button.url, { form: button.fields, maxRedirects: 0 });
    assert.equal(pressed.status(), 302);
  };
  const read = async (path) => (await page.request.get(site.url + path)).text();
  const state = (html) => /data-nivella="wallet"[^>]* data-nivella-state="(\w+)"/.exec(html)?.[1];

  /** The pages that show what the daemon says, as bytes. */
  const shown = async (says, paths = [PAGE, "/wp-admin/index.php"]) => {
    liar.says = JSON.stringify(says);
    await pressRefresh();
    return Promise.all(paths.map(read));
  };

  /** The first of what is here and not there. */
  const differs = (found, expected) => {
    const index = found.findIndex((one, at) => one !== expected[at]);
    return index < 0 && found.length === expected.length ? null : `${found[index]}, not ${expected[index]}, at ${index}`;
  };

  it(`shows ${PAYLOADS.length} hostile texts in every field as texts`, async () => {
    assert.ok(PAYLOADS.length >= 200);
    const harmless = await shown(feedWith("Something harmless and long enough to be cut where texts are cut, as it may be"));
    const expected = [];
    for (const html of harmless) expected.push(await page.evaluate(bones, html));
    assert.ok(expected[0].shape.length > 100 && expected[1].shape.length > 3, "the pages show the feed");
    for (const [number, payload] of PAYLOADS.entries()) {
      // The dashboard shows little of it: now and then will do.
      const pages = await shown(feedWith(payload), number % 10 === 0 ? undefined : [PAGE]);
      assert.equal(state(pages[0]), "fresh", payload);
      for (const [index, html] of pages.entries()) {
        const found = await page.evaluate(bones, html);
        assert.deepEqual(found.runs, [], payload);
        assert.equal(differs(found.shape, expected[index].shape), null, payload);
      }
    }
  });

  it("leads nowhere but to web addresses", async () => {
    for (const url of ["javascript:owned()", "data:text/html,<script>owned()</script>", "vbscript:owned", "//evil.example", " javascript:owned()", "java\nscript:owned()"]) {
      const feed = feedWith("Credits");
      feed.links = { top_up: url, docs: url };
      for (const row of feed.packages) row.url = url;
      for (const html of await shown(feed)) {
        assert.deepEqual((await page.evaluate(bones, html)).runs, [], url);
        assert.ok(!html.includes("evil.example"), url);
      }
    }
  });

  it("takes one megabyte of garbage for no wallet, in time", async () => {
    const garbage = Array.from({ length: 65536 }, (_, index) => (index * 2654435761).toString(16).padStart(16, "<")).join("");
    assert.ok(garbage.length >= 1 << 20);
    for (const said of [garbage, `{"unit":${JSON.stringify(garbage)}}`]) {
      liar.says = said;
      await pressRefresh();
      const began = Date.now();
      const html = await read(PAGE);
      assert.ok(Date.now() - began < PAGE_MS_MAX);
      assert.equal(state(html), "stale");
    }
  });

  it("refuses a field of the wrong kind, each by its name, and keeps the last figures", async () => {
    const wrong = [null, true, 7, -1.5, "", [], [[]], {}, "1e9", "-0", "９"];
    let next = 0;
    const [normal] = await shown(FEED);
    assert.equal(state(normal), "fresh");
    for (const field of Object.keys(FEED)) {
      // Each value in some field, each field with some values: tests without WordPress try them all.
      for (let times = 0; times < 2; times++) {
        const value = wrong[next++ % wrong.length];
        const [html] = await shown({ ...FEED, [field]: value }, [PAGE]);
        // Whether the daemon may say so or not: there is a page, with figures.
        assert.match(String(state(html)), /^(fresh|stale)$/, `${field} = ${JSON.stringify(value)}`);
        assert.deepEqual((await page.evaluate(bones, html)).runs, []);
      }
    }
  });

  it("ran nothing of it in a real browser", async () => {
    for (const payload of PAYLOADS.filter((_, index) => index % 41 === 0)) {
      await shown(feedWith(payload));
      await page.goto(site.url + PAGE);
      // A script of the page would have thrown: nobody defined `owned`.
      assert.deepEqual(page.complaints, [], payload);
    }
  });

  it("leaves no notice of PHP behind, and asked nobody but its daemon", async () => {
    assert.equal(await site.debugLog(), "");
    assert.equal(await site.outsideLog(), "");
    assert.deepEqual(page.complaints, []);
  });
});
