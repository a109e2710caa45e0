<?php
/**
 * Leaves nothing behind: no setting, no key, no figure, on no site of the network.
 *
 * @package Nivella\CreditWallet
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

$nivella_credit_wallet_forget = static function () {
	global $wpdb;
	// What a pairing made in WooCommerce, by number; its tables are there also while it is switched off.
	$shop  = get_option( 'nivella_credit_wallet_shop' );
	$shown = $wpdb->suppress_errors();
	foreach ( is_array( $shop ) && is_array( $shop['webhooks'] ?? null ) ? $shop['webhooks'] : array() as $webhook ) {
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- WooCommerce may not be loaded.
		$wpdb->delete( $wpdb->prefix . 'wc_webhooks', array( 'webhook_id' => (int) $webhook ), array( '%d' ) );
	}
	if ( is_array( $shop ) && ! empty( $shop['rest_key'] ) ) {
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- WooCommerce may not be loaded.
		$wpdb->delete( $wpdb->prefix . 'woocommerce_api_keys', array( 'key_id' => (int) $shop['rest_key'] ), array( '%d' ) );
	}
	$wpdb->suppress_errors( $shown );
	delete_transient( 'woocommerce_webhook_ids' );
	delete_transient( 'woocommerce_webhook_ids_status_active' );
	wp_clear_scheduled_hook( 'nivella_credit_wallet_catch_up' );
	foreach ( array( '', '_transient_', '_transient_timeout_' ) as $before ) {
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is no function that finds options by prefix.
		$names = $wpdb->get_col( $wpdb->prepare( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE %s", $wpdb->esc_like( $before . 'nivella_credit_wallet' ) . '%' ) );
		foreach ( $names as $name ) {
			delete_option( $name );
		}
	}
	// What products sell. What orders say they sold is the shop's record of the sale, and stays with them.
	foreach ( array( '_nivella_credits', '_nivella_validity', '_nivella_kind' ) as $key ) {
		delete_post_meta_by_key( $key );
	}
	delete_option( 'rewrite_rules' );
	// What was to be done later has nobody to do it any more.
	wp_unschedule_hook( 'nivella_credit_wallet_tick' );
	wp_unschedule_hook( 'nivella_credit_wallet_refresh_soon' );
};

// What is kept with people, and how many rows and which columns staff want to see in our lists; on a network all sites share it.
global $wpdb;
// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is no function that finds user meta by prefix.
foreach ( $wpdb->get_col( $wpdb->prepare( "SELECT DISTINCT meta_key FROM {$wpdb->usermeta} WHERE meta_key LIKE %s OR meta_key LIKE %s", $wpdb->esc_like( 'nivella_credit_wallet_' ) . '%', 'manage%nivella-credit-wallet%columnshidden' ) ) as $nivella_credit_wallet_key ) {
	delete_metadata( 'user', 0, $nivella_credit_wallet_key, '', true );
}

if ( is_multisite() ) {
	foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $nivella_credit_wallet_site ) {
		switch_to_blog( $nivella_credit_wallet_site );
		$nivella_credit_wallet_forget();
		restore_current_blog();
	}
} else {
	$nivella_credit_wallet_forget();
}
