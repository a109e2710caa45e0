<?php
/**
 * After checkout: how a guest's credits become theirs.
 *
 * @package Nivella\CreditWallet
 * @var array $view From claim_link_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-front">
	<section class="nivella-panel" aria-labelledby="nivella-claim-link" data-nivella="claim-link">
		<h2 id="nivella-claim-link"><?php esc_html_e( 'Your credits', 'nivella-credit-wallet' ); ?></h2>
		<p><?php echo esc_html( $view['says'] ); ?></p>
		<p><a class="button button-primary wp-element-button" href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'See my credits', 'nivella-credit-wallet' ); ?></a></p>
	</section>
</div>
