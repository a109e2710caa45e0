<?php
/**
 * Credits, validity and kind.
 *
 * @package Nivella\CreditWallet
 * @var array $view From product_fields_view(), and `row`, a class for each line.
 */

defined( 'ABSPATH' ) || exit;
?>
<p class="form-field nivella-credits-field <?php echo esc_attr( $view['row'] ); ?>">
	<label for="<?php echo esc_attr( $view['id'] ); ?>-credits"><?php esc_html_e( 'Credits', 'nivella-credit-wallet' ); ?></label>
	<input type="text" class="short" inputmode="decimal" id="<?php echo esc_attr( $view['id'] ); ?>-credits" name="<?php echo esc_attr( $view['name'] ); ?>[credits]" value="<?php echo esc_attr( $view['credits'] ); ?>" placeholder="<?php echo esc_attr( $view['placeholder'] ); ?>" autocomplete="off" aria-describedby="<?php echo esc_attr( $view['id'] ); ?>-credits-hint">
	<span class="description" id="<?php echo esc_attr( $view['id'] ); ?>-credits-hint">
		<?php if ( '' !== $view['placeholder'] ) : ?>
			<?php esc_html_e( 'For each one sold. Empty: as the product.', 'nivella-credit-wallet' ); ?>
		<?php else : ?>
			<?php esc_html_e( 'For each one sold, like 1000 or 0.5. Empty: as set in the wallet service.', 'nivella-credit-wallet' ); ?>
		<?php endif; ?>
	</span>
</p>
<p class="form-field nivella-validity-field <?php echo esc_attr( $view['row'] ); ?>">
	<label for="<?php echo esc_attr( $view['id'] ); ?>-unit"><?php esc_html_e( 'Validity', 'nivella-credit-wallet' ); ?></label>
	<span class="nivella-validity">
		<input type="number" min="1" step="1" class="nivella-validity-count" id="<?php echo esc_attr( $view['id'] ); ?>-count" name="<?php echo esc_attr( $view['name'] ); ?>[count]" value="<?php echo esc_attr( $view['count'] ); ?>" aria-label="<?php esc_attr_e( 'Number of days, months or years', 'nivella-credit-wallet' ); ?>">
		<select class="select" id="<?php echo esc_attr( $view['id'] ); ?>-unit" name="<?php echo esc_attr( $view['name'] ); ?>[unit]">
			<?php foreach ( $view['units'] as $unit => $label ) : ?>
				<option value="<?php echo esc_attr( $unit ); ?>"<?php selected( $unit, $view['unit'] ); ?>><?php echo esc_html( $label ); ?></option>
			<?php endforeach; ?>
		</select>
	</span>
</p>
<p class="form-field nivella-kind-field <?php echo esc_attr( $view['row'] ); ?>">
	<label for="<?php echo esc_attr( $view['id'] ); ?>-kind"><?php esc_html_e( 'Kind', 'nivella-credit-wallet' ); ?></label>
	<select class="select short" id="<?php echo esc_attr( $view['id'] ); ?>-kind" name="<?php echo esc_attr( $view['name'] ); ?>[kind]" aria-describedby="<?php echo esc_attr( $view['id'] ); ?>-kind-hint">
		<?php foreach ( $view['kinds'] as $kind => $label ) : ?>
			<option value="<?php echo esc_attr( $kind ); ?>"<?php selected( $kind, $view['kind'] ); ?>><?php echo esc_html( $label ); ?></option>
		<?php endforeach; ?>
	</select>
	<span class="description" id="<?php echo esc_attr( $view['id'] ); ?>-kind-hint"><?php esc_html_e( 'Allowances are used up first, then bonuses, then what was bought.', 'nivella-credit-wallet' ); ?></span>
</p>
