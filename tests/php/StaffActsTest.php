<?php

use PHPUnit\Framework\TestCase;
use function Nivella\CreditWallet\{ handle_staff_act, handle_order_box, handle_preview, act_nonce_name, act_subjects, wallet_subject, order_subject, order_nonce_name, act_state, read_draft, draft_name };

/**
 * What staff change: who may, what is asked for first, and that each act happens once.
 */
final class StaffActsTest extends TestCase {

	private const ALICE = 'acc_01a1fa67730b778aa2ec748e9839efc7';
	private const BOB   = 'acc_02b1fa67730b778aa2ec748e9839efc7';

	/** What makes each act's form complete. */
	private const FORMS = array(
		'grant'    => array( 'credits' => '500', 'place' => '', 'kind' => 'bonus', 'validity' => '1y', 'label' => '', 'reason' => 'invoice 7' ),
		'adjust'   => array( 'credits' => '-250', 'place' => '', 'reason' => 'counted twice' ),
		'allocate' => array( 'direction' => 'to', 'site' => 'site-1', 'credits' => '300' ),
		'site'     => array( 'site' => 'site-9', 'label' => '', 'client' => '' ),
		'release'  => array( 'site' => 'site-1' ),
		'freeze'   => array( 'reason' => 'chargeback' ),
		'unfreeze' => array( 'reason' => 'settled' ),
		'claim'    => array( 'days' => '30' ),
		'assign'   => array( 'customer' => 'alice@example.com', 'site' => '' ),
		'replay'   => array(),
	);

	/** What the daemon is told. */
	private const TOLD = array(
		'grant'    => array( 'POST /v1/grants {"wallet":"account:' . self::ALICE . '","credits":"500","category":"bonus","expires":"1y","reason":"invoice 7"}' ),
		'adjust'   => array( 'POST /v1/adjustments {"wallet":"account:' . self::ALICE . '","credits":"-250","reason":"counted twice"}' ),
		'allocate' => array( 'POST /v1/allocations {"account":"' . self::ALICE . '","site":"site-1","credits":"300"}' ),
		'site'     => array( 'PUT /v1/sites/site-9 {"account":null}', 'PUT /v1/sites/site-9 {"account":"' . self::ALICE . '"}' ),
		'release'  => array( 'PUT /v1/sites/site-1 {"account":null}' ),
		'freeze'   => array( 'POST /v1/accounts/' . self::ALICE . '/freeze {"reason":"chargeback"}' ),
		'unfreeze' => array( 'POST /v1/accounts/' . self::ALICE . '/unfreeze {"reason":"settled"}' ),
		'claim'    => array( 'POST /v1/accounts/' . self::ALICE . '/claim-link {"expires_in_days":30}' ),
		'assign'   => array( 'POST /v1/orders/lab/45/assign {"account":"lab:customer:2"}' ),
		'replay'   => array( 'POST /v1/orders/lab/45/replay' ),
	);

	/** @var bool */
	private $frozen = false;
	/** @var bool */
	private $guest = false;
	/** @var callable|null Answers what changes something. */
	private $changes = null;

	protected function setUp(): void {
		World::fresh();
		World::connect( 'lab', 'nwk_' . bin2hex( random_bytes( 8 ) ) );
		World::$daemon             = array( $this, 'daemon' );
		$_SERVER['REQUEST_METHOD'] = 'POST';
		$_REQUEST                  = array();
		$_POST                     = array();
		$_GET                      = array();
		$this->frozen              = false;
		$this->guest               = false;
		$this->changes             = null;
	}

	protected function tearDown(): void {
		unset( $_SERVER['REQUEST_METHOD'] );
		$_REQUEST = array();
		$_POST    = array();
		$_GET     = array();
	}

