<?php
/**
 * The Connect part of the settings page: what it shows, and what its buttons do.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const PAIR_ACTION       = 'nivella_credit_wallet_pair';
const MEND_ACTION       = 'nivella_credit_wallet_mend';
const DISCONNECT_ACTION = 'nivella_credit_wallet_disconnect';

/**
 * What the page shows about connecting.
 */
function connect_view(): array {
	return array(
		'is_paired'         => is_paired(),
		'can_pair'          => has_woocommerce() && current_user_can( 'manage_woocommerce' ),
		'is_connected'      => is_connected(),
		'is_plain_http'     => 0 === strpos( settings()['url'], 'http://' ) && ! is_on_this_machine( settings()['url'] ),
		'pair_url'          => admin_url( 'admin-post.php' ),
		'pair_action'       => PAIR_ACTION,
		'pair_nonce'        => wp_create_nonce( PAIR_ACTION ),
		'disconnect_action' => DISCONNECT_ACTION,
		'disconnect_nonce'  => wp_create_nonce( DISCONNECT_ACTION ),
		'status'            => is_paired() ? status_view() : null,
	);
}

/**
 * Whether an address is this very machine's, where nobody can listen in.
 *
 * @param string $url An address.
 */
function is_on_this_machine( string $url ): bool {
	$origin = origin_parts( $url );
	return null !== $origin && ( 'localhost' === $origin['host'] || '[::1]' === $origin['host'] || 0 === strpos( $origin['host'], '127.' ) );
}

/**
 * The little style that only this page needs.
 *
 * @param string $hook_suffix The page.
 */
function enqueue_connect_style( string $hook_suffix ): void {
	if ( false !== strpos( $hook_suffix, SETTINGS_PAGE ) ) {
		wp_enqueue_style( 'nivella-credit-wallet-connect', plugins_url( 'assets/connect.css', FILE ), array( STYLE ), VERSION );
	}
}

/**
 * Ends a request that was not meant, not allowed, or is none of a button.
 *
 * @param string $action The act.
 */
