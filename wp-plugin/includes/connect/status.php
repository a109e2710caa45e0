<?php
/**
 * How it stands with the connection: what this WordPress knows of its webhooks and deliveries, and what the daemon says.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** How many faults are shown. */
const FAULTS_SHOWN = 3;

/**
 * All that the status box shows.
 */
function status_view(): array {
	$shop     = shop();
	$webhooks = has_woocommerce() ? array_map(
		static function ( string $topic ) use ( $shop ): array {
			return webhook_view( webhook_state( $topic, $shop ) );
		},
		TOPICS
	) : array();
	$memory   = lane_memory();
	$daemon   = store_view();
	$waiting  = count_waiting();
	$faults   = array_map( __NAMESPACE__ . '\\fault_view', array_slice( $memory['faults'], 0, FAULTS_SHOWN ) );
	$is_well  = array() === array_filter( $webhooks, __NAMESPACE__ . '\\is_faulty' ) && has_woocommerce();
	// What failed before the last good delivery is over.
	$is_flowing = array() === $memory['faults'] || (int) ( $memory['faults'][0]['at'] ?? 0 ) <= (int) ( $memory['last']['at'] ?? 0 );
	return array(
		'store'        => settings()['store'],
		'url'          => settings()['url'],
		'since'        => show_moment( $shop['paired_at'] ),
		'webhooks'     => $webhooks,
		'woocommerce'  => has_woocommerce(),
		'is_well'      => $is_well,
		'is_copy'      => is_copy(),
		'copy'         => array( copy_words(), copy_remedy() ),
		'is_green'     => ! is_copy() && $is_well && $is_flowing && 0 === $waiting && null === $daemon['trouble'],
		'last'         => last_delivery_text( $memory['last'] ),
		'faults'       => $faults,
		'waiting'      => $waiting,
		'waiting_text' => 0 === $waiting ? '' : sprintf(
			/* translators: %s: a number. */
			_n( '%s change waits until the wallet service can be reached; it is sent automatically.', '%s changes wait until the wallet service can be reached; they are sent automatically.', $waiting, 'nivella-credit-wallet' ),
			number_format_i18n( $waiting )
		),
		'daemon'       => $daemon,
		'act_url'      => admin_url( 'admin-post.php' ),
		'mend_action'  => MEND_ACTION,
		'mend_nonce'   => wp_create_nonce( MEND_ACTION ),
		'mend_label'   => $is_well ? __( 'Check now', 'nivella-credit-wallet' ) : __( 'Re-enable', 'nivella-credit-wallet' ),
	);
}

/**
 * Whether a webhook needs mending.
 *
 * @param array $webhook From `webhook_view()`.
 */
function is_faulty( array $webhook ): bool {
	return 'active' !== $webhook['state'];
}

/**
 * A webhook as the status box shows it.
 *
 * @param array $state From `webhook_state()`.
 */
function webhook_view( array $state ): array {
	$topics = array(
		'order.created'   => __( 'Orders: new', 'nivella-credit-wallet' ),
		'order.updated'   => __( 'Orders: changed, paid, refunded', 'nivella-credit-wallet' ),
		'order.deleted'   => __( 'Orders: moved to the trash', 'nivella-credit-wallet' ),
		'order.restored'  => __( 'Orders: restored', 'nivella-credit-wallet' ),
		'product.created' => __( 'Products: new', 'nivella-credit-wallet' ),
		'product.updated' => __( 'Products: changed', 'nivella-credit-wallet' ),
		'product.deleted' => __( 'Products: moved to the trash', 'nivella-credit-wallet' ),
	);
	$words  = array(
		'active'   => __( 'active', 'nivella-credit-wallet' ),
		'paused'   => __( 'paused', 'nivella-credit-wallet' ),
		'disabled' => __( 'switched off by WooCommerce after failed deliveries', 'nivella-credit-wallet' ),
		'missing'  => __( 'missing', 'nivella-credit-wallet' ),
		'secret'   => __( 'its secret was changed', 'nivella-credit-wallet' ),
		'changed'  => __( 'its address, topic or version was changed', 'nivella-credit-wallet' ),
		'owner'    => __( 'its user may no longer see orders', 'nivella-credit-wallet' ),
	);
	$note   = '';
	if ( 'active' === $state['state'] && $state['failures'] > 0 ) {
		/* translators: %s: a number. */
		$note = sprintf( _n( '%s failed delivery in a row', '%s failed deliveries in a row', $state['failures'], 'nivella-credit-wallet' ), number_format_i18n( $state['failures'] ) );
	}
	return array(
		'topic' => $state['topic'],
		'what'  => $topics[ $state['topic'] ],
		'state' => $state['state'],
		'words' => $words[ $state['state'] ],
		'note'  => $note,
		'url'   => $state['id'] > 0 ? admin_url( 'admin.php?page=wc-settings&tab=advanced&section=webhooks&edit-webhook=' . $state['id'] ) : '',
	);
}