	/**
	 * Every act by everybody, with the nonce of this act on this wallet, with none, and with those of another wallet, of
	 * another act and of another person.
	 *
	 * @dataProvider everybody
	 */
	public function test_who_may_do_what( string $who, bool $may ): void {
		foreach ( array_keys( act_subjects() ) as $act ) {
			$this->frozen = 'unfreeze' === $act;
			$this->guest  = 'claim' === $act;
			$subject      = $this->subject( $act );
			$other        = 'wallet' === $subject['type'] ? wallet_subject( self::BOB ) : order_subject( 46 );
			$nonces       = array(
				'right'          => $this->nonce( $who, $act, $subject ),
				'none'           => null,
				'other wallet'   => $this->nonce( $who, $act, $other ),
				'other act'      => $this->nonce( $who, 'grant' === $act ? 'adjust' : 'grant', $subject ),
				'other person'   => $this->nonce( 'admin' === $who ? 'manager' : 'admin', $act, $subject ),
			);
			foreach ( $nonces as $which => $nonce ) {
				$this->be( $who );
				World::$requests = array();
				$outcome         = $this->post( $act, $subject, self::FORMS[ $act ], $nonce );
				if ( ! $may ) {
					$this->assertSame( 'die 403', $outcome, "{$who} {$act} {$which}" );
					$this->assertSame( array(), World::$requests, "{$who} {$act} {$which}: nobody may be asked" );
				} elseif ( 'right' !== $which ) {
					$this->assertSame( 'nonce', $outcome, "{$who} {$act} {$which}" );
					$this->assertSame( array(), World::$requests, "{$who} {$act} {$which}: nobody may be asked" );
				} else {
					$this->assertStringStartsWith( "to {$subject['url']}&draft=", $outcome, "{$who} {$act}" );
					$this->assertSame( array(), $this->told(), "{$who} {$act}: a form changes nothing yet" );
					$this->assertSame( self::TOLD[ $act ], $this->confirmed( $who, $act, $subject, $outcome ), "{$who} {$act}" );
				}
			}
		}
	}

	public function everybody(): array {
		return array(
			'administrator' => array( 'admin', true ),
			'shop manager'  => array( 'manager', true ),
			'editor'        => array( 'editor', false ),
			'customer'      => array( 'customer', false ),
			'nobody'        => array( 'nobody', false ),
		);
	}

	public function test_only_post_changes_anything(): void {
		$this->be( 'admin' );
		foreach ( array( 'GET', 'HEAD', 'PUT', '' ) as $method ) {
			$_SERVER['REQUEST_METHOD'] = $method;
			$this->assertSame( 'die 405', $this->post( 'grant', wallet_subject( self::ALICE ), self::FORMS['grant'] ), $method );
		}
		$this->assertSame( array(), World::$requests );
	}

	public function test_nothing_is_done_on_a_customers_site(): void {
		World::connect( '', 'nwk_0123456789abcdef' );
		$this->be( 'admin' );
		$this->assertSame( 'die 403', $this->post( 'grant', array( 'type' => 'wallet', 'id' => self::ALICE, 'field' => 'wallet', 'url' => '' ), self::FORMS['grant'] ) );
		$this->assertSame( array(), World::$requests );
	}

	/** @dataProvider strange_subjects */
	public function test_what_is_no_wallet_is_refused( string $act, string $field, $value ): void {
		$this->be( 'admin' );
		$_POST = array( 'act' => $act, $field => $value, '_wpnonce' => 'x' );
		$this->assertSame( 'die 400', $this->run_handler( 'Nivella\CreditWallet\handle_staff_act' ) );
		$this->assertSame( array(), World::$requests );
	}

	public function strange_subjects(): array {
		return array(
			'no act'            => array( '', 'wallet', self::ALICE ),
			'an act of its own' => array( 'steal', 'wallet', self::ALICE ),
			'no wallet'         => array( 'grant', 'wallet', '' ),
			'a path'            => array( 'grant', 'wallet', '../../keys' ),
			'a list'            => array( 'grant', 'wallet', array( self::ALICE ) ),
			'half an id'        => array( 'grant', 'wallet', 'acc_12' ),
			'an id and more'    => array( 'grant', 'wallet', self::ALICE . '/freeze' ),
			'another store'     => array( 'grant', 'wallet', 'other:customer:2' ),
			'nobody'            => array( 'grant', 'wallet', 'lab:customer:999' ),
			'a guest'           => array( 'grant', 'wallet', 'lab:email:a@example.com' ),
			'an order'          => array( 'grant', 'order_id', '45' ),
			'a wallet'          => array( 'assign', 'wallet', self::ALICE ),
			'order 0'           => array( 'assign', 'order_id', '0' ),
			'order -1'          => array( 'assign', 'order_id', '-1' ),
			'order 1/replay'    => array( 'assign', 'order_id', '1/replay' ),
		);
	}

