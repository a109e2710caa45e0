<?php
/**
 * What happens around the plugin: it is switched on and off, told something else, or a user goes.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Loads the translations that come with the plugin.
 */
function load_translations(): void {
	load_plugin_textdomain( 'nivella-credit-wallet', false, dirname( plugin_basename( FILE ) ) . '/languages' );
}

/**
 * Other settings may mean another wallet: everything that was known is forgotten, and WordPress learns again which pages
 * My Account has.
 */
function settings_changed(): void {
	forget_options( array( 'last_', 'fresh_', 'down_', 'sites_' ) );
	forget_rewrite_rules();
}

/**
 * Lets WordPress make its rewrite rules anew with the next page it shows.
 */
function forget_rewrite_rules(): void {
	delete_option( 'rewrite_rules' );
}

/**
 * The plugin is switched off: settings stay, what was only remembered goes.
 */
function deactivate(): void {
	forget_options( array( 'last_', 'fresh_', 'down_', 'result_', 'sites_', 'export_', 'act_' ) );
	forget_lane();
	wp_clear_scheduled_hook( TICK );
	wp_clear_scheduled_hook( REFRESH_SOON );
	forget_rewrite_rules();
}

/**
 * Forgets that the daemon was down.
 */
function forget_failures(): void {
	delete_transient( OPTION_PREFIX . 'down_' . wallet_digest( '' ) );
	forget_options( array( 'down_' ) );
}

/**
 * A user was deleted: so is what was known of their wallet.
 *
 * @param int $user_id The user.
 */
function forget_customer( $user_id ): void {
	forget_wallet( customer_wallet_path( (int) $user_id ) );
}

/**
 * Forgets what was known of a customer's or a guest's wallet.
 *
 * @param string $path From `account_path()`.
 * @return bool Whether figures of it were kept.
 */
function forget_wallet( string $path ): bool {
	drop_short_cache( $path, false );
	delete_transient( sites_name( substr( rawurldecode( $path ), strlen( 'account:' ) ) ) );
	delete_option( OPTION_PREFIX . 'last_sites_' . wallet_digest( $path ) );
	return delete_option( OPTION_PREFIX . 'last_' . wallet_digest( $path ) );
}

/**
 * Deletes options and transients of ours whose name goes on with one of `$parts`.
 *
 * With a persistent object cache transients are not in the database; they are gone within minutes by themselves, and their
 * names depend on the settings, so that none is found under other ones.
 *
 * @param string[] $parts What follows the prefix.
 */
function forget_options( array $parts ): void {
	global $wpdb;
	foreach ( $parts as $part ) {
		foreach ( array( '', '_transient_' ) as $before ) {
			// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is no function that finds options by prefix.
			$names = $wpdb->get_col( $wpdb->prepare( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE %s", $wpdb->esc_like( $before . OPTION_PREFIX . $part ) . '%' ) );
			foreach ( $names as $name ) {
				if ( '' === $before ) {
					delete_option( $name );
				} else {
					delete_transient( substr( $name, strlen( $before ) ) );
				}
			}
		}
	}
}

/**
 * Says that the plugin gets along with WooCommerce's order tables and with its cart and checkout blocks.
 */
function declare_woocommerce_compatibility(): void {
	if ( class_exists( '\Automattic\WooCommerce\Utilities\FeaturesUtil' ) ) {
		\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( 'custom_order_tables', FILE, true );
		\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( 'cart_checkout_blocks', FILE, true );
	}
}
