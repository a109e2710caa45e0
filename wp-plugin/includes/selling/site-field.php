<?php
/**
 * For which website credits are bought: asked on the product's page and at the classic checkout, kept with the cart's line,
 * written on the order's.
 *
 * Each line of a cart can be for another website. Checkout asks once, for all lines of which it is not known yet. The
 * checkout block has its own field, see block-checkout.php.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** What the website is called in a form and in a link. */
const SITE_PARAM = 'nivella_site';

/** What the id of a website is called that is not in the list. */
const SITE_PARAM_OTHER = 'nivella_site_other';

/** What the list says when the website is not in it. It can be no id. */
const SITE_OTHER = '*';

/** What the website is called in a line of the cart. */
const CART_SITE = 'nivella_site';

/** How many different websites of one cart are looked at; each costs a question. */
const SITES_CHECKED_MAX = 5;

/** The stylesheet of what the shop shows. */
const SELLING_STYLE = 'nivella-credit-wallet-selling';

/**
 * Makes the stylesheet known.
 */
function register_selling_style(): void {
	wp_register_style( SELLING_STYLE, plugins_url( 'assets/selling.css', FILE ), array(), VERSION );
}

/**
 * The address that puts a package for a website into the cart and shows the cart.
 *
 * @param int    $product_id A product or a variation.
 * @param string $site       The website's id; '' leaves it open.
 */
function top_up_cart_url( int $product_id, string $site ): string {
	$url = add_query_arg( 'add-to-cart', $product_id, function_exists( 'wc_get_cart_url' ) ? wc_get_cart_url() : home_url( '/' ) );
	return with_site( $url, is_site_id( $site ) ? $site : '' );
}

/**
 * An address with the website that what is bought there is for.
 *
 * @param string|null $url  Where something is bought.
 * @param string      $site A website, or '' for none.
 */
function with_site( ?string $url, string $site ): ?string {
	return null === $url || '' === $site ? $url : add_query_arg( SITE_PARAM, rawurlencode( $site ), $url );
}

/**
 * What the website is called in the cart and on orders.
 */
function site_label(): string {
	return __( 'Website', 'nivella-credit-wallet' );
}

/**
 * The website of a line of the cart, or ''.
 *
 * @param array $line The line.
 */
function cart_line_site( $line ): string {
	$site = is_array( $line ) ? ( $line[ CART_SITE ] ?? '' ) : '';
	return is_site_id( $site ) ? $site : '';
}

/**
 * The website of a line of an order, or ''.
 *
 * @param \WC_Order_Item $item The line.
 */
function order_line_site( \WC_Order_Item $item ): string {
	$site = $item->get_meta( META_SITE );
	return is_site_id( $site ) ? $site : '';
}

/**
 * The account of whoever is logged in, or ''.
 */
function own_account(): string {
	return buyer_account( get_current_user_id() );
}

/**
 * What was sent as website: null when the form or link did not have it, '' when it was left open.
 *
 * @param array $sent What was sent, without slashes.
 */
function sent_site( array $sent ): ?string {
	if ( ! isset( $sent[ SITE_PARAM ] ) || ! is_string( $sent[ SITE_PARAM ] ) ) {
		return null;
	}
	$site = trim( $sent[ SITE_PARAM ] );
	if ( SITE_OTHER === $site ) {
		$site = isset( $sent[ SITE_PARAM_OTHER ] ) && is_string( $sent[ SITE_PARAM_OTHER ] ) ? trim( $sent[ SITE_PARAM_OTHER ] ) : '';
	}
	return $site;
}

/**
 * What this request says about the website; see `sent_site()`.
 */
function asked_site(): ?string {
	// phpcs:ignore WordPress.Security.NonceVerification, WordPress.Security.ValidatedSanitizedInput.InputNotSanitized -- Putting something into one's own cart needs none, and an id is checked before it is kept.
	return sent_site( wp_unslash( $_REQUEST ) );
}

/**
 * What is wrong with a website, for the customer; '' when it can be used.
 *
 * @param string $site        What was typed, '' for nothing.
 * @param string $verdict     From `check_site()`.
 * @param bool   $is_required Whether there must be one.
 */
function site_problem( string $site, string $verdict, bool $is_required ): string {
	if ( '' === $site ) {
		return $is_required ? __( 'Please choose which website the credits are for.', 'nivella-credit-wallet' ) : '';
	}
	if ( SITE_MALFORMED === $verdict ) {
		return __( 'This is not a website ID. An ID has at most 128 letters, digits, dots, hyphens, underscores or colons and no spaces, like site-123. You find it on the page AI Credits of the website.', 'nivella-credit-wallet' );
	}
	if ( SITE_FOREIGN === $verdict ) {
		/* translators: %s: the id of a website. */
		return sprintf( __( 'Credits for the website "%s" cannot be bought with this account. Please check the ID. If the website is yours, log in with the account it belongs to, or contact us.', 'nivella-credit-wallet' ), $site );
	}
	return '';
}

