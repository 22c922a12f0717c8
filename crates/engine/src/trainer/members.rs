//! The weights of a model, or of several trained together, as files of a run hold them: those of several in one file, the names
//! of each beginning with its place among them.

use std::borrow::Cow;
use std::path::Path;

use crate::device::{Device, Store};
use crate::hf::{HfError, WeightPrecision, Weights, write_safetensors};
use crate::model::Model;
use crate::params::Tensor;

/// What is called `name` in the file of one model alone, in that of `count` models where it is of the one at `index`.
pub(super) fn member_name(name: &str, index: usize, count: usize) -> Cow<'_, str> {
    if count == 1 { Cow::Borrowed(name) } else { Cow::Owned(format!("members.{index}.{name}")) }
}

/// Scalars of all models.
pub(super) fn parameters<D: Device>(models: &[Model<D>]) -> usize {
    models.iter().map(|model| model.table().len()).sum()
}

/// Writes the weights of all models to one safetensors file.
pub(super) fn save<D: Device>(models: &mut [Model<D>], path: &Path) -> Result<(), HfError> {
    models.iter_mut().for_each(|model| model.device.settle());
    let (models, count) = (&*models, models.len());
    let tensors: Vec<(Cow<'_, str>, &Tensor, usize)> = models
        .iter()
        .enumerate()
        .flat_map(|(index, model)| {
            model.table().tensors().iter().map(move |tensor| (member_name(&tensor.name, index, count), tensor, index))
        })
        .collect();
    let all: Vec<Cow<'_, [f32]>> = models.iter().map(|model| model.device.download(Store::Weights)).collect();
    let values = |tensor: &Tensor, index: usize| -> &[f32] { &all[index][tensor.span.start..tensor.span.end()] };
    let tensors = tensors.iter().map(|(name, tensor, index)| (&**name, &*tensor.shape, values(tensor, *index)));
    write_safetensors(path, WeightPrecision::F32, tensors)
}

/// Gives all models the weights of a file that [`save`] wrote.
pub(super) fn restore<D: Device>(models: &mut [Model<D>], path: &Path) -> Result<(), HfError> {
    each(models, path, |_, _| {})
}

/// Makes the weights of each model, the mean of those of `checkpoints - 1` files, the mean of `checkpoints`: those and the
/// file `path`.
pub(crate) fn add_to_mean<D: Device>(models: &mut [Model<D>], path: &Path, checkpoints: usize) -> Result<(), HfError> {
    let share = 1.0 / checkpoints as f32;
    each(models, path, |means, values| {
        for (value, mean) in values.iter_mut().zip(means) {
            *value = mean + (*value - mean) * share;
        }
    })
}

/// Replaces every tensor of all models by what `change` makes, of what it is, of its values in the file `path`.
fn each<D: Device>(models: &mut [Model<D>], path: &Path, change: impl Fn(&[f32], &mut [f32])) -> Result<(), HfError> {
    let (weights, count) = (Weights::open_file(path)?, models.len());
    let mut values = Vec::new();
    for (index, model) in models.iter_mut().enumerate() {
        let table = model.table().tensors().to_vec();
        for Tensor { name, shape, span, .. } in &table {
            values.resize(span.len, 0.0);
            weights.read_f32(&member_name(name, index, count), shape, &mut values)?;
            change(&model.device.download(Store::Weights)[span.start..span.end()], &mut values);
            model.device.upload(Store::Weights, *span, &values);
        }
    }
    Ok(())
}
