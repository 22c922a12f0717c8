//! What became of one text: for previews, counts and warnings.

use super::StepKind;

/// Which steps changed a text, and what a reader should know beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace {
    /// One bit a step.
    changed: u16,
    /// Nothing is left of a text that was not empty.
    pub emptied: bool,
    /// Before cleaning, the text held a special token, written out.
    pub had_token: bool,
}

impl Trace {
    pub(super) fn add(&mut self, step: StepKind) {
        self.changed |= 1 << step as u16;
    }

    /// Whether `step` changed the text.
    pub fn changed_by(self, step: StepKind) -> bool {
        self.changed & (1 << step as u16) != 0
    }

    /// Whether any step did.
    pub fn changed(self) -> bool {
        self.changed != 0
    }

    /// Both of two texts of one row together.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            changed: self.changed | other.changed,
            emptied: self.emptied || other.emptied,
            had_token: self.had_token || other.had_token,
        }
    }
}
