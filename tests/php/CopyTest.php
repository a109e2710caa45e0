<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ catch_up, claim, explain, tell, disconnect, is_copy, mend, noted, place_digest, put_off, shop, should_deliver, tick, waiting };

/**
 * A copy of a shop, made to try things out: it has every secret of the shop, and touches no wallet of its customers.
 */
final class CopyTest extends TestCase {

	/** @var object|null The database that others use. */
	private $database;

	protected function setUp(): void {
		World::fresh();
		Shop::fresh();
		$this->database  = $GLOBALS['wpdb'] ?? null;
		$GLOBALS['wpdb'] = new HomeDatabase( $this->database );
		Shop::pair( array( 'place' => place_digest( 'https://shop.example/' ) ) );
		$this->move( 'https://shop.example' );
		World::$daemon = static function () {
			return answer( 200, '{"delivery":"dl_1","result":"unchanged","items":[],"cursor":"","more":false,"store":"shop","revoked":true}' );
		};
	}

	protected function tearDown(): void {
		$GLOBALS['wpdb'] = $this->database;
		noted( 'none' );
	}

	/** @dataProvider addresses */
	public function test_knows_a_copy_by_its_address( string $shown, string $saved, bool $is ): void {
		$this->move( $shown, $saved );
		$this->assertSame( $is, is_copy() );
	}

	public function addresses(): array {
		return array(
			'itself'                        => array( 'https://shop.example', 'https://shop.example', false ),
			'written otherwise'             => array( 'http://WWW.Shop.example:80/', 'http://WWW.Shop.example:80/', false ),
			'copied'                        => array( 'https://staging.shop.example', 'https://staging.shop.example', true ),
			'copied into a folder'          => array( 'https://shop.example/staging', 'https://shop.example/staging', true ),
			'copied onto a machine'         => array( 'http://localhost:8080', 'http://localhost:8080', true ),
			'with several addresses'        => array( 'https://shop.other.example', 'https://shop.example', false ),
			'only the database was changed' => array( 'https://shop.example', 'https://else.example', false ),
			'no address at all'             => array( '', '', true ),
		);
	}

	public function test_tools_that_copy_find_no_address_to_write_over(): void {
		$this->assertStringNotContainsString( 'shop.example', json_encode( shop()['place'] ) );
		$this->assertMatchesRegularExpression( '/^[0-9a-f]{32}$/D', shop()['place'] );
	}

	public function test_a_shop_that_was_connected_before_addresses_were_kept_is_itself(): void {
		Shop::pair();
		$this->move( 'https://staging.example' );
		$this->assertFalse( is_copy() );
	}

	public function test_a_copy_tells_nobody_anything(): void {
		foreach ( array( 'https://shop.example', 'https://staging.example' ) as $home ) {
			$this->move( $home );
			World::$requests = array();
			put_off( 'gone', 7 );
			catch_up( 5.0 );
			tick();
			$this->assertSame( 'https://shop.example' === $home, array() !== World::$requests, $home );
			$this->assertSame( array(), waiting(), 'and keeps nothing for later' );
		}
		$this->assertSame( 'nivella_no_woocommerce', mend()['code'] );
	}

	public function test_nobody_changes_a_wallet_from_a_copy(): void {
		$this->move( 'https://staging.example' );
		$refused = tell( 'POST', '/v1/grants', array( 'credits' => '1' ) );
		$this->assertSame( 'nivella_copy', $refused->get_error_code() );
		$this->assertStringContainsString( 'taken for a copy', explain( $refused )['reason'] );
		$this->assertFalse( claim( 'acc_0123456789.1.abcdefgh', 2, 'a' )['ok'] );
		$this->assertSame( array(), World::$requests );
		$this->move( 'https://shop.example' );
		$this->assertIsArray( tell( 'POST', '/v1/grants', array( 'credits' => '1' ) ) );
	}

	public function test_a_copy_s_own_webhooks_to_the_daemon_deliver_nothing(): void {
		$ours  = new WC_Webhook( 7 );
		$other = new WC_Webhook( 8 );
		$this->assertTrue( should_deliver( true, $ours ) );
		$this->move( 'https://staging.example' );
		$this->assertFalse( should_deliver( true, $ours ) );
		$this->assertTrue( should_deliver( true, $other ), 'what goes to others is not our business' );
		$this->assertFalse( should_deliver( false, $other ) );
	}

	/** The key that a copy has is the shop's own. */
	public function test_disconnecting_a_copy_leaves_the_shop_connected(): void {
		foreach ( array( 'https://staging.example' => 0, 'https://shop.example' => 1 ) as $home => $told ) {
			Shop::pair( array( 'place' => place_digest( 'https://shop.example/' ), 'webhooks' => array(), 'rest_key' => 0 ) );
			$this->move( $home );
			World::$requests = array();
			$this->assertNull( disconnect() );
			$this->assertCount( $told, World::$requests, $home );
			$this->assertSame( array(), shop() );
		}
	}

	private function move( string $shown, ?string $saved = null ): void {
		World::$options['home']      = $shown;
		$GLOBALS['wpdb']->saved_home = $saved ?? $shown;
	}
}

/** Has an address of its own, whatever is put before it. */
final class HomeDatabase {
	public $options = 'options';
	public $prefix  = 'wp_';
	public $saved_home = '';
	private $all;
	public function __construct( $all ) {
		$this->all = $all ?? new FakeDatabase();
	}
	public function get_var( $query ) {
		return false !== strpos( json_encode( $query ), 'option_name = ' ) ? $this->saved_home : $this->all->get_var( $query );
	}
	public function __call( $name, $values ) {
		return $this->all->$name( ...$values );
	}
}

if ( ! class_exists( 'WC_Webhook' ) ) {
	/** Number 7 delivers to the daemon, all others elsewhere. */
	class WC_Webhook {
		private $id;
		public function __construct( $id = 0 ) {
			$this->id = $id;
		}
		public function get_id() {
			return $this->id;
		}
		public function get_delivery_url() {
			return 7 === $this->id ? 'http://10.0.0.5:8099/webhooks/woocommerce/shop' : 'https://else.example/';
		}
	}
}
