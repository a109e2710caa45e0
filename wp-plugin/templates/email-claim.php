<?php
/**
 * In an e-mail: how a guest's credits become theirs.
 *
 * @package Nivella\CreditWallet
 * @var array $view From claim_link_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<h2><?php esc_html_e( 'Your credits', 'nivella-credit-wallet' ); ?></h2>
<p>
	<?php echo esc_html( $view['says'] ); ?><br>
	<a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'See my credits', 'nivella-credit-wallet' ); ?></a>
</p>
