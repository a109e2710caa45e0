<?php
/**
 * The dashboard: the balance in passing, and a notice when it runs low. On a customer's site only.
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

/**
 * Says on the dashboard and in the list of plugins that credits run low.
 */
function low_credit_notice(): void {
	$screen = get_current_screen();
	if ( ! $screen || ! in_array( $screen->id, array( 'dashboard', 'plugins' ), true ) || ! is_connected() || is_shop() || ! is_staff() ) {
		return;
	}
	$feed = wallet( OWN_WALLET, FRESH_IN_PASSING_S )['feed'];
	if ( null === $feed || 'ok' === $feed['status'] ) {
		return;
	}
	show(
		'low-credit-notice',
		array(
			'status'   => $feed['status'],
			/* translators: 1: amount with unit, like "90 AI Credits", 2: status, like "Running low". */
			'sentence' => sprintf( __( '%2$s: %1$s can be used.', 'nivella-credit-wallet' ), with_unit( show_available( $feed['available'] ), $feed['unit'] ), status_label( $feed['status'] ) ),
			'url'      => admin_page_url(),
			'top_up'   => top_up_url( $feed ),
		)
	);
}
