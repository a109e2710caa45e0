<?php
/**
 * The settings: connect, how it stands, disconnect.
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
				<?php if ( $view['result']['ok'] && $view['can_test'] ) : ?>
					<a href="<?php echo esc_url( $view['wallet_url'] ); ?>"><?php esc_html_e( 'Go to AI Credits', 'nivella-credit-wallet' ); ?></a>
				<?php endif; ?>
			</p>
		</div>
	<?php endif; ?>

	<div class="nivella nivella-admin nivella-connect">
		<?php if ( $view['connect']['is_plain_http'] ) : ?>
			<div class="notice notice-warning inline nivella-notice" data-nivella="plain-http">
				<p><?php esc_html_e( 'The wallet service is reached over http://, so whoever is in between can read what is sent, the key too. Use https:// unless it is in your own network.', 'nivella-credit-wallet' ); ?></p>
			</div>
		<?php endif; ?>

		<?php if ( $view['connect']['status'] ) : ?>
			<?php \Nivella\CreditWallet\show( 'connect-status', $view['connect']['status'] ); ?>
		<?php elseif ( $view['connect']['can_pair'] ) : ?>
			<?php \Nivella\CreditWallet\show( 'connect-shop', $view['connect'] ); ?>
		<?php endif; ?>

		<?php if ( $view['connect']['is_paired'] ) : ?>
			<section class="nivella-panel">
				<h2><?php esc_html_e( 'Change or end the connection', 'nivella-credit-wallet' ); ?></h2>
				<details class="nivella-details" data-nivella="connect-again">
					<summary><?php esc_html_e( 'Connect again with a new code', 'nivella-credit-wallet' ); ?></summary>
					<?php \Nivella\CreditWallet\show( 'connect-code', $view['connect'] ); ?>
				</details>
				<details class="nivella-details" data-nivella="by-hand">
					<summary><?php esc_html_e( 'Set address, key and store name by hand', 'nivella-credit-wallet' ); ?></summary>
					<form method="post" action="options.php" data-nivella="settings-form" autocomplete="off">
						<?php settings_fields( $view['group'] ); ?>
						<?php do_settings_sections( $view['page'] ); ?>
						<?php submit_button( __( 'Save and connect', 'nivella-credit-wallet' ) ); ?>
					</form>
				</details>
				<?php \Nivella\CreditWallet\show( 'connect-end', $view['connect'] ); ?>
			</section>
		<?php else : ?>
			<section class="nivella-panel">
				<h2><?php esc_html_e( 'Connect a website that uses credits', 'nivella-credit-wallet' ); ?></h2>
				<p><?php esc_html_e( 'Whoever runs the shop gives you an address and a key. Enter both, and this website shows its wallet.', 'nivella-credit-wallet' ); ?></p>
				<form method="post" action="options.php" data-nivella="settings-form" autocomplete="off">
					<?php settings_fields( $view['group'] ); ?>
					<?php do_settings_sections( $view['page'] ); ?>
					<?php submit_button( __( 'Save and connect', 'nivella-credit-wallet' ) ); ?>
				</form>
				<?php if ( $view['connect']['is_connected'] ) : ?>
					<?php \Nivella\CreditWallet\show( 'connect-end', $view['connect'] ); ?>
				<?php endif; ?>
			</section>
		<?php endif; ?>

		<?php if ( $view['can_test'] ) : ?>
			<section class="nivella-panel">
				<h2><?php esc_html_e( 'Connection', 'nivella-credit-wallet' ); ?></h2>
				<p><?php esc_html_e( 'Asks the wallet service with the saved settings and says exactly what came back.', 'nivella-credit-wallet' ); ?></p>
				<form method="post" action="<?php echo esc_url( $view['test_url'] ); ?>">
					<input type="hidden" name="action" value="<?php echo esc_attr( $view['test_action'] ); ?>">
					<input type="hidden" name="_wpnonce" value="<?php echo esc_attr( $view['test_nonce'] ); ?>">
					<button type="submit" class="button" data-nivella="test-connection"><?php esc_html_e( 'Test connection', 'nivella-credit-wallet' ); ?></button>
				</form>
			</section>
		<?php endif; ?>
	</div>
</div>
