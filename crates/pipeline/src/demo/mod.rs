//! Sample data for `gyeol demo`: movie reviews written by a grammar, so that the main job can be tried without a
//! download.
//!
//! Only the data is made here; training on it is the ordinary route.

mod encoder;
mod files;
mod grammar;
mod lexicon;
mod random;
mod reviews;
mod typos;

pub use files::{DemoFiles, write};
pub use reviews::{CLASS_NAMES, Review, reviews};
