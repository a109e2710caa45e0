<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ show_shop_page, show_orders_page, show_order_box, rendered, story_view, read_body, read_story, keep_draft, typed_credits, typed_money, typed_customer, refund_parts, refund_sentence, wallets_asked, wallets_url, orders_asked, staff_accounts, staff_story, rows_per_page, keep_rows_per_page, decimal_sum, decimal_less, add_order_box, staff_trouble, clean_text };

/**
 * The screens of the shop's staff with answers that mean no good, and what they ask the daemon for.
 */
final class StaffScreensTest extends TestCase {

	private const ALICE = 'acc_01a1fa67730b778aa2ec748e9839efc7';
	private const DRAFT = '01234567-0123-4123-8123-0123456789ab';

	protected function setUp(): void {
		World::fresh();
		Staff::$users        = array();
		World::$capabilities = array( 'manage_options', 'manage_woocommerce', 'edit_user' );
		World::$user         = 1;
		$this->connect();
		$_GET = array();
	}

	protected function tearDown(): void {
		$_GET = array();
	}

	/**
	 * Each payload in each text of each answer: nothing in a page is markup that was not there for harmless answers.
	 *
	 * @dataProvider pages
	 */
	public function test_no_text_becomes_markup( array $get, string $state ): void {
		$harmless = TemplateTest::shape( $this->page( $get, 'harmless', $state ) );
		$this->assertGreaterThan( 30, count( $harmless ) );
		foreach ( TemplateTest::PAYLOADS as $payload ) {
			$page = $this->page( $get, $payload, $state );
			$this->assertSame( $harmless, TemplateTest::shape( $page ), $payload );
			$this->assertStringNotContainsString( 'SECRET', $page );
		}
		// It can fail.
		$this->assertNotSame( $harmless, TemplateTest::shape( preg_replace( '/harmless/', '<i onclick="x">', $this->page( $get, 'harmless', $state ), 1 ) ) );
	}

	public function pages(): array {
		return array(
			'list'            => array( array( 's' => 'alice' ), '' ),
			'wallet'          => array( array( 'account' => self::ALICE ), '' ),
			'to be confirmed' => array( array( 'account' => self::ALICE ), 'review' ),
			'wrong'           => array( array( 'account' => self::ALICE ), 'wrong' ),
			'no answer'       => array( array( 'account' => self::ALICE ), 'unknown' ),
			'done'            => array( array( 'account' => self::ALICE ), 'done' ),
			'orders'          => array( array( 'page' => 'orders' ), '' ),
			'order'           => array( array( 'page' => 'orders', 'order_id' => '45', 'amount' => '40' ), '' ),
			'box'             => array( array( 'page' => 'box' ), '' ),
		);
	}

	/** @dataProvider pages */
	public function test_ids_are_unique_and_exist( array $get, string $state ): void {
		$page = $this->page( $get, 'harmless', $state );
		preg_match_all( '/\sid="([^"]*)"/', $page, $ids );
		$this->assertSame( $ids[1], array_values( array_unique( $ids[1] ) ) );
		preg_match_all( '/\s(?:for|aria-labelledby|aria-describedby)="([^"]*)"/', $page, $used );
		foreach ( array_filter( explode( ' ', implode( ' ', $used[1] ) ) ) as $id ) {
			$this->assertContains( $id, $ids[1] );
		}
	}

	/** @dataProvider lies */
	public function test_an_answer_that_is_not_what_was_asked_for_is_named( string $body ): void {
		World::$daemon = static function () use ( $body ) {
			return answer( 200, $body );
		};
		foreach ( array( staff_accounts( array() ), staff_story( 45 ) ) as $answer ) {
			$this->assertTrue( is_wp_error( $answer ) );
			$this->assertSame( 'nivella_answer', $answer->get_error_code() );
			$this->assertStringContainsString( 'update', staff_trouble( $answer )['remedy'] );
		}
	}

