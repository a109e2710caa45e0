<?php
/**
 * The e-mail that says that credits run low: one of WooCommerce's, so a shop edits it, tries it out and turns it off where it
 * does that with all others. Each customer may turn it off for themselves.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** User meta: `no` for a customer who does not want the e-mail. */
const MAIL_META = OPTION_PREFIX . 'low_credit_mail';

/** Turns the e-mail on and off for a customer. */
const MAIL_ACTION = 'nivella_credit_wallet_mail';

/** What WooCommerce knows the e-mail as. */
const LOW_CREDIT_EMAIL = 'Nivella_Low_Credit';

/**
 * Adds the e-mail to WooCommerce's.
 *
 * @param array $emails By name.
 */
function add_low_credit_email( $emails ): array {
	require_once __DIR__ . '/class-low-credit-email.php';
	return (array) $emails + array( LOW_CREDIT_EMAIL => new Low_Credit_Email() );
}

/**
 * Makes the top-up link of the e-mail a button, in the colours the shop has chosen for its e-mails.
 *
 * @param string         $css   Styles that WooCommerce writes into the e-mail.
 * @param \WC_Email|null $email Which e-mail.
 */
function style_low_credit_email( $css, $email = null ): string {
	if ( ! $email instanceof Low_Credit_Email ) {
		return (string) $css;
	}
	$colour = sanitize_hex_color( (string) get_option( 'woocommerce_email_base_color', '#720eec' ) );
	$colour = null === $colour || '' === $colour ? '#720eec' : $colour;
	$text   = function_exists( 'wc_light_or_dark' ) ? (string) wc_light_or_dark( $colour, '#202020', '#ffffff' ) : '#ffffff';
	return "{$css}
.nivella-mail-button { background-color: {$colour}; border-radius: 4px; color: {$text} !important; display: inline-block; font-weight: bold; padding: 12px 24px; text-decoration: none; }
.nivella-mail-figures { margin: 0 0 16px; width: 100%; }
.nivella-mail-figures th, .nivella-mail-figures td { border-bottom: 1px solid #e5e5e5; padding: 8px 0; text-align: start; vertical-align: top; }
.nivella-mail-figures td { text-align: end; }
.nivella-mail-minor { font-size: 13px; }";
}

/**
 * Sends the e-mail to a customer, unless the shop or the customer has turned it off, or there is nothing to worry about.
 *
 * @param array    $event  From `parse_event()`.
 * @param \WP_User $person The customer.
 * @return string `sent`, `off` or `failed`.
 */
function tell_customer( array $event, \WP_User $person ): string {
	if ( ! wants_mail( $person->ID ) ) {
		return 'off';
	}
	if ( ! function_exists( 'WC' ) || ! is_callable( array( WC(), 'mailer' ) ) ) {
		return 'failed';
	}
	$email = WC()->mailer()->get_emails()[ LOW_CREDIT_EMAIL ] ?? null;
	if ( ! $email instanceof Low_Credit_Email ) {
		return 'failed';
	}
	if ( ! $email->is_enabled() ) {
		return 'off';
	}
	$facts = low_credit_facts( $event );
	if ( null === $facts ) {
		return 'off';
	}
	return $email->trigger( $facts, $person ) ? 'sent' : 'failed';
}

/**
 * What the e-mail tells: the event's figures, and from the wallet itself what it is called and how long it lasts. When that
 * cannot be had the e-mail goes out without it.
 *
 * An event is about credits in one place: those of a website alone, or those that all share. What a customer cares for is
 * whether a website can go on. One whose own credits are used up goes on with the shared ones, and somebody may have topped
 * up since; then nothing is told, or what is true now.
 *
 * @param array $event From `parse_event()`.
 * @return array|null Null when there is nothing to worry about.
 */
function low_credit_facts( array $event ): ?array {
	$answer = ask( '/v1/wallets/' . rawurlencode( $event['wallet'] ) . '/feed', array(), array(), array( 'timeout' => EVENT_WAIT_S ) );
	$feed   = is_wp_error( $answer ) ? null : parse_feed( $answer['body'] );
	$feed   = is_array( $feed ) ? $feed : null;
	$site   = 0 === strpos( $event['wallet'], 'site:' ) ? substr( $event['wallet'], 5 ) : '';
	$now    = null;
	$others = false;
	if ( null !== $feed ) {
		// A website's wallet is all that it can use; of an account's, only the shared credits are what the event is about.
		$here     = '' === $site ? lying_in( $feed )['of:'] : $feed['available'];
		$has_more = decimal_compare( $here, $event['available'] ) > 0;
		if ( $has_more && 'ok' === $feed['status'] ) {
			return null;
		}
		$now    = $has_more && '' !== $site && in_array( $feed['status'], LOW_EVENTS, true ) ? $feed : null;
		$others = '' === $site && decimal_compare( $feed['available'], $here ) > 0;
	}
	return array(
		'status'    => $now['status'] ?? $event['status'],
		'available' => $now['available'] ?? $event['available'],
		'others'    => $others,
		'unit'      => $event['unit'],
		'site'      => $site,
		'site_name' => null !== $feed && null !== $feed['site'] ? wallet_owner( $feed ) : $site,
		'at'        => null === $now ? $event['at'] : time(),
		// How long it lasts is of the wallet as it is now, and of all that is in it.
		'runway'    => null === $feed || $others ? '' : runway_sentence( $feed ),
	);
}

/**
 * Whether a customer wants the e-mail. Yes, until they say no.
 *
 * @param int $user_id A WordPress user.
 */
function wants_mail( int $user_id ): bool {
	return 'no' !== get_user_meta( $user_id, MAIL_META, true );
}

/**
 * The page of a customer's wallet.
 */
function account_page_url(): string {
	return function_exists( 'wc_get_account_endpoint_url' ) ? wc_get_account_endpoint_url( ACCOUNT_ENDPOINT ) : home_url( '/' );
}

/**
 * The setting below the wallet in My Account.
 */
function mail_setting_view(): array {
	return array(
		'url'    => admin_url( 'admin-post.php' ),
		'action' => MAIL_ACTION,
		'nonce'  => wp_create_nonce( MAIL_ACTION ),
		'wants'  => wants_mail( get_current_user_id() ),
		'email'  => (string) wp_get_current_user()->user_email,
		'saved'  => 'saved' === take_result( 'mail' ),
	);
}

/**
 * Saves the setting.
 */
function handle_mail_setting(): void {
	check_admin_referer( MAIL_ACTION );
	if ( 'POST' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) || ! is_user_logged_in() || ! has_account_page() ) {
		wp_die( esc_html__( 'Please use the button on the page to do this.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
	$user_id = get_current_user_id();
	if ( empty( $_POST['wants'] ) ) {
		update_user_meta( $user_id, MAIL_META, 'no' );
	} else {
		delete_user_meta( $user_id, MAIL_META );
	}
	leave_result( 'mail', 'saved' );
	wp_safe_redirect( account_page_url() . '#nivella-mail' );
	exit;
}
