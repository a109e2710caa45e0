<?php
/**
 * The e-mail that says that credits run low.
 *
 * A theme may bring its own: yourtheme/woocommerce/emails/low-credit.php.
 *
 * @package Nivella\CreditWallet
 * @version 1.0.0
 * @var string                                   $email_heading      The heading.
 * @var string                                   $additional_content What the shop adds.
 * @var \Nivella\CreditWallet\Low_Credit_Email   $email              The e-mail.
 * @var array                                    $view               What it says.
 */

defined( 'ABSPATH' ) || exit;

do_action( 'woocommerce_email_header', $email_heading, $email );
?>
<div class="email-introduction">
	<p><?php echo esc_html( $view['greeting'] ); ?></p>
	<p><?php echo esc_html( $view['says'] ); ?></p>
</div>
<table class="nivella-mail-figures" cellspacing="0" cellpadding="0">
	<tbody>
		<?php foreach ( $view['figures'] as $name => $figure ) : ?>
			<tr>
				<th scope="row"><?php echo esc_html( $name ); ?></th>
				<td><?php echo esc_html( $figure ); ?></td>
			</tr>
		<?php endforeach; ?>
	</tbody>
</table>
<?php if ( '' !== $view['runway'] ) : ?>
	<p><?php echo esc_html( $view['runway'] ); ?></p>
<?php endif; ?>
<p><a class="nivella-mail-button" href="<?php echo esc_url( $view['top_up'] ); ?>"><?php esc_html_e( 'Top up', 'nivella-credit-wallet' ); ?></a></p>
<?php if ( $additional_content ) : ?>
	<div class="email-additional-content"><?php echo wp_kses_post( wpautop( wptexturize( $additional_content ) ) ); ?></div>
<?php endif; ?>
<p class="nivella-mail-minor">
	<?php esc_html_e( 'You get this message because you have credits in our shop.', 'nivella-credit-wallet' ); ?>
	<a href="<?php echo esc_url( $view['settings'] ); ?>"><?php esc_html_e( 'Turn these messages off', 'nivella-credit-wallet' ); ?></a>
</p>
<?php
do_action( 'woocommerce_email_footer', $email );
