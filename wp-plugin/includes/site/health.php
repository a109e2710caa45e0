<?php
/**
 * Site Health: whether the wallet service can be reached, how old the figures are, whether the key is for this website and
 * whether both clocks agree. And what a person who helps wants to know, without any secret.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** Figures older than this are worth a word: the task that asks for them does not run. */
const HEALTH_OLD_S = 7200;

/** How far the clocks may be apart; signatures are good for five minutes. */
const HEALTH_SKEW_S = 120;

/** The checks, in the order they are shown. Those that talk to the wallet service are done after the page is there. */
const HEALTH_CHECKS = array(
	'external'   => false,
	'age'        => false,
	'connection' => true,
	'binding'    => true,
	'clock'      => true,
);

/**
 * Adds the tests to Site Health.
 *
 * @param mixed $tests Tests of WordPress and of others.
 */
function add_health_tests( $tests ): array {
	$tests = (array) $tests;
	if ( ! is_connected() ) {
		return $tests;
	}
	foreach ( HEALTH_CHECKS as $check => $talks ) {
		$label = health_titles()[ $check ];
		if ( $talks ) {
			$tests['async'][ "nivella_{$check}" ] = array(
				'label'             => $label,
				'test'              => rest_url( REST_ROUTES . "/health/{$check}" ),
				'has_rest'          => true,
				'async_direct_test' => static function () use ( $check ) {
					return health_result( $check );
				},
			);
		} else {
			$tests['direct'][ "nivella_{$check}" ] = array(
				'label' => $label,
				'test'  => static function () use ( $check ) {
					return health_result( $check );
				},
			);
		}
	}
	return $tests;
}

/**
 * What the checks are called.
 *
 * @return array<string, string>
 */
function health_titles(): array {
	return array(
		'external'   => __( 'AI Credits: requests to the wallet service are allowed', 'nivella-credit-wallet' ),
		'age'        => __( 'AI Credits: the figures are recent', 'nivella-credit-wallet' ),
		'connection' => __( 'AI Credits: the wallet service answers', 'nivella-credit-wallet' ),
		'binding'    => __( 'AI Credits: the key is for this website', 'nivella-credit-wallet' ),
		'clock'      => __( 'AI Credits: the clocks agree', 'nivella-credit-wallet' ),
	);
}

/**
 * Makes the addresses known at which Site Health runs the tests that talk.
 */
function register_health_routes(): void {
	register_rest_route(
		REST_ROUTES,
		'/health/(?P<check>connection|binding|clock)',
		array(
			'methods'             => 'GET',
			'callback'            => static function ( $request ) {
				return health_result( (string) $request['check'] );
			},
			'permission_callback' => static function () {
				return current_user_can( 'view_site_health_checks' );
			},
			'show_in_index'       => false,
		)
	);
}

/**
 * A check as Site Health shows it.
 *
 * @param string $check One of `HEALTH_CHECKS`.
 */
function health_result( string $check ): array {
	$found  = health( $check );
	$colour = array(
		'good'        => 'green',
		'recommended' => 'orange',
		'critical'    => 'red',
	);
	return array(
		'label'       => $found['label'],
		'status'      => $found['status'],
		'badge'       => array(
			'label' => __( 'AI Credits', 'nivella-credit-wallet' ),
			'color' => $colour[ $found['status'] ],
		),
		'description' => rendered( 'site-health', array( 'text' => $found['text'], 'remedy' => $found['remedy'] ) ),
		'actions'     => current_user_can( settings_capability() ) && 'good' !== $found['status'] ? rendered( 'settings-link', array( 'url' => settings_url() ) ) : '',
		'test'        => "nivella_{$check}",
	);
}

/**
 * A check.
 *
 * @param string $check One of `HEALTH_CHECKS`.
 * @return array{ status: string, label: string, text: string, remedy: string }
 */
function health( string $check ): array {
	switch ( $check ) {
		case 'external':
			return external_health();
		case 'age':
			return age_health( time() );
		case 'binding':
			return binding_health( ask_health() );
		case 'clock':
			return clock_health( ask_health() );
		default:
			return connection_health( ask_health() );
	}
}

/**
 * Whether WordPress lets the request out.
 */
function external_health(): array {
	$url     = settings()['url'];
	$blocked = defined( 'WP_HTTP_BLOCK_EXTERNAL' ) && WP_HTTP_BLOCK_EXTERNAL && _wp_http_get_object()->block_request( $url );
	if ( $blocked ) {
		$why = explain( new \WP_Error( 'nivella_blocked' ) );
		return health_of( 'critical', __( 'WordPress does not let AI Credits ask the wallet service', 'nivella-credit-wallet' ), $why['reason'], $why['remedy'] );
	}
	return health_of( 'good', health_titles()['external'], __( 'Nothing in wp-config.php keeps this WordPress from asking the wallet service.', 'nivella-credit-wallet' ) );
}

