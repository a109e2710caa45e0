<?php
/**
 * The acts of the shop's staff: what each is called, what it is done to and what it asks for.
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
		'replay'   => __( 'Process the order again', 'nivella-credit-wallet' ),
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
		'release'  => __( 'The website then belongs to no customer. What was bought for it stays with this customer.', 'nivella-credit-wallet' ),
		'freeze'   => __( 'Nothing new can be spent until it is released. No credits are lost.', 'nivella-credit-wallet' ),
		'unfreeze' => __( 'The customer can spend again.', 'nivella-credit-wallet' ),
		'claim'    => __( 'Whoever opens the link while logged in to this shop gets everything that was bought with this e-mail address. Send it to that address only.', 'nivella-credit-wallet' ),
		'assign'   => __( 'What is left of this order goes there at once. From then on this counts, not what the order says, until the order names another website or customer.', 'nivella-credit-wallet' ),
		'replay'   => __( 'The wallet service works through everything the shop has sent about this order once more. Nothing is booked twice.', 'nivella-credit-wallet' ),
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
					'label' => __( 'Text for the customer', 'nivella-credit-wallet' ),
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
					'label'    => __( 'Website ID', 'nivella-credit-wallet' ),
					'help'     => __( 'As the website shows it on its page AI Credits, for example site-123. Upper and lower case matter.', 'nivella-credit-wallet' ),
					'required' => true,
				),
				'label'  => array( 'label' => __( 'Name (optional)', 'nivella-credit-wallet' ) ),
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
					'help'  => __( 'User number, e-mail address, user name or account ID. Empty: stays with the customer it has.', 'nivella-credit-wallet' ),
				),
				'site'     => array(
					'label' => __( 'Website ID', 'nivella-credit-wallet' ),
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
		'never' => __( 'No expiry date', 'nivella-credit-wallet' ),
		'30d'   => __( '30 days', 'nivella-credit-wallet' ),
		'3mo'   => __( '3 months', 'nivella-credit-wallet' ),
		'1y'    => __( '1 year', 'nivella-credit-wallet' ),
		'cycle' => __( 'The current billing period', 'nivella-credit-wallet' ),
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
		$choices[ $site['id'] ] = site_option_text( $site['id'], $site['label'] );
	}
	return $choices;
}
