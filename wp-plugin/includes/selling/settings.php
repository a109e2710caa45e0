<?php
/**
 * The shop's settings for selling: whether customers are asked which website credits are for.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The option: array{ site_field: string }. */
const SELLING_OPTION = OPTION_PREFIX . 'selling';

/** Whether the website is asked for. */
const SITE_FIELD_MODES = array( 'hidden', 'optional', 'required' );

/**
 * Whether customers are not asked, may or must say which website credits are for.
 */
function site_field_mode(): string {
	$option = get_option( SELLING_OPTION );
	$mode   = is_array( $option ) ? ( $option['site_field'] ?? '' ) : '';
	return in_array( $mode, SITE_FIELD_MODES, true ) ? $mode : 'optional';
}

/**
 * Whether this shop asks which website credits are for.
 */
function asks_for_site(): bool {
	return is_shop() && 'hidden' !== site_field_mode();
}

/**
 * Tells the Settings API about the section.
 */
function register_selling_settings(): void {
	if ( ! is_shop() ) {
		return;
	}
	register_setting(
		SETTINGS_GROUP,
		SELLING_OPTION,
		array(
			'type'              => 'array',
			'sanitize_callback' => __NAMESPACE__ . '\\sanitize_selling_settings',
			'show_in_rest'      => false,
		)
	);
	add_settings_section( 'selling', __( 'Selling', 'nivella-credit-wallet' ), '__return_null', SETTINGS_PAGE );
	add_settings_field(
		'site_field',
		__( 'Ask for the website', 'nivella-credit-wallet' ),
		__NAMESPACE__ . '\\show_site_field_setting',
		SETTINGS_PAGE,
		'selling',
		array( 'label_for' => SELLING_OPTION . '_site_field' )
	);
}

/**
 * Shows the setting.
 *
 * @param array $args See `register_selling_settings()`.
 */
function show_site_field_setting( array $args ): void {
	show(
		'selling-setting',
		array(
			'id'    => $args['label_for'],
			'name'  => SELLING_OPTION . '[site_field]',
			'value' => site_field_mode(),
			'modes' => array(
				'hidden'   => __( 'Do not ask: credits are for the account', 'nivella-credit-wallet' ),
				'optional' => __( 'Ask, customers may leave it open', 'nivella-credit-wallet' ),
				'required' => __( 'Ask, customers must answer', 'nivella-credit-wallet' ),
			),
		)
	);
}

/**
 * What is saved of what was sent. What makes no sense keeps the old value.
 *
 * @param mixed $sent What was sent.
 * @return array{ site_field: string }
 */
function sanitize_selling_settings( $sent ): array {
	$mode = typed_text( is_array( $sent ) ? $sent : array(), 'site_field', site_field_mode() );
	if ( ! in_array( $mode, SITE_FIELD_MODES, true ) ) {
		settings_problem( 'site_field', __( 'Ask for the website: choose one of the three. The old setting was kept.', 'nivella-credit-wallet' ) );
		$mode = site_field_mode();
	}
	return array( 'site_field' => $mode );
}
