<?php
/**
 * Every hook of the plugin, on one screen. No other file adds an action or a filter.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

// The plugin's own life.
register_activation_hook( FILE, __NAMESPACE__ . '\\forget_rewrite_rules' );
register_deactivation_hook( FILE, __NAMESPACE__ . '\\deactivate' );
add_action( 'init', __NAMESPACE__ . '\\load_translations' );
add_action( 'add_option_' . OPTION, __NAMESPACE__ . '\\settings_changed', 10, 0 );
add_action( 'update_option_' . OPTION, __NAMESPACE__ . '\\settings_changed', 10, 0 );
add_action( 'delete_option_' . OPTION, __NAMESPACE__ . '\\settings_changed', 10, 0 );
add_action( 'deleted_user', __NAMESPACE__ . '\\forget_customer' );
add_action( 'before_woocommerce_init', __NAMESPACE__ . '\\declare_woocommerce_compatibility' );

// Pages of wp-admin.
add_action( 'admin_menu', __NAMESPACE__ . '\\add_admin_pages' );
add_action( 'admin_init', __NAMESPACE__ . '\\register_settings' );
add_action( 'admin_enqueue_scripts', __NAMESPACE__ . '\\enqueue_admin_style' );
add_action( 'admin_notices', __NAMESPACE__ . '\\low_credit_notice' );
add_action( 'wp_dashboard_setup', __NAMESPACE__ . '\\add_dashboard_widget' );
add_filter( 'plugin_action_links_' . plugin_basename( FILE ), __NAMESPACE__ . '\\add_settings_link' );
add_filter( 'option_page_capability_' . SETTINGS_GROUP, __NAMESPACE__ . '\\settings_capability' );

// Acts, each with its own nonce.
add_action( 'admin_post_' . TEST_ACTION, __NAMESPACE__ . '\\handle_test' );
add_action( 'admin_post_' . REFRESH_ACTION, __NAMESPACE__ . '\\handle_refresh' );
add_action( 'admin_post_' . EXPORT_ACTION, __NAMESPACE__ . '\\handle_export' );

// Pages that customers see.
add_action( 'init', __NAMESPACE__ . '\\register_shortcode' );
add_action( 'wp_enqueue_scripts', __NAMESPACE__ . '\\register_style' );
add_filter( 'woocommerce_get_query_vars', __NAMESPACE__ . '\\add_account_endpoint' );
add_filter( 'woocommerce_account_menu_items', __NAMESPACE__ . '\\add_account_menu_item' );
add_filter( 'woocommerce_endpoint_' . ACCOUNT_ENDPOINT . '_title', __NAMESPACE__ . '\\account_title' );
add_action( 'woocommerce_account_' . ACCOUNT_ENDPOINT . '_endpoint', __NAMESPACE__ . '\\show_account_page' );

// Selling: what a product sells.
add_filter( 'woocommerce_product_data_tabs', __NAMESPACE__ . '\\add_product_tab' );
add_action( 'woocommerce_product_data_panels', __NAMESPACE__ . '\\show_product_fields' );
add_action( 'woocommerce_product_after_variable_attributes', __NAMESPACE__ . '\\show_variation_fields', 10, 3 );
add_action( 'woocommerce_admin_process_product_object', __NAMESPACE__ . '\\save_product_fields' );
add_action( 'woocommerce_admin_process_variation_object', __NAMESPACE__ . '\\save_variation_fields', 10, 2 );
add_filter( 'woocommerce_csv_product_import_mapping_options', __NAMESPACE__ . '\\add_import_options' );
add_filter( 'woocommerce_csv_product_import_mapping_default_columns', __NAMESPACE__ . '\\add_import_columns' );
add_action( 'admin_init', __NAMESPACE__ . '\\register_selling_settings', 20 );
add_action( 'admin_enqueue_scripts', __NAMESPACE__ . '\\enqueue_product_style' );

// Selling: the promise, before, at and after the sale.
add_action( 'wp_enqueue_scripts', __NAMESPACE__ . '\\register_selling_style' );
add_action( 'woocommerce_single_product_summary', __NAMESPACE__ . '\\show_promise', 25 );
add_filter( 'woocommerce_available_variation', __NAMESPACE__ . '\\add_variation_promise', 10, 3 );
add_filter( 'woocommerce_get_item_data', __NAMESPACE__ . '\\add_cart_item_data', 10, 2 );
add_action( 'woocommerce_before_order_item_object_save', __NAMESPACE__ . '\\stamp_new_item' );
add_filter( 'wcs_renewal_order_created', __NAMESPACE__ . '\\stamp_renewal', 10, 2 );
add_filter( 'woocommerce_order_item_get_formatted_meta_data', __NAMESPACE__ . '\\add_order_item_data', 10, 2 );
add_filter( 'woocommerce_order_item_display_meta_key', __NAMESPACE__ . '\\order_meta_label', 10, 2 );
add_filter( 'woocommerce_order_item_display_meta_value', __NAMESPACE__ . '\\order_meta_value', 10, 2 );

// Selling: for which website.
add_action( 'woocommerce_before_add_to_cart_button', __NAMESPACE__ . '\\show_product_site_field' );
add_filter( 'woocommerce_add_to_cart_validation', __NAMESPACE__ . '\\validate_added_site', 10, 4 );
add_filter( 'woocommerce_add_cart_item_data', __NAMESPACE__ . '\\add_site_to_cart_line', 10, 3 );
add_filter( 'woocommerce_add_to_cart_redirect', __NAMESPACE__ . '\\lead_to_cart' );
add_filter( 'woocommerce_order_again_cart_item_data', __NAMESPACE__ . '\\keep_site_ordering_again', 10, 2 );
add_action( 'woocommerce_before_order_notes', __NAMESPACE__ . '\\show_checkout_site_field' );
add_action( 'woocommerce_after_checkout_validation', __NAMESPACE__ . '\\validate_checkout_site', 10, 2 );
add_action( 'woocommerce_checkout_create_order_line_item', __NAMESPACE__ . '\\stamp_cart_line', 10, 3 );
add_action( 'woocommerce_blocks_loaded', __NAMESPACE__ . '\\register_cart_facts' );
add_action( 'woocommerce_init', __NAMESPACE__ . '\\register_block_site_field' );
add_action( 'woocommerce_store_api_checkout_update_order_from_request', __NAMESPACE__ . '\\stamp_block_order', 10, 2 );
add_action( 'woocommerce_store_api_cart_errors', __NAMESPACE__ . '\\require_site_before_checkout' );
add_filter( 'woocommerce_admin_shipping_fields', __NAMESPACE__ . '\\hide_block_fields_from_staff', 20 );
