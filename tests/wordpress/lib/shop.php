<?php
/**
 * Makes a shop of a WooCommerce under test, run by WP-CLI: payment methods, products that sell credits and one that does
 * not, and a page with each kind of checkout. The first argument says where orders are kept. Prints what it made.
 */

defined( 'ABSPATH' ) || exit;

use Automattic\WooCommerce\Internal\DataStores\Orders\DataSynchronizer;

$tables = 'tables' === $args[0];
if ( $tables ) {
	wc_get_container()->get( DataSynchronizer::class )->create_database_tables();
}
WC_Install::create_pages();
foreach ( array(
	'woocommerce_custom_orders_table_enabled' => $tables ? 'yes' : 'no',
	'woocommerce_custom_orders_table_data_sync_enabled' => 'no',
	'woocommerce_calc_taxes'                 => 'no',
	'woocommerce_coming_soon'                => 'no',
	'woocommerce_enable_guest_checkout'      => 'yes',
	'woocommerce_default_country'            => 'DE',
	'woocommerce_currency'                   => 'EUR',
	'woocommerce_show_marketplace_suggestions' => 'no',
	'woocommerce_allow_tracking'             => 'no',
	'woocommerce_task_list_hidden'           => 'yes',
	'woocommerce_onboarding_profile'         => array( 'skipped' => true ),
	'woocommerce_bacs_settings'              => array( 'enabled' => 'yes', 'title' => 'Direct bank transfer', 'description' => 'Please transfer the money.' ),
	'woocommerce_cod_settings'               => array( 'enabled' => 'yes', 'title' => 'Cash on delivery', 'enable_for_virtual' => 'yes' ),
) as $name => $value ) {
	update_option( $name, $value );
}
// Nobody is to be led to its wizard.
delete_transient( '_wc_activation_redirect' );

$tokens  = wp_insert_term( 'Tokens', 'product_cat', array( 'slug' => 'tokens' ) );
$bundles = wp_insert_term( 'Bundles', 'product_cat', array( 'slug' => 'bundles', 'parent' => $tokens['term_id'] ) );
$apparel = wp_insert_term( 'Apparel', 'product_cat', array( 'slug' => 'apparel' ) );

$make = static function ( WC_Product $product, string $name, string $price, array $categories ): WC_Product {
	$product->set_name( $name );
	$product->set_virtual( true );
	$product->set_category_ids( $categories );
	if ( '' !== $price ) {
		$product->set_regular_price( $price );
	}
	$product->save();
	return $product;
};

$credits = $make( new WC_Product_Simple(), 'AI Credits 1,000', '10', array( $tokens['term_id'] ) );
$bundle  = $make( new WC_Product_Simple(), 'Starter bundle', '15', array( $bundles['term_id'] ) );
$shirt   = $make( new WC_Product_Simple(), 'T-Shirt', '20', array( $apparel['term_id'] ) );

$size = new WC_Product_Attribute();
$size->set_name( 'Size' );
$size->set_options( array( 'Small', 'Large' ) );
$size->set_visible( true );
$size->set_variation( true );
$pack = new WC_Product_Variable();
$pack->set_attributes( array( $size ) );
$pack       = $make( $pack, 'AI Credits Pack', '', array( $tokens['term_id'] ) );
$variations = array();
foreach ( array( 'Small' => '5', 'Large' => '50' ) as $name => $price ) {
	$variation = new WC_Product_Variation();
	$variation->set_parent_id( $pack->get_id() );
	$variation->set_attributes( array( 'size' => $name ) );
	$variation->set_regular_price( $price );
	$variation->set_virtual( true );
	$variation->save();
	$variations[ strtolower( $name ) ] = $variation->get_id();
}
WC_Product_Variable::sync( $pack->get_id() );

$classic = wp_insert_post(
	array(
		'post_type'    => 'page',
		'post_status'  => 'publish',
		'post_title'   => 'Classic checkout',
		'post_name'    => 'classic-checkout',
		'post_content' => '<!-- wp:shortcode -->[woocommerce_checkout]<!-- /wp:shortcode -->',
	)
);
$classic_cart = wp_insert_post(
	array(
		'post_type'    => 'page',
		'post_status'  => 'publish',
		'post_title'   => 'Classic cart',
		'post_name'    => 'classic-cart',
		'post_content' => '<!-- wp:shortcode -->[woocommerce_cart]<!-- /wp:shortcode -->',
	)
);
delete_option( 'rewrite_rules' );

echo wp_json_encode(
	array(
		'tokens'     => $tokens['term_id'],
		'bundles'    => $bundles['term_id'],
		'apparel'    => $apparel['term_id'],
		'credits'    => $credits->get_id(),
		'bundle'     => $bundle->get_id(),
		'shirt'      => $shirt->get_id(),
		'pack'       => $pack->get_id(),
		'variations' => $variations,
		'pages'      => array(
			'block'   => array( 'checkout' => wc_get_page_id( 'checkout' ), 'cart' => wc_get_page_id( 'cart' ) ),
			'classic' => array( 'checkout' => $classic, 'cart' => $classic_cart ),
		),
	)
);
