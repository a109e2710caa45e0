<?php
/**
 * One customer's wallet, for staff.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_wallet_page().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="wrap nivella-wrap nivella-staff" data-nivella="staff-wallet">
	<p class="nivella-back"><a href="<?php echo esc_url( $view['list_url'] ); ?>"><?php esc_html_e( 'All wallets', 'nivella-credit-wallet' ); ?></a></p>
	<h1 data-nivella="customer-name"><bdi><?php echo esc_html( $view['person']['name'] ); ?></bdi></h1>
	<hr class="wp-header-end">
	<p class="nivella-lead nivella-facts">
		<?php if ( $view['person']['is_guest'] ) : ?>
			<span class="nivella-tag"><?php esc_html_e( 'Guest', 'nivella-credit-wallet' ); ?></span>
		<?php endif; ?>
		<?php if ( '' !== $view['person']['email'] && $view['person']['email'] !== $view['person']['name'] ) : ?>
			<bdi><?php echo esc_html( $view['person']['email'] ); ?></bdi>
		<?php endif; ?>
		<?php if ( '' !== $view['person']['user_url'] ) : ?>
			<a href="<?php echo esc_url( $view['person']['user_url'] ); ?>"><?php esc_html_e( 'User of this website', 'nivella-credit-wallet' ); ?></a>
		<?php endif; ?>
		<?php if ( $view['account'] ) : ?>
			<strong data-nivella="account-has"><?php echo esc_html( $view['account']['has'] ); ?></strong>
			<?php if ( '' !== $view['account']['debt'] ) : ?>
				<span class="nivella-bad-text"><?php echo esc_html( $view['account']['debt'] ); ?></span>
			<?php endif; ?>
			<code data-nivella="account"><?php echo esc_html( $view['account']['id'] ); ?></code>
		<?php endif; ?>
	</p>

	<?php \Nivella\CreditWallet\show( 'staff-state', array( 'state' => $view['state'] ) ); ?>
	<?php \Nivella\CreditWallet\show( 'staff-trouble', array( 'trouble' => $view['trouble'] ) ); ?>

	<?php if ( $view['is_new'] ) : ?>
		<div class="notice notice-info inline nivella-notice" data-nivella="new">
			<p><?php esc_html_e( 'No wallet yet: it is opened with the first purchase, or when you give credits or assign a website here.', 'nivella-credit-wallet' ); ?></p>
		</div>
	<?php endif; ?>

	<?php if ( $view['account'] && $view['account']['freeze'] ) : ?>
		<div class="notice notice-error inline nivella-notice" data-nivella="frozen">
			<p>
				<strong><?php esc_html_e( 'On hold: nothing new can be spent.', 'nivella-credit-wallet' ); ?></strong>
				<bdi><?php echo esc_html( $view['account']['freeze']['reason'] ); ?></bdi>
				<?php echo esc_html( $view['account']['freeze']['since'] ); ?>
			</p>
		</div>
	<?php endif; ?>

	<?php if ( $view['acts'] ) : ?>
		<section class="nivella nivella-admin nivella-actbox" aria-labelledby="nivella-acts">
			<h2 id="nivella-acts"><?php esc_html_e( 'Change this wallet', 'nivella-credit-wallet' ); ?></h2>
			<?php foreach ( $view['acts'] as $act ) : ?>
				<?php \Nivella\CreditWallet\show( 'staff-act', $act ); ?>
			<?php endforeach; ?>
		</section>
	<?php endif; ?>

	<?php if ( $view['account'] && $view['account']['sites'] ) : ?>
		<section class="nivella nivella-admin" aria-labelledby="nivella-sites">
			<div class="nivella-panel">
				<h2 id="nivella-sites"><?php esc_html_e( 'Websites of this customer', 'nivella-credit-wallet' ); ?></h2>
				<table class="widefat striped nivella-table nivella-stacks" data-nivella="staff-sites">
					<thead>
						<tr>
							<th scope="col"><?php esc_html_e( 'Website', 'nivella-credit-wallet' ); ?></th>
							<th scope="col" class="nivella-number"><?php esc_html_e( 'Only for it', 'nivella-credit-wallet' ); ?></th>
							<th scope="col" class="nivella-number"><?php esc_html_e( 'With the pool', 'nivella-credit-wallet' ); ?></th>
						</tr>
					</thead>
					<tbody>
						<?php foreach ( $view['account']['sites'] as $site ) : ?>
							<tr data-nivella="staff-site" data-nivella-site="<?php echo esc_attr( $site['id'] ); ?>">
								<th scope="row">
									<bdi><?php echo esc_html( $site['id'] ); ?></bdi>
									<?php if ( '' !== $site['label'] && $site['label'] !== $site['id'] ) : ?>
										<span class="nivella-minor nivella-line"><bdi><?php echo esc_html( $site['label'] ); ?></bdi></span>
									<?php endif; ?>
									<?php if ( '' !== $site['client'] ) : ?>
										<span class="nivella-minor nivella-line"><?php esc_html_e( 'Client:', 'nivella-credit-wallet' ); ?> <bdi><?php echo esc_html( $site['client'] ); ?></bdi></span>
									<?php endif; ?>
								</th>
								<td class="nivella-number" data-nivella-label="<?php esc_attr_e( 'Only for it', 'nivella-credit-wallet' ); ?>" data-nivella-value="<?php echo esc_attr( $site['only_raw'] ); ?>"><bdi><?php echo esc_html( $site['only'] ); ?></bdi></td>
								<td class="nivella-number" data-nivella-label="<?php esc_attr_e( 'With the pool', 'nivella-credit-wallet' ); ?>"><bdi><?php echo esc_html( $site['available'] ); ?></bdi></td>
							</tr>
						<?php endforeach; ?>
					</tbody>
				</table>
			</div>
		</section>
	<?php endif; ?>

	<?php if ( $view['wallet'] ) : ?>
		<?php \Nivella\CreditWallet\show( 'wallet', $view['wallet'] ); ?>
	<?php endif; ?>
</div>
