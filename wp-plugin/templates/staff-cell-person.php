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
<?php if ( $view['is_guest'] ) : ?>
	<span class="nivella-tag"><?php esc_html_e( 'Guest', 'nivella-credit-wallet' ); ?></span>
<?php endif; ?>
<?php if ( '' !== $view['email'] && $view['email'] !== $view['name'] ) : ?>
	<span class="nivella-minor nivella-line"><bdi><?php echo esc_html( $view['email'] ); ?></bdi></span>
<?php endif; ?>
