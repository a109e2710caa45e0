<?php
/**
 * What a wallet page says: a feed turned into sentences, figures and places, in the order a person asks for them.
 *
 * Everything here is text that is not yet escaped; the templates escape it.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Everything the wallet template needs.
 *
 * @param string $path The wallet's path.
 * @param array  $page Where it is shown: `url` of the page, `customer` (a WordPress user looked up by staff, else 0),
 *                     `account` (an account's id, looked up by staff), `is_staff` (may see technical reasons), `is_admin` (inside wp-admin), `request` (`$_GET`).
 */
function wallet_view( string $path, array $page ): array {
	$wallet = wallet( $path );
	$feed   = $wallet['feed'];
	$filter = history_filter( $page['request'] );

	$view = wallet_frame( $wallet, $page );
	if ( null === $feed ) {
		return $view;
	}
	$known = known_sites( $path, $wallet );
	$buy   = top_up_form( $feed, $known, $page );
	if ( null !== $buy ) {
		// What can be bought stands on this very page.
		$view['top_up'] = "{$page['url']}#nivella-packages";
	}
	return $view + array(
		'unit'      => $feed['unit'],
		'whose'     => wallet_owner( $feed ),
		'status'    => $feed['status'],
		'balance'   => balance_view( $feed, $wallet ),
		'usage'     => usage_view( $feed ),
		'expiring'  => array_map( __NAMESPACE__ . '\\expiring_view', array_slice( $feed['expiring'], 0, 5 ) ),
		'packages'  => array_map(
			static function ( array $package ) use ( $feed ) {
				return package_view( $package, $feed['unit'], $feed['site']['id'] ?? '' );
			},
			$feed['packages']
		),
		'buy'       => $buy,
		'sites'     => sites_view( $feed, $known, $page, null !== $buy ),
		'breakdown' => array_map( __NAMESPACE__ . '\\slice_view', array_slice( $feed['breakdown'], 0, 100 ) ),
		'history'   => history_view( $path, $wallet, $filter, $page, $known ),
		'docs'      => $feed['links']['docs'],
	);
}

/**
 * What a wallet has in every size, also when nothing is known of it.
 *
 * @param array $wallet From `wallet()`.
 * @param array $page   See `wallet_view()`.
 */
function wallet_frame( array $wallet, array $page ): array {
	$feed = $wallet['feed'];
	return array(
		'id'       => wp_unique_id( 'nivella-' ),
		'is_admin' => $page['is_admin'],
		'state'    => null === $feed ? ( is_unknown_wallet( $wallet['error'] ) ? 'none' : 'unreachable' ) : ( $wallet['error'] ? 'stale' : 'fresh' ),
		'trouble'  => trouble_view( $wallet, $page ),
		'refresh'  => act_view( REFRESH_ACTION, $page ),
		'top_up'   => top_up_url( $feed ),
	);
}

/**
 * The first thing on the page: how much can be used, and when more arrives.
 *
 * @param array $feed   A feed.
 * @param array $wallet The wallet it is from.
 */
function balance_view( array $feed, array $wallet ): array {
	$places  = divide_bar( array( $feed['used'], $feed['held'], $feed['available'] ) );
	$alert   = balance_alert( $feed );
	$is_new  = null !== $alert && 'new' === $alert['id'];
	$figures = array(
		'total'     => array( __( 'Total this period', 'nivella-credit-wallet' ), $feed['total'], show_available( $feed['total'] ) ),
		'used'      => array( __( 'Used', 'nivella-credit-wallet' ), $feed['used'], show_cost( $feed['used'] ) ),
		'held'      => array( __( 'Reserved', 'nivella-credit-wallet' ), $feed['held'], show_cost( $feed['held'] ) ),
		'remaining' => array( __( 'Remaining', 'nivella-credit-wallet' ), $feed['available'], show_available( $feed['available'] ) ),
	);
	if ( decimal_is_zero( $feed['held'] ) ) {
		unset( $figures['held'] );
	}

	return array(
		// Nothing is wrong with a wallet that was never used.
		'tone'          => $is_new ? 'new' : $feed['status'],
		'status_label'  => $is_new ? __( 'Not used yet', 'nivella-credit-wallet' ) : status_label( $feed['status'] ),
		'available'     => show_available( $feed['available'] ),
		'available_raw' => $feed['available'],
		'renewal'       => renewal_sentence( $feed ),
		'runway'        => runway_sentence( $feed ),
		'next_expiry'   => expiry_sentence( $feed ),
		'alert'         => $alert,
		'notes'         => balance_notes( $feed ),
		'figures'       => $figures,
		'bar'           => array(
			'used' => $places[0],
			'held' => $places[1],
			'rest' => $places[2],
		),
		'as_of'         => show_moment( $wallet['checked_at'] ),
		'as_of_iso'     => iso_time( $wallet['checked_at'] ),
	);
}

