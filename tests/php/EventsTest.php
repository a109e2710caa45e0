<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ is_event_signed, is_request_signed, handle_event, ask_for_events, forget_old_events, parse_event, tick };

/**
 * News of low credits: believed only when it is signed, told once, whichever way it comes.
 */
final class EventsTest extends TestCase {

	private const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';

	/** @var object|null The database that others use. */
	private $database;

	protected function tearDown(): void {
		$GLOBALS['wpdb'] = $this->database;
	}

	protected function setUp(): void {
		$this->database  = $GLOBALS['wpdb'] ?? null;
		$GLOBALS['wpdb'] = new PeopleDatabase();
		World::fresh();
		People::fresh();
		World::connect( 'lab' );
		World::$options['nivella_credit_wallet_shop'] = array( 'events_secret' => self::SECRET );
		People::$users[2] = new WP_User( 2, 'alice@example.com', 'Alice' );
		People::$users[3] = new WP_User( 3, 'bob@example.com', '' );
		$this->serve( array() );
	}

	/** The example that the standard itself gives. */
	public function test_knows_the_standard_s_own_signature(): void {
		$body = '{"test": 2432232314}';
		$sign = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
		$key  = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
		$this->assertTrue( is_event_signed( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', $sign, $body, $key, 1614265330 ) );
		$this->assertTrue( is_event_signed( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', "v1,x v2,{$sign} {$sign}", $body, $key, 1614265330 + 300 ) );
		foreach ( array(
			array( 'msg_other', '1614265330', $sign, $body, $key, 1614265330 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265331', $sign, $body, $key, 1614265330 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', $sign, $body . ' ', $key, 1614265330 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', $sign, $body, $key, 1614265330 + 301 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', $sign, $body, $key, 1614265330 - 301 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', substr( $sign, 3 ), $body, $key, 1614265330 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '', $body, $key, 1614265330 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', $sign, $body, '', 1614265330 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', $sign, $body, 'whsec_', 1614265330 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', $sign, $body, substr( $key, 6 ), 1614265330 ),
			array( 'msg_p5jXN8AQM9LWM0D4loKWxJek', '+1614265330', $sign, $body, $key, 1614265330 ),
		) as $forged ) {
			$this->assertFalse( is_event_signed( ...$forged ), json_encode( $forged ) );
		}
	}

	public function test_an_empty_key_signs_nothing(): void {
		$sign = 'v1,' . base64_encode( hash_hmac( 'sha256', 'a.100.b', '', true ) );
		$this->assertFalse( is_event_signed( 'a', '100', $sign, 'b', 'whsec_', 100 ) );
	}

	public function test_refuses_what_is_not_signed(): void {
		$request = $this->pushed( $this->event() );
		$this->assertTrue( is_request_signed( $request ) );
		$request->body .= ' ';
		$this->assertSame( 401, is_request_signed( $request )->get_error_data()['status'] );
		World::$options['nivella_credit_wallet_shop'] = array();
		$this->assertSame( 401, is_request_signed( $this->pushed( $this->event() ) )->get_error_data()['status'] );
	}

	public function test_tells_the_customer_once_whichever_way_it_comes(): void {
		$this->serve( array( $this->event() ) );
		$this->assertSame( array( 'result' => 'sent' ), handle_event( $this->pushed( $this->event() ) ) );
		$this->assertSame( array( 'result' => 'repeat' ), handle_event( $this->pushed( $this->event() ) ) );
		tick();
		tick();
		$this->assertCount( 1, People::$mails );
		list( $to, $subject, $text ) = People::$mails[0];
		$this->assertSame( 'alice@example.com', $to );
		$this->assertSame( 'Running low: AI Credits for Alice&#039;s shop', htmlspecialchars( $subject, ENT_QUOTES ) );
		$this->assertStringContainsString( 'Hello Alice,', $text );
		$this->assertStringContainsString( '180.45 AI Credits', $text );
		$this->assertStringContainsString( 'At the recent pace they last about 5 days', $text );
		$this->assertStringContainsString( 'nivella_for=site-123', $text );
		$this->assertStringContainsString( '#nivella-mail', $text );
	}

	public function test_what_the_shop_asked_for_is_not_told_again_when_it_is_sent(): void {
		$this->serve( array( $this->event() ) );
		ask_for_events();
		$this->assertSame( array( 'result' => 'repeat' ), handle_event( $this->pushed( $this->event() ) ) );
		$this->assertCount( 1, People::$mails );
		$this->assertSame( 'c1', World::$options['nivella_credit_wallet_events']['cursor'] );
		ask_for_events();
		$asked = array_filter( array_column( World::$requests, 0 ), static function ( $url ) {
			return false !== strpos( $url, '/v1/events' );
		} );
		$this->assertStringContainsString( 'after=c1', end( $asked ) );
	}

	public function test_each_level_is_news(): void {
		foreach ( array( 'credits.low', 'credits.critical', 'credits.empty' ) as $i => $type ) {
			$this->assertSame( array( 'result' => 'sent' ), handle_event( $this->pushed( array( 'id' => "ev_{$i}", 'type' => $type ) + $this->event() ) ) );
		}
		$this->assertCount( 3, People::$mails );
		$this->assertStringContainsString( 'used up', People::$mails[2][2] );
	}

	/** @dataProvider nobody */
	public function test_tells_nobody_whom_it_does_not_concern( array $change ): void {
		$this->assertSame( array( 'result' => 'ignored' ), handle_event( $this->pushed( $change + $this->event() ) ) );
		$this->assertSame( array(), People::$mails );
	}

	public function nobody(): array {
		$account = static function ( ...$names ) {
			return array( 'account' => array( 'id' => 'acc_1', 'name' => 'x', 'names' => $names ) );
		};
		return array(
			'another store'  => array( $account( 'other:customer:2', 'lab2:customer:2', 'xlab:customer:2' ) ),
			'a guest'        => array( $account( 'lab:email:alice@example.com' ) ),
			'nobody any more' => array( $account( 'lab:customer:7777' ) ),
			'no number'      => array( $account( 'lab:customer:02', 'lab:customer:2x', "lab:customer:2\n" ) ),
			'no names'       => array( array( 'account' => array( 'id' => 'acc_1' ) ) ),
			'something else' => array( array( 'type' => 'site.paused' ) ),
			'old news'       => array( array( 'at' => '2020-01-01T00:00:00Z' ) ),
		);
	}

	public function test_a_customer_may_turn_it_off_and_so_may_the_shop(): void {
		People::$meta[2]['nivella_credit_wallet_low_credit_mail'] = 'no';
		$this->assertSame( array( 'result' => 'ignored' ), handle_event( $this->pushed( $this->event() ) ) );
		unset( People::$meta[2] );
		$this->assertSame( array( 'result' => 'repeat' ), handle_event( $this->pushed( $this->event() ) ), 'turned on again, old news stays old' );
		People::$mail_enabled = false;
		$this->assertSame( array( 'result' => 'ignored' ), handle_event( $this->pushed( array( 'id' => 'ev_2' ) + $this->event() ) ) );
		$this->assertSame( array(), People::$mails );
	}

	public function test_a_mail_that_could_not_be_handed_over_is_tried_again(): void {
		People::$mail_works = false;
		$this->serve( array( $this->event() ) );
		$this->assertSame( 503, handle_event( $this->pushed( $this->event() ) )->get_error_data()['status'] );
		ask_for_events();
		$this->assertCount( 1, World::$options['nivella_credit_wallet_events']['waits'] );
		People::$mail_works = true;
		ask_for_events();
		$this->assertCount( 1, People::$mails );
		$this->assertSame( array(), World::$options['nivella_credit_wallet_events']['waits'] );
		ask_for_events();
		$this->assertCount( 1, People::$mails );
	}

	public function test_the_mail_goes_out_without_the_daemon(): void {
		World::$daemon = static function () {
			return new WP_Error( 'http_request_failed', 'cURL error 7: refused' );
		};
		$this->assertSame( array( 'result' => 'sent' ), handle_event( $this->pushed( $this->event() ) ) );
		$this->assertStringContainsString( 'site-123', People::$mails[0][2] );
		$this->assertStringNotContainsString( 'recent pace', People::$mails[0][2] );
	}

	public function test_ids_are_kept_as_long_as_they_can_come_again_and_no_longer(): void {
		handle_event( $this->pushed( $this->event() ) );
		$kept = static function () {
			return count( preg_grep( '/^nivella_credit_wallet_event_/', array_keys( World::$options ) ) );
		};
		forget_old_events();
		$this->assertSame( 1, $kept() );
		foreach ( preg_grep( '/^nivella_credit_wallet_event_/', array_keys( World::$options ) ) as $name ) {
			World::$options[ $name ] = (string) ( time() - 8 * DAY_IN_SECONDS );
		}
		forget_old_events();
		$this->assertSame( 0, $kept() );
	}

	/** A busy shop has more ids in a week than are looked at once. */
	public function test_old_ids_are_found_behind_any_number_of_new_ones(): void {
		for ( $i = 0; $i < 5001; $i++ ) {
			World::$options[ 'nivella_credit_wallet_event_' . $i ] = (string) time();
		}
		World::$options['nivella_credit_wallet_event_old'] = (string) ( time() - 8 * DAY_IN_SECONDS );
		$GLOBALS['wpdb'] = new LimitedDatabase();
		forget_old_events();
		$this->assertArrayNotHasKey( 'nivella_credit_wallet_event_old', World::$options );
		$this->assertArrayHasKey( 'nivella_credit_wallet_event_5000', World::$options );
	}

	/** @dataProvider places */
	public function test_a_customer_is_told_what_is_true_of_all_they_can_use( array $change, array $feed, string $result, array $says, array $never ): void {
		World::$daemon = static function () use ( $feed ) {
			return answer( 200, json_encode( $feed + json_decode( feed( 'low' ), true ) ) );
		};
		$this->assertSame( array( 'result' => $result ), handle_event( $this->pushed( $change + $this->event() ) ) );
		$this->assertCount( 'sent' === $result ? 1 : 0, People::$mails );
		foreach ( $says as $words ) {
			$this->assertStringContainsString( $words, implode( ' ', People::$mails[0] ) );
		}
		foreach ( $never as $words ) {
			$this->assertStringNotContainsString( $words, implode( ' ', People::$mails[0] ) );
		}
	}

	public function places(): array {
		$slice  = static function ( string $scope, ?string $site, string $remaining ): array {
			return array( 'grant' => 'gr_1', 'category' => 'paid', 'label' => 'x', 'scope' => $scope, 'amount' => '5000', 'remaining' => $remaining, 'held' => '0', 'effective_at' => '2026-10-03T09:00:00Z', 'expires_at' => null, 'order' => null ) + ( null === $site ? array() : array( 'site' => $site ) );
		};
		$empty  = array( 'type' => 'credits.empty', 'status' => 'empty', 'available' => '0' );
		$shared = array( 'wallet' => 'account:acc_1' );
		$whole  = array( 'wallet' => 'account:acc_1', 'site' => null );
		return array(
			'the website goes on with shared credits' => array( $empty, array( 'available' => '5000', 'status' => 'ok' ), 'ignored', array(), array() ),
			'topped up since'                         => array( array(), array( 'available' => '1180.45', 'status' => 'ok' ), 'ignored', array(), array() ),
			'the shared ones run low too'             => array( $empty, array( 'available' => '300', 'status' => 'low' ), 'sent', array( 'Running low', '300 AI Credits', 'running low' ), array( 'used up', ' 0 AI Credits' ) ),
			'nothing anywhere'                        => array( $empty, array( 'available' => '0', 'status' => 'empty' ), 'sent', array( 'Used up', 'used up' ), array( 'share are' ) ),
			'on hold'                                 => array( $empty, array( 'available' => '0', 'status' => 'frozen' ), 'sent', array( 'used up' ), array() ),
			'shared ones used up, others not'         => array( $shared + $empty, $whole + array( 'available' => '1200.5', 'status' => 'ok', 'breakdown' => array( $slice( 'site', 'bakery', '1200.5' ) ) ), 'sent', array( 'share are used up', 'Websites with credits of their own go on' ), array() ),
			'shared ones run low, others not'         => array( $shared, $whole + array( 'available' => '1380.95', 'status' => 'ok', 'breakdown' => array( $slice( 'site', 'bakery', '1200.5' ), $slice( 'pool', null, '180.45' ) ) ), 'sent', array( 'share are running low' ), array() ),
			'shared ones are all there is'            => array( $shared + $empty, $whole + array( 'available' => '0', 'status' => 'empty', 'breakdown' => array() ), 'sent', array( 'The credits are used up' ), array( 'share are' ) ),
			'shared ones topped up since'             => array( $shared + $empty, $whole + array( 'available' => '5000', 'status' => 'ok', 'breakdown' => array( $slice( 'pool', null, '5000' ) ) ), 'ignored', array(), array() ),
		);
	}

	public function test_a_cursor_that_is_not_understood_begins_anew(): void {
		World::$options['nivella_credit_wallet_events'] = array( 'cursor' => 'lost', 'waits' => array() );
		World::$daemon = static function () {
			return problem( 422, 'invalid_request' );
		};
		ask_for_events();
		$this->assertSame( '', World::$options['nivella_credit_wallet_events']['cursor'] );
	}

	/** @dataProvider garbage */
	public function test_garbage_is_refused_and_breaks_nothing( $data ): void {
		$answer = handle_event( $this->pushed( $data ) );
		$this->assertSame( 422, $answer->get_error_data()['status'] );
		$this->serve( array( $data, $this->event() ) );
		ask_for_events();
		$this->assertLessThanOrEqual( 1, count( People::$mails ) );
	}

	public function garbage(): array {
		$event = $this->event();
		return array(
			array( null ),
			array( 'x' ),
			array( array( 1, 2 ) ),
			array( array( 'id' => 7 ) + $event ),
			array( array( 'available' => 12 ) + $event ),
			array( array( 'available' => '<b>' ) + $event ),
			array( array( 'at' => 'yesterday' ) + $event ),
			array( array( 'account' => 'acc_1' ) + $event ),
			array( array( 'wallet' => array() ) + $event ),
		);
	}

	public function test_names_that_mean_harm_come_out_harmless(): void {
		People::$users[2]->first_name = '<script>alert(1)</script>';
		handle_event( $this->pushed( array( 'unit' => '<img src=x>', 'wallet' => 'site:<b>"x' ) + $this->event() ) );
		$text = People::$mails[0][2];
		$this->assertStringNotContainsString( '<script', $text );
		$this->assertStringNotContainsString( '<img', $text );
		$this->assertStringNotContainsString( '<b>', $text );
	}

	private function event(): array {
		return array(
			'id'        => 'ev_1',
			'type'      => 'credits.low',
			'at'        => gmdate( 'Y-m-d\TH:i:s\Z' ),
			'account'   => array( 'id' => 'acc_1', 'name' => 'Alice Doe', 'names' => array( 'lab:customer:2' ) ),
			'wallet'    => 'site:site-123',
			'level'     => '20%',
			'status'    => 'low',
			'available' => '180.456789',
			'unit'      => 'AI Credits',
		);
	}

	/** A request as the daemon sends it. */
	private function pushed( $data ) {
		$body = json_encode( array( 'type' => 'credits.low', 'timestamp' => '2026-11-21T10:00:00Z', 'data' => $data ) );
		$id   = 'msg_1';
		$at   = (string) time();
		return new class( $id, $at, 'v1,' . base64_encode( hash_hmac( 'sha256', "{$id}.{$at}.{$body}", base64_decode( substr( self::SECRET, 6 ) ), true ) ), $body ) {
			public $body;
			private $headers;
			public function __construct( $id, $at, $signature, $body ) {
				$this->headers = array( 'webhook-id' => $id, 'webhook-timestamp' => $at, 'webhook-signature' => $signature );
				$this->body    = $body;
			}
			public function get_header( $name ) {
				return $this->headers[ $name ];
			}
			public function get_body() {
				return $this->body;
			}
		};
	}

	/** A daemon with these events, in one page. */
	private function serve( array $events ): void {
		World::$daemon = static function ( $url ) use ( $events ) {
			if ( false === strpos( $url, '/v1/events' ) ) {
				$feed         = json_decode( feed( 'low' ), true );
				$feed['site'] = array( 'id' => 'site-123', 'label' => "Alice's shop" );
				return answer( 200, json_encode( $feed ) );
			}
			return answer( 200, json_encode( array( 'items' => strpos( $url, 'after=' ) ? array() : $events, 'cursor' => 'c1', 'more' => false ) ) );
		};
	}
}

/** Gives no more rows than it is asked for. */
final class LimitedDatabase {
	public $options = 'wp_options';
	private $all;
	public function __construct() {
		$this->all = new PeopleDatabase();
	}
	public function get_results( $asked ) {
		return array_slice( $this->all->get_results( $asked ), 0, (int) preg_replace( '/.*LIMIT (\d+).*/', '$1', $asked[0] ) );
	}
	public function get_col( $asked ) {
		return array_column( $this->get_results( $asked ), 'option_name' );
	}
	public function __call( $name, $values ) {
		return $this->all->$name( ...$values );
	}
}
