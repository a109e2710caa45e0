<?php
/**
 * The e-mail that says that credits run low.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * One of WooCommerce's e-mails. Read only when WooCommerce asks for its e-mails.
 */
class Low_Credit_Email extends \WC_Email {

	/**
	 * What it tells, from `low_credit_facts()`; null while somebody looks at a preview.
	 *
	 * @var array|null
	 */
	private $facts = null;

	/**
	 * The customer it is written to.
	 *
	 * @var \WP_User|null
	 */
	private $person = null;

	/**
	 * Says what WooCommerce needs to know.
	 */
	public function __construct() {
		$this->id             = 'nivella_low_credit';
		$this->customer_email = true;
		$this->email_group    = 'accounts';
		$this->title          = __( 'AI Credits running low', 'nivella-credit-wallet' );
		$this->description    = __( 'Tells customers that the credits of a website run low or are used up: once for each level that is reached. Customers can turn it off for themselves under My account.', 'nivella-credit-wallet' );
		$this->template_base  = dirname( __DIR__, 2 ) . '/templates/';
		$this->template_html  = 'emails/low-credit.php';
		$this->template_plain = 'emails/plain/low-credit.php';
		$this->placeholders   = array(
			'{unit}'      => '',
			'{website}'   => '',
			'{available}' => '',
			'{status}'    => '',
		);
		parent::__construct();
	}

	/**
	 * The subject, unless the shop has written its own.
	 *
	 * @return string
	 */
	public function get_default_subject() {
		return __( '{status}: {unit} for {website}', 'nivella-credit-wallet' );
	}

	/**
	 * The heading, unless the shop has written its own.
	 *
	 * @return string
	 */
	public function get_default_heading() {
		return __( '{available} {unit} left', 'nivella-credit-wallet' );
	}

	/**
	 * What stands below, unless the shop has written its own.
	 *
	 * @return string
	 */
	public function get_default_additional_content() {
		return '';
	}

	/**
	 * Sends it.
	 *
	 * @param array    $facts  From `low_credit_facts()`.
	 * @param \WP_User $person The customer.
	 * @return bool Whether it was handed over.
	 */
	public function trigger( array $facts, \WP_User $person ): bool {
		$this->setup_locale();
		$this->facts     = $facts;
		$this->person    = $person;
		$this->object    = $person;
		$this->recipient = $person->user_email;
		$this->fill_in();
		$sent = $this->is_enabled() && $this->get_recipient() && $this->send( $this->get_recipient(), $this->get_subject(), $this->get_content(), $this->get_headers(), $this->get_attachments() );
		$this->restore_locale();
		$this->facts  = null;
		$this->person = null;
		return (bool) $sent;
	}

	/**
	 * The subject; of a preview too.
	 *
	 * @return string
	 */
	public function get_subject() {
		$this->fill_in();
		return parent::get_subject();
	}

	/**
	 * The heading; of a preview too.
	 *
	 * @return string
	 */
	public function get_heading() {
		$this->fill_in();
		return parent::get_heading();
	}

	/**
	 * The e-mail as HTML.
	 *
	 * @return string
	 */
	public function get_content_html() {
		return wc_get_template_html( $this->template_html, $this->template_values( false ), '', $this->template_base );
	}

	/**
	 * The e-mail as plain text.
	 *
	 * @return string
	 */
	public function get_content_plain() {
		return wc_get_template_html( $this->template_plain, $this->template_values( true ), '', $this->template_base );
	}

	/**
	 * What the templates see.
	 *
	 * @param bool $is_plain Whether it is for plain text.
	 */
	private function template_values( bool $is_plain ): array {
		return array(
			'email_heading'      => $this->get_heading(),
			'additional_content' => $this->get_additional_content(),
			'sent_to_admin'      => false,
			'plain_text'         => $is_plain,
			'email'              => $this,
			'view'               => $this->view(),
		);
	}

	/**
	 * What it tells, or an example where somebody only looks.
	 */
	private function facts(): array {
		return null !== $this->facts ? $this->facts : array(
			'status'    => 'low',
			'available' => '180',
			'others'    => false,
			'unit'      => __( 'AI Credits', 'nivella-credit-wallet' ),
			'site'      => 'www.example.com',
			'site_name' => 'www.example.com',
			'at'        => time(),
			'runway'    => __( 'At the recent pace they may run out today.', 'nivella-credit-wallet' ),
		);
	}

	/**
	 * Fills in what a shop may use in subject and heading.
	 */
	private function fill_in(): void {
		$facts              = $this->facts();
		$this->placeholders = array_merge(
			$this->placeholders,
			array(
				'{unit}'      => $facts['unit'],
				'{website}'   => '' === $facts['site'] ? __( 'all your websites', 'nivella-credit-wallet' ) : $facts['site_name'],
				'{available}' => show_available( $facts['available'] ),
				'{status}'    => status_label( $facts['status'] ),
			)
		);
	}

	/**
	 * The sentences and figures of the e-mail, not yet escaped.
	 */
	private function view(): array {
		$facts   = $this->facts();
		$first   = null === $this->person ? '' : trim( (string) $this->person->first_name );
		$website = '' === $facts['site'] ? __( 'All websites (shared)', 'nivella-credit-wallet' ) : $facts['site_name'];
		if ( $facts['others'] ) {
			$says = 'empty' === $facts['status']
				? __( 'The credits that all your websites share are used up. Websites with credits of their own go on; on the others, features that need credits pause, or hand over to your team, until more arrive.', 'nivella-credit-wallet' )
				: __( 'The credits that all your websites share are running low. Websites with credits of their own go on when they are used up; the others need more.', 'nivella-credit-wallet' );
		} elseif ( 'empty' === $facts['status'] ) {
			$says = __( 'The credits are used up. Features that need credits pause, or hand over to your team, until more arrive.', 'nivella-credit-wallet' );
		} elseif ( 'critical' === $facts['status'] ) {
			$says = __( 'The credits are almost used up. Top up soon, so that nothing has to pause.', 'nivella-credit-wallet' );
		} else {
			$says = __( 'The credits are running low. This is a good moment to top up.', 'nivella-credit-wallet' );
		}
		return array(
			/* translators: %s: first name of a customer. */
			'greeting' => '' === $first ? __( 'Hello,', 'nivella-credit-wallet' ) : sprintf( __( 'Hello %s,', 'nivella-credit-wallet' ), $first ),
			'says'     => $says,
			'figures'  => array(
				__( 'Website', 'nivella-credit-wallet' )      => $website,
				__( 'Can be used', 'nivella-credit-wallet' )  => with_unit( show_available( $facts['available'] ), $facts['unit'] ),
				__( 'As of', 'nivella-credit-wallet' )        => show_moment( $facts['at'] ),
			),
			'runway'   => $facts['runway'],
			'top_up'   => ( '' === $facts['site'] ? account_page_url() : add_query_arg( FOR_FIELD, rawurlencode( $facts['site'] ), account_page_url() ) ) . '#nivella-packages',
			'settings' => account_page_url() . '#nivella-mail',
		);
	}
}
