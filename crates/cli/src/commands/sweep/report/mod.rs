//! What a sweep found, for people: [`summary`] for a terminal, [`page`] as one HTML file. Both show a [`View`], plain data that
//! whoever has the sweep fills in; nothing here reads a run or decides about one.

mod page;
mod summary;
mod view;

pub(crate) use page::page;
pub(crate) use summary::summary;
pub(crate) use view::{Confirmed, Costs, Parameter, Row, Scale, View, state};

#[cfg(test)]
mod tests;
