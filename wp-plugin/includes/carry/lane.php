<?php
/**
 * The fast lane: what changed in this request is told to the daemon at its end.
 *
 * WooCommerce's own queue delivers about a minute after checkout on an ordinary shop, and never while nobody visits. So
 * orders with a Tokens line are noted while the request runs, which costs nothing, and handed over after the visitor has
 * their answer. Webhooks stay the second source and the daemon's reconciliation the third, so nothing here is ever
 * thrown, and a daemon that does not answer is left alone for half a minute: what changed meanwhile is put off.
 *
 * Where PHP cannot end an answer before the script (no PHP-FPM, no LiteSpeed) the answer is sent with its length, so
 * that the browser need not wait for the connection to close; see `announce_length()`.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** How long the lane may take in all, at the end of a request. */
const LANE_S = 2.0;

/** How many things are noted in one request. */
const NOTED_MAX = 200;

/** How many products are named one by one when categories change; of more only the categories are told. */
const PRODUCTS_MAX = 100;

/**
 * Notes that something changed, and gives back all that was noted.
 *
 * @param string $kind order, gone, product or categories; '' only reads, 'none' forgets all.
 * @param int    $id   Which one.
 * @param bool   $sure Whether it is known to be about credits already.
 * @return array<string, array{ kind: string, id: int, sure: bool }> What this request has to tell, in order.
 */
function noted( string $kind = '', int $id = 0, bool $sure = false ): array {
	// By site, because a request of a network may work on several; only its own are delivered.
	static $noted = array();
	$blog         = function_exists( 'get_current_blog_id' ) ? get_current_blog_id() : 1;
	$here         = $noted[ $blog ] ?? array();
	if ( 'none' === $kind ) {
		$here = array();
	} elseif ( '' !== $kind && ( 'categories' === $kind || $id > 0 ) ) {
		$key = ( 'gone' === $kind ? 'order' : $kind ) . ' ' . $id;
		if ( isset( $here[ $key ] ) || count( $here ) < NOTED_MAX ) {
			$here[ $key ] = array(
				'kind' => 'gone' === $kind ? 'order' : $kind,
				'id'   => $id,
				'sure' => $sure || ( $here[ $key ]['sure'] ?? false ),
			);
		}
	}
	$noted[ $blog ] = $here;
	return $here;
}

/**
 * Notes a line of an order whose order is not known, and gives back all such lines. Saving one line writes a dozen of its
 * meta data, so their orders are looked up once, at the end.
 *
 * @param int $item_id The line; 0 only reads, -1 forgets all.
 * @return int[]
 */
function noted_lines( int $item_id = 0 ): array {
	static $noted = array();
	$blog         = function_exists( 'get_current_blog_id' ) ? get_current_blog_id() : 1;
	if ( $item_id < 0 ) {
		$noted[ $blog ] = array();
	} elseif ( $item_id > 0 && count( $noted[ $blog ] ?? array() ) < 10 * NOTED_MAX ) {
		$noted[ $blog ][ $item_id ] = $item_id;
	}
	return $noted[ $blog ] ?? array();
}

/**
 * Notes the orders of the noted lines, with one query.
 */
function note_orders_of_lines(): void {
	global $wpdb;
	$lines = noted_lines();
	noted_lines( -1 );
	if ( array() === $lines || ! is_paired() ) {
		return;
	}
	$in = implode( ',', array_map( 'absint', $lines ) );
	// phpcs:ignore WordPress.DB -- Numbers only; WooCommerce looks up one line at a time.
	foreach ( $wpdb->get_col( "SELECT DISTINCT order_id FROM {$wpdb->prefix}woocommerce_order_items WHERE order_item_id IN ({$in})" ) as $order_id ) {
		noted( 'order', absint( $order_id ) );
	}
}

/**
 * An order was made, saved, paid, trashed, taken out of the trash, or got another status.
 *
 * @param int $order_id The order.
 */
function note_order( $order_id ): void {
	noted( 'order', absint( $order_id ) );
}

/**
 * A refund was made or deleted: `woocommerce_order_refunded` and `woocommerce_refund_deleted` name it differently.
 *
 * @param int $refund_id The refund.
 * @param int $order_id  Its order.
 */
function note_refund_deleted( $refund_id, $order_id = 0 ): void {
	noted( 'order', absint( $order_id ) );
}

/**
 * A line of an order was made or saved.
 *
 * @param int                  $item_id  The line.
 * @param \WC_Order_Item|mixed $item     The line as an object, or what was written.
 * @param int                  $order_id Its order, where WooCommerce says so.
 */
function note_line( $item_id, $item = null, $order_id = 0 ): void {
	if ( absint( $order_id ) > 0 ) {
		noted( 'order', absint( $order_id ) );
	} else {
		noted_lines( absint( $item_id ) );
	}
}

