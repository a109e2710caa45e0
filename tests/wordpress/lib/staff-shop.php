<?php
/**
 * Prepares a WooCommerce under test for the screens of staff, run by WP-CLI. The first argument says where orders are kept.
 */

defined( 'ABSPATH' ) || exit;

use Automattic\WooCommerce\Internal\DataStores\Orders\DataSynchronizer;

$hpos = 'hpos' === $args[0];
if ( $hpos ) {
	wc_get_container()->get( DataSynchronizer::class )->create_database_tables();
}
foreach ( array(
	'woocommerce_custom_orders_table_enabled'       => $hpos ? 'yes' : 'no',
	'woocommerce_custom_orders_table_data_sync_enabled' => 'no',
	'woocommerce_coming_soon'                       => 'no',
	'woocommerce_currency'                          => 'USD',
	'woocommerce_show_marketplace_suggestions'      => 'no',
	'woocommerce_allow_tracking'                    => 'no',
	'woocommerce_task_list_hidden'                  => 'yes',
	'woocommerce_onboarding_profile'                => array( 'skipped' => true ),
) as $name => $value ) {
	update_option( $name, $value );
}
delete_transient( '_wc_activation_redirect' );
