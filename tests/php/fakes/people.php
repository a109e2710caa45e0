<?php
/** What of WordPress and WooCommerce the parts for customers and for their own sites need. */

/** What these parts leave behind. */
final class People {
	/** @var array<int, array<string, mixed>> User meta. */
	public static $meta = array();
	/** @var array<int, WP_User> */
	public static $users = array();
	/** @var list<array{ 0: string, 1: string, 2: string }> To whom, subject, text. */
	public static $mails = array();
	/** @var bool Whether mails can be handed over. */
	public static $mail_works = true;
	/** @var bool Whether the shop has the e-mail turned on. */
	public static $mail_enabled = true;
	/** @var array<int, WC_Order> */
	public static $orders = array();
	/** @var array<string, int> When tasks are planned. */
	public static $planned = array();

	public static function fresh(): void {
		self::$meta         = array();
		self::$users        = array();
		self::$mails        = array();
		self::$mail_works   = true;
		self::$mail_enabled = true;
		self::$planned      = array();
		self::$orders       = array();
		if ( class_exists( 'Shop' ) ) {
			Shop::fresh();
		}
	}
}

if ( ! class_exists( 'WP_User' ) ) {
	class WP_User {
		public $ID;
		public $user_email;
		public $first_name;
		public $display_name;
		public function __construct( $id = 0, $email = '', $first = '' ) {
			$this->ID           = $id;
			$this->user_email   = $email;
			$this->first_name   = $first;
			$this->display_name = $first;
		}
	}
}

/** The one table that is written to directly. */
final class PeopleDatabase {
	public $options = 'wp_options';
	public function prepare( $sql, ...$values ) {
		return array( $sql, $values );
	}
	public function esc_like( $text ) {
		return $text;
	}
	public function query( $asked ) {
		list( $sql, list( $name, $value ) ) = $asked;
		if ( 0 !== strpos( $sql, 'INSERT IGNORE INTO wp_options' ) || isset( World::$options[ $name ] ) ) {
			return 0;
		}
		World::$options[ $name ] = $value;
		return 1;
	}
	public function get_results( $asked ) {
		$rows = array();
		foreach ( World::$options as $name => $value ) {
			if ( 0 === strpos( $name, rtrim( $asked[1][0], '%' ) ) && ( ! strpos( $asked[0], 'option_value <' ) || strcmp( (string) $value, $asked[1][1] ) < 0 ) ) {
				$rows[] = (object) array( 'option_name' => $name, 'option_value' => $value );
			}
		}
		return $rows;
	}
	public function get_col( $asked ) {
		return array_column( $this->get_results( $asked ), 'option_name' );
	}
}

if ( ! class_exists( 'WC_Email' ) ) {
	/** As much of WooCommerce's e-mail as ours needs. */
	class WC_Email {
		public $id;
		public $object;
		public $recipient;
		public $placeholders = array();
		public $template_base;
		public $template_html;
		public $template_plain;
		public $customer_email;
		public $email_group;
		public $title;
		public $description;
		public function __construct() {}
		public function is_enabled() {
			return People::$mail_enabled;
		}
		public function get_recipient() {
			return $this->recipient;
		}
		public function get_subject() {
			return strtr( $this->get_default_subject(), $this->placeholders );
		}
		public function get_heading() {
			return strtr( $this->get_default_heading(), $this->placeholders );
		}
		public function get_additional_content() {
			return '';
		}
		public function get_content() {
			return $this->get_content_html();
		}
		public function get_headers() {
			return '';
		}
		public function get_attachments() {
			return array();
		}
		public function setup_locale() {}
		public function restore_locale() {}
		public function send( $to, $subject, $text ) {
			if ( People::$mail_works ) {
				People::$mails[] = array( $to, $subject, $text );
			}
			return People::$mail_works;
		}
	}
}
if ( ! function_exists( 'WC' ) ) {
	function WC() {
		return new class() {
			public function mailer() {
				return new class() {
					public function get_emails() {
						return Nivella\CreditWallet\add_low_credit_email( array() );
					}
				};
			}
		};
	}
}
if ( ! function_exists( 'wc_get_template_html' ) ) {
	function wc_get_template_html( $template, $values, $path, $base ) {
		ob_start();
		( static function ( $file, $values ) {
			extract( $values );
			require $file;
		} )( $base . $template, $values );
		return ob_get_clean();
	}
}

