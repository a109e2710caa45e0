<?php
/**
 * Connects this shop with the daemon in one step, and takes that back.
 *
 * A pairing either stands whole or leaves nothing: whatever a step made is taken away when a later one fails. Connecting
 * again makes everything new first and takes the old away last.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Connects this shop.
 *
 * @param string $typed The pairing code as it was pasted.
 * @param int    $owner The user in whose name WooCommerce reads orders for the daemon.
 * @return array|\WP_Error What `shop()` gives from now on; otherwise what is wrong, and nothing was changed here.
 */
function pair( string $typed, int $owner ) {
	$code = parse_pairing_code( $typed );
	if ( is_wp_error( $code ) ) {
		return $code;
	}
	if ( ! has_woocommerce() ) {
		return new \WP_Error( 'nivella_no_woocommerce', 'WooCommerce is not active.' );
	}
	if ( ! may_read_orders( $owner ) ) {
		return new \WP_Error( 'nivella_owner', 'This user may not see orders.' );
	}

	$undo = array();
	try {
		$made = pair_step_by_step( $code, $owner, $undo );
	} catch ( \Throwable $error ) {
		$made = new \WP_Error( 'nivella_not_saved', $error->getMessage() );
	} finally {
		allowed_addresses( '' );
	}
	if ( is_wp_error( $made ) ) {
		foreach ( array_reverse( $undo ) as $step ) {
			$step();
		}
		return $made;
	}

	$old = shop();
	keep_shop( $made['shop'] );
	update_option( OPTION, $made['settings'] );
	delete_option( LANE_OPTION );
	forget_failures();
	replace_old_pairing( $old, $made['shop'] );
	return $made['shop'];
}

/**
 * Makes everything that a pairing needs.
 *
 * @param array      $code  From `parse_pairing_code()`.
 * @param int        $owner The user in whose name orders are read.
 * @param callable[] $undo  How to take back what was made so far.
 * @return array{ shop: array, settings: array }|\WP_Error
 */
function pair_step_by_step( array $code, int $owner, array &$undo ) {
	$secret = new_webhook_secret();
	$rest   = make_rest_key( $owner );
	$undo[] = static function () use ( $rest ) {
		delete_rest_key( $rest['id'] );
	};

	$answer = read_answer(
		send_to(
			'POST',
			$code['url'] . '/v1/pairing',
			array( 'Content-Type' => 'application/json' ),
			array(
				'timeout' => CHANGE_WAIT_S,
				'body'    => (string) wp_json_encode(
					array(
						'token'          => $code['token'],
						'url'            => trailingslashit( (string) get_option( 'home' ) ),
						'webhook_secret' => $secret,
						'rest'           => array(
							'consumer_key'    => $rest['consumer_key'],
							'consumer_secret' => $rest['consumer_secret'],
						),
						'events_url'     => rest_url( REST_ROUTES . EVENTS_ROUTE ),
					)
				),
			)
		),
		array( 201 )
	);
	$paired = is_wp_error( $answer ) ? $answer : read_pairing( $answer['body'], $code['url'] );
	if ( is_wp_error( $paired ) ) {
		$paired->add_data( array_filter( (array) $paired->get_error_data() ) + array( 'url' => $code['url'] ) );
		return $paired;
	}
	$undo[] = static function () use ( $code, $paired ) {
		unpair( $code['url'], $paired['key'] );
	};

	$shop = array(
		'secret'    => $secret,
		'rest_key'  => $rest['id'],
		'paired_at' => time(),
		'owner'     => $owner,
		'place'     => place_digest( (string) get_option( 'home' ) ),
		'webhooks'  => array(),
	) + $paired;
	unset( $shop['key'], $shop['store'] );

	allowed_addresses( $shop['webhook_url'] );
	$probed = refused_address( $shop['webhook_url'] ) ?? probe( $shop );
	if ( is_wp_error( $probed ) ) {
		$probed->add_data(
			array(
				'stage' => 'probe',
				'url'   => $shop['webhook_url'],
			) + array_filter( (array) $probed->get_error_data() )
		);
		return $probed;
	}

	foreach ( TOPICS as $topic ) {
		$id                         = write_webhook( $topic, $shop );
		$shop['webhooks'][ $topic ] = $id;
		$undo[]                     = static function () use ( $id ) {
			delete_webhooks( array( $id ) );
		};
	}
	return array(
		'shop'     => $shop,
		'settings' => array(
			'url'   => $code['url'],
			'key'   => $paired['key'],
			'store' => $paired['store'],
		),
	);
}

