<?php
/**
 * Plugin Name:          Nivella Credit Wallet
 * Description:          Shows how many AI Credits can be used, when more arrive and what they were spent on, for a website or for the customers of a shop.
 * Version:              0.1.0
 * Requires at least:    6.1
 * Requires PHP:         7.4
 * Author:               Nivella
 * License:              MIT
 * License URI:          https://opensource.org/license/mit
 * Text Domain:          nivella-credit-wallet
 * Domain Path:          /languages
 * WC requires at least: 8.2
 * WC tested up to:      10.9
 *
 * The wallet itself is kept by the Nivella wallet daemon. This plugin holds its address, a key and the last figures it
 * was given; it decides nothing about credits.
 *
 * Nothing runs in this file: it loads the others, and hooks.php says when they run.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

if ( PHP_VERSION_ID < 70400 ) {
	// WordPress refuses to activate the plugin on an older PHP; this is for a PHP that was changed afterwards.
	return;
}

const VERSION = '0.1.0';
const FILE    = __FILE__;

require_once __DIR__ . '/includes/decimal.php';
require_once __DIR__ . '/includes/feed.php';
require_once __DIR__ . '/includes/settings.php';
require_once __DIR__ . '/includes/client.php';
require_once __DIR__ . '/includes/explain.php';
require_once __DIR__ . '/includes/wallet.php';
require_once __DIR__ . '/includes/format.php';
require_once __DIR__ . '/includes/chart.php';
require_once __DIR__ . '/includes/history.php';
require_once __DIR__ . '/includes/view.php';
require_once __DIR__ . '/includes/render.php';
require_once __DIR__ . '/includes/export.php';
require_once __DIR__ . '/includes/refresh.php';
require_once __DIR__ . '/includes/result.php';
require_once __DIR__ . '/includes/admin-page.php';
require_once __DIR__ . '/includes/settings-page.php';
require_once __DIR__ . '/includes/dashboard.php';
require_once __DIR__ . '/includes/shortcode.php';
require_once __DIR__ . '/includes/my-account.php';
require_once __DIR__ . '/includes/lifecycle.php';

// Connect.
require_once __DIR__ . '/includes/connect/address.php';
require_once __DIR__ . '/includes/connect/shop.php';
require_once __DIR__ . '/includes/connect/copy.php';
require_once __DIR__ . '/includes/connect/webhooks.php';
require_once __DIR__ . '/includes/connect/pair.php';
require_once __DIR__ . '/includes/connect/status.php';
require_once __DIR__ . '/includes/connect/page.php';

// Carry.
require_once __DIR__ . '/includes/carry/tokens.php';
require_once __DIR__ . '/includes/carry/facts.php';
require_once __DIR__ . '/includes/carry/deliver.php';
require_once __DIR__ . '/includes/carry/later.php';
require_once __DIR__ . '/includes/carry/lane.php';

// Selling.
require_once __DIR__ . '/includes/selling/product.php';
require_once __DIR__ . '/includes/selling/product-fields.php';
require_once __DIR__ . '/includes/selling/promise.php';
require_once __DIR__ . '/includes/selling/sites.php';
require_once __DIR__ . '/includes/selling/settings.php';
require_once __DIR__ . '/includes/selling/site-field.php';
require_once __DIR__ . '/includes/selling/block-checkout.php';

// Staff of the shop.
require_once __DIR__ . '/includes/staff/read.php';
require_once __DIR__ . '/includes/staff/screens.php';
require_once __DIR__ . '/includes/staff/wallets.php';
require_once __DIR__ . '/includes/staff/wallet-page.php';
require_once __DIR__ . '/includes/staff/acts.php';
require_once __DIR__ . '/includes/staff/act-list.php';
require_once __DIR__ . '/includes/staff/act-plans.php';
require_once __DIR__ . '/includes/staff/act-done.php';
require_once __DIR__ . '/includes/staff/typed.php';
require_once __DIR__ . '/includes/staff/orders.php';
require_once __DIR__ . '/includes/staff/order-box.php';

// Customers.
require_once __DIR__ . '/includes/customer/sites.php';
require_once __DIR__ . '/includes/customer/top-up.php';
require_once __DIR__ . '/includes/customer/events.php';
require_once __DIR__ . '/includes/customer/low-credit-email.php';
require_once __DIR__ . '/includes/customer/claim.php';
require_once __DIR__ . '/includes/customer/block.php';
require_once __DIR__ . '/includes/customer/privacy.php';

// A customer's own site.
require_once __DIR__ . '/includes/site/passing.php';
require_once __DIR__ . '/includes/site/admin-bar.php';
require_once __DIR__ . '/includes/site/notice.php';
require_once __DIR__ . '/includes/site/health.php';
require_once __DIR__ . '/includes/site/command.php';

require_once __DIR__ . '/includes/hooks.php';
