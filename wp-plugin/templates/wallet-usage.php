<?php
/**
 * What was used, by day and by what it was used for.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<section class="nivella-panel" aria-labelledby="<?php echo esc_attr( $view['id'] ); ?>-usage" data-nivella="usage">
	<h2 id="<?php echo esc_attr( $view['id'] ); ?>-usage"><?php echo esc_html( $view['usage']['title'] ); ?></h2>

	<?php if ( $view['usage']['is_empty'] ) : ?>
		<p data-nivella="usage-empty"><?php esc_html_e( 'Nothing was used in these days.', 'nivella-credit-wallet' ); ?></p>
	<?php else : ?>
		<p data-nivella="usage-summary"><?php echo esc_html( $view['usage']['summary'] ); ?></p>
		<div class="nivella-chart">
			<div class="nivella-chart-scale" aria-hidden="true">
				<span><?php echo esc_html( $view['usage']['top'] ); ?></span>
				<span><?php echo esc_html( $view['usage']['middle'] ); ?></span>
				<span>0</span>
			</div>
			<svg class="nivella-chart-plot" role="img" aria-labelledby="<?php echo esc_attr( $view['id'] ); ?>-chart-title <?php echo esc_attr( $view['id'] ); ?>-chart-desc" viewBox="0 0 <?php echo esc_attr( $view['usage']['chart']['width'] ); ?> <?php echo esc_attr( $view['usage']['chart']['height'] ); ?>" preserveAspectRatio="none" focusable="false" data-nivella="chart">
				<title id="<?php echo esc_attr( $view['id'] ); ?>-chart-title"><?php echo esc_html( $view['usage']['title'] ); ?></title>
				<desc id="<?php echo esc_attr( $view['id'] ); ?>-chart-desc"><?php echo esc_html( $view['usage']['summary'] ); ?></desc>
				<path class="nivella-chart-lines" d="M0 0H10000M0 50H10000M0 100H10000" />
				<?php foreach ( $view['usage']['chart']['bars'] as $bar ) : ?>
					<rect class="nivella-chart-bar" x="<?php echo esc_attr( $bar['x'] ); ?>" y="<?php echo esc_attr( $bar['y'] ); ?>" width="8" height="<?php echo esc_attr( $bar['height'] ); ?>"><title><?php echo esc_html( $bar['day'] ); ?>: <?php echo esc_html( $bar['credits'] ); ?></title></rect>
				<?php endforeach; ?>
			</svg>
			<div class="nivella-chart-days" aria-hidden="true">
				<span><?php echo esc_html( $view['usage']['first_day'] ); ?></span>
				<span><?php echo esc_html( $view['usage']['last_day'] ); ?></span>
			</div>
		</div>

		<?php if ( $view['usage']['actions'] ) : ?>
			<table class="widefat striped nivella-table" data-nivella="actions">
				<caption class="screen-reader-text"><?php esc_html_e( 'What credits were used for', 'nivella-credit-wallet' ); ?></caption>
				<thead>
					<tr>
						<th scope="col"><?php esc_html_e( 'Used for', 'nivella-credit-wallet' ); ?></th>
						<th scope="col" class="nivella-number"><bdi><?php echo esc_html( $view['usage']['unit'] ); ?></bdi></th>
					</tr>
				</thead>
				<tbody>
					<?php foreach ( $view['usage']['actions'] as $action ) : ?>
						<tr>
							<td><bdi><?php echo esc_html( $action['action'] ); ?></bdi></td>
							<td class="nivella-number" data-nivella-value="<?php echo esc_attr( $action['raw'] ); ?>"><bdi><?php echo esc_html( $action['credits'] ); ?></bdi></td>
						</tr>
					<?php endforeach; ?>
				</tbody>
			</table>
		<?php endif; ?>

		<details class="nivella-details">
			<summary data-nivella="chart-table-toggle"><?php esc_html_e( 'Show each day as a table', 'nivella-credit-wallet' ); ?></summary>
			<table class="widefat striped nivella-table" data-nivella="chart-table">
				<caption class="screen-reader-text"><?php echo esc_html( $view['usage']['title'] ); ?></caption>
				<thead>
					<tr>
						<th scope="col"><?php esc_html_e( 'Day', 'nivella-credit-wallet' ); ?></th>
						<th scope="col" class="nivella-number"><bdi><?php echo esc_html( $view['usage']['unit'] ); ?></bdi></th>
					</tr>
				</thead>
				<tbody>
					<?php foreach ( $view['usage']['chart']['bars'] as $bar ) : ?>
						<tr>
							<td><time datetime="<?php echo esc_attr( $bar['iso'] ); ?>"><?php echo esc_html( $bar['day'] ); ?></time></td>
							<td class="nivella-number" data-nivella-value="<?php echo esc_attr( $bar['raw'] ); ?>"><bdi><?php echo esc_html( $bar['credits'] ); ?></bdi></td>
						</tr>
					<?php endforeach; ?>
				</tbody>
			</table>
		</details>
	<?php endif; ?>
</section>
