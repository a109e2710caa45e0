<?php
/**
 * The field for the key, always empty.
 *
 * @package Nivella\CreditWallet
 * @var array $view From show_settings_field().
 */

defined( 'ABSPATH' ) || exit;
?>
<input type="password" class="regular-text code" id="<?php echo esc_attr( $view['id'] ); ?>" name="<?php echo esc_attr( $view['name'] ); ?>" value="" autocomplete="new-password" spellcheck="false" aria-describedby="<?php echo esc_attr( $view['id'] ); ?>-help" data-nivella="setting-key">
<p class="description" id="<?php echo esc_attr( $view['id'] ); ?>-help" data-nivella="key-state">
	<?php if ( '' === $view['saved'] ) : ?>
		<?php esc_html_e( 'No key is saved yet. It begins with nwk_: on a customer\'s website a key for that website, in the shop an admin key.', 'nivella-credit-wallet' ); ?>
	<?php else : ?>
		<?php esc_html_e( 'A key is saved; it ends with', 'nivella-credit-wallet' ); ?>
		<code>…<?php echo esc_html( $view['saved'] ); ?></code>.
		<?php esc_html_e( 'Leave empty to keep it.', 'nivella-credit-wallet' ); ?>
	<?php endif; ?>
</p>
<?php if ( '' !== $view['saved'] ) : ?>
	<p><label><input type="checkbox" name="<?php echo esc_attr( $view['forget_name'] ); ?>" value="1"> <?php esc_html_e( 'Forget the saved key', 'nivella-credit-wallet' ); ?></label></p>
<?php endif; ?>
