<?php
/**
 * Orders with credits: those that wait for somebody, and one order's story with what can be done about it.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * What the list can be narrowed down to.
 *
 * @return array<string, string>
 */
function order_states(): array {
	return array(
		'unclaimed' => __( 'Unclaimed', 'nivella-credit-wallet' ),
		'attention' => __( 'Needs a look', 'nivella-credit-wallet' ),
		'parked'    => __( 'Parked', 'nivella-credit-wallet' ),
		'all'       => __( 'All orders with credits', 'nivella-credit-wallet' ),
	);
}

/**
 * What the request asks the list for.
 *
 * @return array{ query: string, state: string, cursor: string }
 */
function orders_asked(): array {
	$state = request_text( 'state' );
	return array(
		'query'  => substr( request_text( 's' ), 0, 250 ),
		'state'  => isset( order_states()[ $state ] ) ? $state : 'unclaimed',
		'cursor' => request_text( 'paged' ),
	);
}

/**
 * The address of the list, on its first page.
 *
 * @param array $asked See `orders_asked()`.
 */
function orders_url( array $asked ): string {
	return list_url(
		orders_page_url(),
		array(
			's'     => $asked['query'],
			'state' => $asked['state'],
		)
	);
}

/**
 * The table of this page, made once.
 */
function orders_table(): Orders_Table {
	static $table = null;
	if ( null === $table ) {
		load_staff_table();
		require_once __DIR__ . '/class-orders-table.php';
		$table = new Orders_Table( orders_asked() );
	}
	return $table;
}

/**
 * Shows the page: the list, or one order.
 */
