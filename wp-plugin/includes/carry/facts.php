<?php
/**
 * What WooCommerce's webhooks leave out, put into their bodies under a key of our own, before they are signed: the lines of
 * refunds, the categories and credits of products. With it the daemon needs no REST keys to judge an order.
 *
 * Refunds are read through WooCommerce's own REST controllers, so that they look exactly as if the daemon had asked for
 * them. Only deliveries to the daemon carry the key; other receivers get what they always got.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The version of what is under the key. */
const FACTS_VERSION = 1;

/** What our own meta data begin with. */
const META_PREFIX = '_nivella_';

/** The latest moment of which something was told. */
const TOLD_OPTION = OPTION_PREFIX . 'told';

/** How many refunds are asked for at a time: the most WooCommerce gives. */
const REFUNDS_PAGE = 100;

/**
 * `woocommerce_webhook_payload`: adds the facts.
 *
 * @param mixed  $payload     The body so far.
 * @param string $resource    order, product, …
 * @param mixed  $resource_id Which one.
 * @param int    $webhook_id  The webhook, 0 for a delivery of our own.
 * @return mixed
 */
function add_facts( $payload, $resource = '', $resource_id = 0, $webhook_id = 0 ) {
	$told_at = body_begun( true );
	if ( ! is_array( $payload ) || ! in_array( $resource, array( 'order', 'product' ), true ) || ! is_our_webhook( (int) $webhook_id ) ) {
		return $payload;
	}
	try {
		if ( 'rest_no_route' === ( $payload['code'] ?? '' ) ) {
			// A request to the Store API does not load the routes that bodies are built with.
			$payload = rest_data( "/wc/v3/{$resource}s/" . absint( $resource_id ) );
		}
		if ( isset( $payload['code'], $payload['message'] ) || ! is_int( $payload['id'] ?? null ) || count( $payload ) < 3 ) {
			// An error, or the mere number of something that was deleted.
			return $payload;
		}
		$payload['nivella'] = 'order' === $resource ? order_facts( $payload, $told_at ) : product_facts( $payload, $told_at );
	} catch ( \Throwable $error ) {
		// The delivery is worth more than what would be added to it.
		remember_fault( $resource, absint( $resource_id ), new \WP_Error( 'nivella_facts', $error->getMessage() ) );
	}
	return $payload;
}

/**
 * Notes when the building of a body begins: what is read afterwards is at least that new, and of two bodies of the same
 * second the daemon believes the later one.
 *
 * @param bool $take Whether to give the moment back and forget it.
 */
function body_begun( bool $take = false ): string {
	static $begun = '';
	$moment       = $take && '' !== $begun ? $begun : next_moment();
	$begun        = $take ? '' : $moment;
	return $moment;
}

/**
 * Now, and later than anything that was told before. A shop may have several web servers whose clocks differ, and a clock may
 * be set back; what is told next would be taken for older than what it corrects.
 */
function next_moment(): string {
	$now  = moment_text( sprintf( '%.6F', microtime( true ) ) );
	$last = is_paired() ? last_moment() : '';
	// A clock that was a day ahead was wrong, and the daemon did not believe it either.
	if ( $last < $now || $last > moment_text( sprintf( '%.6F', microtime( true ) + DAY_IN_SECONDS ) ) ) {
		return $now;
	}
	$seconds = \DateTimeImmutable::createFromFormat( 'Y-m-d\TH:i:s.u\Z', $last, new \DateTimeZone( 'UTC' ) );
	if ( ! $seconds ) {
		return $now;
	}
	$micros = (int) $seconds->format( 'u' ) + 1;
	return moment_text( sprintf( '%d.%06d', $seconds->getTimestamp() + intdiv( $micros, 1000000 ), $micros % 1000000 ) );
}

/**
 * A moment as the daemon reads it; of two such texts the later moment is the greater text.
 *
 * @param string $seconds Unix seconds with six decimals.
 */
function moment_text( string $seconds ): string {
	$moment = \DateTimeImmutable::createFromFormat( 'U.u', $seconds );
	return $moment ? $moment->format( 'Y-m-d\TH:i:s.u\Z' ) : gmdate( 'Y-m-d\TH:i:s.000000\Z' );
}

