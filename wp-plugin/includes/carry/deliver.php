<?php
/**
 * Hands the daemon a delivery: the body that WooCommerce would build, signed as WooCommerce signs.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** What is remembered of deliveries: array{ last: array, faults: array[], down_until: int, tries: int }. */
const LANE_OPTION = OPTION_PREFIX . 'lane';

/** How many faults are remembered. */
const FAULTS_MAX = 10;

/** How long a daemon that did not take a delivery is left alone. */
const LANE_DOWN_S = 30;

/**
 * Delivers the newest state of something.
 *
 * @param string $kind  order, gone or product.
 * @param int    $id    Which one.
 * @param array  $shop  See `shop()`.
 * @param float  $wait_s How long it may take.
 * @return array|\WP_Error What the daemon answered; `nivella_nothing` when there is nothing to tell.
 */
function deliver_thing( string $kind, int $id, array $shop, float $wait_s ) {
	$begun = microtime( true );
	$topic = 'product' === $kind ? 'product.updated' : 'order.updated';
	$body  = 'gone' === $kind ? null : build_body( $topic, $id, $shop );
	if ( null === $body && 'product' !== $kind ) {
		$topic = 'order.deleted';
		$body  = array(
			'id'      => $id,
			'nivella' => facts_head( body_begun() ) + array( 'gone' => true ),
		);
		body_begun( true );
	}
	if ( null === $body ) {
		return new \WP_Error( 'nivella_nothing', 'It is gone, and WooCommerce tells that itself.' );
	}
	if ( isset( $body['code'], $body['message'] ) || ( $body['id'] ?? 0 ) !== $id ) {
		return new \WP_Error( 'nivella_body', (string) ( $body['code'] ?? 'WooCommerce built no body.' ) );
	}
	$wait_s -= microtime( true ) - $begun;
	if ( $wait_s < WAIT_LEAST_S ) {
		return new \WP_Error( 'nivella_late', 'No time was left to send it.' );
	}
	return deliver( $topic, $body, $shop, $wait_s );
}

/**
 * The body that WooCommerce builds for a topic, or null when the thing does not exist.
 *
 * @param string $topic order.updated or product.updated.
 * @param int    $id    Which one.
 * @param array  $shop  See `shop()`.
 */
function build_body( string $topic, int $id, array $shop ): ?array {
	body_begun();
	$exists = 'order.updated' === $topic ? wc_get_order( $id ) : wc_get_product( $id );
	if ( ! $exists ) {
		body_begun( true );
		return null;
	}
	// Never saved: it only knows how to build a body, as whom, and for which version of the API.
	$webhook = new \WC_Webhook();
	$webhook->set_topic( $topic );
	$webhook->set_api_version( WEBHOOK_VERSION );
	$webhook->set_user_id( $shop['owner'] );
	is_lane_delivering( true );
	try {
		ensure_rest_routes();
		$body = $webhook->build_payload( $id );
	} finally {
		is_lane_delivering( false );
	}
	return is_array( $body ) ? $body : array();
}

/**
 * Whether a body is being built for a delivery of our own.
 *
 * @param bool|null $is What it is from now on.
 */
function is_lane_delivering( ?bool $is = null ): bool {
	static $delivering = false;
	$delivering        = $is ?? $delivering;
	return $delivering;
}

/**
 * Sends a signed delivery.
 *
 * @param string $topic   Its topic.
 * @param array  $body    Its body.
 * @param array  $shop    See `shop()`.
 * @param float  $wait_s  How long it may take.
 * @param bool   $careful Whether it goes through WordPress's careful HTTP, as WooCommerce's own deliveries do.
 * @return array{ delivery: string, result: string }|\WP_Error
 */
function deliver( string $topic, array $body, array $shop, float $wait_s, bool $careful = false ) {
	list( $resource, $event ) = explode( '.', $topic, 2 );

	$json     = trim( (string) wp_json_encode( $body ) );
	$response = send_to(
		'POST',
		$shop['webhook_url'],
		array(
			'Content-Type'              => 'application/json',
			'X-WC-Webhook-Source'       => trailingslashit( (string) get_option( 'home' ) ),
			'X-WC-Webhook-Topic'        => $topic,
			'X-WC-Webhook-Resource'     => $resource,
			'X-WC-Webhook-Event'        => $event,
			'X-WC-Webhook-Signature'    => sign( $json, $shop['secret'] ),
			'X-WC-Webhook-ID'           => (string) ( $shop['webhooks'][ $topic ] ?? 0 ),
			'X-WC-Webhook-Delivery-ID'  => str_replace( '-', '', wp_generate_uuid4() ),
		),
		array(
			'timeout'            => $wait_s,
			'body'               => $json,
			'reject_unsafe_urls' => $careful,
		)
	);
	$answer   = read_answer( $response, array( 200 ) );
	if ( is_wp_error( $answer ) ) {
		return $answer;
	}
	$receipt = json_decode( $answer['body'], true );
	if ( ! is_array( $receipt ) || ! is_string( $receipt['result'] ?? null ) || ! is_string( $receipt['delivery'] ?? null ) ) {
		return new \WP_Error( 'nivella_not_daemon', 'The answer is no receipt.' );
	}
	return array(
		'delivery' => $receipt['delivery'],
		'result'   => $receipt['result'],
	);
}

