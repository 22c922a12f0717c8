//! What goes with `[boost]`, and what does not.

use gyeol_data::Task;
use gyeol_eval::Metric;

use crate::Error;
use crate::recipe::Recipe;

/// Checks what can be checked without a table: the key that is wrong, and why.
pub(crate) fn check(recipe: &Recipe, task: Option<Task>) -> Result<(), (&'static str, String)> {
    let Some(boost) = &recipe.boost else { return Ok(()) };
    let wrong = |key: &'static str, problem: &str| Err((key, problem.to_owned()));
    if boost.rounds < 2 {
        return Err(("boost.rounds", format!("{} is no boosting; use at least 2, or remove [boost]", boost.rounds)));
    }
    if !(boost.learning_rate.is_finite() && boost.learning_rate > 0.0) {
        let problem = format!("{} is out of range; expected a finite number above 0", boost.learning_rate);
        return Err(("boost.learning_rate", problem));
    }
    match boost.round {
        Some(round) if !(1..=boost.rounds).contains(&round) => {
            return Err((
                "boost.round",
                format!("{round} is no round; remove it: gyeol writes it into the recipes of rounds"),
            ));
        }
        _ => {}
    }
    if recipe.folds.is_some() {
        return wrong("boost", "rounds are not trained within folds; remove [boost] or [folds]");
    }
    if recipe.refit.is_some() {
        return wrong("boost", "a boosted run has no one best step to be fitted again for; remove [boost]");
    }
    if recipe.sample.as_ref().is_some_and(|sample| sample.balance) {
        let problem = "draws rows as often as their classes want, and [boost] weighs them by their errors; remove one of the \
                       two, or weigh classes by loss.class_weights";
        return wrong("sample.balance", problem);
    }
    if recipe.metric == Some(Metric::Loss) {
        return wrong("metric", "the loss is of a model's outputs, and with [boost] models vote; use another metric");
    }
    task.map_or(Ok(()), of_task)
}

/// Refuses `[boost]` for any task but classes of which one is right, once the task is known.
///
/// # Errors
/// [`Error::Setting`] names the key.
pub(crate) fn check_task(recipe: &Recipe, task: Task) -> Result<(), Error> {
    if recipe.boost.is_none() {
        return Ok(());
    }
    of_task(task).map_err(|(key, problem)| Error::Setting { key, problem })
}

fn of_task(task: Task) -> Result<(), (&'static str, String)> {
    match task {
        Task::Classification => Ok(()),
        Task::MultiLabel => {
            let problem = "SAMME counts rows of one class each as right or wrong, and with loss.kind = \"bce\" a row has any \
                           number; remove [boost]";
            Err(("boost", problem.to_owned()))
        }
        Task::Regression => {
            Err(("boost", "SAMME is for classification, and the task is regression; remove [boost]".to_owned()))
        }
    }
}

/// Refuses the recipe of a round: what its rows weigh, the rounds before it decide.
///
/// # Errors
/// [`Error::Setting`] names the key.
pub(crate) fn refuse_round(recipe: &Recipe) -> Result<(), Error> {
    match recipe.boost.as_ref().and_then(|boost| boost.round) {
        None => Ok(()),
        Some(round) => {
            let problem = format!(
                "round {round} alone has no weights for its rows, which the rounds before it decide; remove the key"
            );
            Err(Error::Setting { key: "boost.round", problem })
        }
    }
}