	public function lies(): array {
		return array(
			array( '' ),
			array( '[]x' ),
			array( '<!doctype html><script>alert(1)</script>' ),
			array( '"text"' ),
			array( '[1]' ),
			array( '{"items":[1]}' ),
			array( '{"items":[{"id":"x","names":[{}],"available":"1","debt":"0","used":"0","status":"ok","site_count":0,"created_at":"2026-11-20T16:00:00Z"}]}' ),
			array( '{"items":[{"id":"x","names":[],"available":1,"debt":"0","used":"0","status":"ok","site_count":0,"created_at":"2026-11-20T16:00:00Z"}]}' ),
			array( '{"items":[{"id":"x","names":[],"available":"1e9","debt":"0","used":"0","status":"ok","site_count":0,"created_at":"2026-11-20T16:00:00Z"}]}' ),
			array( '{"items":[{"id":"x","names":[],"available":"1","debt":"0","used":"0","status":"splendid","site_count":0,"created_at":"2026-11-20T16:00:00Z"}]}' ),
			array( '{"items":[{"id":"x","names":[],"available":"1","debt":"0","used":"0","status":"ok","site_count":-1,"created_at":"2026-11-20T16:00:00Z"}]}' ),
			array( '{"items":[{"id":"x","names":[],"available":"1","debt":"0","used":"0","status":"ok","site_count":0,"created_at":"yesterday"}]}' ),
		);
	}

	public function test_the_list_asks_for_what_the_address_says_and_nothing_else(): void {
		$_GET = array( 's' => ' Alice ', 'filter' => 'guest', 'orderby' => 'available', 'order' => 'desc', 'paged' => 'cursor' );
		$this->assertSame( array( 'query' => 'Alice', 'filter' => 'guest', 'sort' => '-available', 'cursor' => 'cursor' ), wallets_asked() );
		$this->assertStringContainsString( 's=Alice&filter=guest&orderby=available&order=desc', wallets_url( wallets_asked() ) );
		$this->assertStringNotContainsString( 'paged', wallets_url( wallets_asked() ) );
		$_GET = array( 's' => array( 'x' ), 'filter' => 'everything', 'orderby' => 'secret', 'order' => 'desc', 'paged' => array( '1' ) );
		$this->assertSame( array( 'query' => '', 'filter' => 'all', 'sort' => '', 'cursor' => '' ), wallets_asked() );
		$_GET = array( 'state' => 'all' );
		$this->assertSame( 'all', orders_asked()['state'] );
		$_GET = array( 'state' => '../x' );
		$this->assertSame( 'unclaimed', orders_asked()['state'] );
	}

	public function test_a_dead_daemon_is_waited_for_once(): void {
		World::$daemon = static function () {
			return new WP_Error( 'http_request_failed', 'cURL error 7: Failed to connect: Connection refused' );
		};
		foreach ( array( array(), array( 'account' => self::ALICE ), array( 'page' => 'orders' ), array( 'page' => 'orders', 'order_id' => '45', 'amount' => '4' ) ) as $get ) {
			$page = $this->shown( $get );
			$this->assertStringContainsString( 'data-nivella-code="nivella_refused"', $page );
			$this->assertStringNotContainsString( 'data-nivella="act-', $page, 'nothing can be changed that is not known' );
		}
		$this->assertCount( 1, World::$requests );
	}

	public function test_a_key_that_may_not_see_wallets_is_named(): void {
		World::$daemon = static function () {
			return problem( 404, 'not_found' );
		};
		$this->assertStringContainsString( 'scope admin', $this->shown( array() ) );
	}

	public function test_people_who_never_bought_are_found(): void {
		Staff::$users  = array( new WP_User( 7, 'carol@example.com', 'Carol' ) );
		World::$daemon = static function ( string $url ) {
			return '/v1/accounts' === parse_url( $url, PHP_URL_PATH ) ? answer( 200, '{"items":[],"next_cursor":null,"prev_cursor":null,"total":0}' ) : problem( 404, 'not_found' );
		};
		$page = $this->shown( array( 's' => 'carol' ) );
		$this->assertStringContainsString( 'data-nivella-customer="7"', $page );
		$this->assertStringContainsString( 'no wallet yet', $page );

		$page = $this->shown( array( 'customer' => '7' ) );
		$this->assertStringContainsString( 'data-nivella="new"', $page );
		$this->assertStringContainsString( 'data-nivella="act-grant"', $page );
		$this->assertStringNotContainsString( 'data-nivella="act-freeze"', $page );
		$this->assertStringContainsString( 'value="lab:customer:7"', $page );
	}

