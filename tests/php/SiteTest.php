<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ look_up_wallet, wallet_in_passing, wallet_digest, open_crossing, crossing_of, parse_feed, add_bar_balance, plan_tick, tick, health, add_debug_information, add_health_tests, dismiss, dismissed_crossings };

/**
 * A customer's own site: shown in passing without asking, dismissed once for each crossing, and told in Site Health.
 */
final class SiteTest extends TestCase {

	protected function setUp(): void {
		World::fresh();
		People::fresh();
		World::connect();
		World::$capabilities = array( 'manage_options', 'view_site_health_checks' );
		World::$user         = 1;
		$_SERVER['REQUEST_METHOD'] = 'POST';
		$this->serve( 'normal' );
	}

	protected function tearDown(): void {
		$_POST = array();
		unset( $_SERVER['REQUEST_METHOD'] );
	}

	public function test_in_passing_nobody_is_asked(): void {
		$this->assertNull( wallet_in_passing() );
		$this->assertSame( array(), World::$requests );
		$this->assertNotFalse( wp_next_scheduled( 'nivella_credit_wallet_refresh_soon' ), 'but soon' );

		tick();
		$this->assertCount( 1, World::$requests );
		People::fresh();
		$this->assertSame( '1250', wallet_in_passing()['feed']['available'] );
		$this->assertFalse( wp_next_scheduled( 'nivella_credit_wallet_refresh_soon' ), 'it is fresh' );

		World::$transients = array();
		$this->assertSame( '1250', wallet_in_passing()['feed']['available'] );
		$this->assertNotFalse( wp_next_scheduled( 'nivella_credit_wallet_refresh_soon' ) );
		$this->assertCount( 1, World::$requests );
	}

	public function test_the_bar_shows_what_is_known_and_how_old_it_is(): void {
		$bar = $this->bar();
		add_bar_balance( $bar );
		$this->assertSame( array(), $bar->nodes, 'nothing is known yet' );

		tick();
		add_bar_balance( $bar );
		$this->assertStringContainsString( '1,250', $bar->nodes[0]['title'] );
		$this->assertStringNotContainsString( ' old', $bar->nodes[0]['title'] );

		World::$options[ 'nivella_credit_wallet_last_' . wallet_digest( 'me' ) ]['checked_at'] -= 7200;
		World::$transients = array();
		$bar               = $this->bar();
		add_bar_balance( $bar );
		$this->assertMatchesRegularExpression( '/720\d seconds old/', $bar->nodes[0]['title'] );
		$this->assertCount( 1, World::$requests );

		World::$capabilities = array();
		$bar                 = $this->bar();
		add_bar_balance( $bar );
		$this->assertSame( array(), $bar->nodes, 'not for everybody' );
		World::$capabilities = array( 'manage_options' );
		World::connect( 'lab' );
		add_bar_balance( $bar );
		$this->assertSame( array(), $bar->nodes, 'not on a shop' );
	}

	public function test_a_copy_of_a_website_shows_nothing_of_the_original_in_passing(): void {
		tick();
		World::$daemon = static function () {
			return problem( 409, 'site_mismatch' );
		};
		tick();
		World::$transients = array();
		$this->assertNull( wallet_in_passing() );
	}

	public function test_a_crossing_is_dismissed_once_and_the_next_one_is_news(): void {
		$feed = $this->feed( array( array( 'level' => '20%', 'status' => 'low', 'since' => 1000 ) ) );
		$low  = open_crossing( $feed, array(), 5000 );
		$this->assertSame( crossing_of( 'site:site-123', '20%', 1000 ), $low );
		$this->assertNull( open_crossing( $feed, array( $low => 5000 ), 5000 + 90 * DAY_IN_SECONDS ), 'it stays dismissed' );

		$again = $this->feed( array( array( 'level' => '20%', 'status' => 'low', 'since' => 9000 ) ) );
		$this->assertNotNull( open_crossing( $again, array( $low => 5000 ), 9001 ), 'topped up and low again' );
		$lower = $this->feed( array( array( 'level' => '20%', 'status' => 'low', 'since' => 1000 ), array( 'level' => '5%', 'status' => 'critical', 'since' => 2000 ) ) );
		$this->assertSame( crossing_of( 'site:site-123', '5%', 2000 ), open_crossing( $lower, array( $low => 1500 ), 2001 ) );
	}

	public function test_a_crossing_without_a_time_is_dismissed_for_three_days(): void {
		$feed = $this->feed( array() );
		$low  = open_crossing( $feed, array(), 1000 );
		$this->assertNull( open_crossing( $feed, array( $low => 1000 ), 1000 + 2 * DAY_IN_SECONDS ) );
		$this->assertSame( $low, open_crossing( $feed, array( $low => 1000 ), 1001 + 3 * DAY_IN_SECONDS ) );
	}

	public function test_remembers_a_few_dismissals_of_each_person(): void {
		for ( $i = 0; $i < 40; $i++ ) {
			$_POST['crossing'] = crossing_of( 'w', "{$i}", $i );
			dismiss();
		}
		$this->assertCount( 30, dismissed_crossings( 1 ) );
		$this->assertArrayHasKey( $_POST['crossing'], dismissed_crossings( 1 ), 'the newest is kept' );
		$this->assertSame( array(), dismissed_crossings( 2 ) );
	}

