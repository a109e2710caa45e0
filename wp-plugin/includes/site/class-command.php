<?php
/**
 * `wp nivella`: the wallet and its connection on the command line.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Shows the wallet of this site, or of a customer of this shop, and looks after the connection.
 *
 * Exit codes: 0 when all is well, 1 when something is wrong; what it is and what to do stands on STDERR.
 */
class Command {

	/**
	 * Says whether the wallet service answers, and how the wallet stands.
	 *
	 * ## OPTIONS
	 *
	 * [--format=<format>]
	 * : How to print it.
	 * ---
	 * default: table
	 * options:
	 *   - table
	 *   - json
	 *   - csv
	 * ---
	 *
	 * ## EXAMPLES
	 *
	 *     wp nivella status --format=json
	 *
	 * @param array $args    None.
	 * @param array $options See above.
	 */
	public function status( $args, $options ): void {
		$this->must_be_connected();
		$result = test_connection();
		$last   = is_shop() ? null : last_known( wallet_digest( OWN_WALLET ) );
		$this->facts(
			array(
				'ok'        => $result['ok'],
				'code'      => $result['code'],
				'reason'    => $result['reason'],
				'remedy'    => $result['remedy'],
				'service'   => settings()['url'],
				'role'      => is_shop() ? 'shop' : 'site',
				'store'     => settings()['store'],
				'last_seen' => null === $last ? '' : iso_time( $last['checked_at'] ),
				'version'   => VERSION,
			),
			$options
		);
		if ( ! $result['ok'] ) {
			\WP_CLI::halt( 1 );
		}
	}

	/**
	 * Shows a wallet.
	 *
	 * ## OPTIONS
	 *
	 * [--customer=<user>]
	 * : On a shop: the customer, by number, login or e-mail address.
	 *
	 * [--history]
	 * : Lists the newest changes of the balance instead.
	 *
	 * [--format=<format>]
	 * : How to print it.
	 * ---
	 * default: table
	 * options:
	 *   - table
	 *   - json
	 *   - csv
	 * ---
	 *
	 * ## EXAMPLES
	 *
	 *     wp nivella wallet
	 *     wp nivella wallet --customer=alice@example.com --history --format=csv
	 *
	 * @param array $args    None.
	 * @param array $options See above.
	 */
	public function wallet( $args, $options ): void {
		$this->must_be_connected();
		$path   = $this->path( (string) ( $options['customer'] ?? '' ) );
		$wallet = look_up_wallet( $path, 0 );
		$feed   = $wallet['feed'];
		if ( null === $feed ) {
			$this->fail( $wallet['error'] );
		}
		if ( ! empty( $options['history'] ) ) {
			$rows = array_map(
				static function ( array $line ): array {
					return array(
						'at'      => iso_time( $line['at'] ),
						'kind'    => $line['kind'],
						'label'   => $line['label'],
						'credits' => $line['credits'],
						'site'    => (string) $line['site'],
						'order'   => (string) $line['order'],
					);
				},
				$feed['activity']
			);
			\WP_CLI\Utils\format_items( $options['format'] ?? 'table', $rows, array( 'at', 'kind', 'label', 'credits', 'site', 'order' ) );
		} else {
			$this->facts(
				array(
					'wallet'    => $feed['wallet'],
					'owner'     => wallet_owner( $feed ),
					'available' => $feed['available'],
					'unit'      => $feed['unit'],
					'status'    => $feed['status'],
					'held'      => $feed['held'],
					'used'      => $feed['used'],
					'total'     => $feed['total'],
					'debt'      => $feed['debt'],
					'renews_at' => null === $feed['recurring']['renews_at'] ? '' : iso_time( $feed['recurring']['renews_at'] ),
					'days_left' => null === $feed['runway'] ? '' : $feed['runway']['days'],
					'as_of'     => iso_time( $wallet['checked_at'] ),
				),
				$options
			);
		}
		if ( is_wp_error( $wallet['error'] ) ) {
			\WP_CLI::warning( explain( $wallet['error'] )['reason'] . ' ' . __( 'These are the last known figures.', 'nivella-credit-wallet' ) );
			\WP_CLI::halt( 1 );
		}
	}

