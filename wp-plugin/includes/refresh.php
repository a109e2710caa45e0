<?php
/**
 * Refresh: the next page asks the daemon. And whose wallet an act is about.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const REFRESH_ACTION = 'nivella_credit_wallet_refresh';

/**
 * Drops the short caches and goes back to the page.
 */
function handle_refresh(): void {
	if ( 'POST' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) ) {
		wp_die( esc_html__( 'Please use the button on the page to do this.', 'nivella-credit-wallet' ), '', array( 'response' => 405 ) );
	}
	$target = target_of_act( REFRESH_ACTION );
	drop_short_cache( $target['path'], is_staff() );
	$back = wp_get_referer();
	wp_safe_redirect( $back ? $back : admin_page_url( $target['customer'] ) );
	exit;
}

/**
 * The wallet that an act is about. Ends the request when it was not meant or not allowed.
 *
 * Only staff of a shop may name a customer or an account. Everybody else's wallet follows from who is logged in, whatever the request
 * says.
 *
 * @param string $action The act.
 * @return array{ path: string, customer: int }
 */
function target_of_act( string $action ): array {
	// phpcs:disable WordPress.Security.NonceVerification -- The nonce is checked below; its name depends on these.
	$customer = isset( $_REQUEST['customer'] ) && is_string( $_REQUEST['customer'] ) ? absint( $_REQUEST['customer'] ) : 0;
	$account  = isset( $_REQUEST['account'] ) && is_string( $_REQUEST['account'] ) ? wp_unslash( $_REQUEST['account'] ) : '';
	// phpcs:enable
	check_admin_referer( nonce_name( $action, '' === $account ? (string) $customer : $account ) );

	if ( ! is_shop() ) {
		if ( is_staff() && 0 === $customer ) {
			return array(
				'path'     => OWN_WALLET,
				'customer' => 0,
			);
		}
	} elseif ( '' !== $account ) {
		if ( is_staff() && is_account_id( $account ) ) {
			return array(
				'path'     => account_path( $account ),
				'customer' => 0,
			);
		}
	} elseif ( 0 !== $customer ) {
		if ( is_staff() && get_userdata( $customer ) ) {
			return array(
				'path'     => customer_wallet_path( $customer ),
				'customer' => $customer,
			);
		}
	} elseif ( is_user_logged_in() ) {
		return array(
			'path'     => customer_wallet_path( get_current_user_id() ),
			'customer' => 0,
		);
	}
	wp_die( esc_html__( 'You may not see this wallet.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
}