	/** @dataProvider refused */
	public function test_dismisses_nothing_for_others( array $capabilities, string $store, $crossing, string $method ): void {
		World::$capabilities       = $capabilities;
		$_SERVER['REQUEST_METHOD'] = $method;
		$_POST['crossing']         = $crossing;
		World::connect( $store );
		try {
			dismiss();
			$this->fail( 'it was taken' );
		} catch ( Ended $ended ) {
			$this->assertSame( 'die 403', $ended->getMessage() );
		}
		$this->assertSame( array(), People::$meta );
	}

	public function refused(): array {
		$good = str_repeat( 'a', 20 );
		return array(
			array( array(), '', $good, 'POST' ),
			array( array( 'manage_options' ), 'lab', $good, 'POST' ),
			array( array( 'manage_options' ), '', $good, 'GET' ),
			array( array( 'manage_options' ), '', array( $good ), 'POST' ),
			array( array( 'manage_options' ), '', '<b>', 'POST' ),
		);
	}

	public function test_the_task_is_planned_while_there_is_somebody_to_ask(): void {
		plan_tick();
		$this->assertNotFalse( wp_next_scheduled( 'nivella_credit_wallet_tick' ) );
		World::$options = array();
		plan_tick();
		$this->assertFalse( wp_next_scheduled( 'nivella_credit_wallet_tick' ) );
		tick();
		$this->assertSame( array(), World::$requests );
	}

	public function test_health_when_all_is_well(): void {
		World::$daemon = static function ( $url ) {
			return answer( 200, feed( 'normal' ), array( 'date' => gmdate( 'D, d M Y H:i:s' ) . ' GMT' ) );
		};
		tick();
		foreach ( array( 'external', 'age', 'connection', 'binding', 'clock' ) as $check ) {
			$this->assertSame( 'good', health( $check )['status'], $check );
		}
		// One look for the wallet, one for the clock, whoever asks next.
		$this->assertCount( 3, World::$requests );
	}

	/** @dataProvider ills */
	public function test_health_finds( callable $daemon, array $found ): void {
		World::$daemon = $daemon;
		foreach ( $found as $check => $status ) {
			$this->assertSame( $status, health( $check )['status'], $check );
			if ( 'good' !== $status ) {
				$this->assertNotSame( '', health( $check )['remedy'], $check );
			}
		}
	}

	public function ills(): array {
		$says = static function ( $answer ) {
			return static function () use ( $answer ) {
				return $answer;
			};
		};
		$late = array( 'date' => gmdate( 'D, d M Y H:i:s', time() - 900 ) . ' GMT' );
		return array(
			'down'        => array( $says( new WP_Error( 'http_request_failed', 'cURL error 7: refused' ) ), array( 'connection' => 'critical', 'binding' => 'recommended', 'clock' => 'recommended', 'age' => 'recommended' ) ),
			'a copy'      => array( $says( problem( 409, 'site_mismatch' ) ), array( 'connection' => 'good', 'binding' => 'critical' ) ),
			'wrong key'   => array( $says( problem( 401, 'unauthorized' ) ), array( 'connection' => 'critical' ) ),
			'wrong clock' => array( $says( answer( 200, feed( 'normal' ), $late ) ), array( 'connection' => 'good', 'clock' => 'recommended' ) ),
		);
	}

	public function test_health_says_when_figures_are_old(): void {
		tick();
		World::$options[ 'nivella_credit_wallet_last_' . wallet_digest( 'me' ) ]['checked_at'] -= 10000;
		$this->assertSame( 'recommended', health( 'age' )['status'] );
	}

	public function test_debug_information_has_no_secret(): void {
		World::connect( 'lab', 'nwk_a_very_secret_key' );
		World::$options['nivella_credit_wallet_shop'] = array( 'secret' => 'hush-webhook', 'events_secret' => 'whsec_hush', 'rest_key' => 7 );
		$text = json_encode( add_debug_information( array() ) );
		foreach ( array( 'secret_key', 'nwk_', 'hush' ) as $secret ) {
			$this->assertStringNotContainsString( $secret, $text );
		}
		$this->assertStringContainsString( 'lab', $text );
	}

	public function test_health_is_silent_without_a_connection(): void {
		World::$options = array();
		$this->assertSame( array( 'direct' => array( 'x' ) ), add_health_tests( array( 'direct' => array( 'x' ) ) ) );
	}

	private function feed( array $alerts ): array {
		return array( 'alerts' => $alerts, 'wallet' => 'site:site-123', 'status' => 'low' );
	}

	private function bar() {
		return new class() {
			public $nodes = array();
			public function add_node( $node ) {
				$this->nodes[] = $node;
			}
		};
	}

	private function serve( string $name ): void {
		World::$daemon = static function () use ( $name ) {
			return answer( 200, feed( $name ), array( 'etag' => '"v1"' ) );
		};
	}
}
