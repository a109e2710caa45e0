<?php
/**
 * WordPress's tools for privacy: what is known of a person is handed over, what need not be kept is removed, and the shop finds
 * words for its privacy policy.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** Lines of history in each step of an export. */
const EXPORT_LINES = 100;

/**
 * Adds the exporter.
 *
 * @param mixed $exporters By name.
 */
function add_privacy_exporter( $exporters ): array {
	return (array) $exporters + array(
		'nivella-credit-wallet' => array(
			'exporter_friendly_name' => __( 'AI Credits', 'nivella-credit-wallet' ),
			'callback'               => __NAMESPACE__ . '\\export_personal_data',
		),
	);
}

/**
 * Adds the eraser.
 *
 * @param mixed $erasers By name.
 */
function add_privacy_eraser( $erasers ): array {
	return (array) $erasers + array(
		'nivella-credit-wallet' => array(
			'eraser_friendly_name' => __( 'AI Credits', 'nivella-credit-wallet' ),
			'callback'             => __NAMESPACE__ . '\\erase_personal_data',
		),
	);
}

/**
 * The wallets of a person in this shop: as a customer, and as a guest with that address.
 *
 * @param string $email An address.
 * @return array<string, string> Paths by what they are called here.
 */
function wallets_of_person( string $email ): array {
	if ( ! is_shop() || ! is_connected() ) {
		return array();
	}
	$user  = get_user_by( 'email', $email );
	$paths = $user ? array( 'customer' => customer_wallet_path( $user->ID ) ) : array();
	return $paths + array( 'guest' => account_path( guest_account( $email ) ) );
}

/**
 * One step of an export. It asks the wallet service itself and not what was kept of it; when that cannot be reached the export
 * fails, because half an answer would look like a whole one.
 *
 * @param string $email Whose data.
 * @param int    $page  Which step, from 1.
 * @return array|\WP_Error `data` and `done`.
 */
function export_personal_data( $email, $page = 1 ) {
	$page  = max( 1, (int) $page );
	$data  = 1 === $page ? export_kept( (string) $email ) : array();
	$place = OPTION_PREFIX . 'export_' . substr( hash( 'sha256', strtolower( (string) $email ) ), 0, 32 );
	$left  = 1 === $page ? array_fill_keys( array_keys( wallets_of_person( (string) $email ) ), '' ) : get_transient( $place );
	$left  = is_array( $left ) ? $left : array();
	$paths = wallets_of_person( (string) $email );

	$which = (string) key( $left );
	if ( isset( $paths[ $which ] ) ) {
		$step = export_wallet( $paths[ $which ], $which, (string) $left[ $which ] );
		if ( is_wp_error( $step ) ) {
			return $step;
		}
		$data = array_merge( $data, $step['data'] );
		if ( null === $step['cursor'] ) {
			unset( $left[ $which ] );
		} else {
			$left[ $which ] = $step['cursor'];
		}
	}
	if ( array() === $left ) {
		delete_transient( $place );
	} else {
		set_transient( $place, $left, DAY_IN_SECONDS );
	}
	return array(
		'data' => $data,
		'done' => array() === $left,
	);
}

/**
 * What this WordPress keeps of a person.
 *
 * @param string $email Whose data.
 */
function export_kept( string $email ): array {
	$user = get_user_by( 'email', $email );
	if ( ! $user ) {
		return array();
	}
	$facts = array();
	if ( ! wants_mail( $user->ID ) ) {
		$facts[ __( 'E-mails about low credits', 'nivella-credit-wallet' ) ] = __( 'Turned off', 'nivella-credit-wallet' );
	}
	foreach ( dismissed_crossings( $user->ID ) as $at ) {
		/* translators: %s: date and time. */
		$facts[ sprintf( __( 'Notice about low credits, dismissed on %s', 'nivella-credit-wallet' ), show_moment( $at ) ) ] = __( 'Yes', 'nivella-credit-wallet' );
	}
	return array() === $facts ? array() : array( export_item( 'settings', __( 'AI Credits: settings', 'nivella-credit-wallet' ), 'settings-' . $user->ID, $facts ) );
}

/**
 * A part of a wallet: with the first step its figures, with each some lines of its history.
 *
 * @param string $path   The wallet's path.
 * @param string $which  What it is called here.
 * @param string $cursor Where to go on, '' to begin.
 * @return array|\WP_Error `data` and `cursor`, null at the end.
 */
