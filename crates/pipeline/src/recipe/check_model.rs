//! Values of `[model]` that have the right type and still make no sense.

use gyeol_engine::config::{HeadChoice, Join};

use super::Recipe;
use super::check::{Problem, require};

const BASE: &str = "a checkpoint directory or a hub id";

/// Checks `[model]`, and that what several bases are joined to suits the other tables.
pub(super) fn check_model(recipe: &Recipe) -> Result<(), Problem> {
    let model = &recipe.model;
    let wrong = |key: &'static str, problem: String| Err((key.into(), problem));
    match (&model.base, &model.members) {
        (None, None) => {
            let problem = format!("is missing; name {BASE}, or two or more of them as model.members");
            return wrong("model.base", problem);
        }
        (Some(_), Some(_)) => {
            let problem = "stands beside model.base; remove one of them: several bases are trained together, or one";
            return wrong("model.members", problem.to_owned());
        }
        (Some(base), None) => {
            require("model.base", !base.is_empty(), "\"\"", BASE)?;
            if let Some(join) = model.join {
                let problem = format!("\"{}\" joins the outputs of model.members, and model.base is one", join.name());
                return wrong("model.join", problem);
            }
        }
        (None, Some(members)) => {
            let what = "two or more checkpoint directories or hub ids; one is model.base";
            require("model.members", members.len() >= 2, members.len(), what)?;
            require("model.members", members.iter().all(|base| !base.is_empty()), "\"\"", BASE)?;
            if recipe.adapt.is_some() {
                let problem = "cannot be adapted together: adapt each as model.base with `gyeol adapt`, name the adapted models \
                               here, and remove [adapt]";
                return wrong("model.members", problem.to_owned());
            }
            if model.join == Some(Join::Stack) && recipe.head.kind != HeadChoice::Linear {
                let problem = format!(
                    "\"stack\" is one linear layer over the features of all members, which needs head.kind = \"linear\", not \
                     \"{}\"",
                    recipe.head.kind.name()
                );
                return wrong("model.join", problem);
            }
        }
    }
    require("model.max_length", model.max_length >= 3, model.max_length, "at least 3 (two of them are special)")?;
    if let Some(dropout) = model.dropout {
        require("model.dropout", (0.0..1.0).contains(&dropout), dropout, "from 0 to below 1")?;
    }
    Ok(())
}
