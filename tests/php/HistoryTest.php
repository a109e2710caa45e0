<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ history_filter, history_query, history, parse_feed, csv_line, harmless_cell, copy_csv, ask };

final class HistoryTest extends TestCase {

	protected function setUp(): void {
		World::fresh();
		World::connect();
	}

	public function test_takes_only_what_it_knows(): void {
		$none = array( 'kind' => '', 'site' => '', 'from' => '', 'to' => '', 'cursor' => '' );
		$this->assertSame( $none, history_filter( array() ) );
		$this->assertSame(
			$none,
			history_filter( array( 'nivella_kind' => 'theft', 'nivella_site' => '../x', 'nivella_from' => '2026-02-30', 'nivella_to' => '20 Nov', 'nivella_cursor' => "a\nb", 'wallet' => 'site:other', 'customer' => '2' ) )
		);
		$this->assertSame( $none, history_filter( array( 'nivella_kind' => array( 'usage' ), 'nivella_cursor' => array( array() ) ) ) );
		$this->assertSame(
			array( 'kind' => 'usage', 'site' => 'site-123', 'from' => '2026-11-01', 'to' => '2026-11-30', 'cursor' => 'abc_-=' ),
			history_filter( array( 'nivella_kind' => 'usage', 'nivella_site' => 'site-123', 'nivella_from' => '2026-11-01', 'nivella_to' => '2026-11-30', 'nivella_cursor' => 'abc_-=' ) )
		);
	}

	public function test_days_are_the_site_s_days(): void {
		World::$timezone = 'Europe/Berlin';
		$query           = history_query( history_filter( array( 'nivella_from' => '2026-03-29', 'nivella_to' => '2026-03-29' ) ) );
		// The day the clocks go forward has 23 hours.
		$this->assertSame( '2026-03-28T23:00:00Z', $query['from'] );
		$this->assertSame( '2026-03-29T22:00:00Z', $query['to'] );
	}

	public function test_asks_for_what_was_filtered(): void {
		World::$daemon = static function () {
			return answer( 200, '{"items":[],"next_cursor":null}' );
		};
		$wallet        = array( 'feed' => parse_feed( feed( 'normal' ) ), 'error' => null );
		$page          = history( 'me', $wallet, history_filter( array( 'nivella_kind' => 'usage', 'nivella_from' => '2026-11-01' ) ) );
		$this->assertSame( array( 'items' => array(), 'next_cursor' => null, 'problem' => '' ), $page );
		$this->assertSame( 'https://wallet.example/v1/wallets/me/activity?kind=usage&from=2026-11-01T00%3A00%3A00Z&limit=20', World::$requests[0][0] );
	}

	public function test_without_the_daemon_the_feed_s_lines_stand_in(): void {
		World::$daemon = static function () {
			return problem( 503, 'try_again' );
		};
		$wallet        = array( 'feed' => parse_feed( feed( 'normal' ) ), 'error' => null );
		$this->assertCount( 20, history( 'me', $wallet, history_filter( array() ) )['items'] );
		$filtered = history( 'me', $wallet, history_filter( array( 'nivella_kind' => 'usage' ) ) );
		$this->assertSame( array(), $filtered['items'], 'unfiltered lines would be a lie' );
		$this->assertNotSame( '', $filtered['problem'] );
	}

	/** @dataProvider cells */
	public function test_no_cell_is_a_formula( string $cell, string $harmless ): void {
		$this->assertSame( $harmless, harmless_cell( $cell ) );
	}

	public function cells(): array {
		return array(
			array( '+1000', '+1000' ),
			array( '-3.5', '-3.5' ),
			array( 'Answered 3 questions', 'Answered 3 questions' ),
			array( '2026-11-20T16:00:00Z', '2026-11-20T16:00:00Z' ),
			array( '', '' ),
			array( '=1+1', "'=1+1" ),
			array( '+cmd|calc', "'+cmd|calc" ),
			array( '-2+3', "'-2+3" ),
			array( '@SUM(A1)', "'@SUM(A1)" ),
			array( "\t=1", "'\t=1" ),
			array( "\r=1", "'\r=1" ),
			array( ' =1', "' =1" ),
			array( '|calc', "'|calc" ),
			array( '＝1+1', "'＝1+1" ),
			array( '+1e9', "'+1e9" ),
		);
	}

	public function test_quotes_as_csv_does(): void {
		$this->assertSame( "a,\"b \"\"c\"\"\",\"d,e\",\"f\ng\"\r\n", csv_line( array( 'a', 'b "c"', 'd,e', "f\ng" ) ) );
	}

	public function test_copies_only_known_columns(): void {
		$in  = fopen( 'php://memory', 'w+' );
		$out = fopen( 'php://memory', 'w+' );
		fwrite( $in, "at,kind,provider,label,credits,site,order\r\n2026-11-20T16:00:00Z,usage,SECRET,\"=HYPERLINK(\"\"x\"\")\",-3,site-123,\r\n\r\nshort\r\n" );
		rewind( $in );
		copy_csv( $in, $out );
		rewind( $out );
		$this->assertSame( "at,kind,label,credits,site,order\r\n2026-11-20T16:00:00Z,usage,\"'=HYPERLINK(\"\"x\"\")\",-3,site-123,\r\nshort,,,,,\r\n", stream_get_contents( $out ) );
	}

	public function test_a_download_that_fails_still_says_why(): void {
		World::$daemon = static function ( $url, $args ) {
			file_put_contents( $args['filename'], '{"code":"unauthorized"}' );
			return answer( 401, '' );
		};
		$file          = tempnam( sys_get_temp_dir(), 'csv' );
		$error         = ask( '/v1/wallets/me/activity', array(), array(), array( 'timeout' => 5, 'stream' => true, 'filename' => $file ) );
		unlink( $file );
		$this->assertSame( 'nivella_unauthorized', $error->get_error_code() );
	}
}
