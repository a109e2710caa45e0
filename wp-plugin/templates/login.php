<?php
/**
 * What a visitor sees who is not logged in.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ url: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<p class="nivella nivella-front" data-nivella="login">
	<a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'Log in to see your credits', 'nivella-credit-wallet' ); ?></a>
</p>
