<?php
/**
 * What the editor's script needs, as WordPress asks for it.
 *
 * @package Nivella\CreditWallet
 */

defined( 'ABSPATH' ) || exit;

return array(
	'dependencies' => array( 'wp-blocks', 'wp-block-editor', 'wp-components', 'wp-element', 'wp-i18n', 'wp-server-side-render' ),
	'version'      => '0.1.0',
);
