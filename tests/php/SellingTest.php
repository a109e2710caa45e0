<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ clean_credits, clean_validity, clean_kind, promise_of, promise_text, read_product_fields, stamp_promise, product_fields_view, sent_site, site_problem, check_site, account_sites, remembered_sites, read_site_list, buyer_account, is_site_id, top_up_cart_url, sanitize_selling_settings, site_field_mode, asks_for_site, add_variation_promise, order_meta_value, add_cart_item_data, tokens_categories, stamp_cart_line };

/**
 * What a product promises, and for which website it can be bought.
 */
final class SellingTest extends TestCase {

	private const NONE = array(
		'credits'  => '',
		'validity' => '',
		'kind'     => '',
	);

	protected function setUp(): void {
		World::fresh();
		World::connect( 'lab' );
	}

	/** @dataProvider credits */
	public function test_credits_are_exact_or_nothing( $typed, string $credits ): void {
		$this->assertSame( $credits, clean_credits( $typed ) );
	}

	public function credits(): array {
		return array(
			array( '1000', '1000' ),
			array( ' 1000.50 ', '1000.5' ),
			array( '0.000001', '0.000001' ),
			array( '1000000000000', '1000000000000' ),
			array( 250, '250' ),
			array( '1000000000000.000001', '' ),
			array( '1000000000001', '' ),
			array( '0', '' ),
			array( '0.000000', '' ),
			array( '0.0000001', '' ),
			array( '-5', '' ),
			array( '+5', '' ),
			array( '1e3', '' ),
			array( '1,000', '' ),
			array( '007', '' ),
			array( "5\n6", '' ),
			array( 0.1, '' ),
			array( '', '' ),
			array( null, '' ),
			array( array( '5' ), '' ),
		);
	}

	/** @dataProvider validities */
	public function test_a_validity_is_one_the_wallet_service_knows( $typed, string $validity ): void {
		$this->assertSame( $validity, clean_validity( $typed ) );
	}

	public function validities(): array {
		return array(
			array( 'never', 'never' ),
			array( 'cycle', 'cycle' ),
			array( ' 30D ', '30d' ),
			array( '030d', '30d' ),
			array( '36500d', '36500d' ),
			array( '1200mo', '1200mo' ),
			array( '100y', '100y' ),
			array( '36501d', '' ),
			array( '1201mo', '' ),
			array( '101y', '' ),
			array( '0d', '' ),
			array( '-1d', '' ),
			array( '1.5y', '' ),
			array( '30', '' ),
			array( '30 d', '' ),
			array( '3m', '' ),
			array( 'forever', '' ),
			array( "30d\n", '30d' ),
			array( 30, '' ),
			array( null, '' ),
		);
	}

	public function test_a_kind_is_one_of_three(): void {
		$this->assertSame( array( 'paid', 'bonus', 'recurring', '', '', '' ), array_map( 'Nivella\CreditWallet\clean_kind', array( 'paid', 'bonus', 'recurring', 'free', '', null ) ) );
	}

	/** @dataProvider promises */
	public function test_says_what_is_promised( string $credits, string $validity, int $quantity, string $text ): void {
		$this->assertSame( $text, promise_text( array( 'credits' => $credits, 'validity' => $validity, 'kind' => '' ), $quantity ) );
	}

	public function promises(): array {
		return array(
			array( '1000', '30d', 1, '1,000 AI Credits, valid for 30 days' ),
			array( '1000', '1d', 1, '1,000 AI Credits, valid for 1 day' ),
			array( '0.5', '3mo', 1, '0.5 AI Credits, valid for 3 months' ),
			array( '1000', '1y', 3, '3 × 1,000 AI Credits, valid for 1 year' ),
			array( '1000', 'never', 1, '1,000 AI Credits, no expiry date' ),
			array( '1000', 'cycle', 1, '1,000 AI Credits, valid until the end of the billing period' ),
			array( '1000', '', 1, '1,000 AI Credits' ),
			array( '', '30d', 1, '' ),
		);
	}