	public function test_a_wallet_is_found_by_its_website(): void {
		World::$daemon = static function ( string $url ) {
			$path = (string) parse_url( $url, PHP_URL_PATH );
			if ( '/v1/accounts' === $path ) {
				return answer( 200, '{"items":[],"next_cursor":null,"prev_cursor":null,"total":0}' );
			}
			if ( '/v1/sites' === $path ) {
				return answer( 200, '{"items":[{"id":"site-456","account":{"id":"' . self::ALICE . '","name":"Alice"}},{"id":"site-4567","account":{"id":"' . self::ALICE . '","name":"Alice"}},{"id":"site-4568","account":null}],"next_cursor":null}' );
			}
			return '/v1/accounts/' . self::ALICE === $path ? answer( 200, '{"id":"' . self::ALICE . '","name":"Alice","names":[],"available":"1","debt":"0","used":"0","status":"ok","site_count":2,"created_at":"2026-11-20T16:00:00Z","sites":[],"freeze":null}' ) : problem( 404, 'not_found' );
		};
		$page = $this->shown( array( 's' => 'site-456' ) );
		$this->assertSame( 1, substr_count( $page, 'data-nivella="wallet-link"' ) );
		$this->assertStringContainsString( '1 item', $page );
	}

	/** @dataProvider nobodies */
	public function test_there_are_no_wallets_of_nobody( array $get ): void {
		World::$daemon = static function () {
			return problem( 404, 'not_found' );
		};
		$this->assertStringContainsString( 'data-nivella="missing"', $this->shown( $get ) );
		$this->assertSame( array(), World::$requests );
	}

	public function nobodies(): array {
		return array(
			array( array( 'customer' => '999' ) ),
			array( array( 'account' => 'acc_1' ) ),
			array( array( 'account' => '../keys' ) ),
			array( array( 'account' => 'other:customer:2' ) ),
		);
	}

	/** @dataProvider roles */
	public function test_only_staff_of_a_shop_see_orders( string $store, array $capabilities, bool $may ): void {
		$this->connect( $store );
		World::$capabilities = $capabilities;
		World::$daemon       = static function () {
			return answer( 200, '{"items":[],"next_cursor":null,"prev_cursor":null,"total":0}' );
		};
		try {
			$page = $this->shown( array( 'page' => 'orders' ) );
			$this->assertTrue( $may );
			$this->assertStringContainsString( 'No order waits', $page );
		} catch ( Ended $end ) {
			$this->assertFalse( $may );
			$this->assertSame( 'die 403', $end->getMessage() );
			$this->assertSame( array(), World::$requests );
		}
	}

	public function roles(): array {
		return array(
			array( 'lab', array( 'manage_options' ), true ),
			array( 'lab', array( 'manage_woocommerce' ), true ),
			array( 'lab', array( 'edit_posts', 'edit_others_posts' ), false ),
			array( 'lab', array( 'read' ), false ),
			array( 'lab', array(), false ),
			array( '', array( 'manage_options' ), false ),
		);
	}

	/** @dataProvider amounts */
	public function test_amounts_are_read_as_the_language_writes_them( string $point, string $thousands, string $typed, ?string $read ): void {
		$before                                 = $GLOBALS['wp_locale']->number_format;
		$GLOBALS['wp_locale']->number_format    = array( 'decimal_point' => $point, 'thousands_sep' => $thousands );
		$is                                     = typed_credits( $typed );
		$GLOBALS['wp_locale']->number_format    = $before;
		$this->assertSame( $read, $is );
	}

