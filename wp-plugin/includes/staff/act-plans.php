<?php
/**
 * What an act would do: what was typed is checked and turned into requests to the daemon and into sentences with numbers.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Checks what was typed and says what will happen.
 *
 * @param string $act     The act.
 * @param array  $subject What it is done to.
 * @param array  $values  What was typed.
 * @return array `errors` by field; `requests` (method, path, body); `plan` for the page that asks for a yes; `wallets` whose
 *               pages will be out of date; `facts` for the sentence afterwards.
 */
function plan_act( string $act, array $subject, array $values ): array {
	$made  = 'order' === $subject['type'] ? plan_of_order( $act, (int) $subject['id'], $values ) : plan_of_wallet( $act, $subject['id'], $values );
	$made += array(
		'errors'   => array(),
		'requests' => array(),
		'wallets'  => array(),
		'facts'    => array(),
		'plan'     => array(),
	);

	$made['plan'] += array(
		'sentences' => array(),
		'rows'      => array(),
		'slices'    => array(),
		'button'    => act_title( $act ),
	);
	if ( array() !== $made['errors'] ) {
		$made['requests'] = array();
	}
	return $made;
}

/**
 * The same for what is done to a wallet.
 *
 * @param string $act       The act.
 * @param string $reference An account's id, or its name in the store.
 * @param array  $values    What was typed.
 */
function plan_of_wallet( string $act, string $reference, array $values ): array {
	$account = staff_account( $reference );
	$is_new  = is_wp_error( $account ) && 'nivella_not_found' === $account->get_error_code() && ! is_account_id( $reference );
	if ( is_wp_error( $account ) && ! $is_new ) {
		$why = staff_trouble( $account, __( 'There is no such wallet.', 'nivella-credit-wallet' ) );
		return array( 'errors' => array( '' => $why['reason'] . ' ' . $why['remedy'] ) );
	}
	$account = $is_new ? null : $account;
	$person  = null === $account ? person_view( $reference, '', array( $reference ) ) : person_view( $account['id'], $account['name'], $account['names'] );
	$about   = array(
		'reference' => null === $account ? $reference : $account['id'],
		'account'   => $account,
		'name'      => $person['name'],
		'unit'      => __( 'credits', 'nivella-credit-wallet' ),
		'lying'     => array(),
	);
	if ( in_array( $act, array( 'grant', 'adjust', 'allocate', 'release' ), true ) && null !== $account ) {
		$feed = wallet( account_path( $account['id'] ), 0 )['feed'];
		if ( null !== $feed ) {
			$about['unit']  = $feed['unit'];
			$about['lying'] = lying_in( $feed );
		}
	}
	if ( ! in_array( $act, null === $account ? array( 'grant', 'site' ) : wallet_acts( $account, $person ), true ) ) {
		return array( 'errors' => array( '' => __( 'This cannot be done with the wallet as it is now. Reload the page.', 'nivella-credit-wallet' ) ) );
	}

	$plans = array(
		'grant'    => 'plan_grant',
		'adjust'   => 'plan_adjustment',
		'allocate' => 'plan_allocation',
		'site'     => 'plan_site',
		'release'  => 'plan_release',
		'freeze'   => 'plan_freeze',
		'unfreeze' => 'plan_freeze',
		'claim'    => 'plan_claim',
	);
	$made  = call_user_func( __NAMESPACE__ . '\\' . $plans[ $act ], $about, $values, $act );

	$made['wallets'] = array_merge( array( $reference, $about['reference'] ), $account['names'] ?? array(), $made['wallets'] ?? array() );
	return $made;
}

/**
 * What lies in the pool, which is '', and in each site's own compartment, and can be spent.
 *
 * @param array $feed The feed of an account.
 * @return array<string, string> With "of:" before the name, so that a site called "123" stays a text.
 */
