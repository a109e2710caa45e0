<?php
/**
 * What a product sells, in its data.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ fields: array } from product_fields_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<div id="nivella_credits_product_data" class="panel woocommerce_options_panel hidden" data-nivella="product-fields">
	<div class="options_group">
		<?php \Nivella\CreditWallet\show( 'selling-fields', $view['fields'] + array( 'row' => '' ) ); ?>
	</div>
	<div class="options_group show_if_variable show_if_variable-subscription">
		<p><?php esc_html_e( 'Each variation takes these unless it has its own.', 'nivella-credit-wallet' ); ?></p>
	</div>
</div>
