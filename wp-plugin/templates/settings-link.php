<?php
/**
 * A link to the settings.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ url: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'Settings', 'nivella-credit-wallet' ); ?></a>
