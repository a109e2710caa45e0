<?php
/**
 * The page AI Credits on a shop: look up a customer's wallet.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_shop_page().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="wrap nivella-wrap">
	<h1><?php esc_html_e( 'AI Credits', 'nivella-credit-wallet' ); ?></h1>
	<hr class="wp-header-end">

	<div class="nivella nivella-admin" data-nivella="shop">
		<section class="nivella-panel">
			<h2><?php esc_html_e( 'Look up a customer', 'nivella-credit-wallet' ); ?></h2>
			<p>
				<?php esc_html_e( 'This WordPress is connected as a shop: every customer has a wallet of their own and sees it under My Account. Name of the store in the wallet service:', 'nivella-credit-wallet' ); ?>
				<code data-nivella="store"><?php echo esc_html( $view['store'] ); ?></code>
			</p>
			<form method="get" action="<?php echo esc_url( $view['action'] ); ?>" class="nivella-search" role="search" data-nivella="customer-search">
				<input type="hidden" name="page" value="<?php echo esc_attr( $view['page'] ); ?>">
				<label for="nivella-search"><?php esc_html_e( 'Name, e-mail address or user number', 'nivella-credit-wallet' ); ?></label>
				<input type="search" id="nivella-search" name="s" value="<?php echo esc_attr( $view['search'] ); ?>" required>
				<button type="submit" class="button"><?php esc_html_e( 'Search', 'nivella-credit-wallet' ); ?></button>
			</form>
			<?php if ( '' !== $view['search'] ) : ?>
				<?php if ( $view['found'] ) : ?>
					<ul class="nivella-found" data-nivella="found">
						<?php foreach ( $view['found'] as $user ) : ?>
							<li>
								<a href="<?php echo esc_url( $user['url'] ); ?>" data-nivella="customer" data-nivella-customer="<?php echo esc_attr( $user['id'] ); ?>"><?php echo esc_html( $user['name'] ); ?></a>
								<span class="nivella-minor"><?php echo esc_html( $user['email'] ); ?></span>
							</li>
						<?php endforeach; ?>
					</ul>
				<?php else : ?>
					<p data-nivella="found-none"><?php esc_html_e( 'No user of this site fits.', 'nivella-credit-wallet' ); ?></p>
				<?php endif; ?>
			<?php endif; ?>
		</section>
	</div>

	<?php if ( $view['customer'] ) : ?>
		<h2 class="nivella-customer" data-nivella="customer-name">
			<?php echo esc_html( $view['customer']['name'] ); ?>
			<span class="nivella-minor"><?php echo esc_html( $view['customer']['email'] ); ?></span>
		</h2>
		<?php \Nivella\CreditWallet\show( 'wallet', $view['wallet'] ); ?>
	<?php endif; ?>
</div>