	/**
	 * Connects this WordPress to a wallet service.
	 *
	 * A shop is connected with a code from `nivella-wallet store pair`, a customer's site with an address and a key. Codes and
	 * keys are secrets: given as `-`, or not at all, they are read from STDIN, where no list of processes shows them.
	 *
	 * ## OPTIONS
	 *
	 * [<code>]
	 * : A pairing code.
	 *
	 * [--address=<url>]
	 * : The address of the wallet service. (`--url` is WP-CLI's own and names the site of a network.)
	 *
	 * [--key=<key>]
	 * : A key.
	 *
	 * [--store=<store>]
	 * : On a shop: its name in the wallet service.
	 *
	 * ## EXAMPLES
	 *
	 *     nivella-wallet store pair shop | grep -o 'http.*#nwp_.*' | wp nivella connect
	 *     wp nivella connect --address=https://wallet.example.com < key.txt
	 *
	 * @param array $args    The code.
	 * @param array $options See above.
	 */
	public function connect( $args, $options ): void {
		if ( isset( $options['address'] ) ) {
			$this->connect_with_key( $options );
		} else {
			$code = $this->secret( (string) ( $args[0] ?? '-' ), __( 'Give a pairing code, or --address and a key.', 'nivella-credit-wallet' ) );
			$done = pair( $code, $this->owner() );
			if ( is_wp_error( $done ) ) {
				$why = pairing_result( $done );
				\WP_CLI::error( "{$why['reason']} {$why['remedy']}" );
			}
		}
		forget_failures();
		$result = test_connection();
		if ( ! $result['ok'] ) {
			\WP_CLI::error( "{$result['reason']} {$result['remedy']}" );
		}
		\WP_CLI::success( $result['reason'] );
	}

	/**
	 * Checks everything that has to be right, and says what to do where it is not.
	 *
	 * ## OPTIONS
	 *
	 * [--format=<format>]
	 * : How to print it.
	 * ---
	 * default: table
	 * options:
	 *   - table
	 *   - json
	 *   - csv
	 * ---
	 *
	 * @param array $args    None.
	 * @param array $options See above.
	 */
	public function doctor( $args, $options ): void {
		$this->must_be_connected();
		$rows  = array();
		$worst = 'good';
		foreach ( array_keys( HEALTH_CHECKS ) as $check ) {
			$found  = health( $check );
			$worst  = 'critical' === $found['status'] ? 'critical' : $worst;
			$rows[] = array(
				'check'   => $check,
				'status'  => $found['status'],
				'finding' => 'good' === $found['status'] ? $found['text'] : "{$found['label']}. {$found['text']}",
				'remedy'  => $found['remedy'],
			);
		}
		\WP_CLI\Utils\format_items( $options['format'] ?? 'table', $rows, array( 'check', 'status', 'finding', 'remedy' ) );
		if ( 'critical' === $worst ) {
			\WP_CLI::halt( 1 );
		}
	}

	/**
	 * Saves an address and a key as the settings page would.
	 *
	 * @param array $options The options of `connect`.
	 */
	private function connect_with_key( array $options ): void {
		if ( '' === clean_daemon_url( (string) $options['address'] ) ) {
			\WP_CLI::error( __( 'This web address cannot be used. It looks like https://wallet.example.com, without user name, password or question mark.', 'nivella-credit-wallet' ) );
		}
		$key = $this->secret( (string) ( $options['key'] ?? '-' ), __( 'Give the key with --key, or on STDIN.', 'nivella-credit-wallet' ) );
		if ( ! is_key( $key ) ) {
			\WP_CLI::error( __( 'This is not a key: a key begins with nwk_ and has no spaces.', 'nivella-credit-wallet' ) );
		}
		$store = (string) ( $options['store'] ?? '' );
		if ( '' !== $store && ! is_store_name( $store ) ) {
			\WP_CLI::error( __( 'This is not the name of a store: only letters, digits, dots, hyphens and underscores.', 'nivella-credit-wallet' ) );
		}
		update_option(
			OPTION,
			array(
				'url'   => clean_daemon_url( (string) $options['address'] ),
				'key'   => $key,
				'store' => $store,
			)
		);
	}

