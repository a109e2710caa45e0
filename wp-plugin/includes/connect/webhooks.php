<?php
/**
 * WooCommerce's webhooks and the REST key that a pairing makes: made, looked at, mended and taken away again.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** WooCommerce reads orders through this version of its API; an older one answers nothing on today's order tables. */
const WEBHOOK_VERSION = 'wp_api_v3';

/**
 * A secret as strong as its signature. Only digits and letters: WooCommerce decodes HTML entities in a secret before it
 * signs with it.
 */
function new_webhook_secret(): string {
	return bin2hex( random_bytes( 32 ) );
}

/**
 * Makes the webhook of a topic, or sets an existing one right.
 *
 * @param string $topic Its topic.
 * @param array  $shop  See `shop()`.
 * @param int    $id    The one to set right; 0 makes one.
 * @return int Its number.
 * @throws \RuntimeException When WooCommerce does not save it.
 */
function write_webhook( string $topic, array $shop, int $id = 0 ): int {
	$webhook = new \WC_Webhook( $id );
	$webhook->set_name( WEBHOOK_NAME . ': ' . $topic );
	$webhook->set_user_id( $shop['owner'] );
	$webhook->set_topic( $topic );
	$webhook->set_secret( $shop['secret'] );
	$webhook->set_delivery_url( $shop['webhook_url'] );
	$webhook->set_api_version( WEBHOOK_VERSION );
	$webhook->set_status( 'active' );
	// After REST's re-activation it would stay at 6, and the next failure would switch the webhook off again.
	$webhook->set_failure_count( 0 );
	$webhook->save();
	if ( 0 === $webhook->get_id() ) {
		throw new \RuntimeException( "WooCommerce did not save the webhook for {$topic}." );
	}
	// A new one would send its unsigned ping after the first delivery; the probe has proved more already.
	$webhook->set_pending_delivery( false );
	$webhook->save();
	return $webhook->get_id();
}

/**
 * A webhook, or null when it was deleted.
 *
 * @param int $id Its number.
 */
function find_webhook( int $id ): ?\WC_Webhook {
	$webhook = $id > 0 ? new \WC_Webhook( $id ) : null;
	return $webhook && $webhook->get_id() > 0 ? $webhook : null;
}

/**
 * Deletes webhooks; those that are gone already are no trouble.
 *
 * @param int[] $ids Their numbers.
 */
function delete_webhooks( array $ids ): void {
	global $wpdb;
	foreach ( $ids as $id ) {
		if ( ! has_woocommerce() ) {
			// Its table outlives it, and they would deliver again as soon as it is back.
			$shown = $wpdb->suppress_errors();
			// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is nobody else to ask.
			$wpdb->delete( $wpdb->prefix . 'wc_webhooks', array( 'webhook_id' => $id ), array( '%d' ) );
			$wpdb->suppress_errors( $shown );
			continue;
		}
		$webhook = find_webhook( $id );
		if ( $webhook ) {
			$webhook->delete( true );
		}
	}
}

/**
 * Webhooks that deliver to an address, whoever made them.
 *
 * @param string $url An address.
 * @return int[]
 */
function webhooks_to( string $url ): array {
	$found = array();
	foreach ( \WC_Data_Store::load( 'webhook' )->get_webhooks_ids() as $id ) {
		$webhook = find_webhook( (int) $id );
		if ( $webhook && $url === $webhook->get_delivery_url( 'edit' ) ) {
			$found[] = $webhook->get_id();
		}
	}
	return $found;
}

/**
 * How it stands with the webhook of a topic.
 *
 * @param string $topic Its topic.
 * @param array  $shop  See `shop()`.
 * @return array{ topic: string, id: int, state: string, failures: int } `state`: active, paused, disabled, missing, secret,
 *               changed or owner.
 */
function webhook_state( string $topic, array $shop ): array {
	$id      = $shop['webhooks'][ $topic ] ?? 0;
	$webhook = find_webhook( $id );
	$state   = 'missing';
	if ( $webhook ) {
		$is_ours = $topic === $webhook->get_topic( 'edit' ) && $shop['webhook_url'] === $webhook->get_delivery_url( 'edit' ) && WEBHOOK_VERSION === $webhook->get_api_version( 'edit' );
		$status  = $webhook->get_status( 'edit' );
		if ( ! $is_ours ) {
			$state = 'changed';
		} elseif ( ! hash_equals( $shop['secret'], $webhook->get_secret( 'edit' ) ) ) {
			$state = 'secret';
		} elseif ( 'active' !== $status ) {
			$state = 'disabled' === $status ? 'disabled' : 'paused';
		} else {
			$state = may_read_orders( $webhook->get_user_id( 'edit' ) ) ? 'active' : 'owner';
		}
	}
	return array(
		'topic'    => $topic,
		'id'       => $webhook ? $id : 0,
		'state'    => $state,
		'failures' => $webhook ? (int) $webhook->get_failure_count( 'edit' ) : 0,
	);
}

/**
 * Whether a user may see orders; without that WooCommerce sends errors instead of orders.
 *
 * @param int $user_id A user.
 */
function may_read_orders( int $user_id ): bool {
	return $user_id > 0 && user_can( $user_id, 'read_private_shop_orders' );
}

/**
 * Sets every webhook right: missing ones are made, the others switched on with address, secret and a clean count.
 *
 * @param array $shop See `shop()`.
 * @return array The shop, with the numbers of new webhooks.
 * @throws \RuntimeException When WooCommerce does not save one.
 */
function mend_webhooks( array $shop ): array {
	if ( ! may_read_orders( $shop['owner'] ) ) {
		$shop['owner'] = get_current_user_id();
	}
	foreach ( TOPICS as $topic ) {
		$state                      = webhook_state( $topic, $shop );
		$shop['webhooks'][ $topic ] = 'active' === $state['state'] && 0 === $state['failures'] ? $state['id'] : write_webhook( $topic, $shop, $state['id'] );
		keep_shop( $shop );
	}
	return $shop;
}

/**
 * Makes a REST key with which the daemon can read orders and products.
 *
 * @param int $owner Whose key it is.
 * @return array{ id: int, consumer_key: string, consumer_secret: string }
 * @throws \RuntimeException When it cannot be saved.
 */
function make_rest_key( int $owner ): array {
	global $wpdb;
	$key    = 'ck_' . wc_rand_hash();
	$secret = 'cs_' . wc_rand_hash();
	// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- WooCommerce has no function that makes a key.
	$done = $wpdb->insert(
		$wpdb->prefix . 'woocommerce_api_keys',
		array(
			'user_id'         => $owner,
			'description'     => WEBHOOK_NAME,
			'permissions'     => 'read',
			'consumer_key'    => wc_api_hash( $key ),
			'consumer_secret' => $secret,
			'truncated_key'   => substr( $key, -7 ),
		),
		array( '%d', '%s', '%s', '%s', '%s', '%s' )
	);
	if ( ! $done || ! $wpdb->insert_id ) {
		throw new \RuntimeException( 'WooCommerce did not save the REST key.' );
	}
	return array(
		'id'              => (int) $wpdb->insert_id,
		'consumer_key'    => $key,
		'consumer_secret' => $secret,
	);
}

/**
 * Deletes a REST key.
 *
 * @param int $id Its number; 0 is none.
 */
function delete_rest_key( int $id ): void {
	global $wpdb;
	if ( $id > 0 ) {
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- WooCommerce has no function that deletes a key.
		$wpdb->delete( $wpdb->prefix . 'woocommerce_api_keys', array( 'key_id' => $id ), array( '%d' ) );
	}
}