/**
 * A body's signature, as WooCommerce makes it.
 *
 * @param string $json   The body.
 * @param string $secret The secret; nothing in ours needs decoding.
 */
function sign( string $json, string $secret ): string {
	// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- The header's format.
	return base64_encode( hash_hmac( 'sha256', $json, $secret, true ) );
}

/**
 * What is remembered of deliveries.
 *
 * @return array{ last: array{ at: int, topic: string, id: int, result: string, by: string }|null, faults: list<array{ at: int, topic: string, id: int, code: string, detail: string, by: string, data: array }>, down_until: int, tries: int }
 */
function lane_memory(): array {
	$option = get_option( LANE_OPTION );
	$option = is_array( $option ) ? $option : array();
	return array(
		'last'       => is_array( $option['last'] ?? null ) ? $option['last'] : null,
		'faults'     => is_array( $option['faults'] ?? null ) ? array_slice( array_values( array_filter( $option['faults'], 'is_array' ) ), 0, FAULTS_MAX ) : array(),
		'down_until' => is_int( $option['down_until'] ?? null ) ? $option['down_until'] : 0,
		'tries'      => is_int( $option['tries'] ?? null ) ? $option['tries'] : 0,
	);
}

/**
 * Remembers that a delivery was taken.
 *
 * @param string $topic  Its topic.
 * @param int    $id     What it was about.
 * @param string $result What the daemon made of it.
 * @param string $by     lane, or webhook for one of WooCommerce's.
 */
function remember_delivery( string $topic, int $id, string $result, string $by = 'lane' ): void {
	$memory               = lane_memory();
	$memory['last']       = array(
		'at'     => time(),
		'topic'  => $topic,
		'id'     => $id,
		'result' => $result,
		'by'     => $by,
	);
	$memory['down_until'] = 0;
	$memory['tries']      = 0;
	update_option( LANE_OPTION, $memory, false );
}

/**
 * Remembers that a delivery failed, and leaves a daemon alone that does not answer.
 *
 * @param string    $topic Its topic.
 * @param int       $id    What it was about.
 * @param \WP_Error $error Why.
 * @param string    $by    lane, or webhook for one of WooCommerce's.
 */
function remember_fault( string $topic, int $id, \WP_Error $error, string $by = 'lane' ): void {
	$memory = lane_memory();
	$data   = $error->get_error_data();
	array_unshift(
		$memory['faults'],
		array(
			'at'     => time(),
			'topic'  => $topic,
			'id'     => $id,
			'code'   => (string) $error->get_error_code(),
			'detail' => substr( (string) $error->get_error_message(), 0, 300 ),
			'by'     => $by,
			'data'   => is_array( $data ) ? array_filter( $data, 'is_scalar' ) : array(),
		)
	);
	$memory['faults'] = array_slice( $memory['faults'], 0, FAULTS_MAX );
	if ( 'lane' === $by && is_worth_waiting( $error ) ) {
		$memory['down_until'] = time() + LANE_DOWN_S;
		$memory['tries']      = min( 100, $memory['tries'] + 1 );
	}
	update_option( LANE_OPTION, $memory, false );
}

/**
 * Whether a delivery that failed like this may well succeed later.
 *
 * @param \WP_Error $error From `deliver()`.
 */
function is_worth_waiting( \WP_Error $error ): bool {
	$data = $error->get_error_data();
	// What the daemon refused for itself would be refused again, and keep everything behind it waiting.
	return is_silence( $error ) || 408 === ( is_array( $data ) ? $data['status'] ?? 0 : 0 )
		|| in_array( $error->get_error_code(), array( 'nivella_unauthorized', 'nivella_not_daemon', 'nivella_redirect' ), true );
}

/**
 * `woocommerce_webhook_delivery`: notes how WooCommerce's own deliveries to the daemon fare.
 *
 * @param array           $args       What was sent.
 * @param array|\WP_Error $response   What came back.
 * @param float           $duration   How long it took.
 * @param mixed           $arg        What it was about.
 * @param int             $webhook_id The webhook.
 */
function note_webhook_delivery( $args, $response, $duration = 0.0, $arg = 0, $webhook_id = 0 ): void {
	if ( ! is_paired() || ! is_our_webhook( (int) $webhook_id ) || 0 === (int) $webhook_id ) {
		return;
	}
	$topic = (string) ( $args['headers']['X-WC-Webhook-Topic'] ?? '' );
	if ( is_wp_error( $response ) && in_array( $response->get_error_code(), array( 'http_request_failed' ), true ) && ! wp_http_validate_url( shop()['webhook_url'] ) ) {
		$answer = refused_address( shop()['webhook_url'] );
	} else {
		$answer = read_answer( $response, array( 200 ) );
	}
	$id = is_scalar( $arg ) ? absint( $arg ) : 0;
	if ( is_wp_error( $answer ) ) {
		remember_fault( $topic, $id, $answer, 'webhook' );
		return;
	}
	$receipt = json_decode( $answer['body'], true );
	remember_delivery( $topic, $id, is_array( $receipt ) && is_string( $receipt['result'] ?? null ) ? $receipt['result'] : '', 'webhook' );
}
