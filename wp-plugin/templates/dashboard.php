<?php
/**
 * The balance on the dashboard.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_dashboard_widget().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-widget" data-nivella="dashboard">
	<?php if ( $view['trouble'] ) : ?>
		<p role="status" data-nivella="trouble"><?php echo esc_html( '' === $view['trouble']['message'] ? $view['trouble']['reason'] : $view['trouble']['message'] ); ?></p>
	<?php endif; ?>
	<?php if ( $view['balance'] ) : ?>
		<p class="nivella-amount">
			<strong data-nivella="balance" data-nivella-value="<?php echo esc_attr( $view['balance']['available_raw'] ); ?>"><bdi><?php echo esc_html( $view['balance']['available'] ); ?></bdi></strong>
			<span class="nivella-unit"><bdi><?php echo esc_html( $view['unit'] ); ?></bdi></span>
		</p>
		<p><span class="nivella-status nivella-status-<?php echo esc_attr( $view['balance']['tone'] ); ?>"><?php echo esc_html( $view['balance']['status_label'] ); ?></span></p>
		<p><?php echo esc_html( $view['balance']['renewal'] ); ?></p>
	<?php endif; ?>
	<p>
		<a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'Open AI Credits', 'nivella-credit-wallet' ); ?></a>
		<?php if ( $view['top_up'] ) : ?>
			<span aria-hidden="true">&middot;</span>
			<a href="<?php echo esc_url( $view['top_up'] ); ?>"><?php esc_html_e( 'Top up', 'nivella-credit-wallet' ); ?></a>
		<?php endif; ?>
	</p>
</div>