	public function amounts(): array {
		return array(
			array( '.', ',', '500', '500' ),
			array( '.', ',', ' 500 ', '500' ),
			array( '.', ',', '+500', '500' ),
			array( '.', ',', '-500', '-500' ),
			array( '.', ',', "\u{2212}500", '-500' ),
			array( '.', ',', '1,000', '1000' ),
			array( '.', ',', '1,000,000.5', '1000000.5' ),
			array( '.', ',', '0.50', '0.5' ),
			array( '.', ',', '5.000', '5' ),
			array( '.', ',', '0', '0' ),
			array( '.', ',', '-0', '0' ),
			array( '.', ',', '1,00', null ),
			array( '.', ',', '1,0000', null ),
			array( '.', ',', '0,500', null ),
			array( '.', ',', '', null ),
			array( '.', ',', '-', null ),
			array( '.', ',', '1e3', null ),
			array( '.', ',', '0x10', null ),
			array( '.', ',', '007', null ),
			array( '.', ',', '5 000 x', null ),
			array( '.', ',', '0.0000001', null ),
			array( '.', ',', '99999999999999', null ),
			array( ',', '.', '1.000', '1000' ),
			array( ',', '.', '1.000,5', '1000.5' ),
			array( ',', '.', '0,5', '0.5' ),
			array( ',', '&nbsp;', '1 000,5', '1000.5' ),
			array( ',', "\u{202F}", "1\u{202F}000", '1000' ),
			array( ',', "\u{A0}", "12\u{A0}000,25", '12000.25' ),
		);
	}

	public function test_money_is_a_plain_decimal_or_nothing(): void {
		foreach ( array( '40' => '40', '40.00' => '40.00', '0040.5' => '40.5', '0' => '0', '40.' => '40', '12345678901234' => null, '' => null, '-5' => null, 'abc' => null, '1e3' => null, '4 0' => null ) as $typed => $read ) {
			$this->assertSame( $read, typed_money( (string) $typed ), (string) $typed );
		}
	}

	public function test_lines_of_a_refund_are_read_one_by_one(): void {
		$typed = array(
			array( 'line' => '36', 'quantity' => '1', 'total' => '10.00', 'tax' => array( '1.90', '0.10' ) ),
			array( 'line' => '37', 'quantity' => '0', 'total' => '', 'tax' => array() ),
			array( 'line' => '38', 'total' => '5' ),
			array( 'line' => '-1', 'total' => '5' ),
			array( 'line' => array(), 'total' => '5' ),
			array( 'line' => '39; DROP', 'total' => '5' ),
			array( 'line' => '40', 'total' => array( '5' ), 'tax' => 'x', 'quantity' => array() ),
			'x',
			null,
		);
		$this->assertSame( array(), refund_parts( 45, array() ) );
		$this->assertSame(
			array(
				array( 'line' => 36, 'total' => '10.00', 'tax' => '2', 'quantity' => '1' ),
				array( 'line' => 38, 'total' => '5', 'tax' => '0', 'quantity' => '0' ),
			),
			refund_parts( 45, $typed )['lines']
		);
	}

	public function test_the_preview_says_what_a_refund_takes_back(): void {
		World::$daemon = static function ( string $url, array $args ) {
			return '{"amount":"40"}' === $args['body']
				? answer( 200, '{"granted":"1000","used":"380","left":"620","takes_back":"400","shortfall":"0","shortfall_policy":"debt","lines":[]}' )
				: answer( 200, '{"granted":"1000","used":"380","left":"620","takes_back":"620","shortfall":"380","shortfall_policy":"debt","lines":[]}' );
		};
		$this->assertSame( '1,000 credits, 380 used; refunding 40 takes back 400, shortfall 0', refund_sentence( 45, '40', array() )['text'] );
		$this->assertSame( 'good', refund_sentence( 45, '40', array() )['tone'] );
		$short = refund_sentence( 45, '100', array() );
		$this->assertSame( 'short', $short['tone'] );
		$this->assertStringContainsString( '380 were used already. They become a debt', $short['notes'][0] );
		foreach ( World::$requests as list( , $args ) ) {
			$this->assertArrayNotHasKey( 'Idempotency-Key', $args['headers'] );
			$this->assertLessThanOrEqual( 2.5, $args['timeout'] );
		}
		$asked = count( World::$requests );
		$this->assertSame( 'wrong', refund_sentence( 45, 'forty', array() )['tone'] );
		$this->assertCount( $asked, World::$requests );
	}

