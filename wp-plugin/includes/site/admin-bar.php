<?php
/**
 * The balance in the admin bar, on a customer's site, for its staff. It only shows what is known: no page waits for it.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The handle of its style. */
const BAR_STYLE = 'nivella-credit-wallet-bar';

/**
 * Whether the current user sees the balance in the admin bar.
 */
function has_bar_balance(): bool {
	return is_connected() && ! is_shop() && is_admin_bar_showing() && is_staff();
}

/**
 * Loads its style where the bar is.
 */
function enqueue_bar_style(): void {
	if ( has_bar_balance() ) {
		wp_enqueue_style( BAR_STYLE, plugins_url( 'assets/admin-bar.css', FILE ), array( 'admin-bar' ), VERSION );
	}
}

/**
 * Adds the balance to the bar.
 *
 * @param \WP_Admin_Bar $bar The bar.
 */
function add_bar_balance( $bar ): void {
	$wallet = has_bar_balance() ? wallet_in_passing() : null;
	if ( null === $wallet ) {
		return;
	}
	$feed   = $wallet['feed'];
	$age_s  = time() - $wallet['checked_at'];
	$amount = with_unit( show_available( $feed['available'] ), $feed['unit'] );
	$view   = array(
		'available' => show_available( $feed['available'] ),
		'raw'       => $feed['available'],
		'unit'      => $feed['unit'],
		'status'    => $feed['status'],
		'words'     => status_label( $feed['status'] ),
		/* translators: %s: span of time, like "2 hours". */
		'age'       => $age_s > OLD_S ? sprintf( __( '%s old', 'nivella-credit-wallet' ), human_time_diff( $wallet['checked_at'] ) ) : '',
	);
	$bar->add_node(
		array(
			'id'    => 'nivella-credit-wallet',
			'title' => rendered( 'site-admin-bar', $view ),
			'href'  => admin_page_url(),
			'meta'  => array(
				'class' => 'nivella-bar-node nivella-bar-' . $feed['status'],
				/* translators: 1: amount with unit, like "1,250 AI Credits", 2: date and time. */
				'title' => sprintf( __( '%1$s can be used, as of %2$s', 'nivella-credit-wallet' ), $amount, show_moment( $wallet['checked_at'] ) ),
			),
		)
	);
}
