//! How much memory may be taken by what frozen layers put out, which is kept from one epoch to the next.

use gyeol_engine::{FineTuning, KeptRows, TrainSet};

use crate::Watcher;
use crate::base::Base;
use crate::memory::Fit;
use crate::prepare::Prepared;

/// The share of the memory that the run leaves free which may be taken: the rest is for whatever else the machine does.
const SHARE: f64 = 0.5;

/// Where the system does not tell how much is free: this many bytes.
const UNKNOWN: u64 = 1 << 30;

/// What `prepared` trains, with room for what the frozen layers of each base put out.
pub(crate) fn fine_tuning<'a>(prepared: &'a Prepared, fit: &Fit, watcher: &mut dyn Watcher) -> FineTuning<'a> {
    let (train, valid) = (prepared.train_set(), prepared.valid_set());
    let mut objective = FineTuning {
        loss: &prepared.loss,
        train,
        row_weights: prepared.row_weights.as_deref(),
        balance: prepared.sampling.balance.as_ref(),
        valid,
        kept: no_rows(prepared.bases.len()),
        kept_valid: no_rows(prepared.bases.len()),
    };
    if prepared.bases.iter().all(|base| base.frozen == 0) {
        return objective;
    }
    let wanted = |set: Option<TrainSet<'_>>| -> Vec<u64> {
        prepared.bases.iter().enumerate().map(|(index, base)| set.map_or(0, |set| bytes(set, index, base))).collect()
    };
    let wanted = [wanted(Some(train)), wanted(valid)].concat();
    let left = fit.available.map(|available| available.saturating_sub(fit.memory.total()));
    let free = left.map_or(UNKNOWN, |bytes| (bytes as f64 * SHARE) as u64);
    let given = share_out(&wanted, free);
    let [all, most] = [&wanted, &given].map(|bytes| bytes.iter().sum::<u64>());
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let layers: Vec<String> =
        prepared.bases.iter().map(|base| format!("{} of {} layers", base.frozen, base.config.layers)).collect();
    let layers = format!("{} are frozen", layers.join(" and "));
    watcher.note(&if most == all {
        format!("{layers}: what they put out is computed once and kept, in {} MiB of memory", mib(all))
    } else {
        format!(
            "{layers}: what they put out would take {} MiB, of which {} MiB are kept in memory",
            mib(all),
            mib(most)
        )
    });
    let (train, valid) = given.split_at(prepared.bases.len());
    let rows = |given: &[u64]| given.iter().map(|&bytes| KeptRows::new(bytes)).collect();
    (objective.kept, objective.kept_valid) = (rows(train), rows(valid));
    objective
}

/// Nothing kept, of any of so many bases.
pub(crate) fn no_rows(bases: usize) -> Vec<KeptRows> {
    (0..bases).map(|_| KeptRows::default()).collect()
}

/// Bytes of what the frozen layers of the base at `index` put out for a set, at most.
fn bytes(set: TrainSet<'_>, index: usize, base: &Base) -> u64 {
    if base.frozen == 0 {
        return 0;
    }
    let tokens: u64 = set.rows.iter().map(|&row| set.tokens[index].length(row as usize) as u64).sum();
    tokens * (base.config.hidden_size * size_of::<f32>()) as u64
}

/// Those that come first get what they want: the rows to train on, which are read in every epoch.
fn share_out(wanted: &[u64], mut free: u64) -> Vec<u64> {
    let give = |&wanted: &u64| {
        let given = wanted.min(free);
        free -= given;
        given
    };
    wanted.iter().map(give).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_to_train_on_come_first() {
        assert_eq!(share_out(&[5, 3], 10), [5, 3]);
        assert_eq!(share_out(&[5, 3], 6), [5, 1]);
        assert_eq!(share_out(&[5, 3], 4), [4, 0]);
        assert_eq!(share_out(&[5, 2, 3, 1], 8), [5, 2, 1, 0]);
    }
}
