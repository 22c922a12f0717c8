//! A table of recorded trainings.

use std::{collections::BTreeMap, fs, io::Read as _, path::Path};

use anyhow::{Context, Result, ensure};
use gyeol_tune::space::Point;
use serde::Deserialize;

/// The hyper-parameters, the bounds between which the logarithm of each was drawn uniformly, and whether that of 1 minus
/// the value was.
const PARAMETERS: [(&str, f64, f64, bool); 8] = [
    ("learning_rate", 1e-8, 1e1, false),
    ("beta1", 1e-4, 1.0, true),
    ("beta2", 1e-6, 1.0, true),
    ("epsilon", 1e-10, 1e3, false),
    ("l1", 1e-8, 1e1, false),
    ("l2", 1e-8, 1e1, false),
    ("linear_decay", 1e-7, 1e-4, false),
    ("exponential_decay", 1e-6, 1e-3, false),
];

/// How many hyper-parameters there are.
pub(crate) const DIMENSIONS: usize = PARAMETERS.len();

/// One configuration as the file has it.
#[derive(Deserialize)]
struct Row {
    hp: BTreeMap<String, f64>,
    /// Null once the training has diverged.
    valid_loss: Vec<Option<f64>>,
}

/// The configurations of one task.
pub(crate) struct Table {
    /// The file's name, without what all have in common.
    pub(crate) name: String,
    /// Where each configuration is, in the unit cube.
    pub(crate) points: Vec<Point>,
    /// Its validation loss after epochs 1, 2, …
    pub(crate) curves: Vec<Vec<f64>>,
}

impl Table {
    /// The tables of a directory, in the order of their names.
    pub(crate) fn read_all(directory: &Path) -> Result<Vec<Self>> {
        let entries = fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))?;
        let mut paths: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        paths.retain(|path| path.to_string_lossy().ends_with(".json.gz"));
        paths.sort();
        ensure!(!paths.is_empty(), "{} holds no *.json.gz", directory.display());
        paths.iter().map(|path| Self::read(path).with_context(|| format!("{} is no table", path.display()))).collect()
    }

    fn read(path: &Path) -> Result<Self> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(fs::File::open(path)?).read_to_string(&mut text)?;
        let rows: Vec<Row> = serde_json::from_str(&text)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_start_matches("FixedTextRNNClassification_imdb_").trim_end_matches(".json.gz").to_owned();
        let points = rows.iter().map(|row| point(&row.hp)).collect::<Result<_>>()?;
        let curve = |row: &Row| row.valid_loss.iter().skip(1).map(|loss| loss.unwrap_or(f64::NAN)).collect();
        Ok(Self { name, points, curves: rows.iter().map(curve).collect() })
    }

    /// The epochs of a full training.
    pub(crate) fn epochs(&self) -> usize {
        self.curves[0].len()
    }

    /// The best loss of the table at any epoch, and at the last.
    pub(crate) fn optimum(&self) -> (f64, f64) {
        let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
        let last = self.curves.iter().filter_map(|curve| curve.last().copied());
        (least(&mut self.curves.iter().flatten().copied()), least(&mut { last }))
    }

    /// The configuration nearest to a point of those that were not tried yet.
    pub(crate) fn nearest(&self, point: &[f64], tried: &[usize]) -> Option<usize> {
        let distance = |index: usize| -> f64 {
            self.points[index].iter().zip(point).map(|(here, there)| (here - there).powi(2)).sum()
        };
        let untried = (0..self.points.len()).filter(|index| !tried.contains(index));
        untried.min_by(|one, other| distance(*one).total_cmp(&distance(*other)))
    }
}

fn point(values: &BTreeMap<String, f64>) -> Result<Point> {
    let coordinate = |(name, low, high, complement): &(&str, f64, f64, bool)| -> Result<f64> {
        let value = values.get(*name).with_context(|| format!("a configuration has no {name}"))?;
        let value = if *complement { 1.0 - value } else { *value };
        Ok(((value / low).ln() / (high / low).ln()).clamp(0.0, 1.0))
    };
    PARAMETERS.iter().map(coordinate).collect()
}
