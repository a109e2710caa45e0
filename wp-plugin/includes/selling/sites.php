<?php
/**
 * Which websites a customer has, and whether credits can be bought for one, as the wallet service knows it.
 *
 * Nothing here ever stops a sale because the service cannot be asked: then only the form of an id counts. The list of a
 * customer's websites is kept for a minute, and for a day in case it cannot be asked for again.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** How long a list is not asked for again. */
const SITES_FRESH_S = 60;

/** How many websites a list shows; whoever has more can type the id. */
const SITES_MAX = 200;

/** Whether a website can be bought for. */
const SITE_OWN       = 'own';
const SITE_NEW       = 'new';
const SITE_FOREIGN   = 'foreign';
const SITE_MALFORMED = 'malformed';
const SITE_UNCHECKED = 'unchecked';

/**
 * Whether a text can be the id of a website.
 *
 * @param mixed $text Anything.
 */
function is_site_id( $text ): bool {
	return is_string( $text ) && 1 === preg_match( '/^[A-Za-z0-9._:-]{1,128}$/D', $text );
}

/**
 * The account of somebody who buys: of a user, else of a guest's address, else ''.
 *
 * @param int    $user_id A WordPress user, or 0.
 * @param string $email   What a guest gave as address.
 */
function buyer_account( int $user_id, string $email = '' ): string {
	if ( ! is_shop() || ( $user_id <= 0 && '' === trim( $email ) ) ) {
		return '';
	}
	return $user_id > 0 ? customer_account( $user_id ) : guest_account( $email );
}

/**
 * The websites of an account, as they were last told; nobody is asked.
 *
 * @param string $account From `buyer_account()`.
 * @return array{ at: int, id: string, sites: array<string, string> } When, the account's own id and labels by site id.
 */
function remembered_sites( string $account ): array {
	$kept = get_transient( sites_name( $account ) );
	if ( is_array( $kept ) && is_int( $kept['at'] ?? null ) && is_string( $kept['id'] ?? null ) && is_array( $kept['sites'] ?? null ) ) {
		return $kept;
	}
	return array(
		'at'    => 0,
		'id'    => '',
		'sites' => array(),
	);
}

/**
 * The websites of an account, asked for when what is known is too old.
 *
 * @param string $account From `buyer_account()`; of '' nothing is known.
 * @param int    $fresh_s How old they may be.
 * @return array{ at: int, id: string, sites: array<string, string>, error: \WP_Error|null } With an error the last ones.
 */
function account_sites( string $account, int $fresh_s = SITES_FRESH_S ): array {
	$known = remembered_sites( $account ) + array( 'error' => null );
	if ( '' === $account || abs( time() - $known['at'] ) < $fresh_s ) {
		return $known;
	}
	$answer = ask_carefully(
		'/v1/sites',
		array(
			'account' => $account,
			'limit'   => SITES_MAX,
		)
	);
	$code   = is_wp_error( $answer ) ? $answer->get_error_code() : '';
	// Who never bought has no account yet, and so no website.
	$told = 'nivella_not_found' === $code ? array( 'id' => '', 'sites' => array() ) : ( '' === $code ? read_site_list( $answer['body'] ) : $answer );
	if ( is_wp_error( $told ) ) {
		$known['error'] = $told;
		return $known;
	}
	$told['at'] = time();
	set_transient( sites_name( $account ), $told, DAY_IN_SECONDS );
	return $told + array( 'error' => null );
}

/**
 * Whether credits can be bought for a website.
 *
 * @param string $site    An id as it was typed.
 * @param string $account Who buys, from `buyer_account()`; of '' only the form is looked at.
 * @return string One of the `SITE_` words.
 */
function check_site( string $site, string $account ): string {
	if ( ! is_site_id( $site ) ) {
		return SITE_MALFORMED;
	}
	if ( '' === $account || ! is_connected() ) {
		return SITE_UNCHECKED;
	}
	$mine = account_sites( $account );
	if ( isset( $mine['sites'][ $site ] ) && null === $mine['error'] ) {
		return SITE_OWN;
	}
	if ( null !== $mine['error'] ) {
		return SITE_UNCHECKED;
	}
	$owner = site_owner( $site );
	if ( is_wp_error( $owner ) ) {
		return SITE_UNCHECKED;
	}
	if ( '' === $owner ) {
		return SITE_NEW;
	}
	if ( $owner !== $mine['id'] && abs( time() - $mine['at'] ) > 1 ) {
		// It may be theirs since a moment ago, by an order that was just paid.
		$mine = account_sites( $account, 0 );
		if ( null !== $mine['error'] ) {
			return SITE_UNCHECKED;
		}
	}
	return $owner === $mine['id'] ? SITE_OWN : SITE_FOREIGN;
}

