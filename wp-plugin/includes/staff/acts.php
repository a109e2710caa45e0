<?php
/**
 * What staff change, and how: a form, a page that says in numbers what will happen, and only then the act.
 *
 * Each act is sent by POST, with a nonce for this act on this wallet or order. What was typed is kept for an hour under a
 * random name, together with the key that makes the act happen once: pressing twice, reloading or going back sends the same
 * request with the same key, and the daemon books it once. The daemon decides whether it can be; what it objects to is shown
 * at the field it objects to.
 *
 * @package Nivella\CreditWallet
 */

namespace Nivella\CreditWallet;

defined( 'ABSPATH' ) || exit;

const STAFF_ACTION = 'nivella_credit_wallet_staff';

/**
 * What an act is done to: an account, or an order of this shop. Null when there is no such thing here.
 *
 * @param string $reference An account's id, or a customer's name in this store.
 */
function wallet_subject( string $reference ): ?array {
	$customer = read_reference( $reference )['customer'];
	if ( ! is_account_id( $reference ) && ( 0 === $customer || ! get_userdata( $customer ) ) ) {
		return null;
	}
	return array(
		'type'  => 'wallet',
		'id'    => $reference,
		'field' => 'wallet',
		'url'   => is_account_id( $reference ) ? staff_account_url( $reference ) : admin_page_url( $customer ),
	);
}

/**
 * The same for an order. Whether there is one the daemon knows.
 *
 * @param int $order An order's id.
 */
function order_subject( int $order ): array {
	return array(
		'type'  => 'order',
		'id'    => (string) $order,
		'field' => 'order_id',
		'url'   => orders_page_url( $order ),
	);
}

/**
 * What a nonce for an act stands for.
 *
 * @param string $act     The act.
 * @param array  $subject What it is done to.
 */
function act_nonce_name( string $act, array $subject ): string {
	return STAFF_ACTION . "_{$act}_{$subject['type']}_{$subject['id']}";
}

/**
 * Takes an act: the form of it, or the yes to what it will do.
 */
function handle_staff_act(): void {
	list( $act, $subject ) = asked_act();
	// phpcs:disable WordPress.Security.NonceVerification.Missing -- asked_act() has checked it.
	$draft = posted_text( 'draft' );
	if ( '' === $draft ) {
		$id = review_act( $act, $subject, wp_unslash( $_POST ) );
	} else {
		$id = confirm_act( $act, $subject, $draft );
	}
	// phpcs:enable
	wp_safe_redirect( add_query_arg( 'draft', $id, $subject['url'] ) . '#nivella-act' );
	exit;
}

/**
 * Which act is meant, and what it is done to. Ends the request when it was not meant or is not allowed.
 *
 * @return array{ 0: string, 1: array }
 */
function asked_act(): array {
	if ( 'POST' !== ( $_SERVER['REQUEST_METHOD'] ?? '' ) ) {
		wp_die( esc_html__( 'Please use the button on the page to do this.', 'nivella-credit-wallet' ), '', array( 'response' => 405 ) );
	}
	if ( ! is_shop() || ! is_connected() || ! is_staff() ) {
		wp_die( esc_html__( 'You may not change the wallets of this shop.', 'nivella-credit-wallet' ), '', array( 'response' => 403 ) );
	}
	$act     = posted_text( 'act' );
	$is_of   = act_subjects()[ $act ] ?? '';
	$subject = null;
	if ( 'wallet' === $is_of ) {
		$subject = wallet_subject( posted_text( 'wallet' ) );
	} elseif ( 'order' === $is_of && preg_match( '/^[1-9][0-9]{0,17}$/D', posted_text( 'order_id' ) ) ) {
		$subject = order_subject( (int) posted_text( 'order_id' ) );
	}
	if ( null === $subject ) {
		wp_die( esc_html__( 'This cannot be done here. Please go back and reload the page.', 'nivella-credit-wallet' ), '', array( 'response' => 400 ) );
	}
	check_admin_referer( act_nonce_name( $act, $subject ) );
	return array( $act, $subject );
}

