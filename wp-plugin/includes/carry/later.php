<?php
/**
 * What could not be delivered at once, and is delivered later: an option for each, so that two requests that write at the
 * same time do not lose each other's. The body is built when it is sent, so only the newest state ever travels.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** What the options' names begin with; kind and number follow. */
const LATER_PREFIX = OPTION_PREFIX . 'later_';

/** How many wait at most. What is beyond comes with WooCommerce's webhooks and the daemon's reconciliation. */
const LATER_MAX = 500;

/** The event of WP-Cron that delivers them. */
const CATCH_UP = 'nivella_credit_wallet_catch_up';

/** How long catching up may take in a request that nobody waits for. */
const CATCH_UP_S = 20.0;

/**
 * Puts something off.
 *
 * @param string $kind order, gone, product or categories.
 * @param int    $id   Which one.
 */
function put_off( string $kind, int $id ): void {
	static $count = null;
	$count        = $count ?? count_waiting();
	if ( $count < LATER_MAX && add_option( LATER_PREFIX . $kind . '_' . $id, time(), '', false ) ) {
		++$count;
	}
	plan_catch_up( LANE_DOWN_S );
}

/**
 * Makes sure that catching up is planned.
 *
 * @param int $in_s In how many seconds.
 */
function plan_catch_up( int $in_s ): void {
	if ( ! wp_next_scheduled( CATCH_UP ) ) {
		wp_schedule_single_event( time() + $in_s, CATCH_UP );
	}
}

/**
 * How many things wait.
 */
function count_waiting(): int {
	global $wpdb;
	// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is no function that counts options by prefix.
	return (int) $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM {$wpdb->options} WHERE option_name LIKE %s", $wpdb->esc_like( LATER_PREFIX ) . '%' ) );
}

/**
 * What waits, the longest first.
 *
 * @return list<array{ name: string, kind: string, id: int }>
 */
function waiting(): array {
	global $wpdb;
	// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is no function that finds options by prefix.
	$names = $wpdb->get_col( $wpdb->prepare( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE %s ORDER BY option_id LIMIT %d", $wpdb->esc_like( LATER_PREFIX ) . '%', LATER_MAX ) );
	$found = array();
	foreach ( $names as $name ) {
		if ( preg_match( '/^(order|gone|product|categories)_(\d+)$/D', substr( $name, strlen( LATER_PREFIX ) ), $parts ) ) {
			$found[] = array(
				'name' => $name,
				'kind' => $parts[1],
				'id'   => (int) $parts[2],
			);
		}
	}
	return $found;
}

/**
 * WP-Cron's event: delivers what waits. In the background, so it may take its time.
 */
function handle_catch_up(): void {
	catch_up( CATCH_UP_S );
}

/**
 * Delivers what waits, and plans the next try while something is left.
 *
 * @param float $limit_s How long it may take.
 */
function catch_up( float $limit_s ): void {
	$shop = shop();
	wp_clear_scheduled_hook( CATCH_UP );
	if ( array() === $shop || is_copy() ) {
		forget_options( array( 'later_' ) );
		return;
	}
	$deadline = microtime( true ) + $limit_s;
	$dead     = given_up_webhooks( $shop );
	$things   = waiting();
	if ( array() === $things && array() !== $dead ) {
		// Nothing else would show that the daemon is back.
		$things[] = array(
			'name' => '',
			'kind' => 'categories',
			'id'   => 0,
		);
	}
	$is_up = true;
	foreach ( $things as $thing ) {
		$left_s = min( $deadline - microtime( true ), CHANGE_WAIT_S );
		$is_up  = $left_s >= WAIT_LEAST_S && carry_one( $thing['kind'], $thing['id'], $shop, $left_s );
		if ( ! $is_up ) {
			break;
		}
		delete_option( $thing['name'] );
	}
	if ( $is_up ) {
		foreach ( $dead as $topic => $id ) {
			write_webhook( $topic, $shop, $id );
		}
	}
	if ( count_waiting() > 0 || ( ! $is_up && array() !== $dead ) ) {
		// Half a minute, a minute, two, four, and then every five.
		plan_catch_up( (int) min( 300, LANE_DOWN_S * 2 ** min( 8, max( 0, lane_memory()['tries'] - 1 ) ) ) );
	}
}

/**
 * `woocommerce_webhook_disabled_due_delivery_failures`: WooCommerce gave up a webhook after failed deliveries. Those of
 * ours are switched on again as soon as the daemon is back; one that a person paused or switched off stays so.
 *
 * @param int $webhook_id The webhook.
 */
function webhook_given_up( $webhook_id ): void {
	if ( in_array( (int) $webhook_id, shop()['webhooks'] ?? array(), true ) ) {
		plan_catch_up( LANE_DOWN_S );
	}
}

/**
 * Webhooks of ours that WooCommerce gave up.
 *
 * @param array $shop See `shop()`.
 * @return array<string, int> By topic.
 */
function given_up_webhooks( array $shop ): array {
	if ( ! has_woocommerce() ) {
		return array();
	}
	return array_filter(
		$shop['webhooks'],
		static function ( int $id ) use ( $shop ): bool {
			$webhook = find_webhook( $id );
			return $webhook && 'disabled' === $webhook->get_status( 'edit' ) && $webhook->get_failure_count( 'edit' ) > 0 && $shop['webhook_url'] === $webhook->get_delivery_url( 'edit' );
		}
	);
}

/**
 * Whether something waits and its time has come. Costs no query: WordPress has its events at hand.
 */
function is_catch_up_due(): bool {
	$at = wp_next_scheduled( CATCH_UP );
	return false !== $at && $at <= time();
}
