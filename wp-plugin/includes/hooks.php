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

// Customers: what is known of their credits reaches them, and what they bought as guests becomes theirs.
add_action( 'init', __NAMESPACE__ . '\\register_block' );
add_action( 'rest_api_init', __NAMESPACE__ . '\\register_event_route' );
add_filter( 'woocommerce_email_classes', __NAMESPACE__ . '\\add_low_credit_email' );
add_filter( 'woocommerce_email_styles', __NAMESPACE__ . '\\style_low_credit_email', 10, 2 );
add_action( 'admin_post_' . MAIL_ACTION, __NAMESPACE__ . '\\handle_mail_setting' );
add_action( 'admin_post_' . CLAIM_ACTION, __NAMESPACE__ . '\\handle_claim' );
add_action( 'template_redirect', __NAMESPACE__ . '\\lead_to_claim' );
add_action( 'woocommerce_before_customer_login_form', __NAMESPACE__ . '\\show_claim_login' );
add_action( 'woocommerce_login_form_end', __NAMESPACE__ . '\\show_claim_return' );
add_action( 'woocommerce_register_form_end', __NAMESPACE__ . '\\show_claim_return' );
add_action( 'woocommerce_account_content', __NAMESPACE__ . '\\show_claim', 5 );
add_action( 'woocommerce_account_dashboard', __NAMESPACE__ . '\\show_account_low_credit' );
add_action( 'woocommerce_email_after_order_table', __NAMESPACE__ . '\\show_claim_in_email', 10, 3 );
add_action( 'woocommerce_thankyou', __NAMESPACE__ . '\\show_claim_after_checkout', 5 );
add_filter( 'wp_privacy_personal_data_exporters', __NAMESPACE__ . '\\add_privacy_exporter' );
add_filter( 'wp_privacy_personal_data_erasers', __NAMESPACE__ . '\\add_privacy_eraser' );
add_action( 'admin_init', __NAMESPACE__ . '\\add_privacy_policy' );

// A customer's own site: the balance in passing, and whether all is well.
add_filter( 'cron_schedules', __NAMESPACE__ . '\\add_tick_interval' ); // phpcs:ignore WordPress.WP.CronInterval -- A quarter of an hour, and one short question.
add_action( 'init', __NAMESPACE__ . '\\plan_tick' );
add_action( TICK, __NAMESPACE__ . '\\tick' );
add_action( REFRESH_SOON, __NAMESPACE__ . '\\refresh_soon' );
add_action( 'admin_bar_menu', __NAMESPACE__ . '\\add_bar_balance', 90 );
add_action( 'admin_enqueue_scripts', __NAMESPACE__ . '\\enqueue_bar_style' );
add_action( 'wp_enqueue_scripts', __NAMESPACE__ . '\\enqueue_bar_style' );
add_action( 'admin_notices', __NAMESPACE__ . '\\low_credit_notice' );
add_action( 'admin_post_' . DISMISS_ACTION, __NAMESPACE__ . '\\handle_dismiss' );
add_action( 'wp_ajax_' . DISMISS_ACTION, __NAMESPACE__ . '\\handle_dismiss_ajax' );
add_filter( 'site_status_tests', __NAMESPACE__ . '\\add_health_tests' );
add_action( 'rest_api_init', __NAMESPACE__ . '\\register_health_routes' );
add_filter( 'debug_information', __NAMESPACE__ . '\\add_debug_information' );
add_action( 'cli_init', __NAMESPACE__ . '\\register_command' );
