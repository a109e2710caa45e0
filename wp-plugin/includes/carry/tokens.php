<?php
/**
 * Which products make a Tokens line: those in the categories that the daemon named at the pairing, or below them, and those
 * that say themselves how many credits they give.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** How many credits a product, a variation or a line of an order gives. */
const CREDITS_META = '_nivella_credits';

/**
 * The categories whose products are credits, with all below them.
 *
 * @param string[]|null $slugs The categories' slugs; null takes those of the pairing.
 * @return int[]
 */
function tokens_categories_ids( ?array $slugs = null ): array {
	$slugs = $slugs ?? ( shop()['tokens_categories'] ?? array() );
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
	$tokens = array_flip( tokens_categories_ids() );
	$are    = array();
	foreach ( $product_ids as $id ) {
		$terms      = get_the_terms( $id, 'product_cat' );
		$categories = is_array( $terms ) ? wp_list_pluck( $terms, 'term_id' ) : array();
		$are[ $id ] = array() !== array_intersect_key( $tokens, array_flip( $categories ) ) || '' !== (string) get_post_meta( $id, CREDITS_META, true );
	}
	return $are;
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
		if ( '' !== (string) $item->get_meta( CREDITS_META ) ) {
			return true;
		}
		$products[] = $item->get_product_id();
		$products[] = $item->get_variation_id();
	}
	return in_array( true, are_tokens( $products ), true );
}
