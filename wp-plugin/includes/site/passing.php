<?php
/**
 * The site's wallet in passing: what is known is shown at once, and asked for anew after the page, never for it.
 *
 * Every quarter of an hour a task of WordPress asks the wallet service: on a customer's site for the wallet, on a shop for
 * news of its customers. A page that finds the figures old sets the task off once more.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The task of every quarter of an hour. */
const TICK = 'nivella_credit_wallet_tick';

/** The task that asks for the site's wallet once, soon. */
const REFRESH_SOON = 'nivella_credit_wallet_refresh_soon';

/** What a quarter of an hour is called in WordPress's list of intervals. */
const TICK_INTERVAL = 'nivella_credit_wallet_quarter';

/** Figures older than this say so, also where there is little room. */
const OLD_S = 3600;

/**
 * Adds the interval.
 *
 * @param mixed $schedules Intervals by name.
 */
function add_tick_interval( $schedules ): array {
	return (array) $schedules + array(
		TICK_INTERVAL => array(
			'interval' => 15 * MINUTE_IN_SECONDS,
			// Others ask for the intervals before there are any translations.
			'display'  => did_action( 'init' ) ? __( 'Every 15 minutes (AI Credits)', 'nivella-credit-wallet' ) : 'Every 15 minutes (AI Credits)',
		),
	);
}

/**
 * Sees to it that the task is planned while there is somebody to ask, and only then.
 */
function plan_tick(): void {
	$planned = false !== wp_next_scheduled( TICK );
	if ( is_connected() && ! $planned ) {
		wp_schedule_event( time() + MINUTE_IN_SECONDS, TICK_INTERVAL, TICK );
	} elseif ( $planned && ! is_connected() ) {
		wp_clear_scheduled_hook( TICK );
	}
}

/**
 * Asks.
 */
function tick(): void {
	if ( ! is_connected() ) {
		return;
	}
	if ( is_shop() ) {
		if ( ! is_copy() ) {
			ask_for_events();
		}
		forget_old_events();
	} else {
		look_up_wallet( OWN_WALLET, 0 );
	}
}

/**
 * Asks for the site's wallet, because a page found the figures old.
 */
function refresh_soon(): void {
	if ( is_connected() && ! is_shop() ) {
		look_up_wallet( OWN_WALLET, FRESH_IN_PASSING_S );
	}
}

/**
 * The site's wallet as it is known, without asking anybody; null when nothing is known.
 */
function wallet_in_passing(): ?array {
	$digest   = wallet_digest( OWN_WALLET );
	$last     = last_known( $digest );
	$asked_at = get_transient( OPTION_PREFIX . 'fresh_' . $digest );
	$is_fresh = $last && is_int( $asked_at ) && abs( time() - $asked_at ) < FRESH_IN_PASSING_S;
	if ( ! $is_fresh && null === remembered_failure( $digest ) && false === wp_next_scheduled( REFRESH_SOON ) ) {
		wp_schedule_single_event( time(), REFRESH_SOON );
	}
	return $last;
}
