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
 * The wallet as a piece of a page.
 */
function shortcode(): string {
	if ( ! is_connected() || ( ! is_shop() && ! is_staff() ) ) {
		return '';
	}
	wp_enqueue_style( STYLE );
	$here = (string) get_permalink();
	if ( ! is_user_logged_in() ) {
		return rendered( 'login', array( 'url' => wp_login_url( $here ) ) );
	}
	if ( ! defined( 'DONOTCACHEPAGE' ) ) {
		// What one visitor may see is not for the next one.
		define( 'DONOTCACHEPAGE', true );
	}
	return rendered( 'wallet', own_wallet_view( '' === $here ? home_url( '/' ) : $here ) );
}

/**
 * The wallet of whoever is logged in, for a page that is not wp-admin's.
 *
 * @param string $url The page.
 */
function own_wallet_view( string $url ): array {
	return wallet_view(
		is_shop() ? customer_wallet_path( get_current_user_id() ) : OWN_WALLET,
		array(
			'url'      => $url,
			'customer' => 0,
			'is_staff' => is_staff(),
			'is_admin' => false,
			'request'  => $_GET, // phpcs:ignore WordPress.Security.NonceVerification.Recommended -- Filters only.
		)
	);
}
