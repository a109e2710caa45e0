<?php
/**
 * Talks to the daemon.
 *
 * `ask()` reads, `tell()` changes something. A page never waits longer than `WAIT_S` in all, however many things it asks
 * for. No redirect is followed, so the key goes to the address in the settings and nowhere else; no cookie is sent; an
 * answer that is too long is cut. Every request says which website asks, so that a copy of this one is not taken for it.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** How long a page may wait for the daemon, over all its requests; with WordPress's own time it stays below 3.5 s. */
const WAIT_S = 2.5;

/** Below this rest of the wait a request is not begun: WordPress waits a second at least. */
const WAIT_LEAST_S = 1.0;

/** How long somebody who changes something waits for it: they pressed a button and want to know. */
const CHANGE_WAIT_S = 8.0;

/** An agency's feed with a thousand sites is about one megabyte. */
const ANSWER_BYTES_MAX = 2097152;

/**
 * The path of a customer's wallet on a shop. The id comes from WordPress, never from a request of that customer.
 *
 * @param int $user_id A WordPress user.
 */
function customer_wallet_path( int $user_id ): string {
	return account_path( customer_account( $user_id ) );
}

/**
 * The path of an account's wallet.
 *
 * @param string $account An account's id, or its name in the store.
 */
function account_path( string $account ): string {
	return rawurlencode( 'account:' . $account );
}

/**
 * What a customer of this shop is called in the wallet service.
 *
 * @param int $user_id A WordPress user.
 */
function customer_account( int $user_id ): string {
	return settings()['store'] . ':customer:' . $user_id;
}

/**
 * What a guest of this shop is called there: the address as the service keeps it.
 *
 * @param string $email An address, in any case.
 */
function guest_account( string $email ): string {
	$email = trim( $email );
	return settings()['store'] . ':email:' . ( function_exists( 'mb_strtolower' ) ? mb_strtolower( $email, 'UTF-8' ) : strtolower( $email ) );
}

/**
 * Such a name taken apart: who of this shop is meant.
 *
 * @param string $name Such as `shop:customer:17` or `shop:email:alice@example.com`.
 * @return array{ customer: int, email: string } Zero and '' for what is of another store.
 */
function read_reference( string $name ): array {
	$store  = preg_quote( settings()['store'], '/' );
	$person = array(
		'customer' => 0,
		'email'    => '',
	);
	if ( preg_match( "/^{$store}:customer:([1-9][0-9]{0,17})$/D", $name, $match ) ) {
		$person['customer'] = (int) $match[1];
	} elseif ( preg_match( "/^{$store}:email:(.+)$/D", $name, $match ) ) {
		$person['email'] = $match[1];
	}
	return $person;
}

/**
 * Whether a text is the id of an account.
 *
 * @param string $text Any text.
 */
function is_account_id( string $text ): bool {
	return 1 === preg_match( '/^acc_[0-9a-f]{32}$/D', $text );
}

/**
 * Asks the daemon for something.
 *
 * @param string $path    From the first slash on, encoded.
 * @param array  $query   Names and values, not encoded; empty values are left out.
 * @param array  $headers More headers.
 * @param array  $args    More arguments for `wp_remote_request`; a `timeout` of its own is not counted against the page.
 * @return array{ status: int, body: string, etag: string, type: string }|\WP_Error The answer when it is 200 or 304,
 *               otherwise what is wrong; `explain()` knows every code.
 */
