<?php
/**
 * What staff of the shop ask the daemon for: accounts, sites and orders, checked field by field as the feed is.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Asks the daemon for something that `$read` understands.
 *
 * @param string   $path  From the first slash on, encoded.
 * @param array    $query Names and values, not encoded.
 * @param callable $read  Takes the decoded body; throws when it is not what was asked for.
 * @return array|\WP_Error
 */
function staff_ask( string $path, array $query, callable $read ) {
	$answer = ask( $path, $query );
	return is_wp_error( $answer ) ? $answer : read_body( $answer['body'], $read );
}

/**
 * A page of accounts.
 *
 * @param array $query `query`, `filter`, `sort`, `limit`, `cursor`.
 * @return array|\WP_Error `items`, `next_cursor`, `prev_cursor`, `total`.
 */
function staff_accounts( array $query ) {
	return staff_ask(
		'/v1/accounts',
		$query,
		static function ( array $page ) {
			return read_page( $page, __NAMESPACE__ . '\\read_account_row' );
		}
	);
}

/**
 * The accounts whose sites fit a search, as a page of its own.
 *
 * @param string $search What was typed.
 * @return array|\WP_Error `items`, `next_cursor`, `prev_cursor`, `total`.
 */
function staff_accounts_of_sites( string $search ) {
	$sites = staff_ask(
		'/v1/sites',
		array(
			'query' => $search,
			'limit' => '50',
		),
		static function ( array $page ): array {
			return read_list( $page, 'items', __NAMESPACE__ . '\\read_owned_site' );
		}
	);
	if ( is_wp_error( $sites ) ) {
		return $sites;
	}
	$items = array();
	foreach ( $sites as $site ) {
		$owner = $site['account']['id'] ?? '';
		if ( '' === $owner || isset( $items[ $owner ] ) || count( $items ) === LOOKED_UP_MAX ) {
			continue;
		}
		$account = staff_account( $owner );
		if ( ! is_wp_error( $account ) ) {
			$items[ $owner ] = $account;
		}
	}
	return array(
		'items'       => array_values( $items ),
		'next_cursor' => null,
		'prev_cursor' => null,
		'total'       => count( $items ),
	);
}

/**
 * One account with its sites.
 *
 * @param string $account An account's id, or its name in the store.
 * @return array|\WP_Error
 */
function staff_account( string $account ) {
	return staff_ask( '/v1/accounts/' . rawurlencode( $account ), array(), __NAMESPACE__ . '\\read_account_detail' );
}

/**
 * Whose a site is.
 *
 * @param string $site A site's id.
 * @return array|\WP_Error
 */
function staff_site( string $site ) {
	return staff_ask( '/v1/sites/' . rawurlencode( $site ), array(), __NAMESPACE__ . '\\read_owned_site' );
}

/**
 * A page of orders.
 *
 * @param array $query `state`, `query`, `limit`, `cursor`.
 * @return array|\WP_Error `items`, `next_cursor`, `prev_cursor`, `total`.
 */
function staff_orders( array $query ) {
	return staff_ask(
		'/v1/orders',
		array( 'store' => settings()['store'] ) + $query,
		static function ( array $page ) {
			return read_page( $page, __NAMESPACE__ . '\\read_order_row' );
		}
	);
}

/**
 * Why an order granted what it did.
 *
 * @param int $order An order of this shop.
 * @return array|\WP_Error
 */
function staff_story( int $order ) {
	return staff_ask( order_path( $order ), array(), __NAMESPACE__ . '\\read_story' );
}

/**
 * An order's path.
 *
 * @param int $order An order of this shop.
 */
function order_path( int $order ): string {
	return '/v1/orders/' . rawurlencode( settings()['store'] ) . '/' . $order;
}

/**
 * What a refund would take back. Writes nothing, so it needs no key that makes it happen once, and takes no longer than a
 * page may.
 *
 * @param int   $order An order of this shop.
 * @param array $body  `amount` and perhaps `lines` and `other`.
 * @return array|\WP_Error
 */
function staff_refund_preview( int $order, array $body ) {
	$failure = remembered_failure( '' );
	if ( null !== $failure ) {
		return $failure;
	}
	$response = send_request(
		'POST',
		order_path( $order ) . '/refund-preview',
		array( 'Content-Type' => 'application/json' ),
		array(
			'timeout' => WAIT_S,
			'body'    => (string) wp_json_encode( $body ),
		)
	);
	$answer   = read_answer( $response, array( 200 ) );
	if ( is_wp_error( $answer ) ) {
		if ( is_silence( $answer ) ) {
			remember_failure( '', $answer );
		}
		return $answer;
	}
	return read_body( $answer['body'], __NAMESPACE__ . '\\read_preview' );
}

