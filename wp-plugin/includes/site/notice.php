<?php
/**
 * The notice that credits run low, in wp-admin of a customer's site. Whoever dismisses it is left alone until the next level
 * is crossed.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** Dismisses the notice. */
const DISMISS_ACTION = 'nivella_credit_wallet_dismiss';

/** User meta: what was dismissed, and when. */
const DISMISSED_META = OPTION_PREFIX . 'dismissed';

/** The most that is remembered for each person. */
const DISMISSED_MAX = 30;

/** A crossing without a time is remembered as long as there is at least between two of the same level. */
const DISMISSED_S = 3 * DAY_IN_SECONDS;

/**
 * Says in wp-admin that credits run low.
 */
function low_credit_notice(): void {
	$screen = get_current_screen();
	// The wallet's own pages say it themselves, and larger.
	if ( ! $screen || false !== strpos( (string) $screen->id, PAGE ) || ! is_connected() || is_shop() || ! is_staff() ) {
		return;
	}
	// The dashboard shows the wallet anyway, so there it may be asked for; everywhere else only what is known.
	$wallet = in_array( $screen->id, array( 'dashboard', 'plugins' ), true ) ? wallet( OWN_WALLET, FRESH_IN_PASSING_S ) : wallet_in_passing();
	$feed   = $wallet['feed'] ?? null;
	if ( null === $feed || 'ok' === $feed['status'] ) {
		return;
	}
	$crossing = open_crossing( $feed, dismissed_crossings( get_current_user_id() ), time() );
	if ( null === $crossing ) {
		return;
	}
	wp_enqueue_script( 'nivella-credit-wallet-notice', plugins_url( 'assets/notice.js', FILE ), array(), VERSION, true );
	show(
		'low-credit-notice',
		array(
			'status'   => $feed['status'],
			/* translators: 1: amount with unit, like "90 AI Credits", 2: status, like "Running low". */
			'sentence' => sprintf( __( '%2$s: %1$s can be used.', 'nivella-credit-wallet' ), with_unit( show_available( $feed['available'] ), $feed['unit'] ), status_label( $feed['status'] ) ),
			/* translators: %s: span of time, like "2 hours". */
			'age'      => time() - $wallet['checked_at'] > OLD_S ? sprintf( __( 'As of %s ago.', 'nivella-credit-wallet' ), human_time_diff( $wallet['checked_at'] ) ) : '',
			'url'      => admin_page_url(),
			'top_up'   => top_up_url( $feed ),
			'dismiss'  => array(
				'url'      => admin_url( 'admin-post.php' ),
				'ajax'     => admin_url( 'admin-ajax.php' ),
				'action'   => DISMISS_ACTION,
				'crossing' => $crossing,
				'nonce'    => wp_create_nonce( DISMISS_ACTION ),
			),
		)
	);
}

/**
 * The newest crossing that this person was not yet told of, as a short text; null when there is none.
 *
 * @param array $feed      A feed whose status is not `ok`.
 * @param array $dismissed From `dismissed_crossings()`.
 * @param int   $now       Unix seconds.
 */
function open_crossing( array $feed, array $dismissed, int $now ): ?string {
	// An older daemon names no crossings; then the status is one.
	$alerts = array() === $feed['alerts'] ? array( array( 'level' => $feed['status'], 'since' => null ) ) : $feed['alerts'];
	foreach ( $alerts as $alert ) {
		$crossing = crossing_of( $feed['wallet'], $alert['level'], $alert['since'] );
		$at       = $dismissed[ $crossing ] ?? null;
		if ( null === $at || ( null === $alert['since'] && $at < $now - DISMISSED_S ) ) {
			return $crossing;
		}
	}
	return null;
}

/**
 * A crossing as a short text.
 *
 * @param string   $wallet Which wallet.
 * @param string   $level  Which level.
 * @param int|null $since  When it was crossed.
 */
function crossing_of( string $wallet, string $level, ?int $since ): string {
	return substr( hash( 'sha256', "{$wallet} {$level} " . (string) $since ), 0, 20 );
}

/**
 * What a person has dismissed: when, by crossing.
 *
 * @param int $user_id A WordPress user.
 * @return array<string, int>
 */
function dismissed_crossings( int $user_id ): array {
	$kept = get_user_meta( $user_id, DISMISSED_META, true );
	return is_array( $kept ) ? array_filter( $kept, 'is_int' ) : array();
}

/**
 * Dismisses the notice, and goes back to the page. The way that needs no JavaScript.
 */
function handle_dismiss(): void {
	check_admin_referer( DISMISS_ACTION );
	dismiss();
	$back = wp_get_referer();
	wp_safe_redirect( $back ? $back : admin_url() );
	exit;
}

/**
 * Dismisses the notice without leaving the page.
 */
function handle_dismiss_ajax(): void {
	check_ajax_referer( DISMISS_ACTION );
	dismiss();
	wp_send_json_success();
}

/**
 * Remembers that the current user has dismissed a crossing. Ends the request when they may not or it is none.
 */
function dismiss(): void {
	// phpcs:ignore WordPress.Security.NonceVerification.Missing -- Both callers have checked it.
	$crossing = $_POST['crossing'] ?? '';
	if ( 'POST' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) || is_shop() || ! is_staff() || ! is_string( $crossing ) || ! preg_match( '/^[0-9a-f]{20}$/D', $crossing ) ) {
		wp_die( esc_html__( 'You may not see this wallet.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
	// The newest first, so that the oldest falls off the end.
	$kept = array( $crossing => time() ) + dismissed_crossings( get_current_user_id() );
	update_user_meta( get_current_user_id(), DISMISSED_META, array_slice( $kept, 0, DISMISSED_MAX, true ) );
}