function lying_in( array $feed ): array {
	$lying = array( 'of:' => '0' );
	foreach ( $feed['breakdown'] as $slice ) {
		$place           = 'of:' . ( 'pool' === $slice['scope'] ? '' : (string) $slice['site'] );
		$lying[ $place ] = decimal_sum( $lying[ $place ] ?? '0', decimal_less( $slice['remaining'], $slice['held'] ) );
	}
	return $lying;
}

/**
 * Credits for nothing.
 *
 * @param array $about  Whose wallet.
 * @param array $values What was typed.
 */
function plan_grant( array $about, array $values ): array {
	$credits = typed_credits( $values['credits'] );
	$errors  = faults_of( $about, $values );
	if ( null === $credits || decimal_is_zero( $credits ) || decimal_is_negative( $credits ) ) {
		$errors['credits'] = __( 'Enter how many, like 500 or 0.5: more than 0, with at most six decimals.', 'nivella-credit-wallet' );
	}
	if ( ! in_array( $values['kind'], CATEGORIES, true ) ) {
		$errors['kind'] = __( 'Choose one of the kinds.', 'nivella-credit-wallet' );
	}
	if ( ! in_array( $values['validity'], VALIDITIES, true ) ) {
		$errors['validity'] = __( 'Choose one of these.', 'nivella-credit-wallet' );
	}
	if ( array() !== $errors ) {
		return array( 'errors' => $errors );
	}

	$amount = with_unit( show_available( $credits ), $about['unit'] );
	$notes  = array(
		/* translators: 1: amount with unit, 2: kind, like "Bonus", 3: name of a customer. */
		sprintf( __( '%3$s gets %1$s (%2$s).', 'nivella-credit-wallet' ), $amount, category_label( $values['kind'] ), $about['name'] ),
		'never' === $values['validity']
			? __( 'They never expire.', 'nivella-credit-wallet' )
			/* translators: %s: a span, like "30 days". */
			: sprintf( __( 'They are valid for: %s.', 'nivella-credit-wallet' ), validity_labels()[ $values['validity'] ] ),
	);
	$debt = $about['account']['debt'] ?? '0';
	if ( ! decimal_is_zero( $debt ) ) {
		/* translators: %s: amount with unit. */
		$notes[] = sprintf( __( '%s are owed. They are paid first, so fewer will be available.', 'nivella-credit-wallet' ), with_unit( show_cost( $debt ), $about['unit'] ) );
	}
	$body = array(
		'wallet'   => place_of( $about, $values['place'] ),
		'credits'  => $credits,
		'category' => $values['kind'],
		'expires'  => $values['validity'],
		'reason'   => $values['reason'],
	);
	if ( '' !== $values['label'] ) {
		$body['label'] = $values['label'];
	}
	return array(
		'requests' => array( array( 'POST', '/v1/grants', $body ) ),
		'facts'    => array(
			'amount' => $amount,
			'unit'   => $about['unit'],
		),
		'plan'     => array(
			'sentences' => $notes,
			'rows'      => decimal_is_zero( $debt ) ? array( change_row( $about, $values['place'], $credits ) ) : array(),
			/* translators: %s: amount with unit. */
			'button'    => sprintf( __( 'Give %s', 'nivella-credit-wallet' ), $amount ),
		),
	);
}

/**
 * A correction, up or down.
 *
 * @param array $about  Whose wallet.
 * @param array $values What was typed.
 */
