<?php
/**
 * What the daemon says, as typed arrays.
 *
 * Every field is checked here and nowhere else: what these functions return needs no further doubt, only escaping. A field
 * that is missing or of the wrong kind makes the whole answer wrong, because a page with half a truth is worse than the
 * last good one. Fields that are not named here are dropped, so nothing the daemon might add can appear on a page by
 * accident.
 *
 * Pure apart from `WP_Error`.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const STATUSES   = array( 'ok', 'low', 'critical', 'empty', 'frozen' );
const MODES      = array( 'normal', 'saver', 'handover' );
const KINDS      = array( 'top_up', 'plan', 'bonus', 'usage', 'refund', 'expired', 'adjustment', 'moved' );
const CATEGORIES = array( 'paid', 'bonus', 'recurring' );
const SCOPES     = array( 'site', 'pool' );

/** Five hundred characters, the most the daemon allows in a label, at four bytes each. */
const TEXT_BYTES_MAX = 2000;

/** Ids are 128 characters; the natural key of an account holds an e-mail address. */
const ID_BYTES_MAX = 500;

/** An agency with a thousand sites and a few grants on each. */
const ROWS_MAX = 5000;

/**
 * Reads a wallet feed.
 *
 * @param string $json The body of the answer.
 * @return array|\WP_Error The feed: `wallet`, `unit`, `as_of`, `account`, `site`, `client`, the amounts, `recurring`, `top_up`,
 *                         `status`, `mode`, `breakdown`, `activity`, `usage`, `packages`, `runway`, `expiring`, `links`.
 *                         Times are Unix seconds, amounts decimal strings, addresses http or https or null.
 */
function parse_feed( string $json ) {
	try {
		return read_feed( read_object( json_decode( $json, true, 16 ), 'feed' ) );
	} catch ( \UnexpectedValueException $error ) {
		return new \WP_Error( 'nivella_feed', $error->getMessage() );
	}
}

/**
 * Reads a page of activity.
 *
 * @param string $json The body of the answer.
 * @return array|\WP_Error `items` as in the feed and `next_cursor`, null on the last page.
 */
function parse_activity( string $json ) {
	try {
		$page = read_object( json_decode( $json, true, 16 ), 'activity' );
		return array(
			'items'       => read_list( $page, 'items', __NAMESPACE__ . '\\read_activity_line' ),
			'next_cursor' => isset( $page['next_cursor'] ) ? read_id( $page, 'next_cursor' ) : null,
		);
	} catch ( \UnexpectedValueException $error ) {
		return new \WP_Error( 'nivella_feed', $error->getMessage() );
	}
}

/**
 * Reads any other answer with `$read`.
 *
 * @param string   $json The body.
 * @param callable $read Takes the decoded body; throws when it is not what was asked for.
 * @return array|\WP_Error
 */
function read_body( string $json, callable $read ) {
	try {
		return $read( read_object( json_decode( $json, true, 16 ), 'answer' ) );
	} catch ( \UnexpectedValueException $error ) {
		return new \WP_Error( 'nivella_answer', $error->getMessage() );
	}
}

/**
 * Reads a problem document.
 *
 * @param string $json The body of the answer.
 * @return array|null `code`, `title`, `detail`, `key`, `bound_to`, `origin` and `errors`, which are `pointer` and `detail` of
 *                    each part that is wrong; null when it is something else.
 */
function parse_problem( string $json ): ?array {
	try {
		$problem = read_object( json_decode( $json, true, 16 ), 'problem' );
		return array(
			'code'     => read_id( $problem, 'code' ),
			'title'    => isset( $problem['title'] ) ? read_text( $problem, 'title' ) : '',
			'detail'   => isset( $problem['detail'] ) ? read_text( $problem, 'detail' ) : '',
			'key'      => isset( $problem['key'] ) ? read_text( $problem, 'key' ) : '',
			'bound_to' => isset( $problem['bound_to'] ) ? read_text( $problem, 'bound_to' ) : '',
			'origin'   => isset( $problem['origin'] ) ? read_text( $problem, 'origin' ) : '',
			'errors'   => isset( $problem['errors'] ) ? read_list( $problem, 'errors', __NAMESPACE__ . '\\read_fault' ) : array(),
		);
	} catch ( \UnexpectedValueException $error ) {
		return null;
	}
}

