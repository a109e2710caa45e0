<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ add_facts, body_begun, carry, carry_one, category_hint, catch_up, deliver, is_catch_up_due, is_lane_delivering, lane_memory, noted, product_rows, put_off, remember_fault, shop, sign, waiting, concerned, customer_wallet_path, show_buyer_the_news, wallet_digest };

/**
 * What is carried to the daemon, and what happens when it does not take it.
 */
final class CarryTest extends TestCase {

	protected function setUp(): void {
		World::fresh();
		Shop::fresh();
		Shop::pair();
		noted( 'none' );
		body_begun( true );
		$this->answers( answer( 200, '{"delivery":"dl_1","result":"granted"}' ) );
	}

	protected function tearDown(): void {
		is_lane_delivering( false );
	}

	public function test_signs_as_woocommerce_does(): void {
		deliver( 'nivella.categories', category_hint( array( 17 ) ), shop(), 2.0, true );
		list( $url, $args ) = World::$requests[0];
		$this->assertSame( 'http://10.0.0.5:8099/webhooks/woocommerce/shop', $url );
		$this->assertSame( base64_encode( hash_hmac( 'sha256', $args['body'], shop()['secret'], true ) ), $args['headers']['X-WC-Webhook-Signature'] );
		$this->assertSame( 'nivella.categories', $args['headers']['X-WC-Webhook-Topic'] );
		$this->assertTrue( $args['reject_unsafe_urls'] );
		$this->assertSame( 0, $args['redirection'] );
		$this->assertSame( 'nivella-credit-wallet/0.1.0', $args['user-agent'] );
		$this->assertArrayNotHasKey( 'Authorization', $args['headers'], 'the key is not sent along' );
		$told_at = json_decode( $args['body'], true )['nivella']['told_at'];
		$this->assertSame(
			array( 'nivella' => array( 'version' => 1, 'told_at' => $told_at, 'categories' => array( array( 'id' => 17, 'name' => 'Bundles', 'slug' => 'bundles', 'parent' => 16 ), array( 'id' => 16, 'name' => 'Tokens', 'slug' => 'tokens', 'parent' => 0 ) ) ) ),
			json_decode( $args['body'], true )
		);
	}

	/** @dataProvider no_receipts */
	public function test_only_a_receipt_counts( array $answer, string $code ): void {
		$this->answers( $answer );
		$this->assertSame( $code, deliver( 'order.updated', array( 'id' => 1 ), shop(), 2.0 )->get_error_code() );
	}

	public function no_receipts(): array {
		return array(
			array( answer( 200, '<html>' ), 'nivella_not_daemon' ),
			array( answer( 200, '{"result":7}' ), 'nivella_not_daemon' ),
			array( answer( 200, '{"result":"ignored"}' ), 'nivella_not_daemon' ),
			array( answer( 301, '' ), 'nivella_redirect' ),
			array( problem( 401, 'unauthorized' ), 'nivella_unauthorized' ),
			array( answer( 503, '' ), 'nivella_busy' ),
		);
	}

	/** An order that is gone is told as gone, without a word about what it was. */
	public function test_an_order_that_is_gone(): void {
		$this->assertTrue( carry_one( 'gone', 14, shop(), 2.0 ) );
		$body = json_decode( World::$requests[0][1]['body'], true );
		$this->assertSame( 14, $body['id'] );
		$this->assertTrue( $body['nivella']['gone'] );
		$this->assertMatchesRegularExpression( '/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/D', $body['nivella']['told_at'] );
		$this->assertSame( 'order.deleted', World::$requests[0][1]['headers']['X-WC-Webhook-Topic'] );
		$this->assertSame( 'granted', lane_memory()['last']['result'] );
	}

	/** Whoever bought and looks again at once sees it; other customers' pages and a daemon that is down stay remembered. */
	public function test_the_buyers_pages_forget_what_they_knew(): void {
		$buyer           = new WC_Order();
		$buyer->customer = 7;
		Shop::$orders    = array( 27 => $buyer );
		$names           = array();
		foreach ( array( customer_wallet_path( 7 ), customer_wallet_path( 8 ), '' ) as $path ) {
			foreach ( array( 'fresh_', 'down_' ) as $kind ) {
				$names[] = 'nivella_credit_wallet_' . $kind . wallet_digest( $path );
				set_transient( end( $names ), time(), 300 );
			}
		}
		show_buyer_the_news( 27 );
		show_buyer_the_news( 28 );
		$this->assertSame( array( false, false, true, true, true, true ), array_map( 'is_int', array_map( 'get_transient', $names ) ) );
	}

