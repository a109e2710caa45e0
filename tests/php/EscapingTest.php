<?php

use PHPUnit\Framework\TestCase;

/**
 * Every template escapes whatever it prints, at the moment it prints it.
 */
final class EscapingTest extends TestCase {

	/** What may stand right after `echo`, around all that is printed. */
	private const ESCAPES = array( 'esc_html', 'esc_attr', 'esc_url' );

	/** What may stand there in a text that is no HTML: an entity in it would be read as it stands. */
	private const PLAIN = array( 'wp_strip_all_tags', 'esc_url_raw' );

	/** Other functions that print, and escape by themselves; `views`, `search_box` and `display` are those of WordPress's tables, whose cells are templates. */
	private const PRINTERS = array( 'views', 'search_box', 'display', 'esc_html_e', 'esc_attr_e', 'selected', 'wp_referer_field', 'settings_errors', 'checked', 'settings_fields', 'do_settings_sections', 'submit_button', '__', 'show' );

	/** Allowed in a template, but no escape. */
	private const HARMLESS = array( 'do_action', 'apply_filters', 'get_option', 'wpautop', 'wptexturize' );

	/** @dataProvider templates */
	public function test_a_template_escapes( string $file ): void {
		$this->assertSame( array(), self::faults( file_get_contents( $file ), self::escapes_of( $file ) ) );
	}

	public function templates(): array {
		$files = array_merge( glob( PLUGIN . '/templates/*.php' ), glob( PLUGIN . '/templates/*/*.php' ), glob( PLUGIN . '/templates/*/*/*.php' ) );
		return array_combine( $files, array_map( null, $files, $files ) );
	}

	/** The functions that make what is printed harmless in this file: plain text has its own, e-mails a few of WordPress's more. */
	private static function escapes_of( string $file ): array {
		if ( preg_match( '#/plain/|-plain\.php$#', $file ) ) {
			return array_merge( self::PLAIN, array( 'do_action', 'apply_filters', 'get_option', 'wptexturize' ) );
		}
		// What a shop writes below its e-mails may have links and paragraphs; headers and footers are WooCommerce's.
		return false === strpos( $file, '/emails/' ) ? self::ESCAPES : array_merge( self::ESCAPES, array( 'wp_kses_post', 'do_action', 'wpautop', 'wptexturize' ) );
	}

	public function test_only_templates_print(): void {
		foreach ( array_merge( glob( PLUGIN . '/includes/*.php' ), glob( PLUGIN . '/includes/*/*.php' ) ) as $file ) {
			foreach ( token_get_all( file_get_contents( $file ) ) as $token ) {
				$this->assertNotContains( is_array( $token ) ? $token[0] : null, array( T_ECHO, T_PRINT, T_INLINE_HTML, T_OPEN_TAG_WITH_ECHO ), basename( $file ) . ' prints' );
			}
		}
	}

	/** @dataProvider careless */
	public function test_notices_a_careless_template( string $code ): void {
		$this->assertNotSame( array(), self::faults( $code ) );
	}

	public function careless(): array {
		return array(
			array( '<?php echo $a;' ),
			array( '<?= esc_html( $a ) ?>' ),
			array( '<?php echo esc_html( $a ) . $b;' ),
			array( '<?php echo $a . esc_html( $b );' ),
			array( '<?php echo esc_html( $a ), $b;' ),
			array( '<?php echo ( esc_html( $a ) );' ),
			array( '<?php echo my\esc_html( $a );' ),
			array( '<?php echo "<b>{$a}</b>";' ),
			array( '<?php print $a;' ),
			array( '<?php printf( "%s", $a );' ),
			array( '<?php echo esc_html( $a ) ?: $b ?>' ),
			array( '<?php _e( "a" );' ),
			array( '<?php include $a;' ),
			array( '<?php eval( $a );' ),
			array( '<?php call_user_func( $a );' ),
			array( '<?php $f( $a );' ),
			array( '<?php echo $_GET["a"];' ),
			array( '<?php if ( $_GET["a"] ) {}' ),
		);
	}

	/**
	 * What is wrong with a template.
	 *
	 * @return list<string>
	 */
	private static function faults( string $code, array $escapes = self::ESCAPES ): array {
		$faults = array();
		$tokens = array_values(
			array_filter(
				token_get_all( $code ),
				static function ( $token ) {
					return ! is_array( $token ) || ! in_array( $token[0], array( T_WHITESPACE, T_COMMENT, T_DOC_COMMENT ), true );
				}
			)
		);
		foreach ( $tokens as $i => $token ) {
			$kind = is_array( $token ) ? $token[0] : null;
			$text = is_array( $token ) ? $token[1] : $token;
			$next = $tokens[ $i + 1 ] ?? ';';
			$line = is_array( $token ) ? " on line {$token[2]}" : '';
			if ( in_array( $kind, array( T_OPEN_TAG_WITH_ECHO, T_PRINT, T_INCLUDE, T_INCLUDE_ONCE, T_REQUIRE, T_REQUIRE_ONCE, T_EVAL, T_FUNCTION, T_FN, T_NEW ), true ) ) {
				$faults[] = trim( $text ) . $line;
			}
			if ( T_ECHO === $kind && ! self::echoes_escaped( $tokens, $i + 1, array_diff( $escapes, self::HARMLESS ) ) ) {
				$faults[] = "echo{$line}";
			}
			if ( T_VARIABLE === $kind && ( '_' === $text[1] || '$GLOBALS' === $text || '(' === $next ) ) {
				$faults[] = $text . $line;
			}
			if ( '(' === $next && in_array( $kind, array( T_STRING, defined( 'T_NAME_FULLY_QUALIFIED' ) ? T_NAME_FULLY_QUALIFIED : null ), true ) ) {
				$name = ltrim( (string) strrchr( '\\' . $text, '\\' ), '\\' );
				if ( ! in_array( $name, array_merge( $escapes, self::PRINTERS, array( 'defined' ) ), true ) ) {
					$faults[] = $name . $line;
				}
			}
		}
		return $faults;
	}

	/** Whether what follows is calls of escaping functions and texts without anything in them, and nothing else. */
	private static function echoes_escaped( array $tokens, int $i, array $escapes ): bool {
		while ( true ) {
			$first = $tokens[ $i ] ?? null;
			if ( is_array( $first ) && T_CONSTANT_ENCAPSED_STRING === $first[0] && ! in_array( 'esc_html', $escapes, true ) ) {
				$i++;
			} elseif ( is_array( $first ) && T_STRING === $first[0] && in_array( $first[1], $escapes, true ) && '(' === ( $tokens[ $i + 1 ] ?? null ) ) {
				$depth = 0;
				do {
					$i++;
					$depth += '(' === ( $tokens[ $i ] ?? ')' ) ? 1 : ( ')' === ( $tokens[ $i ] ?? ')' ) ? -1 : 0 );
				} while ( $depth > 0 );
				$i++;
			} else {
				return false;
			}
			$after = $tokens[ $i ] ?? ';';
			// Only plain text is printed piece by piece.
			if ( ',' !== $after || in_array( 'esc_html', $escapes, true ) ) {
				return ';' === $after || ( is_array( $after ) && T_CLOSE_TAG === $after[0] );
			}
			$i++;
		}
	}
}
