//! `[boost]`: models trained one after the other, each on rows weighted by how often those before it were wrong (`samme`).
//! Together they predict by their votes (`predict`).
//!
//! A round's run, `<run>-round-<n>`, is one like any other, with its own recipe (`boost.round`), journal, report and model; it
//! leaves the predictions of its training rows besides, of which the weights of the next round are made. So a round that is
//! done is never computed again, and the weights need no keeping.
//!
//! The errors are those on the rows a model was trained on, as the paper has them. A fine-tuned encoder is right about nearly
//! all of these if it is trained long enough; the few that are left are often those with a wrong label, and weigh most.
//! Rounds should be short.

mod check;
mod config;
mod predict;
mod samme;

use std::path::PathBuf;

use gyeol_data::Targets;
use gyeol_engine::TrainPlan;
use gyeol_engine::config::ClassWeights;
use gyeol_eval::{Form, Predictions, Report as Scored};

use crate::parts::{self, Parts};
use crate::prepare::{Prepared, go_on};
use crate::recipe::Recipe;
use crate::runs::{BoostReport, BoostRound, Report, Run, Runs, round_name};
use crate::session::{Claim, Session, Trained};
use crate::train::{by_name, source_scores, truth, valid_sources};
use crate::{Error, Watcher, class_shares};
use samme::{Samme, Verdict};

pub(crate) use check::{check, check_task, refuse_round};
pub use config::BoostConfig;
pub(crate) use predict::{Voter, voters};

/// Trains every round of `prepared` in the run that `claim` gives; rounds that are finished stay as they are.
pub(crate) fn train(
    prepared: &Prepared,
    adapted: Option<&(PathBuf, Report)>,
    claim: Claim<'_>,
    runs: &Runs,
    watcher: &mut dyn Watcher,
) -> Result<Trained, Error> {
    let config = prepared.recipe.boost.clone().unwrap_or_default();
    let steps = TrainPlan::new(&prepared.recipe.train, prepared.train.rows.len()).steps;
    let run = claim.take()?;
    let boost = Boost { parts: Parts { prepared, adapted, runs }, config };
    let rounds = runs.rounds_of(run.run().name(), boost.config.rounds)?;
    boost.parts.refuse_others(&rounds, |round| boost.recipe(round))?;
    let mut session = Session { run, watcher, arithmetic: prepared.arithmetic };
    let steps = steps * u64::from(boost.config.rounds);
    session.started(&prepared.metric.to_string(), steps, None, &prepared.warnings)?;
    let outcome = boost.route(&mut session);
    parts::conclude(&mut session, outcome)
}

/// A boosted run.
struct Boost<'a> {
    parts: Parts<'a>,
    config: BoostConfig,
}

/// A round that is done.
struct Round {
    report: Report,
    verdict: Verdict,
}

impl Round {
    fn error(&self) -> f64 {
        match self.verdict {
            Verdict::Boosts { error, .. } | Verdict::Overflows { error, .. } | Verdict::Chance { error } => error,
            Verdict::Perfect => 0.0,
        }
    }

    /// Its vote; `None` if it has none.
    fn alpha(&self) -> Option<f64> {
        match self.verdict {
            Verdict::Boosts { alpha, .. } | Verdict::Overflows { alpha, .. } => Some(alpha),
            Verdict::Perfect => Some(1.0),
            Verdict::Chance { .. } => None,
        }
    }
}