	/** The first that fails ends the lane: nobody waits for a dead daemon twice, and nothing is lost. */
	public function test_a_dead_daemon_is_asked_once(): void {
		$this->answers( new WP_Error( 'http_request_failed', 'cURL error 28: Operation timed out' ) );
		$things = array( $this->gone( 1 ), $this->gone( 2 ), $this->gone( 3 ) );
		$this->assertFalse( carry( $things, shop(), microtime( true ) + 2 ) );
		$this->assertCount( 1, World::$requests );
		$this->assertSame( array( 1, 2, 3 ), array_column( waiting(), 'id' ) );
		$this->assertGreaterThan( time() + 20, lane_memory()['down_until'] );
		$this->assertGreaterThan( time() + 20, Shop::$events['nivella_credit_wallet_catch_up'] );

		// The next request does not even try, and changes of the same order wait once.
		$this->assertFalse( carry( array( $this->gone( 3 ), $this->gone( 4 ) ), shop(), microtime( true ) + 2 ) );
		$this->assertCount( 1, World::$requests );
		$this->assertSame( array( 1, 2, 3, 4 ), array_column( waiting(), 'id' ) );
		$this->assertCount( 1, lane_memory()['faults'] );
	}

	public function test_catches_up_by_itself_in_order(): void {
		foreach ( array( 5, 3, 9 ) as $id ) {
			put_off( 'gone', $id );
		}
		Shop::$events['nivella_credit_wallet_catch_up'] = time() - 1;
		$this->assertTrue( is_catch_up_due() );
		catch_up( 20.0 );
		$this->assertSame( array( 5, 3, 9 ), $this->delivered() );
		$this->assertSame( array(), waiting() );
		$this->assertSame( array(), Shop::$events );
		$this->assertSame( 0, lane_memory()['down_until'] );
	}

	public function test_waits_longer_and_longer(): void {
		put_off( 'gone', 5 );
		$this->answers( answer( 503, '' ) );
		$waits = array();
		for ( $i = 0; $i < 8; $i++ ) {
			catch_up( 20.0 );
			$waits[] = (int) round( ( Shop::$events['nivella_credit_wallet_catch_up'] - time() ) / 10 ) * 10;
		}
		$this->assertSame( array( 30, 60, 120, 240, 300, 300, 300, 300 ), $waits );
		$this->assertCount( 1, waiting() );
		$this->assertCount( 8, World::$requests, 'one question each' );
	}

	/** What the daemon refuses for itself would be refused for ever; it must not keep the rest waiting. */
	public function test_what_is_refused_for_good_is_let_go(): void {
		put_off( 'gone', 5 );
		put_off( 'gone', 6 );
		$this->answers( problem( 413, 'too_large' ) );
		catch_up( 20.0 );
		$this->assertSame( array(), waiting() );
		$this->assertCount( 2, lane_memory()['faults'] );
		$this->assertSame( 0, lane_memory()['down_until'] );
	}

	public function test_memory_is_bounded(): void {
		for ( $i = 0; $i < 50; $i++ ) {
			remember_fault( 'order.updated', $i, new WP_Error( 'nivella_timeout', str_repeat( 'x', 5000 ) ) );
		}
		$this->assertCount( 10, lane_memory()['faults'] );
		$this->assertSame( 49, lane_memory()['faults'][0]['id'] );
		$this->assertLessThan( 8000, strlen( serialize( World::$options['nivella_credit_wallet_lane'] ) ) );
		for ( $i = 1; $i <= 1000; $i++ ) {
			noted( 'order', $i );
		}
		$this->assertCount( 200, noted() );
	}

	/** No time left is nobody's fault: it comes later. */
	public function test_what_there_is_no_time_for_comes_later(): void {
		$this->assertFalse( carry( array( $this->gone( 1 ) ), shop(), microtime( true ) + 0.5 ) );
		$this->assertSame( array(), World::$requests );
		$this->assertSame( array( 1 ), array_column( waiting(), 'id' ) );
		$this->assertSame( 0, lane_memory()['down_until'] );
	}

	/** @dataProvider spoiled */
	public function test_a_spoiled_memory_is_an_empty_one( $option ): void {
		World::$options['nivella_credit_wallet_lane'] = $option;
		$this->assertSame( array( 'last' => null, 'faults' => array(), 'down_until' => 0, 'tries' => 0 ), lane_memory() );
	}

	public function spoiled(): array {
		return array( array( 'x' ), array( array( 'last' => 'x', 'faults' => array( 'y' ), 'down_until' => '9', 'tries' => null ) ) );
	}

	public function test_an_order_nobody_knows_any_more_counts_only_if_it_was_about_credits(): void {
		noted( 'order', 5 );
		noted( 'order', 6, true );
		$this->assertSame( array( array( 'kind' => 'gone', 'id' => 6 ) ), concerned( noted() ) );
	}

