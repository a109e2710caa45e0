<?php
/**
 * The question whether to claim.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_claim().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-front">
	<section class="nivella-panel nivella-hero" aria-labelledby="nivella-claim-title" data-nivella="claim">
		<h2 id="nivella-claim-title"><?php esc_html_e( 'Add credits to your account?', 'nivella-credit-wallet' ); ?></h2>
		<p>
			<?php esc_html_e( 'Credits that were bought as a guest will belong to the account you are logged in with:', 'nivella-credit-wallet' ); ?>
			<strong><bdi><?php echo esc_html( $view['who'] ); ?></bdi></strong>
		</p>
		<form method="post" action="<?php echo esc_url( $view['url'] ); ?>">
			<input type="hidden" name="action" value="<?php echo esc_attr( $view['action'] ); ?>">
			<input type="hidden" name="token" value="<?php echo esc_attr( $view['token'] ); ?>">
			<input type="hidden" name="once" value="<?php echo esc_attr( $view['once'] ); ?>">
			<input type="hidden" name="_wpnonce" value="<?php echo esc_attr( $view['nonce'] ); ?>">
			<div class="nivella-acts">
				<button type="submit" class="button button-primary wp-element-button" data-nivella="claim-confirm"><?php esc_html_e( 'Add the credits', 'nivella-credit-wallet' ); ?></button>
				<a href="<?php echo esc_url( $view['logout'] ); ?>" data-nivella="claim-other"><?php esc_html_e( 'Use another account', 'nivella-credit-wallet' ); ?></a>
			</div>
		</form>
	</section>
</div>
