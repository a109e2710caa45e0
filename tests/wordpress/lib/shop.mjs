/** A real WooCommerce that sells credits, and the ways to buy there. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { follow } from "./browser.mjs";
import { openLab } from "./lab.mjs";
import { startSiteList } from "./site-list.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));

/** A buyer's address. */
const ADDRESS = { first_name: "Alice", last_name: "Doe", address_1: "Lane 1", postcode: "10115", city: "Berlin" };

/** Websites in the daemon's books when the shop opens. */
export const SITES = {
  "alice-shop": { account: "lab:customer:2", label: "Alice's shop" },
  "alice-blog": { account: "lab:customer:2" },
  "bob-site": { account: "lab:customer:3" },
};

/** Opens a shop with a daemon behind it. Alice has two websites, Bob has one. */
export async function openShop() {
  const lab = await openLab({ woocommerce: "real" });
  const shop = new Shop(lab);
  try {
    await shop.prepare();
  } catch (error) {
    await shop.close();
    throw error;
  }
  return shop;
}

class Shop {
  #list = null;
  #mails;

  constructor({ daemon, site, browser, close }) {
    Object.assign(this, { daemon, site, browser });
    this.closeLab = close;
    this.#mails = join(site.folder, "mails.txt");
  }

  async prepare() {
    const { site, daemon } = this;
    // What the shop would send is written to a file.
    const mu = join(site.root, "wp-content/mu-plugins");
    await mkdir(mu, { recursive: true });
    await writeFile(
      join(mu, "nivella-lab-shop.php"),
      `<?php
add_filter( 'pre_wp_mail', static function ( $sent, $mail ) {
	file_put_contents( '${this.#mails}', "To: " . implode( ',', (array) $mail['to'] ) . "\\nSubject: {$mail['subject']}\\n{$mail['message']}\\n\\n", FILE_APPEND | LOCK_EX );
	return true;
}, 10, 2 );
// More than SQLite can count to; WooCommerce means "all".
add_filter( 'query', static function ( $query ) {
	return str_replace( 'LIMIT 0, 18446744073709551615', 'LIMIT 0, 9223372036854775807', $query );
} );
`,
    );
    const made = await site.wp("eval-file", join(HERE, "shop.php"));
    Object.assign(this, JSON.parse(made.split("\n").pop()));
    await site.wp("transient", "delete", "_wc_activation_redirect");
    this.key = await daemon.key("admin");
    for (const [id, what] of Object.entries(SITES)) await daemon.api(this.key, "PUT", `/v1/sites/${id}`, what);
    this.#list = await startSiteList(daemon, Object.keys(SITES));
    await site.settings({ url: this.#list.url, key: this.key, store: "lab" });
  }

  /** What the daemon was asked, and `silent`: it takes questions and says nothing. */
  get list() {
    return this.#list;
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

  /** All mails since the last call. */
  async mails() {
    const text = await readFile(this.#mails, "utf8").catch(() => "");
    await writeFile(this.#mails, "");
    return text;
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

  async close() {
    await Promise.all([this.closeLab(), this.#list?.stop()]);
  }
}

function phpArray(values) {
  return `array( ${Object.entries(values)
    .map(([name, value]) => `'${name}' => '${value}'`)
    .join(", ")} )`;
}
