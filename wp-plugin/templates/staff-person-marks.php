<?php
/**
 * What stands after the name of a customer in a list: that they are a guest, and their address.
 *
 * @package Nivella\CreditWallet
 * @var array $view From person_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( $view['is_guest'] ) : ?>
	<span class="nivella-tag"><?php esc_html_e( 'Guest', 'nivella-credit-wallet' ); ?></span>
<?php endif; ?>
<?php if ( '' !== $view['email'] && $view['email'] !== $view['name'] ) : ?>
	<span class="nivella-minor nivella-line"><bdi><?php echo esc_html( $view['email'] ); ?></bdi></span>
<?php endif; ?>
