<?php
/**
 * E-mails, as far as a plugin's own e-mail needs them: the class it extends and the list it is in.
 *
 * @package Nivella\Tests
 */

defined( 'ABSPATH' ) || exit;

/** What all e-mails have in common. */
class WC_Email {
	public $id             = '';
	public $title          = '';
	public $description    = '';
	public $customer_email = false;
	public $email_group    = '';
	public $template_base;
	public $template_html;
	public $template_plain;
	public $placeholders = array();
	public $recipient    = '';
	public $object;

	public function __construct() {}

	/** On, unless the option says no. */
	public function is_enabled() {
		return 'no' !== ( get_option( "woocommerce_{$this->id}_settings" )['enabled'] ?? 'yes' );
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
		return $this->get_default_additional_content();
	}

	public function get_content() {
		return $this->get_content_html();
	}

	public function get_headers() {
		return "Content-Type: text/html\r\n";
	}

	public function get_attachments() {
		return array();
	}

	public function setup_locale() {}

	public function restore_locale() {}

	public function send( $to, $subject, $message, $headers, $attachments ) {
		return wp_mail( $to, $subject, $message, $headers, $attachments );
	}
}

/** The list of e-mails. */
function nivella_stub_mailer() {
	static $mailer = null;
	$mailer        = $mailer ?? new class() {
		private $emails = null;

		public function get_emails() {
			$this->emails = $this->emails ?? apply_filters( 'woocommerce_email_classes', array() );
			return $this->emails;
		}
	};
	return $mailer;
}

/** A template as text. */
function wc_get_template_html( $template, $values = array(), $path = '', $base = '' ) {
	ob_start();
	( static function ( $file, $values ) {
		extract( $values ); // phpcs:ignore WordPress.PHP.DontExtractVariables -- As WooCommerce does.
		require $file;
	} )( $base . $template, $values );
	return ob_get_clean();
}

/** The cart's address. Nothing is behind it. */
if ( ! function_exists( 'wc_get_cart_url' ) ) {
	function wc_get_cart_url() {
		return home_url( '/cart/' );
	}
}
