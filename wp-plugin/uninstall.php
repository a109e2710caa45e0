<?php
/**
 * Leaves nothing behind: no setting, no key, no figure, on no site of the network.
 *
 * @package Nivella\CreditWallet
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

$nivella_credit_wallet_forget = static function () {
	global $wpdb;
	foreach ( array( '', '_transient_', '_transient_timeout_' ) as $before ) {
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is no function that finds options by prefix.
		$names = $wpdb->get_col( $wpdb->prepare( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE %s", $wpdb->esc_like( $before . 'nivella_credit_wallet' ) . '%' ) );
		foreach ( $names as $name ) {
			delete_option( $name );
		}
	}
	delete_option( 'rewrite_rules' );
};

// How many rows staff want to see in our lists, and which columns; users are the whole network's.
global $wpdb;
// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is no function that finds user meta by prefix.
$wpdb->query( $wpdb->prepare( "DELETE FROM {$wpdb->usermeta} WHERE meta_key LIKE %s OR meta_key LIKE %s", $wpdb->esc_like( 'nivella_credit_wallet_' ) . '%', 'manage%nivella-credit-wallet%columnshidden' ) );

if ( is_multisite() ) {
	foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $nivella_credit_wallet_site ) {
		switch_to_blog( $nivella_credit_wallet_site );
		$nivella_credit_wallet_forget();
		restore_current_blog();
	}
} else {
	$nivella_credit_wallet_forget();
}