function show_orders_page(): void {
	if ( ! is_staff() || ! is_shop() ) {
		wp_die( esc_html__( 'You may not see the orders of this shop.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
	if ( ! is_connected() ) {
		show( 'not-connected', array( 'settings_url' => current_user_can( settings_capability() ) ? settings_url() : null ) );
		return;
	}
	$order = request_number( 'order_id' );
	if ( 0 !== $order ) {
		show_order_page( $order );
		return;
	}
	$table = orders_table();
	$table->prepare_items();
	show(
		'staff-orders',
		array(
			'action'  => admin_url( 'admin.php' ),
			'page'    => ORDERS_PAGE,
			'state'   => orders_asked()['state'],
			'table'   => $table,
			'trouble' => null === $table->error ? null : staff_trouble( $table->error ),
		)
	);
}

/**
 * Shows one order's story, what can be done about it, and what a refund would take back.
 *
 * @param int $order An order of this shop.
 */
function show_order_page( int $order ): void {
	$story   = staff_story( $order );
	$is_told = ! is_wp_error( $story );
	$state   = act_state();
	$subject = order_subject( $order );
	$acts    = array();
	if ( $is_told ) {
		foreach ( array( 'assign', 'replay' ) as $act ) {
			$acts[] = act_form( $act, $subject, null, $state );
		}
	}
	$amount = request_text( 'amount' );
	show(
		'staff-order',
		array(
			'list_url' => orders_page_url(),
			'edit_url' => order_edit_url( $order ),
			'number'   => $is_told ? $story['number'] : (string) $order,
			'trouble'  => $is_told ? null : staff_trouble( $story, __( 'The wallet service does not know this order yet.', 'nivella-credit-wallet' ) ),
			'story'    => $is_told ? story_view( $story ) : null,
			'state'    => $state,
			'acts'     => $acts,
			'preview'  => array(
				'action'   => admin_url( 'admin.php' ),
				'page'     => ORDERS_PAGE,
				'order_id' => $order,
				'amount'   => $amount,
				'says'     => $is_told && '' !== $amount ? refund_sentence( $order, $amount, array() ) : null,
			),
		)
	);
}

/**
 * A story for people.
 *
 * @param array $story From `staff_story()`.
 */
function story_view( array $story ): array {
	$lines = array();
	foreach ( $story['lines'] as $line ) {
		if ( ! $line['is_tokens'] ) {
			continue;
		}
		$sums    = story_sums( $story['grants'], $line['line'] );
		$lines[] = array(
			'name'       => $line['name'],
			'quantity'   => $line['quantity'],
			'says'       => $line['says'],
			'worth'      => $line['worth'],
			'arithmetic' => $line['arithmetic'],
			'site'       => $line['site_why'],
			'raw'        => $sums,
		) + array_map( __NAMESPACE__ . '\\show_available', $sums );
	}
	$sums   = story_sums( $story['grants'] );
	$person = null;
	if ( null !== $story['account'] ) {
		$person = person_view( $story['account']['id'], $story['account']['name'], '' === $story['buyer'] ? array() : array( $story['buyer'] ) ) + array( 'url' => staff_account_url( $story['account']['id'] ) );
	}
	return array(
		'summary'    => $story['summary'],
		'status'     => order_status_label( $story['status'] ),
		'meaning'    => $story['meaning'],
		'person'     => $person,
		'buyer'      => $story['buyer'],
		'parked'     => $story['parked'],
		'attention'  => $story['attention'],
		'missing'    => $story['missing'],
		'lines'      => $lines,
		'columns'    => story_columns( $sums ),
		'sums'       => array_map( __NAMESPACE__ . '\\show_available', $sums ),
		'raw'        => $sums,
		'times'      => array_filter(
			array(
				__( 'Paid', 'nivella-credit-wallet' )       => null === $story['paid_at'] ? '' : show_moment( $story['paid_at'] ),
				__( 'Last changed in the shop', 'nivella-credit-wallet' ) => show_moment( $story['modified_at'] ),
				__( 'Applied to the wallet', 'nivella-credit-wallet' ) => show_moment( $story['applied_at'] ),
			)
		),
		'steps'      => array_map(
			static function ( array $entry ): array {
				return array(
					'at'   => null === $entry['at'] ? '' : show_moment( $entry['at'] ),
					'says' => $entry['says'],
				);
			},
			array_slice( $story['entries'], 0, 100 )
		),
		'deliveries' => array_map(
			static function ( array $delivery ): array {
				return array( 'at' => show_moment( $delivery['received_at'] ) ) + $delivery;
			},
			array_slice( $story['deliveries'], -50 )
		),
		'url'        => orders_page_url( $story['order'] ),
	);
}

/**
 * What is told of each line: what was taken back or has expired only where there is some.
 *
 * @param array $sums Of the whole order.
 * @return array<string, string>
 */
function story_columns( array $sums ): array {
	$columns = array(
		'granted' => __( 'Granted', 'nivella-credit-wallet' ),
		'used'    => __( 'Used', 'nivella-credit-wallet' ),
		'taken'   => __( 'Taken back', 'nivella-credit-wallet' ),
		'expired' => __( 'Expired', 'nivella-credit-wallet' ),
		'left'    => __( 'Left', 'nivella-credit-wallet' ),
	);
	foreach ( array( 'taken', 'expired' ) as $name ) {
		if ( decimal_is_zero( $sums[ $name ] ) ) {
			unset( $columns[ $name ] );
		}
	}
	return $columns;
}

/**
 * What grants of an order come to.
 *
 * @param array    $grants From a story.
 * @param int|null $line   Only those of this line.
 * @return array{ granted: string, used: string, taken: string, expired: string, left: string }
 */
function story_sums( array $grants, ?int $line = null ): array {
	$sums  = array_fill_keys( array( 'granted', 'used', 'taken', 'expired', 'left' ), '0' );
	$names = array(
		'granted' => 'credits',
		'used'    => 'spent',
		'taken'   => 'clawed',
		'expired' => 'expired',
		'left'    => 'remaining',
	);
	foreach ( $grants as $grant ) {
		if ( null === $line || $grant['line'] === $line ) {
			foreach ( $names as $sum => $name ) {
				$sums[ $sum ] = decimal_add( $sums[ $sum ], $grant[ $name ] );
			}
		}
	}
	return $sums;
}

/**
 * What WooCommerce calls a status, if there is a WooCommerce.
 *
 * @param string $status Such as `processing`.
 */
function order_status_label( string $status ): string {
	return function_exists( 'wc_get_order_status_name' ) ? (string) wc_get_order_status_name( $status ) : $status;
}

/**
 * Where WooCommerce edits an order, or '' when there is no such order here.
 *
 * @param int $order An order's id.
 */
function order_edit_url( int $order ): string {
	$found = function_exists( 'wc_get_order' ) ? wc_get_order( $order ) : false;
	return is_object( $found ) && method_exists( $found, 'get_edit_order_url' ) ? (string) $found->get_edit_order_url() : '';
}

/**
 * What a refund would take back, in a sentence.
 *
 * @param int    $order  An order of this shop.
 * @param string $amount How much money, as it was typed.
 * @param array  $parts  `lines` and `other` of the refund, as the daemon wants them; empty when only the amount is known.
 * @return array{ text: string, tone: string, notes: string[] }
 */
function refund_sentence( int $order, string $amount, array $parts ): array {
	$money = typed_money( $amount );
	if ( null === $money ) {
		return array(
			'text'  => __( 'Enter the amount to refund, like 40.00.', 'nivella-credit-wallet' ),
			'tone'  => 'wrong',
			'notes' => array(),
		);
	}
	$preview = staff_refund_preview( $order, array( 'amount' => $money ) + $parts );
	if ( is_wp_error( $preview ) ) {
		$data   = $preview->get_error_data();
		$faults = is_array( $data ) ? array_column( (array) ( $data['errors'] ?? array() ), 'detail' ) : array();
		$why    = staff_trouble( $preview, __( 'The wallet service does not know this order yet, so a refund takes nothing back.', 'nivella-credit-wallet' ) );
		return array(
			'text'  => array() === $faults ? trim( $why['reason'] . ' ' . $why['remedy'] ) : implode( '; ', $faults ),
			'tone'  => 'wrong',
			'notes' => array(),
		);
	}

	$notes = array();
	if ( ! decimal_is_zero( $preview['shortfall'] ) ) {
		$policies = array(
			/* translators: %s: amount. */
			'debt'      => __( '%s were used already. They become a debt, which the next purchase pays first.', 'nivella-credit-wallet' ),
			/* translators: %s: amount. */
			'write_off' => __( '%s were used already. The shop bears the loss.', 'nivella-credit-wallet' ),
			/* translators: %s: amount. */
			'freeze'    => __( '%s were used already. They become a debt, and the wallet is put on hold.', 'nivella-credit-wallet' ),
		);
		/* translators: %s: amount. */
		$policy  = $policies[ $preview['shortfall_policy'] ] ?? __( '%s were used already and cannot be taken back.', 'nivella-credit-wallet' );
		$notes[] = sprintf( $policy, show_cost( $preview['shortfall'] ) );
	}
	if ( '' !== $preview['attention'] ) {
		$notes[] = $preview['attention'];
	}
	if ( count( $preview['lines'] ) > 1 ) {
		foreach ( $preview['lines'] as $line ) {
			/* translators: 1: what was bought, 2: amount, 3: amount. */
			$notes[] = sprintf( __( '%1$s: takes back %2$s of %3$s', 'nivella-credit-wallet' ), $line['name'], show_cost( $line['takes_back'] ), show_available( $line['granted'] ) );
		}
	}
	return array(
		'text'  => sprintf(
			/* translators: 1: amount, 2: amount, 3: price, 4: amount, 5: amount. */
			__( '%1$s credits, %2$s used; refunding %3$s takes back %4$s, shortfall %5$s', 'nivella-credit-wallet' ),
			show_available( $preview['granted'] ),
			show_cost( $preview['used'] ),
			show_money( $money, $order ),
			show_cost( $preview['takes_back'] ),
			show_cost( $preview['shortfall'] )
		),
		'tone'  => decimal_is_zero( $preview['shortfall'] ) ? 'good' : 'short',
		'notes' => $notes,
	);
}

/**
 * An amount of money as the shop shows it, in the order's currency.
 *
 * @param string $money A decimal.
 * @param int    $order An order of this shop.
 */
function show_money( string $money, int $order ): string {
	$found = function_exists( 'wc_get_order' ) ? wc_get_order( $order ) : false;
	if ( ! function_exists( 'wc_price' ) || ! is_object( $found ) || ! method_exists( $found, 'get_currency' ) ) {
		return $money;
	}
	return price_text( wc_price( $money, array( 'currency' => $found->get_currency() ) ) );
}