/**
 * What is wrong with one part of a request.
 *
 * @param array $fault A row.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_fault( array $fault ): array {
	return array(
		'pointer' => isset( $fault['pointer'] ) ? read_text( $fault, 'pointer' ) : '',
		'detail'  => read_text( $fault, 'detail' ),
	);
}

/**
 * The feed, field by field.
 *
 * @param array $feed The decoded body.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_feed( array $feed ): array {
	$recurring = read_object( $feed['recurring'] ?? null, 'recurring' );
	$top_up    = read_object( $feed['top_up'] ?? null, 'top_up' );
	$usage     = read_object( $feed['usage'] ?? null, 'usage' );
	$links     = isset( $feed['links'] ) ? read_object( $feed['links'], 'links' ) : array();

	return array(
		'wallet'    => read_id( $feed, 'wallet' ),
		'unit'      => read_unit( $feed ),
		'as_of'     => read_time( $feed, 'as_of' ),
		'account'   => isset( $feed['account'] ) ? read_account( $feed['account'] ) : null,
		'site'      => isset( $feed['site'] ) ? read_site( $feed['site'] ) : null,
		'client'    => isset( $feed['client'] ) ? read_text( $feed, 'client' ) : '',
		'available' => read_amount( $feed, 'available' ),
		'posted'    => read_amount( $feed, 'posted' ),
		'held'      => read_amount( $feed, 'held' ),
		'frozen'    => read_amount( $feed, 'frozen' ),
		'debt'      => read_amount( $feed, 'debt' ),
		'used'      => read_amount( $feed, 'used' ),
		'total'     => read_amount( $feed, 'total' ),
		'recurring' => array(
			'balance'   => read_amount( $recurring, 'balance' ),
			'cap'       => read_amount( $recurring, 'cap' ),
			'renews_at' => isset( $recurring['renews_at'] ) ? read_time( $recurring, 'renews_at' ) : null,
		),
		'top_up'    => array( 'balance' => read_amount( $top_up, 'balance' ) ),
		'status'    => read_word( $feed, 'status', STATUSES ),
		'mode'      => read_word( $feed, 'mode', MODES ),
		'breakdown' => read_list( $feed, 'breakdown', __NAMESPACE__ . '\\read_slice' ),
		'activity'  => read_list( $feed, 'activity', __NAMESPACE__ . '\\read_activity_line' ),
		'usage'     => array(
			'by_day'    => read_list( $usage, 'by_day', __NAMESPACE__ . '\\read_day' ),
			'by_action' => read_list( $usage, 'by_action', __NAMESPACE__ . '\\read_action' ),
		),
		'packages'  => isset( $feed['packages'] ) ? read_list( $feed, 'packages', __NAMESPACE__ . '\\read_package' ) : array(),
		'runway'    => isset( $feed['runway'] ) ? read_runway( $feed['runway'] ) : null,
		'expiring'  => isset( $feed['expiring'] ) ? read_list( $feed, 'expiring', __NAMESPACE__ . '\\read_expiry' ) : array(),
		'alerts'    => isset( $feed['alerts'] ) ? read_list( $feed, 'alerts', __NAMESPACE__ . '\\read_alert' ) : array(),
		'links'     => array(
			'top_up' => read_link( $links, 'top_up' ),
			'docs'   => read_link( $links, 'docs' ),
		),
	);
}

/**
 * Whose wallet it is.
 *
 * @param mixed $account The field.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_account( $account ): array {
	$account = read_object( $account, 'account' );
	return array(
		'id'   => read_id( $account, 'id' ),
		'name' => isset( $account['name'] ) ? read_text( $account, 'name' ) : '',
	);
}

/**
 * Which site the wallet is for.
 *
 * @param mixed $site The field.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_site( $site ): array {
	$site = read_object( $site, 'site' );
	return array(
		'id'     => read_id( $site, 'id' ),
		'label'  => isset( $site['label'] ) ? read_text( $site, 'label' ) : '',
		'client' => isset( $site['client'] ) ? read_text( $site, 'client' ) : '',
	);
}

/**
 * One part of the balance.
 *
 * @param array $slice A row.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_slice( array $slice ): array {
	return array(
		'category'     => read_word( $slice, 'category', CATEGORIES ),
		'label'        => isset( $slice['label'] ) ? read_text( $slice, 'label' ) : '',
		'scope'        => read_word( $slice, 'scope', SCOPES ),
		'amount'       => read_amount( $slice, 'amount' ),
		'remaining'    => read_amount( $slice, 'remaining' ),
		'held'         => read_amount( $slice, 'held' ),
		'effective_at' => read_time( $slice, 'effective_at' ),
		'expires_at'   => isset( $slice['expires_at'] ) ? read_time( $slice, 'expires_at' ) : null,
		'order'        => isset( $slice['order'] ) ? read_id( $slice, 'order' ) : null,
		'site'         => isset( $slice['site'] ) ? read_id( $slice, 'site' ) : null,
	);
}

/**
 * One line of the history.
 *
 * @param array $line A row.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_activity_line( array $line ): array {
	return array(
		'at'      => read_time( $line, 'at' ),
		'kind'    => read_word( $line, 'kind', KINDS ),
		'label'   => read_text( $line, 'label' ),
		'credits' => read_signed_amount( $line, 'credits' ),
		'site'    => isset( $line['site'] ) ? read_id( $line, 'site' ) : null,
		'order'   => isset( $line['order'] ) ? read_id( $line, 'order' ) : null,
	);
}

/**
 * What was used on one day. Below zero when more was given back than taken.
 *
 * @param array $day A row.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_day( array $day ): array {
	return array(
		'from'    => read_time( $day, 'from' ),
		'to'      => read_time( $day, 'to' ),
		'credits' => read_signed_amount( $day, 'credits' ),
	);
}

/**
 * What was used for one thing.
 *
 * @param array $action A row.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_action( array $action ): array {
	return array(
		'action'  => read_text( $action, 'action' ),
		'credits' => read_signed_amount( $action, 'credits' ),
	);
}

/**
 * One thing to buy.
 *
 * @param array $package A row.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_package( array $package ): array {
	return array(
		'product' => isset( $package['product_id'] ) ? read_number( $package, 'product_id' ) : 0,
		'name'    => read_text( $package, 'name' ),
		'credits' => isset( $package['credits'] ) ? read_amount( $package, 'credits' ) : null,
		'price'   => isset( $package['price_html'] ) ? read_price( $package, 'price_html' ) : null,
		'url'     => read_link( $package, 'url' ),
	);
}

/**
 * How long the credits last.
 *
 * @param mixed $runway The field.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_runway( $runway ): array {
	$runway = read_object( $runway, 'runway' );
	return array(
		'days' => read_count( $runway, 'days' ),
		'low'  => read_count( $runway, 'low' ),
		'high' => read_count( $runway, 'high' ),
	);
}

/**
 * What is lost next.
 *
 * @param array $expiry A row.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_expiry( array $expiry ): array {
	return array(
		'at'      => read_time( $expiry, 'at' ),
		'credits' => read_amount( $expiry, 'credits' ),
		'label'   => isset( $expiry['label'] ) ? read_text( $expiry, 'label' ) : '',
	);
}

/**
 * One level that was crossed.
 *
 * @param array $alert A row.
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_alert( array $alert ): array {
	return array(
		'level'  => read_text( $alert, 'level' ),
		'status' => read_word( $alert, 'status', STATUSES ),
		'since'  => isset( $alert['since'] ) ? read_time( $alert, 'since' ) : null,
	);
}

/**
 * The shop's price as text: what to pay, and what it was before when the shop says so.
 *
 * A shop describes a price in HTML, and a reduced one twice: once to see, once to hear. Only text is kept.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @return array{ now: string, was: string }
 * @throws \UnexpectedValueException When it is wrong.
 */
