<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ target_of_act, nonce_name, own_wallet_view, shortcode, add_account_endpoint, add_account_menu_item };

/**
 * Whose wallet: role by act, with and without a nonce. The browser never chooses.
 */
final class WhoseTest extends TestCase {

	private const ACT = 'nivella_credit_wallet_refresh';

	protected function setUp(): void {
		World::fresh();
		$_REQUEST = array();
		$_GET     = array();
	}

	protected function tearDown(): void {
		$_REQUEST = array();
		$_GET     = array();
	}

	/** @dataProvider acts */
	public function test_who_may_act_on_which_wallet( string $store, string $who, ?string $customer, string $outcome ): void {
		World::connect( $store );
		$this->be( $who );
		$number   = (int) $customer;
		$_REQUEST = array( '_wpnonce' => wp_create_nonce( nonce_name( self::ACT, $number ) ) ) + ( null === $customer ? array() : array( 'customer' => $customer ) );
		$this->assertSame( $outcome, $this->outcome() );

		$_REQUEST['_wpnonce'] = 'wrong';
		$this->assertSame( 'nonce', $this->outcome() );
		unset( $_REQUEST['_wpnonce'] );
		$this->assertSame( 'nonce', $this->outcome() );
	}

	public function acts(): array {
		return array(
			'site: administrator'                 => array( '', 'admin', null, 'me' ),
			'site: administrator names a user'    => array( '', 'admin', '2', 'die 403' ),
			'site: subscriber'                    => array( '', 'customer', null, 'die 403' ),
			'site: nobody'                        => array( '', 'nobody', null, 'die 403' ),
			'shop: customer'                      => array( 'lab', 'customer', null, 'account%3Alab%3Acustomer%3A7' ),
			'shop: customer names another'        => array( 'lab', 'customer', '2', 'die 403' ),
			'shop: customer names themselves'     => array( 'lab', 'customer', '7', 'die 403' ),
			'shop: staff names a customer'        => array( 'lab', 'admin', '2', 'account%3Alab%3Acustomer%3A2' ),
			'shop: staff names nobody they know'  => array( 'lab', 'admin', '12345', 'die 403' ),
			'shop: staff, own'                    => array( 'lab', 'admin', null, 'account%3Alab%3Acustomer%3A1' ),
			'shop: nobody'                        => array( 'lab', 'nobody', null, 'die 403' ),
			'shop: nobody names a customer'       => array( 'lab', 'nobody', '2', 'die 403' ),
		);
	}

	public function test_nothing_in_a_request_leads_to_another_wallet(): void {
		World::connect( 'lab' );
		$this->be( 'customer' );
		World::$daemon = static function () {
			return problem( 404, 'not_found' );
		};
		$_GET          = $_REQUEST = array( 'customer' => '2', 'wallet' => 'account:lab:customer:2', 'user' => '2', 'user_id' => '2', 'account' => '2', 'store' => 'x', 'nivella_site' => 'x', 'nivella_wallet' => 'x' );
		own_wallet_view( 'https://site.example/my-account/ai-credits/' );
		$this->assertNotSame( array(), World::$requests );
		foreach ( World::$requests as list( $url ) ) {
			$this->assertStringContainsString( '/account%3Alab%3Acustomer%3A7/', $url );
		}
	}

	public function test_the_account_page_exists_only_on_a_shop(): void {
		World::connect();
		$items = array( 'dashboard' => 'Dashboard', 'customer-logout' => 'Log out' );
		$this->assertSame( $items, add_account_menu_item( $items ) );
		$this->assertSame( array(), add_account_endpoint( array() ) );
		World::connect( 'lab' );
		$this->assertSame( array( 'dashboard', 'ai-credits', 'customer-logout' ), array_keys( add_account_menu_item( $items ) ) );
		$this->assertSame( array( 'ai-credits' => 'ai-credits' ), add_account_endpoint( array() ) );
	}

	public function test_on_a_site_only_staff_see_the_shortcode(): void {
		World::connect();
		foreach ( array( 'nobody', 'customer' ) as $who ) {
			$this->be( $who );
			$this->assertSame( '', shortcode() );
		}
		$this->assertSame( array(), World::$requests );
	}

	private function be( string $who ): void {
		World::$user         = array( 'nobody' => 0, 'customer' => 7, 'admin' => 1 )[ $who ];
		World::$capabilities = 'admin' === $who ? array( 'manage_options' ) : array( 'read' );
	}

	private function outcome(): string {
		try {
			return target_of_act( self::ACT )['path'];
		} catch ( Ended $end ) {
			return $end->getMessage();
		}
	}
}
