<?php
/**
 * The field for the name of the store.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_settings_field().
 */

defined( 'ABSPATH' ) || exit;
?>
<input type="text" class="regular-text code" id="<?php echo esc_attr( $view['id'] ); ?>" name="<?php echo esc_attr( $view['name'] ); ?>" value="<?php echo esc_attr( $view['value'] ); ?>" spellcheck="false" aria-describedby="<?php echo esc_attr( $view['id'] ); ?>-help" data-nivella="setting-store">
<p class="description" id="<?php echo esc_attr( $view['id'] ); ?>-help"><?php esc_html_e( 'Only on the shop that sells credits: its name in the wallet service (nivella-wallet store list). Leave empty on a customer\'s website.', 'nivella-credit-wallet' ); ?></p>
