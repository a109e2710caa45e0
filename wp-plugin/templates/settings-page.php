<?php
/**
 * The settings.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_settings_page().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="wrap nivella-wrap">
	<h1><?php esc_html_e( 'AI Credits settings', 'nivella-credit-wallet' ); ?></h1>
	<hr class="wp-header-end">
	<?php settings_errors(); ?>

	<?php if ( $view['result'] ) : ?>
		<div class="notice inline nivella-notice <?php echo esc_attr( $view['result']['ok'] ? 'notice-success' : 'notice-error' ); ?>" role="status" data-nivella="test-result" data-nivella-code="<?php echo esc_attr( $view['result']['code'] ); ?>">
			<p>
				<strong data-nivella="reason"><?php echo esc_html( $view['result']['reason'] ); ?></strong>
				<span data-nivella="remedy"><?php echo esc_html( $view['result']['remedy'] ); ?></span>
				<?php if ( $view['result']['ok'] ) : ?>
					<a href="<?php echo esc_url( $view['wallet_url'] ); ?>"><?php esc_html_e( 'Go to AI Credits', 'nivella-credit-wallet' ); ?></a>
				<?php endif; ?>
			</p>
		</div>
	<?php endif; ?>

	<form method="post" action="options.php" data-nivella="settings-form" autocomplete="off">
		<?php settings_fields( $view['group'] ); ?>
		<?php do_settings_sections( $view['page'] ); ?>
		<?php submit_button( __( 'Save and connect', 'nivella-credit-wallet' ) ); ?>
	</form>

	<?php if ( $view['can_test'] ) : ?>
		<div class="nivella nivella-admin">
			<section class="nivella-panel">
				<h2><?php esc_html_e( 'Connection', 'nivella-credit-wallet' ); ?></h2>
				<p><?php esc_html_e( 'Asks the wallet service with the saved settings and says exactly what came back.', 'nivella-credit-wallet' ); ?></p>
				<form method="post" action="<?php echo esc_url( $view['test_url'] ); ?>">
					<input type="hidden" name="action" value="<?php echo esc_attr( $view['test_action'] ); ?>">
					<input type="hidden" name="_wpnonce" value="<?php echo esc_attr( $view['test_nonce'] ); ?>">
					<button type="submit" class="button" data-nivella="test-connection"><?php esc_html_e( 'Test connection', 'nivella-credit-wallet' ); ?></button>
				</form>
			</section>
		</div>
	<?php endif; ?>
</div>