/**
 * A line is about to be deleted. Afterwards nobody could see that it was about credits.
 *
 * @param int $item_id The line.
 */
function note_line_deleted( $item_id ): void {
	if ( ! is_paired() ) {
		return;
	}
	$order_id = absint( wc_get_order_id_by_order_item_id( absint( $item_id ) ) );
	if ( $order_id > 0 ) {
		$product = absint( wc_get_order_item_meta( absint( $item_id ), '_product_id', true ) );
		$sure    = '' !== (string) wc_get_order_item_meta( absint( $item_id ), META_CREDITS, true ) || in_array( true, are_tokens( array( $product ) ), true );
		noted( 'order', $order_id, $sure );
	}
}

/**
 * Meta data of a line changed by themselves, without the order being saved.
 *
 * @param int|int[] $meta_id The row.
 * @param int       $item_id The line.
 */
function note_line_meta( $meta_id, $item_id = 0 ): void {
	noted_lines( absint( $item_id ) );
}

/**
 * `woocommerce_pre_delete_order` and `…_order_refund`: an order is about to go for good, or one of its refunds. With
 * today's order tables nothing else tells of a refund that is deleted through REST.
 *
 * @param mixed    $check Whether somebody else decides; given back as it is.
 * @param \WC_Data $order The order or refund.
 * @param bool     $force Whether it goes for good.
 * @return mixed
 */
function note_deletion( $check, $order = null, $force = false ) {
	if ( null === $check && $order instanceof \WC_Abstract_Order ) {
		note_order_object_deleted( $order );
	}
	return $check;
}

/**
 * An order or refund that is about to be deleted.
 *
 * @param \WC_Abstract_Order $order The order or refund.
 */
function note_order_object_deleted( $order ): void {
	if ( $order instanceof \WC_Order_Refund ) {
		noted( 'order', absint( $order->get_parent_id() ) );
	} elseif ( is_paired() ) {
		noted( 'order', absint( $order->get_id() ), has_tokens_line( $order ) );
	}
}

/**
 * `before_delete_post`: the same where orders are posts and somebody deletes the post.
 *
 * @param int $post_id The post.
 */
function note_post_deleted( $post_id ): void {
	if ( in_array( get_post_type( $post_id ), array( 'shop_order', 'shop_order_refund' ), true ) && function_exists( 'wc_get_order' ) ) {
		$order = wc_get_order( $post_id );
		if ( $order ) {
			note_order_object_deleted( $order );
		}
	}
}

/**
 * `trashed_post` and `untrashed_post`: an order that is a post.
 *
 * @param int $post_id The post.
 */
function note_post( $post_id ): void {
	if ( 'shop_order' === get_post_type( $post_id ) ) {
		noted( 'order', absint( $post_id ) );
	}
}

/**
 * Meta data of an order that is a post changed by themselves; only what names a site or is ours matters.
 *
 * @param int|int[] $meta_id The row.
 * @param int       $post_id The post.
 * @param string    $key     The key.
 */
function note_post_meta( $meta_id, $post_id = 0, $key = '' ): void {
	if ( 0 === strpos( (string) $key, META_PREFIX ) || false !== stripos( (string) $key, 'site' ) ) {
		note_post( $post_id );
	}
}

/**
 * `set_object_terms`: a product was put into other categories. WooCommerce sends nothing then.
 *
 * @param int    $product_id The product.
 * @param array  $terms      What was asked for.
 * @param int[]  $now        The rows of its categories now.
 * @param string $taxonomy   The taxonomy.
 * @param bool   $append     Whether they were added.
 * @param int[]  $before     The rows before.
 */
function note_categories_of_product( $product_id, $terms = array(), $now = array(), $taxonomy = '', $append = false, $before = array() ): void {
	if ( 'product_cat' !== $taxonomy || ! is_paired() ) {
		return;
	}
	$now    = array_map( 'intval', (array) $now );
	$before = array_map( 'intval', (array) $before );
	$moved  = array_merge( $append ? array() : array_diff( $before, $now ), array_diff( $now, $before ) );
	if ( array() === $moved ) {
		return;
	}
	// What moves between shoes and shirts is nothing to the daemon.
	foreach ( $moved as $row ) {
		$term = get_term_by( 'term_taxonomy_id', $row, 'product_cat' );
		if ( ! $term || in_array( $term->term_id, tokens_categories_ids(), true ) ) {
			noted( 'product', absint( $product_id ) );
			return;
		}
	}
}

/**
 * A category is about to be changed or deleted, or was: the products in and below it that are credits, before or after.
 *
 * @param int    $term_id  The category.
 * @param string $taxonomy The taxonomy, where WordPress names it in the second place.
 */
