<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ sanitize_settings, settings, show_settings_field, test_connection, clean_daemon_url };

final class SettingsTest extends TestCase {

	private const KEY = 'nwk_SuperSecretKey_0123456789_tail';

	protected function setUp(): void {
		World::fresh();
		World::connect( '', self::KEY );
	}

	public function test_an_empty_key_keeps_the_old_one(): void {
		$this->assertSame( self::KEY, sanitize_settings( array( 'url' => 'https://a.example', 'key' => '', 'store' => '' ) )['key'] );
		$this->assertSame( '', sanitize_settings( array( 'key' => '', 'forget_key' => '1' ) )['key'] );
		$this->assertSame( 'nwk_new_key_12345', sanitize_settings( array( 'key' => ' nwk_new_key_12345 ', 'forget_key' => '1' ) )['key'] );
	}

	/** @dataProvider wrong */
	public function test_what_is_wrong_keeps_its_old_value( array $typed, string $problem ): void {
		$this->assertSame( settings(), sanitize_settings( $typed ) );
		$this->assertSame( array( $problem ), World::$settings_errors );
	}

	public function wrong(): array {
		return array(
			array( array( 'url' => 'javascript:alert(1)' ), 'nivella-url' ),
			array( array( 'url' => 'wallet.example' ), 'nivella-url' ),
			array( array( 'url' => 'https://user:pass@wallet.example' ), 'nivella-url' ),
			array( array( 'url' => 'https://wallet.example/?a=b' ), 'nivella-url' ),
			array( array( 'key' => 'secret' ), 'nivella-key' ),
			array( array( 'key' => "nwk_0123456789\r\nX-Evil: 1" ), 'nivella-key' ),
			array( array( 'store' => 'a/b' ), 'nivella-store' ),
			array( array( 'store' => '../me' ), 'nivella-store' ),
			array( array( 'store' => 'a:customer:1' ), 'nivella-store' ),
		);
	}

	/** Requests come from the server itself: whoever has one site of a network does not get to see what stands behind it. */
	public function test_on_a_network_only_those_who_run_it_name_inner_addresses(): void {
		$inner = array( 'http://169.254.169.254', 'http://127.0.0.1:8080', 'http://10.0.0.5', 'http://localhost', 'https://wallet.example:8443' );
		try {
			foreach ( array( false, true ) as $is_network ) {
				Network::$is = $is_network;
				foreach ( $inner as $url ) {
					World::$capabilities = array( 'manage_options' );
					$old                 = settings()['url'];
					$this->assertSame( $is_network ? $old : $url, sanitize_settings( array( 'url' => $url ) )['url'], $url );
					$this->assertSame( $is_network, array() !== World::$settings_errors, $url );
					World::$settings_errors = array();
					World::$capabilities    = array( 'manage_options', 'manage_network_options' );
					$this->assertSame( $url, sanitize_settings( array( 'url' => $url ) )['url'], $url );
				}
				World::$capabilities = array( 'manage_options' );
				$this->assertSame( 'https://public.example', sanitize_settings( array( 'url' => 'https://public.example' ) )['url'] );
			}
			// What the network's administrator has set stays when somebody else saves the page.
			World::$options['nivella_credit_wallet']['url'] = 'http://127.0.0.1:8080';
			$this->assertSame( 'http://127.0.0.1:8080', sanitize_settings( array( 'url' => 'http://127.0.0.1:8080', 'store' => 'shop' ) )['url'] );
			$this->assertSame( array(), World::$settings_errors );
		} finally {
			Network::$is = false;
		}
	}

	public function test_sanitizing_twice_changes_nothing(): void {
		$once = sanitize_settings( array( 'url' => ' http://127.0.0.1:8080/v1/ ', 'key' => 'nwk_0123456789', 'store' => 'lab' ) );
		$this->assertSame( array( 'url' => 'http://127.0.0.1:8080', 'key' => 'nwk_0123456789', 'store' => 'lab' ), $once );
		$this->assertSame( $once, sanitize_settings( $once ) );
		foreach ( array( null, 'x', 7, array( 'url' => array(), 'key' => 7 ) ) as $nonsense ) {
			$this->assertSame( settings(), sanitize_settings( $nonsense ) );
		}
	}

	/** @dataProvider addresses */
	public function test_forgives_what_people_paste( string $typed, string $url ): void {
		$this->assertSame( $url, clean_daemon_url( $typed ) );
	}

