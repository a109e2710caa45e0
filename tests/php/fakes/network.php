<?php
/** A network of sites, if a test says so, and what WordPress thinks of addresses. */

final class Network {
	/** @var bool */
	public static $is = false;
}

function is_multisite() {
	return Network::$is;
}

if ( ! function_exists( 'wp_http_validate_url' ) ) {
	/** As WordPress does for addresses of numbers: public ones, on the usual ports. */
	function wp_http_validate_url( $url ) {
		$parts = parse_url( $url );
		$host  = $parts['host'] ?? '';
		$is_private = 'localhost' === $host || ( filter_var( $host, FILTER_VALIDATE_IP ) && ! filter_var( $host, FILTER_VALIDATE_IP, FILTER_FLAG_NO_PRIV_RANGE | FILTER_FLAG_NO_RES_RANGE ) );
		return '' === $host || $is_private || ! in_array( $parts['port'] ?? 443, array( 80, 443, 8080 ), true ) ? false : $url;
	}
}
