//! Who owns what, on both engines.

use nivella_wallet::db::{self, Db, Keep, Tx};
use nivella_wallet::id::{AccountId, SiteId};
use nivella_wallet::site::store::{
    Change, Claim, Error, account, accounts, assign, claim, default_site, get, list, open, open_account,
    rename, resolve, set_default_site, unassign,
};
use nivella_wallet::site::{AccountRef, Field, FromOrder, import};

use crate::support::{TestDb, databases};

/// New databases with one store called lab, number 1.
fn stores() -> Vec<TestDb> {
    let databases = databases();
    for TestDb { db, .. } in &databases {
        write(db, |tx| {
            tx.execute(
                "INSERT INTO store (id, name, url, webhook_secret, tokens_categories, paid_statuses,
                                    site_keys, created_at)
                 VALUES (1, 'lab', 'https://lab.example', 'x', '[]', '[]', '[]', 0)",
                &[],
            )
        })
        .unwrap();
    }
    databases
}

fn write<T: Send + 'static, E: From<db::Error> + Send + 'static>(
    db: &Db,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    db.write_blocking("test", Keep::Effects, work)
}

fn name(text: &str) -> AccountRef {
    text.parse().unwrap()
}

#[test]
fn reading_opens_nothing_and_opening_opens_once() {
    for TestDb { db, .. } in &stores() {
        let guest = name("lab:email:Alice@Example.com");
        assert_eq!(db.read(|tx| resolve(tx, &guest)).unwrap(), None);
        assert_eq!(db.read(|tx| accounts(tx, None, None, 9)).unwrap(), []);

        let id = write(db, |tx| open(tx, &name("lab:email: alice@EXAMPLE.com "))).unwrap();
        assert_eq!(write(db, |tx| open(tx, &name("lab:email:alice@example.com"))).unwrap(), id);
        assert_eq!(db.read(|tx| resolve(tx, &guest)).unwrap(), Some(id.clone()));
        let found = db.read(|tx| account(tx, &id)).unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.names), ("alice@example.com", vec![guest]));

        let same = id.clone();
        write(db, move |tx| rename(tx, &same, "  Alice\n Doe ")).unwrap();
        let same = id.clone();
        write(db, move |tx| rename(tx, &same, " \t")).unwrap();
        assert_eq!(db.read(|tx| account(tx, &id)).unwrap().unwrap().name, "Alice Doe");
    }
}

#[test]
fn an_account_needs_its_store() {
    for TestDb { db, .. } in &stores() {
        let refused = write(db, |tx| open(tx, &name("shop:customer:1"))).unwrap_err();
        assert!(matches!(refused, Error::UnknownStore(store) if store == "shop"));
        let nobody = AccountId::new();
        let refused = write(db, move |tx| open(tx, &nobody.into())).unwrap_err();
        assert!(matches!(refused, Error::UnknownAccount(_)));
    }
}

#[test]
fn accounts_are_found_by_any_of_their_names() {
    for TestDb { db, .. } in &stores() {
        write(db, |tx| {
            for key in ["customer:1", "customer:2", "email:a_b@example.com"] {
                open_account(tx, 1, &key.parse().unwrap(), None)?;
            }
            Ok::<_, db::Error>(())
        })
        .unwrap();
        for (query, count) in
            [("", 3), ("customer", 2), ("LAB:customer:2", 1), ("a_b", 1), ("%", 0), ("1_", 0), ("acc_", 3)]
        {
            let found = db.read(|tx| accounts(tx, Some(query), None, 9)).unwrap();
            assert_eq!(found.len(), count, "{query:?}");
        }
        let first = db.read(|tx| accounts(tx, None, None, 1)).unwrap().remove(0);
        assert_eq!(db.read(|tx| accounts(tx, None, Some(&first.id), 9)).unwrap().len(), 2);
    }
}

#[test]
fn a_site_never_changes_hands_silently() {
    for TestDb { db, .. } in &stores() {
        write(db, |tx| {
            let alice = open(tx, &name("lab:customer:1"))?;
            let bob = open(tx, &name("lab:customer:2"))?;
            let site: SiteId = "shop".parse().unwrap();
            let labelled = Field::Set("Shop".to_owned());

            assert!(matches!(unassign(tx, &site), Err(Error::UnknownSite(_))));
            assert_eq!(assign(tx, &site, &alice, &Field::Keep, &labelled)?, Change::Assigned);
            assert_eq!(assign(tx, &site, &alice, &Field::Keep, &Field::Keep)?, Change::Unchanged);
            assert_eq!(assign(tx, &site, &alice, &Field::Keep, &Field::Clear)?, Change::Changed);
            assert!(matches!(
                assign(tx, &site, &bob, &Field::Keep, &Field::Keep),
                Err(Error::OwnedByOther { owner, .. }) if owner == alice
            ));
            assert_eq!(claim(tx, &site, &bob, 1, 9)?, Claim::OwnedByOther(alice.clone()));
            assert_eq!(claim(tx, &site, &alice, 1, 9)?, Claim::Own);

            set_default_site(tx, &alice, Some(&site))?;
            assert!(matches!(set_default_site(tx, &bob, Some(&site)), Err(Error::OwnedByOther { .. })));
            assert_eq!(unassign(tx, &site)?, alice);
            assert_eq!(default_site(tx, &alice)?, None, "a site that is gone gets no purchases");
            assert!(matches!(unassign(tx, &site), Err(Error::Unassigned(_))));
            assert!(get(tx, &site)?.is_some_and(|site| site.account.is_none()), "known, but nobody's");

            assert_eq!(claim(tx, &site, &bob, 1, 9)?, Claim::Registered);
            let from = FromOrder { store: "lab".to_owned(), order: 9 };
            assert_eq!(get(tx, &site)?.unwrap().from_order, Some(from));
            assign(tx, &site, &bob, &Field::Keep, &Field::Keep)?;
            assert_eq!(get(tx, &site)?.unwrap().from_order, None, "a person confirmed it");
            assert_eq!(list(tx, Some(&bob), None, None, 9)?.len(), 1);
            assert_eq!(list(tx, Some(&alice), None, None, 9)?, []);
            Ok::<_, Error>(())
        })
        .unwrap();
    }
}

#[test]
fn an_import_is_all_or_nothing() {
    for TestDb { db, .. } in &stores() {
        let (rows, bad) = import::parse(
            b"site,account,client,label\na,lab:customer:1,acme,A\nb,shop:customer:1,,\nc,lab:customer:2,,\n",
        );
        assert_eq!(bad, []);
        let refused = write(db, move |tx| import::apply(tx, &rows, || ())).unwrap_err();
        let import::NotImported::Rows(bad) = refused else { panic!("{refused}") };
        assert_eq!(bad.iter().map(|row| row.line).collect::<Vec<_>>(), [3]);
        assert_eq!(db.read(|tx| list(tx, None, None, None, 9)).unwrap(), []);
        assert_eq!(db.read(|tx| accounts(tx, None, None, 9)).unwrap(), []);

        let file = b"site,account,client,label\na,lab:customer:1,acme,A\nc,lab:customer:1,,\n";
        let (rows, _) = import::parse(file);
        let again = rows.clone();
        let first = write(db, move |tx| import::apply(tx, &rows, || ())).unwrap();
        assert_eq!((first.assigned, first.accounts_opened), (2, 1));
        let second = write(db, move |tx| import::apply(tx, &again, || ())).unwrap();
        assert_eq!((second.unchanged, second.assigned, second.accounts_opened), (2, 0, 0));
    }
}