/**
 * The last delivery in words.
 *
 * @param array|null $last From `lane_memory()`.
 */
function last_delivery_text( ?array $last ): string {
	if ( null === $last || ! is_int( $last['at'] ?? null ) ) {
		return __( 'none yet; the first order with credits will be one', 'nivella-credit-wallet' );
	}
	$results = array(
		'granted'     => __( 'credits granted', 'nivella-credit-wallet' ),
		'clawed_back' => __( 'credits taken back', 'nivella-credit-wallet' ),
		'unchanged'   => __( 'nothing to change', 'nivella-credit-wallet' ),
		'parked'      => __( 'parked until a question about it is answered', 'nivella-credit-wallet' ),
		'ignored'     => __( 'no credits in it', 'nivella-credit-wallet' ),
		'stored'      => __( 'being worked on', 'nivella-credit-wallet' ),
	);
	return sprintf(
		/* translators: 1: time span like "5 minutes", 2: what it was about, 3: what came of it. */
		__( '%1$s ago: %2$s, %3$s', 'nivella-credit-wallet' ),
		human_time_diff( $last['at'] ),
		delivery_name( (string) ( $last['topic'] ?? '' ), (int) ( $last['id'] ?? 0 ) ),
		$results[ $last['result'] ?? '' ] ?? __( 'accepted', 'nivella-credit-wallet' )
	);
}

/**
 * What a delivery was about.
 *
 * @param string $topic Its topic.
 * @param int    $id    Which order or product.
 */
function delivery_name( string $topic, int $id ): string {
	if ( 0 === strpos( $topic, 'order' ) ) {
		/* translators: %s: number of an order. */
		return sprintf( __( 'order %s', 'nivella-credit-wallet' ), (string) $id );
	}
	if ( 0 === strpos( $topic, 'product' ) ) {
		/* translators: %s: number of a product. */
		return sprintf( __( 'product %s', 'nivella-credit-wallet' ), (string) $id );
	}
	return 'probe' === $topic ? __( 'a test delivery', 'nivella-credit-wallet' ) : __( 'categories', 'nivella-credit-wallet' );
}

/**
 * A fault as the status box shows it.
 *
 * @param array $fault From `lane_memory()`.
 */
function fault_view( array $fault ): array {
	$why = explain_delivery( new \WP_Error( (string) ( $fault['code'] ?? '' ), (string) ( $fault['detail'] ?? '' ), is_array( $fault['data'] ?? null ) ? $fault['data'] : array() ) );
	return array(
		'code'   => (string) ( $fault['code'] ?? '' ),
		'what'   => sprintf(
			/* translators: 1: time span like "5 minutes", 2: what it was about. */
			__( '%1$s ago: %2$s.', 'nivella-credit-wallet' ),
			human_time_diff( (int) ( $fault['at'] ?? 0 ) ),
			delivery_name( (string) ( $fault['topic'] ?? '' ), (int) ( $fault['id'] ?? 0 ) )
		),
		'reason' => $why['reason'],
		'remedy' => $why['remedy'],
	);
}

/**
 * What the daemon says about this store, for the status box.
 */
