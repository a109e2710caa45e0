<?php
/**
 * Whose wallet it is, in the list.
 *
 * @package Nivella\CreditWallet
 * @var array $view From person_view(), with `id` and `url`.
 */

defined( 'ABSPATH' ) || exit;
?>
<strong><a class="row-title" href="<?php echo esc_url( $view['url'] ); ?>" data-nivella="wallet-link" data-nivella-account="<?php echo esc_attr( $view['id'] ); ?>"><bdi><?php echo esc_html( $view['name'] ); ?></bdi></a></strong>
<?php \Nivella\CreditWallet\show( 'staff-person-marks', $view ); ?>
<span class="nivella-narrow nivella-line" aria-hidden="true"><bdi><?php echo esc_html( $view['available'] ); ?></bdi></span>
<?php if ( '' !== $view['user_url'] ) : ?>
	<div class="row-actions">
		<span><a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'Open', 'nivella-credit-wallet' ); ?><span class="screen-reader-text"> <?php echo esc_html( $view['name'] ); ?></span></a> | </span>
		<span><a href="<?php echo esc_url( $view['user_url'] ); ?>" data-nivella="user-link"><?php esc_html_e( 'User', 'nivella-credit-wallet' ); ?><span class="screen-reader-text"> <?php echo esc_html( $view['name'] ); ?></span></a></span>
	</div>
<?php endif; ?>
