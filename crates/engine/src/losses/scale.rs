//! Scores on the scale from 0 to 1, for heads whose output is a cosine.
//!
//! sentence-transformers' `CosineSimilarityLoss` is the squared error of the cosine against such scores. So the loss `cosine`
//! is [`Loss::L2`](super::Loss::L2) of scaled targets, and the other losses of scores train a cosine in the same way.

use gyeol_data::Targets;

/// The line from a range of scores to 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreScale {
    low: f64,
    high: f64,
}

impl ScoreScale {
    /// Takes the lowest and the highest score to 0 and 1.
    ///
    /// # Panics
    /// If the range is empty.
    pub fn new([low, high]: [f64; 2]) -> Self {
        assert!(low < high, "{low} to {high} is no range");
        Self { low, high }
    }

    /// The targets with their scores scaled; classes stay as they are.
    pub fn scaled(self, targets: &Targets) -> Targets {
        match targets {
            Targets::Scores(scores) => Targets::Scores(scores.iter().map(|&score| self.down(score)).collect()),
            other => other.clone(),
        }
    }

    /// The scores that outputs on the small scale stand for; a cosine below 0 is a score below the range.
    pub fn scores(self, outputs: &[f32]) -> Vec<f32> {
        outputs.iter().map(|&output| (self.low + f64::from(output) * (self.high - self.low)) as f32).collect()
    }

    fn down(self, score: f32) -> f32 {
        ((f64::from(score) - self.low) / (self.high - self.low)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range_are_0_and_1_and_outputs_lead_back() {
        let scale = ScoreScale::new([1.0, 5.0]);
        let scores = Targets::Scores(vec![1.0, 5.0, 2.0, 4.5]);
        let scaled = scale.scaled(&scores);
        assert_eq!(scaled, Targets::Scores(vec![0.0, 1.0, 0.25, 0.875]));
        let Targets::Scores(outputs) = scaled else { unreachable!("scores stay scores") };
        assert_eq!(Targets::Scores(scale.scores(&outputs)), scores);
        assert_eq!(scale.scores(&[-1.0]), [-3.0]);
    }
}
