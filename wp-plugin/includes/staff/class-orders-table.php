<?php
/**
 * The list of orders with credits. Read only when WordPress's table is there to be extended.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Orders, a page at a time as the daemon gives them.
 */
final class Orders_Table extends Staff_Table {

	/**
	 * A table that was asked for these.
	 *
	 * @param array $asked See `orders_asked()`.
	 */
	public function __construct( array $asked ) {
		parent::__construct( 'order', 'orders', $asked );
	}

	/**
	 * A page of orders.
	 */
	protected function ask() {
		return staff_orders(
			array(
				'query'  => $this->asked['query'],
				'state'  => $this->asked['state'],
				'limit'  => (string) rows_per_page( ORDERS_PER_PAGE ),
				'cursor' => $this->asked['cursor'],
			)
		);
	}

	/**
	 * The list, on its first page.
	 */
	protected function url(): string {
		return orders_url( $this->asked );
	}

	/**
	 * The columns.
	 */
	public function get_columns(): array {
		return array(
			'number'  => __( 'Order', 'nivella-credit-wallet' ),
			'matter'  => __( 'What it waits for', 'nivella-credit-wallet' ),
			'buyer'   => __( 'Customer', 'nivella-credit-wallet' ),
			'granted' => __( 'Granted', 'nivella-credit-wallet' ),
			'changed' => __( 'Last change', 'nivella-credit-wallet' ),
		);
	}

	/**
	 * The column that stays on a narrow screen.
	 */
	protected function get_default_primary_column_name(): string {
		return 'number';
	}

	/**
	 * The links above the table.
	 */
	protected function get_views(): array {
		$links = array();
		foreach ( order_states() as $state => $label ) {
			// WordPress makes a class of the name, and has its own idea of "attention".
			$links[ "state-{$state}" ] = array(
				'url'     => orders_url( array( 'state' => $state ) + $this->asked ),
				'label'   => esc_html( $label ),
				'current' => $state === $this->asked['state'],
			);
		}
		return $this->get_views_links( $links );
	}

	/**
	 * What is said when there is nothing.
	 */
	public function no_items(): void {
		$nothing = array(
			'unclaimed' => __( 'No order waits for a customer.', 'nivella-credit-wallet' ),
			'attention' => __( 'No order needs a look.', 'nivella-credit-wallet' ),
			'parked'    => __( 'No order is parked.', 'nivella-credit-wallet' ),
			'all'       => __( 'No order with credits has come yet.', 'nivella-credit-wallet' ),
		);
		show( 'staff-empty', array( 'text' => '' === $this->asked['query'] ? $nothing[ $this->asked['state'] ] : __( 'No order matches.', 'nivella-credit-wallet' ) ) );
	}

	/**
	 * Which order, and what can be done.
	 *
	 * @param array $item An order.
	 */
	protected function column_number( $item ): string {
		return rendered(
			'staff-cell-order',
			array(
				'number'   => $item['number'],
				'status'   => order_status_label( $item['status'] ),
				'url'      => orders_page_url( $item['order'] ),
				'edit_url' => order_edit_url( $item['order'] ),
				'link_url' => null !== $item['account'] && '' !== read_reference( $item['buyer'] )['email'] ? staff_account_url( $item['account']['id'] ) . '#nivella-claim' : '',
			)
		);
	}

	/**
	 * What is the matter with it.
	 *
	 * @param array $item An order.
	 */
	protected function column_matter( $item ): string {
		return rendered(
			'staff-cell-matter',
			array(
				'parked'    => $item['parked'],
				'attention' => $item['attention'],
				'summary'   => $item['summary'],
			)
		);
	}

	/**
	 * Whose it is.
	 *
	 * @param array $item An order.
	 */
	protected function column_buyer( $item ): string {
		$names  = '' === $item['buyer'] ? array() : array( $item['buyer'] );
		$person = person_view( $item['account']['id'] ?? '', $item['account']['name'] ?? '', $names );
		if ( null === $item['account'] && array() === $names ) {
			$person['name'] = __( 'Nobody yet', 'nivella-credit-wallet' );
		}
		return rendered(
			'staff-cell-person',
			$person + array( 'url' => null === $item['account'] ? '' : staff_account_url( $item['account']['id'] ) )
		);
	}

	/**
	 * What it granted.
	 *
	 * @param array $item An order.
	 */
	protected function column_granted( $item ): string {
		return rendered(
			'staff-cell-amount',
			array(
				'name'   => 'granted',
				'raw'    => $item['granted'],
				'amount' => show_available( $item['granted'] ),
				'debt'   => '',
			)
		);
	}

	/**
	 * When the shop last changed it.
	 *
	 * @param array $item An order.
	 */
	protected function column_changed( $item ): string {
		return rendered( 'staff-cell-time', moment_view( $item['modified_at'] ) );
	}
}
