<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ wallet_view, rendered };

/**
 * The real templates with feeds that mean no good.
 */
final class TemplateTest extends TestCase {

	/** Text that must come out of a template harmless. */
	public const PAYLOADS = array(
		'<script>alert(1)</script>',
		'"><script>alert(1)</script>',
		"'><script>alert(1)</script>",
		'</title><script>alert(1)</script>',
		'</textarea><script>alert(1)</script>',
		'</style><script>alert(1)</script>',
		'<img src=x onerror=alert(1)>',
		'"><img src=x onerror=alert(1)>',
		'<svg onload=alert(1)>',
		'<svg><script>alert(1)</script></svg>',
		'" onmouseover="alert(1)',
		"' onmouseover='alert(1)",
		'" autofocus onfocus="alert(1)" x="',
		'<iframe src="javascript:alert(1)">',
		'<a href="javascript:alert(1)">x</a>',
		'<body onload=alert(1)>',
		'<details open ontoggle=alert(1)>',
		'<math><mtext></mtext><script>alert(1)</script>',
		'<!--<script>alert(1)</script>-->',
		'--><script>alert(1)</script>',
		']]><script>alert(1)</script>',
		'<?php echo 1; ?><script>alert(1)</script>',
		'<scr<script>ipt>alert(1)</script>',
		"<scr\0ipt>alert(1)</script>",
		"<\u{200B}script>alert(1)</script>",
		"\u{202E}<script>alert(1)</script>",
		'<input autofocus onfocus=alert(1)>',
		'<style>@import "x"</style>',
		'<link rel=stylesheet href=//x>',
		'<meta http-equiv=refresh content="0;url=//x">',
		'<base href=//x>',
		'<form action=//x><button>x</button>',
		'<object data=//x>',
		'<embed src=//x>',
		'<template><script>alert(1)</script></template>',
		"<x\nonclick=alert(1)>",
		'%3Cscript%3Ealert(1)%3C/script%3E<b>',
		'\"><script>alert(1)</script>',
		'${alert(1)}<b>',
		'{{constructor.constructor("alert(1)")()}}<b>',
	);

	protected function setUp(): void {
		World::fresh();
	}

	/**
	 * Each payload in each text field: nothing in the page is markup that was not there for a harmless feed.
	 *
	 * @dataProvider feeds
	 */
	public function test_no_text_becomes_markup( string $name ): void {
		$harmless = $this->shape( $this->page( $this->poisoned( $name, 'harmless' ) ) );
		$this->assertGreaterThan( 300, count( $harmless ) );
		foreach ( self::PAYLOADS as $payload ) {
			$page = $this->page( $this->poisoned( $name, $payload ) );
			$this->assertSame( $harmless, $this->shape( $page ), $payload );
			$this->assertStringContainsString( '&lt;', $page . ( false === strpos( $payload, '<' ) ? '&lt;' : '' ) );
			$this->assertStringNotContainsString( 'SECRET', $page );
		}
	}

	public function feeds(): array {
		return array( array( 'normal' ), array( 'low' ), array( 'critical' ), array( 'frozen' ), array( 'account-agency' ) );
	}

	/** The test above can fail: a page in which one payload got through has another shape. */
	public function test_would_notice(): void {
		$page = $this->page( $this->poisoned( 'normal', 'harmless' ) );
		foreach ( array( '<b>', '<script>alert(1)</script>', '<i onclick="x">' ) as $markup ) {
			$this->assertNotSame( $this->shape( $page ), $this->shape( preg_replace( '/harmless/', $markup, $page, 1 ) ) );
		}
	}

	/** @dataProvider hostile_addresses */
	public function test_no_address_runs( string $url ): void {
		$feed          = json_decode( feed( 'normal' ), true );
		$feed['links'] = array( 'top_up' => $url, 'docs' => $url );
		foreach ( $feed['packages'] as &$package ) {
			$package['url'] = $url;
		}
		$page = $this->page( $feed );
		$this->assertStringNotContainsString( 'data-nivella="top-up"', $page );
		$this->assertStringNotContainsString( 'data-nivella="package-link"', $page );
		$this->assertStringNotContainsString( 'data-nivella="docs"', $page );
		$this->assertStringContainsString( 'data-nivella="package"', $page );
	}

	public function hostile_addresses(): array {
		return array_map(
			static function ( string $url ) {
				return array( $url );
			},
			array( 'javascript:alert(1)', 'JaVaScRiPt:alert(1)', "java\nscript:alert(1)", "\x01javascript:alert(1)", 'data:text/html,<script>alert(1)</script>', 'vbscript:x', 'file:///etc/passwd', '//evil.example', 'https://a"onclick="alert(1)', "https://a'onclick='alert(1)", 'https://a><script>', 'https://user:pass@evil.example', 'blob:https://a/b', 'about:blank', '' )
		);
	}

