<?php
/**
 * Webhooks and REST keys of the stand-in: kept, shown and deleted as WooCommerce does, and never delivered.
 *
 * @package Nivella\Tests
 */

defined( 'ABSPATH' ) || exit;

/** A webhook. Kept in an option. */
class WC_Webhook {
	private const FRESH = array(
		'name'             => '',
		'status'           => 'paused',
		'user_id'          => 0,
		'topic'            => '',
		'secret'           => '',
		'delivery_url'     => '',
		'api_version'      => 'wp_api_v3',
		'failure_count'    => 0,
		'pending_delivery' => true,
	);

	/**
	 * Its number; 0 until it is saved.
	 *
	 * @var int
	 */
	private $id = 0;

	/**
	 * What it is.
	 *
	 * @var array
	 */
	private $values = self::FRESH;

	/**
	 * Reads one.
	 *
	 * @param int $id Its number; one that is not there becomes 0.
	 */
	public function __construct( $id = 0 ) {
		$kept = self::kept()[ (int) $id ] ?? null;
		if ( $kept ) {
			$this->id     = (int) $id;
			$this->values = $kept;
		}
	}

	/**
	 * All there are.
	 */
	public static function kept(): array {
		return (array) get_option( 'stub_webhooks', array() );
	}

	/** Its number. */
	public function get_id(): int {
		return $this->id;
	}

	/**
	 * `get_…` and `set_…`.
	 *
	 * @param string $name What is called.
	 * @param array  $args With what.
	 */
	public function __call( string $name, array $args ) {
		$field = substr( $name, 4 );
		if ( ! array_key_exists( $field, self::FRESH ) ) {
			throw new BadMethodCallException( $name );
		}
		if ( 0 === strpos( $name, 'set_' ) ) {
			$this->values[ $field ] = $args[0];
			return null;
		}
		return $this->values[ $field ];
	}

	/** Keeps it. */
	public function save(): int {
		$kept = self::kept();
		if ( 0 === $this->id ) {
			$this->id = (int) get_option( 'stub_webhook_serial', 0 ) + 1;
			update_option( 'stub_webhook_serial', $this->id, false );
		}
		$kept[ $this->id ] = $this->values;
		update_option( 'stub_webhooks', $kept, false );
		return $this->id;
	}

	/**
	 * Deletes it.
	 *
	 * @param bool $force For good.
	 */
	public function delete( $force = false ): bool {
		$kept = self::kept();
		unset( $kept[ $this->id ] );
		update_option( 'stub_webhooks', $kept, false );
		$this->id = 0;
		return true;
	}
}

/** Finds webhooks. */
class WC_Data_Store {
	/**
	 * Only `webhook` is known.
	 *
	 * @param string $what What is kept.
	 */
	public static function load( string $what ): self {
		return new self();
	}

	/** All numbers. */
	public function get_webhooks_ids(): array {
		return array_keys( WC_Webhook::kept() );
	}
}

/** A key or a secret. */
function wc_rand_hash(): string {
	return bin2hex( random_bytes( 20 ) );
}

/**
 * What is kept of a key.
 *
 * @param string $key The key.
 */
function wc_api_hash( string $key ): string {
	return hash_hmac( 'sha256', $key, 'wc-api' );
}

// There is a table of REST keys, and administrators may see orders.
add_action(
	'init',
	static function () {
		global $wpdb;
		if ( ! get_option( 'stub_keys_table' ) ) {
			$wpdb->query( "CREATE TABLE IF NOT EXISTS {$wpdb->prefix}woocommerce_api_keys ( key_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, user_id BIGINT UNSIGNED NOT NULL, description varchar(200) NULL, permissions varchar(10) NOT NULL, consumer_key char(64) NOT NULL, consumer_secret char(43) NOT NULL, truncated_key char(7) NOT NULL, PRIMARY KEY (key_id) )" );
			update_option( 'stub_keys_table', 1 );
		}
	},
	1
);
add_filter(
	'user_has_cap',
	static function ( $has ) {
		if ( ! empty( $has['manage_woocommerce'] ) ) {
			$has['read_private_shop_orders'] = true;
		}
		return $has;
	}
);
