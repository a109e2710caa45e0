//! Who asks, and what they may see and do. Pure: no database, no clock.

use std::sync::Arc;

use crate::id::{AccountId, ClientId, KeyId, SiteId};

/// Somebody with a valid key.
///
/// Scopes that named a customer no store knows were left out when it was made: they open nothing.
#[derive(Clone, Debug)]
pub struct Caller {
    key: KeyId,
    held: Arc<[Held]>,
    is_of_website: bool,
}

/// A scope whose account is known by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Admin,
    Debit,
    DebitSite(SiteId),
    DebitAccount(AccountId),
    Account(AccountId),
    Client(AccountId, ClientId),
    Site(SiteId),
}

/// What a question is about. A site that belongs to nobody is about nothing.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// An account.
    Account(&'a AccountId),
    /// What an agency runs for one of its clients.
    Client {
        /// The agency.
        account: &'a AccountId,
        /// The client.
        client: &'a ClientId,
    },
    /// A site.
    Site {
        /// The site.
        site: &'a SiteId,
        /// Whose it is.
        account: &'a AccountId,
        /// For which client the account runs it.
        client: Option<&'a ClientId>,
    },
}

/// What `me` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// An account.
    Account(AccountId),
    /// The sites of one client of an account.
    Client(AccountId, ClientId),
    /// A site.
    Site(SiteId),
}

/// Why an act is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key cannot see it: for this key it does not exist.
    #[error("there is no such thing in the key's scope")]
    NotFound,
    /// The key can see it and may not do that to it.
    #[error("the key's scope does not allow that")]
    Forbidden,
}

impl Caller {
    pub(super) fn new(key: KeyId, held: Vec<Held>, is_of_website: bool) -> Self {
        Self { key, held: held.into(), is_of_website }
    }

    /// Whether the key is for one website: all it does is read sites.
    #[must_use]
    pub fn is_of_website(&self) -> bool {
        self.is_of_website
    }

    /// The key, without its secret.
    #[must_use]
    pub fn key(&self) -> &KeyId {
        &self.key
    }

    /// Whether everything is allowed.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.held.contains(&Held::Admin)
    }

    /// Whether `subject` exists for this key.
    #[must_use]
    pub fn may_see(&self, subject: &Subject<'_>) -> bool {
        self.held.iter().any(|held| match (held, subject) {
            (Held::Admin | Held::Debit, _) => true,
            (Held::Account(own) | Held::DebitAccount(own), subject) => own == subject.account(),
            (Held::Client(agency, own), Subject::Client { account, client }) => {
                agency == *account && own == *client
            }
            (Held::Client(agency, own), Subject::Site { account, client, .. }) => {
                agency == *account && Some(own) == *client
            }
            (Held::Site(own) | Held::DebitSite(own), Subject::Site { site, .. }) => own == *site,
            (Held::Client(..), Subject::Account(_))
            | (Held::Site(_) | Held::DebitSite(_), Subject::Account(_) | Subject::Client { .. }) => false,
        })
    }

    /// Whether this key reads what only `account` itself may know, as why its orders granted what they did: an
    /// account's own key, not one that only spends.
    #[must_use]
    pub fn is_owner_of(&self, account: &AccountId) -> bool {
        self.held.iter().any(|held| match held {
            Held::Admin => true,
            Held::Account(own) => own == account,
            Held::Debit | Held::DebitSite(_) | Held::DebitAccount(_) | Held::Client(..) | Held::Site(_) => {
                false
            }
        })
    }

    /// Whether credits of `account` may be spent for its site `site`.
    #[must_use]
    pub fn may_debit(&self, site: &SiteId, account: &AccountId) -> bool {
        self.held.iter().any(|held| match held {
            Held::Admin | Held::Debit => true,
            Held::DebitSite(own) => own == site,
            Held::DebitAccount(own) => own == account,
            Held::Account(_) | Held::Client(..) | Held::Site(_) => false,
        })
    }

    /// Refuses spending unless [`Caller::may_debit`]; says no more than the key may know.
    pub fn check_debit(
        &self,
        site: &SiteId,
        account: &AccountId,
        client: Option<&ClientId>,
    ) -> Result<(), Refusal> {
        if self.may_debit(site, account) {
            Ok(())
        } else if self.may_see(&Subject::Site { site, account, client }) {
            Err(Refusal::Forbidden)
        } else {
            Err(Refusal::NotFound)
        }
    }

    /// What `me` stands for: the widest scope that names one wallet, and of several alike the first.
    ///
    /// `None` for a key that is bound to nothing, like an administrator's.
    #[must_use]
    pub fn own(&self) -> Option<Own> {
        let widest = self.held.iter().filter_map(|held| match held {
            Held::Admin | Held::Debit => None,
            Held::Account(account) | Held::DebitAccount(account) => Some((0, Own::Account(account.clone()))),
            Held::Client(account, client) => Some((1, Own::Client(account.clone(), client.clone()))),
            Held::Site(site) | Held::DebitSite(site) => Some((2, Own::Site(site.clone()))),
        });
        widest.min_by_key(|(rank, _)| *rank).map(|(_, own)| own)
    }
}

