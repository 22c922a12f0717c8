//! One column: its cells laid end to end in one string, so that a million short texts are one allocation.

/// A named column of text cells.
#[derive(Debug, Clone, Default)]
pub struct Column {
    name: String,
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<usize>,
    missing: Vec<bool>,
    unreadable: Option<String>,
}

impl Column {
    /// An empty column.
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Appends a cell.
    pub(super) fn push(&mut self, cell: Option<&str>) {
        self.text.push_str(cell.unwrap_or_default());
        self.ends.push(self.text.len());
        self.missing.push(cell.is_none());
    }

    /// Marks the column as one whose cells have no text form; the first reason stays.
    pub(super) fn set_unreadable(&mut self, why: impl FnOnce() -> String) {
        self.unreadable.get_or_insert_with(why);
    }

    /// Why the cells cannot be used as text, if they cannot.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the column has no cells.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The cell of row `row` (from 0); `None` where it is missing.
    ///
    /// # Panics
    /// If `row` is not below [`len`](Self::len).
    pub fn get(&self, row: usize) -> Option<&str> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        (!self.missing[row]).then(|| &self.text[start..self.ends[row]])
    }

    /// All cells in row order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.get(row))
    }
}