function note_category( $term_id, $taxonomy = 'product_cat' ): void {
	// edited_product_cat names the row where the others name the taxonomy.
	if ( ( is_string( $taxonomy ) && ! is_numeric( $taxonomy ) && 'product_cat' !== $taxonomy ) || ! is_paired() ) {
		return;
	}
	if ( ! in_array( absint( $term_id ), tokens_categories_ids(), true ) ) {
		return;
	}
	$products = get_posts(
		array(
			'post_type'      => 'product',
			'post_status'    => 'any',
			'fields'         => 'ids',
			'posts_per_page' => PRODUCTS_MAX + 1,
			'no_found_rows'  => true,
			// phpcs:ignore WordPress.DB.SlowDBQuery -- Once, when somebody edits a category.
			'tax_query'      => array(
				array(
					'taxonomy' => 'product_cat',
					'terms'    => absint( $term_id ),
				),
			),
		)
	);
	if ( count( $products ) > PRODUCTS_MAX || array() === $products ) {
		noted( 'categories', 0, true );
		return;
	}
	foreach ( $products as $product_id ) {
		noted( 'product', (int) $product_id );
	}
}

/**
 * Whether this PHP can give a visitor their answer and go on.
 */
function can_answer_early(): bool {
	return function_exists( 'fastcgi_finish_request' ) || function_exists( 'litespeed_finish_request' );
}

/**
 * Whether somebody may be waiting for this request's answer.
 */
function has_visitor(): bool {
	return 'cli' !== PHP_SAPI && ! wp_doing_cron();
}

/**
 * Where PHP cannot answer early: what the REST API or the checkout is about to print is held back, so that its length
 * is known at the end. Only when there is something to deliver, and never inside a buffer of somebody else.
 *
 * @param mixed $answer Given back as it is.
 * @return mixed
 */
function hold_answer( $answer ) {
	if ( array() !== noted() + noted_lines() && has_visitor() && ! can_answer_early() && 0 === ob_get_level() && ! headers_sent() ) {
		ob_start();
	}
	return $answer;
}

/**
 * The very first thing at the end of a request, where PHP cannot answer early: tells the browser how long the answer is,
 * so that it does not wait for the connection to close while the daemon is told.
 *
 * Only for JSON, which both checkouts answer with, and for redirects: other plugins like to add something to the end of
 * a page. And not where something packs the answer afterwards or where it is partly sent: then the visitor waits as long as the
 * daemon takes, `LANE_S` at most and once in `LANE_DOWN_S`.
 */
function announce_length(): void {
	if ( ( array() === noted() && array() === noted_lines() ) || ! has_visitor() || can_answer_early() || headers_sent() || ! is_paired() ) {
		return;
	}
	$is_whole = false;
	foreach ( headers_list() as $header ) {
		if ( preg_match( '/^(content-length|content-encoding|transfer-encoding):/i', $header ) ) {
			return;
		}
		$is_whole = $is_whole || preg_match( '#^(location:|content-type:\s*application/json)#i', $header );
	}
	if ( ! $is_whole ) {
		return;
	}
	foreach ( ob_get_status( true ) as $buffer ) {
		if ( 'default output handler' !== $buffer['name'] ) {
			return;
		}
	}
	if ( ini_get( 'zlib.output_compression' ) || 'HEAD' === ( $_SERVER['REQUEST_METHOD'] ?? '' ) ) {
		return;
	}
	while ( ob_get_level() > 1 ) {
		ob_end_flush();
	}
	header( 'Content-Length: ' . ( ob_get_level() > 0 ? (int) ob_get_length() : 0 ) );
	header( 'Connection: close' );
}

/**
 * Gives the visitor their answer.
 */
function answer_early(): void {
	if ( ! has_visitor() ) {
		return;
	}
	// Their next page must not wait for this request's session, nor may their going away end it.
	if ( PHP_SESSION_ACTIVE === session_status() ) {
		session_write_close();
	}
	ignore_user_abort( true );
	if ( function_exists( 'fastcgi_finish_request' ) ) {
		fastcgi_finish_request();
	} elseif ( function_exists( 'litespeed_finish_request' ) ) {
		litespeed_finish_request();
	} else {
		flush();
	}
}

/**
 * The very last thing at the end of a request: hands over what changed.
 */
