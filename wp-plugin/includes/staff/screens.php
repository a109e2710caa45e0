<?php
/**
 * The screens of the shop's staff: where they are, what can be set about them, what is wrong with them.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The page with the orders that wait for somebody. */
const ORDERS_PAGE = 'nivella-credit-wallet-orders';

/** How many rows a list has unless somebody says otherwise. */
const ROWS_PER_PAGE = 20;

/** The most rows the daemon gives at once. */
const ROWS_PER_PAGE_MAX = 200;

/** The handle of the stylesheet and of the script for staff. */
const STAFF_STYLE = 'nivella-credit-wallet-admin';

/** The user options that say how many rows somebody wants. */
const WALLETS_PER_PAGE = 'nivella_credit_wallet_wallets_per_page';
const ORDERS_PER_PAGE  = 'nivella_credit_wallet_orders_per_page';

/**
 * Adds the page with orders to the menu of a shop.
 */
function add_staff_pages(): void {
	if ( is_shop() ) {
		add_submenu_page( PAGE, __( 'Orders with credits', 'nivella-credit-wallet' ), __( 'Waiting orders', 'nivella-credit-wallet' ), staff_capability(), ORDERS_PAGE, __NAMESPACE__ . '\\show_orders_page', 1 );
	}
}

/**
 * The address of the page with orders, or of one order on it.
 *
 * @param int $order An order of this shop, or 0.
 */
function orders_page_url( int $order = 0 ): string {
	$url = admin_url( 'admin.php?page=' . ORDERS_PAGE );
	return 0 === $order ? $url : add_query_arg( 'order_id', $order, $url );
}

/**
 * The address of an account on the page with wallets.
 *
 * @param string $account An account's id.
 */
function staff_account_url( string $account ): string {
	return add_query_arg( 'account', rawurlencode( $account ), admin_page_url() );
}

/**
 * Prepares the table of the page that is about to be shown, so that its columns and the number of its rows can be chosen
 * under "Screen Options".
 *
 * @param \WP_Screen $screen The screen.
 */
function prepare_staff_screen( $screen ): void {
	if ( ! is_shop() || ! is_connected() || ! is_staff() ) {
		return;
	}
	$is_list = '' === request_text( 'account' ) && 0 === request_number( 'customer' ) && 0 === request_number( 'order_id' );
	if ( $is_list && get_plugin_page_hookname( PAGE, '' ) === $screen->id ) {
		add_screen_option(
			'per_page',
			array(
				'label'   => __( 'Wallets per page:', 'nivella-credit-wallet' ),
				'default' => ROWS_PER_PAGE,
				'option'  => WALLETS_PER_PAGE,
			)
		);
		wallets_table();
	} elseif ( $is_list && get_plugin_page_hookname( ORDERS_PAGE, PAGE ) === $screen->id ) {
		add_screen_option(
			'per_page',
			array(
				'label'   => __( 'Orders per page:', 'nivella-credit-wallet' ),
				'default' => ROWS_PER_PAGE,
				'option'  => ORDERS_PER_PAGE,
			)
		);
		orders_table();
	}
}

/**
 * The address of a list that shows what is asked of it; what is asked for by an empty text is left out.
 *
 * @param string $url  The list.
 * @param array  $asks Names and values, not encoded.
 */
function list_url( string $url, array $asks ): string {
	return add_query_arg( array_map( 'rawurlencode', array_diff( $asks, array( '' ) ) ), $url );
}

/**
 * Reads what our lists extend.
 */
function load_staff_table(): void {
	if ( ! class_exists( 'WP_List_Table' ) ) {
		require_once ABSPATH . 'wp-admin/includes/class-wp-list-table.php';
	}
	require_once __DIR__ . '/class-staff-table.php';
}

/**
 * Keeps how many rows somebody wants.
 *
 * @param mixed  $keep   What other plugins say.
 * @param string $option The option.
 * @param mixed  $value  What was typed.
 */
function keep_rows_per_page( $keep, $option, $value ): int {
	return max( 1, min( ROWS_PER_PAGE_MAX, (int) $value ) );
}

/**
 * How many rows the current user wants.
 *
 * @param string $option One of the options above.
 */
function rows_per_page( string $option ): int {
	$rows = (int) get_user_option( $option );
	return $rows < 1 ? ROWS_PER_PAGE : min( ROWS_PER_PAGE_MAX, $rows );
}

/**
 * Loads style and script for staff on our pages, and on the screens of orders.
 *
 * @param string $hook_suffix The page.
 */
