<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ parse_feed, parse_activity, parse_problem, is_web_address };

final class FeedTest extends TestCase {

	/** @dataProvider good */
	public function test_reads_a_feed( string $name ): void {
		$feed = parse_feed( feed( $name ) );
		$this->assertIsArray( $feed, is_wp_error( $feed ) ? $feed->get_error_message() : '' );
		$this->assertIsString( $feed['available'] );
		$this->assertIsInt( $feed['as_of'] );
	}

	public function good(): array {
		return array_map(
			static function ( string $file ) {
				return array( basename( $file, '.json' ) );
			},
			glob( FEEDS . '/*.json' )
		);
	}

	/** @dataProvider lying */
	public function test_refuses_a_feed_that_lies( string $name ): void {
		$error = parse_feed( feed( "lying/{$name}" ) );
		$this->assertTrue( is_wp_error( $error ), 'it was believed' );
		$this->assertSame( 'nivella_feed', $error->get_error_code() );
		$this->assertStringNotContainsString( '<', $error->get_error_message() );
	}

	public function lying(): array {
		return array_map(
			static function ( string $file ) {
				return array( basename( $file, '.json' ) );
			},
			glob( FEEDS . '/lying/*.json' )
		);
	}

	public function test_reads_what_is_there(): void {
		$feed = parse_feed( feed( 'normal' ) );
		$this->assertSame( '1250', $feed['available'] );
		$this->assertSame( gmmktime( 16, 0, 0, 11, 20, 2026 ), $feed['as_of'] );
		$this->assertSame( gmmktime( 0, 0, 0, 12, 1, 2026 ), $feed['recurring']['renews_at'] );
		$this->assertCount( 30, $feed['usage']['by_day'] );
		$this->assertSame( array( 'now' => '$40.00', 'was' => '' ), $feed['packages'][0]['price'] );
		$this->assertSame( array( 'now' => '$170.00', 'was' => '$200.00' ), $feed['packages'][1]['price'] );
		$this->assertSame( 'https://shop.example/product/ai-credits-1000/', $feed['packages'][0]['url'] );
	}

	public function test_drops_what_nobody_asked_for(): void {
		$this->assertStringNotContainsString( 'SECRET', json_encode( parse_feed( feed( 'hostile' ) ) ) );
	}

	/** Every field, one after the other, replaced by every kind of wrong value: refused or harmless, never a PHP error. */
	public function test_survives_any_single_wrong_field(): void {
		$wrong   = array( null, true, -1, 1.5, PHP_INT_MAX, '', 'x', str_repeat( 'y', 100000 ), array(), array( 'a' => array( 'b' ) ), array( array() ), array( 1, 2 ), "\u{202E}evil", '1e5' );
		$feed    = json_decode( feed( 'account-agency' ), true ) + array( 'site' => json_decode( feed( 'normal' ), true )['site'] );
		$refused = 0;
		foreach ( $this->paths( $feed ) as $path ) {
			foreach ( $wrong as $value ) {
				$parsed = parse_feed( json_encode( $this->with( $feed, $path, $value ) ) );
				if ( is_wp_error( $parsed ) ) {
					++$refused;
				} else {
					$this->assertStringNotContainsString( "\u{202E}", json_encode( $parsed, JSON_UNESCAPED_UNICODE ) );
				}
			}
		}
		$this->assertGreaterThan( 1000, $refused );
	}

	public function test_survives_noise(): void {
		seed();
		$json = feed( 'normal' );
		for ( $i = 0; $i < 1000; $i++ ) {
			$noisy = $json;
			for ( $j = mt_rand( 1, 4 ); $j > 0; $j-- ) {
				$noisy[ mt_rand( 0, strlen( $noisy ) - 1 ) ] = chr( mt_rand( 0, 255 ) );
			}
			$feed = parse_feed( $noisy );
			$this->assertTrue( is_array( $feed ) || is_wp_error( $feed ) );
		}
		$this->assertTrue( is_wp_error( parse_feed( str_repeat( '[', 1000000 ) ) ) );
		$this->assertTrue( is_wp_error( parse_feed( '' ) ) );
	}