/**
 * When more arrives.
 *
 * @param array $feed A feed.
 */
function renewal_sentence( array $feed ): string {
	$renews_at = $feed['recurring']['renews_at'];
	if ( null !== $renews_at && decimal_is_zero( $feed['recurring']['cap'] ) ) {
		/* translators: %s: date. */
		return sprintf( __( 'The allowance is renewed on %s.', 'nivella-credit-wallet' ), show_day( $renews_at ) );
	}
	if ( null !== $renews_at ) {
		/* translators: 1: amount with unit, like "1,000 AI Credits", 2: date. */
		return sprintf( __( 'The next %1$s arrive on %2$s.', 'nivella-credit-wallet' ), with_unit( show_available( $feed['recurring']['cap'] ), $feed['unit'] ), show_day( $renews_at ) );
	}
	return null === top_up_url( $feed )
		? __( 'There is no automatic refill: more arrive when they are bought in the shop.', 'nivella-credit-wallet' )
		: __( 'There is no automatic refill: more arrive as soon as you top up.', 'nivella-credit-wallet' );
}

/**
 * How long the credits last, or ''.
 *
 * @param array $feed A feed.
 */
function runway_sentence( array $feed ): string {
	$runway = $feed['runway'];
	if ( null === $runway || in_array( $feed['status'], array( 'empty', 'frozen' ), true ) ) {
		return '';
	}
	if ( 0 === $runway['days'] ) {
		return __( 'At the recent pace they may run out today.', 'nivella-credit-wallet' );
	}
	/* translators: %s: number of days. */
	$about = sprintf( _n( 'At the recent pace they last about %s day', 'At the recent pace they last about %s days', $runway['days'], 'nivella-credit-wallet' ), number_format_i18n( $runway['days'] ) );
	if ( $runway['low'] === $runway['high'] ) {
		/* translators: %s: beginning of the sentence, like "At the recent pace they last about 12 days". */
		return sprintf( __( '%s.', 'nivella-credit-wallet' ), $about );
	}
	/* translators: 1: beginning of the sentence, like "At the recent pace they last about 12 days", 2: fewest days, 3: most days. */
	return sprintf( __( '%1$s (likely %2$s to %3$s).', 'nivella-credit-wallet' ), $about, number_format_i18n( $runway['low'] ), number_format_i18n( $runway['high'] ) );
}

/**
 * What is lost next, or ''.
 *
 * @param array $feed A feed.
 */
function expiry_sentence( array $feed ): string {
	if ( array() === $feed['expiring'] ) {
		return '';
	}
	$next = $feed['expiring'][0];
	/* translators: 1: amount with unit, like "700 AI Credits", 2: date and time. */
	return sprintf( __( '%1$s expire on %2$s unless used before.', 'nivella-credit-wallet' ), with_unit( show_available( $next['credits'] ), $feed['unit'] ), show_moment( $next['at'] ) );
}

/**
 * What has to be known before anything else, or null when all is well.
 *
 * @param array $feed A feed.
 * @return array{ id: string, text: string }|null
 */
