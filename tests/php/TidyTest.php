<?php

use PHPUnit\Framework\TestCase;

/**
 * How the plugin is laid out.
 */
final class TidyTest extends TestCase {

	public function test_hooks_are_added_in_one_file(): void {
		foreach ( $this->files() as $file ) {
			if ( 'hooks.php' === basename( $file ) ) {
				continue;
			}
			foreach ( token_get_all( file_get_contents( $file ) ) as $token ) {
				if ( is_array( $token ) && T_STRING === $token[0] ) {
					$this->assertNotContains( $token[1], array( 'add_action', 'add_filter', 'register_activation_hook', 'register_deactivation_hook', 'register_uninstall_hook' ), basename( $file ) );
				}
			}
		}
	}

	public function test_every_hook_has_its_function(): void {
		$this->assertGreaterThan( 20, count( $GLOBALS['hooks'] ) );
		foreach ( $GLOBALS['hooks'] as list( $name, $callback ) ) {
			$this->assertTrue( is_callable( $callback ), "{$name}: {$callback}" );
		}
	}

	public function test_nothing_runs_when_a_file_is_read(): void {
		foreach ( $this->parts() as $file ) {
			if ( 'hooks.php' !== basename( $file ) ) {
				$this->assertMatchesRegularExpression( '/^namespace Nivella\\\\CreditWallet;$/m', file_get_contents( $file ) );
				$this->assertDoesNotMatchRegularExpression( '/^(?!defined)[a-z_\\\\]+\(/m', file_get_contents( $file ), basename( $file ) . ' calls something' );
			}
		}
	}

	public function test_no_file_can_be_asked_for_directly(): void {
		foreach ( $this->files() as $file ) {
			$this->assertMatchesRegularExpression( "/^defined\( '(ABSPATH|WP_UNINSTALL_PLUGIN)' \) \|\| exit;$/m", file_get_contents( $file ), basename( $file ) );
		}
	}

	public function test_every_file_is_loaded(): void {
		$main = file_get_contents( PLUGIN . '/nivella-credit-wallet.php' );
		foreach ( $this->parts() as $file ) {
			$part = substr( $file, strlen( PLUGIN ) );
			// A class that extends one of WordPress's or WooCommerce's is read when that one is there.
			$loaders = 0 === strpos( basename( $file ), 'class-' ) ? implode( array_map( 'file_get_contents', $this->parts() ) ) : $main;
			$this->assertStringContainsString( ( $main === $loaders ? $part : '/' . basename( $file ) ) . "'", $loaders );
		}
	}

	public function test_every_string_is_in_the_text_domain(): void {
		foreach ( $this->files() as $file ) {
			preg_match_all( '/\b(?:esc_html__|esc_attr__|esc_html_e|esc_attr_e|__|_x|_n|_e)\( .*/', file_get_contents( $file ), $calls );
			foreach ( $calls[0] as $call ) {
				$this->assertSame( substr_count( preg_replace( "/'(?:[^'\\\\]|\\\\.)*'/", "''", $call ), '(' ) > 0, true );
				$this->assertStringContainsString( "'nivella-credit-wallet' )", $call, basename( $file ) );
			}
		}
	}

	public function test_nothing_comes_from_elsewhere(): void {
		foreach ( glob( PLUGIN . '/assets/*.css' ) as $file ) {
			$css = file_get_contents( $file );
			$this->assertDoesNotMatchRegularExpression( '/url\(|@import|https?:/i', $css, basename( $file ) );
			$this->assertDoesNotMatchRegularExpression( '/[\s{;](margin|padding|border)-(left|right)|[\s{;](left|right|float):|text-align:\s*(left|right)/', $css, 'a physical direction in ' . basename( $file ) );
		}
		foreach ( glob( PLUGIN . '/assets/*.js' ) as $file ) {
			$this->assertDoesNotMatchRegularExpression( '#https?://|\beval\b|\bimport\b#', file_get_contents( $file ), basename( $file ) );
		}
		foreach ( array_merge( glob( PLUGIN . '/templates/*.php' ), glob( PLUGIN . '/templates/*/*.php' ), glob( PLUGIN . '/templates/*/*/*.php' ) ) as $file ) {
			$this->assertDoesNotMatchRegularExpression( '/<script|<style|<link|<img|<iframe|\son[a-z]+=|\sstyle=/i', file_get_contents( $file ), basename( $file ) );
		}
	}

	public function test_the_handbook_has_its_pictures_and_they_are_small(): void {
		$docs = dirname( PLUGIN ) . '/docs';
		preg_match_all( '/!\[[^\]]{20,}\]\((plugin\/[a-z-]+\.png)\)/', file_get_contents( "{$docs}/PLUGIN.md" ), $shown );
		$this->assertGreaterThan( 6, count( $shown[1] ) );
		$there = array_map( static function ( $file ) {
			return 'plugin/' . basename( $file );
		}, glob( "{$docs}/plugin/*" ) );
		sort( $shown[1] );
		$this->assertSame( $there, $shown[1] );
		foreach ( $there as $file ) {
			$this->assertLessThan( 150 * 1024, filesize( "{$docs}/{$file}" ), $file );
		}
	}

	private function files(): array {
		return array_merge( glob( PLUGIN . '/*.php' ), $this->parts(), glob( PLUGIN . '/templates/*.php' ), glob( PLUGIN . '/templates/*/*.php' ), glob( PLUGIN . '/templates/*/*/*.php' ), glob( PLUGIN . '/blocks/*/*.php' ) );
	}

	private function parts(): array {
		return array_merge( glob( PLUGIN . '/includes/*.php' ), glob( PLUGIN . '/includes/*/*.php' ) );
	}
}
