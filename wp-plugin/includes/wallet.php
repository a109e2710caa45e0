<?php
/**
 * The wallet as it is known here: just asked for, asked for a moment ago, or the last good answer.
 *
 * The last good answer is kept in an option of its own that is not autoloaded, so it survives the loss of every cache. Two
 * transients say how long not to ask again: one after a good answer, one after a bad one. A wallet is kept under a digest
 * of address, key and path, so no answer can ever be shown for another wallet or after another key was saved.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The path of the one wallet that a site's or an account's key stands for. */
const OWN_WALLET = 'me';

/** How long a good answer is not asked for again; as long as the daemon says. */
const FRESH_S = 15;

/** The same for pages that show the wallet only in passing. */
const FRESH_IN_PASSING_S = 300;

/** How long a daemon that failed is left alone. */
const DOWN_S = 30;

/**
 * A wallet, looked up once for each page.
 *
 * @param string $path    From `OWN_WALLET` or `customer_wallet_path()`.
 * @param int    $fresh_s How old an answer may be without asking again.
 * @return array{ feed: array|null, checked_at: int, error: \WP_Error|null } `feed` is null when nothing was ever known;
 *               with an `error` it is the last known one, true at `checked_at`.
 */
function wallet( string $path, int $fresh_s = FRESH_S ): array {
	static $seen = array();

	$digest = wallet_digest( $path );
	if ( ! isset( $seen[ $digest ] ) ) {
		$seen[ $digest ] = look_up_wallet( $path, $fresh_s );
	}
	return $seen[ $digest ];
}

/**
 * A wallet, from the cache, the daemon or the last good answer.
 *
 * @param string $path    The wallet's path.
 * @param int    $fresh_s How old an answer may be without asking again.
 */
function look_up_wallet( string $path, int $fresh_s ): array {
	$digest = wallet_digest( $path );
	$last   = last_known( $digest );

	$asked_at = get_transient( OPTION_PREFIX . 'fresh_' . $digest );
	if ( $last && is_int( $asked_at ) && abs( time() - $asked_at ) < $fresh_s ) {
		return $last;
	}

	$error = remembered_failure( $digest );
	if ( null === $error ) {
		$answer = ask( "/v1/wallets/{$path}/feed", array(), $last && '' !== $last['etag'] ? array( 'If-None-Match' => $last['etag'] ) : array() );
		$kept   = is_wp_error( $answer ) ? $answer : keep_answer( $digest, $answer, $last );
		if ( ! is_wp_error( $kept ) ) {
			return $kept;
		}
		$error = $kept;
		remember_failure( $digest, $error );
	}

	if ( in_array( $error->get_error_code(), array( 'nivella_not_found', 'nivella_site_mismatch' ), true ) ) {
		// The daemon has spoken: there is no such wallet, or not for this website, so an old figure would be a lie, also
		// where it is only shown in passing.
		$last = null;
		delete_option( OPTION_PREFIX . 'last_' . $digest );
	}
	return array(
		'feed'       => $last['feed'] ?? null,
		'checked_at' => $last['checked_at'] ?? 0,
		'etag'       => $last['etag'] ?? '',
		'error'      => $error,
	);
}

/**
 * Keeps a good answer.
 *
 * @param string     $digest Which wallet.
 * @param array      $answer From `ask()`.
 * @param array|null $last   What was known before.
 * @return array|\WP_Error The wallet; an error when the answer is no feed.
 */
function keep_answer( string $digest, array $answer, ?array $last ) {
	$now = time();
	if ( 304 === $answer['status'] ) {
		if ( ! $last ) {
			return new \WP_Error( 'nivella_feed', 'Nothing changed since never.' );
		}
		$json = $last['json'];
		$feed = $last['feed'];
		$etag = $last['etag'];
	} else {
		$json = $answer['body'];
		$feed = parse_feed( $json );
		$etag = $answer['etag'];
		if ( is_wp_error( $feed ) ) {
			return $feed;
		}
		// Plain ASCII, whatever the charset of the database.
		$json = wp_json_encode( json_decode( $json, true ) );
	}

	$kept = array(
		'json'       => $json,
		'etag'       => $etag,
		'checked_at' => $now,
	);
	update_option( OPTION_PREFIX . 'last_' . $digest, $kept, false );
	set_transient( OPTION_PREFIX . 'fresh_' . $digest, $now, FRESH_IN_PASSING_S );
	return $kept + array(
		'feed'  => $feed,
		'error' => null,
	);
}

