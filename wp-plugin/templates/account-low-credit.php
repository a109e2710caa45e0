<?php
/**
 * On the first page of My Account: credits run low.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_account_low_credit().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-front">
	<div class="nivella-notice" role="status" data-nivella="account-low-credit" data-nivella-status="<?php echo esc_attr( $view['status'] ); ?>">
		<p>
			<strong><?php echo esc_html( $view['sentence'] ); ?></strong>
			<a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'Open AI Credits', 'nivella-credit-wallet' ); ?></a>
		</p>
	</div>
</div>
