<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ ask, look_up_wallet, drop_short_cache, customer_wallet_path, wallet_digest, wallet_view, rendered };

/**
 * What is asked, what is remembered, and what is shown when the daemon is down or lies.
 */
final class WalletTest extends TestCase {

	protected function setUp(): void {
		World::fresh();
		World::connect();
	}

	public function test_asks_once_and_then_revalidates(): void {
		World::$options['home'] = 'https://site.example/blog';
		$this->serve( 'normal' );
		$this->assertSame( '1250', look_up_wallet( 'me', 15 )['feed']['available'] );
		$this->assertSame( '1250', look_up_wallet( 'me', 15 )['feed']['available'] );
		$this->assertCount( 1, World::$requests );

		list( $url, $args ) = World::$requests[0];
		$this->assertSame( 'https://wallet.example/v1/wallets/me/feed', $url );
		$this->assertSame( 'Bearer nwk_0123456789abcdef', $args['headers']['Authorization'] );
		$this->assertSame( 'https://site.example/blog', $args['headers']['X-Site-Origin'], 'which website asks' );
		$this->assertSame( 0, $args['redirection'] );
		$this->assertSame( array(), $args['cookies'] );
		$this->assertLessThanOrEqual( 3, $args['timeout'] );
		$this->assertGreaterThan( 0, $args['limit_response_size'] );
		$this->assertArrayNotHasKey( 'If-None-Match', $args['headers'] );
		$this->assertArrayNotHasKey( 'sslverify', $args, 'the certificate is checked' );

		drop_short_cache( 'me', false );
		World::$daemon = static function ( $url, $args ) {
			return answer( '"v1"' === ( $args['headers']['If-None-Match'] ?? '' ) ? 304 : 500, '' );
		};
		$wallet = look_up_wallet( 'me', 15 );
		$this->assertNull( $wallet['error'] );
		$this->assertSame( '1250', $wallet['feed']['available'] );
		$this->assertCount( 2, World::$requests );
	}

	public function test_a_copy_of_a_website_shows_nothing_of_the_original(): void {
		$this->serve( 'normal' );
		look_up_wallet( 'me', 15 );
		$this->age( 3600 );
		World::$daemon = static function () {
			return problem( 409, 'site_mismatch' );
		};
		$wallet = look_up_wallet( 'me', 15 );
		$this->assertSame( 'nivella_site_mismatch', $wallet['error']->get_error_code() );
		$this->assertNull( $wallet['feed'] );
	}

	/** @dataProvider failures */
	public function test_shows_the_last_known_balance( callable $daemon, string $code ): void {
		$this->serve( 'normal' );
		look_up_wallet( 'me', 15 );
		$this->age( 3600 );

		World::$daemon   = $daemon;
		World::$requests = array();
		$wallet          = look_up_wallet( 'me', 15 );
		$this->assertSame( $code, $wallet['error']->get_error_code() );
		$this->assertSame( '1250', $wallet['feed']['available'] );
		$this->assertEqualsWithDelta( time() - 3600, $wallet['checked_at'], 2 );

		look_up_wallet( 'me', 15 );
		$this->assertCount( 1, World::$requests, 'a failure is not tried again at once' );

		$this->serve( 'low' );
		drop_short_cache( 'me', true );
		$this->assertSame( '180.456789', look_up_wallet( 'me', 15 )['feed']['available'] );
	}

	public function failures(): array {
		$says = static function ( $answer ) {
			return static function () use ( $answer ) {
				return $answer;
			};
		};
		return array(
			'refused'     => array( $says( new WP_Error( 'http_request_failed', 'cURL error 7: Failed to connect' ) ), 'nivella_refused' ),
			'silent'      => array( $says( new WP_Error( 'http_request_failed', 'cURL error 28: Operation timed out after 3001 milliseconds' ) ), 'nivella_timeout' ),
			'no host'     => array( $says( new WP_Error( 'http_request_failed', 'cURL error 6: Could not resolve host: x' ) ), 'nivella_host' ),
			'certificate' => array( $says( new WP_Error( 'http_request_failed', 'cURL error 60: SSL certificate problem' ) ), 'nivella_tls' ),
			'plain'       => array( $says( new WP_Error( 'http_request_failed', 'cURL error 35: error:0A00010B:SSL routines::wrong version number' ) ), 'nivella_tls' ),
			'hung up'     => array( $says( new WP_Error( 'http_request_failed', 'cURL error 52: Empty reply from server' ) ), 'nivella_not_ready' ),
			'blocked'     => array( $says( new WP_Error( 'http_request_not_executed', 'User has blocked requests' ) ), 'nivella_blocked' ),
			'redirect'    => array( $says( answer( 302, '', array( 'location' => 'https://evil.example/' ) ) ), 'nivella_redirect' ),
			'500'         => array( $says( answer( 500, 'boom' ) ), 'nivella_busy' ),
			'503'         => array( $says( problem( 503, 'try_again' ) ), 'nivella_busy' ),
			'401'         => array( $says( problem( 401, 'unauthorized' ) ), 'nivella_unauthorized' ),
			'other 404'   => array( $says( answer( 404, '<h1>Not Found</h1>' ) ), 'nivella_not_daemon' ),
			'html'        => array( $says( answer( 200, '<html><script>alert(1)</script>' ) ), 'nivella_feed' ),
			'garbage'     => array( $says( answer( 200, str_repeat( 'x', 1048576 ) ) ), 'nivella_feed' ),
			'liar'        => array( $says( answer( 200, feed( 'lying/negative-balance' ) ) ), 'nivella_feed' ),
			'empty'       => array( $says( answer( 200, '' ) ), 'nivella_feed' ),
		);
	}

