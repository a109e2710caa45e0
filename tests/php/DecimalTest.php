<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ is_decimal, decimal_is_zero, decimal_is_negative, decimal_compare, decimal_add, decimal_round, decimal_group, show_available, show_cost, show_change };

final class DecimalTest extends TestCase {

	/** @dataProvider rounded */
	public function test_rounds_exactly( string $amount, string $available, string $cost ): void {
		$this->assertSame( $available, decimal_round( $amount, 2, false ) );
		$this->assertSame( $cost, decimal_round( $amount, 2, true ) );
	}

	public function rounded(): array {
		return array(
			array( '0', '0', '0' ),
			array( '1250', '1250', '1250' ),
			array( '0.5', '0.5', '0.5' ),
			array( '0.000001', '0', '0.01' ),
			array( '0.009999', '0', '0.01' ),
			array( '0.01', '0.01', '0.01' ),
			array( '0.010001', '0.01', '0.02' ),
			array( '3.333333', '3.33', '3.34' ),
			array( '9.999999', '9.99', '10' ),
			array( '999.995', '999.99', '1000' ),
			array( '1.10', '1.1', '1.1' ),
			array( '9223372036854.775807', '9223372036854.77', '9223372036854.78' ),
			array( '9999999999999.999999', '9999999999999.99', '10000000000000' ),
			array( '-3.333333', '-3.33', '-3.34' ),
			array( '-0.000001', '0', '-0.01' ),
		);
	}

	/** @dataProvider shown */
	public function test_shows_what_a_person_expects( string $how, string $amount, string $text ): void {
		$this->assertSame( $text, ( 'Nivella\CreditWallet\show_' . $how )( $amount ) );
	}

	public function shown(): array {
		return array(
			array( 'available', '1250', '1,250' ),
			array( 'available', '180.456789', '180.45' ),
			array( 'available', '999', '999' ),
			array( 'available', '1000000.5', '1,000,000.5' ),
			array( 'cost', '1819.543211', '1,819.55' ),
			array( 'cost', '-2.555', "\u{2212}2.55" ),
			array( 'change', '+1000', '+1,000' ),
			array( 'change', '1000.009', '+1,000' ),
			array( 'change', '-3', "\u{2212}3" ),
			array( 'change', '-3.001', "\u{2212}3.01" ),
			array( 'change', '-0', '0' ),
		);
	}

	public function test_groups_in_other_languages(): void {
		$this->assertSame( '1.234.567,89', decimal_group( '1234567.89', ',', '.' ) );
		$this->assertSame( "1\u{202F}234,5", decimal_group( '1234.5', ',', "\u{202F}" ) );
		$this->assertSame( '1&nbsp;234', decimal_group( '1234', ',', '&nbsp;' ) );
		$this->assertSame( '123', decimal_group( '123', ',', '.' ) );
	}

	/** @dataProvider not_decimals */
	public function test_refuses_what_is_no_decimal( $value ): void {
		$this->assertFalse( is_decimal( $value ) );
		$this->assertFalse( is_decimal( $value, true ) && ! in_array( $value, array( '+1', '-1' ), true ) );
	}

	public function not_decimals(): array {
		return array_map(
			static function ( $value ) {
				return array( $value );
			},
			array( '', ' 1', '1 ', "1\n", '01', '1.', '.5', '1.1234567', '1e3', '0x10', '1,000', '١', '--1', '+-1', '+1', '-1', '12345678901234', 'NaN', 'INF', 1, 1.5, true, null, array() )
		);
	}

	public function test_agrees_with_integers(): void {
		seed();
		for ( $i = 0; $i < 5000; $i++ ) {
			$a = mt_rand( 0, 10 ** mt_rand( 1, 15 ) );
			$b = mt_rand( 0, 1 ) ? mt_rand( 0, 10 ** mt_rand( 1, 15 ) ) : $a;
			$this->assertSame( $a <=> $b, decimal_compare( $this->decimal( $a ), $this->decimal( $b ) ), "{$a} {$b}" );
			$this->assertSame( $b <=> $a, decimal_compare( '-' . $this->decimal( $a ), '-' . $this->decimal( $b ) ), "-{$a} -{$b}" );
			$this->assertSame( $this->decimal( $a + $b ), decimal_add( $this->decimal( $a ), $this->decimal( $b ) ) );
			$this->assertSame( $this->decimal( intdiv( $a, 10000 ) * 10000 ), decimal_round( $this->decimal( $a ), 2, false ) );
			$this->assertSame( $this->decimal( intdiv( $a + 9999, 10000 ) * 10000 ), decimal_round( $this->decimal( $a ), 2, true ) );
		}
	}

	public function test_zero_has_no_sign(): void {
		foreach ( array( '0', '-0', '+0', '0.000000', '-0.0' ) as $zero ) {
			$this->assertTrue( decimal_is_zero( $zero ) );
			$this->assertFalse( decimal_is_negative( $zero ) );
			$this->assertSame( 0, decimal_compare( $zero, '0' ) );
		}
		$this->assertFalse( decimal_is_zero( '0.000001' ) );
		$this->assertTrue( decimal_is_negative( '-0.000001' ) );
		$this->assertSame( -1, decimal_compare( '-5', '3' ) );
		$this->assertSame( 1, decimal_compare( '10', '9' ) );
	}

	/** Millionths as a decimal, without a float. */
	private function decimal( int $micro ): string {
		$fraction = rtrim( sprintf( '%06d', $micro % 1000000 ), '0' );
		return intdiv( $micro, 1000000 ) . ( '' === $fraction ? '' : ".{$fraction}" );
	}
}
