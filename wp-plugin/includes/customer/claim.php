<?php
/**
 * What somebody bought as a guest becomes theirs once they have an account.
 *
 * The link `?nivella_claim=…` leads to My Account. It carries either a token of the wallet service (`account claim-link`), or
 * one that this shop made for an order. The shop's own is what stands in e-mails: it can be made without asking anybody, so no
 * e-mail ever waits for the wallet service, and it is there although the service does not know the order yet. It is exchanged
 * for the service's token when it is used.
 *
 * Either brings all that was ever bought with an address, so it only ever goes to that address. Whoever sees the page after
 * checkout has typed an address, and has not shown that it is theirs.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The parameter of the link. */
const CLAIM_FIELD = 'nivella_claim';

/** Confirms a claim. */
const CLAIM_ACTION = 'nivella_credit_wallet_claim';

/** How long the shop's own links are good. As long as the service's. */
const CLAIM_DAYS = 30;

/**
 * The token of the address, '' when there is none that could be one.
 *
 * @param mixed $value What was sent.
 */
function claim_token( $value ): string {
	$token = is_string( $value ) ? trim( wp_unslash( $value ) ) : '';
	return preg_match( '/^[A-Za-z0-9._~-]{10,256}$/D', $token ) ? $token : '';
}

/**
 * The token that this request carries, or ''.
 */
function asked_claim(): string {
	// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- Only decides whether to ask; the answer has a nonce.
	return has_account_page() && isset( $_GET[ CLAIM_FIELD ] ) ? claim_token( $_GET[ CLAIM_FIELD ] ) : '';
}

/**
 * The address of the link.
 *
 * @param string $token A token.
 */
function claim_url( string $token ): string {
	return add_query_arg( CLAIM_FIELD, rawurlencode( $token ), function_exists( 'wc_get_page_permalink' ) ? wc_get_page_permalink( 'myaccount' ) : home_url( '/' ) );
}

/**
 * Leads from wherever a link of the wallet service points, usually the front page, to My Account.
 */
function lead_to_claim(): void {
	$token = asked_claim();
	if ( '' !== $token && function_exists( 'is_account_page' ) && ! is_account_page() ) {
		wp_safe_redirect( claim_url( $token ) );
		exit;
	}
}

/**
 * Above the forms to log in and to register: why they are there.
 */
function show_claim_login(): void {
	if ( '' !== asked_claim() ) {
		wp_enqueue_style( STYLE );
		show( 'account-claim-login', array( 'may_register' => 'yes' === get_option( 'woocommerce_enable_myaccount_registration' ) ) );
	}
}

/**
 * Inside those forms: where to go afterwards.
 */
function show_claim_return(): void {
	$token = asked_claim();
	if ( '' !== $token ) {
		show( 'account-claim-return', array( 'url' => claim_url( $token ) ) );
	}
}

/**
 * On top of My Account: the question whether to claim, and afterwards what came of it.
 */
function show_claim(): void {
	if ( ! has_account_page() || ! is_user_logged_in() ) {
		return;
	}
	$result = take_result( 'claim' );
	$token  = asked_claim();
	if ( is_array( $result ) && is_string( $result['text'] ?? null ) ) {
		wp_enqueue_style( STYLE );
		show(
			'account-claim-result',
			array(
				'ok'   => true === ( $result['ok'] ?? false ),
				'code' => (string) ( $result['code'] ?? '' ),
				'text' => $result['text'],
				'url'  => account_page_url(),
			)
		);
	}
	if ( '' !== $token ) {
		wp_enqueue_style( STYLE );
		show(
			'account-claim',
			array(
				'url'    => admin_url( 'admin-post.php' ),
				'action' => CLAIM_ACTION,
				'token'  => $token,
				'once'   => wp_generate_uuid4(),
				'nonce'  => wp_create_nonce( CLAIM_ACTION ),
				'who'    => (string) wp_get_current_user()->user_email,
				'logout' => wp_logout_url( claim_url( $token ) ),
			)
		);
	}
}

/**
 * Claims, because the button was pressed.
 */
