<?php

use PHPUnit\Framework\TestCase;

/**
 * The plugin's words in other languages. When one of these fails after words were changed: run `scripts/translations`,
 * and write what it says is missing into languages/*.po.
 */
final class TranslationTest extends TestCase {

	private const LANGUAGES = PLUGIN . '/languages/nivella-credit-wallet';

	/** The functions whose first argument is to be translated. */
	private const GETTEXT = array( '__', '_e', '_x', '_n', '_nx', 'esc_html__', 'esc_html_e', 'esc_html_x', 'esc_attr__', 'esc_attr_e', 'esc_attr_x' );

	public function languages(): array {
		return array(
			'German' => array( 'de_DE' ),
			'French' => array( 'fr_FR' ),
		);
	}

	public function test_the_template_has_every_word_of_the_code(): void {
		$known = array();
		foreach ( self::po( self::LANGUAGES . '.pot' ) as $entry ) {
			$known[ $entry['msgid'] ] = true;
		}
		$seen = 0;
		foreach ( self::files( 'php' ) as $file ) {
			$tokens = array_values(
				array_filter(
					token_get_all( file_get_contents( $file ) ),
					static function ( $token ) {
						return ! is_array( $token ) || ! in_array( $token[0], array( T_WHITESPACE, T_COMMENT, T_DOC_COMMENT ), true );
					}
				)
			);
			foreach ( $tokens as $i => $token ) {
				if ( ! is_array( $token ) || T_STRING !== $token[0] || ! in_array( $token[1], self::GETTEXT, true ) || '(' !== ( $tokens[ $i + 1 ] ?? '' ) ) {
					continue;
				}
				$this->assertSame( T_CONSTANT_ENCAPSED_STRING, $tokens[ $i + 2 ][0], basename( $file ) . ' translates something that is not a plain string' );
				$word = stripslashes( substr( $tokens[ $i + 2 ][1], 1, -1 ) );
				$this->assertArrayHasKey( $word, $known, basename( $file ) . ': run scripts/translations' );
				++$seen;
			}
		}
		preg_match_all( "/\\b__\\( '((?:[^'\\\\\\\\]|\\\\\\\\.)+)', 'nivella-credit-wallet' \\)/", implode( array_map( 'file_get_contents', self::files( 'js' ) ) ), $words );
		$this->assertNotEmpty( $words[1] );
		foreach ( $words[1] as $word ) {
			$this->assertArrayHasKey( stripslashes( $word ), $known, 'run scripts/translations' );
		}
		$this->assertGreaterThan( 700, $seen );
	}

	/**
	 * @dataProvider languages
	 */
	public function test_every_string_is_translated( string $locale ): void {
		$translated = self::po( self::LANGUAGES . "-{$locale}.po" );
		$template   = self::po( self::LANGUAGES . '.pot' );
		$this->assertSame( array(), array_values( array_diff( array_keys( $template ), array_keys( $translated ) ) ), 'run scripts/translations' );
		$this->assertSame( array(), array_values( array_diff( array_keys( $translated ), array_keys( $template ) ) ), 'words that are gone' );
		foreach ( $translated as $entry ) {
			$this->assertFalse( $entry['fuzzy'], "{$entry['msgid']} is only guessed" );
			$this->assertCount( isset( $entry['msgid_plural'] ) ? 2 : 1, $entry['msgstr'], $entry['msgid'] );
			foreach ( $entry['msgstr'] as $text ) {
				$this->assertNotSame( '', $text, $entry['msgid'] );
				if ( str_word_count( $entry['msgid'] ) > 3 ) {
					$this->assertNotSame( $entry['msgid'], $text, 'still English' );
				}
			}
		}
	}

	/**
	 * @dataProvider languages
	 */
	public function test_translations_fit_where_they_stand( string $locale ): void {
		foreach ( self::po( self::LANGUAGES . "-{$locale}.po" ) as $entry ) {
			foreach ( $entry['msgstr'] as $text ) {
				$source = $entry['msgid_plural'] ?? $entry['msgid'];
				$this->assertSame( self::placeholders( $source ), self::placeholders( $text ), $text );
				$this->assertSame( trim( $text ), $text, 'space at an end' );
				$this->assertSame( $entry['msgid'], trim( $entry['msgid'] ), 'space at an end' );
				$this->assertSame( $text, strip_tags( $text ), 'no HTML' );
				$this->assertDoesNotMatchRegularExpression( '/&[a-z#]|\s{2}/i', $text );
				// A label stays a label and a sentence a sentence. In French a no-break space comes before a colon.
				$this->assertSame( ':' === substr( $source, -1 ), ':' === substr( $text, -1 ), $text );
				$this->assertSame( 1 === preg_match( '/[.!?]$/', $source ), 1 === preg_match( '/[.!?]$/', $text ), $text );
				foreach ( array( 'nivella-wallet', 'nwk_', 'https://', 'wp-config.php', '--moved', 'site:SITE' ) as $name ) {
					$this->assertSame( substr_count( $source, $name ), substr_count( $text, $name ), "{$name}: {$text}" );
				}
			}
		}
	}

	/**
	 * @dataProvider languages
	 */
	public function test_what_wordpress_reads_is_what_translators_wrote( string $locale ): void {
		$written = array();
		foreach ( self::po( self::LANGUAGES . "-{$locale}.po" ) as $key => $entry ) {
			$written[ $key ] = $entry['msgstr'];
		}
		$read = self::mo( self::LANGUAGES . "-{$locale}.mo" );
		$head = $read['']['0'] ?? '';
		unset( $read[''] );
		ksort( $written );
		ksort( $read );
		$this->assertSame( $written, $read, 'run scripts/translations' );
		$this->assertStringContainsString( 'charset=UTF-8', $head );
		$this->assertStringContainsString( 'nplurals=2;', $head );
	}

