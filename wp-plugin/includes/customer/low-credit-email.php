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
 * Sends the e-mail to a customer, unless the shop or the customer has turned it off.
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
	return $email->trigger( low_credit_facts( $event ), $person ) ? 'sent' : 'failed';
}

/**
 * What the e-mail tells: the event's figures, and from the wallet itself what it is called and how long it lasts. When that
 * cannot be had the e-mail goes out without it.
 *
 * @param array $event From `parse_event()`.
 */
function low_credit_facts( array $event ): array {
	$answer = ask( '/v1/wallets/' . rawurlencode( $event['wallet'] ) . '/feed', array(), array(), array( 'timeout' => EVENT_WAIT_S ) );
	$feed   = is_wp_error( $answer ) ? null : parse_feed( $answer['body'] );
	$feed   = is_array( $feed ) ? $feed : null;
	$site   = 0 === strpos( $event['wallet'], 'site:' ) ? substr( $event['wallet'], 5 ) : '';
	return array(
		'status'    => $event['status'],
		'available' => $event['available'],
		'unit'      => $event['unit'],
		'site'      => $site,
		'site_name' => null !== $feed && null !== $feed['site'] ? wallet_owner( $feed ) : $site,
		'at'        => $event['at'],
		// How long it lasts is of the wallet as it is now.
		'runway'    => null === $feed ? '' : runway_sentence( $feed ),
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
	$name = OPTION_PREFIX . 'claim_saved_' . get_current_user_id();
	$said = get_transient( $name );
	delete_transient( $name );
	return array(
		'url'    => admin_url( 'admin-post.php' ),
		'action' => MAIL_ACTION,
		'nonce'  => wp_create_nonce( MAIL_ACTION ),
		'wants'  => wants_mail( get_current_user_id() ),
		'email'  => (string) wp_get_current_user()->user_email,
		'saved'  => 'yes' === $said,
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
	set_transient( OPTION_PREFIX . 'claim_saved_' . $user_id, 'yes', MINUTE_IN_SECONDS );
	wp_safe_redirect( account_page_url() . '#nivella-mail' );
	exit;
}
