<?php
/**
 * Puts two orders into a WooCommerce under test, run by WP-CLI: one that sells credits and shirts, one that sells shirts
 * only. Prints where each is edited, and the body a webhook would send of the first.
 */

defined( 'ABSPATH' ) || exit;

$tokens  = wp_insert_term( 'Tokens', 'product_cat', array( 'slug' => 'tokens' ) );
$bundles = wp_insert_term( 'Bundles', 'product_cat', array( 'slug' => 'bundles', 'parent' => $tokens['term_id'] ) );

$make = static function ( string $name, string $price, array $categories ): WC_Product {
	$product = new WC_Product_Simple();
	$product->set_name( $name );
	$product->set_regular_price( $price );
	$product->set_virtual( true );
	$product->set_category_ids( $categories );
	$product->save();
	return $product;
};

// The daemon under test has packages for the recorded products 10 and 11; these are others.
while ( wp_insert_post( array( 'post_status' => 'draft', 'post_title' => 'Filler' ) ) < 20 ) {
	continue;
}

// Below the category, so that the box has to look further than the first one.
$credits = $make( 'AI Credits 1,000', '100', array( $bundles['term_id'] ) );
$shirt   = $make( 'T-Shirt', '20', array() );

$order = static function ( array $items ): WC_Order {
	$order = wc_create_order( array( 'customer_id' => get_user_by( 'login', 'alice' )->ID ) );
	foreach ( $items as list( $product, $quantity ) ) {
		$order->add_product( $product, $quantity );
	}
	$fee = new WC_Order_Item_Fee();
	$fee->set_name( 'Handling' );
	$fee->set_total( '5' );
	$order->add_item( $fee );
	$order->set_billing_email( 'alice@example.com' );
	$order->set_billing_first_name( 'Alice' );
	$order->set_billing_last_name( 'Doe' );
	$order->calculate_totals();
	$order->update_status( 'completed' );
	return $order;
};

$with    = $order( array( array( $credits, 1 ), array( $shirt, 2 ) ) );
$without = $order( array( array( $shirt, 1 ) ) );

wp_set_current_user( 1 );
$answer = rest_do_request( new WP_REST_Request( 'GET', '/wc/v3/orders/' . $with->get_id() ) );
echo wp_json_encode(
	array(
		'product' => $credits->get_id(),
		'order'   => $with->get_id(),
		'edit'    => wp_parse_url( $with->get_edit_order_url(), PHP_URL_PATH ) . '?' . wp_parse_url( $with->get_edit_order_url(), PHP_URL_QUERY ),
		'other'   => wp_parse_url( $without->get_edit_order_url(), PHP_URL_PATH ) . '?' . wp_parse_url( $without->get_edit_order_url(), PHP_URL_QUERY ),
		'body'    => $answer->get_data(),
	)
);
