<?php
/**
 * Whether a customer wants to be told when credits run low.
 *
 * @package Nivella\CreditWallet
 * @var array $view From mail_setting_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-front">
	<section class="nivella-panel" id="nivella-mail" aria-labelledby="nivella-mail-title" data-nivella="mail-setting">
		<h2 id="nivella-mail-title"><?php esc_html_e( 'Messages', 'nivella-credit-wallet' ); ?></h2>
		<?php if ( $view['saved'] ) : ?>
			<p role="status" data-nivella="mail-saved"><?php esc_html_e( 'Saved.', 'nivella-credit-wallet' ); ?></p>
		<?php endif; ?>
		<form method="post" action="<?php echo esc_url( $view['url'] ); ?>">
			<input type="hidden" name="action" value="<?php echo esc_attr( $view['action'] ); ?>">
			<input type="hidden" name="_wpnonce" value="<?php echo esc_attr( $view['nonce'] ); ?>">
			<p>
				<label>
					<input type="checkbox" name="wants" value="1" <?php checked( $view['wants'] ); ?>>
					<?php esc_html_e( 'E-mail me once when credits run low, are almost used up or are used up', 'nivella-credit-wallet' ); ?>
				</label>
				<span class="nivella-minor"><bdi><?php echo esc_html( $view['email'] ); ?></bdi></span>
			</p>
			<button type="submit" class="button" data-nivella="mail-save"><?php esc_html_e( 'Save', 'nivella-credit-wallet' ); ?></button>
		</form>
	</section>
</div>
