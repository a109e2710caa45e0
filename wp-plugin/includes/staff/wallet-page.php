<?php
/**
 * One customer's wallet with everything that staff can do about it.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/**
 * Shows it.
 *
 * @param string $account  An account's id, or ''.
 * @param int    $customer A WordPress user; counts when there is no account.
 */
function show_wallet_page( string $account, int $customer ): void {
	$reference = '' !== $account ? $account : customer_account( $customer );
	$subject   = wallet_subject( $reference );
	if ( null === $subject ) {
		show( 'staff-missing', array( 'list_url' => admin_page_url() ) );
		return;
	}

	$known  = staff_account( $reference );
	$error  = is_wp_error( $known ) ? $known : null;
	$is_new = null !== $error && 'nivella_not_found' === $error->get_error_code() && ! is_account_id( $reference );
	$person = is_wp_error( $known ) ? person_view( $reference, '', array( $reference ) ) : person_view( $known['id'], $known['name'], $known['names'] );
	$state  = act_state();

	// Without the account nothing can be said about acts, and a daemon that does not answer should not be told anything.
	$acts = array();
	if ( null === $error || $is_new ) {
		foreach ( wallet_acts( is_wp_error( $known ) ? null : $known, $person ) as $act ) {
			$acts[] = act_form( $act, $subject, is_wp_error( $known ) ? null : $known, $state );
		}
	}
	show(
		'staff-wallet',
		array(
			'list_url' => admin_page_url(),
			'person'   => $person,
			'account'  => is_wp_error( $known ) ? null : account_view( $known, wallet( account_path( $reference ) )['feed'] ),
			'is_new'   => $is_new,
			'trouble'  => null === $error || $is_new ? null : staff_trouble( $error, __( 'There is no such wallet. It may have become part of another one.', 'nivella-credit-wallet' ) ),
			'state'    => $state,
			'acts'     => $acts,
			// What the account's own answer says already is not said twice.
			'wallet'   => null === $error ? wallet_view( account_path( $reference ), account_page( $reference ) ) : null,
		)
	);
}

/**
 * Where a wallet is shown when staff look at it.
 *
 * @param string $reference An account's id, or its name in the store.
 */
function account_page( string $reference ): array {
	$customer = read_reference( $reference )['customer'];
	if ( $customer > 0 ) {
		return staff_page( $customer );
	}
	return array(
		'url'     => staff_account_url( $reference ),
		'account' => $reference,
	) + staff_page( 0 );
}

/**
 * What is said of an account above its wallet.
 *
 * @param array      $account From `staff_account()`.
 * @param array|null $feed    Its wallet, if that is known.
 */
function account_view( array $account, ?array $feed ): array {
	$lying = null === $feed ? array() : lying_in( $feed );
	return array(
		'id'      => $account['id'],
		/* translators: %s: amount. */
		'has'     => sprintf( __( '%s available', 'nivella-credit-wallet' ), show_available( $account['available'] ) ),
		'freeze'  => null === $account['freeze'] ? null : array(
			'reason' => $account['freeze']['reason'],
			'since'  => null === $account['freeze']['at'] ? '' : show_moment( $account['freeze']['at'] ),
		),
		/* translators: %s: amount. */
		'debt'    => decimal_is_zero( $account['debt'] ) ? '' : sprintf( __( 'owes %s', 'nivella-credit-wallet' ), show_cost( $account['debt'] ) ),
		'sites'   => array_map(
			static function ( array $site ) use ( $lying ): array {
				$only = $lying[ "of:{$site['id']}" ] ?? '0';
				return array(
					'id'        => $site['id'],
					'label'     => $site['label'],
					'client'    => $site['client'],
					'only'      => show_available( $only ),
					'only_raw'  => $only,
					'available' => show_available( $site['available'] ),
				);
			},
			$account['sites']
		),
	);
}
