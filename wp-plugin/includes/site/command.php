<?php
/**
 * Makes `wp nivella` known where there is WP-CLI.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Adds the command.
 */
function register_command(): void {
	require_once __DIR__ . '/class-command.php';
	\WP_CLI::add_command( 'nivella', Command::class );
}
