<?php
/**
 * The plugin without WordPress: just enough of WordPress for its functions and templates to run.
 *
 * The plugin in a real WordPress, in a real browser, is tested in tests/wordpress. What is here does what WordPress does for
 * the plugin's purposes and no more: escaping as strict as WordPress's, options and transients in an array, HTTP answered
 * by the test.
 */

error_reporting( E_ALL );
date_default_timezone_set( 'UTC' );

define( 'ABSPATH', __DIR__ . '/' );
define( 'MINUTE_IN_SECONDS', 60 );
define( 'DAY_IN_SECONDS', 86400 );
define( 'PLUGIN', dirname( __DIR__, 2 ) . '/wp-plugin' );
define( 'FEEDS', dirname( __DIR__, 2 ) . '/fixtures/feed' );

/** What the fake WordPress remembers. */
final class World {
	/** @var array<string, mixed> */
	public static $options = array();
	/** @var array<string, bool> Whether an option is autoloaded. */
	public static $autoload = array();
	/** @var array<string, array{ 0: mixed, 1: int }> Values and when they end. */
	public static $transients = array();
	/** @var list<array{ 0: string, 1: array }> Requests that were made. */
	public static $requests = array();
	/** @var callable|null Answers a request. */
	public static $daemon = null;
	/** @var array<string, list<callable>> Filters of a test. */
	public static $filters = array();
	/** @var string[] Capabilities of the current user. */
	public static $capabilities = array();
	/** @var int */
	public static $user = 0;
	/** @var list<string> */
	public static $settings_errors = array();
	/** @var string */
	public static $timezone = 'UTC';

	public static function fresh(): void {
		foreach ( array( 'options', 'autoload', 'transients', 'requests', 'filters', 'capabilities', 'settings_errors' ) as $name ) {
			self::$$name = array();
		}
		self::$daemon            = null;
		self::$user              = 0;
		self::$timezone          = 'UTC';
		self::$options['date_format'] = 'Y-m-d';
		self::$options['time_format'] = 'H:i';
	}

	/** Connects as a site or, with a store, as a shop. */
	public static function connect( string $store = '', string $key = 'nwk_0123456789abcdef' ): void {
		self::$options['nivella_credit_wallet'] = array(
			'url'   => 'https://wallet.example',
			'key'   => $key,
			'store' => $store,
		);
	}
}

class WP_Error {
	private $code;
	private $message;
	private $data;
	public function __construct( $code = '', $message = '', $data = '' ) {
		$this->code    = $code;
		$this->message = $message;
		$this->data    = $data;
	}
	public function get_error_code() {
		return $this->code;
	}
	public function get_error_message() {
		return $this->message;
	}
	public function add_data( $data ) {
		$this->data = $data;
	}
	public function get_error_data() {
		return $this->data;
	}
}

class WP_Locale {
	public $number_format = array(
		'decimal_point' => '.',
		'thousands_sep' => ',',
	);
}
$GLOBALS['wp_locale'] = new WP_Locale();

/** WP_DIE and exits, as exceptions. */
final class Ended extends Exception {}

