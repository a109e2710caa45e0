<?php
/**
 * Says what went wrong: to staff with the reason and what to do next, to customers with what they can rely on.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * For staff: the exact reason and the next step.
 *
 * @param \WP_Error $error From `ask()` or `parse_feed()`.
 * @return array{ reason: string, remedy: string }
 */
function explain( \WP_Error $error ): array {
	$data = $error->get_error_data();
	$data = is_array( $data ) ? $data : array();
	// While connecting it is not the saved address that was asked.
	$host = host_and_port( is_string( $data['url'] ?? null ) ? $data['url'] : settings()['url'] );

	switch ( $error->get_error_code() ) {
		case 'nivella_not_connected':
			$reason = __( 'The address of the wallet service or the key is missing.', 'nivella-credit-wallet' );
			$remedy = __( 'Enter both in the settings.', 'nivella-credit-wallet' );
			break;
		case 'nivella_copy':
			$reason = copy_words();
			$remedy = copy_remedy();
			break;
		case 'nivella_blocked':
			$reason = __( 'This WordPress is told not to make requests to other servers (WP_HTTP_BLOCK_EXTERNAL).', 'nivella-credit-wallet' );
			/* translators: %s: host name. */
			$remedy = sprintf( __( 'Add %s to WP_ACCESSIBLE_HOSTS in wp-config.php.', 'nivella-credit-wallet' ), $host );
			break;
		case 'nivella_host':
			/* translators: %s: host name. */
			$reason = sprintf( __( 'The name %s cannot be found.', 'nivella-credit-wallet' ), $host );
			$remedy = __( 'Check the spelling of the address and the name server of this machine.', 'nivella-credit-wallet' );
			break;
		case 'nivella_refused':
			/* translators: %s: host name and port. */
			$reason = sprintf( __( 'Nothing answers at %s.', 'nivella-credit-wallet' ), $host );
			$remedy = __( 'Check the port, and that the wallet service is running and may be reached from here (firewall).', 'nivella-credit-wallet' );
			break;
		case 'nivella_timeout':
			/* translators: 1: host name and port, 2: number of seconds. */
			$reason = sprintf( __( '%1$s did not answer within %2$s seconds.', 'nivella-credit-wallet' ), $host, number_format_i18n( WAIT_S, 1 ) );
			$remedy = __( 'Check the address and the firewall between the two machines; the wallet service may also be overloaded.', 'nivella-credit-wallet' );
			break;
		case 'nivella_tls':
			/* translators: %s: host name and port. */
			$reason = sprintf( __( 'No secure connection to %s could be made.', 'nivella-credit-wallet' ), $host );
			$remedy = __( 'Check that the address begins with the right one of https:// and http://, and that the certificate is valid for this name.', 'nivella-credit-wallet' );
			break;
		case 'nivella_not_ready':
			/* translators: %s: host name and port. */
			$reason = sprintf( __( '%s hung up without an answer.', 'nivella-credit-wallet' ), $host );
			$remedy = __( 'Try again in a minute. If it stays so, look into the log of the wallet service or of the proxy in front of it.', 'nivella-credit-wallet' );
			break;
		case 'nivella_redirect':
			$reason = '' === ( $data['location'] ?? '' )
				? __( 'The address forwards to another one. The key is only ever sent to the address that you enter.', 'nivella-credit-wallet' )
				/* translators: %s: web address. */
				: sprintf( __( 'The address forwards to %s. The key is only ever sent to the address that you enter.', 'nivella-credit-wallet' ), $data['location'] );
			$remedy = __( 'If you trust that address, enter it in the settings.', 'nivella-credit-wallet' );
			break;
		case 'nivella_not_daemon':
		case 'nivella_unexpected':
			$reason = isset( $data['status'] )
				/* translators: 1: host name and port, 2: HTTP status. */
				? sprintf( __( 'Something answers at %1$s (HTTP status %2$s), but it is not the wallet service.', 'nivella-credit-wallet' ), $host, (string) $data['status'] )
				/* translators: %s: host name and port. */
				: sprintf( __( 'Something answers at %s, but it is not the wallet service.', 'nivella-credit-wallet' ), $host );
			$remedy = __( 'Check the address, also its port and path.', 'nivella-credit-wallet' );
			break;
		case 'nivella_unauthorized':
			$reason = __( 'The key was refused: it is mistyped, has expired or was revoked.', 'nivella-credit-wallet' );
			$remedy = __( 'Create a new key (nivella-wallet key create) and enter it in the settings.', 'nivella-credit-wallet' );
			break;
		case 'nivella_forbidden':
			$reason = __( 'The key is valid, but it may not read wallets.', 'nivella-credit-wallet' );
			$remedy = __( 'Create a key with the scope site:SITE for a website or admin for a shop.', 'nivella-credit-wallet' );
			break;
		case 'nivella_site_mismatch':
			$reason = '' === ( $data['bound_to'] ?? '' )
				? __( 'The key belongs to another website.', 'nivella-credit-wallet' )
				/* translators: %s: address of a website. */
				: sprintf( __( 'The key belongs to the website %s. This one has another address.', 'nivella-credit-wallet' ), $data['bound_to'] );
			$remedy = '' === ( $data['key'] ?? '' )
				? __( 'Ask the shop whether this website moved or is a copy.', 'nivella-credit-wallet' )
				/* translators: 1: id of a key, 2: address of this website. */
				: sprintf( __( 'If the website moved, the shop runs: nivella-wallet key origin %1$s --moved %2$s. If this is a copy, for tests, it writes --copy instead of --moved.', 'nivella-credit-wallet' ), $data['key'], $data['origin'] ?? '' );
			break;
		case 'nivella_not_found':
			$reason = is_shop()
				? __( 'This customer has no wallet yet.', 'nivella-credit-wallet' )
				: __( 'The key is valid, but there is no wallet for it here.', 'nivella-credit-wallet' );
			$remedy = is_shop()
				/* translators: %s: store name. */
				? sprintf( __( 'It is opened with the first purchase. If there was one, check that the shop is really called "%s" in the wallet service.', 'nivella-credit-wallet' ), settings()['store'] )
				: __( 'If this is the shop, enter its store name in the settings. If it is a customer\'s website, use a key for that website.', 'nivella-credit-wallet' );
			break;
		case 'nivella_busy':
			/* translators: %s: HTTP status. */
			$reason = sprintf( __( 'The wallet service cannot answer just now (HTTP status %s).', 'nivella-credit-wallet' ), (string) ( $data['status'] ?? '503' ) );
			$remedy = __( 'Try again in a minute. If it stays so, look into the log of the wallet service.', 'nivella-credit-wallet' );
			break;
		case 'nivella_invalid':
			$reason = __( 'The wallet service did not understand the question.', 'nivella-credit-wallet' );
			$remedy = __( 'Reset the filters. If it stays so, update this plugin.', 'nivella-credit-wallet' );
			break;
		case 'nivella_feed':
			/* translators: %s: technical detail. */
			$reason = sprintf( __( 'The answer is not a wallet (%s).', 'nivella-credit-wallet' ), $error->get_error_message() );
			$remedy = __( 'Check the address; if it is right, plugin and wallet service do not work together: update the older one.', 'nivella-credit-wallet' );
			break;
		case 'nivella_answer':
			/* translators: %s: technical detail. */
			$reason = sprintf( __( 'The answer is not what was asked for (%s).', 'nivella-credit-wallet' ), $error->get_error_message() );
			$remedy = __( 'Plugin and wallet service do not work together: update the older one.', 'nivella-credit-wallet' );
			break;
		default:
			/* translators: 1: host name and port, 2: technical detail. */
			$reason = sprintf( __( 'No connection to %1$s (%2$s).', 'nivella-credit-wallet' ), $host, $error->get_error_message() );
			$remedy = __( 'Check the address, and that the wallet service is running.', 'nivella-credit-wallet' );
	}
	return array(
		'reason' => $reason,
		'remedy' => $remedy,
	);
}

