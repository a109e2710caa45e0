<?php
/**
 * As much of WooCommerce's products and order lines as a promise looks at.
 */

/** What the fake shop sells. */
final class Sold {
	/** @var array<int, WC_Product> */
	public static $products = array();

	/** Puts a product on the shelf, wherever the other fakes look for it. */
	public static function put( int $id, WC_Product $product ): WC_Product {
		self::$products[ $id ] = $product;
		if ( class_exists( 'Shop', false ) && property_exists( 'Shop', 'products' ) ) {
			Shop::$products[ $id ] = $product;
		}
		return $product;
	}
}

/** Something with meta. */
trait HasMeta {
	/** @var array<string, mixed> */
	public $meta = array();
	public function get_meta( $key ) {
		return $this->meta[ $key ] ?? '';
	}
	public function update_meta_data( $key, $value ) {
		$this->meta[ $key ] = $value;
	}
	public function delete_meta_data( $key ) {
		unset( $this->meta[ $key ] );
	}
}

if ( ! class_exists( 'WC_Product' ) ) {
	class WC_Product {
		use HasMeta;
		private $id;
		private $parent;
		public function __construct( $id = 0, $parent = 0, array $meta = array() ) {
			list( $this->id, $this->parent, $this->meta ) = array( $id, $parent, $meta );
		}
		public function get_id() {
			return $this->id;
		}
		public function get_parent_id() {
			return $this->parent;
		}
		public function is_type( $type ) {
			return in_array( 'simple', (array) $type, true );
		}
	}
}

/** A line of an order. */
final class SoldLine {
	use HasMeta;
	private $product;
	private $quantity;
	public function __construct( $product, array $meta = array(), $quantity = 1 ) {
		list( $this->product, $this->meta, $this->quantity ) = array( $product, $meta, $quantity );
	}
	public function get_product() {
		return $this->product;
	}
	public function get_quantity() {
		return $this->quantity;
	}
}

if ( ! function_exists( 'wc_get_product' ) ) {
	function wc_get_product( $id ) {
		return Sold::$products[ $id ] ?? false;
	}
}
if ( ! function_exists( 'wc_get_product_term_ids' ) ) {
	/** Nothing on this shelf is in a category. */
	function wc_get_product_term_ids() {
		return array();
	}
}
if ( ! function_exists( 'wc_get_cart_url' ) ) {
	function wc_get_cart_url() {
		return 'https://site.example/cart/';
	}
}
if ( ! function_exists( 'sanitize_text_field' ) ) {
	function sanitize_text_field( $text ) {
		return trim( preg_replace( '/\s+/', ' ', strip_tags( (string) $text ) ) );
	}
}
