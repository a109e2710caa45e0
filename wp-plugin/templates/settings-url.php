<?php
/**
 * The field for the address.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_settings_field().
 */

defined( 'ABSPATH' ) || exit;
?>
<input type="url" class="regular-text code" id="<?php echo esc_attr( $view['id'] ); ?>" name="<?php echo esc_attr( $view['name'] ); ?>" value="<?php echo esc_attr( $view['value'] ); ?>" placeholder="https://" aria-describedby="<?php echo esc_attr( $view['id'] ); ?>-help" data-nivella="setting-url">
<p class="description" id="<?php echo esc_attr( $view['id'] ); ?>-help"><?php esc_html_e( 'The same for the shop and for all its customers.', 'nivella-credit-wallet' ); ?></p>
