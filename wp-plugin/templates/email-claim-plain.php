<?php
/**
 * The same as plain text. Nothing is written as an entity: nobody would read it as one.
 *
 * @package Nivella\CreditWallet
 * @var array $view From claim_link_view().
 */

defined( 'ABSPATH' ) || exit;

echo "\n", wp_strip_all_tags( $view['says'] ), "\n", esc_url_raw( $view['url'] ), "\n\n";
