//! JSON as recognisers of speech write it: often large, often not quite JSON (`NaN`, half of a character), now and
//! then cut off. A document is checked once as a whole and then read element by element where it stands, so that
//! one bad element costs no other. Knows no format.

mod document;
mod outline;
mod reading;
mod scan;
mod value;

pub(super) use self::{
    document::{Document, malformed},
    outline::Outline,
    reading::{MAX_MILLIS, Reading, Said, Unit, numbered},
    value::{Kind, Value},
};