/**
 * The id of the account a website belongs to, '' for nobody's.
 *
 * @param string $site A website's id.
 * @return string|\WP_Error
 */
function site_owner( string $site ) {
	static $asked = array();
	if ( ! isset( $asked[ $site ] ) ) {
		$answer = ask_carefully( '/v1/sites/' . rawurlencode( $site ) );
		if ( is_wp_error( $answer ) ) {
			$owner = 'nivella_not_found' === $answer->get_error_code() ? '' : $answer;
		} else {
			$told  = json_decode( $answer['body'], true );
			$owner = is_array( $told ) && array_key_exists( 'account', $told ) && ( $told['id'] ?? null ) === $site ? account_id( $told['account'] ) : null;
			$owner = null === $owner ? new \WP_Error( 'nivella_feed', 'The answer is no website.' ) : $owner;
		}
		$asked[ $site ] = $owner;
	}
	return $asked[ $site ];
}

/**
 * Asks the daemon, unless it failed a moment ago.
 *
 * @param string $path  From the first slash on, encoded.
 * @param array  $query Names and values, not encoded.
 * @return array|\WP_Error As `ask()` does.
 */
function ask_carefully( string $path, array $query = array() ) {
	$about = wallet_digest( 'sites' );
	$error = remembered_failure( $about );
	if ( null !== $error ) {
		return $error;
	}
	$answer = ask( $path, $query );
	if ( is_wp_error( $answer ) && ! in_array( $answer->get_error_code(), array( 'nivella_not_found', 'nivella_invalid' ), true ) ) {
		remember_failure( $about, $answer );
	}
	return $answer;
}

/**
 * Reads a list of websites.
 *
 * @param string $json The body of the answer.
 * @return array{ id: string, sites: array<string, string> }|\WP_Error
 */
function read_site_list( string $json ) {
	$told = json_decode( $json, true );
	if ( ! is_array( $told ) || ! is_array( $told['items'] ?? null ) ) {
		return new \WP_Error( 'nivella_feed', 'The answer is no list of websites.' );
	}
	$id    = '';
	$sites = array();
	foreach ( array_slice( $told['items'], 0, SITES_MAX ) as $item ) {
		if ( ! is_array( $item ) || ! is_site_id( $item['id'] ?? null ) || null === account_id( $item['account'] ?? null ) ) {
			return new \WP_Error( 'nivella_feed', 'The list has something that is no website.' );
		}
		$id                   = account_id( $item['account'] );
		$label                = $item['label'] ?? null;
		$sites[ $item['id'] ] = is_string( $label ) ? sanitize_text_field( $label ) : '';
	}
	return array(
		'id'    => $id,
		'sites' => $sites,
	);
}

/**
 * The id in a reference to an account; '' for none, null when it is neither.
 *
 * @param mixed $account From an answer.
 */
function account_id( $account ): ?string {
	if ( null === $account ) {
		return '';
	}
	return is_array( $account ) && is_string( $account['id'] ?? null ) && '' !== $account['id'] ? $account['id'] : null;
}

/**
 * Where the list of an account's websites is kept. Never found under other settings.
 *
 * @param string $account From `buyer_account()`.
 */
function sites_name( string $account ): string {
	return OPTION_PREFIX . 'sites_' . wallet_digest( 'sites:' . $account );
}

/**
 * A website as a customer chooses it.
 *
 * @param string $site  Its id.
 * @param string $label What the customer calls it, or ''.
 */
function site_option_text( string $site, string $label ): string {
	if ( '' === $label || $label === $site ) {
		return $site;
	}
	/* translators: 1: what a website is called, 2: its id. Together for example "Alice's shop (site-123)". */
	return sprintf( _x( '%1$s (%2$s)', 'website and id', 'nivella-credit-wallet' ), $label, $site );
}