function read_price( array $row, string $name ): array {
	if ( ! is_string( $row[ $name ] ) || strlen( $row[ $name ] ) > 2 * TEXT_BYTES_MAX ) {
		throw new \UnexpectedValueException( "{$name} is not a short text" );
	}
	$html = preg_replace( '#<span[^>]*\bscreen-reader-text\b[^>]*>[^<]*</span>#i', '', $row[ $name ] );
	$was  = preg_match( '#<del\b[^>]*>(.*?)</del>#is', $html, $match ) ? price_text( $match[1] ) : '';
	$now  = price_text( preg_replace( '#<del\b[^>]*>.*?</del>#is', '', $html ) );
	return array(
		'now' => $now,
		'was' => '' === $now ? '' : $was,
	);
}

/**
 * The text of a piece of HTML.
 *
 * @param string $html HTML; what comes back is text and may hold any character.
 */
function price_text( string $html ): string {
	$html = preg_replace( '#<(script|style)\b[^>]*>.*?</\1>#is', '', $html );
	$html = preg_replace( '#<(br|p|div|small|ins)\b#i', ' $0', $html );
	return clean_text( html_entity_decode( preg_replace( '/<[^>]*>/', '', $html ), ENT_QUOTES | ENT_HTML5, 'UTF-8' ) );
}

