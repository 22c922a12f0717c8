//! What can be wrong with a space.

/// A space that cannot be: which parameter, and why. The user can mend each.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}{problem}", parameter.as_deref().map(|name| format!("{name}: ")).unwrap_or_default())]
pub struct SpaceError {
    /// The name of the parameter; absent where the space as a whole is wrong.
    pub parameter: Option<String>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a space or with one of its parameters.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is no parameter.
    #[error("a search needs at least one parameter")]
    Empty,
    /// There are more parameters than anything can search.
    #[error("{0} parameters are too many to search; at most {max} can be", max = super::MAX_PARAMETERS)]
    TooManyParameters(usize),
    /// Conditions over so many parameters that the assignments cannot be counted.
    #[error("too many parameters hang together by `when`; condition them on fewer others")]
    Entangled,
    /// Two parameters have the same name.
    #[error("is there twice; keep one")]
    NameTwice,
    /// The bounds leave nothing between them.
    #[error("min {min} is not less than max {max}")]
    Bounds {
        /// The lower one.
        min: f64,
        /// The upper one.
        max: f64,
    },
    /// A logarithm of a number that has none.
    #[error("min {0} must be above 0, as the distribution is of logarithms")]
    NoLogarithm(f64),
    /// A number of the distribution that has to be positive.
    #[error("{key} {value} must be above 0")]
    NotPositive {
        /// Its key in a sweep file.
        key: &'static str,
        /// The number.
        value: f64,
    },
    /// Bounds or shapes that are infinite, no numbers, or lead to such.
    #[error("its values are too large for a number; choose other bounds")]
    TooLarge,
    /// A step without a multiple between the bounds.
    #[error("no multiple of q {0} lies within the bounds")]
    NoMultiple(f64),
    /// A step so small that multiples cannot be told apart.
    #[error("q {0} is too small for these bounds")]
    TooFine(f64),
    /// A choice between nothing.
    #[error("values is an empty list")]
    NoValues,
    /// A choice between more than anything can search.
    #[error("{0} values are too many to choose from; at most {max} can be", max = super::MAX_VALUES)]
    TooManyValues(usize),
    /// The same value twice in a list.
    #[error("the value {0} is there twice; to make it likelier, keep one and give probabilities")]
    ValueTwice(String),
    /// Not one probability a value.
    #[error("{values} values, but {probabilities} probabilities")]
    ProbabilityCount {
        /// How many values.
        values: usize,
        /// How many probabilities.
        probabilities: usize,
    },
    /// A probability below 0, or not a number.
    #[error("{0} is not a probability")]
    Probability(f64),
    /// Probabilities that do not add up.
    #[error("probabilities sum to {0}, not to 1")]
    ProbabilitySum(f64),
    /// A condition on a parameter there is not.
    #[error("when: there is no parameter \"{name}\"{}", crate::nearest::did_you_mean(suggestion.as_deref()))]
    UnknownParent {
        /// The name given.
        name: String,
        /// The nearest that there is.
        suggestion: Option<String>,
    },
    /// A condition on a parameter that has no list of values.
    #[error(
        "when: \"{0}\" has no list of values; a condition needs a choice, or steps of equal probability, up to 1,000"
    )]
    ParentNotFinite(String),
    /// A condition on a value that the other parameter never has.
    #[error("when: {value} is no value that \"{parent}\" can have")]
    NeverHolds {
        /// The other parameter.
        parent: String,
        /// The value.
        value: String,
    },
    /// A condition without values.
    #[error("when: no values of \"{0}\" are given")]
    NoConditionValues(String),
    /// The same other parameter twice in a condition.
    #[error("when: \"{0}\" is there twice; give its values as one list")]
    ParentTwice(String),
    /// Conditions that lead back to where they began.
    #[error("when: is there only under a condition on itself ({0})")]
    Cycle(String),
}
