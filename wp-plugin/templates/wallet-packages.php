<?php
/**
 * What can be bought. In the shop itself each button puts its package into the cart, for the website that is chosen above.
 *
 * @package Nivella\CreditWallet
 * @var array $view From wallet_view().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( $view['packages'] ) : ?>
	<section class="nivella-panel nivella-panel-packages" id="nivella-packages" aria-labelledby="<?php echo esc_attr( $view['id'] ); ?>-packages">
		<h2 id="<?php echo esc_attr( $view['id'] ); ?>-packages"><?php esc_html_e( 'Top up', 'nivella-credit-wallet' ); ?></h2>
		<?php if ( $view['buy'] ) : ?>
			<form method="get" action="<?php echo esc_url( $view['buy']['action'] ); ?>" data-nivella="buy">
				<?php foreach ( $view['buy']['hidden'] as $name => $value ) : ?>
					<input type="hidden" name="<?php echo esc_attr( $name ); ?>" value="<?php echo esc_attr( $value ); ?>">
				<?php endforeach; ?>
				<?php if ( $view['buy']['choices'] ) : ?>
					<p class="nivella-choice">
						<label for="<?php echo esc_attr( $view['id'] ); ?>-for"><?php esc_html_e( 'For which website?', 'nivella-credit-wallet' ); ?></label>
						<select name="nivella_site" id="<?php echo esc_attr( $view['id'] ); ?>-for" data-nivella="buy-site">
							<option value=""><?php esc_html_e( 'All my websites (shared)', 'nivella-credit-wallet' ); ?></option>
							<?php foreach ( $view['buy']['choices'] as $choice ) : ?>
								<option value="<?php echo esc_attr( $choice['id'] ); ?>" <?php selected( $view['buy']['chosen'], $choice['id'] ); ?>><?php echo esc_html( $choice['name'] ); ?></option>
							<?php endforeach; ?>
						</select>
					</p>
				<?php endif; ?>
				<?php \Nivella\CreditWallet\show( 'wallet-package-list', $view ); ?>
			</form>
		<?php else : ?>
			<?php \Nivella\CreditWallet\show( 'wallet-package-list', $view ); ?>
		<?php endif; ?>
	</section>
<?php endif; ?>
