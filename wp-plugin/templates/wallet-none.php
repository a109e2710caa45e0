<?php
/**
 * A wallet that does not exist yet.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<section class="nivella-panel nivella-hero" data-nivella="none">
	<h2><?php esc_html_e( 'You can use now', 'nivella-credit-wallet' ); ?></h2>
	<p class="nivella-amount"><strong data-nivella="balance" data-nivella-value="0">0</strong></p>
	<p><?php esc_html_e( 'No credits have been bought yet. They appear here as soon as the first order is paid.', 'nivella-credit-wallet' ); ?></p>
	<div class="nivella-acts">
		<?php if ( $view['top_up'] ) : ?>
			<a class="button button-primary wp-element-button" href="<?php echo esc_url( $view['top_up'] ); ?>" data-nivella="top-up"><?php esc_html_e( 'Buy credits', 'nivella-credit-wallet' ); ?></a>
		<?php endif; ?>
		<?php \Nivella\CreditWallet\show( 'refresh', $view['refresh'] ); ?>
	</div>
</section>
