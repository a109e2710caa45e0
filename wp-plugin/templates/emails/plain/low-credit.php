<?php
/**
 * The e-mail that says that credits run low, as plain text.
 *
 * A theme may bring its own: yourtheme/woocommerce/emails/plain/low-credit.php. Nothing is written as an entity here:
 * nobody would read it as one.
 *
 * @package Nivella\CreditWallet
 * @version 1.0.0
 * @var string $email_heading      The heading.
 * @var string $additional_content What the shop adds.
 * @var array  $view               What it says.
 */

defined( 'ABSPATH' ) || exit;

echo wp_strip_all_tags( $email_heading ), "\n\n";
echo wp_strip_all_tags( $view['greeting'] ), "\n\n";
echo wp_strip_all_tags( $view['says'] ), "\n\n";
foreach ( $view['figures'] as $name => $figure ) {
	echo wp_strip_all_tags( "{$name}: {$figure}" ), "\n";
}
if ( '' !== $view['runway'] ) {
	echo "\n", wp_strip_all_tags( $view['runway'] ), "\n";
}
echo "\n", wp_strip_all_tags( __( 'Top up', 'nivella-credit-wallet' ) ), ":\n", esc_url_raw( $view['top_up'] ), "\n\n";
if ( $additional_content ) {
	echo wp_strip_all_tags( wptexturize( $additional_content ) ), "\n\n";
}
echo wp_strip_all_tags( __( 'Turn these messages off', 'nivella-credit-wallet' ) ), ":\n", esc_url_raw( $view['settings'] ), "\n\n";
echo wp_strip_all_tags( apply_filters( 'woocommerce_email_footer_text', get_option( 'woocommerce_email_footer_text' ) ) );
