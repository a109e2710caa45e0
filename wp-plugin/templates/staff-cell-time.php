<?php
/**
 * A moment, in a list.
 *
 * @package Nivella\CreditWallet
 * @var array $view From moment_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( '' !== $view['at'] ) : ?>
	<time datetime="<?php echo esc_attr( $view['iso'] ); ?>"><?php echo esc_html( $view['at'] ); ?></time>
<?php else : ?>
	<span aria-hidden="true">&#8212;</span><span class="screen-reader-text"><?php esc_html_e( 'Never', 'nivella-credit-wallet' ); ?></span>
<?php endif; ?>
