<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ chart, chart_scale, divide_bar };

final class ChartTest extends TestCase {

	/** @dataProvider scales */
	public function test_scale_is_round_and_high_enough( string $most, string $top, string $middle ): void {
		$this->assertSame( array( $top, $middle ), chart_scale( $most ) );
	}

	public function scales(): array {
		return array(
			array( '0', '1', '0.5' ),
			array( '0.3', '1', '0.5' ),
			array( '1', '1', '0.5' ),
			array( '1.000001', '2', '1' ),
			array( '4', '5', '2.5' ),
			array( '7', '10', '5' ),
			array( '64', '100', '50' ),
			array( '101', '200', '100' ),
			array( '499.5', '500', '250' ),
			array( '501', '1000', '500' ),
			array( '9223372036854.775807', '10000000000000', '5000000000000' ),
		);
	}

	public function test_places_bars(): void {
		$chart = chart( array( '0', '50', '100', '-5', '0.000001' ) );
		$this->assertSame( 50, $chart['width'] );
		$this->assertSame( array( '0.00', '50.00', '100.00', '0.00', '1.00' ), array_column( $chart['bars'], 'height' ) );
		$this->assertSame( array( '100.00', '50.00', '0.00', '100.00', '99.00' ), array_column( $chart['bars'], 'y' ) );
		$this->assertSame( array( 1, 11, 21, 31, 41 ), array_column( $chart['bars'], 'x' ) );
	}

	public function test_nothing_is_a_chart_too(): void {
		$this->assertSame( array(), chart( array() )['bars'] );
		$this->assertSame( 10, chart( array() )['width'] );
	}

	public function test_lengths_do_not_follow_the_locale(): void {
		$old = setlocale( LC_ALL, '0' );
		setlocale( LC_ALL, 'de_DE.UTF-8', 'de_DE', 'fr_FR.UTF-8' );
		$this->assertSame( '33.33', divide_bar( array( '1', '2' ) )[0]['width'] );
		setlocale( LC_ALL, $old );
	}

	public function test_parts_fill_the_bar(): void {
		seed();
		for ( $i = 0; $i < 300; $i++ ) {
			$parts = array( (string) mt_rand( 0, 10 ** 9 ), (string) mt_rand( 0, 10 ), mt_rand( 1, 99 ) . '.000001' );
			$bar   = divide_bar( $parts );
			$this->assertEqualsWithDelta( 100, array_sum( array_column( $bar, 'width' ) ), 0.02 );
			$this->assertEqualsWithDelta( (float) $bar[1]['x'] + (float) $bar[1]['width'], (float) $bar[2]['x'], 0.02 );
		}
		$this->assertSame( '0.00', divide_bar( array( '0', '0' ) )[1]['width'] );
	}
}
