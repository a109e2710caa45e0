<?php
/**
 * For which website credits are bought, asked in the checkout block.
 *
 * WooCommerce's own additional fields: a list of the customer's websites where there are any, and a field to type an id.
 * Both are hidden unless the cart has a line that needs an answer, which WooCommerce can do since 9.9; with an older one
 * the page of the product asks.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** WooCommerce's ids of the two fields. */
const BLOCK_SITE       = 'nivella-credit-wallet/site';
const BLOCK_SITE_OTHER = 'nivella-credit-wallet/site-id';

/** What the cart tells the checkout block about itself. */
const BLOCK_CART = 'nivella-credit-wallet';

/**
 * Whether the checkout block can show the field only when it is needed.
 */
function has_block_site_field(): bool {
	return function_exists( 'woocommerce_register_additional_checkout_field' ) && function_exists( 'woocommerce_store_api_register_endpoint_data' )
		&& defined( 'WC_VERSION' ) && version_compare( WC_VERSION, '9.9', '>=' );
}

/**
 * Whether checkout asks, whichever the shop has.
 */
function has_checkout_site_field(): bool {
	if ( has_block_site_field() || ! function_exists( 'wc_get_page_id' ) ) {
		return true;
	}
	return ! has_block( 'woocommerce/checkout', wc_get_page_id( 'checkout' ) );
}

/**
 * Tells the checkout block whether the cart needs an answer.
 */
function register_cart_facts(): void {
	if ( ! asks_for_site() || ! has_block_site_field() ) {
		return;
	}
	woocommerce_store_api_register_endpoint_data(
		array(
			'endpoint'        => 'cart',
			'namespace'       => BLOCK_CART,
			'data_callback'   => __NAMESPACE__ . '\\cart_facts',
			'schema_callback' => __NAMESPACE__ . '\\cart_facts_schema',
			'schema_type'     => 'ARRAY_A',
		)
	);
}

/**
 * What the checkout block is told about the cart.
 */
function cart_facts(): array {
	return array( 'asks_for_site' => cart_asks_for_site() );
}

/**
 * What that looks like.
 */
function cart_facts_schema(): array {
	return array(
		'asks_for_site' => array(
			'description' => __( 'Whether a line of the cart brings credits without saying for which website.', 'nivella-credit-wallet' ),
			'type'        => 'boolean',
			'readonly'    => true,
		),
	);
}

/**
 * Registers the fields.
 *
 * The page of the checkout asks for the customer's websites if need be; all other requests, above all the one that places
 * the order, take those that are known, so that the list stays as the customer saw it.
 */
function register_block_site_field(): void {
	if ( ! asks_for_site() || ! has_block_site_field() ) {
		return;
	}
	// WooCommerce wants to know the fields before the plugin's words are loaded by themselves.
	load_translations();
	$account = own_account();
	$known   = is_checkout_request() ? account_sites( $account ) : remembered_sites( $account );
	$asks    = cart_rule( true );
	$sites   = array();
	foreach ( $known['sites'] as $site => $label ) {
		$sites[] = array(
			'value' => (string) $site,
			'label' => site_option_text( (string) $site, $label ),
		);
	}

	$is_other = $asks;
	$hidden   = cart_rule( false );
	if ( array() !== $sites ) {
		$sites[] = array(
			'value' => SITE_OTHER,
			'label' => __( 'Another website', 'nivella-credit-wallet' ),
		);
		woocommerce_register_additional_checkout_field(
			array(
				'id'                         => BLOCK_SITE,
				'label'                      => __( 'Website for your credits', 'nivella-credit-wallet' ),
				'location'                   => 'order',
				'type'                       => 'select',
				'options'                    => $sites,
				'hidden'                     => $hidden,
				'required'                   => 'required' === site_field_mode() ? $asks : false,
				'show_in_order_confirmation' => false,
				'validate_callback'          => __NAMESPACE__ . '\\validate_block_site',
			)
		);
		$chosen   = array( 'properties' => array( BLOCK_SITE => array( 'const' => SITE_OTHER ) ), 'required' => array( BLOCK_SITE ) );
		$is_other = array(
			'type'       => 'object',
			'properties' => $asks + array( 'checkout' => array( 'properties' => array( 'additional_fields' => $chosen ) ) ),
		);
		$hidden   = array(
			'type' => 'object',
			'not'  => array( 'properties' => $is_other['properties'] ),
		);
	}
	woocommerce_register_additional_checkout_field(
		array(
			'id'                         => BLOCK_SITE_OTHER,
			'label'                      => array() === $sites ? __( 'ID of the website for your credits', 'nivella-credit-wallet' ) : __( 'ID of the other website', 'nivella-credit-wallet' ),
			'location'                   => 'order',
			'type'                       => 'text',
			'hidden'                     => $hidden,
			// Who chose another website says which.
			'required'                   => 'required' === site_field_mode() || array() !== $sites ? $is_other : false,
			'attributes'                 => array(
				'maxLength'      => '128',
				'autocomplete'   => 'off',
				'autocapitalize' => 'none',
				'title'          => site_hint(),
			),
			'show_in_order_confirmation' => false,
			'sanitize_callback'          => __NAMESPACE__ . '\\clean_block_site',
			'validate_callback'          => __NAMESPACE__ . '\\validate_block_site',
		)
	);
}

/**
 * The rule that the cart needs an answer, or needs none.
 *
 * @param bool $asks Which.
 */