/**
 * How old the figures are that a page would show now.
 *
 * @param int $now Unix seconds.
 */
function age_health( int $now ): array {
	if ( is_shop() ) {
		$planned = wp_next_scheduled( TICK );
		if ( false === $planned || $planned < $now - HEALTH_OLD_S ) {
			return health_of( 'recommended', __( 'The task that asks the wallet service for news does not run', 'nivella-credit-wallet' ), __( 'It is planned for every 15 minutes. Customers are told late that their credits run low.', 'nivella-credit-wallet' ), __( 'Check that WP-Cron runs: that somebody visits the website, or that a real cron job calls wp-cron.php.', 'nivella-credit-wallet' ) );
		}
		return health_of( 'good', health_titles()['age'], __( 'Each customer\'s figures are asked for when they look; news is asked for every 15 minutes.', 'nivella-credit-wallet' ) );
	}
	$last = last_known( wallet_digest( OWN_WALLET ) );
	if ( null === $last ) {
		return health_of( 'recommended', __( 'No figures are known yet', 'nivella-credit-wallet' ), __( 'The wallet service has not answered since the settings were saved.', 'nivella-credit-wallet' ), __( 'Open the page AI Credits: it says what is wrong.', 'nivella-credit-wallet' ) );
	}
	/* translators: %s: span of time, like "5 minutes". */
	$age = sprintf( __( 'The last answer of the wallet service is %s old.', 'nivella-credit-wallet' ), human_time_diff( $last['checked_at'], $now ) );
	if ( $last['checked_at'] < $now - HEALTH_OLD_S ) {
		return health_of( 'recommended', __( 'The AI Credits figures are old', 'nivella-credit-wallet' ), $age, __( 'Check that WP-Cron runs: that somebody visits the website, or that a real cron job calls wp-cron.php. If the connection test fails, begin there.', 'nivella-credit-wallet' ) );
	}
	return health_of( 'good', health_titles()['age'], $age );
}

/**
 * Whether the wallet service answers.
 *
 * @param array $probe From `ask_health()`.
 */
function connection_health( array $probe ): array {
	if ( 'nivella_site_mismatch' === $probe['code'] ) {
		// It does answer; what is wrong is another test's.
		return health_of( 'good', health_titles()['connection'], __( 'The wallet service answers.', 'nivella-credit-wallet' ) );
	}
	return $probe['ok']
		? health_of( 'good', health_titles()['connection'], $probe['reason'] )
		: health_of( 'critical', __( 'AI Credits cannot reach the wallet service', 'nivella-credit-wallet' ), $probe['reason'], $probe['remedy'] );
}

/**
 * Whether the key is for this website.
 *
 * @param array $probe From `ask_health()`.
 */
function binding_health( array $probe ): array {
	if ( 'nivella_site_mismatch' === $probe['code'] ) {
		return health_of( 'critical', __( 'The key of AI Credits is for another website', 'nivella-credit-wallet' ), $probe['reason'], $probe['remedy'] );
	}
	if ( ! $probe['ok'] ) {
		return health_of( 'recommended', __( 'Whether the key of AI Credits is for this website is not known', 'nivella-credit-wallet' ), __( 'The wallet service could not be asked.', 'nivella-credit-wallet' ), __( 'Begin with the connection test.', 'nivella-credit-wallet' ) );
	}
	return health_of( 'good', health_titles()['binding'], is_shop() ? __( 'The key is one for a shop.', 'nivella-credit-wallet' ) : __( 'The wallet service takes the key from the address of this website.', 'nivella-credit-wallet' ) );
}

/**
 * Whether both clocks agree.
 *
 * @param array $probe From `ask_health()`.
 */
function clock_health( array $probe ): array {
	if ( null === $probe['skew_s'] ) {
		return health_of( 'recommended', __( 'Whether the clocks of this website and of the wallet service agree is not known', 'nivella-credit-wallet' ), __( 'The wallet service could not be asked.', 'nivella-credit-wallet' ), __( 'Begin with the connection test.', 'nivella-credit-wallet' ) );
	}
	/* translators: %s: number of seconds. */
	$apart = sprintf( _n( 'They are %s second apart.', 'They are %s seconds apart.', abs( $probe['skew_s'] ), 'nivella-credit-wallet' ), number_format_i18n( abs( $probe['skew_s'] ) ) );
	if ( abs( $probe['skew_s'] ) > HEALTH_SKEW_S ) {
		return health_of( 'recommended', __( 'The clocks of this website and of the wallet service do not agree', 'nivella-credit-wallet' ), $apart, __( 'Have both machines set their clocks by the network (NTP). Messages between them are only accepted while they are less than five minutes apart.', 'nivella-credit-wallet' ) );
	}
	return health_of( 'good', health_titles()['clock'], $apart );
}

