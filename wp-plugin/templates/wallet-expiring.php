<?php
/**
 * What is lost next.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( $view['expiring'] ) : ?>
	<section class="nivella-panel" aria-labelledby="<?php echo esc_attr( $view['id'] ); ?>-expiring">
		<h2 id="<?php echo esc_attr( $view['id'] ); ?>-expiring"><?php esc_html_e( 'Next to expire', 'nivella-credit-wallet' ); ?></h2>
		<ul class="nivella-expiring" data-nivella="expiring">
			<?php foreach ( $view['expiring'] as $expiry ) : ?>
				<li>
					<span>
						<time datetime="<?php echo esc_attr( $expiry['iso'] ); ?>"><?php echo esc_html( $expiry['date'] ); ?></time>
						<span class="nivella-minor"><bdi><?php echo esc_html( $expiry['label'] ); ?></bdi></span>
					</span>
					<strong data-nivella-value="<?php echo esc_attr( $expiry['raw'] ); ?>"><bdi><?php echo esc_html( $expiry['credits'] ); ?></bdi></strong>
				</li>
			<?php endforeach; ?>
		</ul>
	</section>
<?php endif; ?>
