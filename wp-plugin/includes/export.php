<?php
/**
 * The history as a CSV file.
 *
 * The daemon writes it, oldest first; here it is read row by row, reduced to the columns a customer may see and written
 * again so that no cell is taken for a formula. Neither side is ever held in memory as a whole.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const EXPORT_ACTION = 'nivella_credit_wallet_csv';

/** A download may take longer than a page. */
const EXPORT_WAIT_S = 30;

/** About half a million lines. */
const EXPORT_BYTES_MAX = 67108864;

/** The columns a customer may see. */
const EXPORT_COLUMNS = array( 'at', 'kind', 'label', 'credits', 'site', 'order' );

/**
 * The address of the download.
 *
 * @param array $page  See `wallet_view()`.
 * @param array $asked Filters, encoded.
 */
function export_url( array $page, array $asked ): string {
	$whose = array_filter(
		array(
			'customer' => (string) $page['customer'],
			'account'  => $page['account'] ?? '',
		)
	);
	return add_query_arg(
		$asked + array( 'action' => EXPORT_ACTION ) + $whose + array(
			'_wpnonce' => wp_create_nonce( nonce_name( EXPORT_ACTION, whose_page( $page ) ) ),
		),
		admin_url( 'admin-post.php' )
	);
}

/**
 * Sends the file.
 */
function handle_export(): void {
	$target = target_of_act( EXPORT_ACTION );
	// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- target_of_act() has checked it.
	$filter = history_filter( $_GET );
	$from   = wp_tempnam( 'nivella-credit-wallet' );
	$answer = ask(
		"/v1/wallets/{$target['path']}/activity",
		array( 'cursor' => '' ) + history_query( $filter ),
		array( 'Accept' => 'text/csv' ),
		array(
			'timeout'             => EXPORT_WAIT_S,
			'stream'              => true,
			'filename'            => $from,
			'limit_response_size' => EXPORT_BYTES_MAX,
		)
	);

	$problem = export_problem( $answer, (int) filesize( $from ) );
	// phpcs:disable WordPress.WP.AlternativeFunctions -- A temporary file, and the output itself.
	$source = '' === $problem ? fopen( $from, 'r' ) : false;
	if ( false === $source ) {
		unlink( $from );
		wp_die( esc_html( $problem ), '', array( 'response' => 502, 'back_link' => true ) );
	}

	// The temporary file is removed even when the download is broken off.
	ignore_user_abort( true );
	nocache_headers();
	header( 'Content-Type: text/csv; charset=utf-8' );
	header( 'X-Content-Type-Options: nosniff' );
	header( 'Content-Disposition: attachment; filename="' . export_name( $filter ) . '"' );
	$out = fopen( 'php://output', 'w' );
	copy_csv( $source, $out );
	fclose( $out );
	fclose( $source );
	unlink( $from );
	// phpcs:enable
	exit;
}

/**
 * Why there is no file to send, or ''.
 *
 * @param array|\WP_Error $answer From `ask()`.
 * @param int             $size   How much of it was received.
 */
function export_problem( $answer, int $size ): string {
	if ( is_wp_error( $answer ) ) {
		$why = explain( $answer );
		return is_staff() ? "{$why['reason']} {$why['remedy']}" : __( 'The history cannot be downloaded just now. Please try again in a minute.', 'nivella-credit-wallet' );
	}
	if ( $size >= EXPORT_BYTES_MAX ) {
		return __( 'The history is too long for one file. Please choose fewer days.', 'nivella-credit-wallet' );
	}
	if ( 0 !== stripos( $answer['type'], 'text/csv' ) ) {
		return __( 'The history cannot be downloaded just now. Please try again in a minute.', 'nivella-credit-wallet' );
	}
	return '';
}

/**
 * What the file is called.
 *
 * @param array $filter From `history_filter()`.
 */
function export_name( array $filter ): string {
	return implode( '-', array_diff( array( 'credit-history', $filter['kind'], $filter['from'], $filter['to'] ), array( '' ) ) ) . '.csv';
}

/**
 * Copies CSV, only the columns a customer may see.
 *
 * @param resource $source Where it comes from, with a heading.
 * @param resource $out    Where it goes.
 */
function copy_csv( $source, $out ): void {
	$names   = fgetcsv( $source, 0, ',', '"', '' );
	$columns = array();
	foreach ( is_array( $names ) ? $names : array() as $i => $name ) {
		if ( in_array( $name, EXPORT_COLUMNS, true ) ) {
			$columns[ $i ] = $name;
		}
	}
	// phpcs:disable WordPress.WP.AlternativeFunctions -- A stream, not a file of the site.
	fwrite( $out, csv_line( $columns ) );
	$row = fgetcsv( $source, 0, ',', '"', '' );
	while ( is_array( $row ) ) {
		if ( array( null ) !== $row ) {
			$cells = array();
			foreach ( $columns as $i => $name ) {
				$cells[] = (string) ( $row[ $i ] ?? '' );
			}
			fwrite( $out, csv_line( $cells ) );
		}
		$row = fgetcsv( $source, 0, ',', '"', '' );
	}
	// phpcs:enable
}

/**
 * A line of CSV in which no cell is a formula.
 *
 * @param string[] $cells The cells.
 */
function csv_line( array $cells ): string {
	$quoted = array();
	foreach ( $cells as $cell ) {
		$cell     = harmless_cell( $cell );
		$quoted[] = preg_match( '/[",\r\n]/', $cell ) ? '"' . str_replace( '"', '""', $cell ) . '"' : $cell;
	}
	return implode( ',', $quoted ) . "\r\n";
}

/**
 * A cell that a spreadsheet shows and does not run. Amounts keep their sign.
 *
 * @param string $cell Any text.
 */
function harmless_cell( string $cell ): string {
	// Full-width signs are taken for plain ones in some languages; what comes after white space still counts.
	return ! is_decimal( $cell, true ) && preg_match( '/^[\s\x00-\x20]*(?:[=+\-@|%\t\r\n]|\xEF\xBC[\x8B\x8D\x9D]|\xEF\xBC\xA0)/', $cell ) ? "'" . $cell : $cell;
}
