<?php
/**
 * Talks to the daemon.
 *
 * Only reads. A page never waits longer than `WAIT_S` in all, however many things it asks for. No redirect is followed, so
 * the key goes to the address in the settings and nowhere else; no cookie is sent; an answer that is too long is cut.
 * Every request says which website asks, so that a copy of this one is not taken for it.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** How long a page may wait for the daemon, over all its requests; with WordPress's own time it stays below 3.5 s. */
const WAIT_S = 2.5;

/** Below this rest of the wait a request is not begun: WordPress waits a second at least. */
const WAIT_LEAST_S = 1.0;

/** An agency's feed with a thousand sites is about one megabyte. */
const ANSWER_BYTES_MAX = 2097152;

/**
 * The path of a customer's wallet on a shop. The id comes from WordPress, never from a request of that customer.
 *
 * @param int $user_id A WordPress user.
 */
function customer_wallet_path( int $user_id ): string {
	return rawurlencode( 'account:' . settings()['store'] . ':customer:' . $user_id );
}

/**
 * Asks the daemon for something.
 *
 * @param string $path    From the first slash on, encoded.
 * @param array  $query   Names and values, not encoded; empty values are left out.
 * @param array  $headers More headers.
 * @param array  $args    More arguments for `wp_remote_get`; a `timeout` of its own is not counted against the page.
 * @return array{ status: int, body: string, etag: string, type: string }|\WP_Error The answer when it is 200 or 304,
 *               otherwise what is wrong; `explain()` knows every code.
 */
function ask( string $path, array $query = array(), array $headers = array(), array $args = array() ) {
	$settings = settings();
	if ( '' === $settings['url'] || '' === $settings['key'] ) {
		return new \WP_Error( 'nivella_not_connected', 'No address or no key is set.' );
	}

	$is_paged = ! isset( $args['timeout'] );
	$timeout  = $is_paged ? WAIT_S - waited_s() : (float) $args['timeout'];
	if ( $timeout < WAIT_LEAST_S ) {
		return new \WP_Error( 'nivella_timeout', 'The page has waited long enough.' );
	}

	$query = array_diff( array_map( 'strval', $query ), array( '' ) );
	$url   = $settings['url'] . $path . ( array() === $query ? '' : '?' . http_build_query( $query, '', '&', PHP_QUERY_RFC3986 ) );
	$begun = microtime( true );
	// Not wp_safe_remote_get: the daemon may well be on this machine or a private network, and only an administrator can name it.
	$response = wp_remote_get(
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
				'timeout' => $timeout,
				'headers' => array_merge(
					array(
						'Authorization' => 'Bearer ' . $settings['key'],
						'Accept'        => 'application/json',
						// Not home_url(): plugins for several languages let that end in the language of the page.
						'X-Site-Origin' => (string) get_option( 'home' ),
					),
					$headers
				),
			)
		)
	);
	if ( $is_paged ) {
		waited_s( microtime( true ) - $begun );
	}
	if ( isset( $args['filename'] ) && is_array( $response ) && 200 !== (int) wp_remote_retrieve_response_code( $response ) ) {
		// What is wrong was written to the file like any other answer.
		// phpcs:ignore WordPress.WP.AlternativeFunctions.file_get_contents_file_get_contents -- A local file.
		$response['body'] = (string) file_get_contents( $args['filename'], false, null, 0, 65536 );
	}
	return read_answer( $response );
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
 * @param array|\WP_Error $response From `wp_remote_get`.
 * @return array|\WP_Error
 */
function read_answer( $response ) {
	if ( is_wp_error( $response ) ) {
		return new \WP_Error( transport_problem( $response ), $response->get_error_message() );
	}

	$status = (int) wp_remote_retrieve_response_code( $response );
	$body   = wp_remote_retrieve_body( $response );
	if ( 200 === $status || 304 === $status ) {
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
 * @param \WP_Error $error From `wp_remote_get`.
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
 * The name of what is wrong with an answer that is neither 200 nor 304.
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
 * @param array  $response From `wp_remote_get`.
 * @param string $name     The header.
 */
function single_header( array $response, string $name ): string {
	$value = wp_remote_retrieve_header( $response, $name );
	return is_string( $value ) && strlen( $value ) <= 300 && ! preg_match( '/[\x00-\x1F\x7F]/', $value ) ? $value : '';
}