/**
 * The last good answer, checked again: an option can be written by anybody.
 *
 * @param string $digest Which wallet.
 */
function last_known( string $digest ): ?array {
	$kept = get_option( OPTION_PREFIX . 'last_' . $digest );
	if ( ! is_array( $kept ) || ! is_string( $kept['json'] ?? null ) || ! is_string( $kept['etag'] ?? null ) || ! is_int( $kept['checked_at'] ?? null ) ) {
		return null;
	}
	$feed = parse_feed( $kept['json'] );
	if ( is_wp_error( $feed ) ) {
		return null;
	}
	return array(
		'json'       => $kept['json'],
		'etag'       => $kept['etag'],
		'checked_at' => $kept['checked_at'],
		'feed'       => $feed,
		'error'      => null,
	);
}

/**
 * Remembers for a while that asking was in vain.
 *
 * A daemon that cannot be reached is down for all wallets, so that a shop with many customers waits once and not once for
 * each; a feed that lies, a wallet that does not exist or that the key may not see concerns that wallet only.
 *
 * @param string    $digest Which wallet.
 * @param \WP_Error $error  What was wrong.
 */
function remember_failure( string $digest, \WP_Error $error ): void {
	$is_about_wallet = in_array( $error->get_error_code(), array( 'nivella_feed', 'nivella_not_found', 'nivella_forbidden', 'nivella_not_connected' ), true );
	set_transient(
		OPTION_PREFIX . 'down_' . ( $is_about_wallet ? $digest : wallet_digest( '' ) ),
		array(
			'code'    => $error->get_error_code(),
			'message' => $error->get_error_message(),
			'data'    => $error->get_error_data(),
		),
		// A customer who has just bought for the first time should not wait for the page to notice.
		'nivella_not_found' === $error->get_error_code() ? FRESH_S : DOWN_S
	);
}

/**
 * The failure that is remembered, if there is one.
 *
 * @param string $digest Which wallet.
 */
function remembered_failure( string $digest ): ?\WP_Error {
	foreach ( array( $digest, wallet_digest( '' ) ) as $about ) {
		$failure = get_transient( OPTION_PREFIX . 'down_' . $about );
		if ( is_array( $failure ) && is_string( $failure['code'] ?? null ) ) {
			return new \WP_Error( $failure['code'], (string) ( $failure['message'] ?? '' ), $failure['data'] ?? '' );
		}
	}
	return null;
}

/**
 * Drops the short caches of a wallet, so that the next page asks the daemon. What was last known stays.
 *
 * @param string $path            The wallet's path.
 * @param bool   $also_when_down  Also forgets that the daemon was down. Not for customers: each of them could then make
 *                                the shop wait for a dead daemon as often as they like.
 */
function drop_short_cache( string $path, bool $also_when_down ): void {
	$digest = wallet_digest( $path );
	delete_transient( OPTION_PREFIX . 'fresh_' . $digest );
	delete_transient( OPTION_PREFIX . 'down_' . $digest );
	if ( $also_when_down ) {
		delete_transient( OPTION_PREFIX . 'down_' . wallet_digest( '' ) );
	}
}

/**
 * A page of history.
 *
 * @param string $path  The wallet's path.
 * @param array  $query What to ask for.
 * @return array|\WP_Error
 */
function activity( string $path, array $query ) {
	$answer = ask( "/v1/wallets/{$path}/activity", $query );
	if ( is_wp_error( $answer ) ) {
		return $answer;
	}
	return parse_activity( $answer['body'] );
}

/**
 * What a wallet is kept under.
 *
 * @param string $path The wallet's path; '' for what concerns all of them.
 */
function wallet_digest( string $path ): string {
	$settings = settings();
	return substr( hash( 'sha256', wp_json_encode( array( $settings['url'], $settings['key'], $path ) ) ), 0, 32 );
}
