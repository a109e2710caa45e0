<?php
/**
 * The history: which part of it was asked for, and that part.
 *
 * A visitor chooses kind, days, site and page; never the wallet.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** Lines on a page; as many as a feed brings along, so that the page looks the same without the daemon. */
const HISTORY_ROWS = 20;

/** What the fields are called in an address, apart from everybody else's. */
const HISTORY_FIELDS = array(
	'kind'   => 'nivella_kind',
	'site'   => 'nivella_site',
	'from'   => 'nivella_from',
	'to'     => 'nivella_to',
	'cursor' => 'nivella_cursor',
);

/**
 * What a request asks to see. What is malformed counts as not given.
 *
 * @param array $request `$_GET`, as WordPress hands it over.
 * @return array{ kind: string, site: string, from: string, to: string, cursor: string }
 */
function history_filter( array $request ): array {
	$filter = array();
	foreach ( HISTORY_FIELDS as $name => $field ) {
		$value           = $request[ $field ] ?? '';
		$filter[ $name ] = is_string( $value ) ? trim( wp_unslash( $value ) ) : '';
	}
	if ( ! in_array( $filter['kind'], KINDS, true ) ) {
		$filter['kind'] = '';
	}
	if ( ! preg_match( '/^[A-Za-z0-9._:-]{1,128}$/D', $filter['site'] ) ) {
		$filter['site'] = '';
	}
	foreach ( array( 'from', 'to' ) as $name ) {
		if ( ! preg_match( '/^(\d{4})-(\d\d)-(\d\d)$/D', $filter[ $name ], $day ) || ! checkdate( (int) $day[2], (int) $day[3], (int) $day[1] ) ) {
			$filter[ $name ] = '';
		}
	}
	if ( ! preg_match( '/^[A-Za-z0-9._~:=+\/-]{1,500}$/D', $filter['cursor'] ) ) {
		$filter['cursor'] = '';
	}
	return $filter;
}

/**
 * The same for the daemon: days of the site's zone become the moments they begin and end.
 *
 * @param array $filter From `history_filter()`.
 * @return array<string, string>
 */
function history_query( array $filter ): array {
	return array(
		'kind'   => $filter['kind'],
		'site'   => $filter['site'],
		'from'   => '' === $filter['from'] ? '' : start_of_day( $filter['from'], 0 ),
		'to'     => '' === $filter['to'] ? '' : start_of_day( $filter['to'], 1 ),
		'cursor' => $filter['cursor'],
	);
}

/**
 * When a day begins in the site's zone.
 *
 * @param string $day        Like 2026-11-20.
 * @param int    $days_later How many days after it.
 */
function start_of_day( string $day, int $days_later ): string {
	$start = new \DateTimeImmutable( "{$day} 00:00:00", wp_timezone() );
	return $start->modify( "+{$days_later} days" )->setTimezone( new \DateTimeZone( 'UTC' ) )->format( 'Y-m-d\TH:i:s\Z' );
}

/**
 * The lines to show, and where to go on.
 *
 * When the daemon cannot be asked, the last lines that are known stand in for the first page.
 *
 * @param string $path   The wallet's path.
 * @param array  $wallet From `wallet()`, with a feed.
 * @param array  $filter From `history_filter()`.
 * @return array{ items: array, next_cursor: string|null, problem: string } `problem` is '' or says to a customer why these
 *               are not the lines they asked for.
 */
function history( string $path, array $wallet, array $filter ): array {
	if ( '' !== $filter['from'] && '' !== $filter['to'] && $filter['from'] > $filter['to'] ) {
		return history_of( array(), __( 'The first day comes after the last one, so there is nothing to show.', 'nivella-credit-wallet' ) );
	}

	$page = is_wp_error( $wallet['error'] ) ? $wallet['error'] : activity( $path, history_query( $filter ) + array( 'limit' => HISTORY_ROWS ) );
	if ( ! is_wp_error( $page ) ) {
		return $page + array( 'problem' => '' );
	}
	if ( 'nivella_invalid' === $page->get_error_code() ) {
		return history_of( array(), __( 'This part of the history is no longer there. Please start again with the newest entries.', 'nivella-credit-wallet' ) );
	}
	if ( array() === array_diff( $filter, array( '' ) ) ) {
		return history_of( $wallet['feed']['activity'], is_wp_error( $wallet['error'] ) ? '' : __( 'Only the newest entries can be shown just now.', 'nivella-credit-wallet' ) );
	}
	return history_of( array(), __( 'The history cannot be searched just now. Please try again in a minute.', 'nivella-credit-wallet' ) );
}

/**
 * A history of one page.
 *
 * @param array  $items   The lines.
 * @param string $problem See `history()`.
 */
function history_of( array $items, string $problem ): array {
	return array(
		'items'       => $items,
		'next_cursor' => null,
		'problem'     => $problem,
	);
}

/**
 * The sites a wallet is used for, as far as the feed tells.
 *
 * @param array $feed A feed.
 * @return string[] Each once, in order.
 */
function sites_of( array $feed ): array {
	$sites = array_column( array_merge( $feed['breakdown'], $feed['activity'] ), 'site' );
	$sites = array_unique( array_filter( $sites, 'is_string' ) );
	sort( $sites );
	return $sites;
}