function cart_rule( bool $asks ): array {
	return array(
		'cart' => array(
			'properties' => array(
				'extensions' => array(
					'properties' => array(
						BLOCK_CART => array( 'properties' => array( 'asks_for_site' => array( 'const' => $asks ) ) ),
					),
				),
			),
		),
	);
}

/**
 * Whether this request shows the page of the checkout. Asked before WordPress knows what it shows.
 */
function is_checkout_request(): bool {
	$asked = isset( $_SERVER['REQUEST_URI'] ) ? (string) wp_parse_url( esc_url_raw( wp_unslash( $_SERVER['REQUEST_URI'] ) ), PHP_URL_PATH ) : '';
	$page  = function_exists( 'wc_get_checkout_url' ) ? wc_get_checkout_url() : '';
	parse_str( (string) wp_parse_url( $page, PHP_URL_QUERY ), $query );
	if ( array() !== $query ) {
		// Without pretty addresses the page is a number.
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- Only looks.
		return isset( $_GET['page_id'], $query['page_id'] ) && $_GET['page_id'] === $query['page_id'];
	}
	return '' !== $page && untrailingslashit( $asked ) === untrailingslashit( (string) wp_parse_url( $page, PHP_URL_PATH ) );
}

/**
 * An id without what people type around it.
 *
 * @param mixed $value What was sent.
 */
function clean_block_site( $value ): string {
	return is_string( $value ) ? trim( $value ) : '';
}

/**
 * Whether the website can be bought for.
 *
 * @param mixed $value What was sent.
 * @return \WP_Error|true
 */
function validate_block_site( $value ) {
	$site = is_string( $value ) ? trim( $value ) : '';
	// Whether there must be one, WooCommerce looks at itself.
	$problem = '' === $site || SITE_OTHER === $site ? '' : site_problem( $site, check_site( $site, own_account() ), false );
	return '' === $problem ? true : new \WP_Error( 'nivella_site', $problem );
}

/**
 * Writes the website on the lines of an order that do not say it. The order is saved afterwards.
 *
 * @param \WC_Order        $order   The order as it was made from the cart.
 * @param \WP_REST_Request $request What the checkout block sent.
 * @throws \Exception When the order cannot be for its websites.
 */
function stamp_block_order( $order, $request ): void {
	if ( ! asks_for_site() ) {
		return;
	}
	$fields = (array) ( $request['additional_fields'] ?? array() );
	$site   = sent_site(
		array(
			SITE_PARAM       => $fields[ BLOCK_SITE ] ?? SITE_OTHER,
			SITE_PARAM_OTHER => $fields[ BLOCK_SITE_OTHER ] ?? '',
		)
	);
	$site   = is_site_id( $site ) && cart_asks_for_site() ? $site : '';
	// What was said is on the lines from here on, and said only there: they can be for several websites.
	foreach ( array( BLOCK_SITE, BLOCK_SITE_OTHER ) as $field ) {
		$order->delete_meta_data( '_wc_other/' . $field );
	}
	if ( 'POST' === $request->get_method() ) {
		refuse_foreign_sites( $order, $site );
	}
	// The lines were made from the cart's, in its order; when nothing changed since an earlier try, they are those of then.
	$lines = array_values( cart_lines() );
	foreach ( array_values( $order->get_items() ) as $i => $item ) {
		$line = $lines[ $i ] ?? array();
		if ( is_tokens_product( $line['data'] ?? null ) && '' === cart_line_site( $line ) ) {
			if ( '' === $site ) {
				$item->delete_meta_data( META_SITE );
			} else {
				$item->update_meta_data( META_SITE, $site );
			}
		}
	}
}

/**
 * Refuses the order when one of its websites is somebody else's. Only now a guest's account is known.
 *
 * @param \WC_Order $order The order.
 * @param string    $site  What was said at checkout, or ''.
 * @throws \Exception When it is.
 */
function refuse_foreign_sites( \WC_Order $order, string $site ): void {
	$account  = buyer_account( get_current_user_id(), (string) $order->get_billing_email() );
	$problems = cart_line_problems( $account );
	if ( '' !== $site && SITE_FOREIGN === check_site( $site, $account ) ) {
		array_unshift( $problems, site_problem( $site, SITE_FOREIGN, false ) );
	}
	if ( array() !== $problems ) {
		throw new \Automattic\WooCommerce\StoreApi\Exceptions\RouteException( 'nivella_site', esc_html( implode( ' ', $problems ) ), 400 );
	}
}

/**
 * Where the checkout block cannot ask, a website that must be said has to be said before.
 *
 * @param \WP_Error $errors Takes what is wrong.
 */
function require_site_before_checkout( $errors ): void {
	if ( 'required' === site_field_mode() && ! has_checkout_site_field() && cart_asks_for_site() ) {
		$errors->add( 'nivella_site', esc_html__( 'Please choose which website the credits are for: remove them from the cart, and choose the website on the product page.', 'nivella-credit-wallet' ) );
	}
}

/**
 * Keeps what the checkout block asked out of the order's addresses in wp-admin: it is on the lines, and only there it counts.
 *
 * @param array $fields WooCommerce's fields.
 */
function hide_block_fields_from_staff( $fields ): array {
	return array_diff_key( (array) $fields, array_flip( array( BLOCK_SITE, BLOCK_SITE_OTHER ) ) );
}
