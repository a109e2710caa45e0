<?php
/**
 * Buying more: a package goes into the cart together with the website it is for.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** Names the website in an address that leads to the cart or to a package. */
const SITE_FIELD = 'nivella_site';

/** Names the website that is chosen beforehand on the page of the wallet. */
const FOR_FIELD = 'nivella_for';

/** More websites than this are not offered one by one; the rest is chosen in the cart. */
const CHOICES_MAX = 500;

/**
 * The address that puts a package into this shop's cart, for a website; '' without WooCommerce.
 *
 * @param int    $product A product.
 * @param string $site    A website, or '' for none.
 */
function cart_url( int $product, string $site ): string {
	if ( function_exists( __NAMESPACE__ . '\\top_up_cart_url' ) ) {
		return (string) top_up_cart_url( $product, $site );
	}
	if ( ! function_exists( 'wc_get_cart_url' ) ) {
		return '';
	}
	return add_query_arg( array( 'add-to-cart' => $product ) + ( '' === $site ? array() : array( SITE_FIELD => rawurlencode( $site ) ) ), wc_get_cart_url() );
}

/**
 * What the form beside the packages needs: one choice of a website, then a button for each package. Null where packages
 * cannot be put into a cart of this WordPress; then they are links.
 *
 * @param array $feed  A feed.
 * @param array $sites From `known_sites()`.
 * @param array $page  See `wallet_view()`.
 */
function top_up_form( array $feed, array $sites, array $page ): ?array {
	if ( ! is_shop() || 0 !== $page['customer'] || null !== $feed['site'] ) {
		return null;
	}
	$products = array_filter( array_column( $feed['packages'], 'product' ) );
	$cart     = array() === $products ? '' : cart_url( (int) reset( $products ), '' );
	if ( '' === $cart ) {
		return null;
	}
	$choices = array();
	foreach ( array_slice( $sites, 0, CHOICES_MAX ) as $site ) {
		$choices[] = array(
			'id'   => $site['id'],
			'name' => '' === $site['label'] || $site['label'] === $site['id'] ? $site['id'] : "{$site['label']} ({$site['id']})",
		);
	}
	$chosen = $page['request'][ FOR_FIELD ] ?? '';
	return array(
		'action'  => (string) strtok( $cart, '?' ),
		'hidden'  => array_diff_key( query_of( $cart ), array( 'add-to-cart' => 1, SITE_FIELD => 1 ) ),
		'choices' => $choices,
		// With one website there is nothing to guess.
		'chosen'  => is_string( $chosen ) && '' !== $chosen ? wp_unslash( $chosen ) : ( 1 === count( $choices ) ? $choices[0]['id'] : '' ),
	);
}

/**
 * An address with the website that what is bought there is for.
 *
 * @param string|null $url  Where something is bought.
 * @param string      $site A website, or '' for none.
 */
function with_site( ?string $url, string $site ): ?string {
	return null === $url || '' === $site ? $url : add_query_arg( SITE_FIELD, rawurlencode( $site ), $url );
}