function balance_alert( array $feed ): ?array {
	if ( 'empty' === $feed['status'] && decimal_is_zero( $feed['total'] ) && array() === $feed['activity'] ) {
		$id   = 'new';
		$text = __( 'No credits have been bought yet. They appear here as soon as the first order is paid.', 'nivella-credit-wallet' );
	} elseif ( 'frozen' === $feed['status'] ) {
		$id   = 'on-hold';
		$text = __( 'This wallet is on hold, so nothing can be used until the shop releases it. Please contact the shop.', 'nivella-credit-wallet' );
	} elseif ( 'empty' === $feed['status'] ) {
		$id   = 'used-up';
		$text = __( 'Everything is used up. Features that need credits pause, or hand over to your team, until more arrive.', 'nivella-credit-wallet' );
	} elseif ( 'handover' === $feed['mode'] ) {
		$id   = 'handover';
		$text = __( 'None of these credits can be spent right now, so conversations are handed over to your team.', 'nivella-credit-wallet' );
	} elseif ( 'critical' === $feed['status'] ) {
		$id   = 'critical';
		$text = __( 'Almost used up. Top up soon, so that nothing has to pause.', 'nivella-credit-wallet' );
	} elseif ( 'low' === $feed['status'] ) {
		$id   = 'low';
		$text = __( 'Running low. This is a good moment to top up.', 'nivella-credit-wallet' );
	} else {
		return null;
	}
	return compact( 'id', 'text' );
}

/**
 * What else has to be known to understand the balance.
 *
 * @param array $feed A feed.
 * @return list<array{ id: string, text: string }>
 */
function balance_notes( array $feed ): array {
	$notes = array();
	if ( 'saver' === $feed['mode'] ) {
		$notes['saver'] = __( 'The assistant is asked to use credits sparingly until more arrive.', 'nivella-credit-wallet' );
	}
	if ( ! decimal_is_zero( $feed['held'] ) ) {
		/* translators: %s: amount with unit, like "50 AI Credits". */
		$notes['held'] = sprintf( __( '%s are reserved for work in progress. What it does not need comes back.', 'nivella-credit-wallet' ), with_unit( show_cost( $feed['held'] ), $feed['unit'] ) );
	}
	if ( ! decimal_is_zero( $feed['frozen'] ) ) {
		/* translators: %s: amount with unit, like "1,000 AI Credits". */
		$notes['frozen'] = sprintf( __( '%s more wait until a question about their order is settled.', 'nivella-credit-wallet' ), with_unit( show_available( $feed['frozen'] ), $feed['unit'] ) );
	}
	if ( ! decimal_is_zero( $feed['debt'] ) ) {
		/* translators: %s: amount with unit, like "120 AI Credits". */
		$notes['debt'] = sprintf( __( '%s were used before their purchase was refunded. They are taken from the next top-up.', 'nivella-credit-wallet' ), with_unit( show_cost( $feed['debt'] ), $feed['unit'] ) );
	}

	$list = array();
	foreach ( $notes as $id => $text ) {
		$list[] = compact( 'id', 'text' );
	}
	return $list;
}

/**
 * What the credits were used for.
 *
 * @param array $feed A feed.
 */
function usage_view( array $feed ): array {
	$by_day = $feed['usage']['by_day'];
	$sum    = '0';
	$top    = null;
	foreach ( $by_day as $day ) {
		if ( ! decimal_is_negative( $day['credits'] ) ) {
			$sum = decimal_add( $sum, $day['credits'] );
		}
		if ( null === $top || decimal_compare( $day['credits'], $top['credits'] ) > 0 ) {
			$top = $day;
		}
	}
	$chart = chart( array_column( $by_day, 'credits' ) );
	foreach ( $by_day as $i => $day ) {
		$chart['bars'][ $i ] += array(
			'day'     => show_usage_day( $day['from'] ),
			'iso'     => gmdate( 'Y-m-d', $day['from'] ),
			'credits' => show_cost( $day['credits'] ),
			'raw'     => $day['credits'],
		);
	}

	$days = count( $by_day );
	return array(
		'is_empty'  => decimal_is_zero( $sum ),
		'title'     => sprintf(
			/* translators: %s: number of days. */
			_n( 'Usage of the last %s day', 'Usage of the last %s days', max( 1, $days ), 'nivella-credit-wallet' ),
			number_format_i18n( max( 1, $days ) )
		),
		'summary'   => null === $top || decimal_is_zero( $sum ) ? '' : sprintf(
			/* translators: 1: amount with unit, 2: amount with unit, 3: date. */
			__( '%1$s in total; most on %3$s: %2$s.', 'nivella-credit-wallet' ),
			with_unit( show_cost( $sum ), $feed['unit'] ),
			with_unit( show_cost( $top['credits'] ), $feed['unit'] ),
			show_usage_day( $top['from'] )
		),
		'chart'     => $chart,
		'top'       => show_decimal( $chart['top'] ),
		'middle'    => show_decimal( $chart['middle'] ),
		'first_day' => $days > 0 ? $chart['bars'][0]['day'] : '',
		'last_day'  => $days > 1 ? $chart['bars'][ $days - 1 ]['day'] : '',
		'actions'   => array_map(
			static function ( array $action ) {
				return array(
					'action'  => $action['action'],
					'credits' => show_cost( $action['credits'] ),
					'raw'     => $action['credits'],
				);
			},
			array_slice( $feed['usage']['by_action'], 0, 20 )
		),
		'unit'      => $feed['unit'],
	);
}

