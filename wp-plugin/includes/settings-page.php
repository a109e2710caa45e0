<?php
/**
 * The settings page. The key goes in and never comes out again.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const SETTINGS_PAGE  = 'nivella-credit-wallet-settings';
const SETTINGS_GROUP = 'nivella_credit_wallet';
const TEST_ACTION    = 'nivella_credit_wallet_test';

/**
 * Tells the Settings API about the option and its fields.
 */
function register_settings(): void {
	register_setting(
		SETTINGS_GROUP,
		OPTION,
		array(
			'type'              => 'array',
			'sanitize_callback' => __NAMESPACE__ . '\\sanitize_settings',
			'show_in_rest'      => false,
		)
	);
	add_settings_section( 'connection', '', '__return_null', SETTINGS_PAGE );
	$fields = array(
		'url'   => __( 'Address of the wallet service', 'nivella-credit-wallet' ),
		'key'   => __( 'Key', 'nivella-credit-wallet' ),
		'store' => __( 'Store name', 'nivella-credit-wallet' ),
	);
	foreach ( $fields as $field => $label ) {
		add_settings_field(
			$field,
			$label,
			__NAMESPACE__ . '\\show_settings_field',
			SETTINGS_PAGE,
			'connection',
			array(
				'field'     => $field,
				'label_for' => OPTION_PREFIX . $field,
			)
		);
	}
}

/**
 * Shows one field.
 *
 * @param array $args See `register_settings()`.
 */
function show_settings_field( array $args ): void {
	$settings = settings();
	show(
		"settings-{$args['field']}",
		array(
			'id'    => $args['label_for'],
			'name'  => OPTION . "[{$args['field']}]",
			'value' => 'key' === $args['field'] ? '' : $settings[ $args['field'] ],
			// Four of at least twelve characters: enough to recognise a key, useless to guess one.
			'saved' => '' === $settings['key'] ? '' : substr( $settings['key'], -4 ),
			'forget_name' => OPTION . '[forget_key]',
		)
	);
}

/**
 * What is saved of what was typed. A part that is wrong keeps its old value and is named.
 *
 * @param mixed $typed What was sent.
 * @return array{ url: string, key: string, store: string }
 */
function sanitize_settings( $typed ): array {
	$old   = settings();
	$typed = is_array( $typed ) ? $typed : array();
	$new   = $old;

	$url        = typed_text( $typed, 'url', $old['url'] );
	$new['url'] = '' === $url ? '' : clean_daemon_url( $url );
	if ( '' !== $url && '' === $new['url'] ) {
		$new['url'] = $old['url'];
		settings_problem( 'url', __( 'This web address cannot be used. It looks like https://wallet.example.com, without user name, password or question mark. The old one was kept.', 'nivella-credit-wallet' ) );
	}

	if ( $new['url'] !== $old['url'] && '' !== $new['url'] && ! may_name_address( $new['url'] ) ) {
		$new['url'] = $old['url'];
		settings_problem( 'url', network_only() );
	}

	$key = typed_text( $typed, 'key', '' );
	if ( preg_match( '/nwp_[A-Za-z0-9_-]+$/D', $key ) ) {
		settings_problem( 'key', __( 'This is a pairing code, which is for the shop that sells the credits. This field takes a key, which begins with nwk_.', 'nivella-credit-wallet' ) );
		$key = '';
	}
	if ( '' !== $key && is_key( $key ) ) {
		$new['key'] = $key;
	} elseif ( '' !== $key ) {
		settings_problem( 'key', __( 'This is not a key: a key begins with nwk_ and has no spaces. The old one was kept.', 'nivella-credit-wallet' ) );
	} elseif ( ! empty( $typed['forget_key'] ) ) {
		$new['key'] = '';
	}

	$store        = typed_text( $typed, 'store', $old['store'] );
	$new['store'] = '' === $store || is_store_name( $store ) ? $store : $old['store'];
	if ( $new['store'] !== $store ) {
		settings_problem( 'store', __( 'This is not the name of a store: only letters, digits, dots, hyphens and underscores. The old one was kept.', 'nivella-credit-wallet' ) );
	}
	return $new;
}

/**
 * One thing that was typed.
 *
 * @param array  $typed   What was sent.
 * @param string $name    Its field.
 * @param string $missing What counts when it was not sent.
 */
function typed_text( array $typed, string $name, string $missing ): string {
	return isset( $typed[ $name ] ) && is_string( $typed[ $name ] ) ? trim( $typed[ $name ] ) : $missing;
}

/**
 * What to say of an address that only those may name who run the network.
 */
function network_only(): string {
	return __( 'On this network of websites only a network administrator may connect to an address that is not public: on the same machine, in a private network or on another port than 80, 443 and 8080.', 'nivella-credit-wallet' );
}

/**
 * Names a problem above the form.
 *
 * @param string $field   Which field.
 * @param string $message What is wrong with it.
 */
function settings_problem( string $field, string $message ): void {
	if ( function_exists( 'add_settings_error' ) ) {
		add_settings_error( SETTINGS_PAGE, "nivella-{$field}", $message );
	}
}

/**
 * Shows the page. A visit right after saving tries the new settings out.
 */
function show_settings_page(): void {
	if ( ! current_user_can( settings_capability() ) ) {
		wp_die( esc_html__( 'You may not change these settings.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
	$result = take_result( 'settings' );
	// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- Only decides whether to look at the connection.
	if ( ! is_array( $result ) && isset( $_GET['settings-updated'] ) && is_connected() ) {
		$result = test_connection();
	}
	show(
		'settings-page',
		array(
			'group'       => SETTINGS_GROUP,
			'page'        => SETTINGS_PAGE,
			'result'      => is_array( $result ) ? $result : null,
			'test_url'    => admin_url( 'admin-post.php' ),
			'test_action' => TEST_ACTION,
			'test_nonce'  => wp_create_nonce( TEST_ACTION ),
			'can_test'    => is_connected(),
			'wallet_url'  => admin_page_url(),
			'connect'     => connect_view(),
		)
	);
}

/**
 * Tries the saved settings out, because the button was pressed.
 */
function handle_test(): void {
	check_admin_referer( TEST_ACTION );
	if ( ! current_user_can( settings_capability() ) || 'POST' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) ) {
		wp_die( esc_html__( 'You may not change these settings.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
	leave_result( 'settings', test_connection() );
	wp_safe_redirect( settings_url() );
	exit;
}

/**
 * The address of the page.
 */
function settings_url(): string {
	return admin_url( 'admin.php?page=' . SETTINGS_PAGE );
}
