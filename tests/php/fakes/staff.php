<?php
/**
 * More of WordPress for the screens of the shop's staff. What another file has defined already is left as it is.
 */

if ( ! defined( 'HOUR_IN_SECONDS' ) ) {
	define( 'HOUR_IN_SECONDS', 3600 );
}

/** What the fakes below find. */
final class Staff {
	/** @var object[] Users a search finds. */
	public static $users = array();
}

if ( ! class_exists( 'WP_User' ) ) {
	/** A user. */
	class WP_User {
		public $ID;
		public $user_email;
		public $display_name;
		public function __construct( $id = 0, $email = '', $name = '' ) {
			$this->ID           = $id;
			$this->user_email   = $email;
			$this->display_name = $name;
		}
	}
}

if ( ! class_exists( 'WP_List_Table' ) ) {
	/** The table, as far as it prints what its columns give it. */
	class WP_List_Table {
		public $items = array();
		public function __construct( $args = array() ) {}
		public function views() {
			foreach ( $this->get_views() as $name => $link ) {
				echo "<li class='{$name}'>{$link}</li>";
			}
		}
		public function search_box( $text, $id ) {
			echo '<p><label for="' . esc_attr( $id ) . '">' . esc_html( $text ) . '</label><input id="' . esc_attr( $id ) . '" name="s" value="' . esc_attr( $_GET['s'] ?? '' ) . '"></p>';
		}
		protected function get_views_links( $links ) {
			return array_map(
				static function ( $link ) {
					return '<a href="' . esc_url( $link['url'] ) . '">' . $link['label'] . '</a>';
				},
				$links
			);
		}
		public function display() {
			$this->display_tablenav( 'top' );
			echo '<table>';
			foreach ( $this->items as $item ) {
				echo '<tr>';
				foreach ( array_keys( $this->get_columns() ) as $column ) {
					echo '<td>' . $this->{"column_{$column}"}( $item ) . '</td>';
				}
				echo '</tr>';
			}
			echo '</table>';
			if ( ! $this->items ) {
				$this->no_items();
			}
			$this->display_tablenav( 'bottom' );
		}
	}
}

foreach ( array(
	'sanitize_text_field'     => static function ( $text ) {
		return trim( preg_replace( '/[\r\n\t ]+/', ' ', preg_replace( '/<[^>]*>?/', '', (string) $text ) ) );
	},
	'wp_safe_redirect'        => static function ( $url ) {
		throw new Ended( "to {$url}" );
	},
	'check_ajax_referer'      => static function ( $name, $field = false, $stop = true ) {
		return ( $_REQUEST[ $field ? $field : '_wpnonce' ] ?? '' ) === wp_create_nonce( $name );
	},
	'wp_send_json_success'    => static function ( $data = null ) {
		throw new Ended( 'json 200 ' . json_encode( $data ) );
	},
	'wp_send_json_error'      => static function ( $data = null, $status = 200 ) {
		throw new Ended( "json {$status}" );
	},
	'get_user_option'         => static function () {
		return false;
	},
	'get_users'               => static function () {
		return Staff::$users;
	},
	'get_user_by'             => static function ( $field, $value ) {
		return 'alice@example.com' === $value || 'alice' === $value ? (object) array( 'ID' => 2, 'display_name' => 'Alice Doe', 'user_email' => 'alice@example.com' ) : false;
	},
	'is_email'                => static function ( $text ) {
		return filter_var( $text, FILTER_VALIDATE_EMAIL );
	},
	'get_edit_user_link'      => static function ( $id ) {
		return "https://site.example/wp-admin/user-edit.php?user_id={$id}";
	},
	'cache_users'             => static function () {},
	'wp_cache_delete'         => static function () {
		return true;
	},
	'wc_get_order'            => static function () {
		return false;
	},
) as $name => $does ) {
	if ( ! function_exists( $name ) ) {
		$GLOBALS['staff_fakes'][ $name ] = $does;
		eval( "function {$name}( ...\$args ) { return \$GLOBALS['staff_fakes']['{$name}']( ...\$args ); }" );
	}
}