	public function test_credits_are_called_what_the_shop_calls_them(): void {
		World::$options['nivella_credit_wallet_shop'] = array( 'unit' => 'Sparks' );
		$this->assertSame( '5 Sparks', promise_text( array( 'credits' => '5', 'validity' => '', 'kind' => '' ) ) );
		World::$options['nivella_credit_wallet_shop'] = array( 'unit' => array() );
		$this->assertSame( '5 AI Credits', promise_text( array( 'credits' => '5', 'validity' => '', 'kind' => '' ) ) );
	}

	public function test_a_variation_takes_from_its_product_what_it_does_not_say(): void {
		Sold::put( 10, new WC_Product( 10, 0, array( '_nivella_credits' => '500', '_nivella_validity' => '30d', '_nivella_kind' => 'bonus' ) ) );
		$this->assertSame( array( 'credits' => '6000', 'validity' => '30d', 'kind' => 'bonus' ), promise_of( new WC_Product( 11, 10, array( '_nivella_credits' => '6000' ) ) ) );
		$this->assertSame( array( 'credits' => '500', 'validity' => 'never', 'kind' => 'bonus' ), promise_of( new WC_Product( 12, 10, array( '_nivella_credits' => 'lots', '_nivella_validity' => 'never' ) ) ) );
		$this->assertSame( self::NONE, promise_of( new WC_Product( 13, 99 ) ), 'a parent that is gone' );
	}

	public function test_a_line_is_stamped_once_and_keeps_what_it_says(): void {
		$product = new WC_Product( 10, 0, array( '_nivella_credits' => '1000', '_nivella_validity' => '30d' ) );

		$line = new SoldLine( $product );
		$this->assertTrue( stamp_promise( $line ) );
		$this->assertSame( array( '_nivella_credits' => '1000', '_nivella_validity' => '30d' ), $line->meta );

		$product->update_meta_data( '_nivella_credits', '5' );
		$this->assertFalse( stamp_promise( $line ) );
		$this->assertSame( '1000', $line->get_meta( '_nivella_credits' ) );

		$said = new SoldLine( $product, array( '_nivella_validity' => '7d' ) );
		stamp_promise( $said );
		$this->assertSame( array( '_nivella_validity' => '7d', '_nivella_credits' => '5' ), $said->meta );
	}

	/** Of some variations WooCommerce takes any attribute that is posted, and writes it on the line under its own name. */
	public function test_a_customer_promises_themselves_nothing(): void {
		$shirt  = new WC_Product( 5 );
		$posted = array( 'attribute_size' => 'L', 'attribute__nivella_credits' => '999999', 'attribute__nivella_attribute_kind' => 'paid', 'attribute__Nivella Site ID' => 'bob-site' );
		$line   = new SoldLine( $shirt, array( 'size' => 'L', '_nivella_credits' => '999999', '_nivella_kind' => 'paid', '_Nivella Site ID' => 'bob-site', '_nivella_validity' => '30d' ) );
		stamp_cart_line( $line, 'k', array( 'data' => $shirt, 'variation' => $posted ) );
		$this->assertSame( array( 'size' => 'L', '_nivella_validity' => '30d' ), $line->meta, 'what another plugin said stays' );

		$pack = Sold::put( 6, new WC_Product( 6, 0, array( '_nivella_credits' => '1000' ) ) );
		$line = new SoldLine( $pack, array( '_nivella_credits' => '999999' ) );
		stamp_cart_line( $line, 'k', array( 'data' => $pack, 'variation' => $posted ) );
		$this->assertSame( '1000', $line->meta['_nivella_credits'], 'the product promises' );
		foreach ( array( null, 'x', array( 7 ) ) as $odd ) {
			stamp_cart_line( $line, 'k', array( 'data' => $pack, 'variation' => $odd ) );
			$this->assertSame( '1000', $line->meta['_nivella_credits'] );
		}
	}

