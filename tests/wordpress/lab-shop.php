<?php
/**
 * Plugin Name: Nivella lab: a shop
 * Description: Does in a request of the web server what shops do, and measures it. Real WooCommerce only.
 *
 * A must-use plugin of the test installation only. It is no part of the product.
 *
 * @package Nivella\Tests
 */

defined( 'ABSPATH' ) || exit;

// Somebody else's webhook in the tests goes to another path of this machine, which the plugin has no reason to allow.
add_filter(
	'http_request_host_is_external',
	static function ( $external, $host, $url = '' ) {
		return $external || '/crm' === wp_parse_url( $url, PHP_URL_PATH );
	},
	20,
	3
);
add_filter(
	'http_allowed_safe_ports',
	static function ( $ports, $host = '', $url = '' ) {
		return '/crm' === wp_parse_url( $url, PHP_URL_PATH ) ? array_merge( $ports, array( wp_parse_url( $url, PHP_URL_PORT ) ) ) : $ports;
	},
	20,
	3
);

// MySQL's largest number stands for "no limit" in WooCommerce's order queries; it is too large for SQLite, and without this
// no order ever has refunds here.
add_filter(
	'query',
	static function ( $query ) {
		return str_replace( '18446744073709551615', '9223372036854775807', $query );
	}
);

// WooCommerce celebrates a shop's first orders over the whole screen of the order.
add_filter( 'wc_order_milestone_egg_enabled', '__return_false' );

// A way to pay that always works, like a card: the order is paid when the checkout answers.
add_action(
	'plugins_loaded',
	static function () {
		if ( ! class_exists( 'WC_Payment_Gateway' ) ) {
			return;
		}
		/** Pays at once. */
		final class Nivella_Lab_Gateway extends WC_Payment_Gateway {
			public function __construct() {
				$this->id       = 'nivella_lab';
				$this->title    = 'Lab card';
				$this->description = '';
				$this->enabled  = 'yes';
				$this->supports = array( 'products', 'refunds' );
			}
			public function process_payment( $order_id ) {
				$order = wc_get_order( $order_id );
				$order->payment_complete( 'lab-' . $order_id );
				return array(
					'result'   => 'success',
					'redirect' => $this->get_return_url( $order ),
				);
			}
			public function process_refund( $order_id, $amount = null, $reason = '' ) {
				return true;
			}
		}
		add_filter(
			'woocommerce_payment_gateways',
			static function ( $gateways ) {
				$gateways[] = 'Nivella_Lab_Gateway';
				return $gateways;
			}
		);
	},
	20
);

// The same at the block checkout, which has to be told by a script.
add_action(
	'woocommerce_blocks_payment_method_type_registration',
	static function ( $registry ) {
		$registry->register(
			new class() extends Automattic\WooCommerce\Blocks\Payments\Integrations\AbstractPaymentMethodType {
				/** @var string */
				protected $name = 'nivella_lab';
				public function initialize() {}
				public function is_active() {
					return true;
				}
				public function get_payment_method_script_handles() {
					wp_register_script( 'nivella-lab', false, array( 'wc-blocks-registry', 'wp-element' ), '1', true );
					wp_add_inline_script(
						'nivella-lab',
						"( function () {
							var nothing = wp.element.createElement( 'span' );
							wc.wcBlocksRegistry.registerPaymentMethod( {
								name: 'nivella_lab', label: 'Lab card', ariaLabel: 'Lab card', content: nothing, edit: nothing,
								canMakePayment: function () { return true; }, supports: { features: [ 'products' ] }
							} );
						} )();"
					);
					return array( 'nivella-lab' );
				}
			}
		);
	}
);

// /?nivella_lab_shop=ACT&… does one thing, and prints what came of it as JSON.
add_action(
	'wp_loaded',
	static function () {
		// phpcs:disable WordPress.Security -- A test's own door; the token is what is checked.
		if ( ! isset( $_GET['nivella_lab_shop'], $_GET['token'] ) || ! hash_equals( NIVELLA_LAB_TOKEN, $_GET['token'] ) ) {
			return;
		}
		wp_set_current_user( 1 );
		$order = isset( $_GET['order'] ) ? wc_get_order( (int) $_GET['order'] ) : null;
		$done  = array();
		switch ( $_GET['nivella_lab_shop'] ) {
			case 'pay':
				// As many paid orders as asked for, in one request.
				for ( $i = 0; $i < (int) ( $_GET['count'] ?? 1 ); $i++ ) {
					$order = wc_create_order( array( 'customer_id' => 2 ) );
					$order->add_product( wc_get_product( (int) $_GET['product'] ), (int) ( $_GET['quantity'] ?? 1 ) );
					$order->set_address(
						array(
							'first_name' => 'Alice',
							'last_name'  => 'Doe',
							'email'      => 'alice@example.com',
						),
						'billing'
					);
					$order->calculate_totals();
					$order->save();
					$order->payment_complete( 'lab' );
					$done[] = $order->get_id();
				}
				break;
			case 'refund':
				$lines = array();
				foreach ( $order->get_items() as $item ) {
					$lines[ $item->get_id() ] = array(
						'qty'          => 1,
						'refund_total' => $item->get_total() / $item->get_quantity(),
					);
				}
				$done = wc_create_refund(
					array(
						'order_id'   => $order->get_id(),
						'amount'     => $_GET['amount'],
						'line_items' => $lines,
					)
				)->get_id();
				break;
			case 'rest':
				// What REST shows, for comparison.
				$done = rest_get_server()->response_to_data( rest_do_request( new WP_REST_Request( $_GET['method'] ?? 'GET', $_GET['path'] ) ), false );
				if ( 'DELETE' === ( $_GET['method'] ?? '' ) ) {
					$request = new WP_REST_Request( 'DELETE', $_GET['path'] );
					$request->set_query_params( array( 'force' => true ) );
					$done = rest_get_server()->response_to_data( rest_do_request( $request ), false );
				}
				break;
			case 'delete':
				$done = $order->delete( isset( $_GET['force'] ) );
				break;
			case 'untrash':
				$done = $order->untrash();
				break;
			case 'line-meta':
				foreach ( $order->get_items() as $item ) {
					wc_update_order_item_meta( $item->get_id(), '_nivella_site_id', $_GET['value'] );
				}
				break;
			case 'order-meta':
				$order->update_meta_data( '_nivella_site_id', $_GET['value'] );
				$order->save_meta_data();
				break;
			case 'categories':
				$done = wp_set_object_terms( (int) $_GET['product'], array_map( 'intval', array_filter( explode( ',', $_GET['terms'] ) ) ), 'product_cat' );
				break;
			case 'rename':
				$done = wp_update_term( (int) $_GET['term'], 'product_cat', array( 'name' => $_GET['name'] ) );
				break;
			case 'queue':
				// What Action Scheduler does when its time has come.
				$done = ActionScheduler_QueueRunner::instance()->run();
				break;
			case 'later':
				global $wpdb;
				$done = $wpdb->get_col( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE 'nivella_credit_wallet_later_%'" );
				break;
		}
		header( 'Content-Type: application/json' );
		echo wp_json_encode( $done );
		exit;
		// phpcs:enable
	},
	99
);
