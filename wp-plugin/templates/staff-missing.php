<?php
/**
 * A wallet that is not there.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ list_url: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="wrap nivella-wrap nivella-staff">
	<h1><?php esc_html_e( 'Wallet', 'nivella-credit-wallet' ); ?></h1>
	<hr class="wp-header-end">
	<p data-nivella="missing"><?php esc_html_e( 'There is no such customer.', 'nivella-credit-wallet' ); ?></p>
	<p><a href="<?php echo esc_url( $view['list_url'] ); ?>"><?php esc_html_e( 'All wallets', 'nivella-credit-wallet' ); ?></a></p>
</div>
