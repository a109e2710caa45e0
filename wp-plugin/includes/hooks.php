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

// Connect: pairing with the daemon.
add_action( 'admin_post_' . PAIR_ACTION, __NAMESPACE__ . '\\handle_pair' );
add_action( 'admin_post_' . MEND_ACTION, __NAMESPACE__ . '\\handle_mend' );
add_action( 'admin_post_' . DISCONNECT_ACTION, __NAMESPACE__ . '\\handle_disconnect' );
add_action( 'admin_enqueue_scripts', __NAMESPACE__ . '\\enqueue_connect_style' );
add_filter( 'http_request_host_is_external', __NAMESPACE__ . '\\allow_daemon_host', 10, 3 );
add_filter( 'http_allowed_safe_ports', __NAMESPACE__ . '\\allow_daemon_port', 10, 3 );
add_filter( 'woocommerce_webhook_should_deliver', __NAMESPACE__ . '\\should_deliver', 10, 2 );

// Carry: facts for the daemon in WooCommerce's deliveries.
add_action( 'woocommerce_deliver_webhook_async', __NAMESPACE__ . '\\note_body_begun', 1, 0 );
add_filter( 'woocommerce_webhook_payload', __NAMESPACE__ . '\\add_facts', 10, 4 );
add_action( 'woocommerce_webhook_delivery', __NAMESPACE__ . '\\note_webhook_delivery', 10, 5 );

// Carry: the fast lane notes what changes, and hands it over at the very end of the request.
add_action( 'woocommerce_new_order', __NAMESPACE__ . '\\note_order' );
add_action( 'woocommerce_update_order', __NAMESPACE__ . '\\note_order' );
add_action( 'woocommerce_order_status_changed', __NAMESPACE__ . '\\note_order' );
add_action( 'woocommerce_payment_complete', __NAMESPACE__ . '\\note_order' );
add_action( 'woocommerce_order_refunded', __NAMESPACE__ . '\\note_order' );
add_action( 'woocommerce_trash_order', __NAMESPACE__ . '\\note_order' );
add_action( 'woocommerce_untrash_order', __NAMESPACE__ . '\\note_order' );
add_action( 'woocommerce_refund_deleted', __NAMESPACE__ . '\\note_refund_deleted', 10, 2 );
add_filter( 'woocommerce_pre_delete_order', __NAMESPACE__ . '\\note_deletion', PHP_INT_MAX, 3 );
add_filter( 'woocommerce_pre_delete_order_refund', __NAMESPACE__ . '\\note_deletion', PHP_INT_MAX, 3 );
add_action( 'before_delete_post', __NAMESPACE__ . '\\note_post_deleted', 1 );
add_action( 'trashed_post', __NAMESPACE__ . '\\note_post' );
add_action( 'untrashed_post', __NAMESPACE__ . '\\note_post' );
add_action( 'added_post_meta', __NAMESPACE__ . '\\note_post_meta', 10, 3 );
add_action( 'updated_post_meta', __NAMESPACE__ . '\\note_post_meta', 10, 3 );
add_action( 'deleted_post_meta', __NAMESPACE__ . '\\note_post_meta', 10, 3 );
add_action( 'woocommerce_new_order_item', __NAMESPACE__ . '\\note_line', 10, 3 );
add_action( 'woocommerce_update_order_item', __NAMESPACE__ . '\\note_line', 10, 3 );
add_action( 'woocommerce_before_delete_order_item', __NAMESPACE__ . '\\note_line_deleted' );
add_action( 'added_order_item_meta', __NAMESPACE__ . '\\note_line_meta', 10, 2 );
add_action( 'updated_order_item_meta', __NAMESPACE__ . '\\note_line_meta', 10, 2 );
add_action( 'deleted_order_item_meta', __NAMESPACE__ . '\\note_line_meta', 10, 2 );
add_action( 'set_object_terms', __NAMESPACE__ . '\\note_categories_of_product', 10, 6 );
add_action( 'edit_terms', __NAMESPACE__ . '\\note_category', 10, 2 );
add_action( 'edited_product_cat', __NAMESPACE__ . '\\note_category', 10, 1 );
add_action( 'pre_delete_term', __NAMESPACE__ . '\\note_category', 10, 2 );
add_filter( 'rest_pre_echo_response', __NAMESPACE__ . '\\hold_answer', PHP_INT_MAX );
add_filter( 'woocommerce_payment_successful_result', __NAMESPACE__ . '\\hold_answer', PHP_INT_MAX );
add_filter( 'woocommerce_checkout_no_payment_needed_redirect', __NAMESPACE__ . '\\hold_answer', PHP_INT_MAX );
add_action( 'shutdown', __NAMESPACE__ . '\\announce_length', 0 );
add_action( 'shutdown', __NAMESPACE__ . '\\run_lane', PHP_INT_MAX );
add_action( 'woocommerce_webhook_disabled_due_delivery_failures', __NAMESPACE__ . '\\webhook_given_up' );
add_action( CATCH_UP, __NAMESPACE__ . '\\handle_catch_up' );

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
