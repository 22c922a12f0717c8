//! A recipe's `[loss]` with its task and its training rows known: the engine's [`Loss`], with every number it needs.

use gyeol_data::{LabelMap, Targets, Task};
use gyeol_engine::config::{HeadChoice, LossConfig, LossKind};
use gyeol_engine::{ClassTargets, Loss, ScoreBuckets};

use crate::recipe::{Recipe, check_loss};
use crate::{Error, Watcher, class_weights};

/// The loss of `recipe`, whose kind is filled in; `labels` are the classes, if any, and `targets` those of the rows that train.
/// Class weights are told to the watcher as they come out.
///
/// # Errors
/// If the loss does not fit the task, or its parameters do not fit the loss, the classes or the scores.
pub(crate) fn resolve(
    recipe: &mut Recipe,
    task: Task,
    labels: Option<&LabelMap>,
    targets: &Targets,
    watcher: &mut dyn Watcher,
) -> Result<Loss, Error> {
    let pairs = recipe.head.kind == HeadChoice::BiEncoder;
    let default = if pairs { LossKind::Cosine } else { LossKind::default_for(task) };
    let kind = *recipe.loss.kind.get_or_insert(default);
    let config = &recipe.loss;
    check_loss(config, Some(task)).map_err(|(key, problem)| Error::Setting { key, problem })?;
    let mut class_targets = || -> Result<ClassTargets, Error> {
        let weights = match (labels, targets) {
            (Some(labels), Targets::Classes(classes)) => {
                let names = recipe.data.label_names.as_deref().unwrap_or(labels.labels());
                class_weights::resolve(config, names, classes, watcher)?
            }
            _ => None,
        };
        Ok(ClassTargets { weights, label_smoothing: config.label_smoothing })
    };
    let delta = config.huber_delta;
    Ok(match (kind, task) {
        (LossKind::CrossEntropy, Task::Classification) => Loss::CrossEntropy(class_targets()?),
        (LossKind::CrossEntropy, _) if pairs => {
            let problem =
                "score buckets need an output each, and a bi-encoder has one, the cosine; use cosine, l1 or huber";
            return Err(Error::Setting { key: "loss.kind", problem: problem.to_owned() });
        }
        (LossKind::CrossEntropy, _) => {
            let buckets = buckets(config, recipe.data.score_range, targets)?;
            Loss::Buckets { buckets, label_smoothing: config.label_smoothing }
        }
        (LossKind::Focal, _) => Loss::Focal { gamma: config.gamma, targets: class_targets()? },
        (LossKind::Bce, _) => Loss::Bce,
        (LossKind::L1, _) => Loss::L1,
        (LossKind::L2, _) => Loss::L2,
        (LossKind::Huber, _) => Loss::Huber { delta },
        (LossKind::L1Huber, _) => Loss::L1Huber { delta },
        // Of targets on the scale of the cosine, see `ScoreScale`.
        (LossKind::Cosine, _) if pairs => Loss::L2,
        (LossKind::Cosine, _) => {
            let problem = "cosine compares the embeddings of two texts: it needs head.kind = \"bi-encoder\"".to_owned();
            return Err(Error::Setting { key: "loss.kind", problem });
        }
    })
}

