<?php
/**
 * What a product sells: how many credits, how long they are good and of which kind.
 *
 * The three are product meta that the wallet service reads too. A variation's own count, and where it has none the
 * product's, each for itself. Anybody may write meta (an import, the REST API), so what is malformed counts as not there.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const META_CREDITS  = '_nivella_credits';
const META_VALIDITY = '_nivella_validity';
const META_KIND     = '_nivella_kind';
const META_SITE     = '_nivella_site_id';

/** What a promise is made of, as meta of products and of order lines. */
const PROMISE_META = array(
	'credits'  => META_CREDITS,
	'validity' => META_VALIDITY,
	'kind'     => META_KIND,
);

/** The most credits a product can sell; far below what the wallet service can hold, so that a quantity fits too. */
const CREDITS_MAX = '1000000000000';

/** The longest validity for each unit, as in the wallet service. */
const VALIDITY_MAX = array(
	'd'  => 36500,
	'mo' => 1200,
	'y'  => 100,
);

/**
 * What a product sells; a part that is not said is ''.
 *
 * @param \WC_Product $product A product or a variation.
 * @return array{ credits: string, validity: string, kind: string }
 */
function promise_of( \WC_Product $product ): array {
	$promise = own_promise( $product );
	$parent  = in_array( '', $promise, true ) && $product->get_parent_id() > 0 ? wc_get_product( $product->get_parent_id() ) : null;
	if ( $parent instanceof \WC_Product ) {
		foreach ( own_promise( $parent ) as $part => $value ) {
			$promise[ $part ] = '' === $promise[ $part ] ? $value : $promise[ $part ];
		}
	}
	return $promise;
}

/**
 * What is said of a product, a variation or an order line itself.
 *
 * @param \WC_Data $about What has the meta.
 * @return array{ credits: string, validity: string, kind: string }
 */
function own_promise( $about ): array {
	return array(
		'credits'  => clean_credits( $about->get_meta( META_CREDITS ) ),
		'validity' => clean_validity( $about->get_meta( META_VALIDITY ) ),
		'kind'     => clean_kind( $about->get_meta( META_KIND ) ),
	);
}

/**
 * The credits that are meant, or '' when it is no number that can be sold.
 *
 * @param mixed $typed Anything.
 */
function clean_credits( $typed ): string {
	// A number that somebody set in PHP; a float would lose digits.
	$typed = is_int( $typed ) ? (string) $typed : $typed;
	$typed = is_string( $typed ) ? trim( $typed ) : '';
	if ( ! is_decimal( $typed ) || decimal_is_zero( $typed ) || decimal_compare( $typed, CREDITS_MAX ) > 0 ) {
		return '';
	}
	return from_scaled_digits( scaled_digits( $typed ) );
}

/**
 * The validity that is meant, or ''.
 *
 * @param mixed $typed Anything.
 */
function clean_validity( $typed ): string {
	$typed = is_string( $typed ) ? strtolower( trim( $typed ) ) : '';
	if ( in_array( $typed, array( 'never', 'cycle' ), true ) ) {
		return $typed;
	}
	if ( ! preg_match( '/^0*([1-9][0-9]{0,5})(d|mo|y)$/D', $typed, $found ) || (int) $found[1] > VALIDITY_MAX[ $found[2] ] ) {
		return '';
	}
	return $found[1] . $found[2];
}

/**
 * The kind that is meant, or ''.
 *
 * @param mixed $typed Anything.
 */
function clean_kind( $typed ): string {
	return is_string( $typed ) && in_array( $typed, CATEGORIES, true ) ? $typed : '';
}

/**
 * A validity cut into how many and of what: array( 30, 'd' ); array( 0, 'never' ).
 *
 * @param string $validity From `clean_validity()`, not ''.
 * @return array{ 0: int, 1: string }
 */
function split_validity( string $validity ): array {
	return array( (int) $validity, ltrim( $validity, '0123456789' ) );
}

/**
 * How long credits are good, in words.
 *
 * @param string $validity From `clean_validity()`.
 */
function validity_text( string $validity ): string {
	if ( '' === $validity ) {
		return '';
	}
	list( $count, $unit ) = split_validity( $validity );
	switch ( $unit ) {
		case 'never':
			return __( 'no expiry date', 'nivella-credit-wallet' );
		case 'cycle':
			return __( 'valid until the end of the billing period', 'nivella-credit-wallet' );
		case 'd':
			/* translators: %s: number of days. */
			return sprintf( _n( 'valid for %s day', 'valid for %s days', $count, 'nivella-credit-wallet' ), number_format_i18n( $count ) );
		case 'mo':
			/* translators: %s: number of months. */
			return sprintf( _n( 'valid for %s month', 'valid for %s months', $count, 'nivella-credit-wallet' ), number_format_i18n( $count ) );
		default:
			/* translators: %s: number of years. */
			return sprintf( _n( 'valid for %s year', 'valid for %s years', $count, 'nivella-credit-wallet' ), number_format_i18n( $count ) );
	}
}

/**
 * What is promised, in words: "1,000 AI Credits, valid for 30 days". '' when no credits are.
 *
 * @param array $promise  From `promise_of()`.
 * @param int   $quantity How often it is bought.
 */
function promise_text( array $promise, int $quantity = 1 ): string {
	if ( '' === $promise['credits'] ) {
		return '';
	}
	$text = with_unit( show_decimal( $promise['credits'] ), credits_unit() );
	if ( $quantity > 1 ) {
		/* translators: 1: how often it is bought, 2: credits with their unit. Together for example "3 × 1,000 AI Credits". */
		$text = sprintf( _x( '%1$s × %2$s', 'quantity and credits', 'nivella-credit-wallet' ), number_format_i18n( $quantity ), $text );
	}
	$validity = validity_text( $promise['validity'] );
	if ( '' === $validity ) {
		return $text;
	}
	/* translators: 1: credits with their unit, 2: how long they are good. Together for example "1,000 AI Credits, valid for 30 days". */
	return sprintf( _x( '%1$s, %2$s', 'credits and validity', 'nivella-credit-wallet' ), $text, $validity );
}

/**
 * What the shop calls its credits.
 */
function credits_unit(): string {
	$shop = get_option( SHOP_OPTION );
	$unit = is_array( $shop ) && is_string( $shop['unit'] ?? null ) ? trim( $shop['unit'] ) : '';
	/**
	 * Filters what the shop calls its credits.
	 *
	 * @param string $unit For example "AI Credits".
	 */
	return (string) apply_filters( 'nivella_credit_wallet_unit', '' === $unit ? __( 'AI Credits', 'nivella-credit-wallet' ) : $unit );
}

/**
 * Whether a line with this product brings credits: it says how many, or it is in the shop's category for them.
 *
 * @param mixed $product A product, a variation or nothing.
 */
function is_tokens_product( $product ): bool {
	if ( ! $product instanceof \WC_Product ) {
		return false;
	}
	if ( '' !== promise_of( $product )['credits'] ) {
		return true;
	}
	return is_in_tokens_category( $product->get_parent_id() > 0 ? $product->get_parent_id() : $product->get_id() );
}

/**
 * Whether a product's page sells credits: the product itself, or one of its variations.
 *
 * @param mixed $product A product or nothing.
 */
function is_tokens_page( $product ): bool {
	if ( is_tokens_product( $product ) ) {
		return true;
	}
	if ( $product instanceof \WC_Product && $product->is_type( array( 'variable', 'variable-subscription' ) ) ) {
		foreach ( $product->get_children() as $child ) {
			if ( is_tokens_product( wc_get_product( $child ) ) ) {
				return true;
			}
		}
	}
	return false;
}
