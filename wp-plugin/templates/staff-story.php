<?php
/**
 * The story of an order's credits in plain words.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ story: array, is_open: bool } from story_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella-story" data-nivella="story">
	<p class="nivella-summary" data-nivella="story-summary"><?php echo esc_html( $view['story']['summary'] ); ?></p>

	<?php if ( $view['story']['missing'] ) : ?>
		<ul class="nivella-missing" data-nivella="story-missing">
			<?php foreach ( $view['story']['missing'] as $missing ) : ?>
				<li>
					<strong><?php echo esc_html( $missing['what'] ); ?></strong>
					<?php if ( '' !== $missing['remedy'] ) : ?>
						<span data-nivella="story-remedy"><?php esc_html_e( 'What to do:', 'nivella-credit-wallet' ); ?> <?php echo esc_html( $missing['remedy'] ); ?></span>
					<?php endif; ?>
				</li>
			<?php endforeach; ?>
		</ul>
	<?php endif; ?>
	<?php if ( '' !== $view['story']['attention'] ) : ?>
		<p class="nivella-fault" data-nivella="story-attention"><?php esc_html_e( 'Needs a look:', 'nivella-credit-wallet' ); ?> <?php echo esc_html( $view['story']['attention'] ); ?></p>
	<?php endif; ?>

	<?php if ( $view['story']['lines'] ) : ?>
		<table class="widefat striped nivella-table nivella-stacks" data-nivella="story-lines">
			<caption class="screen-reader-text"><?php esc_html_e( 'What each line granted', 'nivella-credit-wallet' ); ?></caption>
			<thead>
				<tr>
					<th scope="col"><?php esc_html_e( 'Line', 'nivella-credit-wallet' ); ?></th>
					<?php foreach ( $view['story']['columns'] as $label ) : ?>
						<th scope="col" class="nivella-number"><?php echo esc_html( $label ); ?></th>
					<?php endforeach; ?>
				</tr>
			</thead>
			<tbody>
				<?php foreach ( $view['story']['lines'] as $line ) : ?>
					<tr data-nivella="story-line">
						<th scope="row">
							<?php if ( '' !== $line['quantity'] ) : ?>
								<bdi><?php echo esc_html( $line['quantity'] ); ?></bdi> &#215;
							<?php endif; ?>
							<bdi><?php echo esc_html( $line['name'] ); ?></bdi>
						</th>
						<?php foreach ( $view['story']['columns'] as $column => $label ) : ?>
							<td class="nivella-number" data-nivella-label="<?php echo esc_attr( $label ); ?>" data-nivella="line-<?php echo esc_attr( $column ); ?>" data-nivella-value="<?php echo esc_attr( $line['raw'][ $column ] ); ?>"><bdi><?php echo esc_html( $line[ $column ] ); ?></bdi></td>
						<?php endforeach; ?>
					</tr>
				<?php endforeach; ?>
			</tbody>
		</table>
	<?php endif; ?>

	<p class="nivella-whom">
		<?php if ( $view['story']['person'] ) : ?>
			<?php esc_html_e( 'Wallet:', 'nivella-credit-wallet' ); ?>
			<a href="<?php echo esc_url( $view['story']['person']['url'] ); ?>" data-nivella="wallet-link"><bdi><?php echo esc_html( $view['story']['person']['name'] ); ?></bdi></a>
		<?php else : ?>
			<?php esc_html_e( 'Nobody has these credits yet.', 'nivella-credit-wallet' ); ?>
			<bdi><?php echo esc_html( $view['story']['buyer'] ); ?></bdi>
		<?php endif; ?>
	</p>

	<details class="nivella-details" data-nivella="explain"<?php if ( $view['is_open'] ) : ?> open<?php endif; ?>>
		<summary><?php esc_html_e( 'Explain', 'nivella-credit-wallet' ); ?></summary>
		<p><strong><bdi><?php echo esc_html( $view['story']['status'] ); ?></bdi></strong>: <?php echo esc_html( $view['story']['meaning'] ); ?></p>
		<dl class="nivella-times">
			<?php foreach ( $view['story']['times'] as $what => $when ) : ?>
				<div><dt><?php echo esc_html( $what ); ?></dt><dd><?php echo esc_html( $when ); ?></dd></div>
			<?php endforeach; ?>
		</dl>
		<?php foreach ( $view['story']['lines'] as $line ) : ?>
			<h3><bdi><?php echo esc_html( $line['name'] ); ?></bdi></h3>
			<ul class="nivella-reasons">
				<?php if ( '' !== $line['worth'] ) : ?>
					<li><?php esc_html_e( 'Value:', 'nivella-credit-wallet' ); ?> <?php echo esc_html( $line['worth'] ); ?></li>
				<?php endif; ?>
				<?php if ( '' !== $line['arithmetic'] ) : ?>
					<li><?php echo esc_html( $line['arithmetic'] ); ?></li>
				<?php endif; ?>
				<?php if ( '' !== $line['site'] ) : ?>
					<li><?php esc_html_e( 'Where it goes:', 'nivella-credit-wallet' ); ?> <?php echo esc_html( $line['site'] ); ?></li>
				<?php endif; ?>
				<li><?php echo esc_html( $line['says'] ); ?></li>
			</ul>
		<?php endforeach; ?>
		<?php if ( $view['story']['steps'] ) : ?>
			<h3><?php esc_html_e( 'What happened to its credits', 'nivella-credit-wallet' ); ?></h3>
			<ol class="nivella-steps" data-nivella="story-steps">
				<?php foreach ( $view['story']['steps'] as $step ) : ?>
					<li>
						<?php if ( '' !== $step['at'] ) : ?>
							<span class="nivella-minor"><?php echo esc_html( $step['at'] ); ?></span>
						<?php endif; ?>
						<?php echo esc_html( $step['says'] ); ?>
					</li>
				<?php endforeach; ?>
			</ol>
		<?php endif; ?>
		<?php if ( $view['story']['deliveries'] ) : ?>
			<h3><?php esc_html_e( 'What the shop sent', 'nivella-credit-wallet' ); ?></h3>
			<ol class="nivella-steps" data-nivella="story-deliveries">
				<?php foreach ( $view['story']['deliveries'] as $delivery ) : ?>
					<li>
						<span class="nivella-minor"><?php echo esc_html( $delivery['at'] ); ?></span>
						<code><?php echo esc_html( $delivery['topic'] ); ?></code>
						<?php echo esc_html( $delivery['result'] ); ?>
						<?php if ( '' !== $delivery['reason'] ) : ?>
							<span class="nivella-minor"><?php echo esc_html( $delivery['reason'] ); ?></span>
						<?php endif; ?>
					</li>
				<?php endforeach; ?>
			</ol>
		<?php endif; ?>
	</details>
</div>
