<?php
/**
 * News of the wallet service: a customer's credits run low, and the customer is told once.
 *
 * It comes twice. The service sends each event here, signed as Standard Webhooks says; and every quarter of an hour this
 * shop asks for what it may have missed. Whichever comes first writes the event's id down in one step, so that nobody is
 * told twice, also when both come at the same instant.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The events that a customer is told of, and how the wallet stands then. */
const LOW_EVENTS = array(
	'credits.low'      => 'low',
	'credits.critical' => 'critical',
	'credits.empty'    => 'empty',
);

/** How far the clock of the sender may be away from ours. */
const EVENT_SKEW_S = 300;

/** News older than this is none; the service gives up sending after as long. */
const EVENT_AGE_S = 3 * DAY_IN_SECONDS;

/** How long ids are kept. Longer than an event can still be news, so no id is forgotten too soon. */
const EVENT_KEPT_S = 7 * DAY_IN_SECONDS;

/** How many pages of events a run asks for, and how long it waits for each. */
const EVENT_PAGES = 5;
const EVENT_WAIT_S = 8;

/** How many events whose mail could not be handed over wait for the next run. */
const EVENT_RETRIES_MAX = 50;

/**
 * Makes the address known to which events are sent.
 */
function register_event_route(): void {
	register_rest_route(
		REST_ROUTES,
		EVENTS_ROUTE,
		array(
			'methods'             => 'POST',
			'callback'            => __NAMESPACE__ . '\\handle_event',
			'permission_callback' => __NAMESPACE__ . '\\is_request_signed',
			'show_in_index'       => false,
		)
	);
}

/**
 * Whether a request comes from the wallet service. Every refusal is the same, whatever was wrong.
 *
 * @param \WP_REST_Request $request A request.
 * @return true|\WP_Error
 */
function is_request_signed( $request ) {
	$shop   = get_option( OPTION_PREFIX . 'shop' );
	$secret = is_array( $shop ) && is_string( $shop['events_secret'] ?? null ) ? $shop['events_secret'] : '';
	if ( is_event_signed( (string) $request->get_header( 'webhook-id' ), (string) $request->get_header( 'webhook-timestamp' ), (string) $request->get_header( 'webhook-signature' ), (string) $request->get_body(), $secret, time() ) ) {
		return true;
	}
	return new \WP_Error( 'nivella_unsigned', __( 'This is not signed with the secret that this shop shares with its wallet service, or it is more than five minutes old.', 'nivella-credit-wallet' ), array( 'status' => 401 ) );
}

/**
 * Checks a signature of Standard Webhooks, in constant time.
 *
 * @param string $id         The header webhook-id.
 * @param string $timestamp  The header webhook-timestamp.
 * @param string $signatures The header webhook-signature: several, when the secret is being changed.
 * @param string $body       The body, byte for byte.
 * @param string $secret     The secret, like whsec_….
 * @param int    $now        Unix seconds.
 */
function is_event_signed( string $id, string $timestamp, string $signatures, string $body, string $secret, int $now ): bool {
	$key = 0 === strpos( $secret, 'whsec_' ) ? base64_decode( substr( $secret, 6 ), true ) : false; // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_decode -- How the standard writes keys.
	if ( false === $key || strlen( $key ) < 16 || '' === $id || ! preg_match( '/^\d{1,11}$/D', $timestamp ) || abs( $now - (int) $timestamp ) > EVENT_SKEW_S ) {
		return false;
	}
	$right = 'v1,' . base64_encode( hash_hmac( 'sha256', "{$id}.{$timestamp}.{$body}", $key, true ) ); // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- How the standard writes signatures.
	$found = false;
	foreach ( array_slice( explode( ' ', $signatures ), 0, 10 ) as $signature ) {
		$found = hash_equals( $right, $signature ) || $found;
	}
	return $found;
}

/**
 * Takes an event that was sent. An answer that is no success makes the service send it again later.
 *
 * @param \WP_REST_Request $request A request whose signature was right.
 * @return \WP_REST_Response|\WP_Error
 */
function handle_event( $request ) {
	$sent  = json_decode( (string) $request->get_body(), true, 16 );
	$event = parse_event( is_array( $sent ) ? ( $sent['data'] ?? null ) : null );
	if ( is_wp_error( $event ) ) {
		// Sending it again would not make it better.
		return new \WP_Error( 'nivella_event', $event->get_error_message(), array( 'status' => 422 ) );
	}
	$result = null === $event ? 'ignored' : take_event( $event );
	if ( 'failed' === $result ) {
		return new \WP_Error( 'nivella_mail', __( 'The e-mail could not be sent just now.', 'nivella-credit-wallet' ), array( 'status' => 503 ) );
	}
	return rest_ensure_response( array( 'result' => $result ) );
}

/**
 * Reads an event.
 *
 * @param mixed $data What was sent.
 * @return array|\WP_Error|null Null for an event that concerns no customer.
 */
function parse_event( $data ) {
	try {
		$data = read_object( $data, 'event' );
		$type = read_id( $data, 'type' );
		if ( ! isset( LOW_EVENTS[ $type ] ) ) {
			return null;
		}
		$account = read_object( $data['account'] ?? null, 'account' );
		$names   = is_array( $account['names'] ?? null ) ? array_filter( $account['names'], 'is_string' ) : array();
		return array(
			'id'        => read_id( $data, 'id' ),
			'type'      => $type,
			'at'        => read_time( $data, 'at' ),
			'wallet'    => read_id( $data, 'wallet' ),
			'status'    => LOW_EVENTS[ $type ],
			'available' => read_amount( $data, 'available' ),
			'unit'      => read_unit( $data ),
			'names'     => array_slice( array_values( $names ), 0, 100 ),
		);
	} catch ( \UnexpectedValueException $error ) {
		return new \WP_Error( 'nivella_event', $error->getMessage() );
	}
}

