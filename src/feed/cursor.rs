//! Where the next page of a list begins.
//!
//! A cursor names the last row that was answered, by a key that never changes, so rows that are added
//! meanwhile neither hide nor repeat one. To everybody outside it is an opaque text.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Why a text is not a cursor of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor of this list: pass next_cursor of the page before, as it was")]
pub struct NotACursor;

/// The longest cursor that is looked at: one may hold a name of 200 characters, of four bytes each.
pub const LENGTH_MAX: usize = 1200;

/// The cursor that follows the row `key` of `list`.
#[must_use]
pub fn write(list: &str, key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{list} {key}"))
}

/// The key of the row that `cursor` follows in `list`.
pub fn read<K: std::str::FromStr>(list: &str, cursor: &str) -> Result<K, NotACursor> {
    if cursor.len() > LENGTH_MAX {
        return Err(NotACursor);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| NotACursor)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| NotACursor)?;
    let key = text.strip_prefix(list).and_then(|rest| rest.strip_prefix(' '));
    key.and_then(|key| key.parse().ok()).ok_or(NotACursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_one_list() {
        let cursor = write("activity", "42");
        assert_eq!(read::<i64>("activity", &cursor), Ok(42));
        assert_eq!(read::<i64>("grants", &cursor), Err(NotACursor));
        for text in ["", "42", "%", &write("activity", "x"), &"A".repeat(LENGTH_MAX + 1)] {
            assert_eq!(read::<i64>("activity", text), Err(NotACursor), "{text:?} was taken");
        }
    }
}
