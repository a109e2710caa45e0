<?php
/**
 * What the plugin was told: where the daemon is, a key, and on a shop the shop's name there.
 *
 * One option. Whoever wrote it, `settings()` gives back only what is well formed.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The option: array{ url: string, key: string, store: string }. */
const OPTION = 'nivella_credit_wallet';

/** What the name of every other option and transient starts with. */
const OPTION_PREFIX = 'nivella_credit_wallet_';

/**
 * The settings. A part that is missing or malformed is an empty string.
 *
 * @return array{ url: string, key: string, store: string }
 */
function settings(): array {
	$option = get_option( OPTION );
	$option = is_array( $option ) ? $option : array();

	$url   = $option['url'] ?? '';
	$key   = $option['key'] ?? '';
	$store = $option['store'] ?? '';
	return array(
		'url'   => is_string( $url ) ? clean_daemon_url( $url ) : '',
		'key'   => is_string( $key ) && is_key( $key ) ? $key : '',
		'store' => is_string( $store ) && is_store_name( $store ) ? $store : '',
	);
}

/**
 * Whether there is a daemon to ask and a key to ask with.
 */
function is_connected(): bool {
	$settings = settings();
	return '' !== $settings['url'] && '' !== $settings['key'];
}

/**
 * Whether this WordPress is the shop, where each customer has a wallet, and not a customer's site with one wallet.
 */
function is_shop(): bool {
	return '' !== settings()['store'];
}

/**
 * The base address of a daemon without what people paste along with it, or '' when it cannot be one.
 *
 * @param string $url What was typed.
 */
function clean_daemon_url( string $url ): string {
	$url = preg_replace( '#/(v1|healthz|readyz|docs)?/*$#', '', rtrim( trim( $url ), '/' ) . '/' );
	if ( ! is_web_address( $url ) || false !== strpbrk( $url, '?#' ) ) {
		return '';
	}
	return $url;
}

/**
 * Whether a text can be a key. Nothing in it can end a header line.
 *
 * @param string $text Any text.
 */
function is_key( string $text ): bool {
	return 1 === preg_match( '/^nwk_[A-Za-z0-9._~+=\/-]{8,250}$/D', $text );
}

/**
 * Whether a text can be the name of a store.
 *
 * @param string $text Any text.
 */
function is_store_name( string $text ): bool {
	return 1 === preg_match( '/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/D', $text );
}

/**
 * Who may see the wallet of a site, or look up a customer's on a shop.
 */
function staff_capability(): string {
	// On a shop its managers too; an administrator without WooCommerce's capabilities is not locked out.
	$capability = is_shop() && current_user_can( 'manage_woocommerce' ) ? 'manage_woocommerce' : 'manage_options';
	/**
	 * Filters the capability that AI Credits needs in wp-admin and, on a customer's site, in the shortcode.
	 *
	 * @param string $capability A capability.
	 */
	return (string) apply_filters( 'nivella_credit_wallet_capability', $capability );
}

/**
 * Whether the current user may see the wallet of a site, or look up a customer's on a shop.
 */
function is_staff(): bool {
	return current_user_can( staff_capability() );
}

/**
 * Whether the current user may have this WordPress talk to an address. It does so itself, from where it is: on a network of
 * sites only those who run the network may name an address on the same machine, in a private network or on an unusual port.
 *
 * @param string $url An address.
 */
function may_name_address( string $url ): bool {
	return ! is_multisite() || current_user_can( 'manage_network_options' ) || false !== wp_http_validate_url( $url );
}

/**
 * Who may change the settings.
 */
function settings_capability(): string {
	return 'manage_options';
}
