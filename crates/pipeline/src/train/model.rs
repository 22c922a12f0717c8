//! The model of a run: the weights it starts from, and the directory its own are written to.

use std::path::Path;

use gyeol_engine::config::{Init, TokenStart};
use gyeol_engine::device::Cpu;
use gyeol_engine::hf::{GyeolJson, JointModels, SentenceDirectory, Weights, write_config, write_directory};
use gyeol_engine::{HeadKind, Joint, LoadReport, Model, NewTokens, Trained};

use crate::base::Base;
use crate::prepare::Prepared;
use crate::refit::Refit;
use crate::runs::Run;
use crate::{Error, Watcher};

/// The model with the weights to start from; says what of them is new.
pub(super) fn base_model(
    prepared: &Prepared,
    adapted: Option<&Path>,
    watcher: &mut dyn Watcher,
) -> Result<Joint<Cpu>, Error> {
    watcher.phase("loading weights");
    let (model, reports) = load_base(prepared, adapted)?;
    for (index, (base, report)) in prepared.bases.iter().zip(&reports).enumerate() {
        let of = if reports.len() > 1 { format!("member {index}: ") } else { String::new() };
        // An adapted base has them already.
        let tokens = describe_tokens(&base.new_tokens).filter(|_| adapted.is_none());
        let fit = report.iter().flat_map(|report| describe(report, prepared.outputs()));
        tokens.into_iter().chain(fit).for_each(|text| watcher.note(&format!("{of}{text}")));
    }
    Ok(model)
}

/// A model on the processor with the recipe's starting weights, those in the directory `adapted` if they were adapted, and
/// what each checkpoint lacked.
pub(crate) fn load_base(
    prepared: &Prepared,
    adapted: Option<&Path>,
) -> Result<(Joint<Cpu>, Vec<Option<LoadReport>>), Error> {
    let (mut members, mut reports) = (Vec::new(), Vec::new());
    for (index, base) in prepared.bases.iter().enumerate() {
        let mut model = Model::new(prepared.arithmetic.device(), base.config.clone(), base.head.clone(), true)?;
        model.freeze(base.frozen);
        let seed = member_seed(prepared.recipe.seed, index);
        reports.push(match prepared.recipe.model.init {
            Init::Random if !prepared.starts_from_best() => {
                model.randomise(seed);
                None
            }
            Init::Random | Init::Pretrained => {
                // All of the base first: an adapted model has lost what its masked-LM head has no use for, such as BERT's pooler.
                let weights = starting_weights(prepared, index, base)?;
                let weights = weights.ok_or_else(|| Error::NoWeights(base.dir.clone()))?;
                let report = model.load_with_tokens(&weights, &base.dir, seed, &base.new_tokens)?;
                if let Some(adapted) = adapted {
                    let weights = Weights::open(adapted)?.ok_or_else(|| Error::NoWeights(adapted.to_owned()))?;
                    model.load_encoder(&weights)?;
                }
                Some(report)
            }
        });
        members.push(model);
    }
    Ok((Joint::new(members, prepared.recipe.model.join.unwrap_or_default()), reports))
}

/// The seed of the fresh weights of the base at `index`: the first has the recipe's. With the same, two members of one
/// architecture would start with the same head.
fn member_seed(seed: u64, index: usize) -> u64 {
    if index == 0 { seed } else { xxhash_rust::xxh3::xxh3_64_with_seed(&(index as u64).to_le_bytes(), seed) }
}

/// The weights of a base; of a run that is fitted again from its best those of its head too, wherever they are.
fn starting_weights(prepared: &Prepared, index: usize, base: &Base) -> Result<Option<Weights>, Error> {
    let best = prepared.refit.as_ref().and_then(|refit: &Refit| refit.model(index));
    let whole = best.as_deref().map(SentenceDirectory::read).transpose()?.flatten();
    Ok(match whole {
        Some(modules) => modules.weights()?,
        None => Weights::open(&base.dir)?,
    })
}

