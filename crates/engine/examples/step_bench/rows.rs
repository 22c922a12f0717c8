//! What is trained on: rows of one length, or those of a table.

use std::error::Error;
use std::path::Path;

use gyeol_data::{Columns, Examples, Table, Tokenised, Tokeniser};
use gyeol_engine::hf::EncoderConfig;
use serde_json::json;

/// Token rows, and the order they are trained in.
pub(crate) struct Rows {
    pub(crate) tokens: Tokenised,
    pub(crate) order: Vec<u32>,
}

impl Rows {
    /// `count` rows of `length` random ids.
    pub(crate) fn dense(count: usize, length: usize, vocabulary: usize) -> Self {
        let mut numbers = Numbers(1);
        // Id 0 is the padding token, which no text holds.
        let mut id = || 1 + numbers.below(vocabulary as u64 - 1) as u32;
        let tokens = (0..count).map(|_| ((0..length).map(|_| id()).collect(), vec![0; length])).collect();
        Self { tokens, order: (0..count as u32).collect() }
    }

    /// `count` rows of a table, drawn from all of it.
    pub(crate) fn ragged(
        checkpoint: &Path,
        table: &Path,
        column: &str,
        max_length: usize,
        count: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let columns = Columns { text: column.to_owned(), ..Columns::default() };
        let texts = Examples::from_table(&Table::read(table)?, &columns)?.texts;
        let tokens = Tokeniser::open(checkpoint)?.encode_rows(&texts, None, max_length)?;
        if tokens.len() < count {
            return Err(format!("{}: {} rows, but the steps take {count}", table.display(), tokens.len()).into());
        }
        let mut order: Vec<u32> = (0..tokens.len() as u32).collect();
        let mut numbers = Numbers(1);
        for i in 0..count {
            let other = i + numbers.below((order.len() - i) as u64) as usize;
            order.swap(i, other);
        }
        order.truncate(count);
        Ok(Self { tokens, order })
    }

    /// Tokens of each of `rows`.
    pub(crate) fn lengths(&self, rows: &[u32]) -> impl Iterator<Item = usize> {
        rows.iter().map(|&row| self.tokens.length(row as usize))
    }
}

/// The configuration of a BERT of a usual size.
pub(crate) fn config(size: &str) -> Result<EncoderConfig, Box<dyn Error>> {
    let (layers, hidden, heads, vocabulary) = match size {
        "bert-base" => (12, 768, 12, 32_000),
        "minilm" => (6, 384, 12, 30_522),
        "mini" => (4, 256, 4, 8_000),
        other => return Err(format!("{other}: no such size; bert-base, minilm or mini").into()),
    };
    let keys = json!({
        "model_type": "bert",
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "vocab_size": vocabulary,
    });
    let keys = keys.as_object().cloned().unwrap_or_default();
    Ok(EncoderConfig::from_json(keys, Path::new("config.json"))?)
}

/// Marsaglia's xorshift: the same rows every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