	public function test_a_yes_pressed_twice_is_told_once_and_with_the_same_key(): void {
		$this->be( 'admin' );
		$subject = wallet_subject( self::ALICE );
		$id      = $this->draft_of( $this->post( 'grant', $subject, self::FORMS['grant'] ) );

		// The first time nothing comes back: it may or may not have been done.
		$this->changes = static function () {
			return new WP_Error( 'http_request_failed', 'cURL error 28: Operation timed out' );
		};
		$this->post( 'grant', $subject, array( 'draft' => $id ) );
		$this->assertSame( 'unknown', read_draft( $id )['state'] );

		$this->changes = null;
		World::$transients = array_filter( World::$transients, static function ( $name ) {
			return false === strpos( $name, 'down_' );
		}, ARRAY_FILTER_USE_KEY );
		$this->post( 'grant', $subject, array( 'draft' => $id ) );
		$this->assertSame( 'done', read_draft( $id )['state'] );
		$this->post( 'grant', $subject, array( 'draft' => $id ) );
		$this->post( 'grant', $subject, array( 'draft' => $id ) );

		$sent = array_values( array_filter( World::$requests, static function ( $request ) {
			return 'GET' !== $request[1]['method'];
		} ) );
		$this->assertCount( 2, $sent, 'what is done is not sent again' );
		$this->assertNotSame( '', $sent[0][1]['headers']['Idempotency-Key'] );
		$this->assertSame( $sent[0][1]['headers']['Idempotency-Key'], $sent[1][1]['headers']['Idempotency-Key'] );
		$this->assertSame( $sent[0][1]['body'], $sent[1][1]['body'] );

		$other = $this->draft_of( $this->post( 'grant', $subject, self::FORMS['grant'] ) );
		$this->post( 'grant', $subject, array( 'draft' => $other ) );
		$again = end( World::$requests );
		$this->assertNotSame( $sent[0][1]['headers']['Idempotency-Key'], $again[1]['headers']['Idempotency-Key'], 'another form is another act' );
	}

	public function test_a_draft_is_good_for_its_own_act_wallet_and_person_only(): void {
		$this->be( 'admin' );
		$alice = wallet_subject( self::ALICE );
		$id    = $this->draft_of( $this->post( 'grant', $alice, self::FORMS['grant'] ) );
		$this->assertSame( 'die 410', $this->post( 'grant', wallet_subject( self::BOB ), array( 'draft' => $id ) ) );
		$this->assertSame( 'die 410', $this->post( 'adjust', $alice, array( 'draft' => $id ) ) );
		$this->assertSame( 'die 410', $this->post( 'grant', $alice, array( 'draft' => '../../x' ) ) );
		$this->be( 'manager' );
		$this->assertSame( 'die 410', $this->post( 'grant', $alice, array( 'draft' => $id ) ) );
		$this->assertSame( array(), $this->told() );
	}

	/** @dataProvider wrong_forms */
	public function test_a_wrong_field_is_named_and_nothing_is_told( string $act, array $wrong, string $field ): void {
		$this->be( 'admin' );
		$subject = $this->subject( $act );
		$id      = $this->draft_of( $this->post( $act, $subject, $wrong + self::FORMS[ $act ] ) );
		$draft   = read_draft( $id );
		$this->assertSame( 'wrong', $draft['state'] );
		$this->assertSame( array( $field ), array_keys( $draft['errors'] ) );
		$this->assertSame( array(), $draft['requests'] );
		$this->assertSame( 'die 410', $this->post( $act, $subject, array( 'draft' => $id ) ) );
		$this->assertSame( array(), $this->told() );
	}

