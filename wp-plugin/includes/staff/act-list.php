<?php
/**
 * The acts of the shop's staff, one after another: what is asked for, what will happen, what is sent, what to say afterwards.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** How long credits given by hand are good, as the daemon calls it. */
const VALIDITIES = array( 'never', '30d', '3mo', '1y', 'cycle' );

/**
 * What each act is done to.
 *
 * @return array<string, string>
 */
function act_subjects(): array {
	return array(
		'grant'    => 'wallet',
		'adjust'   => 'wallet',
		'allocate' => 'wallet',
		'site'     => 'wallet',
		'release'  => 'wallet',
		'freeze'   => 'wallet',
		'unfreeze' => 'wallet',
		'claim'    => 'wallet',
		'assign'   => 'order',
		'replay'   => 'order',
	);
}

/**
 * What can be done about a wallet as it is.
 *
 * @param array|null $account The account, null before the first purchase.
 * @param array      $person  From `person_view()`.
 * @return string[]
 */
function wallet_acts( ?array $account, array $person ): array {
	if ( null === $account ) {
		return array( 'grant', 'site' );
	}
	$acts = array( 'grant', 'adjust' );
	if ( array() !== $account['sites'] ) {
		$acts[] = 'allocate';
	}
	$acts[] = 'site';
	if ( array() !== $account['sites'] ) {
		$acts[] = 'release';
	}
	$acts[] = null === $account['freeze'] && null === $account['frozen_reason'] ? 'freeze' : 'unfreeze';
	if ( $person['is_guest'] ) {
		$acts[] = 'claim';
	}
	return $acts;
}

/**
 * What an act is called.
 *
 * @param string $act The act.
 */
function act_title( string $act ): string {
	$titles = array(
		'grant'    => __( 'Give credits', 'nivella-credit-wallet' ),
		'adjust'   => __( 'Correct the balance', 'nivella-credit-wallet' ),
		'allocate' => __( 'Move credits between pool and website', 'nivella-credit-wallet' ),
		'site'     => __( 'Assign a website', 'nivella-credit-wallet' ),
		'release'  => __( 'Take a website away', 'nivella-credit-wallet' ),
		'freeze'   => __( 'Put on hold', 'nivella-credit-wallet' ),
		'unfreeze' => __( 'Release from hold', 'nivella-credit-wallet' ),
		'claim'    => __( 'Claim link for this guest', 'nivella-credit-wallet' ),
		'assign'   => __( 'Assign to a customer or website', 'nivella-credit-wallet' ),
		'replay'   => __( 'Replay the order', 'nivella-credit-wallet' ),
	);
	return $titles[ $act ];
}

/**
 * What an act is for, in a sentence.
 *
 * @param string $act The act.
 */
function act_about( string $act ): string {
	$about = array(
		'grant'    => __( 'Adds credits without an order, for example as a gift or for an invoice.', 'nivella-credit-wallet' ),
		'adjust'   => __( 'Adds or takes away credits that were counted wrongly. The customer sees a correction, never the reason.', 'nivella-credit-wallet' ),
		'allocate' => __( 'Credits in the pool can be used on every website of the customer, those of a website only there. They keep their validity and their purchase.', 'nivella-credit-wallet' ),
		'site'     => __( 'Credits that are bought for this website go to this customer from then on.', 'nivella-credit-wallet' ),
		'release'  => __( 'The website is nobody\'s then. What was bought for it stays with this customer.', 'nivella-credit-wallet' ),
		'freeze'   => __( 'Nothing new can be spent until it is released. No credits are lost.', 'nivella-credit-wallet' ),
		'unfreeze' => __( 'The customer can spend again.', 'nivella-credit-wallet' ),
		'claim'    => __( 'Whoever opens the link and is signed in to this shop gets everything that was bought with this e-mail address. Send it to that address only.', 'nivella-credit-wallet' ),
		'assign'   => __( 'What is left of this order goes there at once; what the order itself says counts no more until it names another website or customer.', 'nivella-credit-wallet' ),
		'replay'   => __( 'The wallet service looks again at everything the shop has sent of this order. What is in the books already changes nothing.', 'nivella-credit-wallet' ),
	);
	return $about[ $act ];
}

/**
 * What the button of an act's form says.
 *
 * @param string $act The act.
 */
function act_button( string $act ): string {
	return 'claim' === $act || 'replay' === $act ? __( 'Continue…', 'nivella-credit-wallet' ) : __( 'See what will happen…', 'nivella-credit-wallet' );
}