	public function test_nothing_is_stamped_where_nothing_is_promised(): void {
		$product = new WC_Product( 10, 0, array( '_nivella_credits' => '1000' ) );
		foreach ( array( new SoldLine( new WC_Product( 12 ) ), new SoldLine( false ), new SoldLine( new WC_Product( 14, 0, array( '_nivella_validity' => '30d' ) ) ), new SoldLine( $product, array(), -1 ) ) as $line ) {
			$this->assertFalse( stamp_promise( $line ) );
			$this->assertSame( array(), $line->meta );
		}
		$refund = new SoldLine( $product, array( '_refunded_item_id' => '7' ) );
		$this->assertFalse( stamp_promise( $refund ) );
		$this->assertSame( array( '_refunded_item_id' => '7' ), $refund->meta );
	}

	/** @dataProvider typed */
	public function test_fields_are_taken_or_named( array $typed, array $promise, int $problems ): void {
		$old  = array( 'credits' => '1000', 'validity' => '30d', 'kind' => 'paid' );
		$read = read_product_fields( $typed, $old );
		$this->assertSame( $promise + $old, $read['promise'] + $old );
		$this->assertCount( $problems, $read['problems'] );
	}

	public function typed(): array {
		return array(
			array( array( 'credits' => '5', 'count' => '1', 'unit' => 'y', 'kind' => 'bonus' ), array( 'credits' => '5', 'validity' => '1y', 'kind' => 'bonus' ), 0 ),
			array( array( 'credits' => '', 'count' => '', 'unit' => '', 'kind' => '' ), self::NONE, 0 ),
			array( array( 'credits' => '5', 'count' => '9', 'unit' => 'never', 'kind' => 'paid' ), array( 'credits' => '5', 'validity' => 'never', 'kind' => 'paid' ), 0 ),
			array( array(), array( 'credits' => '1000', 'validity' => '30d', 'kind' => 'paid' ), 0 ),
			array( array( 'credits' => array( '5' ), 'unit' => array(), 'kind' => 7 ), array( 'credits' => '1000', 'validity' => '', 'kind' => 'paid' ), 0 ),
			array( array( 'credits' => 'x', 'count' => '', 'unit' => 'd', 'kind' => 'free' ), array( 'credits' => '1000', 'validity' => '30d', 'kind' => 'paid' ), 3 ),
			array( array( 'credits' => '5', 'count' => '36501', 'unit' => 'd', 'kind' => 'paid' ), array( 'credits' => '5', 'validity' => '30d', 'kind' => 'paid' ), 1 ),
			array( array( 'credits' => '5', 'count' => '1', 'unit' => 'w', 'kind' => 'paid' ), array( 'credits' => '5', 'validity' => '30d', 'kind' => 'paid' ), 1 ),
		);
	}

	public function test_a_problem_names_what_was_typed(): void {
		$problems = read_product_fields( array( 'credits' => '1,000', 'count' => '200', 'unit' => 'y', 'kind' => 'gift' ), self::NONE )['problems'];
		$this->assertStringContainsString( '"1,000"', $problems[0] );
		$this->assertStringContainsString( '"200y"', $problems[1] );
		$this->assertStringContainsString( '"gift"', $problems[2] );
	}

	public function test_a_variation_shows_what_it_would_take(): void {
		$view = product_fields_view( 'nivella_sells_variation[3]', self::NONE, array( 'credits' => '500', 'validity' => '1y', 'kind' => '' ) );
		$this->assertSame( array( '500', '', '' ), array( $view['placeholder'], $view['unit'], $view['kind'] ) );
		$this->assertSame( 'As the product (valid for 1 year)', $view['units'][''] );
		$this->assertSame( 'As the product (Bought)', $view['kinds'][''] );
		$this->assertSame( 'never', product_fields_view( 'nivella_sells', self::NONE, null )['unit'] );
		$this->assertArrayNotHasKey( '', product_fields_view( 'nivella_sells', self::NONE, null )['units'] );
	}

