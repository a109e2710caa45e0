//! WooCommerce shops: secrets, REST client, webhook health.
