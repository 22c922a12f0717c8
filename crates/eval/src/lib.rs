//! Predictions, the metrics that score them, and the reports and comparisons people read.
//!
//! This crate never sees a model: it starts from a model's outputs (logits or scores) and ends with numbers and files.
//! Nothing here prints; the binary decides how a report looks.

mod compare;
mod encoding;
pub mod ensemble;
mod error;
mod matching;
pub mod metrics;
mod predictions;
mod report;
mod student_t;
pub mod submission;

pub use compare::{Difference, Interval, Summary, paired, welch};
pub use error::{EvalError, FieldError};
pub use gyeol_data::Task;
pub use matching::{Matched, class_indices, class_sets, match_ids};
pub use metrics::{Metric, MetricValues, OwnedTruth, Truth};
pub use predictions::{Expected, Foreign, Form, Outputs, Predictions, Scale};
pub use report::{
    ClassAverage, ClassRow, ClassificationReport, ConfidentError, Confusion, LabelError, MultiLabelReport,
    RegressionReport, Report, Residuals, ScoreError, SourceRow, evaluate,
};
