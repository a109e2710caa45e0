<?php
/**
 * Plugin Name: WooCommerce
 * Description: Stands in for WooCommerce in tests: My Account with its menu and endpoints, and no shop behind it.
 * Version: 10.9.1
 *
 * Not WooCommerce and none of its code: the few hooks the plugin under test uses, behaving as WooCommerce
 * documents them. Tests that can use the real one take WOOCOMMERCE_ZIP.
 *
 * @package Nivella\Tests
 */

namespace Automattic\WooCommerce\Utilities {

	defined( 'ABSPATH' ) || exit;

	/** Writes down what a plugin says it is compatible with. */
	class FeaturesUtil {
		/**
		 * Feature => plugin file => answer.
		 *
		 * @var array<string,array<string,bool>>
		 */
		public static $declared = array();

		/**
		 * As in WooCommerce, it only counts while `before_woocommerce_init` runs.
		 *
		 * @param string $feature  A feature's id.
		 * @param string $file     The plugin's main file.
		 * @param bool   $positive Whether it is compatible.
		 */
		public static function declare_compatibility( string $feature, string $file, bool $positive = true ): bool {
			if ( ! doing_action( 'before_woocommerce_init' ) ) {
				_doing_it_wrong( __METHOD__, 'only inside before_woocommerce_init', '7.1' );
				return false;
			}
			self::$declared[ $feature ][ plugin_basename( $file ) ] = $positive;
			return true;
		}
	}
}

namespace {

	defined( 'ABSPATH' ) || exit;

	// What else of it tests need, each part in a file of its own.
	foreach ( glob( __DIR__ . '/parts/*.php' ) as $part ) {
		require_once $part;
	}

	define( 'WC_VERSION', '10.9.1' );

	/** The main object, as far as plugins look at it. */
	final class WooCommerce {
		/**
		 * Its version.
		 *
		 * @var string
		 */
		public $version = WC_VERSION;

		/** What sends e-mails; a part of its own. */
		public function mailer() {
			return nivella_stub_mailer();
		}
	}

	/** The one WooCommerce. */
	function WC(): WooCommerce {
		static $one = null;
		$one        = $one ?? new WooCommerce();
		return $one;
	}

	/** The page with [woocommerce_my_account] on it. */
	function wc_get_page_id( string $page ): int {
		return (int) get_option( 'woocommerce_' . $page . '_page_id', -1 );
	}

	/** The address of one of WooCommerce's pages. */
	function wc_get_page_permalink( string $page ): string {
		$id = wc_get_page_id( $page );
		return $id > 0 ? (string) get_permalink( $id ) : home_url( '/' );
	}

	/** Whether this request shows My Account. */
	function is_account_page(): bool {
		return is_page( wc_get_page_id( 'myaccount' ) );
	}

	/**
	 * Endpoint => query variable. Plugins add theirs.
	 *
	 * @return array<string,string>
	 */
	function nivella_stub_query_vars(): array {
		return (array) apply_filters(
			'woocommerce_get_query_vars',
			array(
				'orders'          => 'orders',
				'edit-account'    => 'edit-account',
				'customer-logout' => 'customer-logout',
			)
		);
	}

	/** Whether an endpoint, or the one named, is asked for. */
	function is_wc_endpoint_url( $endpoint = false ): bool {
		global $wp;
		$names = false === $endpoint ? array_keys( nivella_stub_query_vars() ) : array( $endpoint );
		foreach ( $names as $name ) {
			if ( isset( $wp->query_vars[ $name ] ) ) {
				return true;
			}
		}
		return false;
	}

	/** The address of a part of My Account. */
	function wc_get_account_endpoint_url( string $endpoint ): string {
		$page = wc_get_page_permalink( 'myaccount' );
		if ( 'dashboard' === $endpoint ) {
			return $page;
		}
		if ( 'customer-logout' === $endpoint ) {
			return wp_logout_url( $page );
		}
		return wc_get_endpoint_url( $endpoint, '', $page );
	}

	/** An endpoint's address below a page's. */
	function wc_get_endpoint_url( string $endpoint, string $value = '', string $page = '' ): string {
		$page = '' === $page ? (string) get_permalink() : $page;
		$name = nivella_stub_query_vars()[ $endpoint ] ?? $endpoint;
		if ( '' === (string) get_option( 'permalink_structure' ) ) {
			return add_query_arg( $name, $value, $page );
		}
		return trailingslashit( $page ) . user_trailingslashit( '' === $value ? $name : $name . '/' . $value );
	}

