//! A model's parameters in the host's memory: master weights, gradients and moments in arenas of one layout, and the
//! copies that products in bfloat16 read, kept up to date by the optimiser.
//!
//! Three kinds of section get their gradients and updates in different ways. A linear weight's gradient is overwritten by
//! the first product after it was cleared, which also knows its sum of squares; its update waits for the next forward
//! pass, where it runs beside the product of the layer before: one is bound by memory, the other by arithmetic. Of the
//! word table only the rows of a batch have a gradient: the updates of all others wait until they are read; a table that a
//! decoder is tied to has one in every row, and is a linear weight. Everything else, small, is cleared, added to and
//! updated plainly.

use gyeol_kernels::{
    AdafactorStep, AdamSlices, Arena, Kernels, LazyRows, Linear, LinearGradient, Operands, PackedWeight, RowSlices,
    Span, Weight,
};

use super::super::{AllocationError, ElementStep, Exactness, Layout, LinearParams, OptimiserStep, Param, Store};
use super::moments::Moments;
use crate::config::Optimizer;
use crate::optim::Means;
use crate::params::Tensor;

/// An arena of `len` zeros for `what`.
pub(super) fn arena<T: gyeol_kernels::Word>(what: &'static str, len: usize) -> Result<Arena<T>, AllocationError> {
    Arena::zeros(len).map_err(|source| AllocationError { what, bytes: len.saturating_mul(size_of::<T>()), source })
}

#[derive(Debug)]
pub(super) struct Parameters {
    operands: Operands,
    weights: Arena,
    gradients: Arena,
    moments: Moments,
    /// Empty where no average is kept.
    average: Arena,
    linears: Vec<LinearState>,
    /// The linear layer whose weight is the word table, if there is one.
    tied: Option<usize>,
    /// The arenas cut into linear weights and what lies between.
    sections: Vec<Section>,
    forward: Arena<u32>,
    backward: Arena<u32>,
    /// The copies that inference alone reads, in training; their memory is only occupied once they are made.
    inference: Arena<u32>,
    /// Whether the pass is one of inference.
    infers: bool,
    /// Which rows of the word table await updates; only in training.
    words: Option<LazyRows>,
    words_span: Span,
    /// Whether the packed copies are those of the weights.
    packed_current: bool,
}

/// What is known of a linear layer beside its parameters.
#[derive(Debug)]
struct LinearState {
    params: LinearParams,
    /// Its copies in the packed arenas, where it is computed in bfloat16.
    packed: Option<PackedSpans>,
    /// Whether its copy for inference is that of the weight.
    inference_current: bool,
    /// Whether its gradient was written since the gradients were cleared; what the arena holds otherwise is stale.
    written: bool,
    /// Σ of the squares of its weight's gradient.
    squares: f64,
    /// The update of its weight that waits; its gradient is the one in the arena until then.
    waiting: Option<ElementStep>,
}

#[derive(Debug, Clone, Copy, Default)]
struct PackedSpans {
    forward: Span,
    backward: Span,
    /// Empty where inference reads the forward order too.
    inference: Span,
}

