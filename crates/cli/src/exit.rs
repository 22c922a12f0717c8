//! How the process ends: the exit code of an error, and its words.

use crate::output::Output;

/// The command did not make sense of what it was given: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Mistake {
    message: String,
    hint: Option<String>,
}

impl Mistake {
    /// A mistake, as a sentence without a full stop.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// What to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The user stopped the work: exit code 130, as shells have it for Ctrl-C.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted {
    /// How to go on.
    pub(crate) hint: Option<String>,
}

/// Prints the error with its causes and a hint, and gives its exit code.
pub(crate) fn report(error: &anyhow::Error, output: &Output) -> u8 {
    output.error(&sentence(error));
    if let Some(hint) = hint(error) {
        output.hint(hint);
    }
    code(error)
}

/// The error and its causes, without a cause that its parent's message already tells.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence.push_str(": ");
            sentence.push_str(&cause);
        }
    }
    sentence
}

/// The first cause that knows its exit code decides; an unknown error means that the work failed.
fn code(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| {
            let stopped = matches!(cause.downcast_ref(), Some(gyeol_pipeline::Error::Interrupted));
            if stopped || cause.is::<Interrupted>() {
                return Some(130);
            }
            let user = if cause.is::<Mistake>() || cause.is::<gyeol_engine::PinError>() {
                true
            } else if let Some(error) = cause.downcast_ref::<gyeol_pipeline::Error>() {
                error.is_user_error()
            } else if let Some(error) = cause.downcast_ref::<gyeol_pipeline::recipe::RecipeError>() {
                error.is_user_error()
            } else if let Some(error) = cause.downcast_ref::<gyeol_pipeline::runs::RunError>() {
                error.is_user_error()
            } else if let Some(error) = cause.downcast_ref::<gyeol_pipeline::sweep::SweepError>() {
                error.is_user_error()
            } else if let Some(error) = cause.downcast_ref::<gyeol_store::StoreError>() {
                error.is_user_error()
            } else if let Some(error) = cause.downcast_ref::<gyeol_store::queue::QueueError>() {
                error.is_user_error()
            } else if let Some(error) = cause.downcast_ref::<gyeol_pipeline::hub::HubError>() {
                error.is_user_error()
            } else if let Some(error) = cause.downcast_ref::<gyeol_engine::hf::HfError>() {
                error.exit_code() == 2
            } else if let Some(error) = cause.downcast_ref::<gyeol_data::DataError>() {
                error.is_user_error()
            } else {
                cause.downcast_ref::<gyeol_eval::EvalError>()?.is_user_error()
            };
            Some(if user { 2 } else { 1 })
        })
        .unwrap_or(1)
}

fn hint(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|cause| {
        cause
            .downcast_ref::<Mistake>()
            .and_then(|mistake| mistake.hint.as_deref())
            .or_else(|| cause.downcast_ref::<Interrupted>().and_then(|interrupted| interrupted.hint.as_deref()))
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_first_cause_that_knows() {
        assert_eq!(code(&anyhow!("anything")), 1);
        assert_eq!(code(&Mistake::new("no").into()), 2);
        assert_eq!(code(&Interrupted { hint: None }.into()), 130);
        assert_eq!(code(&anyhow::Error::from(gyeol_pipeline::Error::Interrupted).context("predicting")), 130);
        let missing = gyeol_data::DataError::Read { path: "a.csv".into(), source: io::ErrorKind::NotFound.into() };
        assert_eq!(code(&anyhow::Error::from(gyeol_pipeline::Error::from(missing)).context("training")), 2);
        let full = gyeol_data::DataError::Write { path: "a.csv".into(), source: io::ErrorKind::StorageFull.into() };
        assert_eq!(code(&full.into()), 1);
    }

    #[test]
    fn a_cause_told_by_its_parent_is_not_repeated() {
        let cause = Err::<(), _>(io::Error::other("disk on fire"));
        let error = cause.context("cannot write a.csv: disk on fire").context("training").unwrap_err();
        assert_eq!(sentence(&error), "training: cannot write a.csv: disk on fire");
    }

    #[test]
    fn the_hint_survives_context() {
        let error = anyhow::Error::from(Mistake::new("exists").hint("--force overwrites it")).context("init");
        assert_eq!(hint(&error), Some("--force overwrites it"));
    }
}