/**
 * One coming loss.
 *
 * @param array $expiry A row of the feed.
 */
function expiring_view( array $expiry ): array {
	return array(
		'credits' => show_available( $expiry['credits'] ),
		'raw'     => $expiry['credits'],
		'label'   => $expiry['label'],
		'date'    => show_moment( $expiry['at'] ),
		'iso'     => iso_time( $expiry['at'] ),
	);
}

/**
 * One thing to buy.
 *
 * @param array  $package A row of the feed.
 * @param string $unit    What the shop calls its credits.
 * @param string $site    The website it is for, or ''.
 */
function package_view( array $package, string $unit, string $site = '' ): array {
	return array(
		'product' => $package['product'],
		'name'    => $package['name'],
		'credits' => null === $package['credits'] ? '' : with_unit( show_available( $package['credits'] ), $unit ),
		'now'     => $package['price']['now'] ?? '',
		'was'     => $package['price']['was'] ?? '',
		'url'     => with_site( $package['url'], $site ),
	);
}

/**
 * What is left on each site of an account, most first. Empty when there are no sites to tell apart.
 *
 * @param array $feed  A feed.
 * @param array $known From `known_sites()`.
 * @param array $page  See `wallet_view()`.
 * @param bool  $buys  Whether packages can be bought for a website on this page.
 */
function sites_view( array $feed, array $known, array $page, bool $buys ): array {
	$remaining = array();
	foreach ( $known as $site ) {
		$remaining[ "of:{$site['id']}" ] = '0';
	}
	foreach ( $feed['breakdown'] as $slice ) {
		// The prefix keeps PHP from turning a site called "123" into a number.
		$name               = 'of:' . ( 'pool' === $slice['scope'] ? '' : (string) $slice['site'] );
		$remaining[ $name ] = decimal_add( $remaining[ $name ] ?? '0', $slice['remaining'] );
	}
	if ( null !== $feed['site'] || count( $remaining ) < ( array() === $known ? 2 : 1 ) ) {
		return array();
	}
	uasort(
		$remaining,
		static function ( string $a, string $b ) {
			return decimal_compare( $b, $a );
		}
	);

	$rows = array();
	$ids  = array_column( $known, 'id' );
	foreach ( $remaining as $name => $amount ) {
		$site   = substr( $name, 3 );
		$rows[] = array(
			'site'      => $site,
			'name'      => '' === $site ? __( 'All websites (shared)', 'nivella-credit-wallet' ) : site_name( $site, $known ),
			'remaining' => show_available( $amount ),
			'raw'       => $amount,
			'history'   => '' === $site ? null : add_query_arg( HISTORY_FIELDS['site'], rawurlencode( $site ), $page['url'] ) . '#nivella-history',
			'top_up'    => $buys && in_array( $site, $ids, true ) ? add_query_arg( FOR_FIELD, rawurlencode( $site ), $page['url'] ) . '#nivella-packages' : null,
		);
	}
	return $rows;
}

/**
 * One part of the balance.
 *
 * @param array $slice A row of the feed.
 */
