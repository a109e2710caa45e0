<?php
/**
 * The field for the pairing code and its button.
 *
 * @package Nivella\CreditWallet
 * @var array $view From connect_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<form method="post" action="<?php echo esc_url( $view['pair_url'] ); ?>" class="nivella-connect-code" autocomplete="off">
	<input type="hidden" name="action" value="<?php echo esc_attr( $view['pair_action'] ); ?>">
	<input type="hidden" name="_wpnonce" value="<?php echo esc_attr( $view['pair_nonce'] ); ?>">
	<label for="nivella-pairing-code"><?php esc_html_e( 'Pairing code', 'nivella-credit-wallet' ); ?></label>
	<div class="nivella-connect-row">
		<input type="text" class="code" id="nivella-pairing-code" name="code" value="" placeholder="https://wallet.example.com/pair#nwp_…" autocomplete="off" autocapitalize="off" spellcheck="false" required aria-describedby="nivella-pairing-help" data-nivella="pairing-code">
		<button type="submit" class="button button-primary" data-nivella="pair"><?php esc_html_e( 'Connect', 'nivella-credit-wallet' ); ?></button>
	</div>
	<p class="description" id="nivella-pairing-help"><?php esc_html_e( 'Connect sets up WooCommerce\'s webhooks with a secret of their own, gives the wallet service a key to read orders, gets one for this shop, and makes sure with a test delivery that everything works. The code works once.', 'nivella-credit-wallet' ); ?></p>
</form>