/**
 * A text that was posted.
 *
 * @param string $name Its name.
 */
function posted_text( string $name ): string {
	// phpcs:ignore WordPress.Security.NonceVerification.Missing -- Whoever asks checks it.
	return isset( $_POST[ $name ] ) && is_string( $_POST[ $name ] ) ? sanitize_text_field( wp_unslash( $_POST[ $name ] ) ) : '';
}

/**
 * The form was sent: what was typed is checked and turned into what will happen. Nothing is changed yet.
 *
 * @param string $act     The act.
 * @param array  $subject What it is done to.
 * @param array  $posted  What was sent, unslashed.
 * @return string The draft's name.
 */
function review_act( string $act, array $subject, array $posted ): string {
	$values = array();
	foreach ( act_value_names( $act ) as $name ) {
		$values[ $name ] = isset( $posted[ $name ] ) && is_string( $posted[ $name ] ) ? mb_substr( clean_text( sanitize_text_field( $posted[ $name ] ) ), 0, 500 ) : '';
	}
	$plan = plan_act( $act, $subject, $values );
	return keep_draft(
		wp_generate_uuid4(),
		array(
			'act'     => $act,
			'subject' => array( $subject['type'], $subject['id'] ),
			'values'  => $values,
			'state'   => array() === $plan['errors'] ? 'review' : 'wrong',
		) + $plan
	);
}

/**
 * Somebody said yes: the act is done, or said why not.
 *
 * @param string $act     The act.
 * @param array  $subject What it is done to.
 * @param string $id      The draft's name.
 * @return string The draft's name.
 */
function confirm_act( string $act, array $subject, string $id ): string {
	$draft = read_draft( $id );
	if ( null === $draft || $draft['act'] !== $act || array( $subject['type'], $subject['id'] ) !== $draft['subject'] || array() === $draft['requests'] ) {
		wp_die( esc_html__( 'This form was open too long. Nothing was changed. Please go back, reload the page and fill it in again.', 'nivella-credit-wallet' ), '', array( 'response' => 410, 'back_link' => true ) );
	}
	if ( 'done' === $draft['state'] ) {
		// Pressed twice, or gone back to: what it did is said again.
		return $id;
	}

	$answer = null;
	$i      = 0;
	foreach ( $draft['requests'] as $i => list( $method, $path, $body ) ) {
		// The same draft always makes the same keys and the same bytes.
		$answer = tell( $method, $path, $body, 'POST' === $method ? "wp-{$id}-{$i}" : '' );
		if ( is_wp_error( $answer ) ) {
			break;
		}
	}
	forget_wallets( $draft['wallets'] );

	if ( is_wp_error( $answer ) ) {
		// Of two that were sent at once the other one may have done it meanwhile.
		wp_cache_delete( '_transient_' . draft_name( $id ), 'options' );
		$other = read_draft( $id );
		if ( null !== $other && 'done' === $other['state'] ) {
			return $id;
		}
		$problem         = act_problem( $act, $answer );
		$draft['errors'] = $problem['errors'];
		if ( $i > 0 ) {
			// Only a website that changes hands is done in two steps.
			$second = $problem['errors'][''] ?? implode( ' ', $problem['errors'] );
			/* translators: %s: the words with which it was refused */
			$draft['errors'][''] = sprintf( __( 'Half of it was done: the website was taken away and belongs to no customer now. Fill in the form again to assign it. The second half was refused: “%s”', 'nivella-credit-wallet' ), $second );
		}
		$draft['state']  = $problem['is_unknown'] ? 'unknown' : 'wrong';
	} else {
		$draft['errors'] = array();
		$draft['state']  = 'done';
		$draft['done']   = act_done( $act, $draft, (array) json_decode( $answer['body'], true ) );
	}
	return keep_draft( $id, $draft );
}

/**
 * Keeps a draft for an hour, for the person who made it only.
 *
 * @param string $id    Its name.
 * @param array  $draft What it holds.
 */
