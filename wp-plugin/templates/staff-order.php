<?php
/**
 * One order's credits, for staff.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_order_page().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="wrap nivella-wrap nivella-staff" data-nivella="staff-order">
	<p class="nivella-back">
		<a href="<?php echo esc_url( $view['list_url'] ); ?>"><?php esc_html_e( 'All waiting orders', 'nivella-credit-wallet' ); ?></a>
		<?php if ( '' !== $view['edit_url'] ) : ?>
			<a href="<?php echo esc_url( $view['edit_url'] ); ?>" data-nivella="order-edit"><?php esc_html_e( 'Open the order in the shop', 'nivella-credit-wallet' ); ?></a>
		<?php endif; ?>
	</p>
	<h1><?php esc_html_e( 'AI Credits of order', 'nivella-credit-wallet' ); ?> <bdi><?php echo esc_html( $view['number'] ); ?></bdi></h1>
	<hr class="wp-header-end">

	<?php \Nivella\CreditWallet\show( 'staff-state', array( 'state' => $view['state'] ) ); ?>
	<?php \Nivella\CreditWallet\show( 'staff-trouble', array( 'trouble' => $view['trouble'] ) ); ?>

	<?php if ( $view['story'] ) : ?>
		<div class="nivella nivella-admin">
			<div class="nivella-panel">
				<?php
				\Nivella\CreditWallet\show(
					'staff-story',
					array(
						'story'   => $view['story'],
						'is_open' => true,
					)
				);
				?>
			</div>
		</div>
		<section class="nivella nivella-admin" aria-labelledby="nivella-preview-title">
			<div class="nivella-panel">
				<h2 id="nivella-preview-title"><?php esc_html_e( 'What would a refund take back?', 'nivella-credit-wallet' ); ?></h2>
				<form method="get" action="<?php echo esc_url( $view['preview']['action'] ); ?>" class="nivella-search" data-nivella="preview-form">
					<input type="hidden" name="page" value="<?php echo esc_attr( $view['preview']['page'] ); ?>">
					<input type="hidden" name="order_id" value="<?php echo esc_attr( $view['preview']['order_id'] ); ?>">
					<label for="nivella-amount"><?php esc_html_e( 'Amount to refund', 'nivella-credit-wallet' ); ?></label>
					<input type="text" id="nivella-amount" name="amount" inputmode="decimal" value="<?php echo esc_attr( $view['preview']['amount'] ); ?>" required>
					<button type="submit" class="button"><?php esc_html_e( 'Preview', 'nivella-credit-wallet' ); ?></button>
				</form>
				<p class="description"><?php esc_html_e( 'Nothing is refunded here, and nothing is taken back.', 'nivella-credit-wallet' ); ?></p>
				<?php if ( $view['preview']['says'] ) : ?>
					<p class="nivella-preview nivella-preview-<?php echo esc_attr( $view['preview']['says']['tone'] ); ?>" role="status" data-nivella="preview"><?php echo esc_html( $view['preview']['says']['text'] ); ?></p>
					<?php foreach ( $view['preview']['says']['notes'] as $note ) : ?>
						<p data-nivella="preview-note"><?php echo esc_html( $note ); ?></p>
					<?php endforeach; ?>
				<?php endif; ?>
			</div>
		</section>
	<?php endif; ?>

	<?php if ( $view['acts'] ) : ?>
		<section class="nivella nivella-admin nivella-actbox" aria-labelledby="nivella-acts">
			<h2 id="nivella-acts"><?php esc_html_e( 'Decide what happens to its credits', 'nivella-credit-wallet' ); ?></h2>
			<?php foreach ( $view['acts'] as $act ) : ?>
				<?php \Nivella\CreditWallet\show( 'staff-act', $act ); ?>
			<?php endforeach; ?>
		</section>
	<?php endif; ?>
</div>