/**
 * Shows the field on the page of a product that sells credits.
 */
function show_product_site_field(): void {
	global $product;
	if ( ! asks_for_site() || ! is_tokens_page( $product ) ) {
		return;
	}
	wp_enqueue_style( SELLING_STYLE );
	show( 'selling-site', site_field_view( 'product', asked_site(), has_checkout_site_field() ? __( 'You can also choose at checkout.', 'nivella-credit-wallet' ) : '' ) );
}

/**
 * Shows the field at the classic checkout.
 */
function show_checkout_site_field(): void {
	if ( ! cart_asks_for_site() ) {
		return;
	}
	wp_enqueue_style( SELLING_STYLE );
	show( 'selling-site', site_field_view( 'checkout', asked_site(), '' ) );
}

/**
 * The field as the template shows it.
 *
 * @param string      $where What its ids begin with.
 * @param string|null $typed What was typed before.
 * @param string      $more  Another hint.
 */
function site_field_view( string $where, ?string $typed, string $more ): array {
	$typed = (string) $typed;
	$sites = array();
	foreach ( account_sites( own_account() )['sites'] as $site => $label ) {
		$sites[ (string) $site ] = site_option_text( (string) $site, $label );
	}
	return array(
		'id'          => "nivella-{$where}-site",
		'name'        => SITE_PARAM,
		'name_other'  => SITE_PARAM_OTHER,
		'other'       => SITE_OTHER,
		'is_required' => 'required' === site_field_mode(),
		'sites'       => $sites,
		'chosen'      => '' === $typed || isset( $sites[ $typed ] ) ? $typed : SITE_OTHER,
		'typed'       => isset( $sites[ $typed ] ) ? '' : $typed,
		'choose'      => 'required' === site_field_mode() ? __( 'Choose a website…', 'nivella-credit-wallet' ) : __( 'No particular website', 'nivella-credit-wallet' ),
		'hint'        => trim( site_hint() . ' ' . $more ),
	);
}

/**
 * What a customer needs to know about the id of a website.
 */
function site_hint(): string {
	return __( 'You find the ID on the page AI Credits of the website. An ID that is new here is registered for you.', 'nivella-credit-wallet' );
}

/**
 * Whether what a customer puts into the cart can go there. Says why not.
 *
 * @param bool $passed     What others said.
 * @param int  $product_id The product.
 * @param int  $quantity   How many.
 * @param int  $variation  The variation, if it has any.
 */
function validate_added_site( $passed, $product_id, $quantity = 1, $variation = 0 ): bool {
	$site = asked_site();
	if ( ! $passed || null === $site || ! asks_for_site() || ! is_tokens_product( wc_get_product( $variation ? $variation : $product_id ) ) ) {
		return (bool) $passed;
	}
	$verdict = '' === $site ? SITE_UNCHECKED : check_site( $site, own_account() );
	$problem = site_problem( $site, $verdict, 'required' === site_field_mode() );
	if ( '' !== $problem ) {
		wc_add_notice( esc_html( $problem ), 'error' );
		return false;
	}
	if ( SITE_NEW === $verdict ) {
		/* translators: %s: the id of a website. */
		wc_add_notice( esc_html( sprintf( __( 'The website "%s" is new here. It will be registered for you with this order.', 'nivella-credit-wallet' ), $site ) ), 'notice' );
	}
	return true;
}

/**
 * Keeps the website with the line of the cart, so that one package can be in the cart for several.
 *
 * @param array $data       What is kept with the line so far.
 * @param int   $product_id The product.
 * @param int   $variation  The variation, if it has any.
 */
function add_site_to_cart_line( $data, $product_id, $variation = 0 ): array {
	$data = (array) $data;
	$site = asked_site();
	if ( ! isset( $data[ CART_SITE ] ) && null !== $site && is_site_id( $site ) && asks_for_site() && is_tokens_product( wc_get_product( $variation ? $variation : $product_id ) ) ) {
		$data[ CART_SITE ] = $site;
	}
	return $data;
}

/**
 * Leads from a link that names a website to the cart, so that loading the page again adds nothing.
 *
 * @param mixed $url Where WooCommerce would lead.
 * @return mixed
 */
function lead_to_cart( $url ) {
	// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- Only decides where to go.
	return ! $url && isset( $_GET['add-to-cart'], $_GET[ SITE_PARAM ] ) ? wc_get_cart_url() : $url;
}

