<?php
/**
 * The page AI Credits in wp-admin: on a customer's site its wallet, on a shop the wallets of its customers.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The page. */
const PAGE = 'nivella-credit-wallet';

/** How many users a search shows. */
const FOUND_MAX = 20;

/**
 * Adds the pages to the menu.
 */
function add_admin_pages(): void {
	$title = __( 'AI Credits', 'nivella-credit-wallet' );
	add_menu_page( $title, $title, staff_capability(), PAGE, __NAMESPACE__ . '\\show_admin_page', 'dashicons-money-alt', 58 );
	add_submenu_page( PAGE, $title, is_shop() ? __( 'Wallets', 'nivella-credit-wallet' ) : __( 'Wallet', 'nivella-credit-wallet' ), staff_capability(), PAGE, __NAMESPACE__ . '\\show_admin_page' );
	add_submenu_page( PAGE, __( 'AI Credits settings', 'nivella-credit-wallet' ), __( 'Settings', 'nivella-credit-wallet' ), settings_capability(), SETTINGS_PAGE, __NAMESPACE__ . '\\show_settings_page' );
}

/**
 * The address of the page.
 *
 * @param int $customer A WordPress user to look up, or 0.
 */
function admin_page_url( int $customer = 0 ): string {
	$url = admin_url( 'admin.php?page=' . PAGE );
	return 0 === $customer ? $url : add_query_arg( 'customer', $customer, $url );
}

/**
 * Shows the page.
 */
function show_admin_page(): void {
	if ( ! is_staff() ) {
		wp_die( esc_html__( 'You may not see this wallet.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
	if ( ! is_connected() ) {
		show( 'not-connected', array( 'settings_url' => current_user_can( settings_capability() ) ? settings_url() : null ) );
	} elseif ( is_shop() ) {
		show_shop_page();
	} else {
		show( 'admin-page', array( 'wallet' => wallet_view( OWN_WALLET, staff_page( 0 ) ) ) );
	}
}

/**
 * Where a wallet is shown when staff look at it.
 *
 * @param int $customer A WordPress user, or 0.
 */
function staff_page( int $customer ): array {
	return array(
		'url'      => admin_page_url( $customer ),
		'customer' => $customer,
		'is_staff' => true,
		'is_admin' => true,
		'request'  => $_GET, // phpcs:ignore WordPress.Security.NonceVerification.Recommended -- Filters only.
	);
}

/**
 * Users whose name, address or number fits.
 *
 * @param string $search What was typed.
 */
function find_customers( string $search ): array {
	$users = get_users(
		array(
			'search'         => ctype_digit( $search ) ? $search : '*' . $search . '*',
			'search_columns' => ctype_digit( $search ) ? array( 'ID' ) : array( 'user_login', 'user_email', 'user_nicename', 'display_name' ),
			'number'         => FOUND_MAX,
			'orderby'        => 'display_name',
		)
	);
	return array_map( __NAMESPACE__ . '\\customer_view', $users );
}

/**
 * A user as staff see them.
 *
 * @param \WP_User $user A user.
 */
function customer_view( \WP_User $user ): array {
	return array(
		'id'    => $user->ID,
		'name'  => $user->display_name,
		'email' => $user->user_email,
		'url'   => admin_page_url( $user->ID ),
	);
}

/**
 * Adds a link to the settings in the list of plugins.
 *
 * @param string[] $links Links.
 */
function add_settings_link( $links ): array {
	$links = (array) $links;
	if ( current_user_can( settings_capability() ) ) {
		array_unshift( $links, rendered( 'settings-link', array( 'url' => settings_url() ) ) );
	}
	return $links;
}
