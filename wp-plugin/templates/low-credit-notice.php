<?php
/**
 * Credits run low.
 *
 * @package Nivella\CreditWallet
 * @var array $view From low_credit_notice().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="notice notice-warning" data-nivella="low-credit-notice" data-nivella-status="<?php echo esc_attr( $view['status'] ); ?>">
	<p>
		<strong><?php echo esc_html( $view['sentence'] ); ?></strong>
		<a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'Open AI Credits', 'nivella-credit-wallet' ); ?></a>
		<?php if ( $view['top_up'] ) : ?>
			<span aria-hidden="true">&middot;</span>
			<a href="<?php echo esc_url( $view['top_up'] ); ?>"><?php esc_html_e( 'Top up', 'nivella-credit-wallet' ); ?></a>
		<?php endif; ?>
	</p>
</div>
