<?php
/**
 * What came of an act, left for the next page of the person who pressed the button, and shown there once.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

/** How long a result waits for its page. */
const RESULT_S = 5 * MINUTE_IN_SECONDS;

/**
 * Leaves a result for the current user.
 *
 * @param string $of     Which acts, like `settings`; the page that shows it asks for the same.
 * @param mixed  $result What came of it.
 */
function leave_result( string $of, $result ): void {
	set_transient( result_name( $of ), $result, RESULT_S );
}

/**
 * Takes the result that was left for the current user; false when there is none.
 *
 * @param string $of Which acts.
 * @return mixed
 */
function take_result( string $of ) {
	$result = get_transient( result_name( $of ) );
	if ( false !== $result ) {
		delete_transient( result_name( $of ) );
	}
	return $result;
}

/**
 * Where a result waits.
 *
 * @param string $of      Which acts.
 * @param int    $user_id For whom; 0 is the current user.
 */
function result_name( string $of, int $user_id = 0 ): string {
	return OPTION_PREFIX . "result_{$of}_" . ( $user_id > 0 ? $user_id : get_current_user_id() );
}
