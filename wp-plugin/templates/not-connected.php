<?php
/**
 * The page AI Credits before there is a connection.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ settings_url: string|null }.
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="wrap nivella-wrap">
	<h1><?php esc_html_e( 'AI Credits', 'nivella-credit-wallet' ); ?></h1>
	<hr class="wp-header-end">
	<div class="nivella nivella-admin" data-nivella="not-connected">
		<section class="nivella-panel nivella-hero">
			<h2><?php esc_html_e( 'One step left: connect your wallet', 'nivella-credit-wallet' ); ?></h2>
			<p><?php esc_html_e( 'This page will show how many credits you can use, when more arrive and what they were used for. It needs the address of the wallet service and a key; whoever runs the shop gives you both.', 'nivella-credit-wallet' ); ?></p>
			<?php if ( $view['settings_url'] ) : ?>
				<p><a class="button button-primary" href="<?php echo esc_url( $view['settings_url'] ); ?>"><?php esc_html_e( 'Connect', 'nivella-credit-wallet' ); ?></a></p>
			<?php else : ?>
				<p><?php esc_html_e( 'Please ask an administrator of this site to connect it.', 'nivella-credit-wallet' ); ?></p>
			<?php endif; ?>
		</section>
	</div>
</div>
