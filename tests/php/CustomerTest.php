<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ wallet_view, wallet_piece, rendered, customer_wallet_path, wallet_digest, export_personal_data, erase_personal_data, look_up_wallet };

/**
 * What a customer sees of all their websites, in each size; and WordPress's tools for privacy.
 */
final class CustomerTest extends TestCase {

	private const PAGE = array( 'url' => 'https://shop.example/my-account/ai-credits/', 'customer' => 0, 'is_staff' => false, 'is_admin' => false, 'request' => array() );

	protected function setUp(): void {
		World::fresh();
		People::fresh();
		World::connect( 'lab' );
		World::$user      = 2;
		People::$users[2] = new WP_User( 2, 'alice@example.com', 'Alice' );
	}

	public function test_all_websites_are_there_by_their_names(): void {
		$this->serve();
		$view  = wallet_view( customer_wallet_path( 2 ), self::PAGE );
		$sites = array_column( $view['sites'], 'raw', 'site' );
		$this->assertSame( '0', $sites['new-shop'], 'nothing bought for it yet' );
		$this->assertGreaterThan( 2, count( $sites ) );
		$names = array_column( $view['sites'], 'name', 'site' );
		$this->assertSame( 'A new shop', $names['new-shop'] );
		$this->assertContains( array( 'id' => 'new-shop', 'name' => 'A new shop' ), $view['history']['sites'] );

		$asked = count( World::$requests );
		wallet_view( customer_wallet_path( 2 ), self::PAGE );
		$this->assertCount( $asked + 1, World::$requests, 'only the history is asked for again' );
	}

	public function test_an_older_daemon_is_enough(): void {
		$this->serve( 404 );
		$sites = array_column( wallet_view( customer_wallet_path( 3 ), self::PAGE )['sites'], 'name' );
		$this->assertGreaterThan( 1, count( $sites ) );
	}

	public function test_the_list_survives_the_daemon(): void {
		$this->serve();
		wallet_view( customer_wallet_path( 4 ), self::PAGE );
		World::$transients = array();
		World::$daemon     = static function () {
			return new WP_Error( 'http_request_failed', 'cURL error 7: refused' );
		};
		$wallet = look_up_wallet( customer_wallet_path( 4 ), 15 );
		$this->assertSame( 'nivella_refused', $wallet['error']->get_error_code() );
		$this->assertContains( 'A new shop', array_column( Nivella\CreditWallet\known_sites( customer_wallet_path( 4 ), $wallet ), 'label' ) );
	}

	public function test_on_a_customer_s_site_a_package_is_for_that_site(): void {
		// Of its own, because a wallet is looked up once for each page.
		World::connect( '', 'nwk_key_of_this_test_alone' );
		World::$daemon = static function ( $url ) {
			$feed             = json_decode( feed( 'normal' ), true );
			$feed['packages'] = array( array( 'product_id' => 10, 'name' => 'A', 'url' => 'https://shop.example/product/a/?x=1' ) );
			return strpos( $url, '/feed' ) ? answer( 200, json_encode( $feed ) ) : answer( 200, '{"items":[],"next_cursor":null}' );
		};
		$view = wallet_view( 'me', self::PAGE );
		$this->assertNull( $view['buy'] );
		$this->assertStringContainsString( 'https://shop.example/product/a/?x=1&nivella_site=' . json_decode( feed( 'normal' ), true )['site']['id'], $view['packages'][0]['url'] );
	}

	/** @dataProvider sizes */
	public function test_no_size_asks_for_more_than_it_shows( string $size, int $requests, string $marks ): void {
		// A wallet is looked up once for each page, so each size needs one of its own.
		World::$user = 10 + strlen( $size );
		$this->serve();
		$html = wallet_piece( $size );
		$this->assertStringContainsString( $marks, $html );
		$this->assertCount( $requests, World::$requests );
		World::$user = 0;
		$this->assertStringContainsString( 'data-nivella="login"', wallet_piece( $size ) );
	}

	public function sizes(): array {
		return array(
			array( 'full', 3, 'data-nivella="history"' ),
			array( 'balance', 1, 'data-nivella-view="balance"' ),
			array( 'bar', 1, 'data-nivella-view="bar"' ),
			array( 'anything', 3, 'data-nivella="history"' ),
		);
	}

	public function test_a_customer_s_site_shows_its_wallet_to_staff_only(): void {
		World::connect();
		$this->serve();
		$this->assertSame( '', wallet_piece( 'bar' ) );
		$this->assertSame( array(), World::$requests );
	}

