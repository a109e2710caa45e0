<?php
/**
 * Connect, on the shop.
 *
 * @package Nivella\CreditWallet
 * @var array $view From connect_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<section class="nivella-panel" data-nivella="connect-shop">
	<h2><?php esc_html_e( 'Connect this shop', 'nivella-credit-wallet' ); ?></h2>
	<p><?php esc_html_e( 'If credits are sold here, one code is all it takes. Whoever runs the wallet service makes it:', 'nivella-credit-wallet' ); ?></p>
	<p><code>nivella-wallet store pair shop</code></p>
	<?php \Nivella\CreditWallet\show( 'connect-code', $view ); ?>
</section>
