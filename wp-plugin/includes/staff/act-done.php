<?php
/**
 * What staff read when an act is done.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

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
		return array( 'text' => __( 'The wallet service made a link that cannot be read. Plugin and wallet service do not work together: update the older one.', 'nivella-credit-wallet' ) );
	}
	try {
		$until = show_day( read_time( $answer, 'expires_at' ) );
	} catch ( \UnexpectedValueException $error ) {
		$until = '';
	}
	$page = function_exists( 'wc_get_page_permalink' ) ? wc_get_page_permalink( 'myaccount' ) : home_url( '/' );
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
		: sprintf( __( 'Done: order %s was processed again.', 'nivella-credit-wallet' ), $facts['number'] );
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