	public function test_the_page_of_a_product_escapes_what_the_shop_calls_its_credits(): void {
		World::$options['nivella_credit_wallet_shop'] = array( 'unit' => '<script>alert(1)</script>' );
		$variation = new WC_Product( 11, 0, array( '_nivella_credits' => '5' ) );
		$this->assertStringNotContainsString( '<script', add_variation_promise( array( 'variation_description' => '' ), null, $variation )['variation_description'] );
		$shown = add_cart_item_data( array(), array( 'data' => $variation, 'quantity' => 2, 'nivella_site' => 'shop-1' ) );
		$this->assertStringNotContainsString( '<script', $shown[0]['value'] );
		$this->assertSame( 'shop-1', $shown[1]['value'] );
		$this->assertCount( 1, add_cart_item_data( array(), array( 'data' => $variation, 'nivella_site' => '<b>' ) ), 'no id of a website' );
		$this->assertStringNotContainsString( '<script', order_meta_value( '', (object) array( 'key' => '_nivella_credits', 'value' => '5' ) ) );
	}

	public function test_a_link_puts_a_package_for_a_website_into_the_cart(): void {
		$this->assertSame( 'https://site.example/cart/?add-to-cart=10&nivella_site=shop%3A1', top_up_cart_url( 10, 'shop:1' ) );
		$this->assertSame( 'https://site.example/cart/?add-to-cart=10', top_up_cart_url( 10, '' ) );
		$this->assertSame( 'https://site.example/cart/?add-to-cart=10', top_up_cart_url( 10, 'a b&c' ) );
	}

	public function test_reads_which_website_was_meant(): void {
		$this->assertNull( sent_site( array() ) );
		$this->assertNull( sent_site( array( 'nivella_site' => array( 'x' ) ) ) );
		$this->assertSame( '', sent_site( array( 'nivella_site' => ' ' ) ) );
		$this->assertSame( 'a', sent_site( array( 'nivella_site' => ' a ', 'nivella_site_other' => 'b' ) ) );
		$this->assertSame( 'b', sent_site( array( 'nivella_site' => '*', 'nivella_site_other' => ' b ' ) ) );
		$this->assertSame( '', sent_site( array( 'nivella_site' => '*', 'nivella_site_other' => array() ) ) );
	}

	public function test_the_form_of_an_id(): void {
		foreach ( array( 'a', 'site-123', 'A.b_c:d-9', str_repeat( 'x', 128 ) ) as $good ) {
			$this->assertTrue( is_site_id( $good ), $good );
		}
		foreach ( array( '', ' a', "a\n", 'a/b', 'ä', str_repeat( 'x', 129 ), '*', null, 7, array( 'a' ) ) as $bad ) {
			$this->assertFalse( is_site_id( $bad ), json_encode( $bad ) );
		}
	}

	public function test_who_buys(): void {
		$this->assertSame( 'lab:customer:17', buyer_account( 17, 'a@b.example' ) );
		$this->assertSame( 'lab:email:guest@example.com', buyer_account( 0, ' Guest@Example.COM ' ) );
		$this->assertSame( '', buyer_account( 0 ) );
		World::connect( '' );
		$this->assertSame( '', buyer_account( 17 ) );
	}

	/** The daemon's books: websites with their owners. */
	private function books( array $owners ): void {
		World::$daemon = static function ( $url ) use ( $owners ) {
			$parts = parse_url( $url );
			parse_str( $parts['query'] ?? '', $query );
			$site = static function ( $id ) use ( $owners ) {
				return array( 'id' => (string) $id, 'label' => "Shop <b>{$id}</b>", 'account' => null === $owners[ $id ] ? null : array( 'id' => 'acc_' . $owners[ $id ], 'name' => 'Somebody' ) );
			};
			if ( '/v1/sites' === $parts['path'] ) {
				$mine = array_keys( $owners, $query['account'], true );
				return answer( 200, json_encode( array( 'items' => array_map( $site, $mine ), 'next_cursor' => null ) ) );
			}
			$id = rawurldecode( substr( $parts['path'], strlen( '/v1/sites/' ) ) );
			return array_key_exists( $id, $owners ) ? answer( 200, json_encode( $site( $id ) ) ) : problem( 404, 'not_found' );
		};
	}

