<?php
/**
 * What is left on each site of an account, and how to get more for it.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( $view['sites'] ) : ?>
	<section class="nivella-panel" aria-labelledby="<?php echo esc_attr( $view['id'] ); ?>-sites">
		<h2 id="<?php echo esc_attr( $view['id'] ); ?>-sites"><?php esc_html_e( 'By website', 'nivella-credit-wallet' ); ?></h2>
		<table class="widefat striped nivella-table nivella-sites" data-nivella="sites">
			<thead>
				<tr>
					<th scope="col"><?php esc_html_e( 'Website', 'nivella-credit-wallet' ); ?></th>
					<th scope="col" class="nivella-number"><?php esc_html_e( 'Remaining', 'nivella-credit-wallet' ); ?></th>
				</tr>
			</thead>
			<tbody>
				<?php foreach ( $view['sites'] as $site ) : ?>
					<tr data-nivella="site" data-nivella-site="<?php echo esc_attr( $site['site'] ); ?>">
						<td>
							<bdi><?php echo esc_html( $site['name'] ); ?></bdi>
							<?php if ( '' !== $site['site'] && $site['name'] !== $site['site'] ) : ?>
								<span class="nivella-minor"><bdi><?php echo esc_html( $site['site'] ); ?></bdi></span>
							<?php endif; ?>
							<?php if ( $site['history'] || $site['top_up'] ) : ?>
								<span class="nivella-row-acts">
									<?php if ( $site['top_up'] ) : ?>
										<a href="<?php echo esc_url( $site['top_up'] ); ?>" data-nivella="site-top-up"><?php esc_html_e( 'Top up', 'nivella-credit-wallet' ); ?> <span class="screen-reader-text"><?php echo esc_html( $site['name'] ); ?></span></a>
									<?php endif; ?>
									<?php if ( $site['history'] ) : ?>
										<a href="<?php echo esc_url( $site['history'] ); ?>" data-nivella="site-history"><?php esc_html_e( 'History', 'nivella-credit-wallet' ); ?> <span class="screen-reader-text"><?php echo esc_html( $site['name'] ); ?></span></a>
									<?php endif; ?>
								</span>
							<?php endif; ?>
						</td>
						<td class="nivella-number" data-nivella-value="<?php echo esc_attr( $site['raw'] ); ?>"><bdi><?php echo esc_html( $site['remaining'] ); ?></bdi></td>
					</tr>
				<?php endforeach; ?>
			</tbody>
		</table>
	</section>
<?php endif; ?>
