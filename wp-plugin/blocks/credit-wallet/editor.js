/**
 * The block in the editor: three sizes to choose from, and a preview that WordPress makes.
 *
 * Written for the browser as it stands, so that nothing has to be built.
 */
( function ( wp ) {
	'use strict';

	const el = wp.element.createElement;
	const __ = wp.i18n.__;
	const ServerSideRender = wp.serverSideRender;
	const { InspectorControls, BlockControls, useBlockProps } = wp.blockEditor;
	const { Disabled, PanelBody, Placeholder, RadioControl, ToolbarButton, ToolbarGroup } = wp.components;

	const views = [
		{ value: 'full', label: __( 'Everything', 'nivella-credit-wallet' ), icon: 'layout' },
		{ value: 'balance', label: __( 'Balance', 'nivella-credit-wallet' ), icon: 'money-alt' },
		{ value: 'bar', label: __( 'One line', 'nivella-credit-wallet' ), icon: 'minus' },
	];

	const nothing = () =>
		el( Placeholder, {
			icon: 'money-alt',
			label: __( 'AI Credits', 'nivella-credit-wallet' ),
			instructions: __( 'There is nothing to show you here: the plugin is not connected yet, or only staff may see this wallet.', 'nivella-credit-wallet' ),
		} );

	wp.blocks.registerBlockType( 'nivella/credit-wallet', {
		edit( { attributes, setAttributes } ) {
			const choose = ( view ) => setAttributes( { view } );
			return el(
				'div',
				useBlockProps(),
				el(
					BlockControls,
					null,
					el(
						ToolbarGroup,
						{ label: __( 'Size', 'nivella-credit-wallet' ) },
						views.map( ( { value, label, icon } ) =>
							el( ToolbarButton, { key: value, icon, label, isPressed: attributes.view === value, onClick: () => choose( value ) } )
						)
					)
				),
				el(
					InspectorControls,
					null,
					el(
						PanelBody,
						{ title: __( 'Size', 'nivella-credit-wallet' ) },
						el( RadioControl, {
							label: __( 'What is shown', 'nivella-credit-wallet' ),
							help: __( 'Every visitor sees their own credits. The preview shows yours.', 'nivella-credit-wallet' ),
							selected: attributes.view,
							options: views.map( ( { value, label } ) => ( { value, label } ) ),
							onChange: choose,
						} )
					)
				),
				el(
					Disabled,
					null,
					el( ServerSideRender, {
						block: 'nivella/credit-wallet',
						attributes: { view: attributes.view },
						EmptyResponsePlaceholder: nothing,
					} )
				)
			);
		},
		save: () => null,
	} );
} )( window.wp );
