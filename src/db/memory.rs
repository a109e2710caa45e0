//! What the writer remembers from one transaction to the next.
//!
//! Whoever remembers something here must be sure that it is what the tables say. So it lives only as long as nobody
//! else can have changed them: writes that keep it true are made with [`super::Db::write_remembering`], every other
//! write lets all of it be forgotten, and so does a write of another program, or a commit that failed.

use std::any::{Any, TypeId};
use std::collections::HashMap;

/// Values by their type.
#[derive(Debug, Default)]
pub struct Memory {
    kept: HashMap<TypeId, Box<dyn Any + Send>>,
    /// What the database says as long as no other program writes to it.
    version: i64,
}

impl Memory {
    /// What is remembered of this type; nothing yet is its default.
    pub fn of<T: Any + Send + Default>(&mut self) -> &mut T {
        let kept = self.kept.entry(TypeId::of::<T>()).or_insert_with(|| Box::<T>::default());
        kept.downcast_mut().unwrap_or_else(|| unreachable!("it is kept by its type"))
    }

    /// Forgets everything if another program has written since it was remembered.
    pub(super) fn is_of(&mut self, version: i64) {
        if self.version != version {
            self.version = version;
            self.forget();
        }
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }
}
