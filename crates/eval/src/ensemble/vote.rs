//! Hard voting: every member votes for what it holds most likely, however sure it is.

use super::Aligned;
use crate::{
    Task,
    predictions::{GIVEN_FROM, argmax},
};

/// Shares of votes as probabilities, and how many decisions were ties.
pub(super) struct Counted {
    /// Row-major `[rows, classes]`.
    pub(super) shares: Vec<f32>,
    /// Rows whose most voted classes have equal votes; of label sets, rows and labels with as many votes for as against.
    pub(super) ties: usize,
}

/// Counts the members' votes, each of its weight.
///
/// A tie goes to the class with the larger mean probability among the tied, the first column where even that is equal; of label
/// sets, the label is given if its mean probability is at least one half. The winner of a tie is lifted above its equals by
/// the smallest step of single precision, so that it is also the most probable class of the result; a label that is not given
/// is one such step below one half.
pub(super) fn count(members: &Aligned, weights: &[f64]) -> Counted {
    let width = members.width();
    let mut counted = Counted { shares: Vec::with_capacity(members.rows() * width), ties: 0 };
    for row in 0..members.rows() {
        let of_row = row * width..(row + 1) * width;
        let voters = members.all().iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
        let voters: Vec<(&[f32], f64)> = voters.map(|(values, &weight)| (&values[of_row.clone()], weight)).collect();
        match members.task() {
            Task::MultiLabel => labels(&voters, width, &mut counted),
            Task::Classification | Task::Regression => classes(&voters, width, &mut counted),
        }
    }
    counted
}

fn classes(voters: &[(&[f32], f64)], width: usize, counted: &mut Counted) {
    let mut votes = vec![0f64; width];
    voters.iter().for_each(|(row, weight)| votes[argmax(row)] += weight);
    let most = votes.iter().copied().fold(0.0, f64::max);
    let all: f64 = votes.iter().sum();
    let tied: Vec<usize> = (0..width).filter(|&class| votes[class] == most).collect();
    let start = counted.shares.len();
    counted.shares.extend(votes.iter().map(|vote| (vote / all) as f32));
    if let [first, others @ ..] = tied.as_slice()
        && !others.is_empty()
    {
        let likelier =
            |best: usize, &class: &usize| if mean(voters, class) > mean(voters, best) { class } else { best };
        let winner = &mut counted.shares[start + others.iter().fold(*first, likelier)];
        *winner = winner.next_up();
        counted.ties += 1;
    }
}

fn labels(voters: &[(&[f32], f64)], width: usize, counted: &mut Counted) {
    for label in 0..width {
        let (mut given, mut not) = (0.0, 0.0);
        for (row, weight) in voters {
            *(if row[label] >= GIVEN_FROM { &mut given } else { &mut not }) += weight;
        }
        counted.ties += usize::from(given == not);
        let wins = given > not || given == not && mean(voters, label) >= f64::from(GIVEN_FROM);
        let share = (given / (given + not)) as f32;
        counted.shares.push(if wins { share.max(GIVEN_FROM) } else { share.min(GIVEN_FROM.next_down()) });
    }
}

/// The mean probability of a class.
fn mean(voters: &[(&[f32], f64)], class: usize) -> f64 {
    voters.iter().map(|(row, weight)| weight * f64::from(row[class])).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outputs, Predictions};

    fn members(task: Task, rows: &[&[f32]], classes: usize) -> Aligned {
        let predictions: Vec<(String, Predictions)> = rows
            .iter()
            .enumerate()
            .map(|(member, values)| {
                let labels = (0..classes).map(|class| class.to_string()).collect();
                let outputs = Outputs::Probabilities { labels, values: values.to_vec() };
                let outputs = if task == Task::MultiLabel { outputs.independent() } else { outputs };
                let ids = (0..outputs.rows()).map(|row| row.to_string()).collect();
                (format!("m{member}"), Predictions::new("id", ids, outputs).unwrap())
            })
            .collect();
        let named: Vec<_> = predictions.iter().map(|(name, predictions)| (name.clone(), predictions)).collect();
        Aligned::new(&named, predictions[0].1.ids()).unwrap()
    }

    #[test]
    fn the_class_most_members_hold_likeliest_wins_however_sure_the_others_are() {
        let members = members(Task::Classification, &[&[0.6, 0.4], &[0.6, 0.4], &[0.0, 1.0]], 2);
        let counted = count(&members, &[1.0 / 3.0; 3]);
        assert_eq!((counted.shares, counted.ties), (vec![2.0 / 3.0, 1.0 / 3.0], 0));
    }

    #[test]
    fn a_tie_goes_to_the_likelier_of_the_tied_and_the_result_says_so() {
        // The third class is the likeliest in the mean, but nobody's first choice.
        let members = members(Task::Classification, &[&[0.5, 0.04, 0.46], &[0.0, 0.53, 0.47]], 3);
        let counted = count(&members, &[0.5, 0.5]);
        assert_eq!(argmax(&counted.shares), 1);
        assert_eq!((counted.shares, counted.ties), (vec![0.5, 0.5f32.next_up(), 0.0], 1));
    }

    #[test]
    fn a_tied_label_is_given_from_a_mean_probability_of_one_half() {
        let members = members(Task::MultiLabel, &[&[0.9, 0.6, 0.9], &[0.2, 0.3, 0.8]], 3);
        let counted = count(&members, &[0.5, 0.5]);
        assert_eq!((counted.shares, counted.ties), (vec![0.5, 0.5f32.next_down(), 1.0], 2));
    }
}
