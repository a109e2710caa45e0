<?php
/**
 * Orders with credits that wait for somebody.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_orders_page().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="wrap nivella-wrap nivella-staff" data-nivella="orders">
	<h1><?php esc_html_e( 'Orders with credits', 'nivella-credit-wallet' ); ?></h1>
	<hr class="wp-header-end">
	<p class="nivella-lead"><?php esc_html_e( 'Paid orders whose credits have not found their customer or their website, and orders that somebody should look at.', 'nivella-credit-wallet' ); ?></p>
	<?php \Nivella\CreditWallet\show( 'staff-trouble', array( 'trouble' => $view['trouble'] ) ); ?>
	<?php if ( ! $view['trouble'] ) : ?>
		<?php $view['table']->views(); ?>
		<form method="get" action="<?php echo esc_url( $view['action'] ); ?>" class="nivella-list">
			<input type="hidden" name="page" value="<?php echo esc_attr( $view['page'] ); ?>">
			<input type="hidden" name="state" value="<?php echo esc_attr( $view['state'] ); ?>">
			<?php $view['table']->search_box( __( 'Search orders', 'nivella-credit-wallet' ), 'nivella' ); ?>
		</form>
		<?php $view['table']->display(); ?>
	<?php endif; ?>
</div>