/**
 * The fields of an act.
 *
 * @param string     $act     The act.
 * @param array|null $account The account, if it is about one and there is one yet.
 * @return array<string, array>
 */
function act_fields( string $act, ?array $account ): array {
	$sites = staff_site_choices( $account );
	$where = array(
		'label'   => __( 'Where', 'nivella-credit-wallet' ),
		'type'    => 'select',
		'options' => array( '' => __( 'Pool, for all websites', 'nivella-credit-wallet' ) ) + $sites,
	);
	$reason = array(
		'label'    => __( 'Reason', 'nivella-credit-wallet' ),
		'help'     => __( 'For the books of the shop; customers never see it.', 'nivella-credit-wallet' ),
		'required' => true,
	);
	$credits = array(
		'label'    => __( 'Credits', 'nivella-credit-wallet' ),
		'type'     => 'credits',
		'required' => true,
	);
	switch ( $act ) {
		case 'grant':
			return array(
				'credits'  => $credits,
				'place'    => $where,
				'kind'     => array(
					'label'   => __( 'Kind', 'nivella-credit-wallet' ),
					'type'    => 'select',
					'default' => 'bonus',
					'options' => array(
						'bonus'     => category_label( 'bonus' ),
						'paid'      => category_label( 'paid' ),
						'recurring' => category_label( 'recurring' ),
					),
				),
				'validity' => array(
					'label'   => __( 'Valid for', 'nivella-credit-wallet' ),
					'type'    => 'select',
					'default' => 'never',
					'options' => validity_labels(),
				),
				'label'    => array(
					'label' => __( 'What customers read', 'nivella-credit-wallet' ),
					'help'  => __( 'For example "Thank you for your patience". Empty: the name of the credits.', 'nivella-credit-wallet' ),
				),
				'reason'   => $reason,
			);
		case 'adjust':
			return array(
				'credits' => array( 'help' => __( '250 adds, -250 takes away.', 'nivella-credit-wallet' ) ) + $credits,
				'place'   => $where,
				'reason'  => $reason,
			);
		case 'allocate':
			return array(
				'direction' => array(
					'label'   => __( 'Direction', 'nivella-credit-wallet' ),
					'type'    => 'select',
					'default' => 'to',
					'options' => array(
						'to'   => __( 'From the pool to the website', 'nivella-credit-wallet' ),
						'from' => __( 'From the website back to the pool', 'nivella-credit-wallet' ),
					),
				),
				'site'      => array(
					'label'   => __( 'Website', 'nivella-credit-wallet' ),
					'type'    => 'select',
					'options' => $sites,
				),
				'credits'   => $credits,
			);
		case 'site':
			return array(
				'site'   => array(
					'label'    => __( 'Id of the website', 'nivella-credit-wallet' ),
					'help'     => __( 'As the website itself is called, for example site-123. Upper and lower case count.', 'nivella-credit-wallet' ),
					'required' => true,
				),
				'label'  => array( 'label' => __( 'Name for people (optional)', 'nivella-credit-wallet' ) ),
				'client' => array(
					'label' => __( 'Client of an agency (optional)', 'nivella-credit-wallet' ),
					'help'  => __( 'Letters, digits, dots, hyphens and underscores.', 'nivella-credit-wallet' ),
				),
			);
		case 'release':
			return array(
				'site' => array(
					'label'   => __( 'Website', 'nivella-credit-wallet' ),
					'type'    => 'select',
					'options' => $sites,
				),
			);
		case 'freeze':
		case 'unfreeze':
			return array( 'reason' => $reason );
		case 'claim':
			return array(
				'days' => array(
					'label'   => __( 'The link works for', 'nivella-credit-wallet' ),
					'type'    => 'select',
					'default' => '30',
					'options' => array(
						'7'  => __( '7 days', 'nivella-credit-wallet' ),
						'30' => __( '30 days', 'nivella-credit-wallet' ),
						'90' => __( '90 days', 'nivella-credit-wallet' ),
					),
				),
			);
		case 'assign':
			return array(
				'customer' => array(
					'label' => __( 'Customer', 'nivella-credit-wallet' ),
					'help'  => __( 'User number, e-mail address, user name or account id. Empty: stays with the customer it has.', 'nivella-credit-wallet' ),
				),
				'site'     => array(
					'label' => __( 'Id of the website', 'nivella-credit-wallet' ),
					'help'  => __( 'A website of that customer. Empty: the pool, or where the order says.', 'nivella-credit-wallet' ),
				),
			);
		default:
			return array();
	}
}

/**
 * What may be posted for an act.
 *
 * @param string $act The act.
 * @return string[]
 */
