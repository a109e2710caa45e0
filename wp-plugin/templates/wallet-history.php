<?php
/**
 * Every change of the balance.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<section class="nivella-panel" id="<?php echo esc_attr( $view['id'] ); ?>-section" aria-labelledby="<?php echo esc_attr( $view['id'] ); ?>-history" data-nivella="history">
	<h2 id="<?php echo esc_attr( $view['id'] ); ?>-history"><span id="nivella-history" class="nivella-anchor"></span><?php esc_html_e( 'History', 'nivella-credit-wallet' ); ?></h2>

	<form method="get" action="<?php echo esc_url( $view['history']['action'] ); ?>" class="nivella-filter" data-nivella="history-filter">
		<?php foreach ( $view['history']['hidden'] as $name => $value ) : ?>
			<input type="hidden" name="<?php echo esc_attr( $name ); ?>" value="<?php echo esc_attr( $value ); ?>">
		<?php endforeach; ?>
		<p>
			<label for="<?php echo esc_attr( $view['id'] ); ?>-kind"><?php esc_html_e( 'Show', 'nivella-credit-wallet' ); ?></label>
			<select name="nivella_kind" id="<?php echo esc_attr( $view['id'] ); ?>-kind">
				<option value=""><?php esc_html_e( 'Everything', 'nivella-credit-wallet' ); ?></option>
				<?php foreach ( $view['history']['kinds'] as $kind => $label ) : ?>
					<option value="<?php echo esc_attr( $kind ); ?>" <?php selected( $view['history']['filter']['kind'], $kind ); ?>><?php echo esc_html( $label ); ?></option>
				<?php endforeach; ?>
			</select>
		</p>
		<?php if ( $view['history']['sites'] ) : ?>
			<p>
				<label for="<?php echo esc_attr( $view['id'] ); ?>-site"><?php esc_html_e( 'Website', 'nivella-credit-wallet' ); ?></label>
				<select name="nivella_site" id="<?php echo esc_attr( $view['id'] ); ?>-site">
					<option value=""><?php esc_html_e( 'All', 'nivella-credit-wallet' ); ?></option>
					<?php foreach ( $view['history']['sites'] as $site ) : ?>
						<option value="<?php echo esc_attr( $site['id'] ); ?>" <?php selected( $view['history']['filter']['site'], $site['id'] ); ?>><?php echo esc_html( $site['name'] ); ?></option>
					<?php endforeach; ?>
				</select>
			</p>
		<?php endif; ?>
		<p>
			<label for="<?php echo esc_attr( $view['id'] ); ?>-from"><?php esc_html_e( 'From', 'nivella-credit-wallet' ); ?></label>
			<input type="date" name="nivella_from" id="<?php echo esc_attr( $view['id'] ); ?>-from" value="<?php echo esc_attr( $view['history']['filter']['from'] ); ?>">
		</p>
		<p>
			<label for="<?php echo esc_attr( $view['id'] ); ?>-to"><?php esc_html_e( 'To', 'nivella-credit-wallet' ); ?></label>
			<input type="date" name="nivella_to" id="<?php echo esc_attr( $view['id'] ); ?>-to" value="<?php echo esc_attr( $view['history']['filter']['to'] ); ?>">
		</p>
		<p class="nivella-filter-acts">
			<button type="submit" class="button" data-nivella="history-submit"><?php esc_html_e( 'Filter', 'nivella-credit-wallet' ); ?></button>
			<?php if ( $view['history']['is_filtered'] ) : ?>
				<a href="<?php echo esc_url( $view['history']['all_url'] ); ?>" data-nivella="history-all"><?php esc_html_e( 'Show everything', 'nivella-credit-wallet' ); ?></a>
			<?php endif; ?>
		</p>
	</form>

	<?php if ( '' !== $view['history']['problem'] ) : ?>
		<p role="status" data-nivella="history-problem"><?php echo esc_html( $view['history']['problem'] ); ?></p>
	<?php endif; ?>

	<?php if ( $view['history']['items'] ) : ?>
		<table class="widefat striped nivella-table nivella-history" data-nivella="history-table">
			<caption class="screen-reader-text"><?php esc_html_e( 'Changes of the balance, newest first', 'nivella-credit-wallet' ); ?></caption>
			<thead>
				<tr>
					<th scope="col"><?php esc_html_e( 'Date', 'nivella-credit-wallet' ); ?></th>
					<th scope="col"><?php esc_html_e( 'Kind', 'nivella-credit-wallet' ); ?></th>
					<th scope="col"><?php esc_html_e( 'Description', 'nivella-credit-wallet' ); ?></th>
					<?php if ( $view['history']['sites'] ) : ?>
						<th scope="col"><?php esc_html_e( 'Website', 'nivella-credit-wallet' ); ?></th>
					<?php endif; ?>
					<th scope="col" class="nivella-number"><bdi><?php echo esc_html( $view['unit'] ); ?></bdi></th>
				</tr>
			</thead>
			<tbody>
				<?php foreach ( $view['history']['items'] as $line ) : ?>
					<tr data-nivella="history-row" data-nivella-kind="<?php echo esc_attr( $line['kind'] ); ?>">
						<td class="nivella-when"><time datetime="<?php echo esc_attr( $line['iso'] ); ?>"><?php echo esc_html( $line['at'] ); ?></time></td>
						<td class="nivella-kind"><?php echo esc_html( $line['what'] ); ?></td>
						<td class="nivella-what">
							<bdi><?php echo esc_html( $line['label'] ); ?></bdi>
							<?php if ( '' !== $line['order'] ) : ?>
								<span class="nivella-minor">
									<?php esc_html_e( 'Order', 'nivella-credit-wallet' ); ?>
									<?php echo esc_html( $line['order'] ); ?>
								</span>
							<?php endif; ?>
						</td>
						<?php if ( $view['history']['sites'] ) : ?>
							<td class="nivella-site"><bdi><?php echo esc_html( $line['site'] ); ?></bdi></td>
						<?php endif; ?>
						<td class="nivella-number <?php echo esc_attr( $line['is_gain'] ? 'nivella-gain' : 'nivella-loss' ); ?>" data-nivella-value="<?php echo esc_attr( $line['raw'] ); ?>"><bdi><?php echo esc_html( $line['credits'] ); ?></bdi></td>
					</tr>
				<?php endforeach; ?>
			</tbody>
		</table>
	<?php elseif ( '' === $view['history']['problem'] ) : ?>
		<p data-nivella="history-empty">
			<?php if ( $view['history']['is_filtered'] ) : ?>
				<?php esc_html_e( 'Nothing matches these filters.', 'nivella-credit-wallet' ); ?>
			<?php else : ?>
				<?php esc_html_e( 'Nothing has happened yet. Purchases and usage appear here.', 'nivella-credit-wallet' ); ?>
			<?php endif; ?>
		</p>
	<?php endif; ?>

	<?php if ( $view['history']['newest_url'] || $view['history']['older_url'] || $view['history']['csv_url'] ) : ?>
		<div class="nivella-acts">
			<?php if ( $view['history']['newest_url'] || $view['history']['older_url'] ) : ?>
				<nav class="nivella-pages" aria-label="<?php esc_attr_e( 'Pages of the history', 'nivella-credit-wallet' ); ?>">
					<?php if ( $view['history']['newest_url'] ) : ?>
						<a class="button" href="<?php echo esc_url( $view['history']['newest_url'] ); ?>" data-nivella="history-newest"><?php esc_html_e( 'Newest entries', 'nivella-credit-wallet' ); ?></a>
					<?php endif; ?>
					<?php if ( $view['history']['older_url'] ) : ?>
						<a class="button" href="<?php echo esc_url( $view['history']['older_url'] ); ?>" data-nivella="history-older"><?php esc_html_e( 'Older entries', 'nivella-credit-wallet' ); ?></a>
					<?php endif; ?>
				</nav>
			<?php endif; ?>
			<?php if ( $view['history']['csv_url'] ) : ?>
				<a href="<?php echo esc_url( $view['history']['csv_url'] ); ?>" data-nivella="csv"><?php esc_html_e( 'Download as CSV', 'nivella-credit-wallet' ); ?></a>
			<?php endif; ?>
		</div>
	<?php endif; ?>
</section>
