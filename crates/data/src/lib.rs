//! Tables of texts and labels, their splits, and their tokens: everything before the model.
//!
//! The route: [`Table::read`] → [`Examples::from_table`] → [`LabelMap`] or [`scores`] → [`holdout`] →
//! [`Tokeniser::encode_rows`] → [`Tokenised::batch`]. Text without labels goes [`Corpus::open`] → [`Tokenised::stream`].

mod atomic;
mod batch;
mod clean;
mod config;
mod corpus;
mod error;
mod examples;
mod fingerprint;
mod folds;
mod label_sets;
mod labels;
pub mod profile;
mod sample;
mod split;
mod table;
mod tokenise;

pub use atomic::write_atomic;
pub use batch::Batch;
pub use clean::{CleanConfig, Cleaner, EmoticonsConfig, SpecialToken, StepKind, Trace};
pub use config::{DataConfig, Task};
pub use corpus::{Corpus, CorpusCounts, CorpusSource, Texts};
pub use error::{DataError, Place, Result};
pub use examples::{Columns, Examples, KeyStyle};
pub use fingerprint::{data_fingerprint, fingerprint, text_fingerprint};
pub use folds::{FoldsConfig, folds};
pub use label_sets::{LABEL_SEPARATOR, LabelSets, holds_label_sets, labels_of};
pub use labels::{InferredTask, LabelMap, Targets, infer_task, scores};
pub use sample::{SampleConfig, Undersampled, strata, undersample};
pub use split::{Split, holdout};
pub use table::{Column, Table, TextFormat};
pub use tokenise::{
    CacheOutcome, MaskVocabulary, StreamProgress, Streamed, Tokenised, Tokeniser, TokenizerConfig, TokenizerKind,
    Trained,
};
