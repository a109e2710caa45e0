<?php
/**
 * A copy of a shop, made to try things out, has the secret and the key of the shop it is a copy of. What is bought, refunded or
 * deleted there must not reach the real customers' wallets, and they must get no e-mail from it.
 *
 * So the address that the shop had when it was connected is remembered, as a digest: tools that copy a WordPress write the new
 * address over the old one wherever they find it.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * What stands for an address: where it is, however it is written.
 *
 * @param string $url An address.
 */
function place_digest( string $url ): string {
	$parts = (array) wp_parse_url( trim( $url ) );
	$host  = preg_replace( '/^www\./', '', strtolower( (string) ( $parts['host'] ?? '' ) ) );
	$port  = (int) ( $parts['port'] ?? 0 );
	$place = $host . ( in_array( $port, array( 0, 80, 443 ), true ) ? '' : ":{$port}" ) . rtrim( (string) ( $parts['path'] ?? '' ), '/' );
	return substr( hash( 'sha256', "nivella-place {$place}" ), 0, 32 );
}

/**
 * Whether this WordPress was paired under another address than it has. Both that it shows and that in its database must be
 * others: there are shops that answer under several addresses, and none of them may fall silent.
 */
function is_copy(): bool {
	global $wpdb;
	$paired = shop()['place'] ?? '';
	if ( '' === $paired || place_digest( (string) get_option( 'home' ) ) === $paired ) {
		return false;
	}
	// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- What wp-config.php or a plugin puts before it is no answer here.
	$saved = $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM {$wpdb->options} WHERE option_name = %s", 'home' ) );
	return place_digest( (string) $saved ) !== $paired;
}

/**
 * `woocommerce_webhook_should_deliver`: a copy delivers nothing to the daemon.
 *
 * @param bool        $should  What WooCommerce decided.
 * @param \WC_Webhook $webhook The webhook.
 */
function should_deliver( $should, $webhook = null ): bool {
	return $should && ! ( is_paired() && $webhook instanceof \WC_Webhook && is_our_webhook( (int) $webhook->get_id() ) && is_copy() );
}

/**
 * What it means that this is a copy.
 */
function copy_words(): string {
	return __( 'This WordPress has another address than when it was connected, so it is taken for a copy: nothing is sent or changed from here, and no customer is told anything.', 'nivella-credit-wallet' );
}

/**
 * What to do about it.
 */
function copy_remedy(): string {
	return __( 'If it is one, disconnect it; the shop it was copied from stays connected. If the shop has moved, have its new address set with nivella-wallet store set --url, and connect it again with a new code.', 'nivella-credit-wallet' );
}