/**
 * Tells the customer of an event, once.
 *
 * @param array $event From `parse_event()`.
 * @return string `sent`; `repeat` when it was dealt with before; `ignored` when nobody here is to be told; `failed` when the
 *                mail could not be handed over, and it may come again.
 */
function take_event( array $event ): string {
	$people = people_of( $event );
	if ( array() === $people || $event['at'] < time() - EVENT_AGE_S ) {
		return 'ignored';
	}
	if ( ! write_event_down( $event['id'] ) ) {
		return 'repeat';
	}
	$result = 'ignored';
	foreach ( $people as $person ) {
		$told = tell_customer( $event, $person );
		if ( 'failed' === $told ) {
			delete_option( event_option( $event['id'] ) );
			return 'failed';
		}
		$result = 'sent' === $told ? 'sent' : $result;
	}
	return $result;
}

/**
 * The customers of this shop that an event is about: usually one, several when accounts were merged.
 *
 * @param array $event From `parse_event()`.
 * @return \WP_User[]
 */
function people_of( array $event ): array {
	$people = array();
	foreach ( is_shop() ? $event['names'] : array() as $name ) {
		$person = get_userdata( read_reference( $name )['customer'] );
		if ( $person ) {
			$people[ $person->ID ] = $person;
		}
	}
	return array_values( $people );
}

/**
 * Writes an event's id down, unless it is there. The database decides who was first.
 *
 * @param string $id The event.
 */
function write_event_down( string $id ): bool {
	global $wpdb;
	$name = event_option( $id );
	// Not add_option(): that looks first and writes then, so two at the same time would both be first.
	// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- See above.
	$is_first = 1 === (int) $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$wpdb->options} (option_name, option_value, autoload) VALUES (%s, %s, 'no')", $name, (string) time() ) );
	wp_cache_delete( $name, 'options' );
	wp_cache_delete( 'notoptions', 'options' );
	return $is_first;
}

/**
 * Where an event's id is kept.
 *
 * @param string $id The event.
 */
function event_option( string $id ): string {
	return OPTION_PREFIX . 'event_' . substr( hash( 'sha256', $id ), 0, 32 );
}

/**
 * Forgets ids that cannot come again. Called every quarter of an hour, so the store stays as large as a week is.
 */
function forget_old_events(): void {
	global $wpdb;
	// Only old ones, or those of a busy week would hide them. Times of ten digits are in order as texts too.
	// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is no function that finds options by prefix.
	$names = $wpdb->get_col( $wpdb->prepare( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE %s AND option_value < %s LIMIT 5000", $wpdb->esc_like( OPTION_PREFIX . 'event_' ) . '%', (string) ( time() - EVENT_KEPT_S ) ) );
	foreach ( $names as $name ) {
		delete_option( $name );
	}
}

/**
 * Asks for events that were not sent, or did not arrive. Goes on where it stopped the last time.
 */
function ask_for_events(): void {
	$kept   = get_option( OPTION_PREFIX . 'events' );
	$cursor = is_array( $kept ) && is_string( $kept['cursor'] ?? null ) ? $kept['cursor'] : '';
	$waits  = is_array( $kept ) && is_array( $kept['waits'] ?? null ) ? $kept['waits'] : array();
	$waits  = take_events( $waits, array() );

	for ( $page = 0; $page < EVENT_PAGES; $page++ ) {
		$answer = ask(
			'/v1/events',
			array(
				'after' => $cursor,
				'limit' => 100,
			),
			array(),
			array( 'timeout' => EVENT_WAIT_S )
		);
		$events = is_wp_error( $answer ) ? $answer : parse_event_page( $answer['body'] );
		if ( is_wp_error( $events ) ) {
			// A cursor that is not understood any more would never be: then from the beginning. What was told is known.
			$cursor = 'nivella_invalid' === $events->get_error_code() ? '' : $cursor;
			break;
		}
		$waits  = take_events( $events['items'], $waits );
		$cursor = $events['cursor'];
		if ( ! $events['more'] ) {
			break;
		}
	}
	update_option(
		OPTION_PREFIX . 'events',
		array(
			'cursor' => $cursor,
			'waits'  => $waits,
		),
		false
	);
}

/**
 * Takes several events.
 *
 * @param array $items As they were sent.
 * @param array $waits Those that have to be tried again.
 * @return array Those and what could not be handed over now.
 */
function take_events( array $items, array $waits ): array {
	foreach ( $items as $item ) {
		$event = parse_event( $item );
		if ( is_array( $event ) && 'failed' === take_event( $event ) && count( $waits ) < EVENT_RETRIES_MAX ) {
			$waits[] = $item;
		}
	}
	return $waits;
}

/**
 * Reads a page of events.
 *
 * @param string $json The body of the answer.
 * @return array|\WP_Error `items` as they are, `cursor`, `more`.
 */
function parse_event_page( string $json ) {
	return read_body(
		$json,
		static function ( array $page ): array {
			return array(
				'items'  => read_list(
					$page,
					'items',
					static function ( array $item ): array {
						return $item;
					}
				),
				'cursor' => isset( $page['cursor'] ) && '' !== $page['cursor'] ? read_id( $page, 'cursor' ) : '',
				'more'   => true === ( $page['more'] ?? false ),
			);
		}
	);
}
