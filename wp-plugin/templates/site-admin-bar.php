<?php
/**
 * The balance in the admin bar.
 *
 * @package Nivella\CreditWallet
 * @var array $view From add_bar_balance().
 */

defined( 'ABSPATH' ) || exit;
?>
<span class="ab-icon" aria-hidden="true"></span><span class="ab-label" data-nivella="bar-balance" data-nivella-value="<?php echo esc_attr( $view['raw'] ); ?>"><bdi><?php echo esc_html( $view['available'] ); ?></bdi></span>
<span class="screen-reader-text"><?php echo esc_html( $view['unit'] ); ?>: <?php echo esc_html( $view['words'] ); ?></span>
<?php if ( '' !== $view['age'] ) : ?>
	<span class="nivella-bar-age" data-nivella="bar-age"><?php echo esc_html( $view['age'] ); ?></span>
<?php endif; ?>
