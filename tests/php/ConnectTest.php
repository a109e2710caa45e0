<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ allow_daemon_host, allow_daemon_port, allowed_addresses, explain_delivery, explain_pairing, new_webhook_secret, pair, parse_pairing_code, read_pairing, read_store, sanitize_settings, settings, shop };

/**
 * Pairing codes, the one allowed address, and what is said when connecting fails.
 */
final class ConnectTest extends TestCase {

	private const TOKEN = 'nwp_0123456789abcdefghijklmnopqrstuvwxyzABC-_XY';

	protected function setUp(): void {
		World::fresh();
		Shop::fresh();
		allowed_addresses( '' );
	}

	/** @dataProvider codes */
	public function test_takes_a_code_as_people_paste_it( string $typed, string $url ): void {
		$this->assertSame( array( 'url' => $url, 'token' => self::TOKEN ), parse_pairing_code( $typed ) );
	}

	public function codes(): array {
		$token = self::TOKEN;
		return array(
			array( "https://wallet.example/pair#{$token}", 'https://wallet.example' ),
			array( "  https://wallet.example/pair#{$token}\r\n", 'https://wallet.example' ),
			array( "\"https://wallet.example/pair#{$token}\"", 'https://wallet.example' ),
			array( "<https://wallet.example/pair#{$token}>", 'https://wallet.example' ),
			array( "https://wallet.example/pair#\n" . substr( $token, 0, 20 ) . "\n " . substr( $token, 20 ), 'https://wallet.example' ),
			array( "\u{FEFF}https://wallet.example/pair#{$token}\u{200B}", 'https://wallet.example' ),
			array( "http://127.0.0.1:8099/pair#{$token}", 'http://127.0.0.1:8099' ),
			array( "https://example.com/credits/pair/#{$token}", 'https://example.com/credits' ),
		);
	}

	/** @dataProvider no_codes */
	public function test_says_what_is_wrong_with_anything_else( string $typed, string $code ): void {
		$error = parse_pairing_code( $typed );
		$this->assertInstanceOf( WP_Error::class, $error );
		$this->assertSame( $code, $error->get_error_code() );
		$why = explain_pairing( $error );
		$this->assertNotSame( '', $why['reason'] );
		$this->assertNotSame( '', $why['remedy'] );
		$this->assertStringNotContainsString( 'nwk_', $why['reason'] . $why['remedy'], 'a key is never repeated' );
	}

	public function no_codes(): array {
		$token = self::TOKEN;
		return array(
			array( '', 'nivella_code_empty' ),
			array( " \n ", 'nivella_code_empty' ),
			array( 'nwk_0123456789abcdef', 'nivella_code_is_key' ),
			array( 'https://wallet.example/#nwk_0123456789abcdef', 'nivella_code_is_key' ),
			array( $token, 'nivella_code_half' ),
			array( 'https://wallet.example/pair', 'nivella_code' ),
			array( 'https://wallet.example/pair#nwp_short', 'nivella_code' ),
			array( "https://wallet.example/pair#{$token}x", 'nivella_code' ),
			array( "https://wallet.example/#{$token}", 'nivella_code' ),
			array( "ftp://wallet.example/pair#{$token}", 'nivella_code' ),
			array( "https://user:pass@wallet.example/pair#{$token}", 'nivella_code' ),
			array( "javascript:alert(1)//pair#{$token}", 'nivella_code' ),
			array( "\xff\xfe", 'nivella_code_empty' ),
		);
	}

	public function test_without_woocommerce_nobody_is_asked(): void {
		$this->assertSame( 'nivella_no_woocommerce', pair( 'https://wallet.example/pair#' . self::TOKEN, 1 )->get_error_code() );
		$this->assertSame( array(), World::$requests );
		$this->assertSame( array( 'date_format', 'time_format' ), array_keys( World::$options ) );
	}

	/** WooCommerce decodes HTML entities in a secret before it signs. */
	public function test_a_secret_is_long_and_plain(): void {
		$secret = new_webhook_secret();
		$this->assertMatchesRegularExpression( '/^[0-9a-f]{64}$/D', $secret );
		$this->assertNotSame( $secret, new_webhook_secret() );
	}

