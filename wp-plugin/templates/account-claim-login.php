<?php
/**
 * Why somebody who follows a claim link is asked to log in.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ may_register: bool }.
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-front">
	<div class="nivella-notice" role="status" data-nivella="claim-login">
		<p>
			<strong><?php esc_html_e( 'Credits are waiting for you.', 'nivella-credit-wallet' ); ?></strong>
			<?php if ( $view['may_register'] ) : ?>
				<?php esc_html_e( 'Log in, or register if you have no account yet. After that they can be added with one click.', 'nivella-credit-wallet' ); ?>
			<?php else : ?>
				<?php esc_html_e( 'Log in with your account; after that they can be added with one click. If you have no account yet, please contact the shop.', 'nivella-credit-wallet' ); ?>
			<?php endif; ?>
		</p>
	</div>
</div>
