//! The members' predictions of a table as the ensemble's.

use gyeol_eval::{EvalError, Predictions, ensemble::Aligned};

use super::target::{Ensemble, missing};
use crate::{Error, Watcher};

impl Ensemble {
    /// The ensemble's predictions of what its members predicted, in their order: predictions, or why there are none. Scores are
    /// brought into their range. With `allow_missing`, members without predictions are left out and the weights of the
    /// others renormalised; where none has any, neither has the ensemble.
    ///
    /// # Errors
    /// If a member has no predictions and is not to be left out, or has other rows or labels.
    pub(super) fn combine(
        &self,
        members: Vec<Result<Predictions, String>>,
        allow_missing: bool,
        watcher: &mut dyn Watcher,
    ) -> Result<Result<Predictions, String>, Error> {
        let (mut there, mut gone, mut reason) = (Vec::new(), Vec::new(), None);
        for (at, (member, predictions)) in self.saved.members.iter().zip(members).enumerate() {
            match predictions {
                Ok(predictions) => {
                    let wrong = |problem| EvalError::Member { member: member.name.clone(), problem };
                    let predictions = member.arranged(&predictions, &self.saved.labels).map_err(wrong)?;
                    there.push((member.name.clone(), predictions));
                }
                Err(problem) if !allow_missing => return Err(missing(&self.name, &member.name, &problem)),
                Err(problem) => {
                    watcher.warning(&format!(
                        "ensemble {}: member {} is left out, and the weights of the others are renormalised: {problem}",
                        self.name, member.name
                    ));
                    gone.push(at);
                    reason.get_or_insert(problem);
                }
            }
        }
        let Some((_, first)) = there.first() else {
            let problem = reason.unwrap_or_else(|| "it has none".to_owned());
            return Ok(Err(format!("none of its members can predict: {problem}")));
        };
        let ids = first.ids().to_vec();
        let members: Vec<(String, &Predictions)> =
            there.iter().map(|(name, predictions)| (name.clone(), predictions)).collect();
        let aligned = Aligned::new(&members, &ids)?;
        let saved = &self.saved;
        let outputs = match gone.as_slice() {
            [] => saved.fitted.combine(&aligned)?,
            gone => saved.fitted.without(gone)?.combine(&aligned)?,
        };
        let mut predictions = Predictions::new(first.id_column(), ids, outputs)?;
        if let Some(range) = saved.score_range {
            predictions.clamp_scores(range);
        }
        Ok(Ok(predictions))
    }
}
