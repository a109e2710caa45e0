<?php
/**
 * The balance as a piece of a page.
 *
 * @package Nivella\CreditWallet
 * @var array $view From small_wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-front nivella-piece" data-nivella="wallet" data-nivella-view="balance" data-nivella-state="<?php echo esc_attr( $view['state'] ); ?>" data-nivella-status="<?php echo esc_attr( $view['status'] ); ?>">
	<?php \Nivella\CreditWallet\show( 'wallet-trouble', $view ); ?>
	<?php if ( 'none' === $view['state'] ) : ?>
		<?php \Nivella\CreditWallet\show( 'wallet-none', $view ); ?>
	<?php elseif ( $view['balance'] ) : ?>
		<?php \Nivella\CreditWallet\show( 'wallet-balance', $view ); ?>
	<?php endif; ?>
</div>
