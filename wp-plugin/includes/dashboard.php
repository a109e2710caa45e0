<?php
/**
 * The dashboard: the balance in passing. On a customer's site only.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Adds the widget.
 */
function add_dashboard_widget(): void {
	if ( is_connected() && ! is_shop() && is_staff() ) {
		wp_add_dashboard_widget( 'nivella_credit_wallet', esc_html__( 'AI Credits', 'nivella-credit-wallet' ), __NAMESPACE__ . '\\show_dashboard_widget' );
	}
}

/**
 * Shows the widget.
 */
function show_dashboard_widget(): void {
	$wallet = wallet( OWN_WALLET, FRESH_IN_PASSING_S );
	$feed   = $wallet['feed'];
	show(
		'dashboard',
		array(
			'trouble' => trouble_view( $wallet, staff_page( 0 ) ),
			'balance' => null === $feed ? null : balance_view( $feed, $wallet ),
			'unit'    => $feed['unit'] ?? '',
			'status'  => $feed['status'] ?? '',
			'url'     => admin_page_url(),
			'top_up'  => top_up_url( $feed ),
		)
	);
}
