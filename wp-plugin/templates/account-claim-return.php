<?php
/**
 * Where the login leads, while somebody follows a claim link.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ url: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<input type="hidden" name="redirect" value="<?php echo esc_url( $view['url'] ); ?>">
