//! The pickle inside a `pytorch_model.bin`, read without running anything.
//!
//! A pickle is a program for a stack machine that may call any Python function. This machine knows the few
//! instructions `torch.save` emits for a dictionary of tensors, and the few names those refer to; every other
//! instruction and every other name is refused, by name, before anything is built with it. Values live in flat lists
//! and refer to each other by number, so that neither deep nor circular structures can exhaust the stack, and memory
//! stays proportional to the input.
//!
//! Written here because the crates that read such files (`pytorch-reader`, those inside `candle` and `burn`) keep or
//! skip objects they do not know instead of refusing the file, and do not lend out mapped bytes.

mod machine;
mod names;
mod opcode;

use std::collections::HashSet;

use safetensors::Dtype;

use self::machine::{MAX_TENSORS, Machine, Value};
use self::names::printable;

/// The longest pickle that is read; that of a model with a thousand tensors has about 150 kB.
pub(super) const MAX_PICKLE_BYTES: usize = 4 << 20;

/// A tensor as a pickle describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorSpec<'a> {
    pub(super) dtype: Dtype,
    /// The archive member `data/<storage>` holds the numbers.
    pub(super) storage: &'a str,
    /// Bytes the storage must have.
    pub(super) storage_bytes: usize,
    /// Elements before the first, in the storage.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// In elements, one a dimension.
    pub(super) strides: Vec<usize>,
}

/// Why a pickle was not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PickleError {
    /// A name or an instruction that does not build tensors.
    #[error("{0}")]
    Refused(String),
    /// Not a pickle `torch.save` writes.
    #[error("damaged at byte {at} of its pickle: {problem}")]
    Damaged { at: usize, problem: &'static str },
    /// Well-formed, but not a dictionary of tensors.
    #[error("{0}")]
    NotTensors(String),
}

