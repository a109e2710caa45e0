<?php
/**
 * The button that asks the daemon again.
 *
 * @package Nivella\CreditWallet
 * @var array $view From act_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<form method="post" action="<?php echo esc_url( $view['url'] ); ?>" class="nivella-refresh">
	<input type="hidden" name="action" value="<?php echo esc_attr( $view['action'] ); ?>">
	<?php if ( $view['customer'] ) : ?>
		<input type="hidden" name="customer" value="<?php echo esc_attr( $view['customer'] ); ?>">
	<?php endif; ?>
	<?php if ( ! empty( $view['account'] ) ) : ?>
		<input type="hidden" name="account" value="<?php echo esc_attr( $view['account'] ); ?>">
	<?php endif; ?>
	<input type="hidden" name="_wpnonce" value="<?php echo esc_attr( $view['nonce'] ); ?>">
	<?php wp_referer_field(); ?>
	<button type="submit" class="button" data-nivella="refresh"><?php esc_html_e( 'Refresh', 'nivella-credit-wallet' ); ?></button>
</form>
