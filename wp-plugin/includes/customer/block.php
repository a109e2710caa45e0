<?php
/**
 * The wallet as a piece of a page: the block and the shortcode, in three sizes.
 *
 * Neither takes anything that could name a wallet: it is always the visitor's own, or on a customer's site the site's, for its
 * staff.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** The sizes: everything, the balance, a line with a bar. */
const BLOCK_VIEWS = array( 'full', 'balance', 'bar' );

/**
 * Makes the block known.
 */
function register_block(): void {
	register_style();
	register_block_type(
		dirname( FILE ) . '/blocks/credit-wallet',
		array( 'render_callback' => __NAMESPACE__ . '\\render_block' )
	);
	wp_set_script_translations( 'nivella-credit-wallet-editor-script', 'nivella-credit-wallet', dirname( FILE ) . '/languages' );
}

/**
 * The block, for whoever looks at it.
 *
 * @param mixed $attributes What the editor saved.
 */
function render_block( $attributes ): string {
	$view = is_array( $attributes ) ? ( $attributes['view'] ?? '' ) : '';
	$html = wallet_piece( is_string( $view ) ? $view : '' );
	return '' === $html ? '' : sprintf( '<div %1$s>%2$s</div>', get_block_wrapper_attributes(), $html );
}

/**
 * The wallet in one of the sizes; '' for somebody who may see none.
 *
 * @param string $size One of `BLOCK_VIEWS`; anything else is the whole.
 */
function wallet_piece( string $size ): string {
	if ( ! is_connected() || ( ! is_shop() && ! is_staff() ) ) {
		return '';
	}
	wp_enqueue_style( STYLE );
	$here = (string) get_permalink();
	if ( ! is_user_logged_in() ) {
		return rendered( 'login', array( 'url' => wp_login_url( $here ) ) );
	}
	if ( ! defined( 'DONOTCACHEPAGE' ) ) {
		// What one visitor may see is not for the next one.
		define( 'DONOTCACHEPAGE', true );
	}
	$url = '' === $here ? home_url( '/' ) : $here;
	if ( 'full' === $size || ! in_array( $size, BLOCK_VIEWS, true ) ) {
		return rendered( 'wallet', own_wallet_view( $url ) );
	}
	return rendered( "block-{$size}", small_wallet_view( is_shop() ? customer_wallet_path( get_current_user_id() ) : OWN_WALLET, own_page( $url ) ) );
}

/**
 * What the small sizes show: one question to the wallet service, none for the history.
 *
 * @param string $path The wallet's path.
 * @param array  $page See `wallet_view()`.
 */
function small_wallet_view( string $path, array $page ): array {
	$wallet = wallet( $path );
	$feed   = $wallet['feed'];
	return wallet_frame( $wallet, $page ) + array(
		'status'  => $feed['status'] ?? '',
		'unit'    => $feed['unit'] ?? '',
		'whose'   => null === $feed ? '' : wallet_owner( $feed ),
		'balance' => null === $feed ? null : balance_view( $feed, $wallet ),
		'docs'    => $feed['links']['docs'] ?? null,
		'open'    => is_shop() ? account_page_url() : admin_page_url(),
	);
}
