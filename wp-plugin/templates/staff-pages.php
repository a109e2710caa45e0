<?php
/**
 * The line above and below a list: how many there are, and the other pages.
 *
 * @package Nivella\CreditWallet
 * @var array $view From pages_view(), with `which`.
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="tablenav <?php echo esc_attr( $view['which'] ); ?>">
	<div class="tablenav-pages nivella-tablenav">
		<?php if ( '' !== $view['total'] ) : ?>
			<span class="displaying-num" data-nivella="total"><?php echo esc_html( $view['total'] ); ?></span>
		<?php endif; ?>
		<?php if ( $view['first'] || $view['prev'] || $view['next'] ) : ?>
			<nav class="pagination-links" aria-label="<?php 'top' === $view['which'] ? esc_attr_e( 'Pages', 'nivella-credit-wallet' ) : esc_attr_e( 'Pages, below the list', 'nivella-credit-wallet' ); ?>">
				<?php if ( $view['first'] ) : ?>
					<a class="button" href="<?php echo esc_url( $view['first'] ); ?>" data-nivella="page-first"><?php esc_html_e( 'First', 'nivella-credit-wallet' ); ?></a>
				<?php endif; ?>
				<?php if ( $view['prev'] ) : ?>
					<a class="button" rel="prev" href="<?php echo esc_url( $view['prev'] ); ?>" data-nivella="page-prev"><?php esc_html_e( 'Previous', 'nivella-credit-wallet' ); ?></a>
				<?php endif; ?>
				<?php if ( $view['next'] ) : ?>
					<a class="button" rel="next" href="<?php echo esc_url( $view['next'] ); ?>" data-nivella="page-next"><?php esc_html_e( 'Next', 'nivella-credit-wallet' ); ?></a>
				<?php endif; ?>
			</nav>
		<?php endif; ?>
	</div>
	<br class="clear">
</div>
