//! A parameter as samplers see it.

/// A point of the search: a coordinate from 0 to 1 a dimension, NaN where the dimension is inactive.
pub type Point = Vec<f64>;

/// One parameter that varies.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    /// How its coordinate is to be read.
    pub kind: Kind,
    /// When it is there at all: while all of these hold, so always where there are none.
    pub conditions: Vec<Condition>,
}

/// How a coordinate is to be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A number; the coordinate is its cumulative probability.
    Continuous,
    /// One of `levels` values with an order (numbers of a list, steps of a range), in cells of equal width.
    Ordinal {
        /// How many, at least 2.
        levels: usize,
    },
    /// One of several choices without an order, in cells as wide as they are probable.
    Categorical {
        /// The probability of each, summing to 1; at least 2 choices.
        probabilities: Vec<f64>,
    },
}

/// Holds while another dimension, before the one it is of, is active and has one of some levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The index of the other dimension, [`Kind::Ordinal`] or [`Kind::Categorical`].
    pub dimension: usize,
    /// The levels of it under which the condition holds, in increasing order.
    pub levels: Vec<usize>,
}

impl Condition {
    /// Whether it holds at a point whose inactive coordinates, up to the other dimension at least, are NaN.
    pub fn holds(&self, dimensions: &[Dimension], point: &[f64]) -> bool {
        let coordinate = point[self.dimension];
        let level = dimensions[self.dimension].kind.level(coordinate);
        !coordinate.is_nan() && self.levels.binary_search(&level).is_ok()
    }
}

impl Kind {
    /// How many levels there are; `None` for a continuous dimension.
    pub fn levels(&self) -> Option<usize> {
        match self {
            Self::Continuous => None,
            Self::Ordinal { levels } => Some(*levels),
            Self::Categorical { probabilities } => Some(probabilities.len()),
        }
    }

    /// The level whose cell the coordinate is in; 0 for a continuous dimension.
    pub fn level(&self, coordinate: f64) -> usize {
        match self {
            Self::Continuous => 0,
            Self::Ordinal { levels } => ((coordinate * *levels as f64) as usize).min(levels - 1),
            Self::Categorical { probabilities } => {
                let mut end = 0.0;
                let inside = |probability: &f64| {
                    end += probability;
                    coordinate < end
                };
                // Probabilities that sum to a little less than 1 leave the rest to the last choice that has any.
                let last = probabilities.iter().rposition(|probability| *probability > 0.0).unwrap_or(0);
                probabilities.iter().position(inside).unwrap_or(last)
            }
        }
    }

    /// The middle of a level's cell; a half for a continuous dimension.
    pub fn coordinate(&self, level: usize) -> f64 {
        match self {
            Self::Continuous => 0.5,
            Self::Ordinal { levels } => (level as f64 + 0.5) / *levels as f64,
            Self::Categorical { probabilities } => {
                probabilities[..level].iter().sum::<f64>() + probabilities[level] / 2.0
            }
        }
    }
}

/// Sets the coordinates of inactive dimensions to NaN.
pub fn deactivate(dimensions: &[Dimension], point: &mut [f64]) {
    for (index, dimension) in dimensions.iter().enumerate() {
        if !dimension.conditions.iter().all(|condition| condition.holds(dimensions, point)) {
            point[index] = f64::NAN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_cell_is_in_it() {
        let kinds = [Kind::Ordinal { levels: 7 }, Kind::Categorical { probabilities: vec![0.1, 0.0, 0.6, 0.3] }];
        for kind in kinds {
            for level in (0..kind.levels().unwrap()).filter(|level| kind != kind_with_zero() || *level != 1) {
                assert_eq!(kind.level(kind.coordinate(level)), level, "{kind:?}");
            }
            assert_eq!((kind.level(0.0), kind.level(1.0)), (0, kind.levels().unwrap() - 1));
        }
    }

    fn kind_with_zero() -> Kind {
        Kind::Categorical { probabilities: vec![0.1, 0.0, 0.6, 0.3] }
    }

    #[test]
    fn what_hangs_on_an_inactive_dimension_is_inactive() {
        let on = |dimension| vec![Condition { dimension, levels: vec![1] }];
        let dimensions = [
            Dimension { kind: Kind::Ordinal { levels: 2 }, conditions: Vec::new() },
            Dimension { kind: Kind::Ordinal { levels: 2 }, conditions: on(0) },
            Dimension { kind: Kind::Continuous, conditions: on(1) },
        ];
        let active = |point: [f64; 3]| {
            let mut point = point.to_vec();
            deactivate(&dimensions, &mut point);
            point.iter().map(|coordinate| !coordinate.is_nan()).collect::<Vec<_>>()
        };
        assert_eq!(active([0.9, 0.9, 0.3]), [true, true, true]);
        assert_eq!(active([0.9, 0.1, 0.3]), [true, true, false]);
        assert_eq!(active([0.1, 0.9, 0.3]), [true, false, false]);
    }
}
