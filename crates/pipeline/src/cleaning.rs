//! Cleaning on the route: fitted on the rows that train, applied to every table, its special tokens made known to the
//! tokeniser and the encoder. What a step does is in `gyeol_data`.

use gyeol_data::{CleanConfig, Cleaner, Columns, Examples, StepKind, Tokeniser, Trace};
use gyeol_engine::config::TokenStart;
use gyeol_engine::hf::EncoderConfig;
use gyeol_engine::{NewToken, NewTokens};

use crate::division::{Division, Labelled};
use crate::prepare::{read, resolve_task};
use crate::recipe::Recipe;
use crate::{Error, Watcher, classes};

/// The cleaner of a configuration, fitted on `rows` of the training table.
pub(crate) fn fit(config: &CleanConfig, train: &Examples, rows: &[u32]) -> Result<Cleaner, Error> {
    let pair = |row: u32| train.pairs.as_ref().map(|pairs| pairs[row as usize].as_str());
    let texts: Vec<&str> =
        rows.iter().flat_map(|&row| std::iter::once(train.texts[row as usize].as_str()).chain(pair(row))).collect();
    Ok(config.fit(&texts)?)
}

/// The cleaner `recipe` trains with, fitted on the same rows as in training (with `[folds]`, where each fold has its own, on
/// all of them); `None` without the table `[clean]`. Tables
/// are read only where fitting needs texts.
///
/// # Errors
/// As preparing a training, as far as tables and the split go.
pub fn fitted_cleaner(recipe: &Recipe, watcher: &mut dyn Watcher) -> Result<Option<Cleaner>, Error> {
    let Some(config) = &recipe.clean else { return Ok(None) };
    if !config.needs_texts() {
        return Ok(Some(config.fit(&[])?));
    }
    watcher.phase("reading the labelled tables");
    let division = Division::of(recipe);
    if division == Division::Split && recipe.data.valid.is_some() {
        // The whole training table, whatever is in the other.
        let train = read(&recipe.data.train, &Columns::from(&recipe.data), watcher)?;
        let all: Vec<u32> = (0..train.len() as u32).collect();
        return fit(config, &train, &all).map(Some);
    }
    let Labelled { train, .. } = division.read(recipe, watcher)?;
    let task = resolve_task(&mut recipe.clone(), &train, watcher)?;
    let labels = classes::fit(task, &train)?;
    let targets = classes::targets(task, labels.as_ref(), &train)?;
    let rows = division.divide(recipe, &train, &targets, labels.as_ref(), false, watcher)?.train;
    fit(config, &train, &rows).map(Some)
}

/// Cleans every text of a table; one trace a row. Says how many became empty, and how many held a special token before.
pub(crate) fn clean(cleaner: &Cleaner, examples: &mut Examples, watcher: &mut dyn Watcher) -> Vec<Trace> {
    let mut traces = cleaner.clean(&mut examples.texts);
    if let Some(pairs) = &mut examples.pairs {
        let of_pairs = cleaner.clean(pairs);
        traces.iter_mut().zip(of_pairs).for_each(|(trace, other)| *trace = trace.or(other));
    }
    let count = |holds: fn(&Trace) -> bool| traces.iter().filter(|trace| holds(trace)).count();
    let (file, rows) = (examples.file(), traces.len());
    let emptied = count(|trace| trace.emptied);
    if emptied > 0 {
        watcher.warning(&format!("{file}: cleaning left nothing of {emptied} of {rows} texts; they are kept, empty"));
    }
    let had_token = count(|trace| trace.had_token);
    if had_token > 0 {
        let some = cleaner.special_tokens().first().map_or("", |token| token.token.as_str());
        watcher.note(&format!(
            "{file}: {had_token} of {rows} texts have a special token such as {some} written out; it is taken for the token"
        ));
    }
    traces
}

/// How many of the training `rows` each step changed, in words.
pub(crate) fn describe(cleaner: &Cleaner, traces: &[Trace], rows: &[u32]) -> String {
    let count = |holds: &dyn Fn(Trace) -> bool| rows.iter().filter(|&&row| holds(traces[row as usize])).count();
    let changed = count(&Trace::changed);
    let steps: Vec<String> = cleaner
        .steps()
        .map(|step: StepKind| (step, count(&|trace| trace.changed_by(step))))
        .filter(|&(_, rows)| rows > 0)
        .map(|(step, rows)| format!("{} {rows}", step.name()))
        .collect();
    let steps = if steps.is_empty() { String::new() } else { format!(" ({})", steps.join(", ")) };
    format!("cleaning changed {changed} of {} training texts{steps}", rows.len())
}

/// Gives the tokeniser the special tokens of `cleaner` and the encoder a row for each; how those rows start.
///
/// # Errors
/// If a token clashes with the tokeniser's own.
pub(crate) fn add_tokens(
    cleaner: &Cleaner,
    tokeniser: Tokeniser,
    config: &mut EncoderConfig,
    start: TokenStart,
) -> Result<(Tokeniser, NewTokens), Error> {
    let (base_rows, known) = (config.vocab_size, tokeniser.vocab_size());
    let tokens = cleaner.special_tokens();
    let pieces: Vec<Vec<u32>> = tokens
        .iter()
        .map(|token| {
            let mut ids: Vec<u32> = token.examples().iter().flat_map(|text| tokeniser.known_ids(text)).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        })
        .collect();
    let names: Vec<&str> = tokens.iter().map(|token| token.token.as_str()).collect();
    let tokeniser = tokeniser.with_special_tokens(&names)?;
    config.set_vocab_size(base_rows.max(tokeniser.vocab_size()));
    let new = names.into_iter().zip(pieces).filter_map(|(name, pieces)| {
        // A token the tokeniser had before has an embedding of its own.
        let id = tokeniser.token_id(name).filter(|&id| id as usize >= known)?;
        Some(NewToken { id, pieces })
    });
    let new = NewTokens { base_rows, start, tokens: new.collect() };
    Ok((tokeniser, new))
}

#[cfg(test)]
mod tests;
