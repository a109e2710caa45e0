<?php
/**
 * My Account → AI Credits, on a shop with WooCommerce: each customer's own wallet.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const ACCOUNT_ENDPOINT = 'ai-credits';

/**
 * Whether customers have a wallet page here.
 */
function has_account_page(): bool {
	return is_shop() && is_connected();
}

/**
 * Adds the endpoint to WooCommerce's.
 *
 * @param array $vars Query variables by endpoint.
 */
function add_account_endpoint( $vars ): array {
	return (array) $vars + ( has_account_page() ? array( ACCOUNT_ENDPOINT => ACCOUNT_ENDPOINT ) : array() );
}

/**
 * Adds the page to the menu of My Account, before the last entry, which is to log out.
 *
 * @param array $items Titles by endpoint.
 */
function add_account_menu_item( $items ): array {
	$items = (array) $items;
	if ( ! has_account_page() ) {
		return $items;
	}
	$at = isset( $items['customer-logout'] ) ? (int) array_search( 'customer-logout', array_keys( $items ), true ) : count( $items );
	return array_slice( $items, 0, $at, true ) + array( ACCOUNT_ENDPOINT => account_title() ) + array_slice( $items, $at, null, true );
}

/**
 * What the page is called.
 */
function account_title(): string {
	return __( 'AI Credits', 'nivella-credit-wallet' );
}

/**
 * Says on the first page of My Account that credits run low. When all is well it says nothing.
 */
function show_account_low_credit(): void {
	if ( ! has_account_page() || ! is_user_logged_in() ) {
		return;
	}
	$wallet = wallet( customer_wallet_path( get_current_user_id() ), FRESH_IN_PASSING_S );
	$feed   = $wallet['feed'];
	$alert  = null === $feed ? null : balance_alert( $feed );
	if ( null === $alert || 'new' === $alert['id'] ) {
		return;
	}
	wp_enqueue_style( STYLE );
	show(
		'account-low-credit',
		array(
			'status'   => $feed['status'],
			/* translators: 1: amount with unit, like "90 AI Credits", 2: status, like "Running low". */
			'sentence' => sprintf( __( '%2$s: %1$s can be used.', 'nivella-credit-wallet' ), with_unit( show_available( $feed['available'] ), $feed['unit'] ), status_label( $feed['status'] ) ),
			'url'      => account_page_url(),
		)
	);
}

/**
 * Shows the page. WooCommerce calls this only for somebody who is logged in.
 */
function show_account_page(): void {
	if ( ! has_account_page() || ! is_user_logged_in() ) {
		return;
	}
	wp_enqueue_style( STYLE );
	show( 'wallet', own_wallet_view( account_page_url() ) );
	show( 'account-mail-setting', mail_setting_view() );
}
