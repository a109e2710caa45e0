<?php
/**
 * A finding of Site Health.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ text: string, remedy: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<p><?php echo esc_html( $view['text'] ); ?></p>
<?php if ( '' !== $view['remedy'] ) : ?>
	<p><?php echo esc_html( $view['remedy'] ); ?></p>
<?php endif; ?>
