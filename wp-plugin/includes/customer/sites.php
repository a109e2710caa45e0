<?php
/**
 * The websites of an account: what they are called, also those on which nothing is left.
 *
 * A feed only names a website that holds credits or has used some. The list is asked for when the feed was, no oftener, and
 * the last good one is kept beside it, all of it, as long as the feed is. What a sale needs is another list: short, seconds
 * old, of guests too, and gone after a day; see selling/sites.php.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * The websites of a wallet's account.
 *
 * @param string $path   The wallet's path.
 * @param array  $wallet From `wallet()`.
 * @return list<array{ id: string, label: string }> Empty when there are none, or none are known.
 */
function known_sites( string $path, array $wallet ): array {
	$account = $wallet['feed']['account']['id'] ?? null;
	if ( null === $account || null !== $wallet['feed']['site'] ) {
		return array();
	}
	$name = OPTION_PREFIX . 'last_sites_' . wallet_digest( $path );
	$kept = get_option( $name );
	$last = is_array( $kept ) && is_string( $kept['json'] ?? null ) ? parse_sites( $kept['json'] ) : null;
	$last = is_array( $last ) ? $last : sites_that_hold( $wallet['feed'] );
	if ( is_wp_error( $wallet['error'] ) || ( is_array( $kept ) && ( $kept['checked_at'] ?? 0 ) >= $wallet['checked_at'] ) ) {
		return $last;
	}

	$answer = ask( '/v1/accounts/' . rawurlencode( $account ) );
	$sites  = is_wp_error( $answer ) ? $answer : parse_sites( $answer['body'] );
	if ( is_wp_error( $sites ) ) {
		// An older daemon cannot tell. What the feed names is shown all the same.
		return $last;
	}
	update_option(
		$name,
		array(
			'json'       => wp_json_encode( array( 'sites' => $sites ) ),
			'checked_at' => $wallet['checked_at'],
		),
		false
	);
	return $sites;
}

/**
 * The websites that hold credits, as far as a feed tells: what is known when the list cannot be had.
 *
 * @param array $feed A feed.
 * @return list<array{ id: string, label: string }>
 */
function sites_that_hold( array $feed ): array {
	$sites = array();
	foreach ( $feed['breakdown'] as $slice ) {
		if ( 'site' === $slice['scope'] && null !== $slice['site'] ) {
			$sites[ "of:{$slice['site']}" ] = array(
				'id'    => $slice['site'],
				'label' => '',
			);
		}
	}
	ksort( $sites );
	return array_values( $sites );
}

/**
 * Reads the websites of an account.
 *
 * @param string $json The body of the answer.
 * @return array|\WP_Error A list of array{ id: string, label: string }.
 */
function parse_sites( string $json ) {
	return read_body(
		$json,
		static function ( array $account ): array {
			return read_list( $account, 'sites', __NAMESPACE__ . '\\read_site' );
		}
	);
}

/**
 * What a website is called: its label, and its id where there is none.
 *
 * @param string $id    Its id.
 * @param array  $sites From `known_sites()`.
 */
function site_name( string $id, array $sites ): string {
	foreach ( $sites as $site ) {
		if ( $site['id'] === $id && '' !== $site['label'] ) {
			return $site['label'];
		}
	}
	return $id;
}
