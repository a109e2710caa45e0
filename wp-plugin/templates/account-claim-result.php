<?php
/**
 * What came of a claim.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ ok: bool, code: string, text: string, url: string }.
 */

defined( 'ABSPATH' ) || exit;
?>
<div class="nivella nivella-front">
	<div class="nivella-notice <?php echo esc_attr( $view['ok'] ? 'nivella-notice-good' : 'nivella-notice-bad' ); ?>" role="status" data-nivella="claim-result" data-nivella-code="<?php echo esc_attr( $view['code'] ); ?>">
		<p>
			<?php echo esc_html( $view['text'] ); ?>
			<a href="<?php echo esc_url( $view['url'] ); ?>"><?php esc_html_e( 'Open AI Credits', 'nivella-credit-wallet' ); ?></a>
		</p>
	</div>
</div>
