<?php
/**
 * The box "AI Credits" on WooCommerce's screen of an order.
 *
 * The screen is not made slower: the box is empty until a script has asked for it, and without the script a link leads to a
 * page with the same.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const ORDER_BOX_ACTION = 'nivella_credit_wallet_order';
const PREVIEW_ACTION   = 'nivella_credit_wallet_preview';

/**
 * Whether a screen is the one where an order is edited, in WooCommerce's own tables or in WordPress's.
 *
 * @param string $screen_id A screen.
 */
function is_order_screen( string $screen_id ): bool {
	return in_array( $screen_id, array( 'woocommerce_page_wc-orders', 'shop_order' ), true );
}

/**
 * Adds the box to orders that sell credits.
 *
 * @param string $screen_id     A screen, or a type of post.
 * @param mixed  $post_or_order What is edited.
 */
function add_order_box( $screen_id, $post_or_order = null ): void {
	if ( ! is_string( $screen_id ) || ! is_order_screen( $screen_id ) || ! is_shop() || ! is_connected() || ! is_staff() || ! function_exists( 'wc_get_order' ) ) {
		return;
	}
	$order = $post_or_order instanceof \WP_Post ? wc_get_order( $post_or_order->ID ) : $post_or_order;
	if ( is_object( $order ) && method_exists( $order, 'get_items' ) && $order->get_id() > 0 && has_tokens_line( $order ) ) {
		add_meta_box( 'nivella-credit-wallet', __( 'AI Credits', 'nivella-credit-wallet' ), __NAMESPACE__ . '\\show_order_box', $screen_id, 'normal', 'high' );
	}
}

/**
 * Shows the box, still empty.
 *
 * @param mixed $post_or_order What is edited.
 */
function show_order_box( $post_or_order ): void {
	$order_id = $post_or_order instanceof \WP_Post ? (int) $post_or_order->ID : (int) $post_or_order->get_id();
	show(
		'staff-box',
		array(
			'ajax_url' => admin_url( 'admin-ajax.php' ),
			'order_id' => $order_id,
			'nonce'    => wp_create_nonce( order_nonce_name( $order_id ) ),
			'box'      => ORDER_BOX_ACTION,
			'preview'  => PREVIEW_ACTION,
			'url'      => orders_page_url( $order_id ),
		)
	);
}

/**
 * What the nonce of the box stands for: to look at the credits of this one order.
 *
 * @param int $order_id An order.
 */
function order_nonce_name( int $order_id ): string {
	return ORDER_BOX_ACTION . '_' . $order_id;
}

/**
 * Sends what is in the box.
 */
function handle_order_box(): void {
	$order = asked_order();
	$story = staff_story( $order );
	wp_send_json_success(
		array(
			'html' => rendered(
				'staff-box-story',
				array(
					'story'   => is_wp_error( $story ) ? null : story_view( $story ),
					'trouble' => is_wp_error( $story ) ? staff_trouble( $story, __( 'The wallet service does not know this order yet. It will as soon as the order is paid or changed.', 'nivella-credit-wallet' ) ) : null,
					'url'     => orders_page_url( $order ),
				)
			),
		)
	);
}

/**
 * Sends what the refund that is being typed would take back.
 */
function handle_preview(): void {
	$order = asked_order();
	// phpcs:disable WordPress.Security.NonceVerification.Missing, WordPress.Security.ValidatedSanitizedInput -- asked_order() has checked it; every line is read by refund_parts().
	$lines = isset( $_POST['lines'] ) && is_string( $_POST['lines'] ) ? json_decode( wp_unslash( $_POST['lines'] ), true, 5 ) : array();
	// phpcs:enable
	wp_send_json_success( refund_sentence( $order, posted_text( 'amount' ), refund_parts( $order, is_array( $lines ) ? $lines : array() ) ) );
}

/**
 * Which order is asked about. Ends the request when it was not meant or is not allowed.
 */
function asked_order(): int {
	$order = preg_match( '/^[1-9][0-9]{0,17}$/D', posted_text( 'order_id' ) ) ? (int) posted_text( 'order_id' ) : 0;
	if ( ! is_shop() || ! is_connected() || ! is_staff() ) {
		wp_send_json_error( array( 'text' => __( 'You may not see the credits of this order.', 'nivella-credit-wallet' ) ), 403 );
	}
	if ( ! check_ajax_referer( order_nonce_name( $order ), '_wpnonce', false ) ) {
		wp_send_json_error( array( 'text' => __( 'This page was open too long. Reload it.', 'nivella-credit-wallet' ) ), 403 );
	}
	return $order;
}

/**
 * The parts of a refund as the daemon wants them: lines of which something is refunded, and what is of shipping and fees.
 *
 * @param int   $order_id An order.
 * @param array $typed    Lists of `line`, `quantity`, `total` and `tax`, a list of what was typed for each tax.
 * @return array `lines` and `other`, each where there is some.
 */
function refund_parts( int $order_id, array $typed ): array {
	$order = function_exists( 'wc_get_order' ) ? wc_get_order( $order_id ) : false;
	$lines = array();
	$other = '0';
	foreach ( array_slice( $typed, 0, 500 ) as $row ) {
		$line = is_array( $row ) && is_scalar( $row['line'] ?? null ) && preg_match( '/^[1-9][0-9]{0,17}$/D', (string) $row['line'] ) ? (int) $row['line'] : 0;
		if ( 0 === $line ) {
			continue;
		}
		$tax = '0';
		foreach ( is_array( $row['tax'] ?? null ) ? $row['tax'] : array() as $part ) {
			$tax = decimal_add( $tax, is_string( $part ) ? typed_money( $part ) ?? '0' : '0' );
		}
		$total    = is_string( $row['total'] ?? null ) ? typed_money( $row['total'] ) ?? '0' : '0';
		$quantity = is_string( $row['quantity'] ?? null ) ? typed_money( $row['quantity'] ) ?? '0' : '0';
		if ( is_object( $order ) && ! is_product_line( $order, $line ) ) {
			$other = decimal_add( $other, decimal_add( $total, $tax ) );
		} elseif ( ! decimal_is_zero( $total ) || ! decimal_is_zero( $tax ) || ! decimal_is_zero( $quantity ) ) {
			$lines[] = array(
				'line'     => $line,
				'total'    => $total,
				'tax'      => $tax,
				'quantity' => $quantity,
			);
		}
	}
	return ( array() === $lines ? array() : array( 'lines' => $lines ) ) + ( decimal_is_zero( $other ) ? array() : array( 'other' => $other ) );
}

/**
 * Whether a line of an order sells something, and is not its shipping or a fee.
 *
 * @param \WC_Abstract_Order $order An order.
 * @param int                $line  A line.
 */
function is_product_line( $order, int $line ): bool {
	$item = $order->get_item( $line );
	return is_object( $item ) && 'line_item' === $item->get_type();
}
