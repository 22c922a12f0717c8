//! Every column of the table: what it is used for, what is missing in it, and how varied it is.

use std::collections::HashSet;

use rayon::prelude::*;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::examples::Columns;
use crate::table::{Column, Table};

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// The key of `[data]` it was read under, if any.
    pub role: Option<&'static str>,
    /// Rows without a value, or with blanks alone.
    pub missing: usize,
    /// Different values.
    pub distinct: usize,
}

/// Facts of all columns, in the table's order.
pub(super) fn columns(table: &Table, roles: &Columns) -> Vec<ColumnFacts> {
    let facts = |column: &Column| {
        let filled = || column.iter().flatten().filter(|cell| !cell.trim().is_empty());
        // Hashes: a profile may take a few bytes a cell, not a copy of it.
        let distinct: HashSet<u64> = filled().map(|cell| xxh3_64(cell.as_bytes())).collect();
        ColumnFacts {
            name: column.name().to_owned(),
            role: role(roles, column.name()),
            missing: column.len() - filled().count(),
            distinct: distinct.len(),
        }
    };
    table.columns().par_iter().map(facts).collect()
}

fn role(roles: &Columns, name: &str) -> Option<&'static str> {
    let named = [
        ("id", roles.id.as_deref()),
        ("text", Some(roles.text.as_str())),
        ("text_pair", roles.text_pair.as_deref()),
        ("label", roles.label.as_deref()),
        ("group", roles.group.as_deref()),
        ("source", roles.source.as_deref()),
    ];
    named.into_iter().find(|(_, column)| *column == Some(name)).map(|(role, _)| role)
}
