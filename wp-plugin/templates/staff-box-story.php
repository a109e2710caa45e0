<?php
/**
 * What is in the box on an order's screen.
 *
 * @package Nivella\CreditWallet
 * @var array $view From handle_order_box().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php
\Nivella\CreditWallet\show(
	'staff-trouble',
	array(
		'trouble' => $view['trouble'],
		'in_form' => true,
	)
);
?>
<?php if ( $view['story'] ) : ?>
	<?php
	\Nivella\CreditWallet\show(
		'staff-story',
		array(
			'story'   => $view['story'],
			'is_open' => false,
		)
	);
	?>
	<p class="nivella-acts">
		<a class="button" href="<?php echo esc_url( $view['url'] ); ?>#nivella-form-assign" data-nivella="box-assign"><?php esc_html_e( 'Assign…', 'nivella-credit-wallet' ); ?></a>
		<a class="button" href="<?php echo esc_url( $view['url'] ); ?>#nivella-form-replay" data-nivella="box-replay"><?php esc_html_e( 'Process again…', 'nivella-credit-wallet' ); ?></a>
		<a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'More about these credits', 'nivella-credit-wallet' ); ?></a>
	</p>
<?php endif; ?>
