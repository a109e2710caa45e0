<?php
/**
 * What a product sells.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ text: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<p class="nivella-promise" data-nivella="promise"><?php echo esc_html( $view['text'] ); ?></p>
