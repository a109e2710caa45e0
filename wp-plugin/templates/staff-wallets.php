<?php
/**
 * All wallets of a shop.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_shop_page().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="wrap nivella-wrap nivella-staff" data-nivella="shop">
	<h1 class="wp-heading-inline"><?php esc_html_e( 'Wallets', 'nivella-credit-wallet' ); ?></h1>
	<a class="page-title-action" href="<?php echo esc_url( $view['orders'] ); ?>" data-nivella="orders-link"><?php esc_html_e( 'Waiting orders', 'nivella-credit-wallet' ); ?></a>
	<hr class="wp-header-end">
	<p class="nivella-lead">
		<?php esc_html_e( 'Every customer of this shop has a wallet and sees it under My Account. Name of the store in the wallet service:', 'nivella-credit-wallet' ); ?>
		<code data-nivella="store"><?php echo esc_html( $view['store'] ); ?></code>
	</p>
	<?php \Nivella\CreditWallet\show( 'staff-trouble', array( 'trouble' => $view['trouble'] ) ); ?>

	<?php if ( ! $view['trouble'] ) : ?>
		<?php $view['table']->views(); ?>
		<form method="get" action="<?php echo esc_url( $view['action'] ); ?>" class="nivella-list" data-nivella="customer-search">
			<input type="hidden" name="page" value="<?php echo esc_attr( $view['page'] ); ?>">
			<?php if ( 'all' !== $view['asked']['filter'] ) : ?>
				<input type="hidden" name="filter" value="<?php echo esc_attr( $view['asked']['filter'] ); ?>">
			<?php endif; ?>
			<?php foreach ( $view['sort'] as $name => $value ) : ?>
				<input type="hidden" name="<?php echo esc_attr( $name ); ?>" value="<?php echo esc_attr( $value ); ?>">
			<?php endforeach; ?>
			<?php // The table's own search hides itself while there are no wallets, but users who never bought are found here, too. ?>
			<p class="search-box">
				<label class="screen-reader-text" for="nivella-search-input"><?php esc_html_e( 'Search wallets', 'nivella-credit-wallet' ); ?>:</label>
				<input type="search" id="nivella-search-input" name="s" value="<?php echo esc_attr( $view['asked']['query'] ); ?>">
				<button type="submit" id="search-submit" class="button"><?php esc_html_e( 'Search wallets', 'nivella-credit-wallet' ); ?></button>
			</p>
			<p class="description nivella-hint"><?php esc_html_e( 'Name, e-mail address, user number, account ID or website.', 'nivella-credit-wallet' ); ?></p>
		</form>
		<?php $view['table']->display(); ?>
	<?php endif; ?>

	<?php if ( null !== $view['users'] ) : ?>
		<section class="nivella nivella-admin" aria-labelledby="nivella-users">
			<h2 id="nivella-users"><?php esc_html_e( 'Users of this website that match, too', 'nivella-credit-wallet' ); ?></h2>
			<?php if ( $view['users'] ) : ?>
				<ul class="nivella-found" data-nivella="found">
					<?php foreach ( $view['users'] as $user ) : ?>
						<li>
							<a href="<?php echo esc_url( $user['url'] ); ?>" data-nivella="customer" data-nivella-customer="<?php echo esc_attr( $user['id'] ); ?>"><bdi><?php echo esc_html( $user['name'] ); ?></bdi></a>
							<span class="nivella-minor"><bdi><?php echo esc_html( $user['email'] ); ?></bdi></span>
							<?php if ( '' !== $user['says'] ) : ?>
								<span class="nivella-minor" data-nivella="customer-says"><?php echo esc_html( $user['says'] ); ?></span>
							<?php endif; ?>
						</li>
					<?php endforeach; ?>
				</ul>
			<?php else : ?>
				<p data-nivella="found-none"><?php esc_html_e( 'No other user of this website matches.', 'nivella-credit-wallet' ); ?></p>
			<?php endif; ?>
		</section>
	<?php endif; ?>
</div>