function enqueue_staff_assets( string $hook_suffix ): void {
	$screen = get_current_screen();
	if ( ! is_shop() || ( false === strpos( $hook_suffix, PAGE ) && ! ( $screen && is_order_screen( $screen->id ) ) ) ) {
		return;
	}
	register_style();
	wp_enqueue_style( STAFF_STYLE, plugins_url( 'assets/admin.css', FILE ), array( STYLE ), VERSION );
	// jQuery, because WooCommerce tells of changes in its refund form through it only.
	wp_enqueue_script( STAFF_STYLE, plugins_url( 'assets/staff.js', FILE ), array( 'jquery' ), VERSION, true );
}

/**
 * A text of the request's address, on one line.
 *
 * @param string $name Its name.
 */
function request_text( string $name ): string {
	// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- Only looks something up.
	return isset( $_GET[ $name ] ) && is_string( $_GET[ $name ] ) ? sanitize_text_field( wp_unslash( $_GET[ $name ] ) ) : '';
}

/**
 * A whole number of the request's address, or 0.
 *
 * @param string $name Its name.
 */
function request_number( string $name ): int {
	$text = request_text( $name );
	return 1 === preg_match( '/^[1-9][0-9]{0,17}$/D', $text ) ? (int) $text : 0;
}

/**
 * What is wrong, in the words for staff, as the template staff-trouble wants it.
 *
 * @param \WP_Error $error   From `staff_ask()`.
 * @param string    $missing What it means when the daemon knows no such thing.
 */
function staff_trouble( \WP_Error $error, string $missing = '' ): array {
	$code = (string) $error->get_error_code();
	$why  = explain( $error );
	if ( 'nivella_not_found' === $code && '' !== $missing ) {
		$why = array(
			'reason' => $missing,
			'remedy' => '',
		);
	} elseif ( 'nivella_not_found' === $code ) {
		$why = array(
			'reason' => __( 'The key may not read the wallets of this shop, or the wallet service is older than this plugin.', 'nivella-credit-wallet' ),
			'remedy' => __( 'Create a key with the scope admin, or update the wallet service.', 'nivella-credit-wallet' ),
		);
	}
	return $why + array(
		'code'         => $code,
		'settings_url' => current_user_can( settings_capability() ) ? settings_url() : null,
		'again'        => is_silence( $error ) ? act_view( REFRESH_ACTION, array( 'customer' => 0 ) ) : null,
	);
}

/**
 * Who stands behind the names of an account, as staff see them.
 *
 * @param string   $id    The account.
 * @param string   $name  What the daemon calls them.
 * @param string[] $names Their names in stores.
 * @return array `name`, `email`, `user_id`, `user_url`, `is_guest`, `reference` (what to call the account elsewhere).
 */
function person_view( string $id, string $name, array $names ): array {
	$user   = false;
	$email  = '';
	$others = array();
	foreach ( $names as $each ) {
		$person = read_reference( $each );
		if ( $person['customer'] > 0 && ! $user ) {
			$user = get_userdata( $person['customer'] );
		}
		if ( '' === $person['email'] ) {
			$others[] = $each;
		} elseif ( '' === $email ) {
			$email = $person['email'];
		}
	}
	$name = $user && '' !== (string) ( $user->display_name ?? '' ) ? (string) $user->display_name : $name;
	return array(
		'name'      => '' !== $name ? $name : ( '' !== $email ? $email : ( $names[0] ?? $id ) ),
		'email'     => $user ? (string) ( $user->user_email ?? '' ) : $email,
		'user_id'   => $user ? (int) $user->ID : 0,
		'user_url'  => $user && current_user_can( 'edit_user', $user->ID ) ? (string) get_edit_user_link( $user->ID ) : '',
		'is_guest'  => array() !== $names && array() === $others,
		'reference' => $id,
	);
}

/**
 * The links to other pages of a list.
 *
 * @param array  $page  From `read_page()`.
 * @param string $url   The list, with its filters.
 * @param bool   $first Whether this is the first page.
 */
function pages_view( array $page, string $url, bool $first ): array {
	$at = static function ( ?string $cursor ) use ( $url ): ?string {
		return null === $cursor ? null : add_query_arg( 'paged', rawurlencode( $cursor ), $url );
	};
	return array(
		/* translators: %s: number of rows. */
		'total' => null === $page['total'] ? '' : sprintf( _n( '%s item', '%s items', $page['total'], 'nivella-credit-wallet' ), number_format_i18n( $page['total'] ) ),
		'first' => $first ? null : $url,
		'prev'  => $first ? null : $at( $page['prev_cursor'] ),
		'next'  => $at( $page['next_cursor'] ),
	);
}
