<?php
/**
 * The list of wallets. Read only when WordPress's table is there to be extended.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Wallets, a page at a time as the daemon gives them.
 */
final class Wallets_Table extends Staff_Table {

	/**
	 * A table that was asked for these.
	 *
	 * @param array $asked See `wallets_asked()`.
	 */
	public function __construct( array $asked ) {
		parent::__construct( 'wallet', 'wallets', $asked );
	}

	/**
	 * A page of accounts; where none has what was typed, those whose websites do.
	 */
	protected function ask() {
		$page = staff_accounts(
			array(
				'query'  => $this->asked['query'],
				'filter' => 'all' === $this->asked['filter'] ? '' : $this->asked['filter'],
				'sort'   => $this->asked['sort'],
				'limit'  => (string) rows_per_page( WALLETS_PER_PAGE ),
				'cursor' => $this->asked['cursor'],
			)
		);
		if ( ! is_wp_error( $page ) && array() === $page['items'] && '' === $this->asked['cursor'] && 'all' === $this->asked['filter'] && is_site_id( $this->asked['query'] ) ) {
			$page = staff_accounts_of_sites( $this->asked['query'] );
		}
		if ( ! is_wp_error( $page ) ) {
			prime_users( $page['items'] );
		}
		return $page;
	}

	/**
	 * The list, on its first page.
	 */
	protected function url(): string {
		return wallets_url( $this->asked );
	}

	/**
	 * The accounts it shows.
	 */
	public function accounts(): array {
		return $this->page['items'];
	}

	/**
	 * The columns.
	 */
	public function get_columns(): array {
		return array(
			'customer'  => __( 'Customer', 'nivella-credit-wallet' ),
			'available' => __( 'Available', 'nivella-credit-wallet' ),
			'used'      => __( 'Used', 'nivella-credit-wallet' ),
			'sites'     => __( 'Websites', 'nivella-credit-wallet' ),
			'status'    => __( 'Status', 'nivella-credit-wallet' ),
			'created'   => __( 'Since', 'nivella-credit-wallet' ),
		);
	}

	/**
	 * What it can be sorted by.
	 */
	protected function get_sortable_columns(): array {
		return array(
			'customer'  => array( 'name', false ),
			'available' => array( 'available', true ),
			'created'   => array( 'created', true ),
		);
	}

	/**
	 * The column that stays on a narrow screen.
	 */
	protected function get_default_primary_column_name(): string {
		return 'customer';
	}

	/**
	 * The links above the table.
	 */
	protected function get_views(): array {
		$links = array();
		foreach ( wallet_filters() as $filter => $label ) {
			$links[ $filter ] = array(
				'url'     => wallets_url( array( 'filter' => $filter ) + $this->asked ),
				'label'   => esc_html( $label ),
				'current' => $filter === $this->asked['filter'],
			);
		}
		return $this->get_views_links( $links );
	}

	/**
	 * What is said when there is nothing.
	 */
	public function no_items(): void {
		show( 'staff-empty', array( 'text' => '' !== $this->asked['query'] || 'all' !== $this->asked['filter'] ? __( 'No wallet matches.', 'nivella-credit-wallet' ) : __( 'There are no wallets yet. Each is opened with its customer\'s first purchase.', 'nivella-credit-wallet' ) ) );
	}

	/**
	 * Who it is.
	 *
	 * @param array $item An account.
	 */
	protected function column_customer( $item ): string {
		return rendered(
			'staff-cell-customer',
			person_view( $item['id'], $item['name'], $item['names'] ) + array(
				'id'        => $item['id'],
				'url'       => staff_account_url( $item['id'] ),
				/* translators: %s: amount. */
				'available' => sprintf( __( '%s available', 'nivella-credit-wallet' ), show_available( $item['available'] ) ),
			)
		);
	}

	/**
	 * What can be used.
	 *
	 * @param array $item An account.
	 */
	protected function column_available( $item ): string {
		return rendered(
			'staff-cell-amount',
			array(
				'name'   => 'available',
				'raw'    => $item['available'],
				'amount' => show_available( $item['available'] ),
				/* translators: %s: amount. */
				'debt'   => decimal_is_zero( $item['debt'] ) ? '' : sprintf( __( 'owes %s', 'nivella-credit-wallet' ), show_cost( $item['debt'] ) ),
			)
		);
	}

	/**
	 * What was used.
	 *
	 * @param array $item An account.
	 */
	protected function column_used( $item ): string {
		return rendered(
			'staff-cell-amount',
			array(
				'name'   => 'used',
				'raw'    => $item['used'],
				'amount' => show_cost( $item['used'] ),
				'debt'   => '',
			)
		);
	}

	/**
	 * How many sites.
	 *
	 * @param array $item An account.
	 */
	protected function column_sites( $item ): string {
		return esc_html( number_format_i18n( $item['site_count'] ) );
	}

	/**
	 * How it stands.
	 *
	 * @param array $item An account.
	 */
	protected function column_status( $item ): string {
		return rendered(
			'staff-cell-status',
			array(
				'status' => $item['status'],
				'label'  => status_label( $item['status'] ),
				'why'    => (string) $item['frozen_reason'],
			)
		);
	}

	/**
	 * When it was opened.
	 *
	 * @param array $item An account.
	 */
	protected function column_created( $item ): string {
		return rendered( 'staff-cell-time', moment_view( $item['created_at'] ) );
	}
}
