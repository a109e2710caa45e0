<?php
/**
 * The shortcode: on a shop the visitor's own wallet, on a customer's site the site's, for its staff.
 *
 * It takes no attribute that could name a wallet.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Makes the shortcode known.
 */
function register_shortcode(): void {
	add_shortcode( 'nivella_credit_wallet', __NAMESPACE__ . '\\shortcode' );
}

/**
 * The wallet as a piece of a page: `[nivella_credit_wallet view="balance"]`.
 *
 * @param mixed $attributes What was written into it; only `view` has a meaning.
 */
function shortcode( $attributes = array() ): string {
	$size = is_array( $attributes ) ? ( $attributes['view'] ?? '' ) : '';
	return wallet_piece( is_string( $size ) ? strtolower( trim( $size ) ) : '' );
}

/**
 * The wallet of whoever is logged in, for a page that is not wp-admin's.
 *
 * @param string $url The page.
 */
function own_wallet_view( string $url ): array {
	return wallet_view(
		is_shop() ? customer_wallet_path( get_current_user_id() ) : OWN_WALLET,
		own_page( $url )
	);
}

/**
 * A page that is not wp-admin's, for whoever is logged in.
 *
 * @param string $url The page.
 */
function own_page( string $url ): array {
	return array(
		'url'      => $url,
		'customer' => 0,
		'is_staff' => is_staff(),
		'is_admin' => false,
		'request'  => $_GET, // phpcs:ignore WordPress.Security.NonceVerification.Recommended -- Filters only.
	);
}
