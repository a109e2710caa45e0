<?php
/**
 * What was promised at the sale: shown before it, written on the order's line with it, shown after it.
 *
 * A line carries its promise from the moment it is made, so that changing the product later changes no order. Lines are made
 * at checkout, by staff, by other programs and by renewals; all of them are saved as an order item, and that is where the
 * promise is put on those that have none.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Shows on a product's page what it sells. On that of a variable one the chosen variation says it.
 */
function show_promise(): void {
	global $product;
	$promise = $product instanceof \WC_Product && ! $product->is_type( array( 'variable', 'variable-subscription', 'grouped', 'external' ) ) ? promise_of( $product ) : null;
	if ( null !== $promise && '' !== $promise['credits'] ) {
		wp_enqueue_style( SELLING_STYLE );
		show( 'selling-promise', array( 'text' => promise_text( $promise ) ) );
	}
}

/**
 * Has a chosen variation say what it sells.
 *
 * @param array                 $data      What the page is told of it.
 * @param \WC_Product           $product   The product.
 * @param \WC_Product_Variation $variation The variation.
 */
function add_variation_promise( $data, $product, $variation ): array {
	$data    = (array) $data;
	$promise = $variation instanceof \WC_Product ? promise_of( $variation ) : null;
	if ( null !== $promise && '' !== $promise['credits'] ) {
		$data['variation_description'] = ( $data['variation_description'] ?? '' ) . rendered( 'selling-promise', array( 'text' => promise_text( $promise ) ) );
	}
	return $data;
}

/**
 * Shows in the cart and at checkout what a line brings and for which website.
 *
 * @param array $shown What is shown of the line so far.
 * @param array $line  A line of the cart.
 */
function add_cart_item_data( $shown, $line ): array {
	$shown   = (array) $shown;
	$product = $line['data'] ?? null;
	if ( ! $product instanceof \WC_Product ) {
		return $shown;
	}
	$text = promise_text( promise_of( $product ), (int) ( $line['quantity'] ?? 1 ) );
	if ( '' !== $text ) {
		$shown[] = array(
			'key'   => credits_label(),
			'value' => esc_html( $text ),
		);
	}
	$site = cart_line_site( $line );
	if ( '' !== $site ) {
		$shown[] = array(
			'key'   => site_label(),
			'value' => esc_html( $site ),
		);
	}
	return $shown;
}

/**
 * Writes on a line of an order, before it is saved for the first time, what its product promises.
 *
 * @param \WC_Data $item Any order item.
 */
function stamp_new_item( $item ): void {
	if ( $item instanceof \WC_Order_Item_Product && 0 === $item->get_id() ) {
		stamp_promise( $item );
	}
}

/**
 * Writes on a line of an order what its product promises, unless the line says it. The line is not saved here.
 *
 * @param \WC_Order_Item_Product $item The line.
 * @return bool Whether anything was written.
 */
function stamp_promise( $item ): bool {
	// A refund's line tells what came back of another line; and a line that says how many credits it brings was stamped.
	if ( '' !== $item->get_meta( '_refunded_item_id' ) || '' !== own_promise( $item )['credits'] || $item->get_quantity() < 0 ) {
		return false;
	}
	$product = $item->get_product();
	$promise = $product instanceof \WC_Product ? promise_of( $product ) : null;
	if ( null === $promise || '' === $promise['credits'] ) {
		return false;
	}
	foreach ( PROMISE_META as $part => $key ) {
		// What staff or another program said on the line stays.
		if ( '' !== $promise[ $part ] && '' === (string) $item->get_meta( $key ) ) {
			$item->update_meta_data( $key, $promise[ $part ] );
		}
	}
	return true;
}

/**
 * Makes sure that an order made from a subscription carries promise and website: what its lines lack comes from the
 * subscription's, and else from the product.
 *
 * @param mixed $order        The renewal.
 * @param mixed $subscription What it renews.
 * @return mixed The renewal.
 */
function stamp_renewal( $order, $subscription ) {
	if ( ! $order instanceof \WC_Order ) {
		return $order;
	}
	$of_product = array();
	foreach ( $subscription instanceof \WC_Order ? $subscription->get_items() : array() as $item ) {
		$of_product[ $item->get_product_id() . '/' . $item->get_variation_id() ][] = $item;
	}
	foreach ( $order->get_items() as $item ) {
		$product = $item->get_product_id() . '/' . $item->get_variation_id();
		$from    = isset( $of_product[ $product ] ) ? array_shift( $of_product[ $product ] ) : null;
		foreach ( $from ? array_merge( array( META_SITE ), array_values( PROMISE_META ) ) : array() as $key ) {
			if ( '' === (string) $item->get_meta( $key ) && '' !== (string) $from->get_meta( $key ) ) {
				$item->update_meta_data( $key, $from->get_meta( $key ) );
			}
		}
		stamp_promise( $item );
		$item->save();
	}
	return $order;
}

/**
 * Shows on an order, to the customer and in e-mails, what a line brings and for which website.
 *
 * @param array          $shown Meta of the line that is shown.
 * @param \WC_Order_Item $item  The line.
 */
function add_order_item_data( $shown, $item ): array {
	$shown = (array) $shown;
	if ( ! $item instanceof \WC_Order_Item_Product ) {
		return $shown;
	}
	foreach ( $shown as $meta ) {
		if ( in_array( $meta->key ?? '', array( META_CREDITS, META_SITE ), true ) ) {
			// Staff see the meta itself and can edit it.
			return $shown;
		}
	}
	$facts = array(
		META_CREDITS => array( credits_label(), promise_text( own_promise( $item ), (int) $item->get_quantity() ) ),
		META_SITE    => array( site_label(), order_line_site( $item ) ),
	);
	foreach ( $facts as $key => list( $label, $text ) ) {
		if ( '' !== $text ) {
			$shown[ 'nivella' . $key ] = (object) array(
				'key'           => $key,
				'value'         => $text,
				'display_key'   => $label,
				'display_value' => wpautop( esc_html( $text ) ),
			);
		}
	}
	return $shown;
}

/**
 * What staff read instead of the names of the meta.
 *
 * @param string    $label What is shown so far.
 * @param \stdClass $meta  The meta.
 */
function order_meta_label( $label, $meta ): string {
	$labels = array(
		META_SITE     => site_label(),
		META_CREDITS  => credits_label(),
		META_VALIDITY => __( 'Validity', 'nivella-credit-wallet' ),
		META_KIND     => __( 'Kind', 'nivella-credit-wallet' ),
	);
	return $labels[ $meta->key ?? '' ] ?? (string) $label;
}

/**
 * What staff read instead of the values of the meta.
 *
 * @param string    $value What is shown so far.
 * @param \stdClass $meta  The meta.
 */
function order_meta_value( $value, $meta ): string {
	$raw  = is_scalar( $meta->value ?? null ) ? (string) $meta->value : '';
	$text = '';
	switch ( $meta->key ?? '' ) {
		case META_CREDITS:
			$text = '' === clean_credits( $raw ) ? '' : with_unit( show_decimal( clean_credits( $raw ) ), credits_unit() );
			break;
		case META_VALIDITY:
			$text = validity_text( clean_validity( $raw ) );
			break;
		case META_KIND:
			$text = '' === clean_kind( $raw ) ? '' : category_label( $raw );
			break;
	}
	return '' === $text ? (string) $value : esc_html( $text );
}

/**
 * What the credits of a line are called.
 */
function credits_label(): string {
	return __( 'Credits', 'nivella-credit-wallet' );
}
