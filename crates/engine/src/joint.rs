//! Models trained together: each reads a row as its own tokeniser cuts it, and their outputs are joined into the row's, of which
//! the loss is. One model alone is a joint model of one member, to the same bits.
//!
//! How their gradients are clipped and their weights kept is the trainer's (`trainer/members.rs`).

use std::ops::ControlFlow;

use gyeol_data::{Batch, Tokenised};

use crate::config::Join;
use crate::device::{AllocationError, Device};
use crate::kept::KeptRows;
use crate::model::Model;
use crate::pass::DropoutStream;

/// What a [`Trainer`](crate::Trainer) trains: a model, or several that take every step together.
pub trait Trained {
    /// Where they are computed.
    type Device: Device;

    /// The models; never none.
    fn models(&self) -> &[Model<Self::Device>];

    /// The models, to be changed.
    fn models_mut(&mut self) -> &mut [Model<Self::Device>];
}

impl<D: Device> Trained for Model<D> {
    type Device = D;

    fn models(&self) -> &[Model<D>] {
        std::slice::from_ref(self)
    }

    fn models_mut(&mut self) -> &mut [Model<D>] {
        std::slice::from_mut(self)
    }
}

/// Models whose outputs are joined.
#[derive(Debug)]
pub struct Joint<D> {
    members: Vec<Model<D>>,
    join: Join,
}

impl<D: Device> Trained for Joint<D> {
    type Device = D;

    fn models(&self) -> &[Model<D>] {
        &self.members
    }

    fn models_mut(&mut self) -> &mut [Model<D>] {
        &mut self.members
    }
}

impl<D: Device> From<Model<D>> for Joint<D> {
    fn from(model: Model<D>) -> Self {
        Self::new(vec![model], Join::default())
    }
}

impl<D: Device> Joint<D> {
    /// The model of these members.
    ///
    /// # Panics
    /// Without any, if one is a masked language model, or if they have different numbers of outputs.
    pub fn new(members: Vec<Model<D>>, join: Join) -> Self {
        let outputs: Vec<usize> = members.iter().map(Model::outputs).collect();
        assert!(!outputs.is_empty() && outputs.iter().all(|count| *count == outputs[0]), "outputs of {outputs:?}");
        Self { members, join }
    }

    /// The members.
    pub fn into_members(self) -> Vec<Model<D>> {
        self.members
    }

    /// How the members' outputs become those of a row.
    pub fn join(&self) -> Join {
        self.join
    }

    /// Number of outputs a row.
    pub fn outputs(&self) -> usize {
        self.members[0].outputs()
    }

    /// The outputs `[rows, outputs]` of some rows, of which `batches` has those of each member, with dropout; what
    /// [`Joint::backward`] needs is kept. Every member has a dropout stream of its own. Beside the outputs the tokens, of all
    /// members, for which frozen layers had nothing to do, as their outputs were in `kept`.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    pub fn forward(
        &mut self,
        batches: &[Batch],
        kept: &[KeptRows],
        stream: DropoutStream,
    ) -> Result<(Vec<f32>, usize), AllocationError> {
        assert_eq!((batches.len(), kept.len()), (self.members.len(), self.members.len()), "one for each member");
        let (mut joined, mut reused) = (Joined::default(), 0);
        for (index, ((model, batch), kept)) in self.members.iter_mut().zip(batches).zip(kept).enumerate() {
            let (outputs, ready) = model.forward(batch, kept, stream.of_member(index))?;
            joined.add(outputs);
            reused += ready;
        }
        Ok((joined.outputs(self.join), reused))
    }

    /// Adds the gradients of every member's parameters, from that of the outputs of the last [`Joint::forward`].
    ///
    /// # Panics
    /// Without one.
    pub fn backward(&mut self, doutputs: &[f32]) {
        let share: Vec<f32>;
        let doutputs = match self.join {
            Join::Mean if self.members.len() > 1 => {
                let part = 1.0 / self.members.len() as f32;
                share = doutputs.iter().map(|gradient| gradient * part).collect();
                &share
            }
            Join::Mean | Join::Stack => doutputs,
        };
        for (index, model) in self.members.iter_mut().enumerate() {
            model.backward(doutputs);
            // The layer over all features has one bias. Those of the others stay what they are, zero: without a gradient they
            // neither move nor count in the norm.
            if self.join == Join::Stack && index > 0 {
                model.clear_output_bias_gradient();
            }
        }
    }

    /// The outputs `[rows.len(), outputs]` of `rows` in their order, of whose table `tokens` has the tokens of each member; else
    /// as [`Model::predict`].
    ///
    /// # Errors
    /// If a device has no room for a batch.
    ///
    /// # Panics
    /// If `batch_size` is 0.
    pub fn predict(
        &mut self,
        tokens: &[Tokenised],
        rows: &[u32],
        batch_size: usize,
        kept: &[KeptRows],
        mut progress: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, AllocationError> {
        let count = self.members.len();
        assert_eq!((tokens.len(), kept.len()), (count, count), "one for each member");
        let mut joined = Joined::default();
        for (index, ((model, tokens), kept)) in self.members.iter_mut().zip(tokens).zip(kept).enumerate() {
            // A row is done once every member has seen it; until then so far as the share of them that has.
            let progress = |done| progress((index * rows.len() + done) / count);
            let Some(outputs) = model.predict(tokens, rows, batch_size, kept, progress)? else { return Ok(None) };
            joined.add(outputs);
        }
        Ok(Some(joined.outputs(self.join)))
    }
}

/// The outputs of members, added up in their order.
#[derive(Debug, Default)]
struct Joined {
    sum: Vec<f32>,
    members: usize,
}

impl Joined {
    fn add(&mut self, outputs: Vec<f32>) {
        if self.members == 0 {
            self.sum = outputs;
        } else {
            self.sum.iter_mut().zip(outputs).for_each(|(sum, output)| *sum += output);
        }
        self.members += 1;
    }

    fn outputs(mut self, join: Join) -> Vec<f32> {
        if join == Join::Mean && self.members > 1 {
            let share = 1.0 / self.members as f32;
            self.sum.iter_mut().for_each(|sum| *sum *= share);
        }
        self.sum
    }
}
