//! Mutations by area.

pub(crate) mod accounts;
pub(crate) mod conversations;
