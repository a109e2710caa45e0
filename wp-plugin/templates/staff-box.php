<?php
/**
 * The box on an order's screen, before anything is known.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_order_box().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-admin nivella-box" data-nivella="order-box" data-nivella-url="<?php echo esc_url( $view['ajax_url'] ); ?>" data-nivella-order="<?php echo esc_attr( $view['order_id'] ); ?>" data-nivella-nonce="<?php echo esc_attr( $view['nonce'] ); ?>" data-nivella-box="<?php echo esc_attr( $view['box'] ); ?>" data-nivella-preview="<?php echo esc_attr( $view['preview'] ); ?>" data-nivella-failed="<?php esc_attr_e( 'The shop did not answer. Reload the page.', 'nivella-credit-wallet' ); ?>" data-nivella-asking="<?php esc_attr_e( 'Asking the wallet service…', 'nivella-credit-wallet' ); ?>">
	<p class="nivella-preview" role="status" aria-live="polite" data-nivella="preview" hidden></p>
	<ul class="nivella-preview-notes" data-nivella="preview-notes" hidden></ul>
	<div data-nivella="order-box-content" aria-busy="false">
		<p><a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'Show the credits of this order', 'nivella-credit-wallet' ); ?></a></p>
	</div>
</div>
