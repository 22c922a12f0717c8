//! Tables back into files: `.csv` and `.tsv`.

use std::path::Path;

use super::{Column, Table};
use crate::atomic::write_atomic;
use crate::error::{DataError, Result};

impl Table {
    /// Puts `cells` in the place of those of the column `name`, if there is one. An empty cell is missing.
    ///
    /// # Panics
    /// If there are not as many cells as rows.
    pub fn replace(&mut self, name: &str, cells: &[String]) {
        assert_eq!(cells.len(), self.rows, "one cell a row");
        if let Some(column) = self.columns.iter_mut().find(|column| column.name() == name) {
            let mut replaced = Column::new(name);
            cells.iter().for_each(|cell| replaced.push((!cell.is_empty()).then_some(cell)));
            *column = replaced;
        }
    }

    /// Writes the table to a file whose name ends in `.csv` or `.tsv`, as a whole or not at all.
    ///
    /// # Errors
    /// [`DataError::UnwritableFormat`] for another ending, [`DataError::UnreadableColumn`] for a column whose values have no
    /// text form, [`DataError::Write`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let delimiter = Self::delimiter(path)?;
        for column in &self.columns {
            self.column(column.name(), "--output")?;
        }
        let failed = |source| DataError::Write { path: path.into(), source };
        write_atomic(path, |out| {
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
            writer.write_record(self.columns.iter().map(Column::name))?;
            for row in 0..self.rows {
                writer.write_record(self.columns.iter().map(|column| column.get(row).unwrap_or_default()))?;
            }
            writer.flush()
        })
        .map_err(failed)
    }

    /// What separates fields in a table written to `path`.
    ///
    /// # Errors
    /// [`DataError::UnwritableFormat`] if its name ends neither in `.csv` nor in `.tsv`.
    pub fn delimiter(path: &Path) -> Result<u8> {
        match path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).as_deref() {
            Some("csv") => Ok(b','),
            Some("tsv") => Ok(b'\t'),
            _ => Err(DataError::UnwritableFormat { file: path.display().to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::TextFormat;
    use super::*;

    fn cells(table: &Table) -> Vec<Vec<Option<String>>> {
        table.columns().iter().map(|column| column.iter().map(|cell| cell.map(str::to_owned)).collect()).collect()
    }

    #[test]
    fn a_replaced_column_is_written_beside_the_others() {
        let text = "ID,review\n1,가\n2,\"나, 다\"\n";
        let mut table = Table::from_reader(text.as_bytes(), TextFormat::Csv, "a.csv").unwrap();
        table.replace("review", &["라\"마".into(), String::new()]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.CSV");
        table.write(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "ID,review\n1,\"라\"\"마\"\n2,\n");
    }

    #[test]
    fn other_endings_are_refused() {
        let table = Table::from_reader(&b"a\n1\n"[..], TextFormat::Csv, "a.csv").unwrap();
        let error = table.write(Path::new("out.parquet")).unwrap_err();
        assert_eq!((error.exit_code(), error.to_string().contains(".csv or .tsv")), (2, true));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(rows in prop::collection::vec(("[a가\",\t\n ]{0,6}", "[a가\",\t\n ]{0,6}"), 1..6), tsv: bool) {
            let dir = tempfile::tempdir().unwrap();
            let mut table = Table::from_reader(format!("x,y\n{}", "1,1\n".repeat(rows.len())).as_bytes(), TextFormat::Csv, "a").unwrap();
            let (x, y): (Vec<String>, Vec<String>) = rows.into_iter().unzip();
            table.replace("x", &x);
            table.replace("y", &y);
            let path = dir.path().join(if tsv { "out.tsv" } else { "out.csv" });
            table.write(&path).unwrap();
            prop_assert_eq!(cells(&Table::read(&path).unwrap()), cells(&table));
        }
    }
}
