<?php
/**
 * An amount, in a list.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ name: string, raw: string, amount: string, debt: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<span class="nivella-figure-cell" data-nivella="<?php echo esc_attr( $view['name'] ); ?>" data-nivella-value="<?php echo esc_attr( $view['raw'] ); ?>"><bdi><?php echo esc_html( $view['amount'] ); ?></bdi></span>
<?php if ( '' !== $view['debt'] ) : ?>
	<span class="nivella-line nivella-bad-text"><?php echo esc_html( $view['debt'] ); ?></span>
<?php endif; ?>
