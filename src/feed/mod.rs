//! What a customer sees of a wallet.
