<?php
/**
 * Whether customers are asked for the website.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_site_field_setting().
 */

defined( 'ABSPATH' ) || exit;
?>
<select id="<?php echo esc_attr( $view['id'] ); ?>" name="<?php echo esc_attr( $view['name'] ); ?>" aria-describedby="<?php echo esc_attr( $view['id'] ); ?>-help" data-nivella="setting-site-field">
	<?php foreach ( $view['modes'] as $mode => $label ) : ?>
		<option value="<?php echo esc_attr( $mode ); ?>"<?php selected( $mode, $view['value'] ); ?>><?php echo esc_html( $label ); ?></option>
	<?php endforeach; ?>
</select>
<p class="description" id="<?php echo esc_attr( $view['id'] ); ?>-help"><?php esc_html_e( 'On the product page, and at checkout when it is not known yet. Credits bought for a website can only be used there; all others by every website of the customer.', 'nivella-credit-wallet' ); ?></p>
