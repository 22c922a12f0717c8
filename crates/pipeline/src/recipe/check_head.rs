//! Values of `[head]` that have the right type and still make no sense.

use gyeol_data::{DataConfig, Task};
use gyeol_engine::config::{HeadChoice, HeadConfig, Pooling};

use super::check::{Problem, require};

/// The widest hidden layer; beyond it is a slip of the pen.
const WIDEST: usize = 1 << 16;

/// Checks the head, and that the columns of `data` are there that it needs.
pub(super) fn check_head(head: &HeadConfig, data: &DataConfig) -> Result<(), Problem> {
    let kind = head.kind;
    let wrong = |key: &'static str, problem: String| Err((key.into(), problem));
    if kind == HeadChoice::Default && head.pooling.is_some_and(|pooling| pooling != Pooling::Cls) {
        let problem =
            "the architecture's own head reads the first token; set head.kind = \"linear\" or \"mlp\" to pool";
        return wrong("head.pooling", problem.to_owned());
    }
    match (kind, &head.widths[..]) {
        (HeadChoice::Mlp, []) => {
            return wrong("head.widths", "an mlp needs the widths of its hidden layers, such as [512, 256]".to_owned());
        }
        (HeadChoice::Mlp, widths) => {
            for &width in widths {
                require("head.widths", (1..=WIDEST).contains(&width), width, &format!("widths from 1 to {WIDEST}"))?;
            }
        }
        (_, []) => {}
        _ => return wrong("head.widths", only_mlp(kind)),
    }
    if kind != HeadChoice::Mlp && head.activation.is_some() {
        return wrong("head.activation", only_mlp(kind));
    }
    if let Some(dropout) = head.dropout {
        require("head.dropout", (0.0..1.0).contains(&dropout), dropout, "from 0 to below 1")?;
    }
    if kind == HeadChoice::BiEncoder {
        if head.dropout.is_some() {
            let problem = "a bi-encoder's head has no layer to drop out before; model.dropout is the encoder's";
            return wrong("head.dropout", problem.to_owned());
        }
        if data.task == Some(Task::Classification) {
            let problem = "\"bi-encoder\" scores how alike two texts are, which needs data.task = \"regression\"";
            return wrong("head.kind", problem.to_owned());
        }
        if data.text_pair.is_none() {
            let problem = "\"bi-encoder\" compares two texts; name the column of the second as data.text_pair";
            return wrong("head.kind", problem.to_owned());
        }
        if data.score_range.is_none() {
            let problem = "\"bi-encoder\" needs data.score_range = [lowest, highest]: scores are fitted from 0 to 1";
            return wrong("head.kind", problem.to_owned());
        }
    }
    Ok(())
}

fn only_mlp(kind: HeadChoice) -> String {
    format!("only an mlp has hidden layers, this head is \"{}\"; remove it or set head.kind = \"mlp\"", kind.name())
}