/**
 * The host of an address, with its port if it names one.
 *
 * @param string $url An address.
 */
function host_and_port( string $url ): string {
	$parts = (array) wp_parse_url( $url );
	return ( $parts['host'] ?? '' ) . ( isset( $parts['port'] ) ? ':' . $parts['port'] : '' );
}

/**
 * Tries the saved settings out.
 *
 * @return array{ ok: bool, code: string, reason: string, remedy: string }
 */
function test_connection(): array {
	// Whoever tries it out wants to know how it is now, not how it was half a minute ago.
	forget_failures();
	$answer = ask( '/v1/wallets/' . OWN_WALLET . '/feed' );
	$code   = is_wp_error( $answer ) ? (string) $answer->get_error_code() : '';
	if ( 'nivella_not_found' === $code ) {
		return is_shop() ? shop_works() : test_failed( 'nivella_shop_key', __( 'The key works, but it has no wallet of its own: it is a key for a shop.', 'nivella-credit-wallet' ), __( 'If this is the shop, enter its store name. If it is a customer\'s website, use a key for that website (scope site:SITE).', 'nivella-credit-wallet' ) );
	}

	$feed = '' === $code ? parse_feed( $answer['body'] ) : $answer;
	if ( is_wp_error( $feed ) ) {
		$why = explain( $feed );
		return test_failed( (string) $feed->get_error_code(), $why['reason'], $why['remedy'] );
	}
	if ( is_shop() ) {
		return test_failed(
			'nivella_site_key',
			/* translators: %s: name of the wallet the key stands for. */
			sprintf( __( 'The key works, but it only opens one wallet: %s.', 'nivella-credit-wallet' ), wallet_name( $feed ) ),
			__( 'A shop needs a key with the scope admin. If this is a customer\'s website, clear the store name.', 'nivella-credit-wallet' )
		);
	}
	return array(
		'ok'     => true,
		'code'   => 'ok',
		/* translators: 1: name of a wallet, 2: amount with unit, like "1,250 AI Credits". */
		'reason' => sprintf( __( 'Connected to the wallet of %1$s: %2$s can be used.', 'nivella-credit-wallet' ), wallet_name( $feed ), with_unit( show_available( $feed['available'] ), $feed['unit'] ) ),
		'remedy' => '',
	);
}

/**
 * The result for a key that works and has no wallet of its own, on a shop.
 */
function shop_works(): array {
	return array(
		'ok'     => true,
		'code'   => 'ok',
		/* translators: %s: store name. */
		'reason' => sprintf( __( 'Connected as the shop "%s". Each customer sees their own wallet.', 'nivella-credit-wallet' ), settings()['store'] ),
		'remedy' => __( 'To be sure of the store name, look up a customer who has bought credits under AI Credits.', 'nivella-credit-wallet' ),
	);
}

/**
 * A result that is not good.
 *
 * @param string $code   A stable name for it.
 * @param string $reason What is wrong.
 * @param string $remedy What to do.
 */
function test_failed( string $code, string $reason, string $remedy ): array {
	return array(
		'ok'     => false,
		'code'   => $code,
		'reason' => $reason,
		'remedy' => $remedy,
	);
}

/**
 * What a person would call a wallet.
 *
 * @param array $feed A feed.
 */
function wallet_name( array $feed ): string {
	$owner = wallet_owner( $feed );
	return '' === $owner ? $feed['wallet'] : $owner;
}
