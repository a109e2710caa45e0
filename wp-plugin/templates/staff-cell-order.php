<?php
/**
 * An order, in the list, with what can be done.
 *
 * @package Nivella\CreditWallet
 * @var array $view From Orders_Table.
 */

defined( 'ABSPATH' ) || exit;
?>
<strong><a class="row-title" href="<?php echo esc_url( $view['url'] ); ?>" data-nivella="order-link"><?php esc_html_e( 'Order', 'nivella-credit-wallet' ); ?> <bdi><?php echo esc_html( $view['number'] ); ?></bdi></a></strong>
<span class="nivella-minor nivella-line"><bdi><?php echo esc_html( $view['status'] ); ?></bdi></span>
<div class="row-actions visible">
	<span><a href="<?php echo esc_url( $view['url'] ); ?>#nivella-form-assign" data-nivella="order-assign"><?php esc_html_e( 'Assign', 'nivella-credit-wallet' ); ?><span class="screen-reader-text"> <?php echo esc_html( $view['number'] ); ?></span></a></span>
	<span>| <a href="<?php echo esc_url( $view['url'] ); ?>#nivella-form-replay"><?php esc_html_e( 'Process again', 'nivella-credit-wallet' ); ?><span class="screen-reader-text"> <?php echo esc_html( $view['number'] ); ?></span></a></span>
	<?php if ( '' !== $view['link_url'] ) : ?>
		<span>| <a href="<?php echo esc_url( $view['link_url'] ); ?>" data-nivella="order-claim"><?php esc_html_e( 'Claim link', 'nivella-credit-wallet' ); ?><span class="screen-reader-text"> <?php echo esc_html( $view['number'] ); ?></span></a></span>
	<?php endif; ?>
	<?php if ( '' !== $view['edit_url'] ) : ?>
		<span>| <a href="<?php echo esc_url( $view['edit_url'] ); ?>" data-nivella="order-edit"><?php esc_html_e( 'Open in the shop', 'nivella-credit-wallet' ); ?><span class="screen-reader-text"> <?php echo esc_html( $view['number'] ); ?></span></a></span>
	<?php endif; ?>
</div>