	public function test_hands_over_everything_in_steps(): void {
		People::$meta[2]['nivella_credit_wallet_low_credit_mail'] = 'no';
		$pages = array(
			''   => array( 'items' => array( $this->line( 'one' ) ), 'next_cursor' => 'p2' ),
			'p2' => array( 'items' => array( $this->line( 'two' ) ), 'next_cursor' => null ),
		);
		World::$daemon = static function ( $url ) use ( $pages ) {
			if ( strpos( $url, 'email' ) ) {
				return problem( 404, 'not_found' );
			}
			parse_str( (string) parse_url( $url, PHP_URL_QUERY ), $query );
			return answer( 200, strpos( $url, '/feed' ) ? feed( 'account-agency' ) : json_encode( $pages[ $query['cursor'] ?? '' ] ) );
		};
		$all  = array();
		$page = 0;
		do {
			$step = export_personal_data( 'alice@example.com', ++$page );
			$all  = array_merge( $all, $step['data'] );
		} while ( ! $step['done'] && $page < 9 );
		$this->assertTrue( $step['done'] );
		$text = json_encode( $all );
		foreach ( array( '"one"', '"two"', 'Turned off' ) as $part ) {
			$this->assertSame( 1, substr_count( $text, $part ), $part );
		}
		$this->assertCount( count( $all ), array_unique( array_column( $all, 'item_id' ) ) );
		$this->assertSame( array(), preg_grep( '/export_/', array_keys( World::$transients ) ) );
	}

	/** Whoever has an address whose wallet was claimed by somebody else learns nothing of theirs. */
	public function test_a_wallet_that_was_claimed_is_the_customer_s(): void {
		foreach ( array( 'claimed' => array( 'shop:customer:17', 'shop:email:guest@example.com' ), 'a guest\'s' => array( 'shop:email:guest@example.com' ) ) as $what => $names ) {
			World::connect( 'shop' );
			World::$daemon = static function ( $url ) use ( $names ) {
				if ( strpos( $url, '/v1/accounts/' ) ) {
					return answer( 200, json_encode( array( 'id' => 'acc_1', 'name' => 'Bob', 'names' => $names, 'available' => '1', 'debt' => '0', 'used' => '0', 'status' => 'ok', 'site_count' => 0, 'created_at' => '2026-11-01T00:00:00Z' ) ) );
				}
				return answer( 200, strpos( $url, '/feed' ) ? feed( 'account-agency' ) : json_encode( array( 'items' => array(), 'next_cursor' => null ) ) );
			};
			$step = export_personal_data( 'guest@example.com', 1 );
			$this->assertSame( 'claimed' === $what ? array() : array( 'nivella-wallet-guest' ), array_column( $step['data'], 'item_id' ), $what );
			$this->assertTrue( $step['done'] );
		}
	}

	public function test_half_an_answer_is_none(): void {
		World::$daemon = static function () {
			return new WP_Error( 'http_request_failed', 'cURL error 7: refused' );
		};
		$this->assertSame( 'nivella_export', export_personal_data( 'alice@example.com', 1 )->get_error_code() );
	}

	public function test_a_stranger_has_nothing(): void {
		World::$daemon = static function () {
			return problem( 404, 'not_found' );
		};
		$this->assertSame( array( 'data' => array(), 'done' => true ), export_personal_data( 'nobody@example.com', 1 ) );
		$this->assertSame( array( 'items_removed' => false, 'items_retained' => false, 'messages' => array(), 'done' => true ), erase_personal_data( 'nobody@example.com', 1 ) );
	}

	public function test_removes_what_need_not_be_kept_and_says_what_is(): void {
		$this->serve();
		People::$meta[2] = array( 'nivella_credit_wallet_low_credit_mail' => 'no', 'nivella_credit_wallet_dismissed' => array( 'a' => 1 ) );
		look_up_wallet( customer_wallet_path( 2 ), 15 );
		$result = erase_personal_data( 'alice@example.com', 1 );
		$this->assertTrue( $result['items_removed'] );
		$this->assertTrue( $result['items_retained'] );
		$this->assertCount( 1, $result['messages'] );
		$this->assertSame( array(), array_filter( People::$meta[2] ) );
		$this->assertSame( array(), preg_grep( '/_last_/', array_keys( World::$options ) ) );
		foreach ( World::$requests as list( , $args ) ) {
			$this->assertSame( 'GET', $args['method'], 'the books are not touched' );
		}
	}

	private function line( string $label ): array {
		return array( 'at' => '2026-11-20T16:00:00Z', 'kind' => 'usage', 'label' => $label, 'credits' => '-1' );
	}

	private function serve( int $status = 200 ): void {
		World::$daemon = static function ( $url ) use ( $status ) {
			if ( strpos( $url, '/v1/accounts/' ) ) {
				return 200 === $status ? answer( 200, '{"id":"acc_1","sites":[{"id":"new-shop","label":"A new shop"},{"id":"blog","label":""}]}' ) : problem( 404, 'not_found' );
			}
			return answer( 200, strpos( $url, '/feed' ) ? feed( 'account-agency' ) : '{"items":[],"next_cursor":null}' );
		};
	}
}