function export_wallet( string $path, string $which, string $cursor ) {
	$data = array();
	$wait = array( 'timeout' => EXPORT_WAIT_S );
	if ( 'guest' === $which && '' === $cursor ) {
		$is_theirs = is_guest_wallet( $path, $wait );
		if ( is_wp_error( $is_theirs ) ) {
			return export_failed( $is_theirs );
		}
		if ( ! $is_theirs ) {
			return array( 'data' => array(), 'cursor' => null );
		}
	}
	if ( '' === $cursor ) {
		$answer = ask( "/v1/wallets/{$path}/feed", array(), array(), $wait );
		$feed   = is_wp_error( $answer ) ? $answer : parse_feed( $answer['body'] );
		if ( is_wp_error( $feed ) ) {
			return is_unknown_wallet( $feed ) ? array( 'data' => array(), 'cursor' => null ) : export_failed( $feed );
		}
		$facts = array(
			__( 'Wallet', 'nivella-credit-wallet' )     => $feed['wallet'],
			__( 'Name', 'nivella-credit-wallet' )       => $feed['account']['name'] ?? '',
			__( 'Can be used', 'nivella-credit-wallet' ) => with_unit( $feed['available'], $feed['unit'] ),
			__( 'Used', 'nivella-credit-wallet' )       => with_unit( $feed['used'], $feed['unit'] ),
			__( 'Websites', 'nivella-credit-wallet' )   => implode( ', ', sites_of( $feed ) ),
		);
		$data[] = export_item( 'wallet', __( 'AI Credits: wallet', 'nivella-credit-wallet' ), "wallet-{$which}", array_diff( $facts, array( '' ) ) );
	}

	$answer = ask(
		"/v1/wallets/{$path}/activity",
		array(
			'limit'  => EXPORT_LINES,
			'cursor' => $cursor,
		),
		array(),
		$wait
	);
	$lines  = is_wp_error( $answer ) ? $answer : parse_activity( $answer['body'] );
	if ( is_wp_error( $lines ) ) {
		return export_failed( $lines );
	}
	foreach ( $lines['items'] as $i => $line ) {
		$facts  = array(
			__( 'Date', 'nivella-credit-wallet' )    => iso_time( $line['at'] ),
			__( 'Kind', 'nivella-credit-wallet' )    => kind_labels()[ $line['kind'] ],
			__( 'Description', 'nivella-credit-wallet' ) => $line['label'],
			__( 'Credits', 'nivella-credit-wallet' ) => $line['credits'],
			__( 'Website', 'nivella-credit-wallet' ) => (string) $line['site'],
			__( 'Order', 'nivella-credit-wallet' )   => (string) $line['order'],
		);
		$data[] = export_item( 'activity', __( 'AI Credits: history', 'nivella-credit-wallet' ), "activity-{$which}-" . substr( hash( 'sha256', "{$cursor} {$i}" ), 0, 16 ), array_diff( $facts, array( '' ) ) );
	}
	return array(
		'data'   => $data,
		'cursor' => $lines['next_cursor'],
	);
}

/**
 * Whether the wallet of an address is still that of a guest. Once it was claimed it is part of a customer's, who may have
 * another address; what they have and do is not for whoever has this one.
 *
 * @param string $path The wallet's path.
 * @param array  $wait More arguments for the request.
 * @return bool|\WP_Error
 */
function is_guest_wallet( string $path, array $wait ) {
	$answer = ask( '/v1/accounts/' . rawurlencode( substr( rawurldecode( $path ), strlen( 'account:' ) ) ), array(), array(), $wait );
	if ( is_wp_error( $answer ) ) {
		return 'nivella_not_found' === $answer->get_error_code() ? false : $answer;
	}
	$account = read_body( $answer['body'], __NAMESPACE__ . '\\read_account_row' );
	return is_wp_error( $account ) ? $account : person_view( $account['id'], $account['name'], $account['names'] )['is_guest'];
}

/**
 * Why an export cannot go on.
 *
 * @param \WP_Error $error What is wrong.
 */
function export_failed( \WP_Error $error ): \WP_Error {
	$why = explain( $error );
	/* translators: 1: what is wrong, 2: what to do. */
	return new \WP_Error( 'nivella_export', sprintf( __( 'AI Credits: the wallet service could not be asked. %1$s %2$s', 'nivella-credit-wallet' ), $why['reason'], $why['remedy'] ) );
}

/**
 * An item of an export.
 *
 * @param string $group A part of its group's name.
 * @param string $label What the group is called.
 * @param string $id    Its id.
 * @param array  $facts Values by name.
 */
function export_item( string $group, string $label, string $id, array $facts ): array {
	$data = array();
	foreach ( $facts as $name => $value ) {
		$data[] = compact( 'name', 'value' );
	}
	return array(
		'group_id'    => "nivella-credit-wallet-{$group}",
		'group_label' => $label,
		'item_id'     => "nivella-{$id}",
		'data'        => $data,
	);
}

/**
 * Removes what this WordPress keeps of a person, and says what is kept elsewhere and why.
 *
 * @param string $email Whose data.
 * @param int    $page  Which step; there is one.
 */
function erase_personal_data( $email, $page = 1 ): array {
	$removed  = false;
	$retained = false;
	$messages = array();
	$user     = get_user_by( 'email', (string) $email );
	foreach ( wallets_of_person( (string) $email ) as $path ) {
		$was_kept = forget_wallet( $path );
		$removed  = $removed || $was_kept;
		$retained = $retained || $was_kept || is_in_the_books( $path );
	}
	if ( $user ) {
		foreach ( array( MAIL_META, DISMISSED_META ) as $meta ) {
			$removed = delete_user_meta( $user->ID, $meta ) || $removed;
		}
		delete_transient( result_name( 'claim', $user->ID ) );
	}
	if ( $retained ) {
		$messages[] = __( 'AI Credits: purchases and usage are kept in the wallet service, because they are records of money. Whoever runs it can remove name and address there (nivella-wallet account erase); the figures stay without a name.', 'nivella-credit-wallet' );
	}
	return array(
		'items_removed'  => $removed,
		'items_retained' => $retained,
		'messages'       => $messages,
		'done'           => true,
	);
}

/**
 * Whether the wallet service has a wallet; yes when it cannot be asked, because then that may not be denied.
 *
 * @param string $path The wallet's path.
 */
function is_in_the_books( string $path ): bool {
	$answer = ask( "/v1/wallets/{$path}/feed", array(), array(), array( 'timeout' => WAIT_S ) );
	return ! is_wp_error( $answer ) || ! is_unknown_wallet( $answer );
}

/**
 * Suggests words for the privacy policy.
 */
function add_privacy_policy(): void {
	if ( function_exists( 'wp_add_privacy_policy_content' ) ) {
		wp_add_privacy_policy_content( __( 'Nivella Credit Wallet', 'nivella-credit-wallet' ), rendered( 'site-privacy-policy', array( 'is_shop' => is_shop() ) ) );
	}
}
