//! A sentence-transformers directory as it is found: which modules, where, and whether they are those that are computed here.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::keys::Keys;
use super::super::write::read_json;
use super::super::{HfError, Weights};
use super::{CONFIG, Dense, ENCODER_CONFIG, MODULES, SentenceTransformer, WHOLE_CONFIG, class, dense_module};
use crate::config::{HeadActivation, Pooling};

/// More features than this are taken for a damaged file, before they are multiplied.
const MAX_WIDTH: usize = 1 << 20;

/// A sentence-transformers directory whose every module is computed here.
#[derive(Debug)]
pub struct SentenceDirectory {
    /// The checkpoint directory of the encoder: configuration, weights, tokenizer.
    pub encoder: PathBuf,
    /// What follows it.
    pub layers: SentenceTransformer,
    /// The directories of the dense layers.
    dense: Vec<PathBuf>,
}

/// An entry of `modules.json`; its name and number are of no use here.
#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    class: String,
}

impl Module {
    /// The class without the package, which differs between releases; `None` for one that is not the library's own.
    fn kind(&self) -> Option<&str> {
        self.class.strip_prefix("sentence_transformers.")?.rsplit('.').next()
    }

    /// Its directory, which has to be `dir` or one in it.
    fn directory(&self, dir: &Path) -> Result<PathBuf, HfError> {
        let mut parts = Path::new(&self.path).components();
        match (parts.next(), parts.next()) {
            (None, _) => Ok(dir.to_owned()),
            (Some(Component::Normal(only)), None) => Ok(dir.join(only)),
            _ => Err(HfError::key(&dir.join(MODULES), "path", format!("{:?} is not a directory beside it", self.path))),
        }
    }
}

/// The modules of `dir`; none where it is not a directory of sentence-transformers, or is one of an encoder alone.
fn modules(dir: &Path) -> Result<Vec<Module>, HfError> {
    let modules: Vec<Module> = read_json(&dir.join(MODULES))?.unwrap_or_default();
    match &modules[..] {
        [only] if only.kind() == Some("Transformer") && only.path.is_empty() => Ok(Vec::new()),
        _ => Ok(modules),
    }
}

impl SentenceDirectory {
    /// Reads the sentence-transformers directory `dir`; `None` when it is not one.
    ///
    /// # Errors
    /// When a file is damaged, when a module is other than Transformer, Pooling, Dense and Normalize in this order, or when
    /// one of them says what is not computed here; all name the file, and the module or key.
    pub fn read(dir: &Path) -> Result<Option<Self>, HfError> {
        let all = modules(dir)?;
        let mut rest = all.iter().peekable();
        let Some(first) = rest.next() else { return Ok(None) };
        let path = dir.join(MODULES);
        let other = |module: &Module, expected: &str| {
            let problem = format!("\"{}\" ({}) is not computed here; {expected}", module.path, module.class);
            Err(HfError::key(&path, "type", problem))
        };
        if first.kind() != Some("Transformer") {
            return other(first, "the first module has to be a Transformer");
        }
        let encoder = first.directory(dir)?;
        let pooling = match rest.next() {
            Some(module) if module.kind() == Some("Pooling") => pooling(&module.directory(dir)?)?,
            Some(module) => return other(module, "a Pooling has to follow the Transformer"),
            None => return Err(HfError::key(&path, "type", "no Pooling follows the Transformer")),
        };
        let (mut layers, mut dense) = (Vec::new(), Vec::new());
        while let Some(module) = rest.next_if(|module| module.kind() == Some("Dense")) {
            let directory = module.directory(dir)?;
            layers.push(dense_layer(&directory)?);
            dense.push(directory);
        }
        // A cosine does not see how long a vector is.
        let normalised = rest.next_if(|module| module.kind() == Some("Normalize")).is_some();
        if let Some(module) = rest.next() {
            return other(module, "Transformer, Pooling, Dense and Normalize are, in this order");
        }
        check_whole(dir, normalised)?;
        let max_length = max_length(&encoder)?;
        Ok(Some(Self { encoder, layers: SentenceTransformer { pooling, dense: layers, max_length }, dense }))
    }

