<?php
/**
 * For which website credits are bought.
 *
 * @package Nivella\CreditWallet
 * @var array $view From site_field_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella-site-field" data-nivella="site-field">
	<p class="form-row form-row-wide <?php echo esc_attr( $view['is_required'] ? 'validate-required' : '' ); ?>" id="<?php echo esc_attr( $view['name'] ); ?>_field">
		<label for="<?php echo esc_attr( $view['name'] ); ?>">
			<?php echo esc_html( $view['sites'] ? __( 'Website for your credits', 'nivella-credit-wallet' ) : __( 'ID of the website for your credits', 'nivella-credit-wallet' ) ); ?>
			<?php if ( $view['is_required'] ) : ?>
				<span class="required" aria-hidden="true">*</span>
			<?php else : ?>
				<span class="optional"><?php esc_html_e( '(optional)', 'nivella-credit-wallet' ); ?></span>
			<?php endif; ?>
		</label>
		<span class="woocommerce-input-wrapper">
			<?php if ( $view['sites'] ) : ?>
				<select id="<?php echo esc_attr( $view['name'] ); ?>" name="<?php echo esc_attr( $view['name'] ); ?>" class="nivella-site-select" aria-required="<?php echo esc_attr( $view['is_required'] ? 'true' : 'false' ); ?>" aria-describedby="<?php echo esc_attr( $view['id'] ); ?>-hint">
					<option value=""><?php echo esc_html( $view['choose'] ); ?></option>
					<?php foreach ( $view['sites'] as $site => $text ) : ?>
						<option value="<?php echo esc_attr( $site ); ?>"<?php selected( $site, $view['chosen'] ); ?>><?php echo esc_html( $text ); ?></option>
					<?php endforeach; ?>
					<option value="<?php echo esc_attr( $view['other'] ); ?>"<?php selected( $view['other'], $view['chosen'] ); ?>><?php esc_html_e( 'Another website', 'nivella-credit-wallet' ); ?></option>
				</select>
			<?php else : ?>
				<input type="text" class="input-text" id="<?php echo esc_attr( $view['name'] ); ?>" name="<?php echo esc_attr( $view['name'] ); ?>" value="<?php echo esc_attr( $view['typed'] ); ?>" maxlength="200" autocomplete="off" autocapitalize="none" spellcheck="false" aria-required="<?php echo esc_attr( $view['is_required'] ? 'true' : 'false' ); ?>" aria-describedby="<?php echo esc_attr( $view['id'] ); ?>-hint">
			<?php endif; ?>
		</span>
	</p>
	<?php if ( $view['sites'] ) : ?>
		<p class="form-row form-row-wide nivella-site-other" id="<?php echo esc_attr( $view['name_other'] ); ?>_field">
			<label for="<?php echo esc_attr( $view['name_other'] ); ?>"><?php esc_html_e( 'ID of the other website', 'nivella-credit-wallet' ); ?></label>
			<span class="woocommerce-input-wrapper">
				<input type="text" class="input-text" id="<?php echo esc_attr( $view['name_other'] ); ?>" name="<?php echo esc_attr( $view['name_other'] ); ?>" value="<?php echo esc_attr( $view['typed'] ); ?>" maxlength="200" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="<?php echo esc_attr( $view['id'] ); ?>-hint">
			</span>
		</p>
	<?php endif; ?>
	<p class="nivella-site-hint" id="<?php echo esc_attr( $view['id'] ); ?>-hint"><?php echo esc_html( $view['hint'] ); ?></p>
</div>
