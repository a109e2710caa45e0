<?php
/**
 * Pairing codes, and the one address that WordPress's own careful HTTP may reach for us.
 *
 * WooCommerce delivers webhooks with `wp_safe_remote_request()`, which refuses private addresses and every port but 80, 443
 * and 8080. A daemon on the same machine or network would never be told anything. So exactly the address at which the paired
 * daemon takes deliveries is allowed, to the last letter: other plugins fetch what strangers name through the same HTTP, and
 * the daemon has more to tell than it would tell them.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Takes a pairing code apart: `https://wallet.example/pair#nwp_…`.
 *
 * @param string $typed What was pasted; blanks, line breaks and quotes around it are forgiven.
 * @return array{ url: string, token: string }|\WP_Error
 */
function parse_pairing_code( string $typed ) {
	// Mail programs and terminals break long lines.
	$code = trim( (string) preg_replace( '/[\s\x{200B}\x{FEFF}]+/u', '', $typed ), "\"'`<>" );
	if ( '' === $code ) {
		return new \WP_Error( 'nivella_code_empty', 'Nothing was pasted.' );
	}
	if ( is_key( $code ) || preg_match( '/#nwk_/', $code ) ) {
		return new \WP_Error( 'nivella_code_is_key', 'That is a key.' );
	}
	if ( 0 === strpos( $code, 'nwp_' ) ) {
		return new \WP_Error( 'nivella_code_half', 'Only the second half was pasted.' );
	}
	list( $address, $token ) = array_pad( explode( '#', $code, 2 ), 2, '' );
	if ( '/pair' !== substr( rtrim( $address, '/' ), -5 ) || ! preg_match( '/^nwp_[A-Za-z0-9_-]{43}$/D', $token ) ) {
		return new \WP_Error( 'nivella_code', 'That is no pairing code.' );
	}
	$url = clean_daemon_url( substr( rtrim( $address, '/' ), 0, -5 ) );
	if ( '' === $url ) {
		return new \WP_Error( 'nivella_code', 'There is no web address in it.' );
	}
	return array(
		'url'   => $url,
		'token' => $token,
	);
}

/**
 * The addresses that WordPress's careful HTTP may reach: where the paired daemon takes deliveries, and for the length of a
 * pairing the one that is about to become it.
 *
 * @param string|null $trying An address that is being tried out; '' ends that.
 * @return string[]
 */
function allowed_addresses( ?string $trying = null ): array {
	static $tried = '';
	if ( null !== $trying ) {
		$tried = $trying;
	}
	return array_filter( array( shop()['webhook_url'] ?? '', $tried ) );
}

/**
 * Whether a request goes to one of the allowed addresses.
 *
 * @param string $url The request's address.
 */
function is_allowed_address( string $url ): bool {
	// A host in other letters is the same host; a path in other letters is another one, and there is nothing behind it.
	$place = static function ( string $url ): array {
		return array( origin_parts( $url ), array_diff_key( (array) wp_parse_url( $url ), array_flip( array( 'scheme', 'host', 'port' ) ) ) );
	};
	foreach ( allowed_addresses() as $allowed ) {
		if ( null !== origin_parts( $url ) && $place( $allowed ) === $place( $url ) ) {
			return true;
		}
	}
	return false;
}

/**
 * Scheme, host and port of an address; null when it has none.
 *
 * @param string $url An address.
 * @return array{ scheme: string, host: string, port: int }|null
 */
function origin_parts( string $url ): ?array {
	$parts  = (array) wp_parse_url( $url );
	$scheme = strtolower( (string) ( $parts['scheme'] ?? '' ) );
	$host   = strtolower( (string) ( $parts['host'] ?? '' ) );
	if ( '' === $host || ! in_array( $scheme, array( 'http', 'https' ), true ) ) {
		return null;
	}
	return array(
		'scheme' => $scheme,
		'host'   => $host,
		'port'   => (int) ( $parts['port'] ?? ( 'https' === $scheme ? 443 : 80 ) ),
	);
}

/**
 * `http_request_host_is_external`: the daemon may be on this machine or a private network.
 *
 * @param bool   $is_external What WordPress or somebody else decided.
 * @param string $host        The host.
 * @param string $url         The whole address.
 */
function allow_daemon_host( $is_external, $host = '', $url = '' ): bool {
	return $is_external || is_allowed_address( (string) $url );
}

/**
 * `http_allowed_safe_ports`: and on any port, for that address alone.
 *
 * @param int[]  $ports Ports.
 * @param string $host  The host.
 * @param string $url   The whole address.
 */
function allow_daemon_port( $ports, $host = '', $url = '' ): array {
	$ports = (array) $ports;
	if ( is_allowed_address( (string) $url ) ) {
		$ports[] = origin_parts( (string) $url )['port'];
	}
	return $ports;
}

/**
 * Why WordPress refuses to deliver to an address, or null when it does not. What counts is WordPress's own decision.
 *
 * @param string $url An address.
 */
function refused_address( string $url ): ?\WP_Error {
	if ( false !== wp_http_validate_url( $url ) ) {
		return null;
	}
	return new \WP_Error( 'nivella_refused_address', $url, array( 'url' => $url ) );
}