function slice_view( array $slice ): array {
	return array(
		'label'     => '' === $slice['label'] ? category_label( $slice['category'] ) : $slice['label'],
		'category'  => category_label( $slice['category'] ),
		'where'     => 'pool' === $slice['scope'] ? __( 'All websites', 'nivella-credit-wallet' ) : ( $slice['site'] ?? __( 'This website', 'nivella-credit-wallet' ) ),
		'order'     => (string) $slice['order'],
		'amount'    => show_available( $slice['amount'] ),
		'remaining' => show_available( $slice['remaining'] ),
		'raw'       => $slice['remaining'],
		'expires'   => null === $slice['expires_at'] ? __( 'Never', 'nivella-credit-wallet' ) : show_moment( $slice['expires_at'] ),
	);
}

/**
 * The history with its filters and pages.
 *
 * @param string $path   The wallet's path.
 * @param array  $wallet From `wallet()`, with a feed.
 * @param array  $filter From `history_filter()`.
 * @param array  $page   See `wallet_view()`.
 * @param array  $known  From `known_sites()`.
 */
function history_view( string $path, array $wallet, array $filter, array $page, array $known ): array {
	$feed    = $wallet['feed'];
	$history = history( $path, $wallet, $filter );
	$sites   = null === $feed['site'] ? array_values( array_unique( array_merge( array_column( $known, 'id' ), sites_of( $feed ) ) ) ) : array();
	$kinds   = kind_labels();
	$asked   = array();
	foreach ( $filter as $name => $value ) {
		if ( '' !== $value && 'cursor' !== $name ) {
			$asked[ HISTORY_FIELDS[ $name ] ] = rawurlencode( $value );
		}
	}

	return array(
		'items'       => array_map(
			static function ( array $line ) use ( $kinds, $known ) {
				return array(
					'at'      => show_moment( $line['at'] ),
					'iso'     => iso_time( $line['at'] ),
					'kind'    => $line['kind'],
					'what'    => $kinds[ $line['kind'] ],
					'label'   => $line['label'],
					'site'    => site_name( (string) $line['site'], $known ),
					'order'   => (string) $line['order'],
					'credits' => show_change( $line['credits'] ),
					'raw'     => $line['credits'],
					'is_gain' => ! decimal_is_negative( $line['credits'] ),
				);
			},
			$history['items']
		),
		'problem'     => $history['problem'],
		'filter'      => $filter,
		'is_filtered' => array() !== $asked,
		'kinds'       => $kinds,
		// One site is no choice; a site that was asked for stays a choice, even when nothing else names it.
		'sites'       => count( $sites ) > 1 || ( array() !== $sites && '' !== $filter['site'] ) ? site_choices( $sites, $filter['site'], $known ) : array(),
		'action'      => strtok( $page['url'], '?' ),
		'hidden'      => query_of( $page['url'] ),
		'all_url'     => $page['url'],
		'newest_url'  => '' === $filter['cursor'] ? null : add_query_arg( $asked, $page['url'] ),
		'older_url'   => null === $history['next_cursor'] ? null : add_query_arg( $asked + array( HISTORY_FIELDS['cursor'] => rawurlencode( $history['next_cursor'] ) ), $page['url'] ),
		'csv_url'     => array() === $history['items'] ? null : export_url( $page, $asked ),
	);
}

/**
 * The websites to choose from, by id.
 *
 * @param string[] $sites Ids.
 * @param string   $asked The one that was asked for, or ''.
 * @param array    $known From `known_sites()`.
 * @return list<array{ id: string, name: string }>
 */
function site_choices( array $sites, string $asked, array $known ): array {
	if ( '' !== $asked && ! in_array( $asked, $sites, true ) ) {
		$sites[] = $asked;
	}
	return array_map(
		static function ( string $id ) use ( $known ) {
			return array(
				'id'   => $id,
				'name' => site_name( $id, $known ),
			);
		},
		$sites
	);
}

/**
 * Where an act of the page is sent, and what proves that it was meant.
 *
 * @param string $action The act.
 * @param array  $page   See `wallet_view()`.
 */
function act_view( string $action, array $page ): array {
	return array(
		'url'      => admin_url( 'admin-post.php' ),
		'action'   => $action,
		'nonce'    => wp_create_nonce( nonce_name( $action, whose_page( $page ) ) ),
		'customer' => $page['customer'],
		'account'  => $page['account'] ?? '',
	);
}