function plan_adjustment( array $about, array $values ): array {
	$credits = typed_credits( $values['credits'] );
	$errors  = faults_of( $about, $values );
	if ( null === $credits || decimal_is_zero( $credits ) ) {
		$errors['credits'] = __( 'Enter how many, like 250 or -250: not 0, with at most six decimals.', 'nivella-credit-wallet' );
	} elseif ( decimal_is_negative( $credits ) && ! isset( $errors['place'] ) && array() !== $about['lying'] && decimal_is_negative( decimal_sum( $about['lying'][ 'of:' . $values['place'] ] ?? '0', $credits ) ) ) {
		$errors['credits'] = sprintf(
			/* translators: %s: amount with unit. */
			__( 'There are only %s there. A correction never takes more than there is.', 'nivella-credit-wallet' ),
			with_unit( show_available( $about['lying'][ 'of:' . $values['place'] ] ?? '0' ), $about['unit'] )
		);
	}
	if ( array() !== $errors ) {
		return array( 'errors' => $errors );
	}

	$is_taken = decimal_is_negative( $credits );
	$amount   = with_unit( show_available( decimal_magnitude( $credits ) ), $about['unit'] );
	$sentence = $is_taken
		/* translators: 1: amount with unit, 2: name of a customer. */
		? __( '%1$s are taken from %2$s, those that expire first before the others.', 'nivella-credit-wallet' )
		/* translators: 1: amount with unit, 2: name of a customer. */
		: __( '%1$s are added for %2$s. They never expire.', 'nivella-credit-wallet' );
	return array(
		'requests' => array(
			array(
				'POST',
				'/v1/adjustments',
				array(
					'wallet'  => place_of( $about, $values['place'] ),
					'credits' => $credits,
					'reason'  => $values['reason'],
				),
			),
		),
		'facts'    => array(
			'amount'   => $amount,
			'unit'     => $about['unit'],
			'is_taken' => $is_taken,
		),
		'plan'     => array(
			'sentences' => array( sprintf( $sentence, $amount, $about['name'] ) ),
			'rows'      => array( change_row( $about, $values['place'], $credits ) ),
			'slices'    => $is_taken ? burnt_slices( $about, $values['place'], decimal_magnitude( $credits ) ) : array(),
			'button'    => $is_taken
				/* translators: %s: amount with unit. */
				? sprintf( __( 'Take %s away', 'nivella-credit-wallet' ), $amount )
				/* translators: %s: amount with unit. */
				: sprintf( __( 'Add %s', 'nivella-credit-wallet' ), $amount ),
		),
	);
}

/**
 * Between the pool and a site.
 *
 * @param array $about  Whose wallet.
 * @param array $values What was typed.
 */
function plan_allocation( array $about, array $values ): array {
	$credits = typed_credits( $values['credits'] );
	$errors  = array();
	if ( ! isset( staff_site_choices( $about['account'] )[ $values['site'] ] ) ) {
		$errors['site'] = __( 'Choose one of the customer\'s websites.', 'nivella-credit-wallet' );
	}
	if ( ! in_array( $values['direction'], array( 'to', 'from' ), true ) ) {
		$errors['direction'] = __( 'Choose one of these.', 'nivella-credit-wallet' );
	}
	$from = 'to' === $values['direction'] ? '' : $values['site'];
	$to   = 'to' === $values['direction'] ? $values['site'] : '';
	if ( null === $credits || decimal_is_zero( $credits ) || decimal_is_negative( $credits ) ) {
		$errors['credits'] = __( 'Enter how many, like 500 or 0.5: more than 0, with at most six decimals.', 'nivella-credit-wallet' );
	} elseif ( array() === $errors && array() !== $about['lying'] && decimal_is_negative( decimal_less( $about['lying'][ "of:{$from}" ] ?? '0', $credits ) ) ) {
		/* translators: %s: amount with unit. */
		$errors['credits'] = sprintf( __( 'There are only %s there.', 'nivella-credit-wallet' ), with_unit( show_available( $about['lying'][ "of:{$from}" ] ?? '0' ), $about['unit'] ) );
	}
	if ( array() !== $errors ) {
		return array( 'errors' => $errors );
	}

	$amount = with_unit( show_available( $credits ), $about['unit'] );
	return array(
		'requests' => array(
			array(
				'POST',
				'/v1/allocations',
				array(
					'account' => $about['reference'],
					'site'    => $values['site'],
					'credits' => 'to' === $values['direction'] ? $credits : '-' . $credits,
				),
			),
		),
		'facts'    => array(
			'amount' => $amount,
			'unit'   => $about['unit'],
			'to'     => place_label( $to ),
		),
		'plan'     => array(
			'sentences' => array(
				/* translators: 1: amount with unit, 2: and 3: places, like "Pool" or the id of a website. */
				sprintf( __( '%1$s go from %2$s to %3$s, those that expire first before the others. The balance in all stays as it is.', 'nivella-credit-wallet' ), $amount, place_label( $from ), place_label( $to ) ),
			),
			'rows'      => array( change_row( $about, $from, '-' . $credits ), change_row( $about, $to, $credits ) ),
			/* translators: %s: amount with unit. */
			'button'    => sprintf( __( 'Move %s', 'nivella-credit-wallet' ), $amount ),
		),
	);
}