	/**
	 * The menu: endpoint => words.
	 *
	 * @return array<string,string>
	 */
	function wc_get_account_menu_items(): array {
		$items = array(
			'dashboard'       => 'Dashboard',
			'orders'          => 'Orders',
			'edit-account'    => 'Account details',
			'customer-logout' => 'Log out',
		);
		return (array) apply_filters( 'woocommerce_account_menu_items', $items, nivella_stub_query_vars() );
	}

	/** What My Account shows for this request. */
	function nivella_stub_account_content(): void {
		global $wp;
		foreach ( $wp->query_vars as $name => $value ) {
			if ( 'pagename' !== $name && has_action( 'woocommerce_account_' . $name . '_endpoint' ) ) {
				do_action( 'woocommerce_account_' . $name . '_endpoint', $value );
				return;
			}
		}
		echo '<p>Hello ' . esc_html( wp_get_current_user()->display_name ) . '</p>';
		do_action( 'woocommerce_account_dashboard' );
	}

	add_action(
		'plugins_loaded',
		static function () {
			do_action( 'woocommerce_loaded' );
		},
		-1
	);

	add_action(
		'init',
		static function () {
			do_action( 'before_woocommerce_init' );
			WC();
			do_action( 'woocommerce_init' );
		},
		0
	);

	// WooCommerce asks for the endpoints at init 10 and lets each take part in every page's address.
	add_action(
		'init',
		static function () {
			foreach ( nivella_stub_query_vars() as $name ) {
				if ( '' !== $name ) {
					add_rewrite_endpoint( $name, EP_ROOT | EP_PAGES );
				}
			}
		}
	);

	add_filter(
		'query_vars',
		static function ( $names ) {
			return array_merge( $names, array_keys( nivella_stub_query_vars() ) );
		},
		0
	);

	// Inside My Account the page's heading is the endpoint's.
	add_filter(
		'the_title',
		static function ( $title, $id = 0 ) {
			global $wp;
			if ( is_admin() || ! in_the_loop() || ! is_main_query() || wc_get_page_id( 'myaccount' ) !== (int) $id ) {
				return $title;
			}
			foreach ( array_keys( nivella_stub_query_vars() ) as $name ) {
				if ( isset( $wp->query_vars[ $name ] ) ) {
					return apply_filters( 'woocommerce_endpoint_' . $name . '_title', $title, $name, '' );
				}
			}
			return $title;
		},
		10,
		2
	);

	add_shortcode(
		'woocommerce_my_account',
		static function () {
			ob_start();
			echo '<div class="woocommerce">';
			if ( ! is_user_logged_in() ) {
				do_action( 'woocommerce_before_customer_login_form' );
				wp_login_form();
			} else {
				echo '<nav class="woocommerce-MyAccount-navigation" aria-label="Account pages"><ul>';
				foreach ( wc_get_account_menu_items() as $endpoint => $words ) {
					$here = 'dashboard' === $endpoint ? ! is_wc_endpoint_url() : is_wc_endpoint_url( $endpoint );
					printf(
						'<li class="woocommerce-MyAccount-navigation-link woocommerce-MyAccount-navigation-link--%s"><a href="%s"%s>%s</a></li>',
						esc_attr( $endpoint ),
						esc_url( wc_get_account_endpoint_url( $endpoint ) ),
						$here ? ' aria-current="page"' : '',
						esc_html( $words )
					);
				}
				echo '</ul></nav><div class="woocommerce-MyAccount-content">';
				// WooCommerce shows the page itself at 10.
				add_action( 'woocommerce_account_content', 'nivella_stub_account_content' );
				do_action( 'woocommerce_account_content' );
				echo '</div>';
			}
			echo '</div>';
			return ob_get_clean();
		}
	);

	register_activation_hook(
		__FILE__,
		static function () {
			$page = wp_insert_post(
				array(
					'post_type'    => 'page',
					'post_status'  => 'publish',
					'post_name'    => 'my-account',
					'post_title'   => 'My account',
					'post_content' => '<!-- wp:shortcode -->[woocommerce_my_account]<!-- /wp:shortcode -->',
				)
			);
			update_option( 'woocommerce_myaccount_page_id', $page );
			// The roles a shop's people have.
			add_role( 'customer', 'Customer', array( 'read' => true ) );
			get_role( 'administrator' )->add_cap( 'manage_woocommerce' );
		}
	);
}