	public function test_exactly_one_address_is_allowed(): void {
		$there = 'http://10.0.0.5:8099/webhooks/woocommerce/shop';
		$this->assertFalse( allow_daemon_host( false, '10.0.0.5', $there ), 'nothing before a pairing' );
		$this->assertSame( array( 80 ), allow_daemon_port( array( 80 ), '10.0.0.5', $there ) );

		Shop::pair();
		$this->assertTrue( allow_daemon_host( false, '10.0.0.5', $there ) );
		$this->assertSame( array( 80, 8099 ), allow_daemon_port( array( 80 ), '10.0.0.5', $there ) );
		foreach ( array( 'http://10.0.0.5:8100/', 'http://10.0.0.5/', 'https://10.0.0.5:8099/', 'http://10.0.0.6:8099/', 'http://10.0.0.5.evil.example:8099/', 'http://evil.example:8099/?http://10.0.0.5:8099/', 'file://10.0.0.5:8099/', '//10.0.0.5:8099/', '',
			// The daemon itself, which tells who asks from this machine more than it tells others; and all the ways to write that.
			'http://10.0.0.5:8099/metrics', 'http://10.0.0.5:8099/', 'http://10.0.0.5:8099', "{$there}/", "{$there}/../../../metrics", "{$there}?x", "{$there}#x", 'http://10.0.0.5:8099//webhooks/woocommerce/shop', 'http://10.0.0.5:8099/webhooks/woocommerce/SHOP', 'http://u:p@10.0.0.5:8099/webhooks/woocommerce/shop' ) as $other ) {
			$this->assertFalse( allow_daemon_host( false, '10.0.0.5', $other ), $other );
			$this->assertSame( array( 80, 443 ), allow_daemon_port( array( 80, 443 ), '10.0.0.5', $other ), $other );
		}
		$this->assertTrue( allow_daemon_host( true, 'else.example', 'http://else.example/' ), 'what others allow stays allowed' );
	}

	public function test_while_pairing_the_new_address_is_tried_and_no_longer(): void {
		allowed_addresses( 'https://wallet.example:8443/webhooks/woocommerce/shop' );
		$this->assertTrue( allow_daemon_host( false, 'wallet.example', 'https://WALLET.example:8443/webhooks/woocommerce/shop' ) );
		$this->assertFalse( allow_daemon_host( false, 'wallet.example', 'https://wallet.example:8443/x' ) );
		allowed_addresses( '' );
		$this->assertFalse( allow_daemon_host( false, 'wallet.example', 'https://wallet.example:8443/webhooks/woocommerce/shop' ) );
	}

	/** @dataProvider spoiled */
	public function test_a_spoiled_option_is_no_pairing( $option ): void {
		World::$options['nivella_credit_wallet_shop'] = $option;
		$this->assertSame( array(), shop() );
	}

	public function spoiled(): array {
		return array( array( null ), array( 'x' ), array( array() ), array( array( 'secret' => 'short', 'webhook_url' => 'https://a.example/' ) ), array( array( 'secret' => str_repeat( 'a', 64 ), 'webhook_url' => 'javascript:x' ) ), array( array( 'secret' => array(), 'webhook_url' => 7 ) ) );
	}

	public function test_parts_that_are_wrong_are_left_out(): void {
		Shop::pair( array( 'webhooks' => array( 'order.updated' => 7, 'order.created' => 'x', 'evil' => 3 ), 'owner' => '1', 'tokens_categories' => array( 'tokens', 7, array() ) ) );
		$this->assertSame( array( 'order.updated' => 7 ), shop()['webhooks'] );
		$this->assertSame( 0, shop()['owner'] );
		$this->assertSame( array( 'tokens' ), shop()['tokens_categories'] );
	}