	public function test_a_website_is_ones_own_new_or_somebody_elses(): void {
		$this->books( array( 't1-mine' => 'lab:customer:2', 't1-theirs' => 'lab:customer:3', 't1-nobodys' => null, '123' => 'lab:customer:2' ) );
		$verdicts = array();
		foreach ( array( 't1-mine', '123', 't1-theirs', 't1-nobodys', 't1-unknown', 'not an id' ) as $site ) {
			$verdicts[ $site ] = check_site( $site, 'lab:customer:2' );
		}
		$this->assertSame( array( 't1-mine' => 'own', '123' => 'own', 't1-theirs' => 'foreign', 't1-nobodys' => 'new', 't1-unknown' => 'new', 'not an id' => 'malformed' ), $verdicts );
		$this->assertSame( 'unchecked', check_site( 't1-theirs', '' ), 'a guest on the page of a product' );
		$this->assertSame( 'foreign', check_site( 't1-theirs', 'lab:email:guest@example.com' ) );
		$this->assertSame( array( 't1-mine' => 'Shop t1-mine', 123 => 'Shop 123' ), account_sites( 'lab:customer:2' )['sites'] );
	}

	public function test_a_refusal_says_nothing_of_the_owner(): void {
		$text = site_problem( 't1-theirs', 'foreign', false );
		$this->assertStringContainsString( '"t1-theirs"', $text );
		$this->assertStringNotContainsString( 'customer', $text );
		$this->assertSame( '', site_problem( '', 'unchecked', false ) );
		$this->assertNotSame( '', site_problem( '', 'unchecked', true ) );
		$this->assertNotSame( '', site_problem( 'a b', 'malformed', false ) );
		foreach ( array( 'own', 'new', 'unchecked' ) as $good ) {
			$this->assertSame( '', site_problem( 'a', $good, true ) );
		}
	}

	public function test_a_website_that_was_just_registered_is_ones_own(): void {
		$this->books( array() );
		account_sites( 'lab:customer:2' );
		// A while later an order has registered it.
		foreach ( World::$transients as $name => list( $kept, $ends ) ) {
			if ( false !== strpos( $name, '_sites_' ) ) {
				World::$transients[ $name ][0]['at'] = $kept['at'] - 30;
			}
		}
		$this->books( array( 't2-fresh' => 'lab:customer:2' ) );
		$this->assertSame( 'own', check_site( 't2-fresh', 'lab:customer:2' ) );
	}

	public function test_the_list_is_asked_for_once_a_minute(): void {
		$this->books( array( 't3-mine' => 'lab:customer:2' ) );
		for ( $i = 0; $i < 5; $i++ ) {
			account_sites( 'lab:customer:2' );
			check_site( 't3-mine', 'lab:customer:2' );
		}
		$this->assertCount( 1, World::$requests );
		$this->assertStringContainsString( 'account=lab%3Acustomer%3A2', World::$requests[0][0] );
	}

	/** @dataProvider failures */
	public function test_a_daemon_that_cannot_answer_stops_no_sale( callable $daemon ): void {
		World::$daemon = $daemon;
		$this->assertSame( 'unchecked', check_site( 't4-any', 'lab:customer:2' ) );
		$this->assertSame( 'malformed', check_site( 't4 any', 'lab:customer:2' ) );
		check_site( 't4-other', 'lab:customer:2' );
		check_site( 't4-other', 'lab:customer:3' );
		$this->assertCount( 1, World::$requests, 'it is left alone for a while' );
	}

