<?php
/**
 * Disconnect.
 *
 * @package Nivella\CreditWallet
 * @var array $view From connect_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<details class="nivella-details" data-nivella="disconnect-details">
	<summary><?php esc_html_e( 'Disconnect', 'nivella-credit-wallet' ); ?></summary>
	<form method="post" action="<?php echo esc_url( $view['pair_url'] ); ?>">
		<input type="hidden" name="action" value="<?php echo esc_attr( $view['disconnect_action'] ); ?>">
		<input type="hidden" name="_wpnonce" value="<?php echo esc_attr( $view['disconnect_nonce'] ); ?>">
		<p>
			<?php if ( $view['is_paired'] ) : ?>
				<?php esc_html_e( 'Deletes the webhooks, the REST key and the key of this shop. The wallet service no longer hears of orders, and customers no longer see their wallets here. The wallets themselves stay as they are.', 'nivella-credit-wallet' ); ?>
			<?php else : ?>
				<?php esc_html_e( 'Forgets the address and the key. The wallet itself stays as it is.', 'nivella-credit-wallet' ); ?>
			<?php endif; ?>
		</p>
		<button type="submit" class="button" data-nivella="disconnect"><?php esc_html_e( 'Disconnect now', 'nivella-credit-wallet' ); ?></button>
	</form>
</details>
