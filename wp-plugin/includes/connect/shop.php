<?php
/**
 * What a pairing left here: the secret that deliveries are signed with, the webhooks and keys that were made for it, and
 * what the daemon said about the store.
 *
 * One option that is not autoloaded; only requests that carry something read it.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const SHOP_OPTION = OPTION_PREFIX . 'shop';

/** What the daemon must be told of: the topics that `nivella-wallet store check` asks for. */
const TOPICS = array( 'order.created', 'order.updated', 'order.deleted', 'order.restored', 'product.created', 'product.updated', 'product.deleted' );

/** What webhooks and keys of ours are called, as the daemon calls those it makes itself. */
const WEBHOOK_NAME = 'Nivella Credit Wallet';

/** What our addresses below /wp-json/ begin with. */
const REST_ROUTES = 'nivella-credit-wallet/v1';

/** Below it: where the daemon sends its events. */
const EVENTS_ROUTE = '/events';

/**
 * What the pairing left, or an empty array when this WordPress is not paired. Whoever wrote the option, only what is well
 * formed is given back.
 *
 * @return array{ secret: string, webhooks: array<string, int>, rest_key: int, key_id: string, webhook_url: string, paired_at: int, owner: int, place: string, events_secret: string, unit: string, tokens_categories: string[], paid_statuses: string[], site_keys: string[] }|array{}
 */
function shop(): array {
	$option = get_option( SHOP_OPTION );
	$option = is_array( $option ) ? $option : array();
	$text   = static function ( string $name ) use ( $option ): string {
		return is_string( $option[ $name ] ?? null ) ? $option[ $name ] : '';
	};
	$number = static function ( string $name ) use ( $option ): int {
		return is_int( $option[ $name ] ?? null ) ? max( 0, $option[ $name ] ) : 0;
	};
	if ( strlen( $text( 'secret' ) ) < 24 || null === origin_parts( $text( 'webhook_url' ) ) ) {
		return array();
	}
	$webhooks = array_filter( is_array( $option['webhooks'] ?? null ) ? $option['webhooks'] : array(), 'is_int' );
	return array(
		'secret'            => $text( 'secret' ),
		'webhooks'          => array_intersect_key( $webhooks, array_flip( TOPICS ) ),
		'rest_key'          => $number( 'rest_key' ),
		'key_id'            => $text( 'key_id' ),
		'webhook_url'       => $text( 'webhook_url' ),
		'paired_at'         => $number( 'paired_at' ),
		'owner'             => $number( 'owner' ),
		'place'             => $text( 'place' ),
		'events_secret'     => $text( 'events_secret' ),
		'unit'              => $text( 'unit' ),
		'tokens_categories' => texts( $option['tokens_categories'] ?? null ),
		'paid_statuses'     => texts( $option['paid_statuses'] ?? null ),
		'site_keys'         => texts( $option['site_keys'] ?? null ),
	);
}

/**
 * Whether this WordPress was paired as a shop.
 */
function is_paired(): bool {
	return array() !== shop();
}

/**
 * Keeps what a pairing left.
 *
 * @param array $shop See `shop()`.
 */
function keep_shop( array $shop ): void {
	update_option( SHOP_OPTION, $shop, false );
}

/**
 * The texts in a list; nothing else of it.
 *
 * @param mixed $list Anything.
 * @return string[]
 */
function texts( $list ): array {
	return is_array( $list ) ? array_values( array_filter( $list, 'is_string' ) ) : array();
}

/**
 * Whether WooCommerce runs here, with all that a pairing needs of it.
 */
function has_woocommerce(): bool {
	return class_exists( 'WooCommerce' ) && class_exists( 'WC_Webhook' );
}
