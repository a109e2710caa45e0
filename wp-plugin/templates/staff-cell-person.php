<?php
/**
 * Whose order it is, in the list.
 *
 * @package Nivella\CreditWallet
 * @var array $view From person_view(), with `url`.
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( '' !== $view['url'] ) : ?>
	<a href="<?php echo esc_url( $view['url'] ); ?>" data-nivella="wallet-link"><bdi><?php echo esc_html( $view['name'] ); ?></bdi></a>
<?php else : ?>
	<bdi><?php echo esc_html( $view['name'] ); ?></bdi>
<?php endif; ?>
<?php \Nivella\CreditWallet\show( 'staff-person-marks', $view ); ?>