	public function addresses(): array {
		return array(
			array( 'https://wallet.example/', 'https://wallet.example' ),
			array( 'https://wallet.example/healthz', 'https://wallet.example' ),
			array( 'https://wallet.example/docs/', 'https://wallet.example' ),
			array( 'https://wallet.example/credits', 'https://wallet.example/credits' ),
			array( 'http://[::1]:8080', 'http://[::1]:8080' ),
			array( '', '' ),
		);
	}

	/** @dataProvider spoiled */
	public function test_a_spoiled_option_counts_as_none( $option ): void {
		World::$options['nivella_credit_wallet'] = $option;
		$this->assertSame( array( 'url' => '', 'key' => '', 'store' => '' ), settings() );
	}

	public function spoiled(): array {
		return array( array( false ), array( 'x' ), array( array() ), array( array( 'url' => array(), 'key' => 7, 'store' => null ) ), array( array( 'url' => 'file:///etc/passwd', 'key' => "nwk_a b\n", 'store' => '/' ) ) );
	}

	public function test_the_key_is_never_printed(): void {
		ob_start();
		foreach ( array( 'url', 'key', 'store' ) as $field ) {
			show_settings_field( array( 'field' => $field, 'label_for' => $field ) );
		}
		$html = ob_get_clean();
		$this->assertStringContainsString( 'tail', $html );
		$this->assertStringNotContainsString( 'nwk_Super', $html );
		$this->assertStringNotContainsString( '89_tail', $html );
	}

	/** @dataProvider connections */
	public function test_says_exactly_what_is_wrong( string $store, callable $daemon, string $code, string $words ): void {
		World::connect( $store );
		World::$daemon = $daemon;
		$result        = test_connection();
		$this->assertSame( $code, $result['code'] );
		$this->assertSame( 'ok' === $code, $result['ok'] );
		$this->assertStringContainsString( $words, $result['reason'] . ' ' . $result['remedy'] );
		$this->assertStringNotContainsString( 'nwk_0', $result['reason'] . $result['remedy'] );
		$this->assertTrue( $result['ok'] || '' !== $result['remedy'], 'what to do next' );
	}

	public function connections(): array {
		$says = static function ( $answer ) {
			return static function () use ( $answer ) {
				return $answer;
			};
		};
		return array(
			array( '', $says( answer( 200, feed( 'normal' ) ) ), 'ok', 'Cedar & Oak: 1,250 AI Credits' ),
			array( '', $says( problem( 404, 'not_found' ) ), 'nivella_shop_key', 'store name' ),
			array( 'lab', $says( problem( 404, 'not_found' ) ), 'ok', '"lab"' ),
			array( 'lab', $says( answer( 200, feed( 'normal' ) ) ), 'nivella_site_key', 'scope admin' ),
			array( '', $says( problem( 401, 'unauthorized' ) ), 'nivella_unauthorized', 'revoked' ),
			array( '', $says( problem( 403, 'forbidden' ) ), 'nivella_forbidden', 'may not read' ),
			array( '', $says( problem( 409, 'site_mismatch' ) ), 'nivella_site_mismatch', 'moved or is a copy' ),
			array(
				'',
				$says(
					answer(
						409,
						(string) json_encode(
							array(
								'code'     => 'site_mismatch',
								'key'      => 'key_1',
								'bound_to' => 'https://old.example',
								'origin'   => 'https://new.example',
							)
						)
					)
				),
				'nivella_site_mismatch',
				'nivella-wallet key origin key_1 --moved https://new.example',
			),
			array( '', $says( answer( 404, 'nginx' ) ), 'nivella_not_daemon', 'HTTP status 404' ),
			array( '', $says( answer( 200, '<html>' ) ), 'nivella_feed', 'not a wallet' ),
			array( '', $says( answer( 301, '', array( 'location' => 'https://other.example/' ) ) ), 'nivella_redirect', 'https://other.example/' ),
			array( '', $says( problem( 503, 'try_again' ) ), 'nivella_busy', '503' ),
			array( '', $says( new WP_Error( 'http_request_failed', 'cURL error 7: refused' ) ), 'nivella_refused', 'firewall' ),
			array( '', $says( new WP_Error( 'http_request_failed', 'cURL error 60: SSL certificate' ) ), 'nivella_tls', 'certificate' ),
			array( '', $says( new WP_Error( 'http_request_not_executed', 'blocked' ) ), 'nivella_blocked', 'WP_ACCESSIBLE_HOSTS' ),
			array( '', $says( new WP_Error( 'http_request_failed', 'something odd' ) ), 'nivella_unreachable', 'something odd' ),
		);
	}
}