/// The score buckets, evenly over the range of scores. It has to be given: that of the training rows would differ from split
/// to split, so that outputs of two models could not be compared, and no score beyond it could ever be predicted.
fn buckets(config: &LossConfig, range: Option<[f64; 2]>, targets: &Targets) -> Result<ScoreBuckets, Error> {
    if let Some([low, high]) = range {
        let narrow = || {
            let problem = format!("[{low}, {high}] is too narrow or too wide for {} score buckets", config.buckets);
            Error::Setting { key: "data.score_range", problem }
        };
        return ScoreBuckets::evenly([low, high], config.buckets).ok_or_else(narrow);
    }
    let seen = match targets {
        Targets::Scores(scores) if !scores.is_empty() => {
            let (low, high) = scores
                .iter()
                .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &score| (low.min(score), high.max(score)));
            format!("; those of the training rows go from {low} to {high}")
        }
        _ => String::new(),
    };
    let problem = format!(
        "loss.kind = \"cross_entropy\" of regression spreads score buckets over the range of scores, which is not set{seen}; \
         write [lowest, highest]"
    );
    Err(Error::Setting { key: "data.score_range", problem })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gyeol_engine::config::ClassWeights;

    use super::*;

    struct Silent;

    impl Watcher for Silent {
        fn warning(&mut self, _: &str) {}
    }

    fn resolved(loss: &str, data: &str, targets: &Targets) -> Result<Loss, String> {
        let text = format!(
            "[data]\ntrain = \"a.csv\"\ntext = \"t\"\nlabel = \"l\"\n{data}\n[model]\nbase = \"b\"\n[loss]\n{loss}\n"
        );
        let mut recipe = Recipe::parse(Path::new("recipe.toml"), &text, &[]).unwrap();
        let labels = LabelMap::from(["neg", "mid", "pos"].map(str::to_owned).to_vec());
        let (task, labels) = match targets {
            Targets::Scores(_) => (Task::Regression, None),
            _ => (Task::Classification, Some(&labels)),
        };
        let loss = resolve(&mut recipe, task, labels, targets, &mut Silent).map_err(|error| error.to_string())?;
        assert!(recipe.loss.kind.is_some(), "the kind is filled in");
        Ok(loss)
    }

    #[test]
    fn a_recipe_without_loss_has_that_of_its_task() {
        let plain = Loss::CrossEntropy(ClassTargets::default());
        assert_eq!(resolved("", "", &Targets::Classes(vec![0, 1])).unwrap(), plain);
        assert_eq!(resolved("", "", &Targets::Scores(vec![0.5])).unwrap(), Loss::L2);
    }

    #[test]
    fn parameters_reach_their_loss() {
        let classes = Targets::Classes(vec![0, 0, 1, 2]);
        let focal = "kind = \"focal\"\ngamma = 0.5\nlabel_smoothing = 0.1\nclass_weights = [1, 1, 4]";
        let targets = ClassTargets { weights: Some(vec![0.5, 0.5, 2.0]), label_smoothing: 0.1 };
        assert_eq!(resolved(focal, "", &classes).unwrap(), Loss::Focal { gamma: 0.5, targets });
        let scores = Targets::Scores(vec![0.5, 4.0]);
        let huber = resolved("kind = \"l1+huber\"\nhuber_delta = 0.5", "", &scores).unwrap();
        assert_eq!(huber, Loss::L1Huber { delta: 0.5 });
        let over_buckets = resolved("kind = \"cross_entropy\"\nbuckets = 3", "score_range = [0, 5]", &scores).unwrap();
        let buckets = ScoreBuckets::evenly([0.0, 5.0], 3).unwrap();
        assert_eq!(over_buckets, Loss::Buckets { buckets, label_smoothing: 0.0 });
    }

    #[test]
    fn score_buckets_need_their_range_and_cosine_its_head() {
        let scores = Targets::Scores(vec![0.5, 4.0]);
        let error = resolved("kind = \"cross_entropy\"", "", &scores).unwrap_err();
        assert!(error.starts_with("data.score_range: ") && error.contains("go from 0.5 to 4; write"), "{error}");
        let error =
            resolved("kind = \"cross_entropy\"", "score_range = [1.0, 1.0000000000000002]", &scores).unwrap_err();
        assert!(error.contains("too narrow or too wide for 11 score buckets"), "{error}");
        let error = resolved("kind = \"cosine\"", "", &scores).unwrap_err();
        assert!(error.contains("needs head.kind = \"bi-encoder\""), "{error}");
    }

    #[test]
    fn a_recipe_with_every_default_written_out_is_the_same_recipe() {
        let loss = LossConfig { class_weights: ClassWeights::Explicit(vec![1.0, 2.0]), ..LossConfig::default() };
        for loss in [loss, LossConfig::default()] {
            let toml = toml::to_string(&loss).unwrap();
            assert_eq!(toml::from_str::<LossConfig>(&toml).unwrap(), loss);
            let keys = ["gamma", "class_weights", "class_weights_smooth", "label_smoothing", "huber_delta", "buckets"];
            assert!(keys.iter().all(|key| toml.contains(&format!("{key} = "))), "{toml}");
        }
    }
}
