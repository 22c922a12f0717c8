//! What each optimiser keeps of past gradients, and where.

use gyeol_kernels::Span;

use crate::config::Optimizer;
use crate::device::Store;
use crate::params::Tensor;

impl Optimizer {
    /// The arenas it keeps beside weights and gradients.
    pub(crate) fn moments(self) -> &'static [Store] {
        match self {
            Self::AdamW => &[Store::FirstMoments, Store::SecondMoments],
            Self::Sgd | Self::Lion => &[Store::FirstMoments],
            Self::Adafactor => &[Store::FactoredMoments],
        }
    }

    /// Numbers in those arenas together, for these tensors.
    pub(crate) fn moments_len<'a>(self, tensors: impl Iterator<Item = &'a Tensor>) -> usize {
        let each = |tensor: &Tensor| match self {
            Self::AdamW => 2 * tensor.span.len,
            Self::Sgd | Self::Lion => tensor.span.len,
            Self::Adafactor => match matrix(tensor) {
                Some((rows, columns)) => rows + columns,
                None => tensor.span.len,
            },
        };
        tensors.map(each).sum()
    }
}

/// Where Adafactor's means of a tensor's squared gradients lie in [`Store::FactoredMoments`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Factored {
    /// The tensor, in the arenas of weights and gradients.
    pub(crate) tensor: Span,
    pub(crate) means: Means,
}

/// Means of squared gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Means {
    /// Of a matrix: over each row and over each column.
    Matrix { rows: Span, columns: Span },
    /// Of a tensor of one dimension: one an element.
    Elements(Span),
}

/// The places of the means of all tensors.
pub(crate) fn factored(tensors: &[Tensor]) -> Vec<Factored> {
    let mut top = 0;
    let mut place = |len| {
        top += len;
        Span::new(top - len, len)
    };
    let of = |tensor: &Tensor| {
        let means = match matrix(tensor) {
            Some((rows, columns)) => Means::Matrix { rows: place(rows), columns: place(columns) },
            None => Means::Elements(place(tensor.span.len)),
        };
        Factored { tensor: tensor.span, means }
    };
    tensors.iter().map(of).collect()
}

/// Rows and columns of a tensor of two dimensions; a model has none of more.
fn matrix(tensor: &Tensor) -> Option<(usize, usize)> {
    match tensor.shape[..] {
        [rows, columns] => Some((rows, columns)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{ParamTable, Role};

    #[test]
    fn each_optimiser_keeps_what_its_update_reads() {
        let mut table = ParamTable::default();
        table.add("a".into(), &[20, 30], Role::Weight);
        table.add("b".into(), &[20], Role::Bias);
        let len = |optimizer: Optimizer| optimizer.moments_len(table.tensors().iter());
        assert_eq!([len(Optimizer::AdamW), len(Optimizer::Sgd), len(Optimizer::Lion)], [1240, 620, 620]);
        assert_eq!(len(Optimizer::Adafactor), 20 + 30 + 20);
        let [a, b] = factored(table.tensors())[..] else { panic!("two tensors") };
        assert_eq!(a.means, Means::Matrix { rows: Span::new(0, 20), columns: Span::new(20, 30) });
        assert_eq!(b, Factored { tensor: Span::new(600, 20), means: Means::Elements(Span::new(50, 20)) });
    }
}
