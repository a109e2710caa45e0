<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ claim, claim_token, order_claim_token, order_claim_url, exchange_claim, claim_link_view, rendered, show_claim_after_checkout, show_claim_in_email };

/**
 * A guest's credits become a customer's: with the daemon's token, or with the shop's own for an order.
 */
final class ClaimTest extends TestCase {

	private const TOKEN = 'acc_01a1fa67730b778aa2ec748e9839efc7.1797897600000.-HfUyf0hK';

	protected function setUp(): void {
		World::fresh();
		People::fresh();
		World::connect( 'lab' );
		World::$user   = 2;
		World::$daemon = static function ( $url, $args ) {
			return strpos( $url, 'claim-link' ) ? answer( 201, json_encode( array( 'token' => self::TOKEN, 'expires_at' => '2026-12-21T10:00:00Z' ) ) ) : answer( 200, json_encode( array( 'credits' => '1000' ) ) );
		};
	}

	public function test_a_token_of_the_daemon_is_passed_on_for_who_is_logged_in(): void {
		$this->assertTrue( claim( self::TOKEN, 2, 'a' )['ok'] );
		list( $url, $args ) = World::$requests[0];
		$this->assertSame( 'https://wallet.example/v1/claims', $url );
		$this->assertSame( array( 'token' => self::TOKEN, 'account' => 'lab:customer:2' ), json_decode( $args['body'], true ) );
		claim( self::TOKEN, 2, 'a' );
		$this->assertSame( $args['headers']['Idempotency-Key'], World::$requests[1][1]['headers']['Idempotency-Key'], 'pressed twice' );
		foreach ( array( array( 3, 'a' ), array( 2, 'b' ) ) as $i => $other ) {
			claim( self::TOKEN, ...$other );
			$this->assertNotSame( $args['headers']['Idempotency-Key'], World::$requests[ 2 + $i ][1]['headers']['Idempotency-Key'], 'another customer, another day' );
		}
	}

	public function test_the_shop_s_own_token_is_exchanged(): void {
		$order = $this->order();
		$this->assertTrue( claim( order_claim_token( $order, time() + 60 ), 2, 'a' )['ok'] );
		$this->assertSame( 'https://wallet.example/v1/accounts/lab%3Aemail%3Aguest%40example.com/claim-link', World::$requests[0][0] );
		$this->assertSame( self::TOKEN, json_decode( World::$requests[1][1]['body'], true )['token'] );
	}

	public function test_nobody_else_can_write_such_a_token(): void {
		$order = $this->order();
		$right = order_claim_token( $order, time() + 60 );
		$later = preg_replace( '/^(order\.\d+)\.\d+/', '$1.' . ( time() + 90000 ), $right );
		foreach ( array( $later, preg_replace( '/27/', '28', $right, 1 ), substr( $right, 0, -1 ) . '0x', 'order.27', 'order.27.99999999999.' . str_repeat( 'a', 40 ), '' ) as $forged ) {
			$this->assertSame( 'invalid_request', claim( $forged, 2, 'a' )['code'], $forged );
		}
		$order->email = 'other@example.com';
		$this->assertSame( 'invalid_request', claim( $right, 2, 'a' )['code'], 'the address was changed' );
		$this->assertSame( array(), World::$requests );
	}

	public function test_says_why_not(): void {
		$order = $this->order();
		$this->assertSame( 'claim_expired', claim( order_claim_token( $order, time() - 1 ), 2, 'a' )['code'] );
		$order->customer = 5;
		$this->assertSame( 'not_guest', claim( order_claim_token( $order, time() + 60 ), 2, 'a' )['code'] );
		$order->customer = 0;

		$refuse = static function ( $answer ) {
			World::$daemon = static function () use ( $answer ) {
				return $answer;
			};
		};
		$refuse( problem( 404, 'not_found' ) );
		$early = claim( order_claim_token( $order, time() + 60 ), 2, 'a' );
		$this->assertSame( array( 'not_there', true ), array( $early['code'], $early['again'] ) );
		$texts = array();
		foreach ( array( 'already_claimed' => 409, 'claim_expired' => 410, 'invalid_request' => 422, 'frozen' => 423, 'holds_open' => 409 ) as $code => $status ) {
			$refuse( problem( $status, $code ) );
			$result = claim( self::TOKEN, 2, 'a' );
			$this->assertSame( $code, $result['code'] );
			$texts[] = $result['text'];
		}
		$this->assertCount( 5, array_unique( $texts ) );
		$refuse( new WP_Error( 'http_request_failed', 'cURL error 7' ) );
		$result = claim( self::TOKEN, 2, 'a' );
		$this->assertSame( array( 'unreachable', true, false ), array( $result['code'], $result['again'], $result['ok'] ) );
	}

	public function test_the_link_is_for_paid_orders_of_guests_with_credits(): void {
		$order = $this->order();
		$this->assertStringContainsString( 'nivella_claim=order.27.', order_claim_url( $order ) );
		$this->assertSame( array(), World::$requests, 'no mail waits for anybody' );
		foreach ( array( 'customer' => 5, 'paid' => false, 'email' => '', 'lines' => array( new WC_Order_Item_Product( '' ) ) ) as $what => $value ) {
			$other        = $this->order();
			$other->$what = $value;
			$this->assertSame( '', order_claim_url( $other ), $what );
		}
		World::connect();
		$this->assertSame( '', order_claim_url( $order ), 'no shop' );
	}

	/**
	 * The link opens all that was bought with an address. Who buys something small with somebody else's address sees the page
	 * after checkout and not the mail.
	 */
	public function test_only_the_mail_has_the_link(): void {
		World::$user = 0;
		$order       = $this->order();
		ob_start();
		show_claim_after_checkout( 27 );
		$page = ob_get_clean();
		$this->assertStringContainsString( 'e-mail about this order', $page );
		$this->assertStringNotContainsString( 'nivella_claim', $page );
		$this->assertStringNotContainsString( 'order.27', $page );
		ob_start();
		show_claim_in_email( $order, true );
		$this->assertSame( '', ob_get_clean(), 'not to the shop either' );
		show_claim_in_email( $order );
		$this->assertStringContainsString( 'nivella_claim=order.27.', $this->getActualOutput() );
		$this->expectOutputRegex( '/./' );
	}

	public function test_plain_text_has_no_entities(): void {
		$text = rendered( 'email-claim-plain', claim_link_view( 'https://shop.example/my-account/?a=1&nivella_claim=x' ) );
		$this->assertStringContainsString( 'https://shop.example/my-account/?a=1&nivella_claim=x', $text );
		$this->assertDoesNotMatchRegularExpression( '/&#?\w+;/', $text );
	}

	public function test_takes_only_what_can_be_a_token(): void {
		foreach ( array( null, array( 'x' ), '', 'short', "acc_1234567890\n", '<script>alert(1)</script>', str_repeat( 'a', 300 ) ) as $no ) {
			$this->assertSame( "acc_1234567890\n" === $no ? 'acc_1234567890' : '', claim_token( $no ) );
		}
		$this->assertSame( self::TOKEN, claim_token( self::TOKEN ) );
	}

	private function order(): WC_Order {
		$order             = new WC_Order();
		$order->lines      = array( new WC_Order_Item_Product( '1000' ) );
		People::$orders[27] = $order;
		if ( class_exists( 'Shop' ) ) {
			Shop::$orders[27] = $order;
		}
		return $order;
	}
}
