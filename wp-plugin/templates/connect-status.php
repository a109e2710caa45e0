<?php
/**
 * How it stands with the connection of a shop.
 *
 * @package Nivella\CreditWallet
 * @var array $view From status_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<section class="nivella-panel" data-nivella="status" data-nivella-state="<?php echo esc_attr( $view['is_green'] ? 'ok' : 'trouble' ); ?>">
	<div class="nivella-hero-head">
		<h2><?php esc_html_e( 'This shop is connected', 'nivella-credit-wallet' ); ?></h2>
		<?php if ( $view['is_green'] ) : ?>
			<span class="nivella-status nivella-status-ok"><?php esc_html_e( 'All is well', 'nivella-credit-wallet' ); ?></span>
		<?php else : ?>
			<span class="nivella-status nivella-status-critical"><?php esc_html_e( 'Needs a look', 'nivella-credit-wallet' ); ?></span>
		<?php endif; ?>
	</div>

	<dl class="nivella-connect-facts">
		<div><dt><?php esc_html_e( 'Store', 'nivella-credit-wallet' ); ?></dt><dd data-nivella="store"><?php echo esc_html( $view['store'] ); ?></dd></div>
		<div><dt><?php esc_html_e( 'Wallet service', 'nivella-credit-wallet' ); ?></dt><dd data-nivella="daemon"><?php echo esc_html( $view['url'] ); ?></dd></div>
		<div><dt><?php esc_html_e( 'Connected since', 'nivella-credit-wallet' ); ?></dt><dd><?php echo esc_html( $view['since'] ); ?></dd></div>
		<div><dt><?php esc_html_e( 'Last delivery from here', 'nivella-credit-wallet' ); ?></dt><dd data-nivella="last-delivery"><?php echo esc_html( $view['last'] ); ?></dd></div>
		<?php foreach ( $view['daemon']['rows'] as $row ) : ?>
			<div data-nivella="daemon-row"><dt><?php echo esc_html( $row['name'] ); ?></dt><dd><?php echo esc_html( $row['value'] ); ?></dd></div>
		<?php endforeach; ?>
	</dl>

	<?php if ( $view['is_copy'] ) : ?>
		<div class="notice notice-error inline nivella-notice" data-nivella="copy">
			<p><strong><?php echo esc_html( $view['copy'][0] ); ?></strong> <?php echo esc_html( $view['copy'][1] ); ?></p>
		</div>
	<?php endif; ?>
	<?php if ( $view['daemon']['trouble'] ) : ?>
		<div class="notice notice-error inline nivella-notice" data-nivella="daemon-trouble" data-nivella-code="<?php echo esc_attr( $view['daemon']['trouble']['code'] ); ?>">
			<p><strong><?php echo esc_html( $view['daemon']['trouble']['reason'] ); ?></strong> <?php echo esc_html( $view['daemon']['trouble']['remedy'] ); ?></p>
		</div>
	<?php endif; ?>
	<?php if ( '' !== $view['waiting_text'] ) : ?>
		<div class="notice notice-warning inline nivella-notice" data-nivella="waiting"><p><?php echo esc_html( $view['waiting_text'] ); ?></p></div>
	<?php endif; ?>
	<?php if ( ! $view['woocommerce'] ) : ?>
		<div class="notice notice-error inline nivella-notice"><p><?php esc_html_e( 'WooCommerce is not active, so nothing is sold and nothing is delivered.', 'nivella-credit-wallet' ); ?></p></div>
	<?php endif; ?>

	<?php if ( $view['webhooks'] ) : ?>
		<h3><?php esc_html_e( 'Webhooks', 'nivella-credit-wallet' ); ?></h3>
		<ul class="nivella-connect-webhooks">
			<?php foreach ( $view['webhooks'] as $webhook ) : ?>
				<li data-nivella="webhook" data-nivella-topic="<?php echo esc_attr( $webhook['topic'] ); ?>" data-nivella-state="<?php echo esc_attr( $webhook['state'] ); ?>">
					<?php if ( '' !== $webhook['url'] ) : ?>
						<a href="<?php echo esc_url( $webhook['url'] ); ?>"><?php echo esc_html( $webhook['what'] ); ?></a>
					<?php else : ?>
						<span><?php echo esc_html( $webhook['what'] ); ?></span>
					<?php endif; ?>
					<span class="nivella-status <?php echo esc_attr( 'active' === $webhook['state'] ? 'nivella-status-ok' : 'nivella-status-critical' ); ?>"><?php echo esc_html( $webhook['words'] ); ?></span>
					<?php if ( '' !== $webhook['note'] ) : ?>
						<span class="nivella-minor"><?php echo esc_html( $webhook['note'] ); ?></span>
					<?php endif; ?>
				</li>
			<?php endforeach; ?>
		</ul>
	<?php endif; ?>

	<?php if ( $view['faults'] ) : ?>
		<h3><?php esc_html_e( 'Last errors', 'nivella-credit-wallet' ); ?></h3>
		<ul class="nivella-connect-faults">
			<?php foreach ( $view['faults'] as $fault ) : ?>
				<li data-nivella="fault" data-nivella-code="<?php echo esc_attr( $fault['code'] ); ?>">
					<strong><?php echo esc_html( $fault['what'] ); ?></strong>
					<?php echo esc_html( $fault['reason'] ); ?>
					<?php echo esc_html( $fault['remedy'] ); ?>
				</li>
			<?php endforeach; ?>
		</ul>
	<?php endif; ?>

	<form method="post" action="<?php echo esc_url( $view['act_url'] ); ?>" class="nivella-acts">
		<input type="hidden" name="action" value="<?php echo esc_attr( $view['mend_action'] ); ?>">
		<input type="hidden" name="_wpnonce" value="<?php echo esc_attr( $view['mend_nonce'] ); ?>">
		<button type="submit" class="button <?php echo esc_attr( $view['is_well'] ? '' : 'button-primary' ); ?>" data-nivella="mend"><?php echo esc_html( $view['mend_label'] ); ?></button>
	</form>
</section>
