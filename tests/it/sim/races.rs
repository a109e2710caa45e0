//! Changes of one second, told and read in every unlucky sequence. Found by histories, and kept by name.

use nivella_wallet::catalog::{self, Subject};
use nivella_wallet::reconcile::Window;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::histories::{Asking, ask};
use super::life::{FIRST_ORDER, Fault, Kind, Step, What};
use super::shop::Act;
use crate::app::write;

/// A shop with the plugin and usual settings, which can be asked.
fn usual() -> Kind {
    let mut kind = Kind::random(&mut StdRng::seed_from_u64(0));
    (kind.asks, kind.silent, kind.learns, kind.moves, kind.has_plugin) = (true, true, false, false, true);
    (kind.lost, kind.repeated, kind.late) = (0, 0, 0);
    kind.policy.knows_tree = true;
    kind.policy.require_date_paid = true;
    kind
}

impl Asking {
    async fn act(&mut self, act: Act) -> Result<(), Fault> {
        self.step(&Step { order: FIRST_ORDER, what: What::Act(act), dice: 7 }).await
    }

    /// All that the shop has to tell arrives.
    fn tell_all(&mut self) -> Result<(), Fault> {
        let mut dice = StdRng::seed_from_u64(0);
        self.life.send(&mut dice);
        self.life.arrive_all(&mut dice)
    }

    /// Somebody wants to know how the order is.
    fn want(&self, order: i64) {
        let store = self.life.wallet.shop.id;
        write(self.life.wallet.db(), move |tx| {
            catalog::store::want(tx, store, Subject::Order(order), "somebody wants to know")
        });
    }

    fn spendable(&self) -> i128 {
        let books = self.life.wallet.books();
        books.left.iter().filter(|((.., frozen), _)| !frozen).map(|(_, left)| left).sum()
    }

    /// An order that is paid, known and read.
    async fn paid(&mut self) -> Result<(), Fault> {
        self.act(Act::Place).await?;
        self.act(Act::Pay).await?;
        self.tell_all()?;
        self.look_all().await?;
        assert!(self.spendable() > 0, "{}", self.life.tell_all(None));
        self.life.wait(1);
        Ok(())
    }
}

fn passes(told: Result<(), (Fault, String)>) {
    if let Err((fault, story)) = told {
        panic!("{}\n{story}", fault.what);
    }
}

/// The shop is asked, changes in the same second, and tells of that before its answer is here. The answer is older
/// than what was told, so the order is asked for again.
#[test]
fn a_reading_that_a_delivery_of_its_second_overtook_is_made_again() {
    passes(ask(usual(), async |asking| {
        asking.paid().await?;
        asking.act(Act::Note).await?;
        // The note changes the date; the same second brings the refund, while the shop is read because of the note.
        asking.tell_all()?;
        let order = FIRST_ORDER;
        asking.step(&Step { order, what: What::Meanwhile(Act::RefundByHand), dice: 7 }).await?;
        asking.want(order);
        asking.step(&Step { order, what: What::Look, dice: 0 }).await?;
        asking.look_all().await?;
        assert_eq!(asking.spendable(), 0);
        asking.life.ends_as_the_shop()
    }));
}

/// On hold, completed and on hold again within a second, each told at once: the third delivery is word for word
/// the first, and yet no repeat.
#[test]
fn a_state_that_comes_back_within_its_second_is_asked_for() {
    passes(ask(usual(), async |asking| {
        asking.paid().await?;
        for act in [Act::Hold, Act::Pay, Act::Hold] {
            asking.act(act).await?;
            asking.tell_all()?;
            asking.look_all().await?;
            asking.life.ends_as_the_shop()?;
        }
        assert_eq!(asking.spendable(), 0);
        Ok(())
    }));
}

/// Whatever the first reading learned and booked, the second writes nothing: not of an order that was never told of,
/// and not of one that was paid when it was told of and is not any more.
#[test]
fn a_second_reading_of_an_unpaid_order_writes_nothing() {
    for dice in 0..40 {
        let kind = Kind { moves: true, ..usual() };
        passes(ask(kind, async |asking| {
            asking.step(&Step { order: FIRST_ORDER, what: What::Act(Act::Place), dice }).await?;
            if dice % 2 == 0 {
                asking.act(Act::Pay).await?;
                let mails = asking.life.shop().run_queue();
                // The actions beside it would have the order read by themselves.
                for mail in mails.iter().filter(|mail| mail.topic == "order.updated") {
                    asking.life.arrive(mail)?;
                }
            }
            asking.act(Act::BackToPending).await?;
            asking.sweep(Window::ALL).await.unwrap();
            let again = asking.sweep(Window::ALL).await.unwrap();
            if again.counts.repaired > 0 {
                return Err(Fault::new(None, format!("the second reading, dice {dice}: {:?}", again.counts)));
            }
            Ok(())
        }));
    }
}

/// The shop was asked and has the order no more; after that a delivery arrives that was made while there was one.
#[test]
fn a_late_delivery_brings_no_deleted_order_back() {
    let mut kind = usual();
    kind.policy.claw_back_deleted = true;
    passes(ask(kind, async |asking| {
        asking.paid().await?;
        asking.act(Act::Note).await?;
        let late = asking.life.shop().run_queue();
        asking.act(Act::DeleteForGood).await?;
        asking.sweep(Window::ALL).await.unwrap();
        assert_eq!(asking.spendable(), 0);
        for mail in &late {
            asking.life.arrive(mail)?;
        }
        asking.look_all().await?;
        asking.life.ends_as_the_shop()
    }));
}

/// An order is refunded, loses the refund and is deleted for good, all within a second. The shop is asked and has the
/// order no more, so what was granted stays; only then the delivery arrives that told of the refund. It was made while
/// there was an order, and what is deleted stays deleted: its refunds count no longer.
#[test]
fn a_refund_that_is_told_after_the_order_was_deleted_takes_nothing_back() {
    for (claw_back_deleted, learns_first) in [(false, true), (false, false), (true, true), (true, false)] {
        let mut kind = usual();
        kind.policy.claw_back_deleted = claw_back_deleted;
        passes(ask(kind, async |asking| {
            asking.paid().await?;
            let granted = asking.spendable();
            asking.act(Act::RefundInFull).await?;
            let late = asking.life.shop().run_queue();
            assert!(late.iter().any(|mail| mail.topic == "order.updated"));
            asking.act(Act::DeleteRefund).await?;
            asking.act(Act::DeleteForGood).await?;
            if learns_first {
                asking.sweep(Window::ALL).await.unwrap();
            }
            for mail in &late {
                asking.life.arrive(mail)?;
            }
            asking.look_all().await?;
            // Told in time, the refund counts, and nothing is given back when the order goes.
            let expected = if learns_first && !claw_back_deleted { granted } else { 0 };
            assert_eq!(asking.spendable(), expected, "{}", asking.life.tell_all(None));
            asking.life.ends_as_the_shop()
        }));
    }
}