/**
 * A page of a list.
 *
 * @param array    $page The decoded body.
 * @param callable $read Takes one row.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_page( array $page, callable $read ): array {
	return array(
		'items'       => read_list( $page, 'items', $read ),
		'next_cursor' => isset( $page['next_cursor'] ) ? read_id( $page, 'next_cursor' ) : null,
		'prev_cursor' => isset( $page['prev_cursor'] ) ? read_id( $page, 'prev_cursor' ) : null,
		'total'       => isset( $page['total'] ) ? read_count( $page, 'total' ) : null,
	);
}

/**
 * One account of the list.
 *
 * @param array $row A row.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_account_row( array $row ): array {
	return array(
		'id'            => read_id( $row, 'id' ),
		'name'          => isset( $row['name'] ) ? read_text( $row, 'name' ) : '',
		'names'         => read_texts( $row, 'names' ),
		'available'     => read_amount( $row, 'available' ),
		'debt'          => read_amount( $row, 'debt' ),
		'used'          => read_signed_amount( $row, 'used' ),
		'status'        => read_word( $row, 'status', STATUSES ),
		'site_count'    => read_count( $row, 'site_count' ),
		'frozen_reason' => isset( $row['frozen_reason'] ) ? read_text( $row, 'frozen_reason' ) : null,
		'created_at'    => read_time( $row, 'created_at' ),
	);
}

/**
 * One account in full.
 *
 * @param array $account The decoded body.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_account_detail( array $account ): array {
	$freeze = isset( $account['freeze'] ) ? read_object( $account['freeze'], 'freeze' ) : null;
	return read_account_row( $account ) + array(
		'sites'  => read_list(
			$account,
			'sites',
			static function ( array $site ) {
				return read_site( $site ) + array( 'available' => read_amount( $site, 'available' ) );
			}
		),
		'freeze' => null === $freeze ? null : array(
			'reason' => isset( $freeze['reason'] ) ? read_text( $freeze, 'reason' ) : '',
			'at'     => isset( $freeze['at'] ) ? read_time( $freeze, 'at' ) : null,
		),
	);
}

/**
 * A site and whose it is.
 *
 * @param array $site The decoded body.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_owned_site( array $site ): array {
	return read_site( $site ) + array( 'account' => isset( $site['account'] ) ? read_account( $site['account'] ) : null );
}

/**
 * One order of the list.
 *
 * @param array $row A row.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_order_row( array $row ): array {
	return array(
		'order'       => read_order_id( $row ),
		'number'      => read_text( $row, 'number' ),
		'status'      => read_text( $row, 'status' ),
		'summary'     => read_text( $row, 'summary' ),
		'buyer'       => isset( $row['buyer'] ) ? read_text( $row, 'buyer' ) : '',
		'account'     => isset( $row['account'] ) ? read_account( $row['account'] ) : null,
		'granted'     => read_amount( $row, 'granted' ),
		'parked'      => isset( $row['parked'] ) ? read_text( $row, 'parked' ) : '',
		'attention'   => isset( $row['attention'] ) ? read_text( $row, 'attention' ) : '',
		'modified_at' => read_time( $row, 'modified_at' ),
	);
}

/**
 * The story of an order, as far as it is told to staff.
 *
 * @param array $story The decoded body.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_story( array $story ): array {
	return array(
		'order'       => read_order_id( $story ),
		'number'      => read_text( $story, 'number' ),
		'summary'     => read_text( $story, 'summary' ),
		'status'      => read_text( $story, 'status' ),
		'meaning'     => read_text( $story, 'meaning' ),
		'paid_at'     => isset( $story['paid_at'] ) ? read_time( $story, 'paid_at' ) : null,
		'modified_at' => read_time( $story, 'modified_at' ),
		'applied_at'  => read_time( $story, 'applied_at' ),
		'buyer'       => isset( $story['buyer'] ) ? read_text( $story, 'buyer' ) : '',
		'account'     => isset( $story['account'] ) ? read_account( $story['account'] ) : null,
		'parked'      => isset( $story['parked'] ) ? read_text( $story, 'parked' ) : '',
		'attention'   => isset( $story['attention'] ) ? read_text( $story, 'attention' ) : '',
		'missing'     => read_list(
			$story,
			'missing',
			static function ( array $row ) {
				return array(
					'step'   => read_text( $row, 'step' ),
					'what'   => read_text( $row, 'what' ),
					'remedy' => isset( $row['remedy'] ) ? read_text( $row, 'remedy' ) : '',
				);
			}
		),
		'lines'       => read_list( $story, 'lines', __NAMESPACE__ . '\\read_story_line' ),
		'grants'      => read_list( $story, 'grants', __NAMESPACE__ . '\\read_story_grant' ),
		'entries'     => read_list(
			$story,
			'entries',
			static function ( array $row ) {
				return array(
					'at'   => isset( $row['at'] ) ? read_time( $row, 'at' ) : null,
					'line' => read_count_of_any_size( $row, 'line' ),
					'says' => read_text( $row, 'says' ),
				);
			}
		),
		'deliveries'  => read_list(
			$story,
			'deliveries',
			static function ( array $row ) {
				return array(
					'received_at' => read_time( $row, 'received_at' ),
					'topic'       => isset( $row['topic'] ) ? read_text( $row, 'topic' ) : '',
					'result'      => isset( $row['result'] ) ? read_text( $row, 'result' ) : '',
					'reason'      => isset( $row['reason'] ) ? read_text( $row, 'reason' ) : '',
				);
			}
		),
	);
}

/**
 * One line of an order.
 *
 * @param array $row A row.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_story_line( array $row ): array {
	$site = isset( $row['site'] ) ? read_object( $row['site'], 'site' ) : null;
	return array(
		'line'       => read_count_of_any_size( $row, 'line' ),
		'name'       => read_text( $row, 'name' ),
		'quantity'   => isset( $row['quantity'] ) ? read_text( $row, 'quantity' ) : '',
		'total'      => isset( $row['total'] ) ? read_text( $row, 'total' ) : '',
		'is_tokens'  => true === ( $row['is_tokens'] ?? null ),
		'worth'      => isset( $row['worth'] ) ? read_text( $row, 'worth' ) : '',
		'site_why'   => null === $site ? '' : read_text( $site, 'why' ),
		'target'     => read_amount( $row, 'target' ),
		'booked'     => read_amount( $row, 'booked' ),
		'arithmetic' => isset( $row['arithmetic'] ) ? read_text( $row, 'arithmetic' ) : '',
		'says'       => read_text( $row, 'says' ),
	);
}

/**
 * One grant of an order.
 *
 * @param array $row A row.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_story_grant( array $row ): array {
	$grant = array( 'line' => isset( $row['line'] ) ? read_count_of_any_size( $row, 'line' ) : 0 );
	foreach ( array( 'credits', 'spent', 'clawed', 'expired', 'remaining' ) as $name ) {
		$grant[ $name ] = read_amount( $row, $name );
	}
	// What paid a debt was used before.
	$grant['spent'] = isset( $row['repaid'] ) ? decimal_add( $grant['spent'], read_amount( $row, 'repaid' ) ) : $grant['spent'];
	return $grant + array( 'expires_at' => isset( $row['expires_at'] ) ? read_time( $row, 'expires_at' ) : null );
}

/**
 * What a refund would take back.
 *
 * @param array $preview The decoded body.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_preview( array $preview ): array {
	$figures = static function ( array $row ): array {
		$read = array();
		foreach ( array( 'granted', 'used', 'left', 'takes_back', 'shortfall' ) as $name ) {
			$read[ $name ] = read_amount( $row, $name );
		}
		return $read;
	};
	return $figures( $preview ) + array(
		'shortfall_policy' => isset( $preview['shortfall_policy'] ) ? read_text( $preview, 'shortfall_policy' ) : '',
		'attention'        => isset( $preview['attention'] ) ? read_text( $preview, 'attention' ) : '',
		'lines'            => ! isset( $preview['lines'] ) ? array() : read_list(
			$preview,
			'lines',
			static function ( array $row ) use ( $figures ) {
				return $figures( $row ) + array( 'name' => isset( $row['name'] ) ? read_text( $row, 'name' ) : '' );
			}
		),
	);
}

/**
 * The order a row is about; the daemon writes ids as text.
 *
 * @param array $row A row.
 * @throws \UnexpectedValueException When it is something else.
 */
function read_order_id( array $row ): int {
	$id = $row['order'] ?? null;
	if ( is_int( $id ) ) {
		$id = (string) $id;
	}
	if ( ! is_string( $id ) || 1 !== preg_match( '/^[1-9][0-9]{0,17}$/D', $id ) ) {
		throw new \UnexpectedValueException( 'order is not an id' );
	}
	return (int) $id;
}
