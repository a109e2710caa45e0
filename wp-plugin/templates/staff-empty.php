<?php
/**
 * A list without rows.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ text: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<span data-nivella="empty"><?php echo esc_html( $view['text'] ); ?></span>
