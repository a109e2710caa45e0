<?php
/**
 * Exact decimals.
 *
 * Credits arrive as decimal strings and stay strings: nothing here, and nothing that compares or adds credits elsewhere,
 * goes through a float. Pure: no WordPress.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Whether `$value` is a plain decimal: no exponent, no leading zeros, at most six decimals.
 *
 * Thirteen digits before the point are more than the daemon can hold.
 *
 * @param mixed $value  Anything.
 * @param bool  $signed Whether a leading + or - is allowed.
 */
function is_decimal( $value, bool $signed = false ): bool {
	$pattern = $signed ? '/^[+-]?(0|[1-9][0-9]{0,12})(\.[0-9]{1,6})?$/D' : '/^(0|[1-9][0-9]{0,12})(\.[0-9]{1,6})?$/D';
	return is_string( $value ) && 1 === preg_match( $pattern, $value );
}

/**
 * Whether a decimal is zero, whatever its sign or number of zeros.
 *
 * @param string $decimal A decimal.
 */
function decimal_is_zero( string $decimal ): bool {
	return '' === trim( $decimal, '+-0.' );
}

/**
 * Whether a decimal is below zero; "-0" is not.
 *
 * @param string $decimal A decimal.
 */
function decimal_is_negative( string $decimal ): bool {
	return '-' === $decimal[0] && ! decimal_is_zero( $decimal );
}

/**
 * The decimal without its sign.
 *
 * @param string $decimal A decimal.
 */
function decimal_magnitude( string $decimal ): string {
	return ltrim( $decimal, '+-' );
}

/**
 * -1, 0 or 1 as `$a` is less than, equal to or greater than `$b`.
 *
 * @param string $a A decimal.
 * @param string $b A decimal.
 */
function decimal_compare( string $a, string $b ): int {
	$a_is_negative = decimal_is_negative( $a );
	if ( decimal_is_negative( $b ) !== $a_is_negative ) {
		return $a_is_negative ? -1 : 1;
	}
	// Digits of one length order as text does.
	$order = strcmp( scaled_digits( $a ), scaled_digits( $b ) );
	$order = $order > 0 ? 1 : ( $order < 0 ? -1 : 0 );
	return $a_is_negative ? -$order : $order;
}

/**
 * The sum of two decimals that are not negative.
 *
 * @param string $a A decimal.
 * @param string $b A decimal.
 */
function decimal_add( string $a, string $b ): string {
	return from_scaled_digits( add_digits( scaled_digits( $a ), scaled_digits( $b ) ) );
}

/**
 * The sum of two decimals with or without a sign.
 *
 * @param string $a A decimal.
 * @param string $b A decimal.
 */
function decimal_sum( string $a, string $b ): string {
	if ( decimal_is_negative( $a ) === decimal_is_negative( $b ) ) {
		$sum = decimal_add( $a, $b );
		return decimal_is_negative( $a ) ? '-' . $sum : $sum;
	}
	$order = decimal_compare( decimal_magnitude( $a ), decimal_magnitude( $b ) );
	if ( 0 === $order ) {
		return '0';
	}
	list( $more, $less ) = $order > 0 ? array( $a, $b ) : array( $b, $a );
	// Nines' complement: digits that are added as everywhere, and the one that is carried out at the front falls away.
	$complement = strtr( scaled_digits( $less ), '0123456789', '9876543210' );
	$rest       = from_scaled_digits( add_digits( add_digits( scaled_digits( $more ), $complement ), str_pad( '1', strlen( $complement ), '0', STR_PAD_LEFT ) ) );
	return decimal_is_negative( $more ) ? '-' . $rest : $rest;
}

/**
 * `$a` less `$b`.
 *
 * @param string $a A decimal.
 * @param string $b A decimal.
 */
function decimal_less( string $a, string $b ): string {
	return decimal_sum( $a, decimal_is_negative( $b ) ? decimal_magnitude( $b ) : '-' . decimal_magnitude( $b ) );
}

/**
 * Rounds to `$places` decimals, towards zero or away from it, and drops trailing zeros.
 *
 * @param string $decimal   A decimal; its sign is kept, a plus too.
 * @param int    $places    From 0 to 6.
 * @param bool   $away      Whether any rest counts as one more (a cost) or as nothing (what can be used).
 */
function decimal_round( string $decimal, int $places, bool $away ): string {
	$sign   = strspn( $decimal, '+-' ) > 0 ? $decimal[0] : '';
	$digits = scaled_digits( $decimal );
	$drop   = 6 - $places;
	if ( $drop > 0 ) {
		$rest   = substr( $digits, -$drop );
		$digits = substr( $digits, 0, -$drop ) . str_repeat( '0', $drop );
		if ( $away && '' !== trim( $rest, '0' ) ) {
			$digits = add_digits( $digits, str_pad( '1' . str_repeat( '0', $drop ), strlen( $digits ), '0', STR_PAD_LEFT ) );
		}
	}
	$rounded = from_scaled_digits( $digits );
	return decimal_is_zero( $rounded ) ? '0' : $sign . $rounded;
}

/**
 * A decimal that was rounded, written with the separators of a language.
 *
 * @param string $decimal   A decimal.
 * @param string $point     What stands before the decimals.
 * @param string $thousands What stands between groups of three digits.
 */
function decimal_group( string $decimal, string $point, string $thousands ): string {
	list( $whole, $fraction ) = array_pad( explode( '.', decimal_magnitude( $decimal ), 2 ), 2, '' );

	$groups = strrev( implode( strrev( $thousands ), str_split( strrev( $whole ), 3 ) ) );
	return '' === $fraction ? $groups : $groups . $point . $fraction;
}

/**
 * The millionths of a decimal as digits, padded so that all are of one length.
 *
 * @param string $decimal A decimal.
 */
function scaled_digits( string $decimal ): string {
	list( $whole, $fraction ) = array_pad( explode( '.', decimal_magnitude( $decimal ), 2 ), 2, '' );
	return str_pad( $whole . str_pad( $fraction, 6, '0' ), 26, '0', STR_PAD_LEFT );
}

/**
 * The decimal that `scaled_digits` came from.
 *
 * @param string $digits At least seven digits.
 */
function from_scaled_digits( string $digits ): string {
	$whole    = ltrim( substr( $digits, 0, -6 ), '0' );
	$fraction = rtrim( substr( $digits, -6 ), '0' );
	return ( '' === $whole ? '0' : $whole ) . ( '' === $fraction ? '' : '.' . $fraction );
}

/**
 * Adds digit by digit.
 *
 * @param string $a Digits.
 * @param string $b As many digits.
 */
function add_digits( string $a, string $b ): string {
	$sum   = '';
	$carry = 0;
	for ( $i = strlen( $a ) - 1; $i >= 0; $i-- ) {
		$digit = (int) $a[ $i ] + (int) $b[ $i ] + $carry;
		$carry = intdiv( $digit, 10 );
		$sum   = ( $digit % 10 ) . $sum;
	}
	return $sum;
}
