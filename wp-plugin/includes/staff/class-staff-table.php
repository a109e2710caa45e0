<?php
/**
 * What the lists of wallets and of orders have in common. Read only when WordPress's table is there to be extended.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * A list for staff, a page at a time as the daemon gives it.
 */
abstract class Staff_Table extends \WP_List_Table {

	/**
	 * What narrows it down, from the request; `query` and `cursor` among it.
	 *
	 * @var array
	 */
	protected $asked;

	/**
	 * What the daemon answered.
	 *
	 * @var array
	 */
	protected $page = array(
		'items'       => array(),
		'next_cursor' => null,
		'prev_cursor' => null,
		'total'       => null,
	);

	/**
	 * Why there is nothing to show, if so.
	 *
	 * @var \WP_Error|null
	 */
	public $error = null;

	/**
	 * A table that was asked for these.
	 *
	 * @param string $row   What a row is.
	 * @param string $rows  What several are.
	 * @param array  $asked What narrows it down.
	 */
	public function __construct( string $row, string $rows, array $asked ) {
		parent::__construct(
			array(
				'singular' => $row,
				'plural'   => $rows,
				'ajax'     => false,
			)
		);
		$this->asked = $asked;
	}

	/**
	 * A page from the daemon.
	 *
	 * @return array|\WP_Error As `read_page()` gives it.
	 */
	abstract protected function ask();

	/**
	 * The address of the list as it is narrowed down, on its first page.
	 */
	abstract protected function url(): string;

	/**
	 * Asks the daemon.
	 */
	public function prepare_items(): void {
		$page        = $this->ask();
		$this->error = is_wp_error( $page ) ? $page : null;
		if ( ! is_wp_error( $page ) ) {
			$this->page  = $page;
			$this->items = $page['items'];
		}
	}

	/**
	 * The line above and below the table.
	 *
	 * @param string $which `top` or `bottom`.
	 */
	protected function display_tablenav( $which ): void {
		show( 'staff-pages', array( 'which' => 'bottom' === $which ? 'bottom' : 'top' ) + pages_view( $this->page, $this->url(), '' === $this->asked['cursor'] ) );
	}
}