/**
 * A finding.
 *
 * @param string $status `good`, `recommended` or `critical`.
 * @param string $label  The heading.
 * @param string $text   What was found.
 * @param string $remedy What to do, or ''.
 */
function health_of( string $status, string $label, string $text, string $remedy = '' ): array {
	return compact( 'status', 'label', 'text', 'remedy' );
}

/**
 * Asks the wallet service once for all tests that talk; they come one after the other, each in a request of its own.
 *
 * @return array{ ok: bool, code: string, reason: string, remedy: string, skew_s: int|null }
 */
function ask_health(): array {
	$name = OPTION_PREFIX . 'test_health_' . wallet_digest( OWN_WALLET );
	$kept = get_transient( $name );
	if ( is_array( $kept ) && isset( $kept['code'] ) && array_key_exists( 'skew_s', $kept ) ) {
		return $kept;
	}
	$result   = test_connection();
	$begun    = time();
	$response = 'ok' === $result['code'] || 'nivella_site_mismatch' === $result['code'] ? send_request( 'GET', '/healthz', array(), array( 'timeout' => WAIT_S ) ) : null;
	$date     = is_array( $response ) ? strtotime( single_header( $response, 'date' ) ) : false;
	$result  += array( 'skew_s' => false === $date ? null : $begun - $date );
	set_transient( $name, $result, 20 );
	return $result;
}

/**
 * Adds to what Site Health tells about this WordPress. No key and no secret.
 *
 * @param mixed $info Sections by name.
 */
function add_debug_information( $info ): array {
	$settings = settings();
	$shop     = get_option( OPTION_PREFIX . 'shop' );
	$shop     = is_array( $shop ) ? $shop : array();
	$last     = is_connected() && ! is_shop() ? last_known( wallet_digest( OWN_WALLET ) ) : null;
	$failure  = is_connected() ? remembered_failure( wallet_digest( OWN_WALLET ) ) : null;
	$tick     = wp_next_scheduled( TICK );
	$yes      = static function ( bool $is ): array {
		return array(
			'value' => $is ? __( 'Yes', 'nivella-credit-wallet' ) : __( 'No', 'nivella-credit-wallet' ),
			'debug' => $is ? 'yes' : 'no',
		);
	};
	$fields = array(
		'version'  => array( 'label' => __( 'Version', 'nivella-credit-wallet' ), 'value' => VERSION ),
		'role'     => array(
			'label' => __( 'Role', 'nivella-credit-wallet' ),
			'value' => is_shop() ? __( 'Shop', 'nivella-credit-wallet' ) : __( 'Customer\'s website', 'nivella-credit-wallet' ),
			'debug' => is_shop() ? 'shop' : 'site',
		),
		'service'  => array( 'label' => __( 'Address of the wallet service', 'nivella-credit-wallet' ), 'value' => '' === $settings['url'] ? '-' : $settings['url'] ),
		'store'    => array( 'label' => __( 'Store name', 'nivella-credit-wallet' ), 'value' => '' === $settings['store'] ? '-' : $settings['store'] ),
		'key'      => array( 'label' => __( 'A key is saved', 'nivella-credit-wallet' ) ) + $yes( '' !== $settings['key'] ),
		'origin'   => array( 'label' => __( 'This website, as the wallet service sees it', 'nivella-credit-wallet' ), 'value' => (string) get_option( 'home' ) ),
		'checked'  => array( 'label' => __( 'Last answer', 'nivella-credit-wallet' ), 'value' => null === $last ? '-' : iso_time( $last['checked_at'] ) ),
		'failure'  => array( 'label' => __( 'Last failure, if it was just now', 'nivella-credit-wallet' ), 'value' => null === $failure ? '-' : (string) $failure->get_error_code() ),
		'task'     => array( 'label' => __( 'Next time it asks for news', 'nivella-credit-wallet' ), 'value' => false === $tick ? '-' : iso_time( (int) $tick ) ),
		'blocked'  => array( 'label' => 'WP_HTTP_BLOCK_EXTERNAL' ) + $yes( defined( 'WP_HTTP_BLOCK_EXTERNAL' ) && WP_HTTP_BLOCK_EXTERNAL ),
		'no_cron'  => array( 'label' => 'DISABLE_WP_CRON' ) + $yes( defined( 'DISABLE_WP_CRON' ) && DISABLE_WP_CRON ),
	);
	if ( is_shop() ) {
		$fields['paired'] = array( 'label' => __( 'Paired', 'nivella-credit-wallet' ) ) + $yes( isset( $shop['paired_at'] ) );
		$fields['events'] = array( 'label' => __( 'A secret for events is saved', 'nivella-credit-wallet' ) ) + $yes( ! empty( $shop['events_secret'] ) );
	}
	return (array) $info + array(
		'nivella-credit-wallet' => array(
			'label'  => __( 'AI Credits', 'nivella-credit-wallet' ),
			'fields' => $fields,
		),
	);
}