	public function test_who_is_meant(): void {
		$this->assertSame( 'lab:customer:2', typed_customer( 'alice@example.com' )['reference'] );
		$this->assertSame( 'lab:customer:2', typed_customer( 'alice' )['reference'] );
		$this->assertSame( 'lab:customer:17', typed_customer( '17' )['reference'] );
		$this->assertSame( 'lab:email:guest@example.com', typed_customer( 'Guest@Example.com' )['reference'] );
		$this->assertSame( self::ALICE, typed_customer( self::ALICE )['reference'] );
		$this->assertNull( typed_customer( '999' ) );
		$this->assertNull( typed_customer( 'nobody-at-all' ) );
		$this->assertNull( typed_customer( 'acc_1' ) );
	}

	public function test_sums_with_signs(): void {
		mt_srand( seed() );
		for ( $i = 0; $i < 2000; $i++ ) {
			$a = mt_rand( -1000000000, 1000000000 );
			$b = mt_rand( -1000000000, 1000000000 );
			$this->assertSame( $this->millionths( $a + $b ), decimal_sum( $this->millionths( $a ), $this->millionths( $b ) ), "{$a} + {$b}" );
			$this->assertSame( $this->millionths( $a - $b ), decimal_less( $this->millionths( $a ), $this->millionths( $b ) ), "{$a} - {$b}" );
		}
	}

	public function test_rows_per_page_stay_within_what_the_daemon_gives(): void {
		foreach ( array( '0' => 1, '-5' => 1, '50' => 50, '9999' => 200, 'x' => 1 ) as $typed => $kept ) {
			$this->assertSame( $kept, keep_rows_per_page( false, 'x', $typed ) );
		}
		$this->assertSame( 20, rows_per_page( 'nivella_credit_wallet_wallets_per_page' ) );
	}

	/** So many millionths, as the daemon writes them. */
	private function millionths( int $number ): string {
		$text = rtrim( rtrim( sprintf( '%d.%06d', intdiv( abs( $number ), 1000000 ), abs( $number ) % 1000000 ), '0' ), '.' );
		return ( $number < 0 ? '-' : '' ) . $text;
	}

	/** Another key each time, so that nothing is remembered. */
	private function connect( string $store = 'lab' ): void {
		static $key = 0;
		World::connect( $store, 'nwk_0123456789abcdef' . ++$key );
	}

	/** A page with `$text` in every text of the daemon's answers, and of a draft in this state. */
	private function page( array $get, string $text, string $state ): string {
		$this->connect();
		Staff::$users  = array( new WP_User( 9, $text, $text ) );
		World::$daemon = static function ( string $url ) use ( $text ) {
			return self::poisoned( $url, $text );
		};
		if ( '' !== $state ) {
			// What becomes part of a draft was cleaned when it was read or typed.
			$text = clean_text( $text );
			keep_draft(
				self::DRAFT,
				array(
					'act'      => 'grant',
					'subject'  => array( 'wallet', self::ALICE ),
					'state'    => $state,
					'requests' => array(),
					'values'   => array( 'credits' => $text, 'label' => $text, 'reason' => $text ),
					'errors'   => array( '' => $text, 'credits' => $text ),
					'done'     => array( 'text' => $text, 'secret' => $text ),
					'plan'     => array(
						'button'    => $text,
						'sentences' => array( $text ),
						'rows'      => array( array( 'place' => $text, 'now' => $text, 'change' => $text, 'then' => $text, 'then_raw' => $text ) ),
						'slices'    => array( array( 'credits' => $text, 'label' => $text ) ),
					),
				)
			);
			$get['draft'] = self::DRAFT;
		}
		return $this->shown( $get );
	}

