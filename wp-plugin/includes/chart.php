<?php
/**
 * Where the bars of the usage chart stand.
 *
 * Pure. Only here do amounts become floats: for lengths on a screen, never for an amount that is shown or compared.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The drawing is this wide for each bar and this high; it is stretched to the space there is. */
const BAR_STEP     = 10;
const BAR_WIDTH    = 8;
const CHART_HEIGHT = 100;

/**
 * Places a bar for each amount.
 *
 * @param string[] $amounts Decimals; what is below zero is drawn as nothing.
 * @return array{ width: int, height: int, top: string, middle: string, bars: list<array{ x: int, y: string, height: string }> }
 *               `top` is the amount at the upper edge: 1, 2 or 5 with zeros, and not below any bar.
 */
function chart( array $amounts ): array {
	$most = '0';
	foreach ( $amounts as $amount ) {
		if ( decimal_compare( $amount, $most ) > 0 ) {
			$most = decimal_magnitude( $amount );
		}
	}
	list( $top, $middle ) = chart_scale( $most );

	$bars = array();
	foreach ( array_values( $amounts ) as $i => $amount ) {
		$height = decimal_compare( $amount, '0' ) > 0 ? max( 1.0, (float) $amount / (float) $top * CHART_HEIGHT ) : 0.0;
		$bars[] = array(
			'x'      => $i * BAR_STEP + intdiv( BAR_STEP - BAR_WIDTH, 2 ),
			'y'      => length( CHART_HEIGHT - $height ),
			'height' => length( $height ),
		);
	}
	return array(
		'width'  => max( 1, count( $bars ) ) * BAR_STEP,
		'height' => CHART_HEIGHT,
		'top'    => $top,
		'middle' => $middle,
		'bars'   => $bars,
	);
}

/**
 * The smallest of 1, 2, 5, 10, 20, 50, … that is not below `$most`, and half of it.
 *
 * @param string $most A decimal.
 * @return array{ 0: string, 1: string }
 */
function chart_scale( string $most ): array {
	for ( $zeros = 0; $zeros <= 13; $zeros++ ) {
		foreach ( array( array( '1', '0.5', '5' ), array( '2', '1', '10' ), array( '5', '2.5', '25' ) ) as list( $digit, $half, $tenfold ) ) {
			$top = $digit . str_repeat( '0', $zeros );
			if ( decimal_compare( $top, $most ) >= 0 ) {
				return array( $top, 0 === $zeros ? $half : $tenfold . str_repeat( '0', $zeros - 1 ) );
			}
		}
	}
	return array( $most, '0' );
}

/**
 * How a whole is divided, in percent of its length.
 *
 * @param string[] $parts Decimals that are not negative.
 * @return list<array{ x: string, width: string }> For each part where it begins and how long it is.
 */
function divide_bar( array $parts ): array {
	$sum    = (float) array_reduce( $parts, __NAMESPACE__ . '\\decimal_add', '0' );
	$x      = 0.0;
	$places = array();
	foreach ( $parts as $part ) {
		$width    = $sum > 0.0 ? (float) $part / $sum * 100 : 0.0;
		$places[] = array(
			'x'     => length( $x ),
			'width' => length( $width ),
		);
		$x       += $width;
	}
	return $places;
}

/**
 * A length as SVG wants it: a point, whatever the locale, and never in scientific notation.
 *
 * @param float $length A length.
 */
function length( float $length ): string {
	return number_format( $length, 2, '.', '' );
}
