<?php
/**
 * How much can be used, and when more arrives.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<section class="nivella-panel nivella-hero" aria-labelledby="<?php echo esc_attr( $view['id'] ); ?>-balance">
	<div class="nivella-hero-head">
		<h2 id="<?php echo esc_attr( $view['id'] ); ?>-balance"><?php esc_html_e( 'You can use now', 'nivella-credit-wallet' ); ?></h2>
		<?php if ( '' !== $view['whose'] ) : ?>
			<span class="nivella-whose" data-nivella="whose"><bdi><?php echo esc_html( $view['whose'] ); ?></bdi></span>
		<?php endif; ?>
		<span class="nivella-status nivella-status-<?php echo esc_attr( $view['balance']['tone'] ); ?>" data-nivella="status"><?php echo esc_html( $view['balance']['status_label'] ); ?></span>
	</div>

	<p class="nivella-amount">
		<strong data-nivella="balance" data-nivella-value="<?php echo esc_attr( $view['balance']['available_raw'] ); ?>"><bdi><?php echo esc_html( $view['balance']['available'] ); ?></bdi></strong>
		<span class="nivella-unit" data-nivella="unit"><bdi><?php echo esc_html( $view['unit'] ); ?></bdi></span>
	</p>

	<?php if ( $view['balance']['alert'] ) : ?>
		<p class="nivella-alert nivella-status-<?php echo esc_attr( $view['balance']['tone'] ); ?>" data-nivella="note-<?php echo esc_attr( $view['balance']['alert']['id'] ); ?>"><?php echo esc_html( $view['balance']['alert']['text'] ); ?></p>
	<?php endif; ?>

	<div class="nivella-answer" data-nivella="answer">
		<p data-nivella="renewal"><?php echo esc_html( $view['balance']['renewal'] ); ?></p>
		<?php if ( '' !== $view['balance']['runway'] ) : ?>
			<p data-nivella="runway"><?php echo esc_html( $view['balance']['runway'] ); ?></p>
		<?php endif; ?>
		<?php if ( '' !== $view['balance']['next_expiry'] ) : ?>
			<p data-nivella="next-expiry"><?php echo esc_html( $view['balance']['next_expiry'] ); ?></p>
		<?php endif; ?>
		<?php foreach ( $view['balance']['notes'] as $note ) : ?>
			<p data-nivella="note-<?php echo esc_attr( $note['id'] ); ?>"><?php echo esc_html( $note['text'] ); ?></p>
		<?php endforeach; ?>
	</div>

	<svg class="nivella-bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false">
		<?php foreach ( $view['balance']['bar'] as $part => $place ) : ?>
			<rect class="nivella-bar-<?php echo esc_attr( $part ); ?>" x="<?php echo esc_attr( $place['x'] ); ?>" y="0" width="<?php echo esc_attr( $place['width'] ); ?>" height="1" />
		<?php endforeach; ?>
	</svg>

	<dl class="nivella-figures">
		<?php foreach ( $view['balance']['figures'] as $name => list( $label, $raw, $amount ) ) : ?>
			<div class="nivella-figure nivella-figure-<?php echo esc_attr( $name ); ?>">
				<dt><?php echo esc_html( $label ); ?></dt>
				<dd data-nivella="<?php echo esc_attr( $name ); ?>" data-nivella-value="<?php echo esc_attr( $raw ); ?>"><bdi><?php echo esc_html( $amount ); ?></bdi></dd>
			</div>
		<?php endforeach; ?>
	</dl>

	<div class="nivella-acts">
		<?php if ( $view['top_up'] ) : ?>
			<a class="button button-primary wp-element-button" href="<?php echo esc_url( $view['top_up'] ); ?>" data-nivella="top-up"><?php esc_html_e( 'Top up', 'nivella-credit-wallet' ); ?></a>
		<?php endif; ?>
		<?php \Nivella\CreditWallet\show( 'refresh', $view['refresh'] ); ?>
		<span class="nivella-as-of">
			<?php esc_html_e( 'As of', 'nivella-credit-wallet' ); ?>
			<time data-nivella="as-of" datetime="<?php echo esc_attr( $view['balance']['as_of_iso'] ); ?>"><?php echo esc_html( $view['balance']['as_of'] ); ?></time>
		</span>
		<?php if ( $view['docs'] ) : ?>
			<a class="nivella-docs" href="<?php echo esc_url( $view['docs'] ); ?>" data-nivella="docs"><?php esc_html_e( 'How credits work', 'nivella-credit-wallet' ); ?></a>
		<?php endif; ?>
	</div>
</section>