function act_value_names( string $act ): array {
	return array_keys( act_fields( $act, null ) );
}

/**
 * Which field the daemon means.
 *
 * @param string $act The act.
 * @return array<string, string> By JSON pointer.
 */
function act_pointers( string $act ): array {
	$pointers = array();
	foreach ( act_value_names( $act ) as $name ) {
		$pointers[ "/{$name}" ] = $name;
	}
	if ( 'grant' === $act || 'adjust' === $act ) {
		$pointers += array(
			'/wallet'   => 'place',
			'/category' => 'kind',
			'/expires'  => 'validity',
		);
	}
	if ( 'claim' === $act ) {
		$pointers['/expires_in_days'] = 'days';
	}
	if ( 'assign' === $act ) {
		$pointers['/account'] = 'customer';
	}
	return $pointers;
}

/**
 * How long credits can be good.
 *
 * @return array<string, string>
 */
function validity_labels(): array {
	return array(
		'never' => __( 'Ever', 'nivella-credit-wallet' ),
		'30d'   => __( '30 days', 'nivella-credit-wallet' ),
		'3mo'   => __( '3 months', 'nivella-credit-wallet' ),
		'1y'    => __( '1 year', 'nivella-credit-wallet' ),
		'cycle' => __( 'The present billing period', 'nivella-credit-wallet' ),
	);
}

/**
 * The sites of an account to choose from.
 *
 * @param array|null $account An account.
 * @return array<string, string>
 */
