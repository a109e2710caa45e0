<?php
/**
 * A whole wallet: what can be used and when more arrives, then what to buy, what was used, and the history.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella <?php echo esc_attr( $view['is_admin'] ? 'nivella-admin' : 'nivella-front' ); ?>" data-nivella="wallet" data-nivella-state="<?php echo esc_attr( $view['state'] ); ?>" data-nivella-status="<?php echo esc_attr( $view['status'] ?? '' ); ?>">
	<?php \Nivella\CreditWallet\show( 'wallet-trouble', $view ); ?>

	<?php if ( 'none' === $view['state'] ) : ?>
		<?php \Nivella\CreditWallet\show( 'wallet-none', $view ); ?>
	<?php elseif ( 'unreachable' === $view['state'] ) : ?>
		<?php \Nivella\CreditWallet\show( 'refresh', $view['refresh'] ); ?>
	<?php else : ?>
		<?php \Nivella\CreditWallet\show( 'wallet-balance', $view ); ?>
		<div class="nivella-columns">
			<?php \Nivella\CreditWallet\show( 'wallet-usage', $view ); ?>
			<div class="nivella-column">
				<?php \Nivella\CreditWallet\show( 'wallet-packages', $view ); ?>
				<?php \Nivella\CreditWallet\show( 'wallet-expiring', $view ); ?>
				<?php \Nivella\CreditWallet\show( 'wallet-sites', $view ); ?>
			</div>
		</div>
		<?php \Nivella\CreditWallet\show( 'wallet-history', $view ); ?>
		<?php \Nivella\CreditWallet\show( 'wallet-breakdown', $view ); ?>
	<?php endif; ?>
</div>