	public function test_a_dead_daemon_costs_all_customers_one_wait(): void {
		World::connect( 'lab' );
		World::$daemon = static function () {
			return new WP_Error( 'http_request_failed', 'cURL error 28: timed out' );
		};
		for ( $user = 1; $user <= 20; $user++ ) {
			$this->assertNull( look_up_wallet( customer_wallet_path( $user ), 15 )['feed'] );
			drop_short_cache( customer_wallet_path( $user ), false );
		}
		$this->assertCount( 1, World::$requests );
	}

	public function test_a_liar_about_one_wallet_does_not_hide_the_others(): void {
		World::connect( 'lab' );
		World::$daemon = static function ( $url ) {
			return answer( 200, feed( false !== strpos( $url, '%3A1/' ) ? 'lying/null' : 'normal' ) );
		};
		$this->assertNull( look_up_wallet( customer_wallet_path( 1 ), 15 )['feed'] );
		$this->assertSame( '1250', look_up_wallet( customer_wallet_path( 2 ), 15 )['feed']['available'] );
	}

	public function test_customers_never_share_a_cache(): void {
		World::connect( 'lab' );
		World::$daemon = static function ( $url ) {
			preg_match( '/%3A(\d+)\/feed$/', $url, $user );
			$feed              = json_decode( feed( 'normal' ), true );
			$feed['available'] = (string) ( 1000 + $user[1] );
			return answer( 200, json_encode( $feed ), array( 'etag' => '"same for all"' ) );
		};
		foreach ( array( 1, 11, 2, 12, 1, 2 ) as $user ) {
			$this->assertSame( (string) ( 1000 + $user ), look_up_wallet( customer_wallet_path( $user ), 15 )['feed']['available'] );
		}
		$this->assertSame( 'https://wallet.example/v1/wallets/account%3Alab%3Acustomer%3A1/feed', World::$requests[0][0] );
	}

	public function test_another_key_never_shows_the_old_wallet(): void {
		$this->serve( 'normal' );
		look_up_wallet( 'me', 15 );
		World::connect( '', 'nwk_another_key_entirely' );
		World::$daemon = static function () {
			return problem( 401, 'unauthorized' );
		};
		$this->assertNull( look_up_wallet( 'me', 15 )['feed'] );
	}

	public function test_a_wallet_that_is_gone_shows_no_old_figures(): void {
		$this->serve( 'normal' );
		look_up_wallet( 'me', 15 );
		$this->age( 60 );
		World::$daemon = static function () {
			return problem( 404, 'not_found' );
		};
		$wallet = look_up_wallet( 'me', 15 );
		$this->assertNull( $wallet['feed'] );
		$this->assertSame( 'nivella_not_found', $wallet['error']->get_error_code() );
	}

	public function test_keeps_nothing_autoloaded_and_no_key(): void {
		$this->serve( 'normal' );
		look_up_wallet( 'me', 15 );
		$kept = array_filter(
			array_keys( World::$options ),
			static function ( string $name ) {
				return 0 === strpos( $name, 'nivella_credit_wallet_last_' );
			}
		);
		$this->assertCount( 1, $kept );
		foreach ( $kept as $name ) {
			$this->assertFalse( World::$autoload[ $name ] );
			$this->assertStringNotContainsString( 'nwk_', serialize( World::$options[ $name ] ) . $name );
			$this->assertTrue( mb_check_encoding( World::$options[ $name ]['json'], 'ASCII' ) );
		}
	}