function keep_draft( string $id, array $draft ): string {
	set_transient( draft_name( $id ), $draft, HOUR_IN_SECONDS );
	return $id;
}

/**
 * A draft of the current user, or null.
 *
 * @param string $id Its name.
 */
function read_draft( string $id ): ?array {
	$draft = 1 === preg_match( '/^[0-9a-f-]{36}$/D', $id ) ? get_transient( draft_name( $id ) ) : false;
	return is_array( $draft ) && isset( $draft['act'], $draft['subject'], $draft['state'], $draft['requests'] ) ? $draft : null;
}

/**
 * What a draft is kept under.
 *
 * @param string $id Its name.
 */
function draft_name( string $id ): string {
	return OPTION_PREFIX . 'act_' . substr( hash( 'sha256', get_current_user_id() . ' ' . wallet_digest( $id ) ), 0, 32 );
}

/**
 * The other pages of these wallets should ask the daemon anew.
 *
 * @param string[] $references Accounts' ids and their names in the store.
 */
function forget_wallets( array $references ): void {
	foreach ( $references as $reference ) {
		drop_short_cache( account_path( $reference ), true );
	}
}

/**
 * Where an act stands that this request is about: to be confirmed, wrong, done. Null without one.
 */
function act_state(): ?array {
	$id    = request_text( 'draft' );
	$draft = '' === $id ? null : read_draft( $id );
	if ( null === $draft ) {
		return null;
	}
	$subject = 'order' === $draft['subject'][0] ? order_subject( (int) $draft['subject'][1] ) : wallet_subject( $draft['subject'][1] );
	if ( null === $subject || $subject['url'] !== act_state_url( $subject ) ) {
		return null;
	}
	$state = array(
		'act'     => $draft['act'],
		'state'   => $draft['state'],
		'values'  => $draft['values'],
		'errors'  => $draft['errors'],
		'plan'    => $draft['plan'],
		'title'   => act_title( $draft['act'] ),
		'done'    => $draft['done'] ?? null,
		'form'    => array(
			'url'    => admin_url( 'admin-post.php' ),
			'hidden' => act_hidden( $draft['act'], $subject ) + array( 'draft' => $id ),
			'back'   => $subject['url'],
		),
	);
	if ( isset( $draft['done']['secret'] ) ) {
		// Shown once.
		unset( $draft['done']['secret'] );
		keep_draft( $id, $draft );
	}
	return $state;
}

/**
 * The address of the subject that this page shows, as its own address is.
 *
 * @param array $subject What a draft is about.
 */
function act_state_url( array $subject ): string {
	if ( 'order' === $subject['type'] ) {
		return orders_page_url( request_number( 'order_id' ) );
	}
	$account = request_text( 'account' );
	return '' !== $account ? staff_account_url( $account ) : admin_page_url( request_number( 'customer' ) );
}

/**
 * The hidden fields of an act's forms.
 *
 * @param string $act     The act.
 * @param array  $subject What it is done to.
 */
function act_hidden( string $act, array $subject ): array {
	return array(
		'action'          => STAFF_ACTION,
		'act'             => $act,
		$subject['field'] => $subject['id'],
		'_wpnonce'        => wp_create_nonce( act_nonce_name( $act, $subject ) ),
	);
}

/**
 * One act's form, with what was typed before if it was wrong.
 *
 * @param string     $act     The act.
 * @param array      $subject What it is done to.
 * @param array|null $account The account, if there is one yet.
 * @param array|null $state   From `act_state()`.
 */