	public function wrong_forms(): array {
		return array(
			array( 'grant', array( 'credits' => '' ), 'credits' ),
			array( 'grant', array( 'credits' => '0' ), 'credits' ),
			array( 'grant', array( 'credits' => '-5' ), 'credits' ),
			array( 'grant', array( 'credits' => '1e3' ), 'credits' ),
			array( 'grant', array( 'credits' => '0.0000001' ), 'credits' ),
			array( 'grant', array( 'credits' => '1,00' ), 'credits' ),
			array( 'grant', array( 'kind' => 'gold' ), 'kind' ),
			array( 'grant', array( 'validity' => 'forever' ), 'validity' ),
			array( 'grant', array( 'place' => 'site-of-bob' ), 'place' ),
			array( 'grant', array( 'reason' => '  ' ), 'reason' ),
			array( 'adjust', array( 'credits' => '0' ), 'credits' ),
			array( 'adjust', array( 'credits' => '-1000.000001' ), 'credits' ),
			array( 'adjust', array( 'credits' => '-501', 'place' => 'site-1' ), 'credits' ),
			array( 'adjust', array( 'reason' => '' ), 'reason' ),
			array( 'allocate', array( 'credits' => '1001' ), 'credits' ),
			array( 'allocate', array( 'credits' => '501', 'direction' => 'from' ), 'credits' ),
			array( 'allocate', array( 'site' => 'site-9' ), 'site' ),
			array( 'allocate', array( 'direction' => 'up' ), 'direction' ),
			array( 'site', array( 'site' => 'has space' ), 'site' ),
			array( 'site', array( 'site' => '' ), 'site' ),
			array( 'site', array( 'client' => 'a/b' ), 'client' ),
			array( 'release', array( 'site' => 'site-9' ), 'site' ),
			array( 'freeze', array( 'reason' => '' ), 'reason' ),
			array( 'unfreeze', array(), '' ),
			array( 'claim', array(), '' ),
			array( 'assign', array( 'customer' => 'who-is-that' ), 'customer' ),
			array( 'assign', array( 'customer' => '', 'site' => 'a b' ), 'site' ),
			array( 'assign', array( 'customer' => '', 'site' => '' ), '' ),
		);
	}

	public function test_what_the_daemon_objects_to_stands_at_the_field(): void {
		$this->be( 'admin' );
		$subject = wallet_subject( self::ALICE );
		$faults  = array(
			'grant'  => array( '/expires', 'validity' ),
			'freeze' => array( '/reason', 'reason' ),
		);
		foreach ( $faults as $act => list( $pointer, $field ) ) {
			$id            = $this->draft_of( $this->post( $act, $subject, self::FORMS[ $act ] ) );
			$this->changes = static function () use ( $pointer ) {
				return answer( 422, json_encode( array( 'title' => 'Invalid request', 'status' => 422, 'code' => 'invalid_request', 'detail' => 'x', 'errors' => array( array( 'pointer' => $pointer, 'detail' => 'is not that' ) ) ) ) );
			};
			$this->post( $act, $subject, array( 'draft' => $id ) );
			$this->assertSame( array( $field => 'is not that' ), read_draft( $id )['errors'] );
			$this->assertSame( 'wrong', read_draft( $id )['state'] );
			$this->changes = null;
		}
	}

	/** @dataProvider refusals */
	public function test_a_refusal_is_said_in_words( int $status, string $code, string $words ): void {
		$this->be( 'admin' );
		$subject       = wallet_subject( self::ALICE );
		$id            = $this->draft_of( $this->post( 'grant', $subject, self::FORMS['grant'] ) );
		$this->changes = static function () use ( $status, $code ) {
			return problem( $status, $code );
		};
		$this->post( 'grant', $subject, array( 'draft' => $id ) );
		$this->assertSame( 'wrong', read_draft( $id )['state'] );
		$this->assertStringContainsString( $words, read_draft( $id )['errors'][''] );
	}

	public function test_half_an_act_is_not_called_nothing(): void {
		$this->be( 'admin' );
		$subject = wallet_subject( self::ALICE );
		foreach ( array( 'first' => 1, 'second' => 2 ) as $which => $fails ) {
			$id            = $this->draft_of( $this->post( 'site', $subject, self::FORMS['site'] ) );
			$told          = 0;
			$this->changes = static function () use ( &$told, $fails ) {
				return ++$told === $fails ? problem( 423, 'frozen' ) : answer( 200, '{"id":"site-9","account":null}' );
			};
			$this->post( 'site', $subject, array( 'draft' => $id ) );
			$this->assertSame( $fails, $told );
			$says = read_draft( $id )['errors'][''];
			$this->assertSame( 'second' === $which, false !== strpos( $says, 'belongs to no customer now' ), $says );
			$this->assertStringContainsString( 'on hold', $says );
		}
	}