/**
 * An address that may become a link, or null: anything else than http and https is no link.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @throws \UnexpectedValueException When it is no text at all.
 */
function read_link( array $row, string $name ): ?string {
	if ( ! isset( $row[ $name ] ) ) {
		return null;
	}
	if ( ! is_string( $row[ $name ] ) ) {
		throw new \UnexpectedValueException( "{$name} is not an address" );
	}
	return is_web_address( $row[ $name ] ) ? $row[ $name ] : null;
}

/**
 * Whether a text is an http or https address without a password in it.
 *
 * @param string $text Any text.
 */
function is_web_address( string $text ): bool {
	if ( strlen( $text ) > TEXT_BYTES_MAX || ! preg_match( '#^https?://[^\s<>"\'`\\\\\x00-\x20\x7F]+$#iD', $text ) ) {
		return false;
	}
	// phpcs:ignore WordPress.WP.AlternativeFunctions.parse_url_parse_url -- Pure, and wp_parse_url only adds PHP 5 behaviour.
	$parts = parse_url( $text );
	return is_array( $parts ) && isset( $parts['host'] ) && '' !== $parts['host'] && ! isset( $parts['user'] ) && ! isset( $parts['pass'] );
}

/**
 * A JSON object.
 *
 * @param mixed  $value Anything.
 * @param string $name  What to call it.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_object( $value, string $name ): array {
	if ( ! is_array( $value ) || ( array() !== $value && array_keys( $value ) === range( 0, count( $value ) - 1 ) ) ) {
		throw new \UnexpectedValueException( "{$name} is not an object" );
	}
	return $value;
}

/**
 * A JSON array of objects, each read by `$read`.
 *
 * @param array    $row  A row.
 * @param string   $name Its field.
 * @param callable $read Takes one object.
 * @throws \UnexpectedValueException When it is something else, or too long.
 */
function read_list( array $row, string $name, callable $read ): array {
	$list = $row[ $name ] ?? null;
	if ( ! is_array( $list ) || ( array() !== $list && array_keys( $list ) !== range( 0, count( $list ) - 1 ) ) ) {
		throw new \UnexpectedValueException( "{$name} is not a list" );
	}
	if ( count( $list ) > ROWS_MAX ) {
		throw new \UnexpectedValueException( "{$name} is too long" );
	}
	return array_map(
		static function ( $item ) use ( $name, $read ) {
			return $read( read_object( $item, "a row of {$name}" ) );
		},
		$list
	);
}

