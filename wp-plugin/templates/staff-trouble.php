<?php
/**
 * What is wrong, with the reason and what to do.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ trouble: array|null } from staff_trouble().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( $view['trouble'] ) : ?>
	<div class="notice notice-warning inline nivella-notice" role="status" data-nivella="trouble" data-nivella-code="<?php echo esc_attr( $view['trouble']['code'] ); ?>">
		<p>
			<strong data-nivella="reason"><?php echo esc_html( $view['trouble']['reason'] ); ?></strong>
			<span data-nivella="remedy"><?php echo esc_html( $view['trouble']['remedy'] ); ?></span>
			<?php if ( $view['trouble']['settings_url'] ) : ?>
				<a href="<?php echo esc_url( $view['trouble']['settings_url'] ); ?>"><?php esc_html_e( 'Settings', 'nivella-credit-wallet' ); ?></a>
			<?php endif; ?>
		</p>
		<?php if ( $view['trouble']['again'] && empty( $view['in_form'] ) ) : ?>
			<?php \Nivella\CreditWallet\show( 'refresh', $view['trouble']['again'] ); ?>
		<?php endif; ?>
	</div>
<?php endif; ?>