impl Subject<'_> {
    fn account(&self) -> &AccountId {
        match self {
            Self::Account(account) | Self::Client { account, .. } | Self::Site { account, .. } => account,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of scope against everything there is: sees, spends.
    #[test]
    fn a_key_sees_and_does_what_its_scopes_say_and_nothing_else() {
        let (alice, bob) = (AccountId::new(), AccountId::new());
        let (acme, other): (ClientId, ClientId) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let site = |text: &str| text.parse::<SiteId>().unwrap();
        let (of_acme, of_other, plain, foreign) = (site("a"), site("b"), site("c"), site("d"));
        let subjects = [
            Subject::Account(&alice),
            Subject::Client { account: &alice, client: &acme },
            Subject::Site { site: &of_acme, account: &alice, client: Some(&acme) },
            Subject::Site { site: &of_other, account: &alice, client: Some(&other) },
            Subject::Site { site: &plain, account: &alice, client: None },
            Subject::Account(&bob),
            Subject::Client { account: &bob, client: &acme },
            Subject::Site { site: &foreign, account: &bob, client: Some(&acme) },
        ];
        let table = [
            (Held::Admin, "11111111", "00111001"),
            (Held::Debit, "11111111", "00111001"),
            (Held::DebitSite(of_acme.clone()), "00100000", "00100000"),
            (Held::DebitAccount(alice.clone()), "11111000", "00111000"),
            (Held::Account(alice.clone()), "11111000", "00000000"),
            (Held::Client(alice.clone(), acme.clone()), "01100000", "00000000"),
            (Held::Site(plain.clone()), "00001000", "00000000"),
            (Held::Account(bob.clone()), "00000111", "00000000"),
        ];
        for (held, sees, spends) in table {
            let caller = Caller::new(KeyId::new(), vec![held.clone()], false);
            let reads = held == Held::Admin || held == Held::Account(alice.clone());
            assert_eq!(caller.is_owner_of(&alice), reads, "{held:?} reads Alice's orders");
            for (number, subject) in subjects.iter().enumerate() {
                let expected = |row: &str| row.as_bytes()[number] == b'1';
                assert_eq!(caller.may_see(subject), expected(sees), "{held:?} sees {subject:?}");
                if let Subject::Site { site, account, client } = subject {
                    assert_eq!(
                        caller.may_debit(site, account),
                        expected(spends),
                        "{held:?} spends for {subject:?}"
                    );
                    let refusal = match (expected(spends), expected(sees)) {
                        (true, _) => Ok(()),
                        (false, true) => Err(Refusal::Forbidden),
                        (false, false) => Err(Refusal::NotFound),
                    };
                    assert_eq!(caller.check_debit(site, account, *client), refusal);
                }
            }
        }
    }

    #[test]
    fn me_is_the_widest_scope_that_names_a_wallet() {
        let account = AccountId::new();
        let site: SiteId = "a".parse().unwrap();
        let own = |held: &[Held]| Caller::new(KeyId::new(), held.to_vec(), false).own();
        assert_eq!(own(&[Held::Admin, Held::Debit]), None);
        assert_eq!(own(&[Held::Site(site.clone())]), Some(Own::Site(site.clone())));
        assert_eq!(own(&[Held::Admin, Held::DebitSite(site.clone())]), Some(Own::Site(site.clone())));
        assert_eq!(own(&[Held::Site(site), Held::Account(account.clone())]), Some(Own::Account(account)));
    }
}