function store_view(): array {
	$store = ask_store();
	if ( is_wp_error( $store ) ) {
		return array(
			'trouble' => explain( $store ) + array( 'code' => (string) $store->get_error_code() ),
			'rows'    => array(),
		);
	}
	$rows   = array();
	$rows[] = array(
		'name'  => __( 'Last delivery that arrived', 'nivella-credit-wallet' ),
		'value' => null === $store['last_at']
			? __( 'none yet', 'nivella-credit-wallet' )
			/* translators: %s: time span like "5 minutes". */
			: sprintf( __( '%s ago', 'nivella-credit-wallet' ), human_time_diff( $store['last_at'] ) ),
	);
	if ( null !== $store['refused_at'] ) {
		$rows[] = array(
			'name'  => __( 'Last delivery that was refused', 'nivella-credit-wallet' ),
			/* translators: %s: time span like "5 minutes". */
			'value' => sprintf( __( '%s ago, because it was signed with another secret', 'nivella-credit-wallet' ), human_time_diff( $store['refused_at'] ) ),
		);
	}
	$orders = array(
		'known'     => __( 'Known orders', 'nivella-credit-wallet' ),
		'parked'    => __( 'Parked orders', 'nivella-credit-wallet' ),
		'attention' => __( 'Orders that need a look', 'nivella-credit-wallet' ),
		'unclaimed' => __( 'Unclaimed orders', 'nivella-credit-wallet' ),
	);
	foreach ( $orders as $name => $label ) {
		if ( 'known' === $name || $store['orders'][ $name ] > 0 ) {
			$rows[] = array(
				'name'  => $label,
				'value' => number_format_i18n( $store['orders'][ $name ] ),
			);
		}
	}
	foreach ( $store['findings'] as $finding ) {
		$rows[] = array(
			'name'  => __( 'The wallet service found', 'nivella-credit-wallet' ),
			'value' => $finding,
		);
	}
	return array(
		'trouble' => null,
		'rows'    => $rows,
	);
}

/**
 * Asks the daemon about this store, and not again for a moment.
 *
 * @return array|\WP_Error
 */
function ask_store() {
	$name = OPTION_PREFIX . 'fresh_store_' . wallet_digest( settings()['store'] );
	$kept = get_transient( $name );
	if ( is_array( $kept ) ) {
		return $kept;
	}
	$answer = ask( '/v1/stores/' . rawurlencode( settings()['store'] ) );
	if ( is_wp_error( $answer ) ) {
		return $answer;
	}
	$store = read_body( $answer['body'], __NAMESPACE__ . '\\read_store' );
	if ( is_wp_error( $store ) ) {
		return $store;
	}
	set_transient( $name, $store, FRESH_S );
	keep_store_rules( $store );
	return $store;
}

/**
 * Keeps what decides which orders are about credits, which may have been changed on the daemon's side since the pairing.
 *
 * @param array $store From `read_store()`.
 */
function keep_store_rules( array $store ): void {
	$shop  = shop();
	$rules = array_filter( $store['rules'] );
	if ( array() !== $shop && array_merge( $shop, $rules ) !== $shop ) {
		keep_shop( array_merge( $shop, $rules ) );
	}
}

/**
 * The store, field by field.
 *
 * @param mixed $store The decoded body.
 * @throws \UnexpectedValueException When any field is wrong.
 */
function read_store( $store ): array {
	$store  = read_object( $store, 'store' );
	$last   = isset( $store['last_delivery'] ) ? read_object( $store['last_delivery'], 'last_delivery' ) : null;
	$orders = read_object( $store['orders'] ?? null, 'orders' );
	$counts = array();
	foreach ( array( 'known', 'parked', 'attention', 'unclaimed' ) as $name ) {
		$counts[ $name ] = read_count_of_any_size( $orders, $name );
	}
	$webhooks = read_object( $store['webhooks'] ?? null, 'webhooks' );
	return array(
		'last_at'    => null === $last ? null : read_time( $last, 'at' ),
		'refused_at' => isset( $store['last_refused_at'] ) ? read_time( $store, 'last_refused_at' ) : null,
		'orders'     => $counts,
		'rules'      => array(
			'tokens_categories' => texts( $store['tokens_categories'] ?? null ),
			'paid_statuses'     => texts( $store['paid_statuses'] ?? null ),
			'site_keys'         => texts( $store['site_keys'] ?? null ),
		),
		'findings'   => 'faulty' === ( $webhooks['state'] ?? '' ) ? array_slice( texts( $webhooks['findings'] ?? null ), 0, 10 ) : array(),
	);
}
