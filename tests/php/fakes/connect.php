<?php
/**
 * What connecting and carrying need of WordPress and WooCommerce, as little as does.
 */

/** What the fake shop holds and what was planned. */
final class Shop {
	/** @var array<string, int> Events of WP-Cron. */
	public static $events = array();
	/** @var array<int, object> Orders by number. */
	public static $orders = array();
	/** @var array<int, object> Products by number. */
	public static $products = array();
	/** @var array<string, array> What REST shows, by path. */
	public static $rest = array();
	/** @var array<int, array<string, string>> Meta data of posts. */
	public static $meta = array();

	public static function fresh(): void {
		foreach ( array( 'events', 'orders', 'products', 'rest', 'meta' ) as $name ) {
			self::$$name = array();
		}
	}

	/** As after a pairing. */
	public static function pair( array $more = array() ): void {
		World::connect( 'shop' );
		World::$options['nivella_credit_wallet_shop'] = $more + array(
			'secret'            => str_repeat( 'a1', 32 ),
			'webhooks'          => array( 'order.updated' => 7 ),
			'rest_key'          => 3,
			'key_id'            => 'key_1',
			'webhook_url'       => 'http://10.0.0.5:8099/webhooks/woocommerce/shop',
			'paired_at'         => 1795200000,
			'owner'             => 1,
			'events_secret'     => 'whsec_x',
			'unit'              => 'AI Credits',
			'tokens_categories' => array( 'tokens' ),
			'paid_statuses'     => array( 'processing' ),
			'site_keys'         => array( '_nivella_site_id' ),
		);
	}
}

/** Finds options by the beginning of their name, which is all the plugin asks the database for. */
final class FakeDatabase {
	public $options = 'options';
	public $prefix  = 'wp_';
	public function esc_like( $text ) {
		return $text;
	}
	public function prepare( $sql, ...$args ) {
		return json_encode( array( $sql, $args ) );
	}
	public function get_col( $query ) {
		$like  = rtrim( json_decode( $query, true )[1][0], '%' );
		$names = array();
		foreach ( array_keys( World::$options ) as $name ) {
			if ( 0 === strpos( $name, $like ) ) {
				$names[] = $name;
			}
		}
		return $names;
	}
	public function get_var( $query ) {
		return count( $this->get_col( $query ) );
	}
}
$GLOBALS['wpdb'] = $GLOBALS['wpdb'] ?? new FakeDatabase();

if ( ! function_exists( 'add_option' ) ) {
	function add_option( $name, $value, $deprecated = '', $autoload = null ) {
		if ( array_key_exists( $name, World::$options ) ) {
			return false;
		}
		return update_option( $name, $value, $autoload );
	}
}
if ( ! function_exists( 'wp_next_scheduled' ) ) {
	function wp_next_scheduled( $hook ) {
		return Shop::$events[ $hook ] ?? false;
	}
	function wp_schedule_single_event( $at, $hook ) {
		Shop::$events[ $hook ] = $at;
		return true;
	}
	function wp_clear_scheduled_hook( $hook ) {
		unset( Shop::$events[ $hook ] );
		return 1;
	}
}
if ( ! function_exists( 'trailingslashit' ) ) {
	function trailingslashit( $text ) {
		return rtrim( $text, '/' ) . '/';
	}
}
if ( ! function_exists( 'wp_list_pluck' ) ) {
	function wp_list_pluck( $list, $field ) {
		return array_column( json_decode( json_encode( $list ), true ), $field );
	}
}
if ( ! function_exists( '_prime_post_caches' ) ) {
	function _prime_post_caches() {}
	function update_object_term_cache() {}
	function update_meta_cache() {}
}
if ( ! function_exists( 'wp_get_post_parent_id' ) ) {
	function wp_get_post_parent_id( $id ) {
		return isset( Shop::$products[ $id ] ) ? Shop::$products[ $id ]->get_parent_id() : 0;
	}
}
if ( ! function_exists( 'get_post_meta' ) ) {
	function get_post_meta( $id, $key ) {
		return Shop::$meta[ $id ][ $key ] ?? '';
	}
}
if ( ! class_exists( 'WP_Term' ) ) {
	/** A category. */
	class WP_Term {
		public $term_id;
		public $name;
		public $slug;
		public $parent;
		public function __construct( $id, $name, $slug, $parent = 0 ) {
			list( $this->term_id, $this->name, $this->slug, $this->parent ) = array( $id, $name, $slug, $parent );
		}
	}
}
if ( ! function_exists( 'get_term' ) ) {
	function get_term( $id ) {
		$terms = array(
			16 => new WP_Term( 16, 'Tokens', 'tokens' ),
			17 => new WP_Term( 17, 'Bundles', 'bundles', 16 ),
		);
		return $terms[ $id ] ?? null;
	}
	function get_the_terms( $id ) {
		return 10 === $id ? array( get_term( 17 ) ) : false;
	}
}
if ( ! function_exists( 'wc_get_product' ) ) {
	function wc_get_product( $id ) {
		return Shop::$products[ $id ] ?? false;
	}
}
if ( ! function_exists( 'wc_get_order' ) ) {
	function wc_get_order( $id ) {
		return Shop::$orders[ $id ] ?? false;
	}
}

/** A product as far as facts look at it. */
final class FakeProduct {
	private $values;
	public function __construct( array $values ) {
		$this->values = $values;
	}
	public function is_type( $type ) {
		return $type === ( $this->values['type'] ?? 'simple' );
	}
	public function get_meta_data() {
		return array_map(
			static function ( $key, $value ) {
				return new class( $key, $value ) {
					private $data;
					public function __construct( $key, $value ) {
						$this->data = compact( 'key', 'value' ) + array( 'id' => 5 );
					}
					public function get_data() {
						return $this->data;
					}
				};
			},
			array_keys( $this->values['meta'] ?? array() ),
			$this->values['meta'] ?? array()
		);
	}
	public function __call( $name, $args ) {
		return $this->values[ substr( $name, 4 ) ] ?? ( 'get_parent_id' === $name ? 0 : '' );
	}
}
