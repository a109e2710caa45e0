/** The real WooCommerce as a shop that sells credits, and what people do in it. */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { REPOSITORY } from "./wordpress.mjs";

/** Why tests that need the real WooCommerce are skipped, or false when it is here. */
export const NO_WOOCOMMERCE = process.env.WOOCOMMERCE_ZIP ? false : "needs the real WooCommerce: WOOCOMMERCE_ZIP=…";

/** Sets the shop up: `tables` for today's order tables, or orders as posts. Gives back ids of what it sells. */
export async function openShop(site, { tables = true } = {}) {
  await copyFile(
    join(REPOSITORY, "tests/wordpress/lab-shop.php"),
    join(site.root, "wp-content/mu-plugins/nivella-lab-shop.php"),
  );
  const script = `
    update_option( 'woocommerce_currency', 'EUR' );
    update_option( 'woocommerce_coming_soon', 'no' );
    update_option( 'woocommerce_enable_guest_checkout', 'yes' );
    update_option( 'woocommerce_calc_taxes', 'no' );
    update_option( 'woocommerce_default_country', 'DE' );
    // Nobody is to be led to its wizard.
    delete_transient( '_wc_activation_redirect' );
    update_option( 'woocommerce_onboarding_profile', array( 'skipped' => true ) );
    update_option( 'woocommerce_task_list_hidden', 'yes' );
    WC_Install::create_pages();
    if ( ${tables} ) {
      $sync = wc_get_container()->get( Automattic\\WooCommerce\\Internal\\DataStores\\Orders\\DataSynchronizer::class );
      $sync->check_orders_table_exists() || $sync->create_database_tables();
      update_option( 'woocommerce_custom_orders_table_enabled', 'yes' );
      update_option( 'woocommerce_custom_orders_table_data_sync_enabled', 'no' );
    } else {
      update_option( 'woocommerce_custom_orders_table_enabled', 'no' );
    }
    $term = static function ( $name, $slug, $parent = 0 ) {
      return wp_insert_term( $name, 'product_cat', array( 'slug' => $slug, 'parent' => $parent ) )['term_id'];
    };
    $tokens  = $term( 'Tokens', 'tokens' );
    $bundles = $term( 'Bundles', 'bundles', $tokens );
    $apparel = $term( 'Apparel', 'apparel' );
    $product = static function ( $name, $category, $price, $credits ) {
      $made = new WC_Product_Simple();
      $made->set_name( $name );
      $made->set_regular_price( $price );
      $made->set_virtual( true );
      $made->set_category_ids( array( $category ) );
      $made->set_status( 'publish' );
      if ( $credits ) { $made->update_meta_data( '_nivella_credits', $credits ); }
      return $made->save();
    };
    $checkout = wp_insert_post( array( 'post_type' => 'page', 'post_status' => 'publish', 'post_name' => 'classic', 'post_title' => 'Classic', 'post_content' => '[woocommerce_checkout]' ) );
    echo wp_json_encode( array(
      'tokens' => $tokens, 'bundles' => $bundles, 'apparel' => $apparel, 'checkout' => $checkout,
      'credits' => $product( 'AI Credits 1,000', $tokens, '10', '1000' ),
      'bundle' => $product( 'AI Credits bundle', $bundles, '40', '5000' ),
      'shirt' => $product( 'T-Shirt', $apparel, '20', '' ),
    ) );`;
  const printed = await site.wp("eval", script);
  // Until somebody looks at a page the rules for addresses are those of before WooCommerce.
  await site.wp("rewrite", "flush", "--quiet");
  // Nothing of WooCommerce is compiled yet; on a busy machine the first page would take as long as a browser waits.
  for (const path of ["/", "/wp-admin/admin-ajax.php"]) await (await fetch(site.url + path)).arrayBuffer();
  return new Shop(site, JSON.parse(printed.slice(printed.lastIndexOf('{"tokens"'))));
}

class Shop {
  constructor(site, ids) {
    this.site = site;
    Object.assign(this, ids);
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
      billing_address: { ...BUYER, country: "DE", state: "" },
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
    const page = await (await ask("/classic/")).text();
    const [, nonce] = page.match(/name="woocommerce-process-checkout-nonce" value="([^"]+)"/) ?? [];
    if (!nonce) throw new Error(`there is no checkout on the page: ${page.replace(/<[^>]+>/g, " ").replace(/\s+/g, " ").slice(0, 600)}`);
    const form = new URLSearchParams({
      ...Object.fromEntries(Object.entries({ ...BUYER, country: "DE", state: "" }).map(([name, value]) => [`billing_${name}`, value])),
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

const BUYER = {
  first_name: "Gwen",
  last_name: "Guest",
  address_1: "Street 1",
  city: "Berlin",
  postcode: "10115",
  email: "gwen@example.com",
  phone: "030123456",
};