function ask( string $path, array $query = array(), array $headers = array(), array $args = array() ) {
	$is_paged = ! isset( $args['timeout'] );
	$down     = $is_paged ? remembered_failure( '' ) : null;
	if ( $down ) {
		return $down;
	}
	$timeout = $is_paged ? WAIT_S - waited_s() : (float) $args['timeout'];
	if ( $timeout < WAIT_LEAST_S ) {
		return new \WP_Error( 'nivella_timeout', 'The page has waited long enough.' );
	}

	$query    = array_diff( array_map( 'strval', $query ), array( '' ) );
	$begun    = microtime( true );
	$response = send_request(
		'GET',
		$path . ( array() === $query ? '' : '?' . http_build_query( $query, '', '&', PHP_QUERY_RFC3986 ) ),
		$headers,
		array( 'timeout' => $timeout ) + $args
	);
	if ( $is_paged ) {
		waited_s( microtime( true ) - $begun );
	}
	if ( isset( $args['filename'] ) && is_array( $response ) && 200 !== (int) wp_remote_retrieve_response_code( $response ) ) {
		// What is wrong was written to the file like any other answer.
		// phpcs:ignore WordPress.WP.AlternativeFunctions.file_get_contents_file_get_contents -- A local file.
		$response['body'] = (string) file_get_contents( $args['filename'], false, null, 0, 65536 );
	}
	$answer = read_answer( $response, array( 200, 304 ) );
	if ( $is_paged && is_wp_error( $answer ) && is_silence( $answer ) ) {
		// Whatever a page asks for next, and every page for a while, goes without: nobody waits for a dead daemon twice.
		remember_failure( '', $answer );
	}
	return $answer;
}

/**
 * Whether a failure says that the daemon does not answer at all, and not that it refused something.
 *
 * @param \WP_Error $error From `read_answer()`.
 */
function is_silence( \WP_Error $error ): bool {
	return in_array( $error->get_error_code(), array( 'nivella_blocked', 'nivella_tls', 'nivella_timeout', 'nivella_host', 'nivella_refused', 'nivella_not_ready', 'nivella_unreachable', 'nivella_busy' ), true );
}

/**
 * Has the daemon change something. Only ever called for somebody who pressed a button and may, never to show a page.
 *
 * @param string $method  POST, PUT or DELETE.
 * @param string $path    From the first slash on, encoded.
 * @param array  $body    What to send, as JSON; empty sends none.
 * @param string $once    The idempotency key: the same act sent twice has one effect. '' makes one.
 * @return array{ status: int, body: string, etag: string, type: string }|\WP_Error The answer when it is a success,
 *               otherwise what is wrong; `explain()` knows every code.
 */
function tell( string $method, string $path, array $body = array(), string $once = '' ) {
	if ( is_copy() ) {
		return new \WP_Error( 'nivella_copy', 'This is a copy of the shop.' );
	}
	$headers = array();
	$args    = array( 'timeout' => CHANGE_WAIT_S );
	if ( 'POST' === $method ) {
		$headers['Idempotency-Key'] = '' === $once ? wp_generate_uuid4() : $once;
	}
	if ( array() !== $body ) {
		$headers['Content-Type'] = 'application/json';
		$args['body']            = (string) wp_json_encode( $body );
	}
	return read_answer( send_request( $method, $path, $headers, $args ), array( 200, 201, 202, 204 ) );
}

/**
 * Sends a request with the key.
 *
 * @param string $method  GET, POST, PUT or DELETE.
 * @param string $target  Path and query, encoded.
 * @param array  $headers More headers.
 * @param array  $args    More arguments for `wp_remote_request`.
 * @return array|\WP_Error
 */
function send_request( string $method, string $target, array $headers, array $args ) {
	$settings = settings();
	if ( '' === $settings['url'] || '' === $settings['key'] ) {
		return new \WP_Error( 'nivella_not_connected', 'No address or no key is set.' );
	}
	return send_to( $method, $settings['url'] . $target, array_merge( array( 'Authorization' => 'Bearer ' . $settings['key'] ), $headers ), $args );
}

/**
 * Sends a request to an address, without the key.
 *
 * @param string $method  GET, POST, PUT or DELETE.
 * @param string $url     The whole address.
 * @param array  $headers More headers.
 * @param array  $args    More arguments for `wp_remote_request`.
 * @return array|\WP_Error
 */
function send_to( string $method, string $url, array $headers, array $args ) {
	// Not wp_safe_remote_request: the daemon may well be on this machine or a private network, and only an administrator can name it.
	return wp_remote_request(
		$url,
		array_merge(
			array(
				'redirection'         => 0,
				'limit_response_size' => ANSWER_BYTES_MAX,
				'user-agent'          => 'nivella-credit-wallet/' . VERSION,
				'cookies'             => array(),
			),
			$args,
			array(
				'method'  => $method,
				'headers' => array_merge(
					array(
						'Accept'        => 'application/json',
						// Not home_url(): plugins for several languages let that end in the language of the page.
						'X-Site-Origin' => (string) get_option( 'home' ),
					),
					$headers
				),
			)
		)
	);
}

