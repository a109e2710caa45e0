<?php
/**
 * How amounts, dates and words look. What comes back is text, not yet escaped.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * An amount that can be used: never more than there is.
 *
 * @param string $amount A decimal.
 */
function show_available( string $amount ): string {
	return show_decimal( decimal_round( $amount, 2, false ) );
}

/**
 * An amount that was used: never less than it was.
 *
 * @param string $amount A decimal.
 */
function show_cost( string $amount ): string {
	$sign = decimal_is_negative( $amount ) ? "\u{2212}" : '';
	return $sign . show_decimal( decimal_round( $amount, 2, ! decimal_is_negative( $amount ) ) );
}

/**
 * A change of the balance, with its sign.
 *
 * @param string $amount A decimal with a sign.
 */
function show_change( string $amount ): string {
	if ( decimal_is_zero( $amount ) ) {
		return '0';
	}
	if ( decimal_is_negative( $amount ) ) {
		return "\u{2212}" . show_decimal( decimal_round( $amount, 2, true ) );
	}
	return '+' . show_decimal( decimal_round( $amount, 2, false ) );
}

/**
 * A decimal with the separators of the site's language, without its sign.
 *
 * @param string $decimal A decimal.
 */
function show_decimal( string $decimal ): string {
	global $wp_locale;
	$signs = isset( $wp_locale->number_format ) && is_array( $wp_locale->number_format ) ? $wp_locale->number_format : array();
	return decimal_group( $decimal, (string) ( $signs['decimal_point'] ?? '.' ), (string) ( $signs['thousands_sep'] ?? ',' ) );
}

/**
 * An amount with its unit.
 *
 * @param string $amount An amount as shown.
 * @param string $unit   What the shop calls its credits.
 */
function with_unit( string $amount, string $unit ): string {
	/* translators: 1: number, 2: the shop's name for its credits. Together for example "1,250 AI Credits". */
	return sprintf( _x( '%1$s %2$s', 'amount and unit', 'nivella-credit-wallet' ), $amount, $unit );
}

/**
 * A day, in the site's zone.
 *
 * @param int $at Unix seconds.
 */
function show_day( int $at ): string {
	return (string) wp_date( (string) get_option( 'date_format' ), $at );
}

/**
 * A day and time, in the site's zone.
 *
 * @param int $at Unix seconds.
 */
function show_moment( int $at ): string {
	/* translators: 1: date, 2: time of day. */
	return sprintf( _x( '%1$s, %2$s', 'date and time', 'nivella-credit-wallet' ), show_day( $at ), (string) wp_date( (string) get_option( 'time_format' ), $at ) );
}

/**
 * For machines.
 *
 * @param int $at Unix seconds.
 */
function iso_time( int $at ): string {
	return gmdate( 'Y-m-d\TH:i:s\Z', $at );
}

/**
 * What a day of usage is called. The daemon's days are UTC days unless it cuts them elsewhere, so a day that begins at
 * midnight UTC is named by its UTC date, even where it was still the day before.
 *
 * @param int $from When it begins.
 */
function show_usage_day( int $from ): string {
	return (string) wp_date( _x( 'j M', 'short date', 'nivella-credit-wallet' ), $from, 0 === $from % DAY_IN_SECONDS ? new \DateTimeZone( 'UTC' ) : null );
}

/**
 * What a status is called.
 *
 * @param string $status One of `STATUSES`.
 */
function status_label( string $status ): string {
	$labels = array(
		'ok'       => __( 'Enough left', 'nivella-credit-wallet' ),
		'low'      => __( 'Running low', 'nivella-credit-wallet' ),
		'critical' => __( 'Almost used up', 'nivella-credit-wallet' ),
		'empty'    => __( 'Used up', 'nivella-credit-wallet' ),
		'frozen'   => __( 'On hold', 'nivella-credit-wallet' ),
	);
	return $labels[ $status ];
}

/**
 * What the kinds of history are called.
 *
 * @return array<string, string> By kind.
 */
function kind_labels(): array {
	return array(
		'top_up'     => __( 'Top-up', 'nivella-credit-wallet' ),
		'plan'       => __( 'Allowance', 'nivella-credit-wallet' ),
		'bonus'      => __( 'Bonus', 'nivella-credit-wallet' ),
		'usage'      => __( 'Usage', 'nivella-credit-wallet' ),
		'refund'     => __( 'Refund', 'nivella-credit-wallet' ),
		'expired'    => __( 'Expired', 'nivella-credit-wallet' ),
		'adjustment' => __( 'Correction', 'nivella-credit-wallet' ),
		'moved'      => __( 'Moved', 'nivella-credit-wallet' ),
	);
}

/**
 * What the kinds of credits are called.
 *
 * @param string $category One of `CATEGORIES`.
 */
function category_label( string $category ): string {
	$labels = array(
		'paid'      => __( 'Bought', 'nivella-credit-wallet' ),
		'bonus'     => __( 'Bonus', 'nivella-credit-wallet' ),
		'recurring' => __( 'Allowance', 'nivella-credit-wallet' ),
	);
	return $labels[ $category ];
}