	public function test_shows_the_answer_first(): void {
		$page = $this->page( json_decode( feed( 'normal' ), true ) );
		$this->assertMatchesRegularExpression( '#data-nivella="balance" data-nivella-value="1250"><bdi>1,250<#', $page );
		$this->assertStringContainsString( 'The next 500 AI Credits arrive on 2026-12-01.', $page );
		$this->assertLessThan( strpos( $page, 'data-nivella="chart"' ), strpos( $page, 'data-nivella="renewal"' ) );
		$this->assertStringContainsString( '300 AI Credits expire on 2026-12-01, 00:00', $page );
		$this->assertSame( 30, substr_count( $page, 'nivella-chart-bar' ) );
		$this->assertSame( 3, substr_count( $page, 'data-nivella="package-link"' ) );
		$this->assertSame( 20, substr_count( $page, 'data-nivella="history-row"' ) );
		$this->assertStringNotContainsString( 'name="nivella_site"', $page );
		$this->assertStringContainsString( 'name="nivella_site"', $this->page( json_decode( feed( 'account-agency' ), true ) ) );
	}

	public function test_rounds_what_is_left_down_and_what_was_used_up(): void {
		$page = $this->page( json_decode( feed( 'low' ), true ) );
		$this->assertStringContainsString( '>180.45<', $page );
		$this->assertStringContainsString( '>1,819.55<', $page );
		$this->assertStringContainsString( 'data-nivella="note-low"', $page );
	}

	/** @dataProvider ids */
	public function test_ids_are_unique_and_exist( string $name ): void {
		$page = $this->page( json_decode( feed( $name ), true ) );
		preg_match_all( '/\sid="([^"]*)"/', $page, $ids );
		$this->assertSame( $ids[1], array_values( array_unique( $ids[1] ) ) );
		preg_match_all( '/\s(?:for|aria-labelledby|aria-describedby)="([^"]*)"/', $page, $used );
		foreach ( explode( ' ', implode( ' ', $used[1] ) ) as $id ) {
			$this->assertContains( $id, $ids[1] );
		}
	}

	public function ids(): array {
		return array( array( 'normal' ), array( 'empty' ), array( 'account-agency' ) );
	}

	/** A feed with `$text` in every field that holds a person's words. */
	private function poisoned( string $name, string $text ): array {
		$feed            = json_decode( feed( $name ), true );
		$feed['unit']    = $text;
		$feed['account'] = array( 'id' => $text, 'name' => $text );
		if ( isset( $feed['site'] ) ) {
			$feed['site'] = array( 'id' => $text, 'label' => $text, 'client' => $text );
		}
		foreach ( array( 'breakdown' => array( 'label', 'order' ), 'activity' => array( 'label', 'order', 'site' ), 'expiring' => array( 'label' ), 'packages' => array( 'name' ), 'alerts' => array( 'level' ) ) as $list => $fields ) {
			foreach ( $feed[ $list ] as $i => $row ) {
				foreach ( $fields as $field ) {
					$feed[ $list ][ $i ][ $field ] = $text;
				}
			}
		}
		foreach ( $feed['breakdown'] as $i => $slice ) {
			if ( isset( $slice['site'] ) ) {
				$feed['breakdown'][ $i ]['site'] = $text . $i;
			}
		}
		foreach ( $feed['packages'] as $i => $package ) {
			$feed['packages'][ $i ]['price_html'] = '$1 ' . htmlspecialchars( $text );
		}
		foreach ( $feed['usage']['by_action'] as $i => $action ) {
			$feed['usage']['by_action'][ $i ]['action'] = $text;
		}
		$feed['model'] = $feed['activity'][0]['provider'] = 'SECRET';
		return $feed;
	}

	/** The page a feed makes. */
	private function page( array $feed ): string {
		static $key = 0;
		// Another key each time, so that nothing is remembered.
		World::connect( '', 'nwk_0123456789abcdef' . ++$key );
		World::$capabilities = array( 'manage_options' );
		World::$daemon       = static function ( string $url ) use ( $feed ) {
			return false !== strpos( $url, '/activity' )
				? answer( 200, json_encode( array( 'items' => $feed['activity'], 'next_cursor' => 'next' ) ) )
				: answer( 200, json_encode( $feed, JSON_INVALID_UTF8_SUBSTITUTE ), array( 'etag' => '"1"' ) );
		};
		$view = wallet_view( 'me', array( 'url' => 'https://site.example/wp-admin/admin.php?page=x', 'customer' => 0, 'is_staff' => true, 'is_admin' => true, 'request' => array() ) );
		return rendered( 'wallet', $view );
	}

	/** Tags with the names of their attributes, as a browser reads them: what has changed when text became markup. */
	public static function shape( string $page ): array {
		$document = new DOMDocument();
		$document->loadHTML( '<?xml encoding="utf-8"?><!DOCTYPE html>' . $page, LIBXML_NOERROR | LIBXML_NONET );
		$shape = array();
		foreach ( ( new DOMXPath( $document ) )->query( '//*|//comment()|//processing-instruction()' ) as $node ) {
			$names = array();
			foreach ( $node->attributes ?? array() as $attribute ) {
				$names[] = $attribute->name;
			}
			$shape[] = $node->nodeName . ' ' . implode( ' ', $names );
		}
		return $shape;
	}
}