function act_form( string $act, array $subject, ?array $account, ?array $state ): array {
	$is_open = null !== $state && $act === $state['act'] && 'wrong' === $state['state'];
	$fields  = array();
	foreach ( act_fields( $act, $account ) as $name => $field ) {
		$fields[] = $field + array(
			'name'     => $name,
			'id'       => "nivella-{$act}-{$name}",
			'type'     => 'text',
			'help'     => '',
			'required' => false,
			'options'  => array(),
			'value'    => $is_open ? (string) ( $state['values'][ $name ] ?? '' ) : (string) ( $field['default'] ?? '' ),
			'error'    => $is_open ? (string) ( $state['errors'][ $name ] ?? '' ) : '',
		);
	}
	return array(
		'act'     => $act,
		'title'   => act_title( $act ),
		'about'   => act_about( $act ),
		'is_open' => $is_open,
		'problem' => $is_open ? (string) ( $state['errors'][''] ?? '' ) : '',
		'url'     => admin_url( 'admin-post.php' ),
		'hidden'  => act_hidden( $act, $subject ),
		'fields'  => $fields,
		'button'  => act_button( $act ),
	);
}

/**
 * Why the daemon did not do it, at the fields it names.
 *
 * @param string    $act   The act.
 * @param \WP_Error $error From `tell()`.
 * @return array{ errors: array<string, string>, is_unknown: bool } What is about no field is under ''. It is unknown whether
 *               something was done when no answer came.
 */
function act_problem( string $act, \WP_Error $error ): array {
	$data = $error->get_error_data();
	$data = is_array( $data ) ? $data : array();
	$code = (string) ( $data['code'] ?? '' );
	if ( '' === $code || 'try_again' === $code || 'internal_error' === $code || 'in_progress' === $code ) {
		$why = explain( $error );
		return array(
			'errors'     => array( '' => $why['reason'] . ' ' . $why['remedy'] ),
			'is_unknown' => is_silence( $error ) || 'in_progress' === $code,
		);
	}

	$errors = array();
	$fields = act_pointers( $act );
	foreach ( (array) ( $data['errors'] ?? array() ) as $fault ) {
		$field            = $fields[ $fault['pointer'] ] ?? '';
		$text             = '' === $field && '' !== $fault['pointer'] ? "{$fault['pointer']}: {$fault['detail']}" : $fault['detail'];
		$errors[ $field ] = isset( $errors[ $field ] ) ? "{$errors[ $field ]}; {$text}" : $text;
	}
	if ( array() === $errors ) {
		$detail     = (string) ( $data['detail'] ?? '' );
		$errors[''] = trim( refusal_words( $code ) . ( '' === $detail ? '' : " ({$detail})" ) );
	}
	return array(
		'errors'     => $errors,
		'is_unknown' => false,
	);
}

/**
 * What the daemon's refusals mean for somebody at this screen.
 *
 * @param string $code The code of a problem.
 */
function refusal_words( string $code ): string {
	$words = array(
		'insufficient_credits' => __( 'There are not that many credits there. Nothing was changed.', 'nivella-credit-wallet' ),
		'site_mismatch'        => __( 'The website belongs to another customer. Nothing was changed.', 'nivella-credit-wallet' ),
		'frozen'               => __( 'The wallet is on hold. Nothing was changed.', 'nivella-credit-wallet' ),
		'holds_open'           => __( 'Work in progress has reserved credits there. Nothing was changed; try again when it is done.', 'nivella-credit-wallet' ),
		'already_claimed'      => __( 'These credits were claimed already; they are part of a customer\'s wallet now.', 'nivella-credit-wallet' ),
		'idempotency_mismatch' => __( 'This form was sent before with other entries. Reload the page and look at the history before you try again.', 'nivella-credit-wallet' ),
		'not_found'            => __( 'The wallet service does not know this wallet, website or order. Nothing was changed.', 'nivella-credit-wallet' ),
		'forbidden'            => __( 'The key of this shop may not do that. Nothing was changed; the shop needs a key with the scope admin.', 'nivella-credit-wallet' ),
		'unauthorized'         => __( 'The key of this shop was refused. Nothing was changed; test the connection in the settings.', 'nivella-credit-wallet' ),
	);
	return $words[ $code ] ?? __( 'The wallet service refused. Nothing was changed.', 'nivella-credit-wallet' );
}