	/**
	 * @dataProvider languages
	 */
	public function test_scripts_have_their_words( string $locale ): void {
		$translated = self::po( self::LANGUAGES . "-{$locale}.po" );
		// WordPress looks for a script's words under the hash of its path in the plugin.
		$script = 'blocks/credit-wallet/editor.js';
		$json   = json_decode( file_get_contents( self::LANGUAGES . "-{$locale}-" . md5( $script ) . '.json' ), true );
		$words  = $json['locale_data']['messages'];
		$this->assertSame( $script, $json['source'] );
		preg_match_all( "/\\b__\\( '([^']+)', 'nivella-credit-wallet' \\)/", file_get_contents( PLUGIN . "/{$script}" ), $asked );
		$this->assertGreaterThan( 6, count( $asked[1] ) );
		foreach ( $asked[1] as $word ) {
			$this->assertSame( $translated[ $word ]['msgstr'], $words[ $word ] ?? null, $word );
		}
		$this->assertCount( 1, glob( self::LANGUAGES . "-{$locale}-*.json" ), 'one file for the one script with words' );
	}

	public function test_the_block_has_its_words(): void {
		$template = self::po( self::LANGUAGES . '.pot' );
		$block    = json_decode( file_get_contents( PLUGIN . '/blocks/credit-wallet/block.json' ), true );
		$this->assertArrayHasKey( "block title\4{$block['title']}", $template );
		$this->assertArrayHasKey( "block description\4{$block['description']}", $template );
		foreach ( $block['keywords'] as $word ) {
			$this->assertArrayHasKey( "block keyword\4{$word}", $template );
		}
	}

	public function test_it_finds_what_is_wrong(): void {
		$this->assertSame( array( '%1$s', '%2$s' ), self::placeholders( 'a %2$s, %1$s' ) );
		$this->assertSame( array( '%s' ), self::placeholders( '%s at 100%' ) );
		$this->assertNotSame( self::placeholders( '%1$s' ), self::placeholders( '%1$d' ) );
		$this->assertSame( array( '{unit}' ), self::placeholders( 'no {unit} left' ) );
	}

	/**
	 * What is filled in, in order.
	 */
	private static function placeholders( string $text ): array {
		preg_match_all( '/%(?:\d+\$)?[sdf]|\{\w+\}/', $text, $found );
		sort( $found[0] );
		return $found[0];
	}

	/**
	 * The plugin's files of one kind.
	 */
	private static function files( string $kind ): array {
		$files = array();
		foreach ( new RecursiveIteratorIterator( new RecursiveDirectoryIterator( PLUGIN, FilesystemIterator::SKIP_DOTS ) ) as $file ) {
			if ( $kind === $file->getExtension() ) {
				$files[] = $file->getPathname();
			}
		}
		sort( $files );
		return $files;
	}

	/**
	 * The entries of a .po or .pot, by context and words as WordPress joins them.
	 */
	private static function po( string $file ): array {
		$entries = array();
		foreach ( preg_split( '/\n\n+/', trim( file_get_contents( $file ) ) ) as $block ) {
			$entry = array( 'fuzzy' => 1 === preg_match( '/^#,.*fuzzy/m', $block ) );
			$field = null;
			foreach ( explode( "\n", $block ) as $line ) {
				if ( '#' === $line[0] ) {
					continue;
				}
				if ( ! preg_match( '/^(?:(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d)\])? )?"(.*)"$/', $line, $part ) ) {
					throw new RuntimeException( basename( $file ) . ": {$line}" );
				}
				$text  = stripcslashes( $part[3] );
				$field = '' === $part[1] ? $field : array( $part[1], (int) $part[2] );
				if ( 'msgstr' === $field[0] ) {
					$entry['msgstr'][ $field[1] ] = ( $entry['msgstr'][ $field[1] ] ?? '' ) . $text;
				} else {
					$entry[ $field[0] ] = ( $entry[ $field[0] ] ?? '' ) . $text;
				}
			}
			if ( '' !== ( $entry['msgid'] ?? '' ) ) {
				$key = ( isset( $entry['msgctxt'] ) ? $entry['msgctxt'] . "\4" : '' ) . $entry['msgid'];
				if ( isset( $entries[ $key ] ) ) {
					throw new RuntimeException( basename( $file ) . " has {$key} twice" );
				}
				$entries[ $key ] = $entry;
			}
		}
		return $entries;
	}

	/**
	 * The entries of a .mo, as gettext defines the format.
	 */
	private static function mo( string $file ): array {
		$bytes = file_get_contents( $file );
		list( , $magic, $version, $count, $sources, $texts ) = array_values( array( 0 ) + unpack( 'V5', $bytes ) );
		if ( 0x950412de !== $magic || 0 !== $version ) {
			throw new RuntimeException( basename( $file ) . ' is no .mo' );
		}
		$at      = static function ( int $table, int $i ) use ( $bytes ): string {
			list( $length, $offset ) = array_values( unpack( 'V2', $bytes, $table + 8 * $i ) );
			return substr( $bytes, $offset, $length );
		};
		$entries = array();
		for ( $i = 0; $i < $count; $i++ ) {
			$entries[ explode( "\0", $at( $sources, $i ) )[0] ] = explode( "\0", $at( $texts, $i ) );
		}
		return $entries;
	}
}