/**
 * A site for this customer, taken from another one if need be.
 *
 * @param array $about  Whose wallet.
 * @param array $values What was typed.
 */
function plan_site( array $about, array $values ): array {
	$errors = array();
	if ( ! is_site_id( $values['site'] ) ) {
		$errors['site'] = __( 'This is not a website ID: 1 to 128 letters, digits, dots, hyphens, underscores or colons.', 'nivella-credit-wallet' );
	}
	if ( '' !== $values['client'] && ! is_site_id( $values['client'] ) ) {
		$errors['client'] = __( 'This is not a client ID: letters, digits, dots, hyphens, underscores or colons.', 'nivella-credit-wallet' );
	}
	if ( array() !== $errors ) {
		return array( 'errors' => $errors );
	}
	$site = staff_site( $values['site'] );
	if ( is_wp_error( $site ) && 'nivella_not_found' !== $site->get_error_code() ) {
		$why = staff_trouble( $site );
		return array( 'errors' => array( '' => $why['reason'] . ' ' . $why['remedy'] ) );
	}

	$owner    = is_wp_error( $site ) ? null : $site['account'];
	$path     = '/v1/sites/' . rawurlencode( $values['site'] );
	$requests = array();
	$wallets  = array();
	if ( null === $owner ) {
		$says = is_wp_error( $site )
			/* translators: %s: id of a website. */
			? sprintf( __( 'The website %s is new here. Check the spelling.', 'nivella-credit-wallet' ), $values['site'] )
			/* translators: %s: id of a website. */
			: sprintf( __( 'The website %s belongs to no customer now.', 'nivella-credit-wallet' ), $values['site'] );
	} elseif ( $owner['id'] === $about['reference'] ) {
		/* translators: 1: id of a website, 2: name of a customer. */
		$says = sprintf( __( 'The website %1$s belongs to %2$s already; only its name and client are changed.', 'nivella-credit-wallet' ), $values['site'], $about['name'] );
	} else {
		/* translators: 1: id of a website, 2: name of a customer. */
		$says       = sprintf( __( 'The website %1$s belongs to %2$s now. It is taken away from them; the credits that were bought for it stay with them.', 'nivella-credit-wallet' ), $values['site'], '' === $owner['name'] ? $owner['id'] : $owner['name'] );
		$wallets[]  = $owner['id'];
		$requests[] = array( 'PUT', $path, array( 'account' => null ) );
	}
	$body = array( 'account' => $about['reference'] );
	foreach ( array( 'label', 'client' ) as $name ) {
		if ( '' !== $values[ $name ] ) {
			$body[ $name ] = $values[ $name ];
		}
	}
	$requests[] = array( 'PUT', $path, $body );
	return array(
		'requests' => $requests,
		'wallets'  => $wallets,
		'facts'    => array(
			'site' => $values['site'],
			'name' => $about['name'],
		),
		'plan'     => array(
			'sentences' => array(
				$says,
				/* translators: 1: id of a website, 2: name of a customer. */
				sprintf( __( 'From then on %1$s belongs to %2$s.', 'nivella-credit-wallet' ), $values['site'], $about['name'] ),
			),
			'button'    => 2 === count( $requests )
				/* translators: 1: name of a customer, 2: name of a customer. */
				? sprintf( __( 'Take it from %1$s and assign it to %2$s', 'nivella-credit-wallet' ), '' === $owner['name'] ? $owner['id'] : $owner['name'], $about['name'] )
				/* translators: %s: name of a customer. */
				: sprintf( __( 'Assign it to %s', 'nivella-credit-wallet' ), $about['name'] ),
		),
	);
}

