<?php
/**
 * What staff type, as the daemon wants it.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * An amount as people of this site type it, as the daemon writes it; null when it is none.
 *
 * Where the language groups thousands with a dot, "1.000" is a thousand. What it was taken for is shown before anything is done.
 *
 * @param string $text What was typed.
 */
function typed_credits( string $text ): ?string {
	global $wp_locale;
	$signs     = isset( $wp_locale->number_format ) && is_array( $wp_locale->number_format ) ? $wp_locale->number_format : array();
	$point     = (string) ( $signs['decimal_point'] ?? '.' );
	$thousands = html_entity_decode( (string) ( $signs['thousands_sep'] ?? ',' ), ENT_QUOTES | ENT_HTML5, 'UTF-8' );
	$text      = str_replace( "\u{2212}", '-', preg_replace( '/[\s\x{A0}\x{202F}]+/u', ' ', trim( $text ) ) ?? '' );
	$thousands = '' === trim( $thousands, " \u{A0}\u{202F}" ) ? ' ' : $thousands;

	if ( preg_match( '/^[+-]?[1-9][0-9]{0,2}(?:' . preg_quote( $thousands, '/' ) . '[0-9]{3})+(?:' . preg_quote( $point, '/' ) . '[0-9]{1,6})?$/Du', $text ) ) {
		$text = str_replace( array( $thousands, $point ), array( '', '.' ), $text );
	} elseif ( '.' !== $point ) {
		$text = str_replace( $point, '.', $text );
	}
	if ( ! is_decimal( $text, true ) ) {
		return null;
	}
	$amount = decimal_round( ltrim( $text, '+' ), 6, false );
	return '-0' === $amount ? '0' : $amount;
}

/**
 * Who is meant by what was typed: a user of this WordPress, a guest's address, or an account's id.
 *
 * @param string $text What was typed.
 * @return array{ reference: string, name: string }|null
 */
function typed_customer( string $text ): ?array {
	if ( is_account_id( $text ) ) {
		return array(
			'reference' => $text,
			'name'      => $text,
		);
	}
	$user = ctype_digit( $text ) ? get_userdata( (int) $text ) : ( is_email( $text ) ? get_user_by( 'email', $text ) : get_user_by( 'login', $text ) );
	if ( $user ) {
		return array(
			'reference' => customer_account( (int) $user->ID ),
			'name'      => (string) ( $user->display_name ?? '' ),
		);
	}
	return ! is_email( $text ) ? null : array(
		'reference' => guest_account( $text ),
		'name'      => $text,
	);
}

/**
 * An amount of money as it is typed in this shop, as a plain decimal; null when it is none.
 *
 * @param string $text What was typed.
 */
function typed_money( string $text ): ?string {
	$money = function_exists( 'wc_format_decimal' ) ? (string) wc_format_decimal( $text ) : trim( $text );
	if ( ! preg_match( '/[0-9]/', $text ) || ! preg_match( '/^0*([0-9]{1,13})(?:\.([0-9]{0,6})[0-9]*)?$/D', $money, $part ) ) {
		return null;
	}
	$whole = ltrim( $part[1], '0' );
	return ( '' === $whole ? '0' : $whole ) . ( '' === ( $part[2] ?? '' ) ? '' : ".{$part[2]}" );
}