/// What a person should know of new tokens.
pub(crate) fn describe_tokens(new: &NewTokens) -> Option<String> {
    let count = new.tokens.len();
    let unknown = new.tokens.iter().filter(|token| token.pieces.is_empty()).count();
    let start = match new.start {
        TokenStart::Random => "at random".to_owned(),
        TokenStart::Mean if unknown == 0 => "at the mean of what they replace".to_owned(),
        TokenStart::Mean => format!(
            "at the mean of what they replace ({unknown} of them at the mean of all, as the tokeniser knows nothing of it)"
        ),
    };
    (count > 0).then(|| format!("new special tokens: {count}; their embeddings start {start}"))
}

/// What a person should know of how the checkpoint fitted.
fn describe(report: &LoadReport, outputs: usize) -> Vec<String> {
    let mut said = Vec::new();
    if !report.initialised.is_empty() {
        said.push(format!("new head: {} are not in the checkpoint and start fresh", report.initialised.join(", ")));
    }
    if let Some((name, shape)) = report.resized.first() {
        said.push(format!("new head: {name} was for {} outputs, this task has {outputs}; it starts fresh", shape[0]));
    }
    if !report.unexpected.is_empty() {
        let some = report.unexpected.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        let more = if report.unexpected.len() > 3 { ", …" } else { "" };
        said.push(format!("unused tensors of the checkpoint: {} ({some}{more})", report.unexpected.len()));
    }
    said
}

/// The model directory of a run: what `transformers`, or else `sentence-transformers`, opens, and what `gyeol predict` needs to
/// know. Members that were trained together are such directories within it.
pub(super) fn write_model(prepared: &Prepared, model: &mut Joint<Cpu>, run: &Run) -> Result<(), Error> {
    let join = model.join();
    write_directory(&run.model_dir(), |staging| -> Result<(), Error> {
        let mut settings = settings(prepared);
        if let ([base], [model]) = (&prepared.bases[..], &mut *model.models_mut()) {
            return write_member(prepared, base, model, &settings, staging);
        }
        let whole = settings.clone();
        settings.set_joint(JointModels { members: prepared.bases.len(), join });
        let directories = settings.member_directories(staging).into_iter().flatten();
        for ((base, model), dir) in prepared.bases.iter().zip(model.models_mut()).zip(directories) {
            std::fs::create_dir_all(&dir).map_err(|source| Error::Io {
                path: dir.clone(),
                action: "create",
                source,
            })?;
            write_member(prepared, base, model, &whole, &dir)?;
        }
        Ok(settings.write(staging)?)
    })
}

/// The checkpoint directory of one model.
fn write_member(
    prepared: &Prepared,
    base: &Base,
    model: &mut Model<Cpu>,
    settings: &GyeolJson,
    dir: &Path,
) -> Result<(), Error> {
    if let HeadKind::Classification { .. } = base.head {
        write_config(dir, &base.config, prepared.problem_type(), &prepared.output_names())?;
        model.save(&dir.join("model.safetensors"))?;
    } else {
        model.save_sentence_transformer(dir, prepared.recipe.model.max_length)?;
    }
    base.tokeniser.save_files(dir)?;
    Ok(settings.write(dir)?)
}

/// What a model trained on `prepared` is to be used with.
fn settings(prepared: &Prepared) -> GyeolJson {
    let data = &prepared.recipe.data;
    let mut settings = GyeolJson::new(prepared.task, data.text.clone(), prepared.recipe.model.max_length);
    settings.id.clone_from(&data.id);
    settings.text_pair.clone_from(&data.text_pair);
    settings.label = Some(data.label.clone());
    settings.labels = prepared.labels.as_ref().map_or_else(Vec::new, |map| map.labels().to_vec());
    settings.label_names.clone_from(&data.label_names);
    settings.set_head(prepared.recipe.head.kind);
    settings.score_range = data.score_range;
    if let Some(buckets) = prepared.score_buckets() {
        settings.set_score_buckets(buckets.clone());
    }
    if let Some(cleaner) = &prepared.cleaner {
        settings.set_cleaner(cleaner.clone());
    }
    settings
}
