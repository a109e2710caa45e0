<?php
/**
 * Buying more: a package goes into the cart together with the website it is for.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** Names the website that is chosen beforehand on the page of the wallet. */
const FOR_FIELD = 'nivella_for';

/** More websites than this are not offered one by one; the rest is chosen in the cart. */
const CHOICES_MAX = 500;

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
	if ( array() === $products || ! function_exists( 'wc_get_cart_url' ) ) {
		return null;
	}
	$cart    = top_up_cart_url( (int) reset( $products ), '' );
	$choices = array();
	foreach ( array_slice( $sites, 0, CHOICES_MAX ) as $site ) {
		$choices[] = array(
			'id'   => $site['id'],
			'name' => site_option_text( $site['id'], $site['label'] ),
		);
	}
	$chosen = $page['request'][ FOR_FIELD ] ?? '';
	return array(
		'action'  => (string) strtok( $cart, '?' ),
		'hidden'  => array_diff_key( query_of( $cart ), array( 'add-to-cart' => 1, SITE_PARAM => 1 ) ),
		'choices' => $choices,
		// With one website there is nothing to guess.
		'chosen'  => is_string( $chosen ) && '' !== $chosen ? wp_unslash( $chosen ) : ( 1 === count( $choices ) ? $choices[0]['id'] : '' ),
	);
}
