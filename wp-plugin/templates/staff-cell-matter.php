<?php
/**
 * What an order waits for, in the list.
 *
 * @package Nivella\CreditWallet
 * @var array $view From Orders_Table.
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( '' !== $view['parked'] ) : ?>
	<span class="nivella-line"><span class="nivella-tag nivella-status-low"><?php esc_html_e( 'Parked', 'nivella-credit-wallet' ); ?></span> <bdi><?php echo esc_html( $view['parked'] ); ?></bdi></span>
<?php endif; ?>
<?php if ( '' !== $view['attention'] ) : ?>
	<span class="nivella-line"><span class="nivella-tag nivella-status-critical"><?php esc_html_e( 'Needs a look', 'nivella-credit-wallet' ); ?></span> <bdi><?php echo esc_html( $view['attention'] ); ?></bdi></span>
<?php endif; ?>
<span class="nivella-line"><bdi><?php echo esc_html( $view['summary'] ); ?></bdi></span>