	/** @dataProvider spoiled */
	public function test_survives_spoiled_memory( $spoiled ): void {
		World::$options[ 'nivella_credit_wallet_last_' . wallet_digest( 'me' ) ]      = $spoiled;
		World::$transients[ 'nivella_credit_wallet_fresh_' . wallet_digest( 'me' ) ] = array( $spoiled, PHP_INT_MAX );
		World::$transients[ 'nivella_credit_wallet_down_' . wallet_digest( 'me' ) ]  = array( $spoiled, PHP_INT_MAX );
		$this->serve( 'normal' );
		$this->assertSame( '1250', look_up_wallet( 'me', 15 )['feed']['available'] );
	}

	public function spoiled(): array {
		return array( array( null ), array( 'x' ), array( 7 ), array( array() ), array( array( 'json' => 7 ) ), array( array( 'json' => '{}', 'etag' => '', 'checked_at' => 1 ) ), array( array( 'code' => array() ) ), array( new stdClass() ) );
	}

	/** The page a customer gets without a daemon says nothing technical; staff learn the reason. */
	public function test_says_what_each_can_use(): void {
		$this->serve( 'normal' );
		look_up_wallet( 'me', 15 );
		$this->age( 7200 );
		World::$daemon = static function () {
			return new WP_Error( 'http_request_failed', 'cURL error 7: Failed to connect' );
		};
		$page          = array( 'url' => 'https://site.example/x', 'customer' => 0, 'is_staff' => false, 'is_admin' => false, 'request' => array() );
		$html          = rendered( 'wallet', wallet_view( 'me', $page ) );
		$this->assertStringContainsString( 'data-nivella-state="stale"', $html );
		$this->assertMatchesRegularExpression( '/720\d seconds old/', $html );
		$this->assertStringContainsString( '>1,250<', $html );
		$this->assertStringNotContainsString( 'wallet.example', $html );
		$this->assertStringContainsString( 'Nothing answers at wallet.example.', rendered( 'wallet', wallet_view( 'me', array( 'is_staff' => true ) + $page ) ) );
	}

	public function test_a_page_waits_no_longer_than_it_may(): void {
		// In a process of its own, because a page remembers how long it has waited.
		$code = sprintf(
			'require %s; World::connect(); World::$daemon = static function ( $url, $args ) { usleep( (int) ( 1e6 * min( 1.2, $args["timeout"] ) ) ); return problem( 422, "invalid_request" ); };'
			. '$begun = microtime( true ); for ( $i = 0; $i < 9; $i++ ) { Nivella\CreditWallet\ask( "/x" ); } echo count( World::$requests ), " ", microtime( true ) - $begun;',
			var_export( __DIR__ . '/bootstrap.php', true )
		);
		list( $requests, $waited_s ) = explode( ' ', (string) shell_exec( escapeshellarg( PHP_BINARY ) . ' -r ' . escapeshellarg( $code ) ) );
		$this->assertSame( '2', $requests );
		$this->assertLessThan( 2.8, (float) $waited_s );
	}

	/** Whatever a page asks for, a daemon that is silent is asked once, and the next page does not ask at all. */
	public function test_a_silent_daemon_is_asked_once(): void {
		World::$daemon = static function () {
			return new WP_Error( 'http_request_failed', 'cURL error 28: Operation timed out' );
		};
		foreach ( array( 1, 1, 1 ) as $asked ) {
			$this->assertSame( 'nivella_timeout', ask( '/v1/sites' )->get_error_code() );
			$this->assertSame( 'nivella_timeout', look_up_wallet( 'me', 15 )['error']->get_error_code() );
			$this->assertCount( $asked, World::$requests );
		}
		// Whoever pressed a button wants to know, and does not wait for the pages' memory.
		ask( '/v1/sites', array(), array(), array( 'timeout' => 5 ) );
		$this->assertCount( 2, World::$requests );
	}

	public function test_a_refusal_is_no_silence(): void {
		World::$daemon = static function () {
			return problem( 404, 'not_found' );
		};
		ask( '/v1/sites/a' );
		ask( '/v1/sites/b' );
		$this->assertCount( 2, World::$requests );
	}

	/** Answers with a recorded feed. */
	private function serve( string $name ): void {
		World::$daemon = static function () use ( $name ) {
			return answer( 200, feed( $name ), array( 'etag' => '"v1"' ) );
		};
	}

	/** Lets time pass for what is remembered. */
	private function age( int $by_s ): void {
		foreach ( World::$options as $name => $value ) {
			if ( is_array( $value ) && isset( $value['checked_at'] ) ) {
				World::$options[ $name ]['checked_at'] -= $by_s;
			}
		}
		World::$transients = array();
	}
}
