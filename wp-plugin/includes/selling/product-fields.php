<?php
/**
 * The fields Credits, Validity and Kind of a product and of each of its variations.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** What the fields' names begin with. */
const PRODUCT_FIELD = 'nivella_sells';

/**
 * Adds the tab to a product's data.
 *
 * @param array $tabs WooCommerce's tabs.
 */
function add_product_tab( $tabs ): array {
	$tabs = (array) $tabs;
	if ( is_shop() ) {
		$tabs['nivella_credits'] = array(
			'label'    => __( 'AI Credits', 'nivella-credit-wallet' ),
			'target'   => 'nivella_credits_product_data',
			'class'    => array( 'hide_if_grouped', 'hide_if_external' ),
			'priority' => 15,
		);
	}
	return $tabs;
}

/**
 * Loads the style of the fields where products are edited.
 */
function enqueue_product_style(): void {
	$screen = get_current_screen();
	if ( $screen && 'product' === $screen->id && is_shop() ) {
		wp_enqueue_style( 'nivella-credit-wallet-product', plugins_url( 'assets/product.css', FILE ), array(), VERSION );
	}
}

/**
 * Shows what the tab holds.
 */
function show_product_fields(): void {
	global $product_object;
	if ( ! is_shop() || ! $product_object instanceof \WC_Product ) {
		return;
	}
	show( 'selling-product', array( 'fields' => product_fields_view( PRODUCT_FIELD, own_promise( $product_object ), null ) ) );
}

/**
 * Shows the fields of a variation.
 *
 * @param int      $loop      Its place on the page.
 * @param array    $data      Its meta.
 * @param \WP_Post $variation Its post.
 */
function show_variation_fields( $loop, $data, $variation ): void {
	$product = is_shop() ? wc_get_product( $variation->ID ) : null;
	if ( ! $product instanceof \WC_Product ) {
		return;
	}
	$parent = wc_get_product( $product->get_parent_id() );
	show(
		'selling-variation',
		array( 'fields' => product_fields_view( PRODUCT_FIELD . '_variation[' . (int) $loop . ']', own_promise( $product ), $parent instanceof \WC_Product ? own_promise( $parent ) : array_fill_keys( array_keys( PROMISE_META ), '' ) ) )
	);
}

/**
 * The fields as the templates show them.
 *
 * @param string     $name    What the fields' names begin with.
 * @param array      $promise What is saved.
 * @param array|null $above   What the product says, for a variation.
 */
function product_fields_view( string $name, array $promise, ?array $above ): array {
	$validity = $promise['validity'];
	if ( '' === $validity && null === $above ) {
		$validity = 'never';
	}
	list( $count, $unit ) = '' === $validity ? array( 0, '' ) : split_validity( $validity );

	$units = array(
		'never' => __( 'no expiry date', 'nivella-credit-wallet' ),
		'd'     => __( 'days', 'nivella-credit-wallet' ),
		'mo'    => __( 'months', 'nivella-credit-wallet' ),
		'y'     => __( 'years', 'nivella-credit-wallet' ),
		'cycle' => __( 'until the billing period ends', 'nivella-credit-wallet' ),
	);
	$kinds = array();
	foreach ( CATEGORIES as $kind ) {
		$kinds[ $kind ] = category_label( $kind );
	}
	if ( null !== $above ) {
		$valid = validity_text( '' === $above['validity'] ? 'never' : $above['validity'] );
		$kind  = category_label( '' === $above['kind'] ? 'paid' : $above['kind'] );
		/* translators: %s: what the product has, for example "valid for 30 days". */
		$units = array( '' => sprintf( __( 'As the product (%s)', 'nivella-credit-wallet' ), $valid ) ) + $units;
		/* translators: %s: what the product has, for example "Bought". */
		$kinds = array( '' => sprintf( __( 'As the product (%s)', 'nivella-credit-wallet' ), $kind ) ) + $kinds;
	}
	return array(
		'id'          => trim( preg_replace( '/[^a-z0-9]+/', '-', $name ), '-' ),
		'name'        => $name,
		'credits'     => $promise['credits'],
		'placeholder' => null === $above ? '' : $above['credits'],
		'count'       => $count > 0 ? (string) $count : '',
		'unit'        => $unit,
		'units'       => $units,
		'kind'        => '' === $promise['kind'] && null === $above ? 'paid' : $promise['kind'],
		'kinds'       => $kinds,
	);
}

/**
 * Saves the fields of a product. WooCommerce saves the product afterwards.
 *
 * @param \WC_Product $product The product.
 */
function save_product_fields( $product ): void {
	// WooCommerce has looked at both already; who calls its hook from elsewhere has not.
	if ( ! isset( $_POST['woocommerce_meta_nonce'], $_POST[ PRODUCT_FIELD ] ) || ! is_array( $_POST[ PRODUCT_FIELD ] )
		|| ! wp_verify_nonce( sanitize_key( $_POST['woocommerce_meta_nonce'] ), 'woocommerce_save_data' )
		|| ! current_user_can( 'edit_product', $product->get_id() ) ) {
		return;
	}
	// phpcs:ignore WordPress.Security.ValidatedSanitizedInput.InputNotSanitized -- Each part is checked by read_product_fields().
	$read = read_product_fields( wp_unslash( $_POST[ PRODUCT_FIELD ] ), own_promise( $product ) );
	if ( '' === $read['promise']['credits'] && array() === $read['problems'] && ! $product->is_type( array( 'variable', 'variable-subscription' ) ) ) {
		// Without credits there is nothing that could be valid.
		$read['promise'] = array_fill_keys( array_keys( PROMISE_META ), '' );
	}
	keep_promise( $product, $read['promise'] );
	tell_product_problems( $read['problems'], '' );
}