function staff_site_choices( ?array $account ): array {
	$choices = array();
	foreach ( $account['sites'] ?? array() as $site ) {
		$choices[ $site['id'] ] = '' === $site['label'] || $site['label'] === $site['id'] ? $site['id'] : "{$site['label']} ({$site['id']})";
	}
	return $choices;
}

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
	if ( in_array( $act, array( 'grant', 'adjust', 'allocate' ), true ) && null !== $account ) {
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
		$errors['credits'] = __( 'Type how many, like 500 or 0.5: more than 0, with at most six decimals.', 'nivella-credit-wallet' );
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
		$errors['credits'] = __( 'Type how many, like 250 or -250: not 0, with at most six decimals.', 'nivella-credit-wallet' );
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
		$errors['credits'] = __( 'Type how many, like 500 or 0.5: more than 0, with at most six decimals.', 'nivella-credit-wallet' );
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
	if ( ! can_be_site( $values['site'] ) ) {
		$errors['site'] = __( 'This cannot be the id of a website: 1 to 128 letters, digits, dots, hyphens, underscores or colons.', 'nivella-credit-wallet' );
	}
	if ( '' !== $values['client'] && ! can_be_site( $values['client'] ) ) {
		$errors['client'] = __( 'This cannot be the id of a client: letters, digits, dots, hyphens, underscores or colons.', 'nivella-credit-wallet' );
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
			? sprintf( __( 'Nobody has heard of the website %s yet. Check the spelling.', 'nivella-credit-wallet' ), $values['site'] )
			/* translators: %s: id of a website. */
			: sprintf( __( 'The website %s is nobody\'s now.', 'nivella-credit-wallet' ), $values['site'] );
	} elseif ( $owner['id'] === $about['reference'] ) {
		/* translators: 1: id of a website, 2: name of a customer. */
		$says = sprintf( __( 'The website %1$s is %2$s\'s already; only its name and client are set.', 'nivella-credit-wallet' ), $values['site'], $about['name'] );
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
				sprintf( __( 'Then %1$s belongs to %2$s.', 'nivella-credit-wallet' ), $values['site'], $about['name'] ),
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
				sprintf( __( '%1$s that lie there stay with %2$s and can be moved back to the pool.', 'nivella-credit-wallet' ), with_unit( show_available( $site['available'] ), $about['unit'] ), $about['name'] ),
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
		return array( 'errors' => array( 'reason' => __( 'Say why: whoever looks at this wallet next will want to know.', 'nivella-credit-wallet' ) ) );
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
				sprintf( __( 'Whoever opens the link while signed in to this shop gets the %1$s of %2$s, once.', 'nivella-credit-wallet' ), with_unit( show_available( $about['account']['available'] ), $about['unit'] ), $about['name'] ),
				__( 'The link is shown once, to be copied.', 'nivella-credit-wallet' ),
			),
			'button'    => __( 'Make the link', 'nivella-credit-wallet' ),
		),
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
		$why = staff_trouble( $story, __( 'The wallet service has not heard of this order yet.', 'nivella-credit-wallet' ) );
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
					sprintf( __( 'Order %s is looked at again, with the packages and customers of now. Nothing is booked twice.', 'nivella-credit-wallet' ), $story['number'] ),
					$story['summary'],
				),
			),
		);
	}

	$errors   = array();
	$customer = '' === $values['customer'] ? null : typed_customer( $values['customer'] );
	if ( '' !== $values['customer'] && null === $customer ) {
		$errors['customer'] = __( 'Nobody here is called that. Type a user number, an e-mail address, a user name or the id of an account (acc_…).', 'nivella-credit-wallet' );
	}
	if ( '' !== $values['site'] && ! can_be_site( $values['site'] ) ) {
		$errors['site'] = __( 'This cannot be the id of a website: 1 to 128 letters, digits, dots, hyphens, underscores or colons.', 'nivella-credit-wallet' );
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

/**
 * What is wrong with the fields that acts have in common.
 *
 * @param array $about  Whose wallet.
 * @param array $values What was typed.
 */
function faults_of( array $about, array $values ): array {
	$errors = array();
	if ( '' === $values['reason'] ) {
		$errors['reason'] = __( 'Say why: whoever looks at this wallet next will want to know.', 'nivella-credit-wallet' );
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
 * What to say when it is done.
 *
 * @param string $act    The act.
 * @param array  $draft  What was asked for.
 * @param array  $answer What the daemon said.
 * @return array{ text: string, secret?: string }
 */
function act_done( string $act, array $draft, array $answer ): array {
	$facts     = $draft['facts'];
	$available = is_decimal( $answer['available'] ?? null ) ? show_available( $answer['available'] ) : '';
	switch ( $act ) {
		case 'grant':
			/* translators: %s: amount with unit. */
			$text = sprintf( __( 'Done: %s added', 'nivella-credit-wallet' ), $facts['amount'] );
			break;
		case 'adjust':
			$text = $facts['is_taken']
				/* translators: %s: amount with unit. */
				? sprintf( __( 'Done: %s taken away', 'nivella-credit-wallet' ), $facts['amount'] )
				/* translators: %s: amount with unit. */
				: sprintf( __( 'Done: %s added', 'nivella-credit-wallet' ), $facts['amount'] );
			break;
		case 'allocate':
			/* translators: 1: amount with unit, 2: a place, like "the pool". */
			$text = sprintf( __( 'Done: %1$s moved to %2$s', 'nivella-credit-wallet' ), $facts['amount'], $facts['to'] );
			break;
		case 'site':
			/* translators: 1: id of a website, 2: name of a customer. */
			return array( 'text' => sprintf( __( 'Done: the website %1$s belongs to %2$s.', 'nivella-credit-wallet' ), $facts['site'], $facts['name'] ) );
		case 'release':
			/* translators: 1: id of a website, 2: name of a customer. */
			return array( 'text' => sprintf( __( 'Done: the website %1$s no longer belongs to %2$s.', 'nivella-credit-wallet' ), $facts['site'], $facts['name'] ) );
		case 'freeze':
			/* translators: %s: name of a customer. */
			return array( 'text' => sprintf( __( 'Done: the wallet of %s is on hold.', 'nivella-credit-wallet' ), $facts['name'] ) );
		case 'unfreeze':
			/* translators: %s: name of a customer. */
			return array( 'text' => sprintf( __( 'Done: %s can spend again.', 'nivella-credit-wallet' ), $facts['name'] ) );
		case 'claim':
			return claim_done( $facts, $answer );
		default:
			return order_done( $act, $facts, $answer );
	}
	if ( '' === $available ) {
		return array( 'text' => $text . '.' );
	}
	/* translators: 1: what was done, like "Done: 500 AI Credits added", 2: amount. */
	return array( 'text' => sprintf( __( '%1$s, %2$s available there now.', 'nivella-credit-wallet' ), $text, $available ) );
}

/**
 * What to say when a link was made.
 *
 * @param array $facts  What was asked for.
 * @param array $answer What the daemon said.
 */
function claim_done( array $facts, array $answer ): array {
	$token = $answer['token'] ?? '';
	if ( ! is_string( $token ) || 1 !== preg_match( '/^[A-Za-z0-9._~-]{20,500}$/D', $token ) ) {
		return array( 'text' => __( 'The wallet service made a link that cannot be read. Plugin and wallet service do not fit each other: update the older one.', 'nivella-credit-wallet' ) );
	}
	try {
		$until = show_day( read_time( $answer, 'expires_at' ) );
	} catch ( \UnexpectedValueException $error ) {
		$until = '';
	}
	$page = function_exists( 'wc_get_account_endpoint_url' ) ? wc_get_account_endpoint_url( ACCOUNT_ENDPOINT ) : home_url( '/' );
	return array(
		'text'   => '' === $until
			/* translators: %s: name of a customer. */
			? sprintf( __( 'Done: this is the link for %s. Copy it now; it is not shown again.', 'nivella-credit-wallet' ), $facts['name'] )
			/* translators: 1: name of a customer, 2: date. */
			: sprintf( __( 'Done: this is the link for %1$s, good until %2$s. Copy it now; it is not shown again.', 'nivella-credit-wallet' ), $facts['name'], $until ),
		'secret' => add_query_arg( 'nivella_claim', rawurlencode( $token ), $page ),
	);
}

/**
 * What to say when something was done to an order.
 *
 * @param string $act    The act.
 * @param array  $facts  What was asked for.
 * @param array  $answer What the daemon said.
 */
function order_done( string $act, array $facts, array $answer ): array {
	$reason  = answer_text( $answer, 'reason' );
	$summary = answer_text( isset( $answer['order'] ) && is_array( $answer['order'] ) ? $answer['order'] : array(), 'summary' );
	$text    = 'assign' === $act
		/* translators: %s: number of an order. */
		? sprintf( __( 'Done: order %s is assigned.', 'nivella-credit-wallet' ), $facts['number'] )
		/* translators: %s: number of an order. */
		: sprintf( __( 'Done: order %s was looked at again.', 'nivella-credit-wallet' ), $facts['number'] );
	return array( 'text' => trim( "{$text} {$summary} {$reason}" ) );
}

/**
 * A text of an answer that may lack it.
 *
 * @param array  $row  The answer.
 * @param string $name Its field.
 */
function answer_text( array $row, string $name ): string {
	try {
		return isset( $row[ $name ] ) ? read_text( $row, $name ) : '';
	} catch ( \UnexpectedValueException $error ) {
		return '';
	}
}

/**
 * An amount as people of this site type it, as the daemon writes it; null when it is none.
 *
 * Where the language groups thousands with a dot, "1.000" is a thousand. What it was taken for is shown before anything is done.
 *
 * @param string $text What was typed.
 */
function typed_credits( string $text ): ?string {
	global $wp_locale;
	$signs     = isset( $wp_locale->number_format ) && is_array( $wp_locale->number_format ) ? $wp_locale->number_format : array();
	$point     = (string) ( $signs['decimal_point'] ?? '.' );
	$thousands = html_entity_decode( (string) ( $signs['thousands_sep'] ?? ',' ), ENT_QUOTES | ENT_HTML5, 'UTF-8' );
	$text      = str_replace( "\u{2212}", '-', preg_replace( '/[\s\x{A0}\x{202F}]+/u', ' ', trim( $text ) ) ?? '' );
	$thousands = '' === trim( $thousands, " \u{A0}\u{202F}" ) ? ' ' : $thousands;

	if ( preg_match( '/^[+-]?[1-9][0-9]{0,2}(?:' . preg_quote( $thousands, '/' ) . '[0-9]{3})+(?:' . preg_quote( $point, '/' ) . '[0-9]{1,6})?$/Du', $text ) ) {
		$text = str_replace( array( $thousands, $point ), array( '', '.' ), $text );
	} elseif ( '.' !== $point ) {
		$text = str_replace( $point, '.', $text );
	}
	if ( ! is_decimal( $text, true ) ) {
		return null;
	}
	$amount = decimal_round( ltrim( $text, '+' ), 6, false );
	return '-0' === $amount ? '0' : $amount;
}

/**
 * Who is meant by what was typed: a user of this WordPress, a guest's address, or an account's id.
 *
 * @param string $text What was typed.
 * @return array{ reference: string, name: string }|null
 */
function typed_customer( string $text ): ?array {
	if ( is_account_id( $text ) ) {
		return array(
			'reference' => $text,
			'name'      => $text,
		);
	}
	$user = ctype_digit( $text ) ? get_userdata( (int) $text ) : ( is_email( $text ) ? get_user_by( 'email', $text ) : get_user_by( 'login', $text ) );
	if ( $user ) {
		return array(
			'reference' => customer_reference( (int) $user->ID ),
			'name'      => (string) ( $user->display_name ?? '' ),
		);
	}
	return ! is_email( $text ) ? null : array(
		'reference' => settings()['store'] . ':email:' . strtolower( $text ),
		'name'      => $text,
	);
}