/**
 * What a nonce stands for: one act on one wallet.
 *
 * @param string $action The act.
 * @param string $whose  An account or a WordPress user looked up by staff, else 0.
 */
function nonce_name( string $action, string $whose ): string {
	return "{$action}_{$whose}";
}

/**
 * Whom staff look at on a page: an account, a WordPress user, or nobody, which is 0.
 *
 * @param array $page See `wallet_view()`.
 */
function whose_page( array $page ): string {
	return '' === ( $page['account'] ?? '' ) ? (string) $page['customer'] : $page['account'];
}

/**
 * What is wrong, for whoever is looking, or null.
 *
 * @param array $wallet From `wallet()`.
 * @param array $page   See `wallet_view()`.
 */
function trouble_view( array $wallet, array $page ): ?array {
	$error = $wallet['error'];
	if ( ! is_wp_error( $error ) || ( is_unknown_wallet( $error ) && is_shop() && ! $page['is_staff'] ) ) {
		return null;
	}

	if ( null === $wallet['feed'] ) {
		$message = __( 'The wallet service cannot be reached just now. Your credits are safe; please try again in a few minutes.', 'nivella-credit-wallet' );
	} else {
		/* translators: %s: span of time, like "5 minutes". */
		$message = sprintf( __( 'The wallet service cannot be reached just now. These are the last known figures, %s old. Your credits are safe.', 'nivella-credit-wallet' ), human_time_diff( $wallet['checked_at'] ) );
	}
	if ( 'nivella_site_mismatch' === $error->get_error_code() ) {
		$message = __( 'The credits of this website are only shown at its usual address. They are safe.', 'nivella-credit-wallet' );
	}
	if ( is_unknown_wallet( $error ) ) {
		$message = '';
	}
	$why = $page['is_staff'] ? explain( $error ) : array(
		'reason' => '',
		'remedy' => '',
	);
	return $why + array(
		'code'         => (string) $error->get_error_code(),
		'message'      => $message,
		'settings_url' => $page['is_staff'] && current_user_can( settings_capability() ) ? settings_url() : null,
	);
}

/**
 * Whether the daemon said that there is no such wallet.
 *
 * @param \WP_Error|null $error From `wallet()`.
 */
function is_unknown_wallet( ?\WP_Error $error ): bool {
	return null !== $error && 'nivella_not_found' === $error->get_error_code();
}

/**
 * Whom a wallet belongs to, as a heading.
 *
 * @param array $feed A feed.
 */
function wallet_owner( array $feed ): string {
	if ( null !== $feed['site'] ) {
		return '' === $feed['site']['label'] ? $feed['site']['id'] : $feed['site']['label'];
	}
	return '' === $feed['client'] ? ( $feed['account']['name'] ?? '' ) : $feed['client'];
}

/**
 * Where more can be bought, or null.
 *
 * @param array|null $feed A feed, if one is known.
 */
function top_up_url( ?array $feed ): ?string {
	$url = $feed['links']['top_up'] ?? null;
	foreach ( $feed['packages'] ?? array() as $package ) {
		$url = $url ?? $package['url'];
	}
	if ( null === $url && is_shop() && taxonomy_exists( 'product_cat' ) ) {
		$category = get_term_link( (string) ( tokens_categories()[0] ?? '' ), 'product_cat' );
		$url      = is_string( $category ) ? $category : null;
	}
	/**
	 * Filters where the Top up button leads.
	 *
	 * @param string|null $url An http or https address; anything else means no button.
	 */
	$url = apply_filters( 'nivella_credit_wallet_top_up_url', with_site( $url, $feed['site']['id'] ?? '' ) );
	return is_string( $url ) && is_web_address( $url ) ? $url : null;
}

/**
 * The query of an address, for a form that has to keep it.
 *
 * @param string $url An address.
 * @return array<string, string>
 */
function query_of( string $url ): array {
	wp_parse_str( (string) wp_parse_url( $url, PHP_URL_QUERY ), $query );
	return array_filter( $query, 'is_string' );
}
