<?php
/**
 * The packages, one below the other.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<ul class="nivella-packages" data-nivella="packages">
	<?php foreach ( $view['packages'] as $package ) : ?>
		<li class="nivella-package" data-nivella="package">
			<span class="nivella-package-name">
				<strong><bdi><?php echo esc_html( $package['name'] ); ?></bdi></strong>
				<?php if ( '' !== $package['credits'] ) : ?>
					<span><?php echo esc_html( $package['credits'] ); ?></span>
				<?php endif; ?>
			</span>
			<?php if ( '' !== $package['now'] ) : ?>
				<span class="nivella-package-price">
					<?php if ( '' !== $package['was'] ) : ?>
						<del><span class="screen-reader-text"><?php esc_html_e( 'Before:', 'nivella-credit-wallet' ); ?></span> <bdi><?php echo esc_html( $package['was'] ); ?></bdi></del>
						<span class="screen-reader-text"><?php esc_html_e( 'Now:', 'nivella-credit-wallet' ); ?></span>
					<?php endif; ?>
					<bdi><?php echo esc_html( $package['now'] ); ?></bdi>
				</span>
			<?php endif; ?>
			<?php if ( $view['buy'] && $package['product'] ) : ?>
				<button type="submit" class="button wp-element-button" name="add-to-cart" value="<?php echo esc_attr( $package['product'] ); ?>" data-nivella="package-buy">
					<?php esc_html_e( 'Buy', 'nivella-credit-wallet' ); ?>
					<span class="screen-reader-text"><?php echo esc_html( $package['name'] ); ?></span>
				</button>
			<?php elseif ( $package['url'] ) : ?>
				<a class="button wp-element-button" href="<?php echo esc_url( $package['url'] ); ?>" data-nivella="package-link">
					<?php esc_html_e( 'Buy', 'nivella-credit-wallet' ); ?>
					<span class="screen-reader-text"><?php echo esc_html( $package['name'] ); ?></span>
				</a>
			<?php endif; ?>
		</li>
	<?php endforeach; ?>
</ul>