    /// The checkpoint directory of the encoder in `dir`, which is `dir` itself unless it is one of sentence-transformers
    /// with another place for it, and how such a directory pools. What else it holds is of no concern.
    ///
    /// # Errors
    /// When `modules.json` is damaged or does not begin with an encoder.
    pub fn encoder_of(dir: &Path) -> Result<(PathBuf, Option<Pooling>), HfError> {
        let modules = modules(dir)?;
        let Some(first) = modules.first() else { return Ok((dir.to_owned(), None)) };
        if first.kind() != Some("Transformer") {
            let problem = format!("the first module is \"{}\", not a Transformer: there is no encoder", first.class);
            return Err(HfError::key(&dir.join(MODULES), "type", problem));
        }
        let pooling = modules.get(1).filter(|module| module.kind() == Some("Pooling"));
        let pooling = pooling.map(|module| module.directory(dir)).transpose()?;
        // What only predictions need may be missing of a base.
        let pooling = pooling.filter(|pooling| pooling.join(CONFIG).is_file());
        let words = pooling.map(|pooling| pooling_words(&pooling)).transpose()?;
        let known = words.and_then(|words| if let [only] = &words[..] { pooling_of(only) } else { None });
        Ok((first.directory(dir)?, known))
    }

    /// Every tensor: the encoder's, and those of the dense layers under `<module>.linear`, modules named as they are written
    /// here; `None` when the encoder has no weights.
    ///
    /// # Errors
    /// As [`Weights::open`], and when a dense layer has no weights.
    pub fn weights(&self) -> Result<Option<Weights>, HfError> {
        let Some(mut weights) = Weights::open(&self.encoder)? else { return Ok(None) };
        for (index, dir) in self.dense.iter().enumerate() {
            let layer = Weights::open(dir)?.ok_or_else(|| HfError::Missing {
                path: dir.join(super::WEIGHTS),
                hint: format!("{MODULES} says that it is there; copy the whole directory"),
            })?;
            weights.append(&dense_module(index), layer)?;
        }
        Ok(Some(weights))
    }
}

/// A JSON object that has to be there.
fn object(path: &Path) -> Result<Map<String, Value>, HfError> {
    read_json(path)?.ok_or_else(|| HfError::Missing {
        path: path.to_owned(),
        hint: format!("{MODULES} says that it is there; copy the whole directory"),
    })
}

fn pooling_of(word: &str) -> Option<Pooling> {
    match word {
        "cls" => Some(Pooling::Cls),
        "mean" => Some(Pooling::Mean),
        "max" => Some(Pooling::Max),
        _ => None,
    }
}

/// The modes of a pooling module, in the words of today; several are laid end to end.
fn pooling_words(dir: &Path) -> Result<Vec<String>, HfError> {
    let path = dir.join(CONFIG);
    let map = object(&path)?;
    let keys = Keys { path: &path, map: &map };
    match keys.get("pooling_mode") {
        Some(Value::String(word)) => Ok(vec![word.clone()]),
        Some(value) => serde_json::from_value(value.clone())
            .map_err(|_| keys.wrong("pooling_mode", value, "a word such as \"mean\", or a list of them")),
        // Before release 5.5 there was a flag for each mode.
        None => {
            let flags = [
                ("pooling_mode_cls_token", "cls"),
                ("pooling_mode_max_tokens", "max"),
                ("pooling_mode_mean_tokens", "mean"),
                ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
                ("pooling_mode_weightedmean_tokens", "weightedmean"),
                ("pooling_mode_lasttoken", "lasttoken"),
            ];
            let mut words = Vec::new();
            for (flag, word) in flags {
                if keys.flag(flag)? {
                    words.push(word.to_owned());
                }
            }
            Ok(if words.is_empty() { vec!["mean".to_owned()] } else { words })
        }
    }
}

