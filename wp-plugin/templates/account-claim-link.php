<?php
/**
 * After checkout: how a guest's credits become theirs. The link is in the e-mail only; see customer/claim.php.
 *
 * @package Nivella\CreditWallet
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-front">
	<section class="nivella-panel" aria-labelledby="nivella-claim-link" data-nivella="claim-link">
		<h2 id="nivella-claim-link"><?php esc_html_e( 'Your credits', 'nivella-credit-wallet' ); ?></h2>
		<p><?php esc_html_e( 'You bought credits as a guest. The e-mail about this order has a link with which you see your balance and make the credits part of your account.', 'nivella-credit-wallet' ); ?></p>
	</section>
</div>
