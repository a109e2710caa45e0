/** A real browser, which may look at this machine only. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { REPOSITORY } from "./wordpress.mjs";

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

const PICTURES = join(REPOSITORY, "target/screenshots");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Starts the browser. */
export async function startBrowser() {
  mkdirSync(PICTURES, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    // Without a sandbox it also starts as root; the rest keeps it from calling home.
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"],
    ],
  });
}

/**
 * A person with a browser of their own, logged in as `name` (nobody: `null`), looking at `path`.
 *
 * `page.complaints` gathers what the browser complained of: errors of scripts, and anything a page wanted
 * from another machine.
 */
export async function visit(browser, site, name, path, { size = DESKTOP, scripts = true, patience_ms = 30_000 } = {}) {
  const context = await browser.newContext({
    viewport: size,
    javaScriptEnabled: scripts,
    locale: "en-US",
    timezoneId: "UTC",
    reducedMotion: "reduce",
    acceptDownloads: true,
  });
  context.setDefaultTimeout(patience_ms);
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(`script: ${error.message}`));
  await context.route("**/*", (route) => {
    const { protocol, hostname, href } = new URL(route.request().url());
    if (hostname === "127.0.0.1" || protocol === "data:" || protocol === "blob:") return route.continue();
    page.complaints.push(`wanted ${href}`);
    return route.abort();
  });
  await page.goto(name === null ? site.url + path : site.loginUrl(name, path));
  return page;
}

/** The element that the plugin marks with this name; templates may change around the marks. */
export function at(page, name) {
  return page.locator(`[data-nivella="${name}"]`);
}

/** The balance on the page, as the daemon wrote it: `6994.5`, not `6,994.50`. */
export async function balance(page) {
  return at(page, "balance").getAttribute("data-nivella-value");
}

/** Does something that leads to another page, or to this one anew, and waits until that is loaded. */
export async function follow(page, act) {
  // Not the next `load` event: that may be the one of the page we are leaving.
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), act()]);
}

/** Presses Refresh, so that the next page asks the daemon. */
export async function refresh(page) {
  await follow(page, () => at(page, "refresh").click());
}

/**
 * Pictures of the whole page for people to look at, target/screenshots/NAME-desktop.png and NAME-phone.png.
 *
 * On the phone nothing may stick out sideways.
 */
export async function pictures(page, name) {
  for (const [kind, size] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    await page.setViewportSize(size);
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: join(PICTURES, `${name}-${kind}.png`), fullPage: true, animations: "disabled" });
    const outside = await page.evaluate(() => {
      // What is only there to be read out is clipped to nothing, wherever it stands.
      const clipped = (element) => {
        for (let each = element; each; each = each.parentElement) {
          const { position, clip, clipPath } = getComputedStyle(each);
          if (position === "absolute" && (clip !== "auto" || clipPath !== "none")) return true;
        }
        return false;
      };
      return [...document.querySelectorAll(".nivella, .nivella *")]
        .filter((element) => element instanceof HTMLElement && !clipped(element))
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .map((element) => element.outerHTML.slice(0, 120));
    });
    assert.deepEqual(outside, [], `${name} is wider than the ${kind}`);
  }
  await page.setViewportSize(DESKTOP);
}

/**
 * What axe finds wrong inside `within` for people who cannot see or point: its serious and critical findings,
 * in a line each.
 */
export async function accessibilityFaults(page, within) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(
    (selector) => globalThis.axe.run(selector, { resultTypes: ["violations"] }),
    within,
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, impact, help, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${impact} ${id}: ${help}\n  ${html}\n  ${failureSummary}`),
    );
}