impl PackedSpans {
    /// What products of training read.
    fn views<'a>(self, forward: &'a Arena<u32>, backward: &'a Arena<u32>) -> PackedWeight<'a> {
        PackedWeight { forward: forward.view(self.forward), backward: backward.view(self.backward) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Section {
    span: Span,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The weight of the linear layer of this index.
    Linear(usize),
    /// The word table.
    Words,
    /// What lies between.
    Plain,
}

/// The arenas cut at the word table and the weights of the linear layers.
fn sections(layout: Layout<'_>) -> Vec<Section> {
    let tied = tied(layout);
    let words = Section { span: layout.embeddings.words.0, kind: tied.map_or(Kind::Words, Kind::Linear) };
    let others = layout.linears.iter().filter(|p| tied != Some(p.index));
    let linears = others.map(|p| Section { span: p.weight.0, kind: Kind::Linear(p.index) });
    let mut sections: Vec<Section> = Vec::new();
    let mut at = 0;
    for section in std::iter::once(words).chain(linears) {
        let between = Span::new(at, section.span.start - at);
        sections.extend((between.len > 0).then_some(Section { span: between, kind: Kind::Plain }));
        at = section.span.end();
        sections.push(section);
    }
    sections.extend((at < layout.len).then_some(Section { span: Span::new(at, layout.len - at), kind: Kind::Plain }));
    sections
}

/// The linear layer whose weight is the word table.
fn tied(layout: Layout<'_>) -> Option<usize> {
    layout.linears.iter().find(|p| p.weight == layout.embeddings.words).map(|p| p.index)
}

impl Parameters {
    pub(super) fn new(operands: Operands) -> Self {
        let empty = || Arena::zeros(0).expect("nothing always fits");
        Self {
            operands,
            weights: empty(),
            gradients: empty(),
            moments: Moments::none(),
            average: empty(),
            linears: Vec::new(),
            tied: None,
            sections: Vec::new(),
            forward: Arena::zeros(0).expect("nothing always fits"),
            backward: Arena::zeros(0).expect("nothing always fits"),
            inference: Arena::zeros(0).expect("nothing always fits"),
            infers: false,
            words: None,
            words_span: Span::default(),
            packed_current: false,
        }
    }

    pub(super) fn allocate(&mut self, layout: Layout<'_>, training: bool) -> Result<(), AllocationError> {
        let mut ends = [0; 3];
        self.linears.clear();
        for &params in layout.linears {
            let packed = self.packs(&params).then(|| {
                let words = packed_words(params.shape, training);
                let [forward, backward, inference] = std::array::from_fn(|i| Span::new(ends[i], words[i]));
                ends = std::array::from_fn(|i| ends[i] + words[i]);
                PackedSpans { forward, backward, inference }
            });
            let state =
                LinearState { params, packed, inference_current: false, written: false, squares: 0.0, waiting: None };
            self.linears.push(state);
        }
        let [forward, backward, inference] = ends;
        self.sections = sections(layout);
        self.tied = tied(layout);
        self.words_span = layout.embeddings.words.0;
        let width = layout.embeddings.width;
        self.words = (training && self.tied.is_none()).then(|| LazyRows::new(self.words_span.len / width, width));
        let extra = if training { layout.len } else { 0 };
        self.weights = arena("the weights", layout.len)?;
        self.gradients = arena("the gradients", extra)?;
        self.forward = arena("the packed weights", forward)?;
        self.backward = arena("the packed weights", backward)?;
        self.inference = arena("the packed weights", inference)?;
        self.infers = !training;
        self.packed_current = false;
        Ok(())
    }

    pub(super) fn allocate_average(&mut self) -> Result<(), AllocationError> {
        self.average = arena("the average of the weights", self.weights.len())?;
        Ok(())
    }

    /// Moves the average towards the weights.
    pub(super) fn average<K: Kernels>(&mut self, kernels: &K, decay: f64) {
        self.settle(kernels);
        kernels.average(decay, self.weights.as_slice(), self.average.as_mut_slice());
    }

    /// Exchanges the weights and their average.
    pub(super) fn swap_average<K: Kernels>(&mut self, kernels: &K) {
        self.settle(kernels);
        std::mem::swap(&mut self.weights, &mut self.average);
        self.all_changed();
    }

    pub(super) fn allocate_moments(&mut self, tensors: &[Tensor], optimizer: Optimizer) -> Result<(), AllocationError> {
        // The old ones are given back first: both at once may not fit.
        self.moments = Moments::none();
        self.moments = Moments::allocate(tensors, optimizer)?;
        Ok(())
    }

    pub(super) fn packed_bytes(&self, linears: &[LinearParams]) -> usize {
        let packed = linears.iter().filter(|params| self.packs(params));
        packed.map(|params| packed_words(params.shape, true).iter().sum::<usize>() * size_of::<u32>()).sum()
    }

    /// Words of all packed arenas.
    #[cfg(test)]
    pub(super) fn packed_words(&self) -> usize {
        self.forward.len() + self.backward.len() + self.inference.len()
    }

    /// Whether the operands of products are rounded.
    pub(super) fn rounds(&self) -> bool {
        self.operands == Operands::Bf16
    }

    /// Whether products read copies of the layer's weight.
    fn packs(&self, params: &LinearParams) -> bool {
        self.rounds() && params.exactness == Exactness::Device
    }

    pub(super) fn store(&self, store: Store) -> &Arena {
        match store {
            Store::Weights => &self.weights,
            Store::Gradients => &self.gradients,
            Store::FirstMoments => &self.moments.first,
            Store::SecondMoments => &self.moments.second,
            Store::FactoredMoments => &self.moments.means,
            Store::Average => &self.average,
        }
    }

    pub(super) fn upload<K: Kernels>(&mut self, kernels: &K, store: Store, part: Span, values: &[f32]) {
        // An update that waited would otherwise fall on the new values.
        self.settle(kernels);
        let arena = match store {
            Store::Weights => &mut self.weights,
            Store::Gradients => &mut self.gradients,
            Store::FirstMoments => &mut self.moments.first,
            Store::SecondMoments => &mut self.moments.second,
            Store::FactoredMoments => &mut self.moments.means,
            Store::Average => &mut self.average,
        };
        arena.view_mut(part).copy_from_slice(values);
        if store == Store::Weights {
            self.all_changed();
        }
    }

    /// Notes that no packed copy is that of its weight any more.
    fn all_changed(&mut self) {
        self.packed_current = false;
        self.linears.iter_mut().for_each(|linear| linear.inference_current = false);
    }

    /// Makes up for the updates that wait.
    pub(super) fn settle<K: Kernels>(&mut self, kernels: &K) {
        self.catch_up(kernels, None);
        for linear in 0..self.linears.len() {
            self.apply_waiting(kernels, linear);
        }
    }

    /// Makes up for the update of a linear weight, if it waits.
    fn apply_waiting<K: Kernels>(&mut self, kernels: &K, linear: usize) {
        if let Some(update) = self.split([Span::default(); 2], PackedSpans::default(), linear).2 {
            update.apply(kernels);
        }
    }

    /// Views of what is read, and the update of the linear weight of another layer, if there is one and it waits.
    fn split(
        &mut self,
        read: [Span; 2],
        packed: PackedSpans,
        linear: usize,
    ) -> ([&[f32]; 2], PackedWeight<'_>, Option<Waiting<'_>>) {
        let waiting = self.linears.get_mut(linear).and_then(|linear| Some((linear.waiting.take()?, linear)));
        let weight = waiting.as_ref().map_or(Span::default(), |(_, linear)| linear.params.weight.0);
        let written = waiting.as_ref().and_then(|(_, linear)| linear.packed).unwrap_or_default();
        let (read, [weights]) = self.weights.views(read, [weight]);
        let ([forward], [forward_written]) = self.forward.views([packed.forward], [written.forward]);
        let ([backward], [backward_written]) = self.backward.views([packed.backward], [written.backward]);
        let [first, second] = self.moments.views(weight);
        let update = waiting.map(|(step, linear)| Waiting {
            step,
            shape: linear.params.shape,
            state: AdamSlices { weights, gradients: self.gradients.view(weight), first, second },
            packed: linear.packed.is_some().then_some([forward_written, backward_written]),
        });
        (read, PackedWeight { forward, backward }, update)
    }

    /// Makes the parameters what a pass over the tokens `words` reads.
    pub(super) fn prepare<K: Kernels>(&mut self, kernels: &K, words: &[u32], training: bool) {
        self.infers = !training;
        self.catch_up(kernels, Some(words));
        // The embeddings read a tied table before the product that it would otherwise be updated beside.
        if let Some(tied) = self.tied {
            self.apply_waiting(kernels, tied);
        }
        self.pack(kernels);
    }

    /// Makes the packed copies those of the weights, and those for inference the ones that passes read.
    pub(super) fn pack_for_inference<K: Kernels>(&mut self, kernels: &K) {
        self.infers = true;
        self.pack(kernels);
        for linear in 0..self.linears.len() {
            self.pack_linear_for_inference(kernels, linear);
        }
    }

    fn pack_linear_for_inference<K: Kernels>(&mut self, kernels: &K, linear: usize) {
        let LinearState { params, packed: Some(packed), inference_current, .. } = &mut self.linears[linear] else {
            return;
        };
        if packed.inference.len > 0 && !std::mem::replace(inference_current, true) {
            let weight = self.weights.view(params.weight.0);
            kernels.pack(params.shape, weight, self.inference.view_mut(packed.inference), &mut []);
        }
    }

    /// Makes the packed copies those of the weights.
    fn pack<K: Kernels>(&mut self, kernels: &K) {
        if self.packed_current {
            return;
        }
        for linear in &self.linears {
            if let Some(packed) = linear.packed {
                let forward = self.forward.view_mut(packed.forward);
                let weight = self.weights.view(linear.params.weight.0);
                kernels.pack(linear.params.shape, weight, forward, self.backward.view_mut(packed.backward));
            }
        }
        self.packed_current = true;
    }

    fn catch_up<K: Kernels>(&mut self, kernels: &K, ids: Option<&[u32]>) {
        if let Some(rows) = &mut self.words {
            self.moments.catch_up(kernels, rows, ids, &mut self.weights, self.words_span);
        }
    }

    pub(super) fn weights(&self, param: Param) -> &[f32] {
        self.weights.view(param.0)
    }

    /// The weight of a layer as the last forward pass read it.
    pub(super) fn weight(&self, p: &LinearParams) -> Weight<'_> {
        let packed = self.linears[p.index].packed.map(|spans| self.packed(spans));
        Weight { values: self.weights.view(p.weight.0), packed }
    }

    /// The copies that products of this pass read.
    fn packed(&self, spans: PackedSpans) -> PackedWeight<'_> {
        match (self.infers, spans.inference.len) {
            (false, _) => spans.views(&self.forward, &self.backward),
            (true, 0) => PackedWeight { forward: self.forward.view(spans.forward), backward: &[] },
            (true, _) => PackedWeight { forward: self.inference.view(spans.inference), backward: &[] },
        }
    }

    /// Weight and bias of a layer for the forward pass, and the update of the weight of the layer after it, if it waits:
    /// the caller applies it beside the product.
    pub(super) fn read<K: Kernels>(
        &mut self,
        kernels: &K,
        p: &LinearParams,
    ) -> (Weight<'_>, &[f32], Option<Waiting<'_>>) {
        self.apply_waiting(kernels, p.index);
        if self.infers {
            self.pack_linear_for_inference(kernels, p.index);
            return (self.weight(p), self.weights(p.bias), None);
        }
        let packed = self.linears[p.index].packed;
        let ([values, bias], copies, next) =
            self.split([p.weight.0, p.bias.0], packed.unwrap_or_default(), p.index + 1);
        (Weight { values, packed: packed.map(|_| copies) }, bias, next)
    }

    /// Notes that the gradients of these rows of the word table are to be added to. Those of a tied table were written by the
    /// decoder's product, which comes first in a backward pass.
    pub(super) fn touch(&mut self, words: &[u32]) {
        if let Some(rows) = &mut self.words {
            rows.touch(words);
        }
    }

    /// Exclusive views of gradients.
    pub(super) fn gradients<const N: usize>(&mut self, params: [Param; N]) -> [&mut [f32]; N] {
        self.gradients.views([], params.map(|param| param.0)).1
    }

    /// A weight with exclusive views of gradients.
    pub(super) fn weights_and_gradients<const N: usize>(
        &mut self,
        weight: Param,
        gradients: [Param; N],
    ) -> (&[f32], [&mut [f32]; N]) {
        (self.weights.view(weight.0), self.gradients.views([], gradients.map(|param| param.0)).1)
    }

    /// Has `compute` write the gradient of a linear layer, given its weight and bias; it returns the sum of the squares of
    /// the weight's.
    pub(super) fn linear_gradient(
        &mut self,
        p: &LinearParams,
        compute: impl FnOnce(Weight<'_>, &[f32], LinearGradient<'_>) -> f64,
    ) {
        let LinearState { packed, waiting, written, squares, .. } = &mut self.linears[p.index];
        assert!(waiting.is_none(), "a forward pass comes between an update and the next gradient");
        let packed = packed.map(|spans| spans.views(&self.forward, &self.backward));
        let values = Weight { values: self.weights.view(p.weight.0), packed };
        let ([], [weight, bias]) = self.gradients.views([], [p.weight.0, p.bias.0]);
        let gradient = LinearGradient { weight, bias, accumulate: *written };
        *squares = compute(values, self.weights.view(p.bias.0), gradient);
        *written = true;
    }

    pub(super) fn zero_gradients<K: Kernels>(&mut self, kernels: &K) {
        for section in &self.sections {
            match (section.kind, &mut self.words) {
                (Kind::Linear(linear), _) => self.linears[linear].written = false,
                (Kind::Words, Some(rows)) => rows.zero_gradients(self.gradients.view_mut(section.span)),
                _ => kernels.zero(self.gradients.view_mut(section.span)),
            }
        }
    }

    pub(super) fn gradient_squares<K: Kernels>(&self, kernels: &K) -> f64 {
        let squares = |section: &Section| {
            let gradients = self.gradients.view(section.span);
            match (section.kind, &self.words) {
                // To what the product left of a tied table the embeddings have added.
                (Kind::Linear(linear), _) if self.tied != Some(linear) => self.linears[linear].squares,
                (Kind::Words, Some(rows)) => kernels.sum_of_squares_rows(rows, gradients),
                _ => kernels.sum_of_squares(gradients),
            }
        };
        self.sections.iter().map(squares).sum()
    }

    /// One step of the optimiser over `part`, which cuts no tensor, no linear weight and not the word table in two.
    pub(super) fn update<K: Kernels>(&mut self, kernels: &K, step: OptimiserStep, part: Span) {
        match step {
            OptimiserStep::Element(step) => self.update_elements(kernels, step, part),
            OptimiserStep::Tensor(step) => self.update_tensors(kernels, step, part),
        }
    }

    /// That of a linear weight waits until it is next read; AdamW's of the word table row by row.
    fn update_elements<K: Kernels>(&mut self, kernels: &K, step: ElementStep, part: Span) {
        for section in &self.sections {
            let start = section.span.start.max(part.start);
            let span = Span::new(start, section.span.end().min(part.end()).saturating_sub(start));
            if span.len == 0 {
                continue;
            }
            let [first, second] = self.moments.views(span);
            match (section.kind, step, &mut self.words) {
                (Kind::Linear(linear), ..) => {
                    assert_eq!(span, section.span, "a weight is updated whole");
                    assert!(self.linears[linear].written, "an update follows a backward pass");
                    self.linears[linear].waiting = Some(step);
                    self.linears[linear].inference_current = false;
                }
                (Kind::Words, ElementStep::AdamW(step), Some(rows)) => {
                    assert_eq!(span, section.span, "a table is updated whole");
                    let table = RowSlices { weights: self.weights.view_mut(span), first, second };
                    kernels.adamw_rows(step, rows, table, self.gradients.view_mut(span));
                }
                _ => {
                    let (weights, gradients) = (self.weights.view_mut(span), self.gradients.view(span));
                    apply(kernels, step, AdamSlices { weights, gradients, first, second });
                }
            }
        }
    }

    /// At once: the packed copies are made anew before the next pass.
    fn update_tensors<K: Kernels>(&mut self, kernels: &K, step: AdafactorStep, part: Span) {
        let inside = |span: Span| part.start <= span.start && span.end() <= part.end();
        let read = self.linears.iter().filter(|linear| inside(linear.params.weight.0));
        assert!(read.into_iter().all(|linear| linear.written), "an update follows a backward pass");
        for place in self.moments.places.iter().filter(|place| inside(place.tensor)) {
            let (weights, gradients) = (self.weights.view_mut(place.tensor), self.gradients.view(place.tensor));
            match place.means {
                Means::Matrix { rows, columns } => {
                    let ([], [rows, columns]) = self.moments.means.views([], [rows, columns]);
                    kernels.adafactor_matrix(step, weights, gradients, rows, columns);
                }
                Means::Elements(means) => {
                    kernels.adafactor(step, weights, gradients, self.moments.means.view_mut(means));
                }
            }
        }
        self.all_changed();
    }
}

/// Words of the packed copies of a weight: forward, backward, and for inference beside training.
fn packed_words(shape: Linear, training: bool) -> [usize; 3] {
    match (training, shape.inference_words() == shape.forward_words()) {
        (true, true) => [shape.forward_words(), shape.backward_words(), 0],
        (true, false) => [shape.forward_words(), shape.backward_words(), shape.inference_words()],
        (false, _) => [shape.inference_words(), 0, 0],
    }
}

/// An update of a linear weight that waited, with all it reads and writes.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    step: ElementStep,
    shape: Linear,
    state: AdamSlices<'a>,
    /// The copies in both orders, where it is computed in bfloat16.
    packed: Option<[&'a mut [u32]; 2]>,
}

impl Waiting<'_> {
    pub(super) fn apply<K: Kernels>(self, kernels: &K) {
        let Self { step, shape, mut state, packed } = self;
        match (step, packed) {
            (ElementStep::AdamW(step), Some([forward, backward])) => {
                kernels.adamw_packed(step, shape, state, forward, backward);
            }
            (step, None) => apply(kernels, step, state),
            (step, Some([forward, backward])) => {
                apply(kernels, step, state.reborrow());
                kernels.pack(shape, state.weights, forward, backward);
            }
        }
    }
}

/// One step over equally long slices; moments that the optimiser does not keep are empty.
fn apply<K: Kernels>(kernels: &K, step: ElementStep, state: AdamSlices<'_>) {
    let AdamSlices { weights, gradients, first, second } = state;
    match step {
        ElementStep::AdamW(step) => kernels.adamw(step, weights, gradients, first, second),
        ElementStep::Sgd(step) => kernels.sgd(step, weights, gradients, first),
        ElementStep::Lion(step) => kernels.lion(step, weights, gradients, first),
    }
}