	public function refusals(): array {
		return array(
			array( 402, 'insufficient_credits', 'not that many credits' ),
			array( 409, 'site_mismatch', 'belongs to another customer' ),
			array( 423, 'frozen', 'on hold' ),
			array( 422, 'idempotency_mismatch', 'sent before' ),
			array( 403, 'forbidden', 'scope admin' ),
			array( 418, 'something_new', 'refused' ),
		);
	}

	public function test_what_will_happen_is_said_in_numbers(): void {
		$this->be( 'admin' );
		$subject = wallet_subject( self::ALICE );
		$row     = function ( string $act, array $more ) use ( $subject ): array {
			$plan = read_draft( $this->draft_of( $this->post( $act, $subject, $more + self::FORMS[ $act ] ) ) )['plan'];
			return array_map(
				static function ( array $row ): array {
					return array( $row['place'], $row['now'], $row['change'], $row['then'] );
				},
				$plan['rows']
			);
		};
		$this->assertSame( array( array( 'Pool', '1,000', '+500', '1,500' ) ), $row( 'grant', array() ) );
		$this->assertSame( array( array( 'Pool', '1,000', '+1,234.5', '2,234.5' ) ), $row( 'grant', array( 'credits' => '1,234.50' ) ) );
		$this->assertSame( array( array( 'Pool', '1,000', "\u{2212}250", '750' ) ), $row( 'adjust', array() ) );
		$this->assertSame( array( array( 'site-1', '500', "\u{2212}500", '0' ) ), $row( 'adjust', array( 'place' => 'site-1', 'credits' => "\u{2212}500" ) ) );
		$this->assertSame( array( array( 'Pool', '1,000', "\u{2212}300", '700' ), array( 'site-1', '500', '+300', '800' ) ), $row( 'allocate', array() ) );
		$this->assertSame( array( array( 'site-1', '500', "\u{2212}300", '200' ), array( 'Pool', '1,000', '+300', '1,300' ) ), $row( 'allocate', array( 'direction' => 'from' ) ) );
	}

	public function test_a_claim_link_is_shown_once(): void {
		$this->guest = true;
		$this->be( 'admin' );
		$subject = wallet_subject( self::ALICE );
		$id      = $this->draft_of( $this->post( 'claim', $subject, self::FORMS['claim'] ) );
		$this->post( 'claim', $subject, array( 'draft' => $id ) );
		$_GET  = array( 'account' => self::ALICE, 'draft' => $id );
		$first = act_state();
		$this->assertStringContainsString( 'nivella_claim=acc_01', $first['done']['secret'] );
		$this->assertArrayNotHasKey( 'secret', act_state()['done'] );
		$this->assertStringNotContainsString( 'abcdefghij', json_encode( World::$transients ), 'and kept no longer' );
	}

	public function test_a_draft_shows_on_its_own_page_only(): void {
		$this->be( 'admin' );
		$id = $this->draft_of( $this->post( 'grant', wallet_subject( self::ALICE ), self::FORMS['grant'] ) );
		foreach ( array( array( 'account' => self::BOB ), array( 'customer' => '2' ), array( 'order_id' => '45' ), array() ) as $page ) {
			$_GET = $page + array( 'draft' => $id );
			$this->assertNull( act_state(), json_encode( $page ) );
		}
		$_GET = array( 'account' => self::ALICE, 'draft' => $id );
		$this->assertSame( 'review', act_state()['state'] );
		$this->be( 'manager' );
		$this->assertNull( act_state() );
	}