/**
 * The latest moment of which something was told, by whichever web server; '' when there is none.
 */
function last_moment(): string {
	// A queue that runs for a minute would not see what other servers told meanwhile.
	wp_cache_delete( TOLD_OPTION, 'options' );
	$last = get_option( TOLD_OPTION );
	return is_string( $last ) ? $last : '';
}

/**
 * What every set of facts begins with. The moment is kept, so that the next one is later.
 *
 * @param string $told_at From `body_begun()`.
 */
function facts_head( string $told_at ): array {
	if ( is_paired() && last_moment() < $told_at ) {
		update_option( TOLD_OPTION, $told_at, false );
	}
	return array(
		'version' => FACTS_VERSION,
		'told_at' => $told_at,
	);
}

/**
 * `woocommerce_deliver_webhook_async`, before WooCommerce builds the body.
 */
function note_body_begun(): void {
	body_begun();
}

/**
 * Whether a webhook delivers to the daemon, whoever made it.
 *
 * @param int $id Its number; 0 is a delivery of our own.
 */
function is_our_webhook( int $id ): bool {
	static $known = array();
	if ( 0 === $id ) {
		return is_lane_delivering();
	}
	$shop   = shop();
	$digest = $id . ' ' . ( $shop['webhook_url'] ?? '' ) . ' ' . settings()['url'];
	if ( ! isset( $known[ $digest ] ) ) {
		$webhook          = find_webhook( $id );
		$url              = $webhook ? $webhook->get_delivery_url( 'edit' ) : '';
		$base             = settings()['url'];
		$known[ $digest ] = '' !== $url && ( ( $shop['webhook_url'] ?? '' ) === $url || ( '' !== $base && 0 === strpos( $url, $base . '/webhooks/woocommerce/' ) ) );
	}
	return $known[ $digest ];
}

/**
 * The facts of an order.
 *
 * @param array  $order   Its body.
 * @param string $told_at When the building began.
 */
function order_facts( array $order, string $told_at ): array {
	$ids = array();
	foreach ( (array) ( $order['line_items'] ?? array() ) as $line ) {
		$ids[] = absint( $line['product_id'] ?? 0 );
		$ids[] = absint( $line['variation_id'] ?? 0 );
	}
	$products = product_rows( $ids );
	$terms    = array();
	foreach ( $products as $product ) {
		$terms = array_merge( $terms, wp_list_pluck( $product['categories'], 'id' ) );
	}
	return facts_head( $told_at ) + array(
		'refunds'    => array() === (array) ( $order['refunds'] ?? array() ) ? array() : refund_rows( $order['id'] ),
		'products'   => $products,
		'categories' => category_rows( $terms ),
	);
}

/**
 * The facts of a product: where its categories stand in their tree.
 *
 * @param array  $product Its body.
 * @param string $told_at When the building began.
 */
function product_facts( array $product, string $told_at ): array {
	return facts_head( $told_at ) + array(
		'categories' => category_rows( wp_list_pluck( (array) ( $product['categories'] ?? array() ), 'id' ) ),
	);
}

/**
 * All refunds of an order, as `GET /wc/v3/orders/{id}/refunds` shows them.
 *
 * @param int $order_id The order.
 * @throws \RuntimeException When WooCommerce does not show them: facts without them would say that there are none.
 */
function refund_rows( int $order_id ): array {
	$rows = array();
	for ( $page = 1; $page <= 100; $page++ ) {
		$more = rest_data(
			"/wc/v3/orders/{$order_id}/refunds",
			array(
				'per_page' => REFUNDS_PAGE,
				'page'     => $page,
			)
		);
		if ( isset( $more['code'] ) ) {
			throw new \RuntimeException( "WooCommerce did not show the refunds of order {$order_id}: " . (string) $more['code'] );
		}
		$rows = array_merge( $rows, $more );
		if ( count( $more ) < REFUNDS_PAGE ) {
			break;
		}
	}
	return $rows;
}

/**
 * Products as far as they matter to credits; of a variation its parent too. Those that do not exist any more are left out.
 *
 * @param int[] $ids Products and variations.
 */