/**
 * A site that is to be nobody's.
 *
 * @param array $about  Whose wallet.
 * @param array $values What was typed.
 */
function plan_release( array $about, array $values ): array {
	$site = null;
	foreach ( $about['account']['sites'] as $each ) {
		$site = $each['id'] === $values['site'] ? $each : $site;
	}
	if ( null === $site ) {
		return array( 'errors' => array( 'site' => __( 'Choose one of the customer\'s websites.', 'nivella-credit-wallet' ) ) );
	}
	return array(
		'requests' => array( array( 'PUT', '/v1/sites/' . rawurlencode( $values['site'] ), array( 'account' => null ) ) ),
		'facts'    => array(
			'site' => $values['site'],
			'name' => $about['name'],
		),
		'plan'     => array(
			'sentences' => array(
				/* translators: 1: id of a website, 2: name of a customer. */
				sprintf( __( 'The website %1$s no longer belongs to %2$s and can spend nothing.', 'nivella-credit-wallet' ), $values['site'], $about['name'] ),
				/* translators: 1: amount with unit, 2: name of a customer. */
				sprintf( __( '%1$s on it stay with %2$s and can be moved back to the pool.', 'nivella-credit-wallet' ), with_unit( show_available( $about['lying'][ "of:{$site['id']}" ] ?? '0' ), $about['unit'] ), $about['name'] ),
			),
			/* translators: %s: id of a website. */
			'button'    => sprintf( __( 'Take %s away', 'nivella-credit-wallet' ), $values['site'] ),
		),
	);
}

/**
 * Hold, and its end.
 *
 * @param array  $about  Whose wallet.
 * @param array  $values What was typed.
 * @param string $act    `freeze` or `unfreeze`.
 */
function plan_freeze( array $about, array $values, string $act ): array {
	if ( '' === $values['reason'] ) {
		return array( 'errors' => array( 'reason' => __( 'Enter a reason: whoever looks at this wallet next will want to know.', 'nivella-credit-wallet' ) ) );
	}
	$amount = with_unit( show_available( $about['account']['available'] ), $about['unit'] );
	return array(
		'requests' => array( array( 'POST', '/v1/accounts/' . rawurlencode( $about['reference'] ) . "/{$act}", array( 'reason' => $values['reason'] ) ) ),
		'facts'    => array( 'name' => $about['name'] ),
		'plan'     => array(
			'sentences' => array(
				'freeze' === $act
					/* translators: 1: name of a customer, 2: amount with unit. */
					? sprintf( __( 'Nothing new can be spent by %1$s. The balance of %2$s stays and can be used again once the wallet is released.', 'nivella-credit-wallet' ), $about['name'], $amount )
					/* translators: %s: name of a customer. */
					: sprintf( __( 'What %s has can be spent again at once.', 'nivella-credit-wallet' ), $about['name'] ),
			),
		),
	);
}

/**
 * A link for a guest.
 *
 * @param array $about  Whose wallet.
 * @param array $values What was typed.
 */
function plan_claim( array $about, array $values ): array {
	if ( ! in_array( $values['days'], array( '7', '30', '90' ), true ) ) {
		return array( 'errors' => array( 'days' => __( 'Choose one of these.', 'nivella-credit-wallet' ) ) );
	}
	return array(
		'requests' => array( array( 'POST', '/v1/accounts/' . rawurlencode( $about['reference'] ) . '/claim-link', array( 'expires_in_days' => (int) $values['days'] ) ) ),
		'facts'    => array( 'name' => $about['name'] ),
		'plan'     => array(
			'sentences' => array(
				/* translators: 1: amount with unit, 2: name of a customer. */
				sprintf( __( 'Whoever opens the link while logged in to this shop gets the %1$s of %2$s, once.', 'nivella-credit-wallet' ), with_unit( show_available( $about['account']['available'] ), $about['unit'] ), $about['name'] ),
				__( 'The link is shown once, to be copied.', 'nivella-credit-wallet' ),
			),
			'button'    => __( 'Make the link', 'nivella-credit-wallet' ),
		),
	);
}