/**
 * How long this page has waited so far.
 *
 * @param float $more_s What to add.
 */
function waited_s( float $more_s = 0.0 ): float {
	static $waited_s = 0.0;
	$waited_s       += $more_s;
	return $waited_s;
}

/**
 * Sorts an answer into one that can be used and the reasons why not.
 *
 * @param array|\WP_Error $response From `wp_remote_request`.
 * @param int[]            $good     The statuses of answers that can be used.
 * @return array|\WP_Error
 */
function read_answer( $response, array $good ) {
	if ( is_wp_error( $response ) && 'nivella_not_connected' === $response->get_error_code() ) {
		return $response;
	}
	if ( is_wp_error( $response ) ) {
		return new \WP_Error( transport_problem( $response ), $response->get_error_message() );
	}

	$status = (int) wp_remote_retrieve_response_code( $response );
	$body   = wp_remote_retrieve_body( $response );
	if ( in_array( $status, $good, true ) ) {
		return array(
			'status' => $status,
			'body'   => $body,
			'etag'   => single_header( $response, 'etag' ),
			'type'   => single_header( $response, 'content-type' ),
		);
	}

	$problem = parse_problem( $body );
	$detail  = trim( (string) ( $problem['title'] ?? '' ) . ': ' . (string) ( $problem['detail'] ?? '' ), ': ' );
	return new \WP_Error(
		answer_problem( $status, null !== $problem ),
		'' === $detail ? "HTTP status {$status}" : $detail,
		array(
			'status'   => $status,
			'code'     => $problem['code'] ?? '',
			'detail'   => $problem['detail'] ?? '',
			'errors'   => $problem['errors'] ?? array(),
			'key'      => $problem['key'] ?? '',
			'bound_to' => $problem['bound_to'] ?? '',
			'origin'   => $problem['origin'] ?? '',
			'location' => $status >= 300 && $status < 400 ? single_header( $response, 'location' ) : '',
		)
	);
}

/**
 * The name of what is wrong when there was no answer at all.
 *
 * @param \WP_Error $error From `wp_remote_request`.
 */
function transport_problem( \WP_Error $error ): string {
	if ( 'http_request_not_executed' === $error->get_error_code() ) {
		return 'nivella_blocked';
	}
	$reasons = array(
		'nivella_tls'       => '/cURL error (35|51|53|58|59|60|64|66|77|80|82|83|90|91):|\bSSL\b|certificate/i',
		'nivella_timeout'   => '/cURL error 28:|timed? ?out/i',
		'nivella_host'      => '/cURL error 6:|could not resolve|getaddrinfo/i',
		'nivella_refused'   => '/cURL error 7:|refused/i',
		'nivella_not_ready' => '/cURL error (52|56):|empty reply|reset/i',
	);
	foreach ( $reasons as $name => $pattern ) {
		if ( preg_match( $pattern, $error->get_error_message() ) ) {
			return $name;
		}
	}
	return 'nivella_unreachable';
}

/**
 * The name of what is wrong with an answer that is no success.
 *
 * @param int  $status     The HTTP status.
 * @param bool $is_problem Whether the body is a problem document, as the daemon's are.
 */
function answer_problem( int $status, bool $is_problem ): string {
	if ( $status >= 300 && $status < 400 ) {
		return 'nivella_redirect';
	}
	if ( $status >= 500 || 429 === $status ) {
		return 'nivella_busy';
	}
	if ( ! $is_problem ) {
		return 'nivella_not_daemon';
	}
	$names = array(
		401 => 'nivella_unauthorized',
		403 => 'nivella_forbidden',
		404 => 'nivella_not_found',
		409 => 'nivella_site_mismatch',
		422 => 'nivella_invalid',
	);
	return $names[ $status ] ?? 'nivella_unexpected';
}

/**
 * A header that was sent once and is short, or ''.
 *
 * @param array  $response From `wp_remote_request`.
 * @param string $name     The header.
 */
function single_header( array $response, string $name ): string {
	$value = wp_remote_retrieve_header( $response, $name );
	return is_string( $value ) && strlen( $value ) <= 300 && ! preg_match( '/[\x00-\x1F\x7F]/', $value ) ? $value : '';
}