function handle_claim(): void {
	check_admin_referer( CLAIM_ACTION );
	if ( 'POST' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) || ! is_user_logged_in() || ! has_account_page() ) {
		wp_die( esc_html__( 'Please use the button on the page to do this.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
	$token  = claim_token( $_POST['token'] ?? '' );
	$once   = $_POST['once'] ?? '';
	$result = claim( $token, get_current_user_id(), is_string( $once ) ? wp_unslash( $once ) : '' );
	leave_result( 'claim', $result );
	if ( $result['ok'] ) {
		drop_short_cache( customer_wallet_path( get_current_user_id() ), false );
	}
	// What may work in a minute can be tried again from the same page.
	wp_safe_redirect( $result['again'] ? claim_url( $token ) : account_page_url() );
	exit;
}

/**
 * Claims a guest's credits for a customer.
 *
 * @param string $token   From the link.
 * @param int    $user_id The customer.
 * @param string $once    What is the same when the same button is pressed twice.
 * @return array{ ok: bool, code: string, text: string, again: bool }
 */
function claim( string $token, int $user_id, string $once ): array {
	$token = 0 === strpos( $token, 'order.' ) ? exchange_claim( $token ) : ( '' === $token ? new \WP_Error( 'nivella_claim', '', array( 'code' => 'forged' ) ) : $token );
	if ( is_wp_error( $token ) ) {
		return claim_refused( $token );
	}
	$answer = tell(
		'POST',
		'/v1/claims',
		array(
			'token'   => $token,
			'account' => customer_account( $user_id ),
		),
		// Pressed twice it is the same claim, and has the same answer.
		'claim-' . hash( 'sha256', "{$token} {$user_id} {$once}" )
	);
	if ( is_wp_error( $answer ) ) {
		return claim_refused( $answer );
	}
	$claimed = json_decode( $answer['body'], true );
	$credits = is_array( $claimed ) && is_decimal( $claimed['credits'] ?? null ) ? $claimed['credits'] : '0';
	return array(
		'ok'    => true,
		'code'  => 'claimed',
		'text'  => decimal_is_zero( $credits )
			? __( 'Done: what was bought with this e-mail address belongs to your account now.', 'nivella-credit-wallet' )
			/* translators: %s: number of credits. */
			: sprintf( __( 'Done: %s credits were added to your account.', 'nivella-credit-wallet' ), show_available( $credits ) ),
		'again' => false,
	);
}

/**
 * What a refusal means to a customer.
 *
 * @param \WP_Error $error From `tell()` or `exchange_claim()`.
 */
function claim_refused( \WP_Error $error ): array {
	$data  = $error->get_error_data();
	$code  = is_array( $data ) && is_string( $data['code'] ?? null ) ? $data['code'] : '';
	$texts = array(
		'already_claimed' => __( 'These credits were claimed before. If that was you, they are part of your balance already; if not, please contact the shop.', 'nivella-credit-wallet' ),
		'claim_expired'   => __( 'This link has expired. The credits are safe: please ask the shop for a new link.', 'nivella-credit-wallet' ),
		'invalid_request' => __( 'This link does not belong to this shop, or only a part of it was copied. Please open it from the e-mail again.', 'nivella-credit-wallet' ),
		'frozen'          => __( 'These credits are on hold, so they cannot be claimed now. Please contact the shop.', 'nivella-credit-wallet' ),
		'holds_open'      => __( 'These credits are being used at this moment. Please try again in a few minutes.', 'nivella-credit-wallet' ),
		'not_guest'       => __( 'This order belongs to an account already. Log in with that account to see its credits.', 'nivella-credit-wallet' ),
		'not_there'       => __( 'The credits of this order have not arrived yet. Please try again in a minute.', 'nivella-credit-wallet' ),
	);
	$code  = 'forged' === $code ? 'invalid_request' : $code;
	$known = isset( $texts[ $code ] );
	return array(
		'ok'    => false,
		'code'  => $known ? $code : 'unreachable',
		'text'  => $texts[ $code ] ?? __( 'The wallet service cannot be reached just now. The credits are safe; please try again in a few minutes.', 'nivella-credit-wallet' ),
		'again' => ! $known || in_array( $code, array( 'holds_open', 'not_there' ), true ),
	);
}

/**
 * The token of this shop for an order of a guest.
 *
 * @param \WC_Order $order   An order.
 * @param int       $ends_at Until when it is good.
 */
function order_claim_token( $order, int $ends_at ): string {
	return "order.{$order->get_id()}.{$ends_at}." . order_claim_proof( $order, $ends_at );
}

/**
 * What only this shop can write for this order, this address and this time.
 *
 * @param \WC_Order $order   An order.
 * @param int       $ends_at Until when it is good.
 */
function order_claim_proof( $order, int $ends_at ): string {
	return substr( hash_hmac( 'sha256', implode( '|', array( 'nivella-claim', $order->get_id(), $ends_at, $order->get_order_key(), strtolower( $order->get_billing_email() ) ) ), wp_salt( 'auth' ) ), 0, 40 );
}

/**
 * Exchanges a token of this shop for one of the wallet service.
 *
 * @param string $token A token of this shop.
 * @return string|\WP_Error
 */
function exchange_claim( string $token ) {
	$refused = static function ( string $code ) {
		return new \WP_Error( 'nivella_claim', $code, array( 'code' => $code ) );
	};
	if ( ! preg_match( '/^order\.(\d{1,18})\.(\d{1,11})\.([0-9a-f]{40})$/D', $token, $part ) || ! function_exists( 'wc_get_order' ) ) {
		return $refused( 'forged' );
	}
	$order = wc_get_order( (int) $part[1] );
	if ( ! $order instanceof \WC_Order || ! hash_equals( order_claim_proof( $order, (int) $part[2] ), $part[3] ) ) {
		return $refused( 'forged' );
	}
	if ( (int) $part[2] < time() ) {
		return $refused( 'claim_expired' );
	}
	if ( 0 !== (int) $order->get_customer_id() ) {
		return $refused( 'not_guest' );
	}
	$account = rawurlencode( guest_account( $order->get_billing_email() ) );
	$answer  = tell(
		'POST',
		"/v1/accounts/{$account}/claim-link",
		array(
			'expires_in_days' => CLAIM_DAYS,
			'store'           => settings()['store'],
		)
	);
	if ( is_wp_error( $answer ) ) {
		// An address that is known as a customer's by now has nothing of a guest's left.
		$known = array(
			'nivella_not_found' => 'not_there',
			'nivella_invalid'   => 'already_claimed',
		);
		return isset( $known[ $answer->get_error_code() ] ) ? $refused( $known[ $answer->get_error_code() ] ) : $answer;
	}
	$link  = json_decode( $answer['body'], true );
	$token = is_array( $link ) ? claim_token( $link['token'] ?? '' ) : '';
	return '' === $token ? new \WP_Error( 'nivella_feed', 'no token' ) : $token;
}

/**
 * The link for the order of a guest, or '' where there is nothing to claim.
 *
 * @param mixed $order An order.
 */
function order_claim_url( $order ): string {
	if ( ! has_account_page() || ! $order instanceof \WC_Order || 0 !== (int) $order->get_customer_id() || '' === (string) $order->get_billing_email() || ! $order->is_paid() || ! has_tokens_line( $order ) ) {
		return '';
	}
	return claim_url( order_claim_token( $order, time() + CLAIM_DAYS * DAY_IN_SECONDS ) );
}

/**
 * In a guest's e-mail about an order: how the credits become theirs.
 *
 * @param mixed $order         The order.
 * @param bool  $sent_to_admin Whether it goes to the shop.
 * @param bool  $is_plain      Whether it is plain text.
 */
function show_claim_in_email( $order, $sent_to_admin = false, $is_plain = false ): void {
	$url = $sent_to_admin ? '' : order_claim_url( $order );
	if ( '' !== $url ) {
		show( $is_plain ? 'email-claim-plain' : 'email-claim', claim_link_view( $url ) );
	}
}

/**
 * On the page after checkout: that the link is in the e-mail. Never the link itself, or a small order with somebody else's
 * address would open everything that was bought with it.
 *
 * @param mixed $order_id An order.
 */
function show_claim_after_checkout( $order_id ): void {
	$order = function_exists( 'wc_get_order' ) ? wc_get_order( $order_id ) : null;
	if ( '' !== order_claim_url( $order ) && ! is_user_logged_in() ) {
		wp_enqueue_style( STYLE );
		show( 'account-claim-link', array() );
	}
}

/**
 * What the templates of e-mails see.
 *
 * @param string $url The link.
 */
function claim_link_view( string $url ): array {
	return array(
		'url'  => $url,
		/* translators: %s: number of days. */
		'says' => sprintf( __( 'You bought credits as a guest. Create an account, or log in, to see your balance and what it is used for. The link is good for %s days.', 'nivella-credit-wallet' ), number_format_i18n( CLAIM_DAYS ) ),
	);
}