/**
 * Keeps the website when an order is placed again.
 *
 * @param array          $data What is kept with the line so far.
 * @param \WC_Order_Item $item The old order's line.
 */
function keep_site_ordering_again( $data, $item ): array {
	$data = (array) $data;
	$site = $item instanceof \WC_Order_Item ? order_line_site( $item ) : '';
	if ( '' !== $site ) {
		$data[ CART_SITE ] = $site;
	}
	return $data;
}

/**
 * Whether the cart has a line that brings credits and does not say for which website.
 */
function cart_asks_for_site(): bool {
	if ( ! asks_for_site() ) {
		return false;
	}
	foreach ( cart_lines() as $line ) {
		if ( is_tokens_product( $line['data'] ?? null ) && '' === cart_line_site( $line ) ) {
			return true;
		}
	}
	return false;
}

/**
 * The lines of the cart, in their order.
 */
function cart_lines(): array {
	return function_exists( 'WC' ) && isset( WC()->cart ) ? WC()->cart->get_cart() : array();
}

/**
 * The websites that the cart's lines name.
 *
 * @return string[]
 */
function cart_sites(): array {
	return array_values( array_unique( array_filter( array_map( __NAMESPACE__ . '\\cart_line_site', cart_lines() ) ) ) );
}

/**
 * Looks at the website that was said at the classic checkout, and once more at those of the lines: only now a guest's
 * account is known.
 *
 * @param array     $data   What was sent.
 * @param \WP_Error $errors Takes what is wrong.
 */
function validate_checkout_site( $data, $errors ): void {
	if ( ! asks_for_site() ) {
		return;
	}
	$account = buyer_account( get_current_user_id(), (string) ( $data['billing_email'] ?? '' ) );
	if ( cart_asks_for_site() ) {
		$site    = (string) asked_site();
		$problem = site_problem( $site, '' === $site ? SITE_UNCHECKED : check_site( $site, $account ), 'required' === site_field_mode() );
		if ( '' !== $problem ) {
			$errors->add( 'nivella_site', esc_html( $problem ), array( 'id' => account_sites( own_account() )['sites'] && ! is_site_id( $site ) && '' !== $site ? SITE_PARAM_OTHER : SITE_PARAM ) );
		}
	}
	foreach ( cart_line_problems( $account ) as $problem ) {
		$errors->add( 'nivella_site', esc_html( $problem ) );
	}
}

/**
 * What is wrong with the websites of the cart's lines.
 *
 * @param string $account Who buys.
 * @return string[]
 */
function cart_line_problems( string $account ): array {
	$problems = array();
	foreach ( array_slice( cart_sites(), 0, SITES_CHECKED_MAX ) as $site ) {
		if ( SITE_FOREIGN === check_site( $site, $account ) ) {
			$problems[] = site_problem( $site, SITE_FOREIGN, false ) . ' ' . __( 'Please remove that line from the cart and add it again for another website.', 'nivella-credit-wallet' );
		}
	}
	return $problems;
}

/**
 * Takes away what a customer posted as an attribute with one of our names. WooCommerce writes the attributes of a cart's line on
 * the order's as meta, and of a variation whose product has no attributes for variations it takes whatever was posted: a shirt
 * could promise a million credits.
 *
 * @param \WC_Order_Item_Product $item The order's line.
 * @param array                  $line The cart's line.
 */
function drop_posted_meta( $item, array $line ): void {
	foreach ( array_keys( is_array( $line['variation'] ?? null ) ? $line['variation'] : array() ) as $attribute ) {
		// As WooCommerce makes the one of the other, and as the wallet service compares.
		$meta = str_replace( 'attribute_', '', (string) $attribute );
		if ( 0 === strpos( str_replace( ' ', '_', strtolower( trim( $meta ) ) ), META_PREFIX ) ) {
			$item->delete_meta_data( $meta );
		}
	}
}

/**
 * Writes promise and website on a line of an order as it is made from a line of the cart.
 *
 * @param \WC_Order_Item_Product $item  The order's line.
 * @param string                 $key   Which line of the cart.
 * @param array                  $line  The cart's line.
 */
function stamp_cart_line( $item, $key, $line ): void {
	drop_posted_meta( $item, (array) $line );
	stamp_promise( $item );
	if ( ! is_tokens_product( $line['data'] ?? null ) ) {
		return;
	}
	$site = cart_line_site( $line );
	if ( '' === $site && asks_for_site() ) {
		$site = (string) asked_site();
	}
	if ( is_site_id( $site ) ) {
		$item->update_meta_data( META_SITE, $site );
	}
}
