<?php
/**
 * The balance on one line, with a bar.
 *
 * @package Nivella\CreditWallet
 * @var array $view From small_wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-front nivella-piece nivella-strip" data-nivella="wallet" data-nivella-view="bar" data-nivella-state="<?php echo esc_attr( $view['state'] ); ?>" data-nivella-status="<?php echo esc_attr( $view['status'] ); ?>">
	<?php \Nivella\CreditWallet\show( 'wallet-trouble', $view ); ?>
	<?php if ( $view['balance'] || 'none' === $view['state'] ) : ?>
		<div class="nivella-strip-head">
			<a class="nivella-strip-amount" href="<?php echo esc_url( $view['open'] ); ?>">
				<?php if ( $view['balance'] ) : ?>
					<strong data-nivella="balance" data-nivella-value="<?php echo esc_attr( $view['balance']['available_raw'] ); ?>"><bdi><?php echo esc_html( $view['balance']['available'] ); ?></bdi></strong>
					<bdi><?php echo esc_html( $view['unit'] ); ?></bdi>
				<?php else : ?>
					<strong data-nivella="balance" data-nivella-value="0">0</strong>
					<?php esc_html_e( 'AI Credits', 'nivella-credit-wallet' ); ?>
				<?php endif; ?>
			</a>
			<?php if ( $view['balance'] ) : ?>
				<span class="nivella-status nivella-status-<?php echo esc_attr( $view['balance']['tone'] ); ?>" data-nivella="status"><?php echo esc_html( $view['balance']['status_label'] ); ?></span>
			<?php endif; ?>
			<?php if ( $view['top_up'] ) : ?>
				<a class="nivella-strip-top-up" href="<?php echo esc_url( $view['top_up'] ); ?>" data-nivella="top-up"><?php esc_html_e( 'Top up', 'nivella-credit-wallet' ); ?></a>
			<?php endif; ?>
		</div>
		<?php if ( $view['balance'] ) : ?>
			<svg class="nivella-bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false">
				<?php foreach ( $view['balance']['bar'] as $part => $place ) : ?>
					<rect class="nivella-bar-<?php echo esc_attr( $part ); ?>" x="<?php echo esc_attr( $place['x'] ); ?>" y="0" width="<?php echo esc_attr( $place['width'] ); ?>" height="1" />
				<?php endforeach; ?>
			</svg>
		<?php endif; ?>
	<?php endif; ?>
</div>