	public function test_reads_only_an_answer_that_is_one(): void {
		$good = array( 'store' => 'shop', 'key' => 'nwk_0123456789abcdef', 'key_id' => 'key_1', 'webhook_url' => 'https://wallet.example/webhooks/woocommerce/shop', 'events_secret' => null, 'unit' => 'Coins', 'tokens_categories' => array( 'tokens' ), 'paid_statuses' => array( 'processing' ), 'site_keys' => array() );
		$there = 'https://wallet.example';
		$this->assertSame( '', read_pairing( json_encode( $good ), $there )['events_secret'] );
		$this->assertSame( 'Coins', read_pairing( json_encode( $good ), $there )['unit'] );
		foreach ( array( 'key' => array( "nwk_a\nb" ), 'store' => array( '../x' ), 'webhook_url' => array( 'ftp://x/', '', 'http://169.254.169.254/latest/', 'https://wallet.example.evil.example/webhooks/woocommerce/shop', 'http://wallet.example/webhooks/woocommerce/shop', 'https://wallet.example@10.0.0.1/', "https://wallet.example/a\nb" ) ) as $name => $wrongs ) {
			foreach ( $wrongs as $wrong ) {
				$this->assertSame( 'nivella_not_daemon', read_pairing( json_encode( array( $name => $wrong ) + $good ), $there )->get_error_code(), $wrong );
			}
		}
		foreach ( array( '', 'null', '[]', '<html>', '{"key":[]}' ) as $nonsense ) {
			$this->assertSame( 'nivella_not_daemon', read_pairing( $nonsense, $there )->get_error_code() );
		}
	}

	/** @dataProvider failures */
	public function test_each_failure_has_its_reason_and_remedy( string $code, array $data, string $words ): void {
		$why = explain_pairing( new WP_Error( $code, 'detail', $data ) );
		$this->assertStringContainsString( $words, $why['reason'] . ' ' . $why['remedy'] );
		$this->assertNotSame( '', $why['remedy'] );
	}

	public function failures(): array {
		return array(
			array( 'nivella_unexpected', array( 'status' => 410, 'code' => 'pairing_ended' ), 'store pair' ),
			array( 'nivella_site_mismatch', array( 'status' => 409, 'code' => 'store_elsewhere' ), '--url' ),
			array( 'nivella_busy', array( 'status' => 429 ), 'too many wrong codes' ),
			array( 'nivella_not_found', array( 'status' => 404 ), 'Update the wallet service' ),
			array( 'nivella_refused', array( 'url' => 'http://wallet.example:81' ), 'wallet.example:81' ),
			array( 'nivella_timeout', array( 'url' => 'http://wallet.example:81' ), 'wallet.example:81' ),
			array( 'nivella_unauthorized', array( 'stage' => 'probe' ), 'refused the signature' ),
			array( 'nivella_refused_address', array( 'stage' => 'probe' ), 'http_request_host_is_external' ),
			array( 'nivella_not_saved', array(), 'database' ),
			array( 'nivella_owner', array(), 'administrator' ),
			array( 'nivella_no_woocommerce', array(), 'Activate WooCommerce' ),
		);
	}

	public function test_a_refused_signature_is_no_refused_key(): void {
		$this->assertStringContainsString( 'secret', explain_delivery( new WP_Error( 'nivella_unauthorized' ) )['reason'] );
	}

	public function test_a_pairing_code_in_the_key_field_is_named(): void {
		World::connect();
		$this->assertSame( settings(), sanitize_settings( array( 'key' => 'https://wallet.example/pair#' . self::TOKEN ) ) );
		$this->assertSame( array( 'nivella-key' ), World::$settings_errors );
	}

	public function test_reads_the_store_strictly(): void {
		$good = array( 'name' => 'shop', 'orders' => array( 'known' => 3, 'parked' => 0, 'attention' => 1, 'unclaimed' => 0 ), 'last_delivery' => array( 'at' => '2026-11-21T10:00:00Z', 'topic' => 'order.updated', 'result' => 'granted' ), 'last_refused_at' => null, 'webhooks' => array( 'state' => 'faulty', 'checked_at' => null, 'findings' => array( 'a', 7 ) ), 'tokens_categories' => array( 'tokens' ) );
		$store = read_store( $good );
		$this->assertSame( 1795255200, $store['last_at'] );
		$this->assertNull( $store['refused_at'] );
		$this->assertSame( array( 'a' ), $store['findings'] );
		foreach ( array( 'orders' => array( 'known' => '3' ), 'last_delivery' => array( 'at' => 'yesterday' ), 'webhooks' => null ) as $name => $wrong ) {
			try {
				read_store( array( $name => $wrong ) + $good );
				$this->fail( $name );
			} catch ( UnexpectedValueException $error ) {
				$this->assertNotSame( '', $error->getMessage() );
			}
		}
	}
}