function product_rows( array $ids ): array {
	$ids = array_values( array_unique( array_filter( $ids ) ) );
	_prime_post_caches( $ids );
	$parents = array_map( 'wp_get_post_parent_id', $ids );
	$ids     = array_values( array_unique( array_filter( array_merge( $ids, $parents ) ) ) );
	_prime_post_caches( $ids );

	$rows = array();
	foreach ( $ids as $id ) {
		$product = wc_get_product( $id );
		if ( ! $product ) {
			continue;
		}
		$meta = array();
		foreach ( $product->get_meta_data() as $datum ) {
			$datum = $datum->get_data();
			if ( 0 === strpos( (string) $datum['key'], META_PREFIX ) ) {
				$meta[] = array(
					'key'   => (string) $datum['key'],
					'value' => is_scalar( $datum['value'] ) ? (string) $datum['value'] : $datum['value'],
				);
			}
		}
		$terms  = $product->is_type( 'variation' ) ? array() : get_the_terms( $id, 'product_cat' );
		$rows[] = array(
			'id'         => $product->get_id(),
			'parent_id'  => $product->get_parent_id(),
			'sku'        => (string) $product->get_sku(),
			'name'       => $product->get_name(),
			'categories' => array_map(
				static function ( \WP_Term $term ): array {
					return array(
						'id'   => $term->term_id,
						'name' => $term->name,
						'slug' => $term->slug,
					);
				},
				is_array( $terms ) ? array_values( $terms ) : array()
			),
			'meta_data'  => $meta,
			'permalink'  => (string) $product->get_permalink(),
			'price'      => (string) $product->get_price(),
			'status'     => (string) $product->get_status(),
		);
	}
	return $rows;
}

/**
 * Categories with all that stand above them.
 *
 * @param int[] $ids Categories.
 */
function category_rows( array $ids ): array {
	$rows = array();
	while ( array() !== $ids ) {
		$id   = (int) array_shift( $ids );
		$term = isset( $rows[ $id ] ) ? null : get_term( $id, 'product_cat' );
		if ( $term instanceof \WP_Term ) {
			$rows[ $id ] = array(
				'id'     => $term->term_id,
				'name'   => $term->name,
				'slug'   => $term->slug,
				'parent' => $term->parent,
			);
			$ids[]       = $term->parent;
		}
	}
	return array_values( $rows );
}

/**
 * A hint that only says how categories stand.
 *
 * @param int[] $ids Categories.
 */
function category_hint( array $ids ): array {
	// Without a moment the daemon would not believe it.
	$told_at = body_begun();
	body_begun( true );
	return array( 'nivella' => facts_head( $told_at ) + array( 'categories' => category_rows( $ids ) ) );
}

/**
 * What an address of WooCommerce's REST API shows to the current user, without a request over the network.
 *
 * @param string $path  From the first slash on.
 * @param array  $query Names and values.
 */
function rest_data( string $path, array $query = array() ): array {
	ensure_rest_routes();
	$request = new \WP_REST_Request( 'GET', $path );
	$request->set_query_params( $query );
	$data = rest_get_server()->response_to_data( rest_do_request( $request ), false );
	$data = json_decode( (string) wp_json_encode( $data ), true );
	return is_array( $data ) ? $data : array();
}

/**
 * Makes sure that the routes for orders and products are there. In a request to another part of the REST API, such as the
 * block checkout's, WooCommerce leaves them out since 9.4.
 */
function ensure_rest_routes(): void {
	$server = rest_get_server();
	$routes = $server->get_routes( 'wc/v3' );
	$needed = array(
		'/wc/v3/orders'                              => 'WC_REST_Orders_Controller',
		'/wc/v3/orders/(?P<order_id>[\d]+)/refunds'  => 'WC_REST_Order_Refunds_Controller',
		'/wc/v3/products'                            => 'WC_REST_Products_Controller',
	);
	foreach ( $needed as $route => $controller ) {
		if ( ! isset( $routes[ $route ] ) && class_exists( $controller ) ) {
			( new $controller() )->register_routes();
		}
	}
}