/// Reads a dictionary from names to tensors, in the order of the file.
pub(super) fn read_state_dict(pickle: &[u8]) -> Result<Vec<(String, TensorSpec<'_>)>, PickleError> {
    let mut machine = Machine::new(pickle);
    let Value::Dict(id) = machine.run()? else {
        return Err(PickleError::NotTensors("does not hold a dictionary of tensors".to_owned()));
    };
    let pairs = &machine.dicts[id];
    if pairs.len() > MAX_TENSORS {
        return Err(PickleError::NotTensors("has too many entries for a model".to_owned()));
    }
    // What is copied here is memory that no byte of the pickle may have paid for: a key is few bytes to name again, and so
    // is a tensor.
    let mut names = HashSet::with_capacity(pairs.len());
    let entries = pairs.iter().map(|(key, value)| match (key, value) {
        (Value::Text(name), Value::Tensor(_)) if !names.insert(*name) => {
            Err(format!("has two entries {}", printable(name)))
        }
        (Value::Text(name), Value::Tensor(id)) => Ok(((*name).to_owned(), machine.tensors[*id].clone())),
        (Value::Text(name), _) => {
            Err(format!("entry {} is not a tensor; save the model's state_dict() alone", printable(name)))
        }
        _ => Err("has a key that is not a text".to_owned()),
    });
    entries.collect::<Result<_, _>>().map_err(PickleError::NotTensors)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STORAGE: &[u8] = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x06tQ";

    /// A dictionary with one 2×3 tensor `w`, the way `torch.save` lays it out.
    fn valid() -> Vec<u8> {
        let head: &[u8] = b"\x80\x02}q\0X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(";
        let tail: &[u8] = b"K\0K\x02K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)RtRs.";
        [head, STORAGE, tail].concat()
    }

    /// The error of a pickle that is no state dict.
    fn error(program: &[u8]) -> String {
        read_state_dict(program).unwrap_err().to_string()
    }

    #[test]
    fn a_tensor_is_described_with_its_storage() {
        let pickle = valid();
        let expected = TensorSpec {
            dtype: Dtype::F32,
            storage: "0",
            storage_bytes: 24,
            offset: 0,
            shape: vec![2, 3],
            strides: vec![3, 1],
        };
        assert_eq!(read_state_dict(&pickle).unwrap(), [("w".to_owned(), expected)]);
    }

    #[test]
    fn names_that_do_not_build_tensors_are_refused_and_shown_safely() {
        assert_eq!(error(b"cposix\nsystem\n."), "posix.system");
        assert_eq!(error(b"ctorch\nload\n."), "torch.load");
        assert_eq!(error(b"X\x02\0\0\0osX\x06\0\0\0system\x93."), "os.system");
        assert_eq!(error(b"c\x1b[2J\nx\n."), "\\u{1b}[2J.x");
        assert!(error(&[b"c", &[b'm'; 5000][..], b"\nx\n."].concat()).len() < 200);
    }

    #[test]
    fn allowed_names_cannot_be_called_with_other_arguments() {
        for program in [
            &b"ccollections\nOrderedDict\nN\x85R."[..],
            b"ctorch\nFloatStorage\nK\x08\x85R.",
            b"ctorch._utils\n_rebuild_parameter\n)R.",
            b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        ] {
            assert!(error(program).contains("arguments that do not fit"), "{}", error(program));
        }
        assert_eq!(error(b"})R."), "a call of something that is not a name");
        assert_eq!(error(b"ccollections\nOrderedDict\n}b."), "attributes set on an object");
    }

    #[test]
    fn nesting_and_cycles_of_any_depth_are_harmless() {
        let deep = [&b"}X\x01\0\0\0w)"[..], &vec![0x85; 2_000_000], b"s."].concat();
        assert!(error(&deep).contains("entry w is not a tensor"));
        assert!(error(b"}q\0X\x01\0\0\0wh\0s.").contains("entry w is not a tensor"));
    }

    #[test]
    fn a_pickle_cannot_ask_for_memory_out_of_proportion() {
        assert!(error(b"X\xff\xff\xff\x7fshort").contains("too early"));
        assert!(error(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffshort").contains("too early"));
        // One set of arguments, called again and again.
        let head: &[u8] = b"ctorch._utils\n_rebuild_tensor_v2\nq\0(";
        let again = b"h\0h\x01R0".repeat(200_000);
        let program = [head, STORAGE, b"K\0))tq\x01R0", &again, b"}."].concat();
        assert!(error(&program).contains("too many tensors"));
        assert!(error(&[&b"("[..], &[b'K', 1].repeat(65), b"tq\0."].concat()).contains("dictionary"));
        // One key of 64 kB or one tensor, stored again and again.
        let tensor = [b"ctorch._utils\n_rebuild_tensor_v2\n(", STORAGE, b"K\0))tRq\x01"].concat();
        let key = [b"X\0\0\x01\0", &[b'k'; 1 << 16][..], b"q\0"].concat();
        let program = [&tensor[..], b"0", &key, b"0}", &b"h\0h\x01s".repeat(1000), b"."].concat();
        assert!(error(&program).contains("two entries kkk"));
        let pairs: Vec<u8> =
            (0..100_001).flat_map(|n| [b"\x8c\x06", format!("{n:06}").as_bytes(), b"h\x01s"].concat()).collect();
        let program = [&tensor[..], b"0}", &pairs, b"."].concat();
        assert!(error(&program).contains("too many entries"));
    }

    #[test]
    fn every_prefix_of_a_pickle_is_an_error() {
        let pickle = valid();
        for length in 0..pickle.len() {
            assert!(error(&pickle[..length]).contains("too early"), "{length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn random_programs_and_damaged_ones_return(
            noise in prop::collection::vec(any::<u8>(), 0..64),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            // Reading them at all is the test; either answer is right.
            let _ = read_state_dict(&noise);
            let mut pickle = valid();
            for (place, byte) in changes {
                let place = place.index(pickle.len());
                pickle[place] = byte;
            }
            let _ = read_state_dict(&pickle);
        }
    }
}
