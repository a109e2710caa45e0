<?php
/**
 * Which purchases and allowances the balance is made of.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( $view['breakdown'] ) : ?>
	<section class="nivella-panel" aria-labelledby="<?php echo esc_attr( $view['id'] ); ?>-breakdown">
		<h2 id="<?php echo esc_attr( $view['id'] ); ?>-breakdown"><?php esc_html_e( 'Where your credits come from', 'nivella-credit-wallet' ); ?></h2>
		<table class="widefat striped nivella-table nivella-breakdown" data-nivella="breakdown">
			<thead>
				<tr>
					<th scope="col"><?php esc_html_e( 'Source', 'nivella-credit-wallet' ); ?></th>
					<th scope="col"><?php esc_html_e( 'Used by', 'nivella-credit-wallet' ); ?></th>
					<th scope="col"><?php esc_html_e( 'Expires', 'nivella-credit-wallet' ); ?></th>
					<th scope="col" class="nivella-number"><?php esc_html_e( 'Received', 'nivella-credit-wallet' ); ?></th>
					<th scope="col" class="nivella-number"><?php esc_html_e( 'Remaining', 'nivella-credit-wallet' ); ?></th>
				</tr>
			</thead>
			<tbody>
				<?php foreach ( $view['breakdown'] as $slice ) : ?>
					<tr>
						<td data-title="<?php esc_attr_e( 'Source', 'nivella-credit-wallet' ); ?>">
							<span>
								<bdi><?php echo esc_html( $slice['label'] ); ?></bdi>
								<span class="nivella-minor">
									<?php echo esc_html( $slice['category'] ); ?>
									<?php if ( '' !== $slice['order'] ) : ?>
										&middot; <?php esc_html_e( 'Order', 'nivella-credit-wallet' ); ?> <?php echo esc_html( $slice['order'] ); ?>
									<?php endif; ?>
								</span>
							</span>
						</td>
						<td data-title="<?php esc_attr_e( 'Used by', 'nivella-credit-wallet' ); ?>"><bdi><?php echo esc_html( $slice['where'] ); ?></bdi></td>
						<td data-title="<?php esc_attr_e( 'Expires', 'nivella-credit-wallet' ); ?>"><?php echo esc_html( $slice['expires'] ); ?></td>
						<td data-title="<?php esc_attr_e( 'Received', 'nivella-credit-wallet' ); ?>" class="nivella-number"><bdi><?php echo esc_html( $slice['amount'] ); ?></bdi></td>
						<td data-title="<?php esc_attr_e( 'Remaining', 'nivella-credit-wallet' ); ?>" class="nivella-number" data-nivella-value="<?php echo esc_attr( $slice['raw'] ); ?>"><bdi><?php echo esc_html( $slice['remaining'] ); ?></bdi></td>
					</tr>
				<?php endforeach; ?>
			</tbody>
		</table>
	</section>
<?php endif; ?>