/** An order as far as it matters to a claim. */
if ( ! class_exists( 'WC_Order' ) ) {
	class WC_Order {
		public $id       = 27;
		public $customer = 0;
		public $email    = 'Guest@Example.com';
		public $paid     = true;
		public $lines    = array();
		public function get_id() {
			return $this->id;
		}
		public function get_customer_id() {
			return $this->customer;
		}
		public function get_billing_email() {
			return $this->email;
		}
		public function get_order_key() {
			return 'wc_order_secret';
		}
		public function is_paid() {
			return $this->paid;
		}
		public function get_items() {
			return $this->lines;
		}
	}
}
if ( ! class_exists( 'WC_Order_Item_Product' ) ) {
	class WC_Order_Item_Product {
		private $credits;
		public function __construct( $credits ) {
			$this->credits = $credits;
		}
		public function get_meta( $name ) {
			return '_nivella_credits' === $name ? $this->credits : '';
		}
		public function get_product_id() {
			return 99;
		}
		public function get_variation_id() {
			return 0;
		}
	}
}
if ( ! function_exists( 'wc_get_order' ) ) {
	function wc_get_order( $id ) {
		return People::$orders[ $id ] ?? false;
	}
}

foreach ( array(
	'wp_cache_delete'        => static function () {
		return true;
	},
	'get_user_meta'          => static function ( $id, $key ) {
		return People::$meta[ $id ][ $key ] ?? '';
	},
	'update_user_meta'       => static function ( $id, $key, $value ) {
		People::$meta[ $id ][ $key ] = $value;
		return true;
	},
	'delete_user_meta'       => static function ( $id, $key ) {
		$had = isset( People::$meta[ $id ][ $key ] );
		unset( People::$meta[ $id ][ $key ] );
		return $had;
	},
	'get_user_by'            => static function ( $by, $value ) {
		// Without people of a test's own there is Alice.
		foreach ( People::$users ? People::$users : array( new WP_User( 2, 'alice@example.com', 'Alice Doe' ) ) as $user ) {
			if ( $user->user_email === $value || ( 'login' === $by && strtok( $user->user_email, '@' ) === $value ) || ( 'id' === $by && (int) $value === $user->ID ) ) {
				return $user;
			}
		}
		return false;
	},
	'wp_next_scheduled'      => static function ( $hook ) {
		return People::$planned[ $hook ] ?? false;
	},
	'wp_schedule_event'      => static function ( $at, $interval, $hook ) {
		wp_schedule_single_event( $at, $hook );
	},
	'wp_schedule_single_event' => static function ( $at, $hook ) {
		People::$planned[ $hook ] = $at;
	},
	'wp_clear_scheduled_hook' => static function ( $hook ) {
		unset( People::$planned[ $hook ] );
	},
	'rest_url'               => static function ( $path ) {
		return "https://site.example/wp-json/{$path}";
	},
	'rest_ensure_response'   => static function ( $value ) {
		return $value;
	},
	'wp_kses_post'           => static function ( $html ) {
		return $html;
	},
	'wpautop'                => static function ( $text ) {
		return "<p>{$text}</p>";
	},
	'wptexturize'            => static function ( $text ) {
		return $text;
	},
	'wp_strip_all_tags'      => static function ( $text ) {
		return trim( strip_tags( $text ) );
	},
	'esc_url_raw'            => static function ( $url ) {
		return preg_match( '#^https?://#i', $url ) ? $url : '';
	},
	'do_action'              => static function () {},
	'did_action'             => static function () {
		return 1;
	},
	'checked'                => static function ( $is ) {
		echo $is ? " checked='checked'" : '';
	},
	'wp_salt'                => static function () {
		return 'salt';
	},
	'wp_logout_url'          => static function ( $to ) {
		return 'https://site.example/logout?to=' . rawurlencode( $to );
	},
	'wp_get_current_user'    => static function () {
		return People::$users[ World::$user ] ?? new WP_User();
	},
	'get_block_wrapper_attributes' => static function () {
		return 'class="wp-block-nivella-credit-wallet"';
	},
	'wp_set_script_translations' => static function () {},
	'wp_enqueue_style'       => static function () {},
	'wp_enqueue_script'      => static function () {},
	'wp_register_style'      => static function () {},
	'get_permalink'          => static function () {
		return 'https://site.example/page/';
	},
	'wp_login_url'           => static function ( $to ) {
		return 'https://site.example/login?to=' . rawurlencode( $to );
	},
	'is_admin_bar_showing'   => static function () {
		return true;
	},
	'wp_add_privacy_policy_content' => static function () {},
	'sanitize_hex_color'     => static function ( $colour ) {
		return preg_match( '/^#[0-9a-f]{6}$/i', $colour ) ? $colour : null;
	},
	'get_the_terms'          => static function ( $product ) {
		return array();
	},
	'get_post_meta'          => static function () {
		return '';
	},
) as $name => $does ) {
	if ( ! function_exists( $name ) ) {
		$GLOBALS['people_fakes'][ $name ] = $does;
		eval( "function {$name}( ...\$args ) { return \$GLOBALS['people_fakes']['{$name}']( ...\$args ); }" );
	}
}
People::fresh();
