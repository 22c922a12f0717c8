//! Where predicting stops when it is asked to. What it predicts is tested with the command.

use std::cell::Cell;
use std::fs;

use gyeol_engine::Isa;
use gyeol_engine::config::Precision;

use super::*;

/// Asks to stop once it has been asked about it `patience` times; remembers what was going on.
struct Impatient {
    patience: Cell<usize>,
    doing: &'static str,
}

impl Watcher for Impatient {
    fn phase(&mut self, name: &'static str) {
        self.doing = name;
    }

    fn predicting(&mut self, what: &'static str, _: usize) {
        self.doing = what;
    }

    fn warning(&mut self, _: &str) {}

    fn interrupted(&self) -> bool {
        let left = self.patience.get().checked_sub(1);
        self.patience.set(left.unwrap_or_default());
        left.is_none()
    }
}

#[test]
fn an_interruption_ends_every_phase_at_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/golden/bert_cls");
    for file in ["config.json", "model.safetensors"] {
        fs::copy(golden.join(file), directory.path().join(file)).unwrap();
    }
    fs::write(directory.path().join("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n영화\n배우").unwrap();
    let settings = r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": false}"#;
    fs::write(directory.path().join("tokenizer_config.json"), settings).unwrap();

    let arithmetic = Arithmetic::new(Precision::Auto, Isa::fastest(), "--precision").unwrap();
    let mut predictor = Predictor::open(directory.path(), arithmetic).unwrap();
    let options = PredictOptions { text: Some("review".to_owned()), ..PredictOptions::default() };
    let mut stopped_in = Vec::new();
    for patience in 0.. {
        let mut watcher = Impatient { patience: patience.into(), doing: "loading the model" };
        let input = "review\n영화\n배우 영화\n".as_bytes();
        match predictor.predict(Path::new("-"), input, &options, &mut watcher) {
            Err(Error::Interrupted) => stopped_in.push(watcher.doing),
            Err(error) => panic!("{error}"),
            Ok(_) => break,
        }
    }
    assert_eq!(stopped_in, ["loading the model", "reading the table", "tokenising", "predicting"]);
}
