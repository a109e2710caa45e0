<?php
/**
 * One act: its form, closed until it is wanted.
 *
 * @package Nivella\CreditWallet
 * @var array $view From act_form().
 */

defined( 'ABSPATH' ) || exit;
?>
<details class="nivella-act" id="nivella-form-<?php echo esc_attr( $view['act'] ); ?>" data-nivella="act-<?php echo esc_attr( $view['act'] ); ?>"<?php if ( $view['is_open'] ) : ?> open<?php endif; ?>>
	<summary><?php echo esc_html( $view['title'] ); ?></summary>
	<form method="post" action="<?php echo esc_url( $view['url'] ); ?>" class="nivella-form">
		<?php foreach ( $view['hidden'] as $name => $value ) : ?>
			<input type="hidden" name="<?php echo esc_attr( $name ); ?>" value="<?php echo esc_attr( $value ); ?>">
		<?php endforeach; ?>
		<p class="nivella-about"><?php echo esc_html( $view['about'] ); ?></p>
		<?php if ( '' !== $view['problem'] ) : ?>
			<p class="nivella-fault" role="alert" data-nivella="act-problem"><?php echo esc_html( $view['problem'] ); ?></p>
		<?php endif; ?>
		<?php foreach ( $view['fields'] as $field ) : ?>
			<div class="nivella-field">
				<label for="<?php echo esc_attr( $field['id'] ); ?>"><?php echo esc_html( $field['label'] ); ?></label>
				<?php if ( 'select' === $field['type'] ) : ?>
					<select id="<?php echo esc_attr( $field['id'] ); ?>" name="<?php echo esc_attr( $field['name'] ); ?>" aria-describedby="<?php echo esc_attr( $field['id'] ); ?>-help"<?php if ( '' !== $field['error'] ) : ?> aria-invalid="true"<?php endif; ?>>
						<?php foreach ( $field['options'] as $value => $label ) : ?>
							<option value="<?php echo esc_attr( $value ); ?>"<?php selected( (string) $value, $field['value'] ); ?>><?php echo esc_html( $label ); ?></option>
						<?php endforeach; ?>
					</select>
				<?php else : ?>
					<input type="text" id="<?php echo esc_attr( $field['id'] ); ?>" name="<?php echo esc_attr( $field['name'] ); ?>" value="<?php echo esc_attr( $field['value'] ); ?>" maxlength="500" autocomplete="off" aria-describedby="<?php echo esc_attr( $field['id'] ); ?>-help"<?php if ( 'credits' === $field['type'] ) : ?> inputmode="decimal"<?php endif; ?><?php if ( $field['required'] ) : ?> required<?php endif; ?><?php if ( '' !== $field['error'] ) : ?> aria-invalid="true"<?php endif; ?>>
				<?php endif; ?>
				<p id="<?php echo esc_attr( $field['id'] ); ?>-help" class="description">
					<?php if ( '' !== $field['error'] ) : ?>
						<strong class="nivella-fault" data-nivella="fault-<?php echo esc_attr( $field['name'] ); ?>"><?php echo esc_html( $field['error'] ); ?></strong>
					<?php endif; ?>
					<?php echo esc_html( $field['help'] ); ?>
				</p>
			</div>
		<?php endforeach; ?>
		<p class="nivella-submit"><button type="submit" class="button" data-nivella="act-review"><?php echo esc_html( $view['button'] ); ?></button></p>
	</form>
</details>
