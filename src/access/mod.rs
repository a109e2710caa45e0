//! API keys: who may see and do what.
//!
//! A key is a secret with scopes. Only the secret's SHA-256 is kept, so nobody can read a key out of the
//! database or a backup, and no text of this program shows one except the answers of [`store::create`] and
//! [`store::rotate`]. A key keeps its id when its secret changes, and with it its scopes, the website it is good
//! for and the answers to requests that may be sent again. A
//! [`Caller`] is made by [`store::authenticate`] alone; it answers questions about what it may see and do
//! from what it holds, without asking the database again.
//!
//! What is outside a key's scopes does not exist for it.

mod caller;
mod kept;
pub mod origin;
mod scope;
mod secret;
pub mod store;
mod uses;

pub use self::caller::{Caller, Own, Refusal, Subject};
pub use self::kept::{Callers, Known};
pub use self::origin::{NotAnOrigin, Origin};
pub use self::scope::{NotAScope, Scope};
pub use self::secret::{KeySecret, NotASecret};
pub use self::uses::Uses;
