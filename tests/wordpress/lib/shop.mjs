/** The real WooCommerce as a shop that sells credits, and the ways to buy there. */
import { copyFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { follow } from "./browser.mjs";
import { openLab } from "./lab.mjs";
import { startLiar } from "./liar.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));

/** Why tests that need the real WooCommerce are skipped, or false when it is here. */
export const NO_WOOCOMMERCE = process.env.WOOCOMMERCE_ZIP ? false : "needs the real WooCommerce: WOOCOMMERCE_ZIP=…";

/** A buyer's address. */
const ADDRESS = { first_name: "Alice", last_name: "Doe", address_1: "Lane 1", postcode: "10115", city: "Berlin" };

/** Websites in the daemon's books when the shop opens. */
const SITES = {
  "alice-shop": { account: "lab:customer:2", label: "Alice's shop" },
  "alice-blog": { account: "lab:customer:2" },
  "bob-site": { account: "lab:customer:3" },
};

/** What a guest types at the classic checkout, or sends from the block checkout. */
const GUEST = { ...ADDRESS, first_name: "Gwen", last_name: "Guest", email: "gwen@example.com", phone: "030123456", country: "DE", state: "" };

/** Sets a WooCommerce up as a shop: with today's order tables, or with orders as posts. It knows no daemon yet. */
export async function prepareShop(site, { tables = true } = {}) {
  await copyFile(join(HERE, "../lab-shop.php"), join(site.root, "wp-content/mu-plugins/nivella-lab-shop.php"));
  const made = await site.wp("eval-file", join(HERE, "shop.php"), tables ? "tables" : "posts");
  // Until somebody looks at a page the rules for addresses are those of before WooCommerce.
  await site.wp("rewrite", "flush", "--quiet");
  // Nothing of WooCommerce is compiled yet; on a busy machine the first page would take as long as a browser waits.
  for (const path of ["/", "/wp-admin/admin-ajax.php"]) await (await fetch(site.url + path)).arrayBuffer();
  return new Shop(site, JSON.parse(made.split("\n").pop()));
}

/** Opens a shop with a daemon and a browser. Alice has two websites, Bob has one. */
export async function openShop() {
  const lab = await openLab({ woocommerce: "real" });
  const { daemon, site, browser } = lab;
  let liar;
  const close = () => Promise.all([lab.close(), liar?.stop()]);
  try {
    const [shop, key] = [await prepareShop(site), await daemon.key("admin")];
    for (const [id, what] of Object.entries(SITES)) await daemon.api(key, "PUT", `/v1/sites/${id}`, what);
    liar = await startLiar(daemon.url);
    await site.settings({ url: liar.url, key, store: "lab" });
    return Object.assign(shop, { daemon, browser, key, liar, close });
  } catch (error) {
    await close();
    throw error;
  }
}

class Shop {
  constructor(site, made) {
    Object.assign(this, { site }, made);
  }

  /** Which of WooCommerce's carts and checkouts the shop has: `block` or `classic`. */
  async use(kind) {
    const { cart, checkout } = this.pages[kind];
    await this.site.wp("option", "update", "woocommerce_cart_page_id", String(cart));
    await this.site.wp("option", "update", "woocommerce_checkout_page_id", String(checkout));
    this.kind = kind;
    this.checkout = kind === "block" ? "/checkout/" : "/classic-checkout/";
    this.cart = kind === "block" ? "/cart/" : "/classic-cart/";
  }

  /** Whether customers are asked for the website: `hidden`, `optional` or `required`. */
  async ask(mode) {
    await this.site.wp("option", "update", "nivella_credit_wallet_selling", JSON.stringify({ site_field: mode }), "--format=json");
  }

  /** Sets a product's promise as the fields do. */
  async promise(product, credits, validity, kind) {
    await this.php(
      `$p = wc_get_product( ${product} ); foreach ( ${phpArray({ credits, validity, kind })} as $k => $v ) { '' === $v ? $p->delete_meta_data( "_nivella_$k" ) : $p->update_meta_data( "_nivella_$k", $v ); } $p->save();`,
    );
  }

  /** Runs PHP in the shop and gives back what it printed. */
  async php(code) {
    return this.site.wp("eval", code);
  }

  /** What was written on the lines of an order, by the names of the products. */
  async lines(order) {
    const printed = await this.php(
      `$l = array(); foreach ( wc_get_order( ${order} )->get_items() as $i ) { $m = array(); foreach ( $i->get_meta_data() as $d ) { if ( 0 === strpos( $d->key, '_nivella' ) ) { $m[ substr( $d->key, 9 ) ] = $d->value; } } ksort( $m ); $l[] = array( $i->get_name(), $m ); } echo wp_json_encode( $l );`,
    );
    return JSON.parse(printed).map(([name, meta]) => [name, Array.isArray(meta) ? {} : meta]);
  }

  /** Puts a product into somebody's cart as a link does. */
  async add(page, product, site) {
    await page.goto(`${this.site.url}${this.cart}?add-to-cart=${product}${site ? `&nivella_site=${encodeURIComponent(site)}` : ""}`);
  }

  /** Opens checkout and says who buys and how it is paid. */
  async openCheckout(page, { email = "alice@example.com", pay = "Direct bank transfer" } = {}) {
    await page.goto(this.site.url + this.checkout);
    if (this.kind === "classic") {
      for (const [name, value] of Object.entries({ ...ADDRESS, phone: "030123", email })) await page.locator(`#billing_${name}`).fill(value);
      await page.locator(".blockUI").first().waitFor({ state: "detached" }).catch(() => {});
      await page.getByLabel(pay).check();
      return;
    }
    await page.locator("#email").waitFor();
    await page.locator("#email").fill(email);
    const edit = page.getByRole("button", { name: "Edit billing address" });
    if (await edit.count()) await edit.click();
    for (const [name, value] of Object.entries(ADDRESS)) await page.locator(`#billing-${name}`).fill(value);
    await page.getByRole("radio", { name: pay }).check();
  }

  /** Presses the button and gives back the number of the order. */
  async place(page) {
    await follow(page, () => this.press(page));
    const [, order] = page.url().match(/order-received\/(\d+)/) ?? [];
    if (!order) throw new Error(`no order was placed, but ${page.url()} shown`);
    return Number(order);
  }

  /** Presses the button. */
  async press(page) {
    await page.getByRole("button", { name: /place order/i }).click();
  }

  /** Presses the button and waits until the checkout complains of that. */
  async refused(page, why) {
    await this.press(page);
    const errors = ".wc-block-components-notice-banner.is-error, .wc-block-components-validation-error, .woocommerce-error";
    await page.locator(errors).filter({ hasText: why }).first().waitFor();
  }

  /** Does something in a request of the web server; gives back what came of it, and how long the answer took. */
  async does(act, parameters = {}) {
    const query = new URLSearchParams({ nivella_lab_shop: act, token: this.site.token, ...parameters });
    const began = Date.now();
    const answer = await fetch(`${this.site.url}/?${query}`);
    const text = await answer.text();
    const took_ms = Date.now() - began;
    if (!answer.ok) throw new Error(`${act} was answered ${answer.status}: ${text.slice(0, 500)}`);
    try {
      return { done: JSON.parse(text), took_ms, at: Date.now() };
    } catch {
      throw new Error(`${act} was answered with no JSON: ${text.slice(0, 800)}`);
    }
  }

  /** A customer who buys at the block checkout, through the Store API as its page does. */
  async buysAtBlocks(product) {
    const store = `${this.site.url}/wp-json/wc/store/v1`;
    let answer = await fetch(`${store}/cart`);
    const headers = {
      "content-type": "application/json",
      "cart-token": answer.headers.get("cart-token"),
      nonce: answer.headers.get("nonce"),
    };
    await answer.arrayBuffer();
    const post = (path, body) => fetch(store + path, { method: "POST", headers, body: JSON.stringify(body) });
    answer = await post("/cart/add-item", { id: product, quantity: 1 });
    if (!answer.ok) throw new Error(`add-item was answered ${answer.status}: ${await answer.text()}`);
    await answer.arrayBuffer();
    const began = Date.now();
    answer = await post("/checkout", {
      billing_address: GUEST,
      payment_method: "nivella_lab",
    });
    const text = await answer.text();
    const took_ms = Date.now() - began;
    if (!answer.ok) throw new Error(`the checkout was answered ${answer.status}: ${text.slice(0, 500)}`);
    return { order: JSON.parse(text).order_id, took_ms, at: Date.now(), headers: answer.headers };
  }

  /** A customer who buys at the classic checkout, with the requests of its form. */
  async buysAtClassic(product) {
    const cookies = new Map();
    const ask = async (path, options = {}) => {
      const answer = await fetch(this.site.url + path, {
        redirect: "manual",
        ...options,
        headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; "), ...options.headers },
      });
      for (const line of answer.headers.getSetCookie()) {
        const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
        cookies.set(name, value);
      }
      return answer;
    };
    await (await ask(`/?add-to-cart=${product}`)).arrayBuffer();
    const page = await (await ask("/classic-checkout/")).text();
    const [, nonce] = page.match(/name="woocommerce-process-checkout-nonce" value="([^"]+)"/) ?? [];
    if (!nonce) throw new Error(`there is no checkout on the page: ${page.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ").slice(0, 600)}`);
    const form = new URLSearchParams({
      ...Object.fromEntries(Object.entries(GUEST).map(([name, value]) => [`billing_${name}`, value])),
      payment_method: "nivella_lab",
      terms: "1",
      "woocommerce-process-checkout-nonce": nonce,
    });
    const began = Date.now();
    const answer = await ask("/?wc-ajax=checkout", { method: "POST", body: form });
    const text = await answer.text();
    const took_ms = Date.now() - began;
    const told = JSON.parse(text);
    if (told.result !== "success") throw new Error(`the checkout was answered ${text.slice(0, 500)}`);
    return { order: told.order_id, took_ms, at: Date.now(), headers: answer.headers };
  }
}

function phpArray(values) {
  return `array( ${Object.entries(values)
    .map(([name, value]) => `'${name}' => '${value}'`)
    .join(", ")} )`;
}
