//! `gyeol sweep`: hyper-parameter search.

#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "no command shows a sweep yet"))]
pub(crate) mod report;