/**
 * Saves the fields of a variation. WooCommerce saves the variation afterwards.
 *
 * @param \WC_Product_Variation $variation The variation.
 * @param int                   $i         Its place on the page.
 */
function save_variation_fields( $variation, $i ): void {
	// With the product, or by the variations' own button.
	$may = ( isset( $_POST['security'] ) && wp_verify_nonce( sanitize_key( $_POST['security'] ), 'save-variations' ) )
		|| ( isset( $_POST['woocommerce_meta_nonce'] ) && wp_verify_nonce( sanitize_key( $_POST['woocommerce_meta_nonce'] ), 'woocommerce_save_data' ) );
	if ( ! $may || ! current_user_can( 'edit_product', $variation->get_parent_id() ) || ! isset( $_POST[ PRODUCT_FIELD . '_variation' ][ $i ] ) || ! is_array( $_POST[ PRODUCT_FIELD . '_variation' ][ $i ] ) ) {
		return;
	}
	// phpcs:ignore WordPress.Security.ValidatedSanitizedInput.InputNotSanitized -- Each part is checked by read_product_fields().
	$read = read_product_fields( wp_unslash( $_POST[ PRODUCT_FIELD . '_variation' ][ $i ] ), own_promise( $variation ) );
	keep_promise( $variation, $read['promise'] );
	tell_product_problems( $read['problems'], '#' . $variation->get_id() );
}

/**
 * What was typed into the fields. A part that is wrong keeps its old value and is named.
 *
 * @param array $typed What was sent.
 * @param array $old   What was saved before.
 * @return array{ promise: array{ credits: string, validity: string, kind: string }, problems: string[] }
 */
function read_product_fields( array $typed, array $old ): array {
	$promise  = $old;
	$problems = array();

	$credits = typed_text( $typed, 'credits', $old['credits'] );
	if ( '' === $credits || '' !== clean_credits( $credits ) ) {
		$promise['credits'] = clean_credits( $credits );
	} else {
		/* translators: %s: what was typed. */
		$problems[] = sprintf( __( 'Credits: "%s" is not a number of credits. Use digits only and at most six decimals after a point, like 1000 or 0.5, above 0 and at most 1000000000000. The old value was kept.', 'nivella-credit-wallet' ), $credits );
	}

	$unit     = typed_text( $typed, 'unit', '' );
	$count    = typed_text( $typed, 'count', '' );
	$validity = isset( VALIDITY_MAX[ $unit ] ) ? $count . $unit : $unit;
	if ( ! isset( $typed['unit'] ) ) {
		$promise['validity'] = $old['validity'];
	} elseif ( '' === $unit || '' !== clean_validity( $validity ) ) {
		$promise['validity'] = clean_validity( $validity );
	} elseif ( isset( VALIDITY_MAX[ $unit ] ) && '' === $count ) {
		$problems[] = __( 'Validity: say how many days, months or years the credits are good for, or choose "no expiry date". The old value was kept.', 'nivella-credit-wallet' );
	} else {
		/* translators: %s: what was typed. */
		$problems[] = sprintf( __( 'Validity: "%s" cannot be used. Write a whole number: at most 36500 days, 1200 months or 100 years. The old value was kept.', 'nivella-credit-wallet' ), $validity );
	}

	$kind = typed_text( $typed, 'kind', $old['kind'] );
	if ( '' === $kind || '' !== clean_kind( $kind ) ) {
		$promise['kind'] = $kind;
	} else {
		/* translators: %s: what was typed. */
		$problems[] = sprintf( __( 'Kind: there is no kind of credits called "%s". The old value was kept.', 'nivella-credit-wallet' ), $kind );
	}
	return array(
		'promise'  => $promise,
		'problems' => $problems,
	);
}

/**
 * Writes a promise as meta; parts that are not said leave none behind.
 *
 * @param \WC_Data $about   What gets the meta; not saved here.
 * @param array    $promise From `read_product_fields()`.
 */
function keep_promise( \WC_Data $about, array $promise ): void {
	foreach ( PROMISE_META as $part => $key ) {
		if ( '' === $promise[ $part ] ) {
			$about->delete_meta_data( $key );
		} else {
			$about->update_meta_data( $key, $promise[ $part ] );
		}
	}
}

/**
 * Names problems above the product, or above its variations.
 *
 * @param string[] $problems What is wrong.
 * @param string   $which    Which variation, or ''.
 */
function tell_product_problems( array $problems, string $which ): void {
	foreach ( $problems as $problem ) {
		/* translators: 1: which variation, 2: what is wrong with it. */
		\WC_Admin_Meta_Boxes::add_error( esc_html( '' === $which ? $problem : sprintf( __( 'Variation %1$s: %2$s', 'nivella-credit-wallet' ), $which, $problem ) ) );
	}
}

/**
 * What WooCommerce's import of products can put where, which carries the fields as meta.
 *
 * @param array $options Labels by field.
 */
function add_import_options( $options ): array {
	return (array) $options + array(
		'meta:' . META_CREDITS  => __( 'AI Credits', 'nivella-credit-wallet' ),
		'meta:' . META_VALIDITY => __( 'AI Credits: validity', 'nivella-credit-wallet' ),
		'meta:' . META_KIND     => __( 'AI Credits: kind', 'nivella-credit-wallet' ),
	);
}

/**
 * Which columns of a file WooCommerce's import understands by their headings.
 *
 * @param array $columns Fields by heading.
 */
function add_import_columns( $columns ): array {
	return (array) $columns + array_flip( add_import_options( array() ) );
}
