<?php
/**
 * What is about to happen, or has happened.
 *
 * @package Nivella\CreditWallet
 * @var array $view array{ state: array|null } from act_state().
 */

defined( 'ABSPATH' ) || exit;
?>
<?php if ( $view['state'] && 'done' === $view['state']['state'] ) : ?>
	<div class="notice notice-success inline nivella-notice" id="nivella-act" role="status" tabindex="-1" data-nivella="done">
		<p><strong data-nivella="done-text"><?php echo esc_html( $view['state']['done']['text'] ); ?></strong></p>
		<?php if ( isset( $view['state']['done']['secret'] ) ) : ?>
			<p class="nivella-secret">
				<label for="nivella-secret"><?php esc_html_e( 'Link', 'nivella-credit-wallet' ); ?></label>
				<input type="text" id="nivella-secret" readonly value="<?php echo esc_attr( $view['state']['done']['secret'] ); ?>" data-nivella="secret">
				<button type="button" class="button" data-nivella="copy" data-nivella-copied="<?php esc_attr_e( 'Copied', 'nivella-credit-wallet' ); ?>" hidden><?php esc_html_e( 'Copy', 'nivella-credit-wallet' ); ?></button>
			</p>
		<?php endif; ?>
	</div>
<?php elseif ( $view['state'] && 'wrong' === $view['state']['state'] ) : ?>
	<div class="notice notice-error inline nivella-notice" id="nivella-act" role="alert" tabindex="-1" data-nivella="wrong">
		<p>
			<strong><?php echo esc_html( $view['state']['title'] ); ?>:</strong>
			<?php foreach ( $view['state']['errors'] as $error ) : ?>
				<span data-nivella="wrong-text"><?php echo esc_html( $error ); ?></span>
			<?php endforeach; ?>
		</p>
	</div>
<?php elseif ( $view['state'] ) : ?>
	<section class="nivella nivella-admin nivella-confirm" id="nivella-act" tabindex="-1" aria-labelledby="nivella-confirm-title" data-nivella="confirm">
		<div class="nivella-panel">
			<h2 id="nivella-confirm-title"><?php echo esc_html( $view['state']['title'] ); ?>: <?php esc_html_e( 'what will happen', 'nivella-credit-wallet' ); ?></h2>
			<?php if ( 'unknown' === $view['state']['state'] ) : ?>
				<div class="notice notice-warning inline nivella-notice" role="alert" data-nivella="unknown">
					<p>
						<strong><?php esc_html_e( 'No answer came, so it may or may not have been done.', 'nivella-credit-wallet' ); ?></strong>
						<?php foreach ( $view['state']['errors'] as $error ) : ?>
							<span><?php echo esc_html( $error ); ?></span>
						<?php endforeach; ?>
						<?php esc_html_e( 'Press the button again: it is done once, however often it is pressed.', 'nivella-credit-wallet' ); ?>
					</p>
				</div>
			<?php endif; ?>
			<?php foreach ( $view['state']['plan']['sentences'] as $sentence ) : ?>
				<p data-nivella="confirm-text"><?php echo esc_html( $sentence ); ?></p>
			<?php endforeach; ?>
			<?php if ( $view['state']['plan']['rows'] ) : ?>
				<table class="widefat striped nivella-table" data-nivella="confirm-rows">
					<thead>
						<tr>
							<th scope="col"><?php esc_html_e( 'Where', 'nivella-credit-wallet' ); ?></th>
							<th scope="col" class="nivella-number"><?php esc_html_e( 'Now', 'nivella-credit-wallet' ); ?></th>
							<th scope="col" class="nivella-number"><?php esc_html_e( 'Change', 'nivella-credit-wallet' ); ?></th>
							<th scope="col" class="nivella-number"><?php esc_html_e( 'Then', 'nivella-credit-wallet' ); ?></th>
						</tr>
					</thead>
					<tbody>
						<?php foreach ( $view['state']['plan']['rows'] as $row ) : ?>
							<tr>
								<th scope="row"><bdi><?php echo esc_html( $row['place'] ); ?></bdi></th>
								<td class="nivella-number"><bdi><?php echo esc_html( $row['now'] ); ?></bdi></td>
								<td class="nivella-number"><bdi><?php echo esc_html( $row['change'] ); ?></bdi></td>
								<td class="nivella-number" data-nivella="then" data-nivella-value="<?php echo esc_attr( $row['then_raw'] ); ?>"><strong><bdi><?php echo esc_html( $row['then'] ); ?></bdi></strong></td>
							</tr>
						<?php endforeach; ?>
					</tbody>
				</table>
			<?php endif; ?>
			<?php if ( $view['state']['plan']['slices'] ) : ?>
				<p><?php esc_html_e( 'They are taken from:', 'nivella-credit-wallet' ); ?></p>
				<ul class="nivella-slices" data-nivella="confirm-slices">
					<?php foreach ( $view['state']['plan']['slices'] as $slice ) : ?>
						<li><strong><bdi><?php echo esc_html( $slice['credits'] ); ?></bdi></strong> <bdi><?php echo esc_html( $slice['label'] ); ?></bdi></li>
					<?php endforeach; ?>
				</ul>
			<?php endif; ?>
			<form method="post" action="<?php echo esc_url( $view['state']['form']['url'] ); ?>" class="nivella-acts">
				<?php foreach ( $view['state']['form']['hidden'] as $name => $value ) : ?>
					<input type="hidden" name="<?php echo esc_attr( $name ); ?>" value="<?php echo esc_attr( $value ); ?>">
				<?php endforeach; ?>
				<button type="submit" class="button button-primary" data-nivella="confirm-yes"><?php echo esc_html( $view['state']['plan']['button'] ); ?></button>
				<a href="<?php echo esc_url( $view['state']['form']['back'] ); ?>" data-nivella="confirm-no"><?php esc_html_e( 'Cancel, change nothing', 'nivella-credit-wallet' ); ?></a>
			</form>
		</div>
	</section>
<?php endif; ?>