function require_act( string $action ): void {
	check_admin_referer( $action );
	if ( ! current_user_can( settings_capability() ) || 'POST' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) ) {
		wp_die( esc_html__( 'You may not change these settings.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
}

/**
 * Leaves a result for the page, and goes there.
 *
 * @param array $result array{ ok: bool, code: string, reason: string, remedy: string }.
 */
function back_with( array $result ): void {
	leave_result( 'settings', $result );
	wp_safe_redirect( settings_url() );
	exit;
}

/**
 * Connects this shop, because the button was pressed.
 */
function handle_pair(): void {
	require_act( PAIR_ACTION );
	if ( has_woocommerce() && ! current_user_can( 'manage_woocommerce' ) ) {
		wp_die( esc_html__( 'You may not change this shop.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
	// phpcs:ignore WordPress.Security -- Checked by parse_pairing_code(), letter by letter; the nonce was checked above.
	$typed = isset( $_POST['code'] ) && is_string( $_POST['code'] ) ? substr( wp_unslash( $_POST['code'] ), 0, 2000 ) : '';
	$code = parse_pairing_code( $typed );
	if ( ! is_wp_error( $code ) && ! may_name_address( $code['url'] ) ) {
		back_with( test_failed( 'nivella_network_only', network_only(), __( 'Ask them to connect this shop.', 'nivella-credit-wallet' ) ) );
	}
	back_with( pairing_result( pair( $typed, get_current_user_id() ) ) );
}

/**
 * What to say after a pairing.
 *
 * @param array|\WP_Error $shop From `pair()`.
 */
function pairing_result( $shop ): array {
	if ( is_wp_error( $shop ) ) {
		$why = explain_pairing( $shop );
		return test_failed( (string) $shop->get_error_code(), $why['reason'], $why['remedy'] );
	}
	return array(
		'ok'     => true,
		'code'   => 'ok',
		'reason' => sprintf(
			/* translators: 1: store name, 2: number of webhooks. */
			__( 'Connected as the shop "%1$s". %2$s webhooks were set up, and a signed test delivery was accepted.', 'nivella-credit-wallet' ),
			settings()['store'],
			number_format_i18n( count( $shop['webhooks'] ) )
		),
		'remedy' => __( 'Paid orders with credits show up in the wallet within a second.', 'nivella-credit-wallet' ),
	);
}

/**
 * Mends the webhooks and tries the connection out, because the button was pressed.
 */
function handle_mend(): void {
	require_act( MEND_ACTION );
	back_with( mend() );
}

/**
 * Sets every webhook right, sends a test delivery, and delivers what waits.
 *
 * @return array{ ok: bool, code: string, reason: string, remedy: string }
 */
function mend(): array {
	$shop = shop();
	if ( array() === $shop || ! has_woocommerce() ) {
		$why = explain_pairing( new \WP_Error( array() === $shop ? 'nivella_not_paired' : 'nivella_no_woocommerce' ) );
		return test_failed( array() === $shop ? 'nivella_not_paired' : 'nivella_no_woocommerce', $why['reason'], $why['remedy'] );
	}
	if ( is_copy() ) {
		return test_failed( 'nivella_copy', copy_words(), copy_remedy() );
	}
	forget_failures();
	forget_options( array( 'fresh_store_' ) );
	try {
		$shop   = mend_webhooks( $shop );
		$probed = refused_address( $shop['webhook_url'] ) ?? probe( $shop );
	} catch ( \Throwable $error ) {
		$probed = new \WP_Error( 'nivella_not_saved', $error->getMessage() );
	}
	if ( is_wp_error( $probed ) ) {
		remember_fault( 'probe', 0, $probed );
		$why = explain_delivery( $probed );
		return test_failed( (string) $probed->get_error_code(), $why['reason'], $why['remedy'] );
	}
	remember_delivery( 'probe', 0, '' );
	catch_up( CHANGE_WAIT_S );
	return array(
		'ok'     => true,
		'code'   => 'ok',
		'reason' => __( 'All webhooks are active, and a signed test delivery was accepted.', 'nivella-credit-wallet' ),
		'remedy' => __( 'Orders that changed while webhooks were off are found by the wallet service later, or at once with: nivella-wallet reconcile', 'nivella-credit-wallet' ),
	);
}

/**
 * Disconnects, because the button was pressed.
 */
function handle_disconnect(): void {
	require_act( DISCONNECT_ACTION );
	$key_id   = shop()['key_id'] ?? '';
	$was_shop = is_paired();
	$untold   = disconnect();
	if ( $untold ) {
		$why = explain( $untold );
		back_with(
			test_failed(
				'nivella_untold',
				/* translators: %s: why not. */
				sprintf( __( 'Disconnected: nothing is left in this WordPress. But the wallet service could not be told: %s', 'nivella-credit-wallet' ), $why['reason'] ),
				'' === $key_id
					? __( 'Whoever runs it should revoke the key of this shop: nivella-wallet key list, then nivella-wallet key revoke.', 'nivella-credit-wallet' )
					/* translators: %s: id of a key. */
					: sprintf( __( 'Whoever runs it should revoke the key of this shop: nivella-wallet key revoke %s', 'nivella-credit-wallet' ), $key_id )
			)
		);
	}
	back_with(
		array(
			'ok'     => true,
			'code'   => 'disconnected',
			'reason' => $was_shop ? __( 'Disconnected. The webhooks, the REST key and the key of this shop are gone.', 'nivella-credit-wallet' ) : __( 'Disconnected. The address and the key are gone.', 'nivella-credit-wallet' ),
			'remedy' => $was_shop ? __( 'The wallets themselves stay as they are; connect again at any time with a new code.', 'nivella-credit-wallet' ) : __( 'The wallet itself stays as it is.', 'nivella-credit-wallet' ),
		)
	);
}

/**
 * Why a pairing failed, and what to do.
 *
 * @param \WP_Error $error From `pair()`.
 * @return array{ reason: string, remedy: string }
 */
function explain_pairing( \WP_Error $error ): array {
	$data     = $error->get_error_data();
	$data     = is_array( $data ) ? $data : array();
	$new_code = __( 'Ask whoever runs the wallet service for a new code: nivella-wallet store pair', 'nivella-credit-wallet' );
	switch ( (string) $error->get_error_code() ) {
		case 'nivella_code_empty':
			$reason = __( 'Nothing was pasted.', 'nivella-credit-wallet' );
			$remedy = __( 'Paste the whole code that nivella-wallet store pair printed. It looks like https://wallet.example.com/pair#nwp_…', 'nivella-credit-wallet' );
			break;
		case 'nivella_code_is_key':
			$reason = __( 'This is a key, not a pairing code.', 'nivella-credit-wallet' );
			$remedy = __( 'On a customer\'s website the key goes into the field Key below. A shop needs a code from: nivella-wallet store pair', 'nivella-credit-wallet' );
			break;
		case 'nivella_code_half':
			$reason = __( 'Only the second half of the code was pasted.', 'nivella-credit-wallet' );
			$remedy = __( 'Paste all of it, from https:// to the end.', 'nivella-credit-wallet' );
			break;
		case 'nivella_code':
			$reason = __( 'This is not a whole pairing code.', 'nivella-credit-wallet' );
			$remedy = __( 'Copy it again, from https:// to the end. It looks like https://wallet.example.com/pair#nwp_…', 'nivella-credit-wallet' );
			break;
		case 'nivella_no_woocommerce':
			$reason = __( 'WooCommerce is not active in this WordPress.', 'nivella-credit-wallet' );
			$remedy = __( 'Activate WooCommerce first. A customer\'s website needs a key, not a pairing code.', 'nivella-credit-wallet' );
			break;
		case 'nivella_not_paired':
			$reason = __( 'This shop is not connected by a pairing code.', 'nivella-credit-wallet' );
			$remedy = __( 'Connect it first.', 'nivella-credit-wallet' );
			break;
		case 'nivella_owner':
			$reason = __( 'Your user may not see the orders of this shop, so WooCommerce could not read them for the wallet service in your name.', 'nivella-credit-wallet' );
			$remedy = __( 'Connect as an administrator who may manage WooCommerce.', 'nivella-credit-wallet' );
			break;
		case 'nivella_not_saved':
			/* translators: %s: technical detail. */
			$reason = sprintf( __( 'The connection could not be saved in this WordPress (%s).', 'nivella-credit-wallet' ), $error->get_error_message() );
			$remedy = __( 'Nothing was changed. Check the database of this website, and try again with a new code.', 'nivella-credit-wallet' );
			break;
		default:
			if ( 'pairing_ended' === ( $data['code'] ?? '' ) ) {
				$reason = __( 'The code is no longer valid: it was used already, has expired, or a newer one was made.', 'nivella-credit-wallet' );
				$remedy = $new_code;
			} elseif ( 'store_elsewhere' === ( $data['code'] ?? '' ) ) {
				$reason = __( 'The code is for a shop with another address than this one.', 'nivella-credit-wallet' );
				/* translators: %s: address of this website. */
				$remedy = sprintf( __( 'Ask for a code for this shop: nivella-wallet store pair, with --url %s', 'nivella-credit-wallet' ), trailingslashit( (string) get_option( 'home' ) ) );
			} elseif ( 'probe' === ( $data['stage'] ?? '' ) ) {
				$why    = explain_delivery( $error );
				$reason = __( 'The code was accepted, but the test delivery did not arrive, so everything was undone:', 'nivella-credit-wallet' ) . ' ' . $why['reason'];
				$remedy = $why['remedy'] . ' ' . __( 'Then connect with a new code.', 'nivella-credit-wallet' );
			} elseif ( 'nivella_invalid' === $error->get_error_code() ) {
				/* translators: %s: what the wallet service said. */
				$reason = sprintf( __( 'The wallet service did not accept this shop: %s', 'nivella-credit-wallet' ), $error->get_error_message() );
				$remedy = __( 'Check the addresses under Settings → General of this WordPress.', 'nivella-credit-wallet' );
			} elseif ( 429 === ( $data['status'] ?? 0 ) ) {
				$reason = __( 'There were too many wrong codes.', 'nivella-credit-wallet' );
				$remedy = __( 'Wait a minute, and paste the newest code.', 'nivella-credit-wallet' );
			} elseif ( 'nivella_not_found' === $error->get_error_code() ) {
				$reason = __( 'The wallet service at this address does not know pairing codes.', 'nivella-credit-wallet' );
				$remedy = __( 'Update the wallet service, or check the address at the beginning of the code.', 'nivella-credit-wallet' );
			} else {
				return explain( $error );
			}
	}
	return array(
		'reason' => $reason,
		'remedy' => $remedy,
	);
}

/**
 * Why a delivery did not arrive, and what to do.
 *
 * @param \WP_Error $error From `deliver()`.
 * @return array{ reason: string, remedy: string }
 */
function explain_delivery( \WP_Error $error ): array {
	switch ( (string) $error->get_error_code() ) {
		case 'nivella_unauthorized':
			return array(
				'reason' => __( 'The wallet service refused the signature: it knows another secret, or not this shop.', 'nivella-credit-wallet' ),
				'remedy' => __( 'Connect this shop again with a new code.', 'nivella-credit-wallet' ),
			);
		case 'nivella_refused_address':
			return array(
				/* translators: %s: web address. */
				'reason' => sprintf( __( 'WordPress does not deliver to %s: another plugin forbids it, or the address contains an IPv6 address or a password.', 'nivella-credit-wallet' ), $error->get_error_message() ),
				'remedy' => __( 'Give the wallet service a name, set it as public_url there, and look for a plugin that filters http_request_host_is_external.', 'nivella-credit-wallet' ),
			);
		case 'nivella_body':
			return array(
				/* translators: %s: WooCommerce's name of the error. */
				'reason' => sprintf( __( 'WooCommerce did not show the order to the user the connection was made by (%s).', 'nivella-credit-wallet' ), $error->get_error_message() ),
				'remedy' => __( 'Press Re-enable or Check now as an administrator: from then on orders are read in your name.', 'nivella-credit-wallet' ),
			);
		case 'nivella_facts':
		case 'nivella_lane':
			return array(
				/* translators: %s: technical detail. */
				'reason' => sprintf( __( 'Something went wrong in this WordPress (%s).', 'nivella-credit-wallet' ), $error->get_error_message() ),
				'remedy' => __( 'The order comes with WooCommerce\'s own delivery. If this stays so, look for a plugin that changes WooCommerce\'s REST API.', 'nivella-credit-wallet' ),
			);
	}
	// Deliveries go to the address that the wallet service named, and have limits of their own.
	$data = $error->get_error_data();
	$data = ( is_array( $data ) ? $data : array() ) + array( 'url' => shop()['webhook_url'] ?? settings()['url'] );
	if ( 'nivella_timeout' === $error->get_error_code() ) {
		return array(
			/* translators: %s: host name and port. */
			'reason' => sprintf( __( '%s did not accept the delivery in time.', 'nivella-credit-wallet' ), host_and_port( (string) $data['url'] ) ),
			'remedy' => __( 'Check the firewall between the two machines; the wallet service may also be overloaded. What did not arrive is sent again automatically.', 'nivella-credit-wallet' ),
		);
	}
	return explain( new \WP_Error( $error->get_error_code(), $error->get_error_message(), $data ) );
}
