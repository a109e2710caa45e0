<?php
/**
 * The wallets of all customers: search, filters, order, pages.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** How many users of WordPress are looked up in the wallet service by one search. */
const LOOKED_UP_MAX = 5;

/** What the list is sorted by, as the address has it and as the daemon calls it. */
const WALLET_ORDERS = array( 'name', 'created', 'available' );

/**
 * What the list can be narrowed down to.
 *
 * @return array<string, string>
 */
function wallet_filters(): array {
	return array(
		'all'    => __( 'All', 'nivella-credit-wallet' ),
		'frozen' => __( 'On hold', 'nivella-credit-wallet' ),
		'guest'  => __( 'Guests', 'nivella-credit-wallet' ),
		'debt'   => __( 'In debt', 'nivella-credit-wallet' ),
		'empty'  => __( 'Empty', 'nivella-credit-wallet' ),
	);
}

/**
 * What the request asks the list for.
 *
 * @return array{ query: string, filter: string, sort: string, cursor: string }
 */
function wallets_asked(): array {
	$filter  = request_text( 'filter' );
	$orderby = request_text( 'orderby' );
	$sort    = in_array( $orderby, WALLET_ORDERS, true ) ? $orderby : '';
	return array(
		'query'  => substr( request_text( 's' ), 0, 250 ),
		'filter' => isset( wallet_filters()[ $filter ] ) ? $filter : 'all',
		'sort'   => '' !== $sort && 'desc' === request_text( 'order' ) ? '-' . $sort : $sort,
		'cursor' => request_text( 'paged' ),
	);
}

/**
 * The address of the list, on its first page.
 *
 * @param array $asked See `wallets_asked()`.
 */
function wallets_url( array $asked ): string {
	return list_url(
		admin_page_url(),
		array(
			's'      => $asked['query'],
			'filter' => 'all' === $asked['filter'] ? '' : $asked['filter'],
		) + sort_fields( $asked['sort'] )
	);
}

/**
 * How a request asks for an order of the rows.
 *
 * @param string $sort Like `name`, or `-name` from the end; '' as they come.
 * @return array{ orderby: string, order: string } Both empty for ''.
 */
function sort_fields( string $sort ): array {
	$column = ltrim( $sort, '-' );
	return array(
		'orderby' => $column,
		'order'   => '' === $column ? '' : ( $column === $sort ? 'asc' : 'desc' ),
	);
}

/**
 * The table of this page, made once.
 */
function wallets_table(): Wallets_Table {
	static $table = null;
	if ( null === $table ) {
		load_staff_table();
		require_once __DIR__ . '/class-wallets-table.php';
		$table = new Wallets_Table( wallets_asked() );
	}
	return $table;
}

/**
 * Shows the page on a shop: the list, or one wallet.
 */
function show_shop_page(): void {
	$account  = request_text( 'account' );
	$customer = request_number( 'customer' );
	if ( '' !== $account || 0 !== $customer ) {
		show_wallet_page( $account, $customer );
		return;
	}
	$asked = wallets_asked();
	$table = wallets_table();
	$table->prepare_items();
	show(
		'staff-wallets',
		array(
			'store'   => settings()['store'],
			'action'  => admin_url( 'admin.php' ),
			'page'    => PAGE,
			'asked'   => $asked,
			'sort'    => array_filter( sort_fields( $asked['sort'] ) ),
			'table'   => $table,
			'trouble' => null === $table->error ? null : staff_trouble( $table->error ),
			'users'   => '' === $asked['query'] || '' !== $asked['cursor'] ? null : users_without_row( $asked['query'], $table->accounts() ),
			'orders'  => orders_page_url(),
		)
	);
}

/**
 * Users of this WordPress who fit a search and have no row in the list: those who never bought, and those whom the daemon
 * knows by a number only.
 *
 * @param string $search   What was typed.
 * @param array  $accounts The rows that are shown.
 */
function users_without_row( string $search, array $accounts ): array {
	$shown = array();
	foreach ( $accounts as $account ) {
		foreach ( $account['names'] as $name ) {
			$shown[ read_reference( $name )['customer'] ] = true;
		}
	}
	$users = array();
	foreach ( find_customers( $search ) as $user ) {
		if ( isset( $shown[ $user['id'] ] ) ) {
			continue;
		}
		$account = count( $users ) < LOOKED_UP_MAX ? staff_account( customer_account( $user['id'] ) ) : null;
		$says    = '';
		if ( is_array( $account ) ) {
			/* translators: %s: amount. */
			$says = sprintf( __( '%s available', 'nivella-credit-wallet' ), show_available( $account['available'] ) );
		} elseif ( is_wp_error( $account ) && 'nivella_not_found' === $account->get_error_code() ) {
			$says = __( 'no wallet yet', 'nivella-credit-wallet' );
		}
		$users[] = $user + array( 'says' => $says );
	}
	return $users;
}

/**
 * Reads the users behind a page of accounts with one query.
 *
 * @param array $accounts Accounts.
 */
function prime_users( array $accounts ): void {
	$ids = array();
	foreach ( $accounts as $account ) {
		foreach ( $account['names'] as $name ) {
			$ids[] = read_reference( $name )['customer'];
		}
	}
	if ( array() !== array_filter( $ids ) ) {
		cache_users( array_values( array_unique( array_filter( $ids ) ) ) );
	}
}

/**
 * A moment for a cell; '' when there was none.
 *
 * @param int|null $at Unix seconds.
 */
function moment_view( ?int $at ): array {
	return array(
		'at'  => null === $at ? '' : show_moment( $at ),
		'iso' => null === $at ? '' : iso_time( $at ),
	);
}
