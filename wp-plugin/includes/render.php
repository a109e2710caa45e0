<?php
/**
 * Templates and their style.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The handle of the one stylesheet. */
const STYLE = 'nivella-credit-wallet';

/**
 * Shows a template.
 *
 * @param string $template Its name, without folder and ending; never from a request.
 * @param array  $view     What it shows. It sees nothing else.
 */
function show( string $template, array $view ): void {
	( static function ( string $file, array $view ) {
		require $file;
	} )( dirname( __DIR__ ) . "/templates/{$template}.php", $view );
}

/**
 * A template as text.
 *
 * @param string $template Its name.
 * @param array  $view     What it shows.
 */
function rendered( string $template, array $view ): string {
	ob_start();
	show( $template, $view );
	return (string) ob_get_clean();
}

/**
 * Makes the stylesheet known, so that a page can ask for it.
 */
function register_style(): void {
	wp_register_style( STYLE, plugins_url( 'assets/wallet.css', FILE ), array(), VERSION );
}

/**
 * Loads the stylesheet on the pages of wp-admin that show a wallet, and nowhere else.
 *
 * @param string $hook_suffix The page.
 */
function enqueue_admin_style( string $hook_suffix ): void {
	if ( 'index.php' === $hook_suffix || false !== strpos( $hook_suffix, PAGE ) ) {
		register_style();
		wp_enqueue_style( STYLE );
	}
}