	public function test_products_look_as_in_rest(): void {
		Shop::$products[10] = new FakeProduct( array( 'id' => 10, 'sku' => 'CREDITS-1000', 'name' => 'AI Credits 1,000', 'permalink' => 'https://shop.example/p', 'price' => '10.00', 'status' => 'publish', 'meta' => array( '_nivella_credits' => 1000, '_cost' => '3', '_nivella_kind' => 'paid' ) ) );
		Shop::$products[11] = new FakeProduct( array( 'id' => 11, 'parent_id' => 10, 'type' => 'variation', 'name' => 'AI Credits - Large' ) );
		$rows = product_rows( array( 11, 11, 0, 99 ) );
		$this->assertSame( array( 11, 10 ), array_column( $rows, 'id' ), 'a variation and its parent, each once; what is gone is left out' );
		$this->assertSame( array(), $rows[0]['categories'] );
		$this->assertSame( array( 'id', 'parent_id', 'sku', 'name', 'categories', 'meta_data', 'permalink', 'price', 'status' ), array_keys( $rows[1] ) );
		$this->assertSame( array( array( 'id' => 17, 'name' => 'Bundles', 'slug' => 'bundles' ) ), $rows[1]['categories'] );
		$this->assertSame( array( array( 'key' => '_nivella_credits', 'value' => '1000' ), array( 'key' => '_nivella_kind', 'value' => 'paid' ) ), $rows[1]['meta_data'], 'only ours, and texts as in REST' );
	}

	public function test_an_order_body_gets_its_facts(): void {
		is_lane_delivering( true );
		$told = body_begun();
		$body = add_facts( array( 'id' => 14, 'status' => 'processing', 'line_items' => array( array( 'product_id' => 10, 'variation_id' => 0 ) ), 'refunds' => array() ), 'order', 14, 0 );
		$this->assertSame( array( 'version', 'told_at', 'refunds', 'products', 'categories' ), array_keys( $body['nivella'] ) );
		$this->assertSame( $told, $body['nivella']['told_at'], 'the moment before anything was read' );
		$this->assertSame( 'processing', $body['status'] );
	}

	/** Two web servers whose clocks differ, or one whose clock is set back: what is told later says so. */
	public function test_what_is_told_later_is_later_whatever_the_clocks_say(): void {
		$ahead = gmdate( 'Y-m-d\TH:i:s', time() + 600 ) . '.999999Z';
		World::$options['nivella_credit_wallet_told'] = $ahead;
		carry_one( 'gone', 14, shop(), 2.0 );
		carry_one( 'categories', 0, shop(), 2.0 );
		$told = array( $ahead );
		foreach ( World::$requests as list( , $args ) ) {
			$told[] = json_decode( $args['body'], true )['nivella']['told_at'];
		}
		$this->assertCount( 3, $told );
		$sorted = array_unique( $told );
		sort( $sorted );
		$this->assertSame( $sorted, $told, 'each later than the one before' );
		$this->assertSame( gmdate( 'Y-m-d\TH:i:s', time() + 601 ) . '.000000Z', $told[1], 'and by no more than it must be' );
		$this->assertFalse( World::$autoload['nivella_credit_wallet_told'] );

		// A clock that was years ahead is not followed for years: the daemon does not believe it either.
		World::$options['nivella_credit_wallet_told'] = '2036-01-01T00:00:00.000000Z';
		$this->assertLessThan( gmdate( 'Y-m-d\TH:i:s\Z', time() + 60 ), body_begun() );
		foreach ( array( 'zzzz', array(), 7, "{$ahead}x" ) as $spoiled ) {
			World::$options['nivella_credit_wallet_told'] = $spoiled;
			$this->assertMatchesRegularExpression( '/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/D', body_begun() );
		}
	}

	/** @dataProvider bodies_without */
	public function test_some_bodies_get_none( $body, string $resource ): void {
		is_lane_delivering( true );
		$this->assertSame( $body, add_facts( $body, $resource, 14, 0 ) );
	}

	public function bodies_without(): array {
		return array(
			array( array( 'id' => 14 ), 'order' ),
			array( array( 'code' => 'woocommerce_rest_cannot_view', 'message' => 'no', 'data' => array( 'status' => 403 ) ), 'order' ),
			array( array( 'id' => 14, 'email' => 'a@b.c', 'role' => 'x' ), 'customer' ),
			array( null, 'order' ),
		);
	}

	/** Deliveries to others carry what they always carried. */
	public function test_others_get_nothing_of_it(): void {
		$body = array( 'id' => 14, 'status' => 'x', 'line_items' => array() );
		$this->assertSame( $body, add_facts( $body, 'order', 14, 0 ) );
	}

	private function gone( int $id ): array {
		return array( 'kind' => 'order', 'id' => $id, 'sure' => true );
	}

	private function delivered(): array {
		return array_map(
			static function ( $request ) {
				return json_decode( $request[1]['body'], true )['id'];
			},
			World::$requests
		);
	}

	private function answers( $answer ): void {
		World::$daemon = static function () use ( $answer ) {
			return $answer;
		};
	}
}
