/*
 * For the shop's staff: fills the box on an order's screen, says what a refund would take back while it is typed, copies a
 * claim link, opens the form that an address names, and sends a form once. Everything else works without it, and so does
 * what it helps with, on a page of its own.
 */
( function ( $ ) {
	'use strict';

	/** How long nobody types before the daemon is asked. */
	var PAUSE_MS = 400;

	/** How long WooCommerce takes to slide its refund form away. */
	var SLIDE_MS = 1500;

	var named = function ( within, name ) {
		return within.querySelector( '[data-nivella="' + name + '"]' );
	};

	/** Asks WordPress; gives back what it answered, or null when it did not. */
	var ask = function ( box, action, fields ) {
		var body = new FormData();
		body.append( 'action', action );
		body.append( 'order_id', box.dataset.nivellaOrder );
		body.append( '_wpnonce', box.dataset.nivellaNonce );
		Object.keys( fields ).forEach( function ( name ) {
			body.append( name, fields[ name ] );
		} );
		return window.fetch( box.dataset.nivellaUrl, { method: 'POST', body: body, credentials: 'same-origin' } )
			.then( function ( answer ) {
				return answer.json();
			} )
			.then( function ( answer ) {
				return answer && answer.data ? answer.data : null;
			} )
			.catch( function () {
				return null;
			} );
	};

	/** Fills the box. What comes is a template of the plugin, escaped where it was made. */
	var fill = function ( box ) {
		var content = named( box, 'order-box-content' );
		content.setAttribute( 'aria-busy', 'true' );
		return ask( box, box.dataset.nivellaBox, {} ).then( function ( data ) {
			content.setAttribute( 'aria-busy', 'false' );
			if ( data && data.html ) {
				content.innerHTML = data.html;
			} else {
				content.querySelector( 'p' ).append( ' ', ( data && data.text ) || box.dataset.nivellaFailed );
			}
		} );
	};

	/** What is typed into WooCommerce's refund form, or null when nothing is. */
	var typed = function () {
		var amount = document.getElementById( 'refund_amount' );
		var lines  = {};
		var any    = false;
		document.querySelectorAll( 'input[name^="refund_order_item_qty["], input[name^="refund_line_total["], input[name^="refund_line_tax["]' ).forEach( function ( input ) {
			var match = /^refund_(order_item_qty|line_total|line_tax)\[(\d+)\]/.exec( input.name );
			if ( ! match || '' === input.value.trim() ) {
				return;
			}
			var line = lines[ match[ 2 ] ] = lines[ match[ 2 ] ] || { line: match[ 2 ], tax: [] };
			any      = true;
			if ( 'line_tax' === match[ 1 ] ) {
				line.tax.push( input.value );
			} else {
				line[ 'line_total' === match[ 1 ] ? 'total' : 'quantity' ] = input.value;
			}
		} );
		if ( ! amount || ! amount.offsetParent || ( '' === amount.value.trim() && ! any ) ) {
			return null;
		}
		return {
			amount: amount.value,
			lines: JSON.stringify( Object.keys( lines ).map( function ( id ) {
				return lines[ id ];
			} ) )
		};
	};

	/** Says what the refund would take back, and only ever the newest answer. */
	var preview = function ( box ) {
		var says  = named( box, 'preview' );
		var notes = named( box, 'preview-notes' );
		var tell  = function ( text, tone, more ) {
			says.hidden    = '' === text;
			says.className = 'nivella-preview nivella-preview-' + tone;
			says.textContent = text;
			says.dataset.nivellaTone = tone;
			notes.textContent = '';
			notes.hidden      = 0 === more.length;
			more.forEach( function ( note ) {
				var item = document.createElement( 'li' );
				item.textContent = note;
				notes.appendChild( item );
			} );
		};
		var timer  = 0;
		var newest = 0;
		var before = '';
		var look   = function () {
			var form = typed();
			var now  = form ? form.amount + ' ' + form.lines : '';
			if ( now === before ) {
				return;
			}
			before = now;
			newest += 1;
			var mine = newest;
			if ( ! form ) {
				tell( '', 'none', [] );
				return;
			}
			tell( box.dataset.nivellaAsking, 'asking', [] );
			ask( box, box.dataset.nivellaPreview, form ).then( function ( data ) {
				if ( mine === newest ) {
					tell( ( data && data.text ) || box.dataset.nivellaFailed, ( data && data.tone ) || 'wrong', ( data && data.notes ) || [] );
				}
			} );
		};
		var wait = function () {
			window.clearTimeout( timer );
			timer = window.setTimeout( look, PAUSE_MS );
		};
		// WooCommerce tells of what it fills in itself through jQuery, and loads its form anew.
		$( document.body ).on( 'input change keyup', '#refund_amount, .refund_order_item_qty, .refund_line_total, .refund_line_tax', wait );
		// Before WooCommerce, whose own handlers keep these clicks to themselves.
		document.addEventListener( 'click', function ( event ) {
			if ( event.target.closest( '.cancel-action, .refund-items' ) ) {
				window.setTimeout( look, SLIDE_MS );
			}
		}, true );
	};

	/** Opens the form that the address names, and goes to what is to be confirmed. */
	var open = function () {
		var target = window.location.hash ? document.getElementById( decodeURIComponent( window.location.hash.slice( 1 ) ) ) : null;
		if ( target && target.matches( 'details.nivella-act' ) ) {
			target.open = true;
			var field = target.querySelector( 'input:not([type="hidden"]), select' );
			( field || target.querySelector( 'summary' ) ).focus();
		} else if ( target && 'nivella-act' === target.id ) {
			target.focus();
		}
	};

	var copy = function ( button ) {
		var input = document.getElementById( 'nivella-secret' );
		button.hidden = false;
		button.addEventListener( 'click', function () {
			input.select();
			var done = function () {
				button.textContent = button.dataset.nivellaCopied;
			};
			if ( window.navigator.clipboard ) {
				window.navigator.clipboard.writeText( input.value ).then( done, function () {} );
			} else if ( document.execCommand( 'copy' ) ) {
				done();
			}
		} );
	};

	$( function () {
		var box = document.querySelector( '[data-nivella="order-box"]' );
		if ( box ) {
			fill( box );
			preview( box );
		}
		document.querySelectorAll( '[data-nivella="copy"]' ).forEach( copy );
		document.querySelectorAll( '.nivella-staff form[method="post"]' ).forEach( function ( form ) {
			form.addEventListener( 'submit', function ( event ) {
				// The daemon would book it once anyway; this saves the wait.
				if ( form.dataset.nivellaSent ) {
					event.preventDefault();
				}
				form.dataset.nivellaSent = '1';
			} );
		} );
		window.addEventListener( 'pageshow', function () {
			document.querySelectorAll( 'form[data-nivella-sent]' ).forEach( function ( form ) {
				delete form.dataset.nivellaSent;
			} );
		} );
		window.addEventListener( 'hashchange', open );
		open();
	} );
}( window.jQuery ) );