	public function failures(): array {
		$says = static function ( $answer ) {
			return static function () use ( $answer ) {
				return $answer;
			};
		};
		return array(
			array( $says( new WP_Error( 'http_request_failed', 'cURL error 7: refused' ) ) ),
			array( $says( new WP_Error( 'http_request_failed', 'cURL error 28: timed out' ) ) ),
			array( $says( problem( 503, 'try_again' ) ) ),
			array( $says( problem( 401, 'unauthorized' ) ) ),
			array( $says( answer( 301, '', array( 'location' => 'https://evil.example/' ) ) ) ),
		);
	}

	/** @dataProvider nonsense */
	public function test_nonsense_is_no_list( string $json ): void {
		$this->assertInstanceOf( WP_Error::class, read_site_list( $json ) );
		World::$daemon = static function () use ( $json ) {
			return answer( 200, $json );
		};
		$this->assertSame( 'unchecked', check_site( 't5-any', 'lab:customer:2' ) );
		$this->assertSame( array(), remembered_sites( 'lab:customer:2' )['sites'] );
	}

	public function nonsense(): array {
		return array(
			array( '' ),
			array( '<html>' ),
			array( '[]' ),
			array( '{"items":"x"}' ),
			array( '{"items":[7]}' ),
			array( '{"items":[{"id":"a b","account":null}]}' ),
			array( '{"items":[{"id":"a","account":"x"}]}' ),
			array( '{"items":[{"id":"a","account":{"id":""}}]}' ),
			array( '{"items":[{"id":["a"],"account":{"id":"acc_1"}}]}' ),
		);
	}

	public function test_a_list_never_has_markup_and_ends(): void {
		$items = array();
		for ( $i = 0; $i < 300; $i++ ) {
			$items[] = array( 'id' => "s{$i}", 'label' => '<img src=x onerror=alert(1)>Shop', 'account' => array( 'id' => 'acc_1' ) );
		}
		$told = read_site_list( json_encode( array( 'items' => $items ) ) );
		$this->assertCount( 200, $told['sites'] );
		$this->assertSame( 'Shop', $told['sites']['s0'] );
	}

	public function test_whether_the_shop_asks(): void {
		$this->assertSame( 'optional', site_field_mode() );
		$this->assertTrue( asks_for_site() );
		foreach ( array( 'x', array(), array( 'site_field' => 7 ), array( 'site_field' => 'always' ) ) as $spoiled ) {
			World::$options['nivella_credit_wallet_selling'] = $spoiled;
			$this->assertSame( 'optional', site_field_mode() );
		}
		World::$options['nivella_credit_wallet_selling'] = sanitize_selling_settings( array( 'site_field' => 'required' ) );
		$this->assertSame( 'required', site_field_mode() );
		$this->assertSame( array( 'site_field' => 'required' ), sanitize_selling_settings( array( 'site_field' => 'always' ) ) );
		$this->assertSame( array( 'nivella-site_field' ), World::$settings_errors );
		$this->assertSame( array( 'site_field' => 'required' ), sanitize_selling_settings( null ) );
		World::$options['nivella_credit_wallet_selling'] = array( 'site_field' => 'hidden' );
		$this->assertFalse( asks_for_site() );
		World::connect( '' );
		World::$options['nivella_credit_wallet_selling'] = array( 'site_field' => 'required' );
		$this->assertFalse( asks_for_site(), "on a customer's site" );
	}

	public function test_the_categories_are_those_the_shop_was_paired_with(): void {
		$this->assertSame( array( 'tokens' ), tokens_categories() );
		World::$options['nivella_credit_wallet_shop'] = array( 'tokens_categories' => array( 'credits', 7, 'packs' ) );
		$this->assertSame( array( 'credits', 'packs' ), tokens_categories() );
		World::$options['nivella_credit_wallet_shop'] = array( 'tokens_categories' => 'x' );
		$this->assertSame( array( 'tokens' ), tokens_categories() );
	}
}
