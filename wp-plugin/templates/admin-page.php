<?php
/**
 * The page AI Credits on a customer's site.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ wallet: array }.
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="wrap nivella-wrap">
	<h1><?php esc_html_e( 'AI Credits', 'nivella-credit-wallet' ); ?></h1>
	<hr class="wp-header-end">
	<?php \Nivella\CreditWallet\show( 'wallet', $view['wallet'] ); ?>
</div>
