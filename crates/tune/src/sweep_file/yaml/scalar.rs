//! What a word that is not quoted means.
//!
//! W&B reads its files with PyYAML, which follows YAML 1.1. What its users mean is kept: `yes`, `no`, `on`, `off` are
//! booleans, and `1_000` is a number. Where its rules surprise them, those of YAML 1.2 hold: `1e-5` is a number, not a text;
//! `010` is ten, not eight; `12:30` is a text, not a number of minutes; a date is a text.

use super::Data;

/// The value of a plain scalar.
pub(super) fn resolve(word: &str) -> Data {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Data::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Data::Bool(false),
        _ => {}
    }
    integer(word).or_else(|| float(word)).unwrap_or_else(|| Data::Text(word.into()))
}

/// An integer, also in hexadecimal (`0x`), octal (`0o`) and binary (`0b`); a float where it is too large for one.
pub(super) fn integer(word: &str) -> Option<Data> {
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    let (radix, digits) = match unsigned.get(..2) {
        Some("0x") => (16, &unsigned[2..]),
        Some("0o") => (8, &unsigned[2..]),
        Some("0b") => (2, &unsigned[2..]),
        _ => (10, unsigned),
    };
    let valid =
        digits.starts_with(|c: char| c.is_digit(radix)) && digits.chars().all(|c| c == '_' || c.is_digit(radix));
    if !valid {
        return None;
    }
    let sign = if word.starts_with('-') { "-" } else { "" };
    let number = format!("{sign}{}", digits.replace('_', ""));
    match i64::from_str_radix(&number, radix) {
        Ok(integer) => Some(Data::Integer(integer)),
        Err(_) if radix == 10 => number.parse().ok().map(Data::Float),
        Err(_) => None,
    }
}

/// A float: digits with a point, an exponent or both, infinity, or not a number.
pub(super) fn float(word: &str) -> Option<Data> {
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    let sign = if word.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(Data::Float(sign * f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if unsigned == word => return Some(Data::Float(f64::NAN)),
        _ => {}
    }
    // What Rust takes for a float beyond this ("inf", "nan") has other letters.
    let begins = unsigned.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    let digits = unsigned.chars().all(|c| c.is_ascii_digit() || "._eE+-".contains(c));
    if !(begins && digits) {
        return None;
    }
    unsigned.replace('_', "").parse().ok().map(|number: f64| Data::Float(sign * number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_without_a_point_are_numbers() {
        for (word, number) in
            [("1e-5", 1e-5), ("5E3", 5e3), ("-2.5e+2", -250.0), (".5", 0.5), ("1.", 1.0), ("+0.1", 0.1)]
        {
            assert_eq!(resolve(word), Data::Float(number), "{word}");
        }
    }

    #[test]
    fn integers_are_what_people_read() {
        for (word, number) in
            [("12", 12), ("-3", -3), ("1_000", 1000), ("0x1F", 31), ("0o17", 15), ("0b11", 3), ("010", 10)]
        {
            assert_eq!(resolve(word), Data::Integer(number), "{word}");
        }
        assert_eq!(resolve("99999999999999999999"), Data::Float(1e20));
    }

    #[test]
    fn words_for_true_and_false_are_those_of_pyyaml() {
        assert_eq!([resolve("yes"), resolve("Off")], [Data::Bool(true), Data::Bool(false)]);
        assert_eq!([resolve("~"), resolve("")], [Data::Null, Data::Null]);
    }

    #[test]
    fn everything_else_is_text() {
        for word in
            ["y", "n", "1e", "e5", "12:30", "2024-01-01", "1.2.3", "--1", "inf", "nan", "_1", "0x", ".", "-", "1e5x"]
        {
            assert_eq!(resolve(word), Data::Text(word.into()), "{word}");
        }
    }
}