	private function shown( array $get ): string {
		$_GET  = $get;
		$level = ob_get_level();
		ob_start();
		try {
			if ( 'box' === ( $get['page'] ?? '' ) ) {
				show_order_box( new class() {
					public function get_id() {
						return 45;
					}
				} );
				echo rendered( 'staff-box-story', array( 'story' => story_view( staff_story( 45 ) ), 'trouble' => null, 'url' => 'https://site.example/' ) );
			} elseif ( 'orders' === ( $get['page'] ?? '' ) ) {
				show_orders_page();
			} else {
				show_shop_page();
			}
			return ob_get_clean();
		} finally {
			while ( ob_get_level() > $level ) {
				ob_end_clean();
			}
		}
	}

	/** What the daemon answers, with `$text` in every text. */
	private static function poisoned( string $url, string $text ) {
		$path    = (string) parse_url( $url, PHP_URL_PATH );
		$account = array(
			'id' => $text, 'name' => $text, 'names' => array( 'lab:email:e' . $text, $text ), 'available' => '10', 'debt' => '5', 'used' => '1', 'status' => 'frozen', 'site_count' => 2,
			'frozen_reason' => $text, 'created_at' => '2026-11-20T16:00:00Z', 'provider' => 'SECRET',
			'sites' => array( array( 'id' => $text, 'label' => $text . '1', 'client' => $text, 'available' => '3' ) ), 'freeze' => array( 'reason' => $text, 'at' => '2026-11-20T16:00:00Z' ),
		);
		$order   = array( 'store' => 'lab', 'order' => '45', 'number' => $text, 'status' => $text, 'summary' => $text, 'buyer' => 'lab:email:e' . $text, 'account' => array( 'id' => $text, 'name' => $text ), 'granted' => '5', 'parked' => $text, 'attention' => $text, 'modified_at' => '2026-11-20T16:00:00Z' );
		$list    = static function ( array $item ) use ( $text ) {
			return array( 'items' => array( $item ), 'next_cursor' => $text, 'prev_cursor' => $text, 'total' => 3 );
		};
		if ( '/v1/accounts' === $path ) {
			$body = $list( $account );
		} elseif ( 0 === strpos( $path, '/v1/accounts/' ) ) {
			$body = $account;
		} elseif ( '/v1/orders' === $path ) {
			$body = $list( $order );
		} elseif ( false !== strpos( $path, 'refund-preview' ) ) {
			$body = array( 'granted' => '1000', 'used' => '380', 'left' => '620', 'takes_back' => '400', 'shortfall' => '5', 'shortfall_policy' => $text, 'lines' => array_fill( 0, 2, array( 'line' => 1, 'name' => $text, 'granted' => '1', 'used' => '0', 'left' => '1', 'takes_back' => '1', 'shortfall' => '0' ) ) );
		} elseif ( 0 === strpos( $path, '/v1/orders/' ) ) {
			$body                  = StaffActsTest::story();
			$body['missing'][0]    = array( 'step' => $text, 'what' => $text, 'remedy' => $text );
			$body['lines'][0]      = array( 'name' => $text, 'quantity' => $text, 'total' => $text, 'worth' => $text, 'arithmetic' => $text, 'says' => $text, 'site' => array( 'why' => $text ) ) + $body['lines'][0];
			$body['entries'][0]    = array( 'says' => $text ) + $body['entries'][0];
			$body['deliveries'][0] = array( 'topic' => $text, 'result' => $text, 'reason' => $text ) + $body['deliveries'][0];
			$body                  = $order + $body;
			$body['meaning']       = $text;
			$body['model']         = 'SECRET';
		} else {
			return answer( 200, feed( 'account-agency' ), array( 'etag' => '"1"' ) );
		}
		return answer( 200, json_encode( $body, JSON_INVALID_UTF8_SUBSTITUTE ) );
	}
}