	/** @dataProvider prices */
	public function test_reads_a_price_as_text( string $html, array $price ): void {
		$feed                              = json_decode( feed( 'normal' ), true );
		$feed['packages'][0]['price_html'] = $html;
		$this->assertSame( $price, parse_feed( json_encode( $feed ) )['packages'][0]['price'] );
	}

	public function prices(): array {
		return array(
			array( '$40', array( 'now' => '$40', 'was' => '' ) ),
			array( '<span class="amount"><bdi>40,00&nbsp;<span>&euro;</span></bdi></span>', array( 'now' => '40,00 €', 'was' => '' ) ),
			array( '<span>$10</span> <span aria-hidden="true">–</span> <span>$40</span><span class="screen-reader-text">Price range: $10 through $40</span>', array( 'now' => '$10 – $40', 'was' => '' ) ),
			array( '<span>$40</span> <small class="woocommerce-price-suffix">incl. VAT</small>', array( 'now' => '$40 incl. VAT', 'was' => '' ) ),
			array( '<script>alert(1)</script>$40', array( 'now' => '$40', 'was' => '' ) ),
			array( '&lt;script&gt;', array( 'now' => '<script>', 'was' => '' ) ),
			array( '', array( 'now' => '', 'was' => '' ) ),
		);
	}

	/** @dataProvider addresses */
	public function test_only_web_addresses_become_links( string $url, bool $is_link ): void {
		$this->assertSame( $is_link, is_web_address( $url ) );
	}

	public function addresses(): array {
		return array(
			array( 'https://shop.example/a?b=c#d', true ),
			array( 'http://127.0.0.1:8080', true ),
			array( 'HTTPS://shop.example', true ),
			array( 'javascript:alert(1)', false ),
			array( "java\tscript:alert(1)", false ),
			array( 'data:text/html,x', false ),
			array( '//shop.example', false ),
			array( '/cart', false ),
			array( 'https://', false ),
			array( 'https:///path', false ),
			array( 'ftp://shop.example', false ),
			array( 'https://user:pw@shop.example', false ),
			array( 'https://shop.example/"onclick=', false ),
			array( "https://shop.example/\n", false ),
			array( ' https://shop.example', false ),
			array( '', false ),
		);
	}

	public function test_reads_a_page_of_activity(): void {
		$line = array( 'at' => '2026-11-20T16:00:00Z', 'kind' => 'usage', 'label' => 'Answered', 'credits' => '-3', 'site' => null );
		$page = parse_activity( json_encode( array( 'items' => array( $line ), 'next_cursor' => 'abc' ) ) );
		$this->assertSame( '-3', $page['items'][0]['credits'] );
		$this->assertSame( 'abc', $page['next_cursor'] );
		$this->assertNull( parse_activity( '{"items":[],"next_cursor":null}' )['next_cursor'] );
		$this->assertTrue( is_wp_error( parse_activity( '{"items":[],"next_cursor":7}' ) ) );
		$this->assertTrue( is_wp_error( parse_activity( '{"items":{"a":{}}}' ) ) );
	}

	public function test_reads_a_problem(): void {
		$this->assertSame( 'not_found', parse_problem( '{"code":"not_found","title":"Not found"}' )['code'] );
		$this->assertNull( parse_problem( '<html>' ) );
		$this->assertNull( parse_problem( '[]' ) );
	}

	/** All paths of a nested array, inner nodes too. */
	private function paths( array $array, array $prefix = array() ): array {
		$paths = array();
		foreach ( $array as $key => $value ) {
			if ( is_int( $key ) && $key > 1 ) {
				continue;
			}
			$path    = array_merge( $prefix, array( $key ) );
			$paths[] = $path;
			if ( is_array( $value ) ) {
				$paths = array_merge( $paths, $this->paths( $value, $path ) );
			}
		}
		return $paths;
	}

	private function with( array $array, array $path, $value ): array {
		$at = &$array;
		foreach ( $path as $key ) {
			$at = &$at[ $key ];
		}
		$at = $value;
		return $array;
	}
}
