//! Hashes that tell whether data changed: XXH3 of length-prefixed strings, 32 hexadecimal digits.
//!
//! They guard against stale results, not against forgery.

use xxhash_rust::xxh3::Xxh3;

use crate::examples::Examples;

/// Feeds strings so that no two different lists feed the same bytes.
pub(crate) fn update(hash: &mut Xxh3, parts: &[&str]) {
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
}

/// Fingerprint of ids, texts, pairs and labels, in row order: changes whenever a result on this data might.
pub fn data_fingerprint(examples: &Examples) -> String {
    let mut hash = Xxh3::new();
    let optional = [examples.pairs.as_deref(), examples.labels.as_deref()];
    for column in [Some(&examples.ids[..]), Some(&examples.texts[..])].into_iter().chain(optional) {
        feed(&mut hash, column);
    }
    hex(&hash)
}

/// Fingerprint of the texts alone, in row order: what a tokenisation or an adapted model depends on.
pub fn text_fingerprint(texts: &[String], pairs: Option<&[String]>) -> String {
    let mut hash = Xxh3::new();
    feed(&mut hash, Some(texts));
    feed(&mut hash, pairs);
    hex(&hash)
}

/// Fingerprint of any few strings, for keys made of other fingerprints and settings.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Xxh3::new();
    update(&mut hash, parts);
    hex(&hash)
}

fn feed(hash: &mut Xxh3, column: Option<&[String]>) {
    // An absent column must differ from an empty one.
    hash.update(&column.map_or(u64::MAX, |cells| cells.len() as u64).to_le_bytes());
    for cell in column.unwrap_or_default() {
        update(hash, &[cell]);
    }
}

/// The digits of a fingerprint.
pub(crate) fn hex(hash: &Xxh3) -> String {
    format!("{:032x}", hash.digest128())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::Columns;
    use crate::table::{Table, TextFormat};

    fn of(text: &str) -> String {
        let table = Table::from_reader(text.as_bytes(), TextFormat::Csv, "a.csv").unwrap();
        let columns =
            Columns { id: Some("id".into()), text: "text".into(), label: Some("label".into()), ..Columns::default() };
        data_fingerprint(&Examples::from_table(&table, &columns).unwrap())
    }

    #[test]
    fn every_part_that_matters_changes_the_fingerprint_and_others_do_not() {
        let base = of("id,text,label\n1,a,0\n2,b,1\n");
        assert_eq!(base, of("label,more,id,text\n0,x,1,a\n1,y,2,b\n"));
        for other in ["id,text,label\n1,a,0\n2,b,0\n", "id,text,label\n1,a,0\n3,b,1\n", "id,text,label\n1,ab,0\n2,,1\n"]
        {
            assert_ne!(base, of(other));
        }
    }

    #[test]
    fn moving_a_boundary_between_texts_is_seen() {
        let strings = |parts: &[&str]| parts.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_ne!(text_fingerprint(&strings(&["ab", "c"]), None), text_fingerprint(&strings(&["a", "bc"]), None));
        assert_ne!(text_fingerprint(&strings(&["a"]), None), text_fingerprint(&strings(&["a"]), Some(&strings(&[]))));
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }
}
