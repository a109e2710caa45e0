<?php
/**
 * What a variation sells, in its data.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ fields: array } from product_fields_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<fieldset class="nivella-variation-fields" data-nivella="variation-fields">
	<legend><?php esc_html_e( 'AI Credits', 'nivella-credit-wallet' ); ?></legend>
	<?php \Nivella\CreditWallet\show( 'selling-fields', $view['fields'] + array( 'row' => 'form-row form-row-full' ) ); ?>
</fieldset>