impl Boost<'_> {
    fn route(&self, session: &mut Session<'_>) -> Result<Trained, Error> {
        let Parts { prepared, .. } = self.parts;
        let parent = session.run.run().name().to_owned();
        let classes = prepared.labels.as_ref().map_or(0, |labels| labels.len());
        if prepared.recipe.loss.class_weights != ClassWeights::None {
            session.watcher.note("boost: loss.class_weights multiply the weights of the rows");
        }
        let mut samme = Samme::new(prepared.train.rows.len(), classes, self.config.learning_rate);
        let (mut rounds, mut ended) = (Vec::new(), None);
        for number in 1..=self.config.rounds {
            go_on(&*session.watcher)?;
            let of = format!("round {number} of {}", self.config.rounds);
            let name = round_name(&parent, number);
            let report = match self.parts.finished(&name)? {
                Some(report) => {
                    session.watcher.note(&format!("{of} is finished already: {}", report.run));
                    report
                }
                None => match self.train(&name, number, samme.weights(), &mut *session.watcher)? {
                    Trained::Finished(report) => *report,
                    interrupted => return Ok(interrupted),
                },
            };
            self.parts.tidy(&report.run)?;
            let verdict = samme.take(&self.wrong(&report.run)?);
            let round = Round { report, verdict };
            let error = round.error();
            session.watcher.note(&match round.alpha() {
                Some(alpha) => format!("{of}: weighted error {error:.4} of the training rows, alpha {alpha:.4}"),
                None => format!("{of}: weighted error {error:.4} of the training rows, no vote"),
            });
            rounds.push(round);
            ended = self.ended(number, verdict, classes)?;
            if let Some(why) = &ended {
                session.warn(format!("boost: {why}"))?;
                break;
            }
        }
        session.watcher.phase("counting the votes");
        let report = self.together(session, &rounds, ended)?;
        session.run.write_report(&report)?;
        Ok(Trained::Finished(Box::new(report)))
    }

    /// The recipe of round `round` alone.
    fn recipe(&self, round: u32) -> Recipe {
        let boost = BoostConfig { round: Some(round), ..self.config.clone() };
        Recipe { boost: Some(boost), ..self.parts.prepared.recipe.clone() }
    }

    /// Trains a round on rows of these weights, from its last state where it has one.
    fn train(&self, name: &str, number: u32, weights: Vec<f32>, watcher: &mut dyn Watcher) -> Result<Trained, Error> {
        let mut prepared = self.parts.prepare(self.recipe(number), watcher)?;
        let heaviest = weights.iter().copied().fold(0.0, f32::max);
        watcher.note(&format!(
            "round {number} of {}: {} rows to train on, the heaviest counts {heaviest:.2}",
            self.config.rounds,
            weights.len()
        ));
        let mut of_table = vec![0.0; prepared.train.examples.len()];
        prepared.train.rows.iter().zip(weights).for_each(|(&row, weight)| of_table[row as usize] = weight);
        prepared.row_weights = Some(of_table);
        self.parts.train(name, &prepared, watcher)
    }

    /// Which training rows the round called `name` is wrong about.
    fn wrong(&self, name: &str) -> Result<Vec<bool>, Error> {
        let Prepared { train, labels, .. } = self.parts.prepared;
        let predictions = Predictions::read(&self.parts.runs.open(name)?.train_path())?;
        let predictions = Predictions::gather(&[predictions], &train.ids())?;
        let outputs = predictions.outputs();
        let predicted = outputs.argmax().into_iter().map(|class| outputs.labels().get(class as usize));
        let (Some(labels), Targets::Classes(truth)) = (labels, train.targets.select(&train.rows)) else {
            unreachable!("check_task refuses other tasks");
        };
        let truth = truth.into_iter().map(|class| labels.labels().get(class as usize));
        Ok(predicted.zip(truth).map(|(predicted, truth)| predicted != truth).collect())
    }

    /// Why no round follows round `number`, if that is so before all of them are made.
    fn ended(&self, number: u32, verdict: Verdict, classes: usize) -> Result<Option<String>, Error> {
        let all = self.config.rounds;
        match verdict {
            Verdict::Boosts { .. } => Ok(None),
            Verdict::Overflows { .. } | Verdict::Perfect if number == all => Ok(None),
            Verdict::Overflows { alpha, .. } => Ok(Some(format!(
                "round {number} of {all} has an alpha of {alpha:.4e}, and the rows it is wrong about would weigh more than a \
                 number holds; it is the last: lower boost.learning_rate"
            ))),
            Verdict::Perfect if number == 1 => Ok(Some(
                "round 1 is right about every training row, so that no row is left to weigh more: this is the run without \
                 [boost]; train shorter (train.epochs), or keep layers fixed (model.freeze_layers)"
                    .to_owned(),
            )),
            Verdict::Perfect => Ok(Some(format!("round {number} of {all} is right about every training row; it is the last"))),
            Verdict::Chance { error } => {
                let words = format!(
                    "round {number} of {all} is wrong about {:.1} % of the weight of the training rows, no better than \
                     guessing among {classes} classes",
                    100.0 * error
                );
                if number == 1 {
                    let problem = format!("{words}; there is nothing to boost: train longer, or lower train.learning_rate");
                    return Err(Error::Setting { key: "boost", problem });
                }
                Ok(Some(format!("{words}; it has no vote, and none follows")))
            }
        }
    }

    /// Writes what the votes of the rounds come to, and scores it.
    fn together(&self, session: &mut Session<'_>, rounds: &[Round], ended: Option<String>) -> Result<Report, Error> {
        let prepared = self.parts.prepared;
        let (voting, alphas): (Vec<Report>, Vec<f64>) =
            rounds.iter().filter_map(|round| Some((round.report.clone(), round.alpha()?))).unzip();
        let mut so_far = Vec::new();
        if let Some(valid) = prepared.valid_set() {
            let targets = valid.targets.select(valid.rows);
            let parts = self.parts.read(&voting, Run::valid_path)?;
            for count in 1..=parts.len() {
                let votes = Predictions::votes(&parts[..count], &alphas[..count])?;
                so_far.push(gyeol_eval::evaluate(&votes, truth(&targets), valid_sources(prepared).as_deref(), 0)?);
            }
            Predictions::votes(&parts, &alphas)?.write(&session.run.run().valid_path(), Form::Predictions)?;
        }
        if prepared.test.is_some() {
            let test = Predictions::votes(&self.parts.read(&voting, Run::test_path)?, &alphas)?;
            test.write(&session.run.run().test_path(), Form::Predictions)?;
        }
        let score = |scored: &Scored| by_name(scored.metrics()).get(prepared.metric.name()).copied().flatten();
        let scored = so_far.last();
        let class_shares = scored.map(class_shares::of).unwrap_or_default();
        if let Some(message) = class_shares::weights_against_accuracy(prepared, &class_shares) {
            session.warn(message)?;
        }
        let told = rounds.iter().enumerate().map(|(at, round)| BoostRound {
            run: round.report.run.clone(),
            error: round.error(),
            alpha: round.alpha(),
            score: round.report.score,
            // One without a vote, the last, changes nothing.
            score_so_far: so_far.get(at).or(scored).and_then(score),
            best_step: round.report.best_step,
        });
        let reports: Vec<Report> = rounds.iter().map(|round| round.report.clone()).collect();
        let test_rows = prepared.test.as_ref().map_or(0, |test| test.rows.len()) as u64;
        let predicted = |report: &Report| report.train_rows + report.valid_rows + test_rows;
        let run = session.run.run();
        Ok(Report {
            score: scored.and_then(score),
            metrics: scored.map(|scored| by_name(scored.metrics())).unwrap_or_default(),
            sources: scored.map(source_scores).unwrap_or_default(),
            class_shares,
            sampled: prepared.sampling.counts.clone(),
            boost: Some(BoostReport { rounds: told.collect(), ended }),
            ..self.parts.report(run, &reports, predicted)?
        })
    }
}
