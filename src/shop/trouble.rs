//! What to do when a shop does not answer as it should, and the name of the thing whose answer cannot be read.
//! Pure.

use serde::Deserialize;

use super::StoreName;
use super::rest::Error;

/// What to do about `error`, which came from asking the store `name`.
#[must_use]
pub fn remedy(error: &Error, name: &StoreName) -> String {
    let check = format!("`nivella-wallet store check {name}`");
    match error {
        Error::WrongSecret(_) | Error::Stranger { .. } | Error::Forbidden | Error::ReadOnly(_) => {
            format!("{} gives it other keys; {check} says whether they are right", give_keys(name))
        }
        Error::Unreachable(_) | Error::Timeout(_) | Error::Untrusted(_) => format!(
            "see whether the shop is up and its address right: `nivella-wallet store set {name} --url URL` changes it; \
             {check} tries it"
        ),
        Error::NoApi(_) | Error::Redirect { .. } => {
            format!("`nivella-wallet store set {name} --url URL` changes the address; {check} tries it")
        }
        Error::Busy { .. } | Error::Failed(_) => {
            "try again later: the same command within an hour goes on from where it was".to_owned()
        }
        Error::Setup(_) => {
            format!("`nivella-wallet store set {name} --ca-file FILE` names another file; {check} tries it")
        }
        _ => format!("mend it in the shop, then try again; {check} tells whether it answers as it should"),
    }
}

/// The command that gives a store its REST keys.
#[must_use]
pub fn give_keys(name: &StoreName) -> String {
    format!("`nivella-wallet store set {name} --consumer-key ck_… --consumer-secret-file FILE`")
}

/// That a thing in a shop's answer cannot be read: which, and why.
#[must_use]
pub fn unreadable(what: &str, body: &[u8], why: impl std::fmt::Display) -> Error {
    #[derive(Deserialize)]
    struct Named {
        id: i64,
    }
    let which =
        serde_json::from_slice::<Named>(body).map(|named| format!(" {}", named.id)).unwrap_or_default();
    Error::Unreadable(format!("{what}{which}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_trouble_has_a_remedy_of_its_own() {
        let name: StoreName = "lab".parse().unwrap();
        for (error, words) in [
            (Error::Stranger { https: true }, "store set lab --consumer-key ck_…"),
            (Error::Unreachable("refused".to_owned()), "store set lab --url"),
            (Error::Failed(500), "later"),
            (Error::NotJson("text/html".to_owned()), "mend it in the shop"),
        ] {
            let said = remedy(&error, &name);
            assert!(said.contains(words), "{error}: {said}");
            assert_eq!(said.contains("within an hour"), matches!(error, Error::Failed(_)), "{said}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let body = br#"{"id":12,"name":null}"#;
        let said = unreadable("webhook", body, "name: null").to_string();
        assert!(said.contains("webhook 12: name: null"), "{said}");
        assert!(unreadable("webhook", b"[]", "x").to_string().contains("webhook: x"));
    }
}
