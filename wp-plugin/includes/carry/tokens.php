<?php
/**
 * Which products and orders are about credits, wherever the plugin asks: a product is when it lies in one of the categories
 * that the daemon named at the pairing, or below one, or says itself how many credits it gives; an order is when one of its
 * lines says so or has such a product.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * The slugs of the shop's categories for credits: those of the pairing, and before one what the daemon would begin with.
 *
 * @return string[]
 */
function tokens_categories(): array {
	$shop  = get_option( SHOP_OPTION );
	$slugs = texts( is_array( $shop ) ? ( $shop['tokens_categories'] ?? null ) : null );
	/**
	 * Filters the product categories whose products are credits; those below them count too.
	 *
	 * @param string[] $slugs Slugs.
	 */
	return (array) apply_filters( 'nivella_credit_wallet_tokens_categories', array() === $slugs ? array( 'tokens' ) : $slugs );
}

/**
 * The categories whose products are credits, with all below them.
 *
 * @param string[]|null $slugs The categories' slugs; null takes those of the shop.
 * @return int[]
 */
function tokens_categories_ids( ?array $slugs = null ): array {
	$slugs = $slugs ?? tokens_categories();
	if ( array() === $slugs || ! taxonomy_exists( 'product_cat' ) ) {
		return array();
	}
	$tops = get_terms(
		array(
			'taxonomy'   => 'product_cat',
			'slug'       => $slugs,
			'fields'     => 'ids',
			'hide_empty' => false,
		)
	);
	if ( is_wp_error( $tops ) ) {
		return array();
	}
	$ids = array_map( 'intval', $tops );
	foreach ( $tops as $top ) {
		$below = get_term_children( (int) $top, 'product_cat' );
		$ids   = array_merge( $ids, is_wp_error( $below ) ? array() : array_map( 'intval', $below ) );
	}
	return array_values( array_unique( $ids ) );
}

/**
 * Which of these products are credits. A variation is asked about through its parent.
 *
 * @param int[] $product_ids Products; however many, two queries.
 * @return array<int, bool> By product.
 */
function are_tokens( array $product_ids ): array {
	$product_ids = array_values( array_unique( array_filter( array_map( 'intval', $product_ids ) ) ) );
	if ( array() === $product_ids ) {
		return array();
	}
	update_object_term_cache( $product_ids, 'product' );
	update_meta_cache( 'post', $product_ids );
	$tokens = tokens_categories_ids();
	$are    = array();
	foreach ( $product_ids as $id ) {
		$are[ $id ] = '' !== (string) get_post_meta( $id, META_CREDITS, true ) || is_in_tokens_category( $id, $tokens );
	}
	return $are;
}

/**
 * Whether a product lies in a category for credits, or below one.
 *
 * @param int        $product_id A product; a variation has its parent's.
 * @param int[]|null $tokens     From `tokens_categories_ids()`.
 */
function is_in_tokens_category( int $product_id, ?array $tokens = null ): bool {
	$terms = get_the_terms( $product_id, 'product_cat' );
	return is_array( $terms ) && array() !== array_intersect( wp_list_pluck( $terms, 'term_id' ), $tokens ?? tokens_categories_ids() );
}

/**
 * Whether an order has a line that is about credits.
 *
 * @param \WC_Abstract_Order $order An order.
 */
function has_tokens_line( $order ): bool {
	$products = array();
	foreach ( $order->get_items() as $item ) {
		if ( ! $item instanceof \WC_Order_Item_Product ) {
			continue;
		}
		if ( '' !== (string) $item->get_meta( META_CREDITS ) ) {
			return true;
		}
		$products[] = $item->get_product_id();
		$products[] = $item->get_variation_id();
	}
	return in_array( true, are_tokens( $products ), true );
}