	/** @dataProvider everybody */
	public function test_who_may_see_an_orders_credits( string $who, bool $may ): void {
		foreach ( array( 'handle_order_box' => 'story', 'handle_preview' => 'takes back 400' ) as $handler => $says ) {
			foreach ( array( 'right', 'none', 'other order' ) as $which ) {
				$this->be( $who );
				World::$requests = array();
				$_POST           = array( 'order_id' => '45', 'amount' => '40', 'lines' => '[]' );
				if ( 'none' !== $which ) {
					$_POST['_wpnonce'] = wp_create_nonce( order_nonce_name( 'right' === $which ? 45 : 46 ) );
				}
				$outcome = $this->run_handler( "Nivella\\CreditWallet\\{$handler}" );
				if ( $may && 'right' === $which ) {
					$this->assertStringStartsWith( 'json 200', $outcome );
					$this->assertStringContainsString( $says, $outcome );
				} else {
					$this->assertSame( 'json 403', $outcome, "{$who} {$handler} {$which}" );
					$this->assertSame( array(), World::$requests );
				}
			}
		}
	}

	/** Answers as the daemon does. */
	public function daemon( string $url, array $args ) {
		$path = (string) parse_url( $url, PHP_URL_PATH );
		if ( 'GET' !== $args['method'] && false === strpos( $path, 'refund-preview' ) ) {
			if ( $this->changes ) {
				return ( $this->changes )( $url, $args );
			}
			return answer( 201, json_encode( array( 'available' => '1500', 'token' => self::ALICE . '.1797897600000.abcdefghijklmnop', 'expires_at' => '2026-12-21T00:00:00Z', 'order' => array( 'summary' => 'all is well' ) ) ) );
		}
		if ( false !== strpos( $path, 'refund-preview' ) ) {
			return answer( 200, '{"granted":"1000","used":"380","left":"620","takes_back":"400","shortfall":"0","shortfall_policy":"debt","lines":[],"summary":""}' );
		}
		if ( preg_match( '#^/v1/accounts/(.+)$#', $path, $match ) ) {
			$id = rawurldecode( $match[1] );
			return answer(
				200,
				json_encode(
					array(
						'id'            => $id,
						'name'          => 'Alice Doe',
						'names'         => $this->guest ? array( 'lab:email:alice@example.com' ) : array( 'lab:customer:2' ),
						'available'     => '1500',
						'debt'          => '0',
						'used'          => '0',
						'status'        => $this->frozen ? 'frozen' : 'ok',
						'site_count'    => 1,
						'frozen_reason' => $this->frozen ? 'chargeback' : null,
						'created_at'    => '2026-11-20T16:00:00Z',
						'sites'         => array( array( 'id' => 'site-1', 'label' => 'One', 'client' => null, 'available' => '500' ) ),
						'freeze'        => $this->frozen ? array( 'reason' => 'chargeback', 'at' => '2026-11-20T16:00:00Z' ) : null,
					)
				)
			);
		}
		if ( '/v1/sites/site-9' === $path ) {
			return answer( 200, '{"id":"site-9","account":{"id":"' . self::BOB . '","name":"Bob Roe"}}' );
		}
		if ( preg_match( '#^/v1/orders/lab/\d+$#', $path ) ) {
			return answer( 200, json_encode( self::story() ) );
		}
		if ( preg_match( '#/feed$#', $path ) ) {
			$feed              = json_decode( feed( 'account-agency' ), true );
			$slice             = array( 'site' => null, 'scope' => 'pool', 'held' => '0', 'remaining' => '1000' ) + $feed['breakdown'][0];
			$feed['breakdown'] = array( $slice, array( 'site' => 'site-1', 'scope' => 'site', 'remaining' => '520', 'held' => '20' ) + $slice );
			return answer( 200, json_encode( $feed ) );
		}
		return problem( 404, 'not_found' );
	}