/**
 * What is wrong with the fields that acts have in common.
 *
 * @param array $about  Whose wallet.
 * @param array $values What was typed.
 */
function faults_of( array $about, array $values ): array {
	$errors = array();
	if ( '' === $values['reason'] ) {
		$errors['reason'] = __( 'Enter a reason: whoever looks at this wallet next will want to know.', 'nivella-credit-wallet' );
	}
	if ( '' !== $values['place'] && ! isset( staff_site_choices( $about['account'] )[ $values['place'] ] ) ) {
		$errors['place'] = __( 'Choose the pool or one of the customer\'s websites.', 'nivella-credit-wallet' );
	}
	return $errors;
}

/**
 * The daemon's name of a compartment.
 *
 * @param array  $about Whose wallet.
 * @param string $place A site, or '' for the pool.
 */
function place_of( array $about, string $place ): string {
	return '' === $place ? 'account:' . $about['reference'] : 'site:' . $place;
}

/**
 * What a compartment is called.
 *
 * @param string $place A site, or '' for the pool.
 */
function place_label( string $place ): string {
	return '' === $place ? __( 'the pool', 'nivella-credit-wallet' ) : $place;
}

/**
 * Now and then, for the page that asks for a yes.
 *
 * @param array  $about  Whose wallet.
 * @param string $place  A site, or '' for the pool.
 * @param string $change How many, with a sign if they go.
 */
function change_row( array $about, string $place, string $change ): array {
	$now  = $about['lying'][ "of:{$place}" ] ?? '0';
	$then = decimal_sum( $now, $change );
	return array(
		'place'    => '' === $place ? __( 'Pool', 'nivella-credit-wallet' ) : $place,
		'now'      => show_available( $now ),
		'change'   => show_change( decimal_is_negative( $change ) ? $change : '+' . $change ),
		'then'     => show_available( $then ),
		'then_raw' => $then,
	);
}

/**
 * Which credits a correction would take, as far as the daemon's plan for spending is the same: where there is only one place
 * they can come from.
 *
 * @param array  $about  Whose wallet.
 * @param string $place  A site, or '' for the pool.
 * @param string $amount How many.
 */
function burnt_slices( array $about, string $place, string $amount ): array {
	foreach ( $about['lying'] as $other => $lies ) {
		if ( "of:{$place}" !== $other && ! decimal_is_zero( $lies ) ) {
			return array();
		}
	}
	$labels = array();
	$wallet = '' === $place ? account_path( $about['reference'] ) : rawurlencode( "site:{$place}" );
	$grants = staff_ask(
		"/v1/wallets/{$wallet}",
		array(),
		static function ( array $wallet ): array {
			return read_list(
				$wallet,
				'breakdown',
				static function ( array $slice ): array {
					return array( 'grant' => read_id( $slice, 'grant' ) ) + read_slice( $slice );
				}
			);
		}
	);
	$plan   = staff_ask(
		"/v1/wallets/{$wallet}/burn-plan",
		array( 'credits' => $amount ),
		static function ( array $plan ): array {
			return read_list(
				$plan,
				'slices',
				static function ( array $slice ): array {
					return array(
						'grant'   => read_id( $slice, 'grant' ),
						'credits' => read_amount( $slice, 'credits' ),
					);
				}
			);
		}
	);
	if ( is_wp_error( $grants ) || is_wp_error( $plan ) ) {
		return array();
	}
	foreach ( $grants as $slice ) {
		/* translators: 1: what was bought, 2: number of an order. */
		$labels[ $slice['grant'] ] = null === $slice['order'] ? slice_view( $slice )['label'] : sprintf( __( '%1$s, order %2$s', 'nivella-credit-wallet' ), slice_view( $slice )['label'], $slice['order'] );
	}
	return array_map(
		static function ( array $slice ) use ( $labels ): array {
			return array(
				'label'   => $labels[ $slice['grant'] ] ?? $slice['grant'],
				'credits' => show_cost( $slice['credits'] ),
			);
		},
		$plan
	);
}

