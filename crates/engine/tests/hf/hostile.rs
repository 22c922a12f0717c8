//! Files made to harm, damaged and truncated ones: always an error, never a panic, and nothing is ever run.

use std::fs;
use std::path::Path;

use gyeol_engine::hf::{HfError, Weights};
use proptest::prelude::*;

use crate::golden;

fn golden_error(name: &str) -> HfError {
    let error = Weights::open_file(&golden(name)).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error
}

/// Opens `bytes` as a file of that name and reads every tensor; whatever comes of it, it returns.
fn open_and_read(name: &str, bytes: &[u8]) -> Result<(), HfError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let weights = Weights::open_file(&path)?;
    for name in weights.names() {
        let info = weights.get(name).unwrap();
        let numel = info.shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
        // An expanded view may stand for more numbers than memory holds; a model would not ask for it.
        let numel = numel.filter(|numel| *numel < 1 << 20).unwrap_or(0);
        // Integers are refused; that is an answer too.
        let _ = weights.read_f32(name, &info.shape, &mut vec![0.0; numel]);
    }
    Ok(())
}

#[test]
fn a_pickle_that_calls_a_function_is_refused_by_name_and_not_run() {
    let cases = [
        ("system", "posix.system"),
        ("system4", "posix.system"),
        ("eval", "__builtin__.eval"),
        ("getattr", "__builtin__.getattr"),
        ("inst", "INST"),
        ("object", "pathlib"),
    ];
    for (file, named) in cases {
        let error = golden_error(&format!("hostile/{file}.bin"));
        assert!(matches!(&error, HfError::Refused { what, .. } if what.contains(named)), "{file}: {error:?}");
        assert!(error.to_string().contains(&format!("{file}.bin: refused: ")), "{error}");
    }
    assert!(!Path::new("gyeol_was_here").exists());
}

#[test]
fn layouts_that_are_not_read_say_what_to_do() {
    let cases = [
        ("legacy", "save_pretrained()"),
        ("compressed", "is compressed or encrypted"),
        ("big_endian", "big-endian"),
        ("short_storage", "has 4 of 8 bytes"),
        ("nested", "entry state_dict is not a tensor"),
        ("bare_tensor", "does not hold a dictionary"),
    ];
    for (file, words) in cases {
        let message = golden_error(&format!("refused/{file}.bin")).to_string();
        assert!(message.contains(&format!("{file}.bin: ")) && message.contains(words), "{message}");
    }
}

#[test]
fn a_safetensors_file_cut_at_any_length_is_an_error_that_names_it() {
    let whole = fs::read(golden("safetensors/model.safetensors")).unwrap();
    open_and_read("model.safetensors", &whole).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for length in 0..whole.len() {
        let error = open_and_read("model.safetensors", &whole[..length]).unwrap_err();
        assert!(error.to_string().contains("model.safetensors") && error.to_string().contains("truncated"), "{error}");
        assert_eq!(matches!(error, HfError::Tensor { .. }), length >= 8 + header, "{length}: {error}");
        assert_eq!(error.exit_code(), 2);
    }
    let longer = [&whole[..], b"more"].concat();
    assert!(open_and_read("model.safetensors", &longer).unwrap_err().to_string().contains("4 bytes follow"));
}

#[test]
fn a_torch_archive_cut_at_any_length_is_an_error() {
    let whole = fs::read(golden("bin_untyped/pytorch_model.bin")).unwrap();
    for length in 0..whole.len() {
        let error = open_and_read("pytorch_model.bin", &whole[..length]).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
}

#[test]
fn safetensors_headers_that_lie_are_errors() {
    let file = |header: &str, data: &[u8]| [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    let cases = [
        r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
        r#"{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#,
        r#"{"w":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}}"#,
        r#"{"w":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}"#,
        r#"{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
        r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        r#"{"w":"#,
        "",
    ];
    for header in cases {
        let error = open_and_read("model.safetensors", &file(header, &[0; 8])).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{header}: {error}");
    }
    let mut huge = file("{}", &[]);
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(open_and_read("model.safetensors", &huge).unwrap_err().to_string().contains("not a safetensors file"));
}

#[test]
fn old_and_new_names_of_one_tensor_together_are_refused() {
    let header = r#"{"LayerNorm.gamma":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
        "LayerNorm.weight":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat();
    let error = open_and_read("model.safetensors", &file).unwrap_err();
    assert!(matches!(&error, HfError::Tensor { tensor, .. } if tensor == "LayerNorm.weight"), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_never_panic(
        file in prop::sample::select(vec!["bin/pytorch_model.bin", "bin_protocol4/pytorch_model.bin",
            "bin_untyped/pytorch_model.bin", "safetensors/model.safetensors"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = fs::read(golden(file)).unwrap();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Err(error) = open_and_read(file.rsplit('/').next().unwrap(), &bytes) {
            prop_assert_eq!(error.exit_code(), 2);
        }
    }
}