	/**
	 * In whose name WooCommerce reads orders for the wallet service: whom `--user` names, else the first administrator.
	 */
	private function owner(): int {
		$admins = get_users(
			array(
				'role'   => 'administrator',
				'number' => 1,
				'fields' => 'ID',
			)
		);
		return get_current_user_id() > 0 ? get_current_user_id() : (int) ( $admins[0] ?? 0 );
	}

	/**
	 * A secret that was given, or stands on STDIN.
	 *
	 * @param string $given   What was given; `-` for STDIN.
	 * @param string $missing What to say when there is none.
	 */
	private function secret( string $given, string $missing ): string {
		// phpcs:ignore WordPress.WP.AlternativeFunctions -- The command line's own input.
		$secret = '-' === $given && ! ( function_exists( 'posix_isatty' ) && posix_isatty( STDIN ) ) ? trim( (string) stream_get_contents( STDIN, 4096 ) ) : $given;
		if ( '' === $secret || '-' === $secret ) {
			\WP_CLI::error( $missing );
		}
		return $secret;
	}

	/**
	 * The path of the wallet that is meant.
	 *
	 * @param string $customer Whom the option names, or ''.
	 */
	private function path( string $customer ): string {
		if ( ! is_shop() ) {
			if ( '' !== $customer ) {
				\WP_CLI::error( __( 'This is a customer\'s website: it has one wallet. Leave --customer out.', 'nivella-credit-wallet' ) );
			}
			return OWN_WALLET;
		}
		$user = false;
		foreach ( array( 'id', 'login', 'email' ) as $by ) {
			$user = $user ? $user : get_user_by( $by, $customer );
		}
		if ( ! $user ) {
			/* translators: %s: what was typed. */
			\WP_CLI::error( '' === $customer ? __( 'This is a shop: say whose wallet with --customer.', 'nivella-credit-wallet' ) : sprintf( __( 'No user of this website matches "%s".', 'nivella-credit-wallet' ), $customer ) );
		}
		return customer_wallet_path( $user->ID );
	}

	/**
	 * Ends with a word when there is nobody to ask.
	 */
	private function must_be_connected(): void {
		if ( ! is_connected() ) {
			$this->fail( new \WP_Error( 'nivella_not_connected' ) );
		}
	}

	/**
	 * Ends with the reason and the remedy.
	 *
	 * @param \WP_Error $error What is wrong.
	 */
	private function fail( \WP_Error $error ): void {
		$why = explain( $error );
		\WP_CLI::error( "{$why['reason']} {$why['remedy']}" );
	}

	/**
	 * Prints facts: below each other for people, as one object for programs.
	 *
	 * @param array $facts   Values by name.
	 * @param array $options With `format`.
	 */
	private function facts( array $facts, array $options ): void {
		if ( 'json' === ( $options['format'] ?? 'table' ) ) {
			\WP_CLI::line( (string) wp_json_encode( $facts ) );
			return;
		}
		$rows = array();
		foreach ( $facts as $field => $value ) {
			$rows[] = array(
				'field' => $field,
				'value' => is_bool( $value ) ? ( $value ? 'yes' : 'no' ) : (string) $value,
			);
		}
		\WP_CLI\Utils\format_items( $options['format'] ?? 'table', $rows, array( 'field', 'value' ) );
	}
}
