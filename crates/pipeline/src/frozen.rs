//! How much memory may be taken by what frozen layers put out, which is kept from one epoch to the next.

use gyeol_engine::{FineTuning, KeptRows, TrainSet};

use crate::Watcher;
use crate::memory::Fit;
use crate::prepare::Prepared;

/// The share of the memory that the run leaves free which may be taken: the rest is for whatever else the machine does.
const SHARE: f64 = 0.5;

/// Where the system does not tell how much is free: this many bytes.
const UNKNOWN: u64 = 1 << 30;

/// What `prepared` trains, with room for what its frozen layers put out.
pub(crate) fn fine_tuning<'a>(prepared: &'a Prepared, fit: &Fit, watcher: &mut dyn Watcher) -> FineTuning<'a> {
    let (train, valid) = (prepared.train_set(), prepared.valid_set());
    let mut objective = FineTuning {
        loss: &prepared.loss,
        train,
        row_weights: prepared.row_weights.as_deref(),
        balance: prepared.sampling.balance.as_ref(),
        valid,
        kept: KeptRows::default(),
        kept_valid: KeptRows::default(),
    };
    if prepared.frozen == 0 {
        return objective;
    }
    let width = prepared.config.hidden_size;
    let wanted = [Some(train), valid].map(|set| set.map_or(0, |set| bytes(set, width)));
    let left = fit.available.map(|available| available.saturating_sub(fit.memory.total()));
    let free = left.map_or(UNKNOWN, |bytes| (bytes as f64 * SHARE) as u64);
    let given = share_out(wanted, free);
    let [all, most] = [wanted, given].map(|bytes| bytes.iter().sum::<u64>());
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let layers = format!("{} of {} layers are frozen", prepared.frozen, prepared.config.layers);
    watcher.note(&if most == all {
        format!("{layers}: what they put out is computed once and kept, in {} MiB of memory", mib(all))
    } else {
        format!(
            "{layers}: what they put out would take {} MiB, of which {} MiB are kept in memory",
            mib(all),
            mib(most)
        )
    });
    (objective.kept, objective.kept_valid) = (KeptRows::new(given[0]), KeptRows::new(given[1]));
    objective
}

/// Bytes of what frozen layers put out for a set, at most.
fn bytes(set: TrainSet<'_>, width: usize) -> u64 {
    let tokens: u64 = set.rows.iter().map(|&row| set.tokens.length(row as usize) as u64).sum();
    tokens * (width * size_of::<f32>()) as u64
}

/// The rows to train on come first: they are read in every epoch.
fn share_out([train, valid]: [u64; 2], free: u64) -> [u64; 2] {
    let train = train.min(free);
    [train, valid.min(free - train)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_to_train_on_come_first() {
        assert_eq!(share_out([5, 3], 10), [5, 3]);
        assert_eq!(share_out([5, 3], 6), [5, 1]);
        assert_eq!(share_out([5, 3], 4), [4, 0]);
    }
}
