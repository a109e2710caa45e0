/** Dismisses the low-credit notice without leaving the page. Without this script the same button sends the form. */
( function () {
	'use strict';

	document.querySelectorAll( '.nivella-low-credit form' ).forEach( function ( form ) {
		form.addEventListener( 'submit', function ( event ) {
			event.preventDefault();
			window
				.fetch( form.dataset.nivellaAjax, { method: 'POST', body: new FormData( form ), credentials: 'same-origin' } )
				.then( function ( answer ) {
					if ( ! answer.ok ) {
						throw new Error( String( answer.status ) );
					}
					const notice = form.closest( '.nivella-low-credit' );
					const heading = document.querySelector( '#wpbody-content h1' );
					notice.remove();
					// Whoever uses the keyboard goes on at the top of the page, not at the beginning of the menu.
					if ( heading ) {
						heading.tabIndex = -1;
						heading.focus();
					}
				} )
				.catch( function () {
					// The other way leads there too.
					form.submit();
				} );
		} );
	} );
} )();
