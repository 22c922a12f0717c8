//! `[sample]` on the route: applied to the rows that train, and told. How rows are chosen is in `gyeol_data`, how an epoch
//! draws them in the engine.

use gyeol_data::{Examples, LabelMap, Targets, Undersampled, strata, undersample};
use gyeol_engine::Balance;

use crate::Error;
use crate::recipe::Recipe;
use crate::runs::Sampled;

/// What became of the training rows.
#[derive(Debug, Default)]
pub(crate) struct Sampling {
    /// Those used, ascending.
    pub(crate) rows: Vec<u32>,
    /// How an epoch draws them; `None`: each once.
    pub(crate) balance: Option<Balance>,
    /// Counts before and after, for the report.
    pub(crate) counts: Vec<Sampled>,
}

impl Sampling {
    /// Samples of `rows` of the training table `train` as `recipe` says; without `[sample]` all of them.
    ///
    /// # Errors
    /// If a key of `sample.undersample` names nothing of the table.
    pub(crate) fn new(
        recipe: &Recipe,
        rows: &[u32],
        train: &Examples,
        targets: &Targets,
        labels: Option<&LabelMap>,
    ) -> Result<Self, Error> {
        let Some(config) = &recipe.sample else { return Ok(Self { rows: rows.to_vec(), ..Self::default() }) };
        if let Targets::Sets(_) = targets {
            let problem =
                "rows with any number of labels (loss.kind = \"bce\") have no one class to be sampled by; remove it";
            return Err(Error::Setting { key: "sample", problem: problem.to_owned() });
        }
        let Undersampled { rows: kept, counts } = undersample(config, rows, &train.ids, targets, labels, recipe.seed)?;
        let classes = strata(&targets.select(&kept));
        let balance = config.balance.then(|| Balance::new(&kept, &classes));
        let share = |present: usize| config.balance.then(|| kept.len() as f64 / present as f64);
        let mut told = Vec::new();
        match (labels, targets) {
            (Some(labels), Targets::Classes(all)) => {
                let count = |rows: &[u32], class| rows.iter().filter(|&&row| all[row as usize] == class).count() as u64;
                let table = labels.labels().iter().zip(0..);
                let table = table.map(|(label, class)| (label.clone(), count(rows, class), count(&kept, class)));
                let table: Vec<_> = table.filter(|&(_, before, _)| before > 0).collect();
                let per_epoch = share(table.len());
                told.extend(table.into_iter().map(|(of, before, after)| Sampled { of, before, after, per_epoch }));
            }
            _ => {
                let sampled = |(of, before, after): (String, usize, usize)| Sampled {
                    of,
                    before: before as u64,
                    after: after as u64,
                    per_epoch: None,
                };
                told.extend(counts.into_iter().map(sampled));
                if config.balance {
                    told.extend(buckets(&targets.select(&kept), &classes, &share));
                }
            }
        }
        Ok(Self { rows: kept, balance, counts: told })
    }

    /// The counts in words; `None` where nothing was sampled.
    pub(crate) fn describe(&self) -> Option<String> {
        let words: Vec<String> = self.counts.iter().map(Sampled::to_string).collect();
        (!words.is_empty()).then(|| format!("sample: {}", words.join("; ")))
    }
}

/// The buckets of scores that are drawn equally often.
fn buckets(scores: &Targets, buckets: &[u32], share: &dyn Fn(usize) -> Option<f64>) -> Vec<Sampled> {
    let Targets::Scores(scores) = scores else { return Vec::new() };
    let mut members = std::collections::BTreeMap::<u32, (f32, f32, u64)>::new();
    for (&score, &bucket) in scores.iter().zip(buckets) {
        let (low, high, rows) = members.entry(bucket).or_insert((score, score, 0));
        (*low, *high, *rows) = (low.min(score), high.max(score), *rows + 1);
    }
    let per_epoch = share(members.len());
    let bucket = |(low, high, rows): (f32, f32, u64)| {
        let of = format!("scores {low} to {high}");
        Sampled { of, before: rows, after: rows, per_epoch }
    };
    members.into_values().map(bucket).collect()
}