function is_wp_error( $thing ) {
	return $thing instanceof WP_Error;
}
function get_option( $name, $otherwise = false ) {
	return World::$options[ $name ] ?? $otherwise;
}
function update_option( $name, $value, $autoload = null ) {
	World::$options[ $name ]  = $value;
	World::$autoload[ $name ] = false !== $autoload;
	return true;
}
function delete_option( $name ) {
	$was_there = isset( World::$options[ $name ] );
	unset( World::$options[ $name ] );
	return $was_there;
}
function get_transient( $name ) {
	list( $value, $ends ) = World::$transients[ $name ] ?? array( false, PHP_INT_MAX );
	return $ends > time() ? $value : false;
}
function set_transient( $name, $value, $ttl_s = 0 ) {
	World::$transients[ $name ] = array( $value, time() + $ttl_s );
	return true;
}
function delete_transient( $name ) {
	unset( World::$transients[ $name ] );
	return true;
}
function wp_remote_request( $url, $args = array() ) {
	World::$requests[] = array( $url, $args );
	return ( World::$daemon )( $url, $args );
}
function wp_remote_retrieve_response_code( $response ) {
	return $response['response']['code'] ?? '';
}
function wp_remote_retrieve_body( $response ) {
	return $response['body'] ?? '';
}
function wp_remote_retrieve_header( $response, $name ) {
	return $response['headers'][ $name ] ?? '';
}
function apply_filters( $name, $value ) {
	foreach ( World::$filters[ $name ] ?? array() as $filter ) {
		$value = $filter( $value );
	}
	return $value;
}
function current_user_can( $capability ) {
	return in_array( $capability, World::$capabilities, true );
}
function is_user_logged_in() {
	return World::$user > 0;
}
function get_current_user_id() {
	return World::$user;
}
function get_userdata( $id ) {
	return People::$users[ $id ] ?? ( $id > 0 && $id < 100 ? (object) array( 'ID' => $id ) : false );
}
function wp_create_nonce( $name ) {
	return substr( hash( 'sha256', World::$user . $name ), 0, 10 );
}
function check_admin_referer( $name ) {
	if ( ( $_REQUEST['_wpnonce'] ?? '' ) !== wp_create_nonce( $name ) ) {
		throw new Ended( 'nonce' );
	}
}
function wp_die( $message = '', $title = '', $args = array() ) {
	throw new Ended( 'die ' . ( $args['response'] ?? 500 ) );
}
function add_settings_error( $page, $code, $message ) {
	World::$settings_errors[] = $code;
}
function taxonomy_exists() {
	return false;
}
function wp_generate_uuid4() {
	return sprintf( '%08x-0000-4000-8000-000000000000', count( World::$requests ) );
}
function wp_unique_id( $prefix ) {
	static $id = 0;
	return $prefix . ++$id;
}
function wp_date( $format, $at, $zone = null ) {
	return ( new DateTimeImmutable( "@{$at}" ) )->setTimezone( $zone ?? wp_timezone() )->format( $format );
}
function wp_timezone() {
	return new DateTimeZone( World::$timezone );
}
function human_time_diff( $from ) {
	return ( time() - $from ) . ' seconds';
}
function number_format_i18n( $number, $decimals = 0 ) {
	return number_format( $number, $decimals );
}
function admin_url( $path = '' ) {
	return 'https://site.example/wp-admin/' . $path;
}
function home_url( $path = '' ) {
	return 'https://site.example' . $path;
}
function plugins_url( $path ) {
	return 'https://site.example/wp-content/plugins/nivella-credit-wallet/' . $path;
}
function add_query_arg( ...$args ) {
	list( $more, $url ) = is_array( $args[0] ) ? $args : array( array( $args[0] => $args[1] ), $args[2] );
	foreach ( $more as $name => $value ) {
		$url .= ( strpos( $url, '?' ) ? '&' : '?' ) . $name . '=' . $value;
	}
	return $url;
}
function wp_parse_url( $url, $part = -1 ) {
	return parse_url( $url, $part );
}
function wp_parse_str( $text, &$into ) {
	parse_str( $text, $into );
}
function wp_json_encode( $value ) {
	return json_encode( $value );
}
function wp_unslash( $value ) {
	return is_string( $value ) ? stripslashes( $value ) : $value;
}
function absint( $value ) {
	return abs( (int) $value );
}
function wp_referer_field() {
	echo '<input type="hidden" name="_wp_http_referer" value="/">';
}
function selected( $a, $b ) {
	echo (string) $a === (string) $b ? " selected='selected'" : '';
}
function settings_errors() {}
function settings_fields() {}
function do_settings_sections() {}
function submit_button() {}

// Escaping. As in WordPress an entity that is there already is not escaped again; nothing else gets through.
function esc_html( $text ) {
	return htmlspecialchars( (string) $text, ENT_QUOTES, 'UTF-8', false );
}
function esc_attr( $text ) {
	return esc_html( $text );
}
function esc_url( $url ) {
	return preg_match( '#^(https?:)?/#i', $url ) ? esc_html( str_replace( array( '"', "'", '<', '>', ' ' ), '', $url ) ) : '';
}

// Words.
function __( $text ) {
	return $text;
}
function _x( $text ) {
	return $text;
}
function _n( $one, $many, $number ) {
	return 1 === $number ? $one : $many;
}
function esc_html__( $text ) {
	return esc_html( $text );
}
function esc_html_e( $text ) {
	echo esc_html( $text );
}
function esc_attr_e( $text ) {
	echo esc_attr( $text );
}

// Hooks are recorded, not run: HooksTest looks at them.
$GLOBALS['hooks'] = array();
function add_action( $name, $callback ) {
	$GLOBALS['hooks'][] = array( $name, $callback );
}
function add_filter( $name, $callback ) {
	$GLOBALS['hooks'][] = array( $name, $callback );
}
function register_activation_hook( $file, $callback ) {
	$GLOBALS['hooks'][] = array( 'activation', $callback );
}
function register_deactivation_hook( $file, $callback ) {
	$GLOBALS['hooks'][] = array( 'deactivation', $callback );
}
function plugin_basename( $file ) {
	return 'nivella-credit-wallet/' . basename( $file );
}

/** An answer of the daemon. */
function answer( int $status, string $body, array $headers = array() ): array {
	return array(
		'response' => array( 'code' => $status ),
		'body'     => $body,
		'headers'  => $headers,
	);
}

/** A problem document of the daemon. */
function problem( int $status, string $code ): array {
	return answer( $status, json_encode( compact( 'status', 'code' ) + array( 'title' => $code ) ), array( 'content-type' => 'application/problem+json' ) );
}

/** A feed as it was recorded. */
function feed( string $name ): string {
	return file_get_contents( FEEDS . "/{$name}.json" );
}

/** The seed of a randomized test: given as SEED=, else new; printed, so that a failure can be repeated. */
function seed(): int {
	static $seed = null;
	if ( null === $seed ) {
		$seed = (int) ( getenv( 'SEED' ) ?: random_int( 1, 1000000000 ) );
		fwrite( STDERR, "SEED={$seed}\n" );
	}
	mt_srand( $seed );
	return $seed;
}

foreach ( glob( __DIR__ . '/fakes/*.php' ) as $fake ) {
	require $fake;
}
World::fresh();
require PLUGIN . '/nivella-credit-wallet.php';