/**
 * An amount that is not negative.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_amount( array $row, string $name ): string {
	if ( ! is_decimal( $row[ $name ] ?? null ) ) {
		throw new \UnexpectedValueException( "{$name} is not an amount" );
	}
	return $row[ $name ];
}

/**
 * An amount with or without a sign.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_signed_amount( array $row, string $name ): string {
	if ( ! is_decimal( $row[ $name ] ?? null, true ) ) {
		throw new \UnexpectedValueException( "{$name} is not an amount" );
	}
	return $row[ $name ];
}

/**
 * A whole number, zero or more.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_count( array $row, string $name ): int {
	$count = $row[ $name ] ?? null;
	if ( ! is_int( $count ) || $count < 0 || $count > 1000000 ) {
		throw new \UnexpectedValueException( "{$name} is not a count" );
	}
	return $count;
}

/**
 * A whole number, zero or more, such as the id of a line.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_count_of_any_size( array $row, string $name ): int {
	if ( ! is_int( $row[ $name ] ?? null ) || $row[ $name ] < 0 ) {
		throw new \UnexpectedValueException( "{$name} is not a number" );
	}
	return $row[ $name ];
}

/**
 * The number of something in the shop: a whole number above zero.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_number( array $row, string $name ): int {
	$number = $row[ $name ] ?? null;
	if ( ! is_int( $number ) || $number < 1 ) {
		throw new \UnexpectedValueException( "{$name} is not a number" );
	}
	return $number;
}

/**
 * One of a few words.
 *
 * @param array    $row   A row.
 * @param string   $name  Its field.
 * @param string[] $words The words.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_word( array $row, string $name, array $words ): string {
	if ( ! in_array( $row[ $name ] ?? null, $words, true ) ) {
		throw new \UnexpectedValueException( "{$name} is none of " . implode( ', ', $words ) );
	}
	return $row[ $name ];
}

/**
 * A moment, as Unix seconds.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_time( array $row, string $name ): int {
	$time = $row[ $name ] ?? null;
	if ( is_string( $time )
		&& preg_match( '/^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.\d{1,9})?Z$/D', $time, $at )
		&& checkdate( (int) $at[2], (int) $at[3], (int) $at[1] )
	) {
		return gmmktime( (int) $at[4], (int) $at[5], (int) $at[6], (int) $at[2], (int) $at[3], (int) $at[1] );
	}
	throw new \UnexpectedValueException( "{$name} is not a time" );
}

/**
 * A short text.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_text( array $row, string $name ): string {
	$text = $row[ $name ] ?? null;
	if ( ! is_string( $text ) || strlen( $text ) > TEXT_BYTES_MAX ) {
		throw new \UnexpectedValueException( "{$name} is not a short text" );
	}
	return clean_text( $text );
}

/**
 * A list of short texts.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @return string[]
 * @throws \UnexpectedValueException When it is something else.
 */
function read_texts( array $row, string $name ): array {
	$list = $row[ $name ] ?? null;
	if ( ! is_array( $list ) || count( $list ) > ROWS_MAX ) {
		throw new \UnexpectedValueException( "{$name} is not a list" );
	}
	$texts = array();
	foreach ( array_values( $list ) as $text ) {
		$texts[] = read_text( array( $name => $text ), $name );
	}
	return $texts;
}

/**
 * An id: a text that is not empty and shorter still.
 *
 * @param array  $row  A row.
 * @param string $name Its field.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_id( array $row, string $name ): string {
	$id = read_text( $row, $name );
	if ( '' === $id || strlen( $id ) > ID_BYTES_MAX ) {
		throw new \UnexpectedValueException( "{$name} is not an id" );
	}
	return $id;
}

/**
 * What the shop calls its credits.
 *
 * @param array $feed The feed.
 * @throws \UnexpectedValueException When it is missing or too long for a heading.
 */
function read_unit( array $feed ): string {
	$unit = read_id( $feed, 'unit' );
	if ( strlen( $unit ) > 200 ) {
		throw new \UnexpectedValueException( 'unit is too long' );
	}
	return $unit;
}

/**
 * A text on one line, without control characters and without marks that turn the direction of what follows.
 *
 * @param string $text Any UTF-8 text.
 */
function clean_text( string $text ): string {
	$clean = preg_replace( '/[\x00-\x20\x7F\x{80}-\x{A0}\x{2028}-\x{202E}\x{2066}-\x{2069}]+/u', ' ', $text );
	if ( null === $clean ) {
		throw new \UnexpectedValueException( 'a text is not UTF-8' );
	}
	return trim( $clean );
}
