<?php
/**
 * Plugin Name: Nivella lab
 * Description: Keeps a WordPress under test on this machine, and opens its door to the tests.
 *
 * A must-use plugin of the test installation only. It is no part of the product.
 *
 * @package Nivella\Tests
 */

defined( 'ABSPATH' ) || exit;

// Nothing leaves this machine. What somebody tried to reach is written down, so that a test can
// assert that the plugin asked its daemon and nobody else.
add_filter(
	'pre_http_request',
	static function ( $answer, $args, $url ) {
		$host = trim( (string) wp_parse_url( $url, PHP_URL_HOST ), '[]' );
		if ( in_array( $host, array( '127.0.0.1', 'localhost', '::1' ), true ) ) {
			return $answer;
		}
		// WordPress's own errands, such as looking for updates. It takes an error status quietly, but
		// would put a failed connection into the debug log, where tests look for the plugin's notices.
		if ( 'api.wordpress.org' === $host ) {
			return array(
				'headers'  => array(),
				'body'     => '',
				'response' => array(
					'code'    => 503,
					'message' => 'Service Unavailable',
				),
				'cookies'  => array(),
				'filename' => null,
			);
		}
		file_put_contents( NIVELLA_LAB_OUTSIDE_LOG, $url . "\n", FILE_APPEND | LOCK_EX );
		return new WP_Error( 'nivella_lab', 'This WordPress is a test and does not leave its machine.' );
	},
	1,
	3
);

// Mails are written down, a line of JSON each, and leave this machine as little as anything else.
add_filter(
	'pre_wp_mail',
	static function ( $sent, $mail ) {
		file_put_contents( dirname( NIVELLA_LAB_OUTSIDE_LOG ) . '/mails.log', wp_json_encode( $mail ) . "\n", FILE_APPEND | LOCK_EX );
		return true;
	},
	1,
	2
);

add_action(
	'wp_dashboard_setup',
	static function () {
		foreach ( array( 'dashboard_primary', 'dashboard_php_nag', 'dashboard_browser_nag' ) as $box ) {
			remove_meta_box( $box, 'dashboard', 'side' );
			remove_meta_box( $box, 'dashboard', 'normal' );
		}
	},
	99
);

// /?nivella_lab_login=NAME&token=… logs that person in and leads to where `to` says. The token is made
// anew for every start and known to whoever started this WordPress.
add_action(
	'init',
	static function () {
		// phpcs:disable WordPress.Security.NonceVerification -- the token is what is checked.
		if ( ! isset( $_GET['nivella_lab_login'], $_GET['token'] ) ) {
			return;
		}
		$from_here = isset( $_SERVER['REMOTE_ADDR'] ) && '127.0.0.1' === $_SERVER['REMOTE_ADDR'];
		if ( ! $from_here || ! hash_equals( NIVELLA_LAB_TOKEN, (string) wp_unslash( $_GET['token'] ) ) ) {
			wp_die( 'That is not the link this WordPress printed.', '', array( 'response' => 403 ) );
		}
		$user = get_user_by( 'login', sanitize_user( wp_unslash( $_GET['nivella_lab_login'] ) ) );
		if ( ! $user ) {
			wp_die( 'There is no such user.', '', array( 'response' => 404 ) );
		}
		wp_set_auth_cookie( $user->ID, true );
		$to = isset( $_GET['to'] ) ? (string) wp_unslash( $_GET['to'] ) : admin_url();
		wp_safe_redirect( wp_validate_redirect( $to, home_url( '/' ) ) );
		exit;
		// phpcs:enable
	},
	99
);