fn pooling(dir: &Path) -> Result<Pooling, HfError> {
    let words = pooling_words(dir)?;
    let known = if let [only] = &words[..] { pooling_of(only) } else { None };
    known.ok_or_else(|| {
        let problem =
            format!("pooling by \"{}\" is not computed here; one of cls, mean, max is", words.join("\" and \""));
        HfError::key(&dir.join(CONFIG), "pooling_mode", problem)
    })
}

fn dense_layer(dir: &Path) -> Result<Dense, HfError> {
    let path = dir.join(CONFIG);
    let map = object(&path)?;
    let keys = Keys { path: &path, map: &map };
    let size = |key: &str| match keys.size(key, 1, 0)? {
        0 => Err(HfError::key(&path, key, "absent; add the width")),
        size if size > MAX_WIDTH => Err(HfError::key(&path, key, format!("{size} is more than {MAX_WIDTH}"))),
        size => Ok(size),
    };
    let (inputs, outputs) = (size("in_features")?, size("out_features")?);
    for (key, wanted) in [("bias", true), ("use_residual", false)] {
        if keys.get(key).is_some() && keys.flag(key)? != wanted {
            return Err(HfError::key(&path, key, format!("{} is not computed here; only {wanted} is", !wanted)));
        }
    }
    let word = keys.text("activation_function")?.unwrap_or(class(Some(HeadActivation::Tanh)));
    let known = [Some(HeadActivation::Tanh), Some(HeadActivation::Gelu), Some(HeadActivation::Relu), None];
    let activation = known.into_iter().find(|&activation| class(activation) == word).ok_or_else(|| {
        let words = known.map(class).join(", ");
        HfError::key(&path, "activation_function", format!("\"{word}\" is none of: {words}"))
    })?;
    Ok(Dense { inputs, outputs, activation })
}

/// Settings of the whole that would make other vectors, or compare them otherwise.
fn check_whole(dir: &Path, normalised: bool) -> Result<(), HfError> {
    let path = dir.join(WHOLE_CONFIG);
    let Some(map) = read_json::<Map<String, Value>>(&path)? else { return Ok(()) };
    let keys = Keys { path: &path, map: &map };
    match keys.text("similarity_fn_name")? {
        None | Some("cosine") => {}
        Some("dot") if normalised => {}
        Some(other) => {
            let problem = format!("\"{other}\" is not computed here; only \"cosine\" is");
            return Err(HfError::key(&path, "similarity_fn_name", problem));
        }
    }
    let prompt = keys.text("default_prompt_name")?.and_then(|name| map.get("prompts")?.get(name)?.as_str());
    match prompt.filter(|prompt| !prompt.is_empty()) {
        Some(prompt) => {
            let problem = format!("texts would begin with {prompt:?}, which is not done here; set it to null");
            Err(HfError::key(&path, "default_prompt_name", problem))
        }
        None => Ok(()),
    }
}

/// The longest sequence, as the encoder's module or else its tokenizer says.
fn max_length(encoder: &Path) -> Result<Option<usize>, HfError> {
    let old = ["roberta", "xlm-roberta", "camembert"].map(|family| format!("sentence_{family}_config.json"));
    for name in std::iter::once(ENCODER_CONFIG).chain(old.iter().map(String::as_str)) {
        let path = encoder.join(name);
        let Some(map) = read_json::<Map<String, Value>>(&path)? else { continue };
        let keys = Keys { path: &path, map: &map };
        if keys.flag("do_lower_case")? {
            let problem = "true is not done here; only the tokenizer's own do_lower_case is";
            return Err(HfError::key(&path, "do_lower_case", problem));
        }
        if keys.get("max_seq_length").is_some() {
            return keys.size("max_seq_length", 1, 0).map(Some);
        }
    }
    let tokenizer: Option<Map<String, Value>> = read_json(&encoder.join("tokenizer_config.json"))?;
    // Where no one knows, transformers writes 1e30, which is no whole number.
    Ok(tokenizer.and_then(|map| map.get("model_max_length")?.as_u64()).and_then(|length| usize::try_from(length).ok()))
}
