<?php
/**
 * How a wallet stands, in the list.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ status: string, label: string, why: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<span class="nivella-tag nivella-status-<?php echo esc_attr( $view['status'] ); ?>"><?php echo esc_html( $view['label'] ); ?></span>
<?php if ( '' !== $view['why'] ) : ?>
	<span class="nivella-minor nivella-line"><bdi><?php echo esc_html( $view['why'] ); ?></bdi></span>
<?php endif; ?>