function run_lane(): void {
	note_orders_of_lines();
	$things = noted();
	// Catching up is no visitor's business where they would wait for it.
	$may_catch_up = is_catch_up_due() && ( can_answer_early() || 'cli' === PHP_SAPI );
	if ( ( array() === $things && ! $may_catch_up ) || ! has_woocommerce() ) {
		return;
	}
	noted( 'none' );
	try {
		$shop = shop();
		if ( array() === $shop || is_copy() ) {
			return;
		}
		answer_early();
		$deadline = microtime( true ) + LANE_S;
		$done     = carry( $things, $shop, $deadline );
		if ( $done && $may_catch_up && lane_memory()['down_until'] <= time() ) {
			catch_up( $deadline - microtime( true ) );
		}
	} catch ( \Throwable $error ) {
		remember_fault( 'lane', 0, new \WP_Error( 'nivella_lane', $error->getMessage() ) );
	}
}

/**
 * Hands things over one after the other while there is time; the rest is put off.
 *
 * @param array $things   From `noted()`.
 * @param array $shop     See `shop()`.
 * @param float $deadline When it must end.
 * @return bool Whether all of it was taken.
 */
function carry( array $things, array $shop, float $deadline ): bool {
	$is_up = lane_memory()['down_until'] <= time();
	foreach ( concerned( $things ) as $thing ) {
		$left_s = $deadline - microtime( true );
		$is_up  = $is_up && $left_s >= WAIT_LEAST_S && carry_one( $thing['kind'], $thing['id'], $shop, $left_s );
		if ( ! $is_up ) {
			put_off( $thing['kind'], $thing['id'] );
		}
	}
	return $is_up;
}

/**
 * Those of the things that are about credits, in order. Orders that are only drafts are nobody's yet.
 *
 * @param array $things From `noted()`.
 * @return list<array{ kind: string, id: int }>
 */
function concerned( array $things ): array {
	$found = array();
	foreach ( $things as $thing ) {
		if ( 'product' === $thing['kind'] && 'auto-draft' === get_post_status( $thing['id'] ) ) {
			continue;
		}
		if ( 'order' === $thing['kind'] ) {
			$order = wc_get_order( $thing['id'] );
			if ( $order instanceof \WC_Order_Refund ) {
				$order       = wc_get_order( $order->get_parent_id() );
				$thing['id'] = $order ? $order->get_id() : 0;
			}
			if ( ! $order ) {
				$thing['kind'] = 'gone';
			} elseif ( 'shop_order' !== $order->get_type() || in_array( $order->get_status(), array( 'checkout-draft', 'auto-draft', 'draft', 'new' ), true ) ) {
				continue;
			}
			if ( 0 === $thing['id'] || ( ! $thing['sure'] && ( ! $order || ! has_tokens_line( $order ) ) ) ) {
				continue;
			}
		}
		$found[ $thing['kind'] . ' ' . $thing['id'] ] = array(
			'kind' => $thing['kind'],
			'id'   => $thing['id'],
		);
	}
	return array_values( $found );
}

/**
 * Hands one thing over, and remembers how it went.
 *
 * @param string $kind   order, gone, product or categories.
 * @param int    $id     Which one.
 * @param array  $shop   See `shop()`.
 * @param float  $wait_s How long it may take.
 * @return bool Whether it is done with: taken, or not worth another try.
 */
function carry_one( string $kind, int $id, array $shop, float $wait_s ): bool {
	$answer = 'categories' === $kind
		? deliver( 'nivella.categories', category_hint( tokens_categories_ids() ), $shop, $wait_s )
		: deliver_thing( $kind, $id, $shop, $wait_s );
	$topics = array(
		'gone'       => 'order.deleted',
		'product'    => 'product.updated',
		'categories' => 'nivella.categories',
	);
	$topic  = $topics[ $kind ] ?? 'order.updated';
	if ( ! is_wp_error( $answer ) ) {
		remember_delivery( $topic, $id, $answer['result'] );
		if ( 'order' === $kind && 'unchanged' !== $answer['result'] ) {
			show_buyer_the_news( $id );
		}
		return true;
	}
	if ( 'nivella_nothing' === $answer->get_error_code() ) {
		return true;
	}
	if ( 'nivella_late' === $answer->get_error_code() ) {
		return false;
	}
	remember_fault( $topic, $id, $answer );
	return ! is_worth_waiting( $answer );
}

/**
 * What the pages of a customer remember of their wallet is older than the order that has just changed it.
 *
 * @param int $order_id The order.
 */
function show_buyer_the_news( int $order_id ): void {
	$order = wc_get_order( $order_id );
	$buyer = $order ? absint( $order->get_customer_id() ) : 0;
	if ( $buyer > 0 ) {
		drop_short_cache( customer_wallet_path( $buyer ), false );
	}
}

/**
 * Forgets all that the lane remembers and plans.
 */
function forget_lane(): void {
	noted( 'none' );
	wp_clear_scheduled_hook( CATCH_UP );
	forget_options( array( 'later_' ) );
	delete_option( LANE_OPTION );
	delete_option( TOLD_OPTION );
}
