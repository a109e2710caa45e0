<?php
/**
 * Suggested words for a privacy policy.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ is_shop: bool }.
 */

defined( 'ABSPATH' ) || exit;
?>
<p class="privacy-policy-tutorial"><?php esc_html_e( 'AI Credits are kept by a wallet service that you or your shop run. Say in your policy who runs it, and where.', 'nivella-credit-wallet' ); ?></p>
<?php if ( $view['is_shop'] ) : ?>
	<p><strong class="privacy-policy-tutorial"><?php esc_html_e( 'Suggested text:', 'nivella-credit-wallet' ); ?></strong> <?php esc_html_e( 'When you buy credits, we keep in our wallet service which order they came from, your customer number or e-mail address, your name as it stands on the order, the websites they are for, and what they were used for. We need this to show you your balance and to account for what you paid. The records of purchases and usage are kept as long as the law asks for records of money; your name and address can be removed from them before.', 'nivella-credit-wallet' ); ?></p>
	<p><?php esc_html_e( 'We e-mail you when credits run low. You can turn that off in your account.', 'nivella-credit-wallet' ); ?></p>
<?php else : ?>
	<p><strong class="privacy-policy-tutorial"><?php esc_html_e( 'Suggested text:', 'nivella-credit-wallet' ); ?></strong> <?php esc_html_e( 'This website shows its administrators how many AI Credits are left. It sends its address and a key to the wallet service of the shop where the credits were bought; nothing about visitors is sent.', 'nivella-credit-wallet' ); ?></p>
<?php endif; ?>