/**
 * What is done to an order.
 *
 * @param string $act    The act.
 * @param int    $order  An order of this shop.
 * @param array  $values What was typed.
 */
function plan_of_order( string $act, int $order, array $values ): array {
	$story = staff_story( $order );
	if ( is_wp_error( $story ) ) {
		$why = staff_trouble( $story, __( 'The wallet service does not know this order yet.', 'nivella-credit-wallet' ) );
		return array( 'errors' => array( '' => $why['reason'] . ' ' . $why['remedy'] ) );
	}
	$path  = order_path( $order );
	$facts = array( 'number' => $story['number'] );
	if ( 'replay' === $act ) {
		return array(
			'requests' => array( array( 'POST', $path . '/replay', array() ) ),
			'wallets'  => null === $story['account'] ? array() : array( $story['account']['id'] ),
			'facts'    => $facts,
			'plan'     => array(
				'sentences' => array(
					/* translators: %s: number of an order. */
					sprintf( __( 'Order %s is processed again, with the packages and customers as they are now. Nothing is booked twice.', 'nivella-credit-wallet' ), $story['number'] ),
					$story['summary'],
				),
			),
		);
	}

	$errors   = array();
	$customer = '' === $values['customer'] ? null : typed_customer( $values['customer'] );
	if ( '' !== $values['customer'] && null === $customer ) {
		$errors['customer'] = __( 'There is no such customer. Enter a user number, an e-mail address, a user name or an account ID (acc_…).', 'nivella-credit-wallet' );
	}
	if ( '' !== $values['site'] && ! is_site_id( $values['site'] ) ) {
		$errors['site'] = __( 'This is not a website ID: 1 to 128 letters, digits, dots, hyphens, underscores or colons.', 'nivella-credit-wallet' );
	}
	if ( '' === $values['customer'] && '' === $values['site'] ) {
		$errors[''] = __( 'Name a customer, a website or both.', 'nivella-credit-wallet' );
	}
	if ( array() !== $errors ) {
		return array( 'errors' => $errors );
	}

	$sums      = story_sums( $story['grants'] );
	$sentences = array(
		decimal_is_zero( $sums['left'] )
			/* translators: %s: number of an order. */
			? sprintf( __( 'What order %s grants from now on goes there.', 'nivella-credit-wallet' ), $story['number'] )
			/* translators: 1: amount, 2: number of an order. */
			: sprintf( __( '%1$s credits that are left of order %2$s go there at once.', 'nivella-credit-wallet' ), show_available( $sums['left'] ), $story['number'] ),
	);
	$body = array();
	if ( null !== $customer ) {
		$body['account'] = $customer['reference'];
		/* translators: 1: name of a customer, 2: name of a customer. */
		$sentences[] = sprintf( __( 'Customer: %1$s (now: %2$s).', 'nivella-credit-wallet' ), $customer['name'], null === $story['account'] ? __( 'nobody', 'nivella-credit-wallet' ) : $story['account']['name'] );
	}
	if ( '' !== $values['site'] ) {
		$body['site'] = $values['site'];
		/* translators: %s: id of a website. */
		$sentences[] = sprintf( __( 'Website: %s.', 'nivella-credit-wallet' ), $values['site'] );
	}
	return array(
		'requests' => array( array( 'POST', $path . '/assign', $body ) ),
		'wallets'  => array_filter( array( null === $customer ? '' : $customer['reference'], $story['account']['id'] ?? '' ) ),
		'facts'    => $facts,
		'plan'     => array(
			'sentences' => $sentences,
			/* translators: %s: number of an order. */
			'button'    => sprintf( __( 'Assign order %s', 'nivella-credit-wallet' ), $story['number'] ),
		),
	);
}