/**
 * What the daemon answers to a pairing, checked.
 *
 * @param string $body Its answer.
 * @param string $url  The daemon's address, as the code has it. Deliveries go there and nowhere else: whoever pastes a code
 *                     has seen that address, and no other one.
 * @return array|\WP_Error
 */
function read_pairing( string $body, string $url ) {
	$answer = json_decode( $body, true );
	$answer = is_array( $answer ) ? $answer : array();
	$text   = static function ( string $name ) use ( $answer ): string {
		return is_string( $answer[ $name ] ?? null ) ? $answer[ $name ] : '';
	};
	if ( ! is_key( $text( 'key' ) ) || ! is_store_name( $text( 'store' ) ) || 0 !== strpos( $text( 'webhook_url' ), $url . '/' ) || ! is_web_address( $text( 'webhook_url' ) ) ) {
		return new \WP_Error( 'nivella_not_daemon', 'The answer is not that of a pairing.' );
	}
	return array(
		'store'             => $text( 'store' ),
		'key'               => $text( 'key' ),
		'key_id'            => $text( 'key_id' ),
		'webhook_url'       => $text( 'webhook_url' ),
		'events_secret'     => $text( 'events_secret' ),
		'unit'              => $text( 'unit' ),
		'tokens_categories' => texts( $answer['tokens_categories'] ?? null ),
		'paid_statuses'     => texts( $answer['paid_statuses'] ?? null ),
		'site_keys'         => texts( $answer['site_keys'] ?? null ),
	);
}

/**
 * Proves that signature, address and daemon fit each other: a signed delivery, sent the way WooCommerce sends its own, that
 * says nothing but which categories the shop sells credits in.
 *
 * @param array $shop See `shop()`.
 * @return true|\WP_Error
 */
function probe( array $shop ) {
	$answer = deliver( 'nivella.categories', category_hint( tokens_categories_ids( $shop['tokens_categories'] ) ), $shop, CHANGE_WAIT_S, true );
	return is_wp_error( $answer ) ? $answer : true;
}

/**
 * Tells a daemon that its key is given back.
 *
 * @param string $url The daemon.
 * @param string $key The key.
 * @return true|\WP_Error
 */
function unpair( string $url, string $key ) {
	$answer = read_answer( send_to( 'DELETE', $url . '/v1/pairing', array( 'Authorization' => 'Bearer ' . $key ), array( 'timeout' => CHANGE_WAIT_S ) ), array( 200, 204 ) );
	return is_wp_error( $answer ) ? $answer : true;
}

/**
 * Takes away what an earlier pairing made, and webhooks to the same address that somebody made by hand: signed with another
 * secret, their deliveries would be refused.
 *
 * @param array $old The earlier pairing, or an empty array.
 * @param array $new The one that counts.
 */
function replace_old_pairing( array $old, array $new ): void {
	$others = array_merge( array_values( $old['webhooks'] ?? array() ), webhooks_to( $new['webhook_url'] ) );
	delete_webhooks( array_diff( array_unique( $others ), $new['webhooks'] ) );
	if ( ( $old['rest_key'] ?? 0 ) !== $new['rest_key'] ) {
		delete_rest_key( $old['rest_key'] ?? 0 );
	}
}

/**
 * Disconnects, on a shop and on a customer's site. Everything here goes in any case; the daemon is told if it can be.
 *
 * @return \WP_Error|null What could not be told to the daemon.
 */
function disconnect(): ?\WP_Error {
	$shop     = shop();
	$settings = settings();
	$untold   = null;
	if ( array() !== $shop ) {
		// A copy's key is that of the shop it is a copy of, which goes on.
		if ( is_connected() && ! is_copy() ) {
			$answer = unpair( $settings['url'], $settings['key'] );
			// A key that the daemon does not know any more needs no giving back.
			$untold = is_wp_error( $answer ) && 'nivella_unauthorized' !== $answer->get_error_code() ? $answer : null;
		}
		delete_webhooks( $shop['webhooks'] );
		delete_rest_key( $shop['rest_key'] );
	}
	delete_option( OPTION );
	delete_option( SHOP_OPTION );
	forget_lane();
	forget_options( array( 'last_', 'fresh_', 'down_', 'test_' ) );
	return $untold;
}
