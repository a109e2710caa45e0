<?php
/**
 * Credits run low.
 *
 * @package Nivella\CreditWallet
 * @var array $view From low_credit_notice().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="notice notice-warning nivella-low-credit" data-nivella="low-credit-notice" data-nivella-status="<?php echo esc_attr( $view['status'] ); ?>">
	<p>
		<strong><?php echo esc_html( $view['sentence'] ); ?></strong>
		<?php echo esc_html( $view['age'] ); ?>
		<a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'Open AI Credits', 'nivella-credit-wallet' ); ?></a>
		<?php if ( $view['top_up'] ) : ?>
			<span aria-hidden="true">&middot;</span>
			<a href="<?php echo esc_url( $view['top_up'] ); ?>"><?php esc_html_e( 'Top up', 'nivella-credit-wallet' ); ?></a>
		<?php endif; ?>
	</p>
	<form method="post" action="<?php echo esc_url( $view['dismiss']['url'] ); ?>" data-nivella-ajax="<?php echo esc_url( $view['dismiss']['ajax'] ); ?>">
		<input type="hidden" name="action" value="<?php echo esc_attr( $view['dismiss']['action'] ); ?>">
		<input type="hidden" name="crossing" value="<?php echo esc_attr( $view['dismiss']['crossing'] ); ?>">
		<input type="hidden" name="_wpnonce" value="<?php echo esc_attr( $view['dismiss']['nonce'] ); ?>">
		<?php wp_referer_field(); ?>
		<p><button type="submit" class="button-link" data-nivella="dismiss"><?php esc_html_e( 'Dismiss until credits run lower', 'nivella-credit-wallet' ); ?></button></p>
	</form>
</div>
