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

// Staff of the shop: wallets, waiting orders, the box on an order.
add_action( 'admin_menu', __NAMESPACE__ . '\\add_staff_pages', 20 );
add_action( 'current_screen', __NAMESPACE__ . '\\prepare_staff_screen' );
add_action( 'admin_enqueue_scripts', __NAMESPACE__ . '\\enqueue_staff_assets' );
add_filter( 'set_screen_option_' . WALLETS_PER_PAGE, __NAMESPACE__ . '\\keep_rows_per_page', 10, 3 );
add_filter( 'set_screen_option_' . ORDERS_PER_PAGE, __NAMESPACE__ . '\\keep_rows_per_page', 10, 3 );
add_action( 'admin_post_' . STAFF_ACTION, __NAMESPACE__ . '\\handle_staff_act' );
add_action( 'add_meta_boxes', __NAMESPACE__ . '\\add_order_box', 40, 2 );
add_action( 'wp_ajax_' . ORDER_BOX_ACTION, __NAMESPACE__ . '\\handle_order_box' );
add_action( 'wp_ajax_' . PREVIEW_ACTION, __NAMESPACE__ . '\\handle_preview' );
