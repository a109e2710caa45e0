<?php
/**
 * Why the figures are old or missing.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( $view['trouble'] ) : ?>
	<div class="<?php echo esc_attr( $view['is_admin'] ? 'notice notice-warning inline nivella-notice' : 'nivella-notice' ); ?>" role="status" data-nivella="trouble" data-nivella-code="<?php echo esc_attr( $view['trouble']['code'] ); ?>">
		<?php if ( '' !== $view['trouble']['message'] ) : ?>
			<p><strong data-nivella="<?php echo esc_attr( $view['state'] ); ?>"><?php echo esc_html( $view['trouble']['message'] ); ?></strong></p>
		<?php endif; ?>
		<?php if ( '' !== $view['trouble']['reason'] ) : ?>
			<p>
				<span data-nivella="reason"><?php echo esc_html( $view['trouble']['reason'] ); ?></span>
				<span data-nivella="remedy"><?php echo esc_html( $view['trouble']['remedy'] ); ?></span>
				<?php if ( $view['trouble']['settings_url'] ) : ?>
					<a href="<?php echo esc_url( $view['trouble']['settings_url'] ); ?>"><?php esc_html_e( 'Settings', 'nivella-credit-wallet' ); ?></a>
				<?php endif; ?>
			</p>
		<?php endif; ?>
	</div>
<?php endif; ?>