	/** An order's story, as the daemon tells it. */
	public static function story(): array {
		return array(
			'store' => 'lab', 'order' => '45', 'number' => '45', 'summary' => '620 credits of it are left', 'status' => 'completed', 'meaning' => 'paid', 'paid_at' => '2026-11-20T16:00:00Z',
			'modified_at' => '2026-11-20T16:00:00Z', 'applied_at' => '2026-11-20T16:00:00Z', 'buyer' => 'lab:customer:2', 'account' => array( 'id' => self::ALICE, 'name' => 'Alice Doe' ), 'parked' => null, 'attention' => null,
			'missing' => array( array( 'step' => 'worth', 'what' => 'no package', 'remedy' => 'set one' ) ),
			'lines' => array( array( 'line' => 36, 'name' => 'AI Credits 1,000', 'quantity' => '1', 'total' => '10.00 USD', 'is_tokens' => true, 'worth' => '1000 credits each', 'site' => array( 'named' => null, 'compartment' => 'pool', 'why' => 'no site' ), 'target' => '1000', 'booked' => '1000', 'arithmetic' => '1 x 1000', 'says' => 'as it should be' ) ),
			'grants' => array( array( 'line' => 36, 'credits' => '1000', 'spent' => '380', 'clawed' => '0', 'expired' => '0', 'remaining' => '620', 'expires_at' => null ) ),
			'entries' => array( array( 'at' => '2026-11-20T16:00:00Z', 'line' => 36, 'says' => '1000 granted to the pool' ) ),
			'deliveries' => array( array( 'received_at' => '2026-11-20T16:00:00Z', 'topic' => 'order.updated', 'result' => 'granted', 'reason' => null ) ),
		);
	}

	private function be( string $who ): void {
		World::$user         = array( 'nobody' => 0, 'admin' => 1, 'manager' => 2, 'editor' => 3, 'customer' => 4 )[ $who ];
		World::$capabilities = array(
			'nobody'   => array(),
			'admin'    => array( 'read', 'edit_posts', 'manage_options', 'manage_woocommerce' ),
			'manager'  => array( 'read', 'edit_posts', 'manage_woocommerce', 'edit_shop_orders' ),
			'editor'   => array( 'read', 'edit_posts', 'edit_others_posts', 'publish_posts', 'manage_categories' ),
			'customer' => array( 'read' ),
		)[ $who ];
	}

	private function subject( string $act ): array {
		return 'order' === act_subjects()[ $act ] ? order_subject( 45 ) : wallet_subject( self::ALICE );
	}

	/** The nonce that `$who` has for an act. */
	private function nonce( string $who, string $act, array $subject ): string {
		$this->be( $who );
		return wp_create_nonce( act_nonce_name( $act, $subject ) );
	}

	/** Posts a form; the right nonce unless another one, or null, is said. */
	private function post( string $act, array $subject, array $fields, $nonce = '' ): string {
		$_POST = $fields + array( 'act' => $act, $subject['field'] => $subject['id'] );
		if ( null !== $nonce ) {
			$_POST['_wpnonce'] = '' === $nonce ? wp_create_nonce( act_nonce_name( $act, $subject ) ) : $nonce;
		}
		return $this->run_handler( 'Nivella\CreditWallet\handle_staff_act' );
	}

	private function run_handler( string $handler ): string {
		$_REQUEST = $_POST;
		$level    = ob_get_level();
		try {
			$handler();
		} catch ( Ended $end ) {
			while ( ob_get_level() > $level ) {
				ob_end_clean();
			}
			return $end->getMessage();
		}
		return 'nothing';
	}

	private function draft_of( string $outcome ): string {
		$this->assertMatchesRegularExpression( '/[?&]draft=[0-9a-f-]{36}#nivella-act$/', $outcome );
		preg_match( '/draft=([0-9a-f-]{36})/', $outcome, $match );
		return $match[1];
	}

	/** What the daemon was told, in the order it was. */
	private function told(): array {
		$told = array();
		foreach ( World::$requests as list( $url, $args ) ) {
			if ( 'GET' !== $args['method'] && false === strpos( $url, 'refund-preview' ) ) {
				$told[] = trim( $args['method'] . ' ' . parse_url( $url, PHP_URL_PATH ) . ' ' . ( $args['body'] ?? '' ) );
			}
		}
		return array_map( 'stripslashes', $told );
	}

	/** Says yes and gives back what the daemon was told. */
	private function confirmed( string $who, string $act, array $subject, string $outcome ): array {
		$this->be( $who );
		World::$requests = array();
		$this->post( $act, $subject, array( 'draft' => $this->draft_of( $outcome ) ) );
		return $this->told();
	}
}
