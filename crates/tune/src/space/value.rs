//! When two values are the same: numbers but for rounding, whether they are written as integers or not.

use super::Value;

/// Whether two values are the same. Numbers may differ in the last digits, as those that went through a file or another
/// program do.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= 1e-12 * one.abs().max(other.abs()),
            _ => false,
        },
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let matches = |(key, value)| other.get(key).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(matches)
        }
        _ => one == other,
    }
}

/// A text that values which are the same share, and others do not, rounding aside.
pub(super) fn key(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |number| format!("{number:e}")),
        Value::Array(values) => format!("[{}]", values.iter().map(key).collect::<Vec<_>>().join(",")),
        Value::Object(entries) => {
            let mut entries: Vec<_> =
                entries.iter().map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), key(value))).collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_the_same_but_for_rounding_and_a_text_is_no_number() {
        assert!(same(&json!(3), &json!(3.0)) && key(&json!(3)) == key(&json!(3.0)));
        assert!(same(&json!([0.1, {"a": 1}]), &json!([0.1 + 1e-17, {"a": 1.0}])));
        assert!(!same(&json!("3"), &json!(3)) && key(&json!("3")) != key(&json!(3)));
        assert!(!same(&json!(1), &json!(true)));
        assert_eq!(key(&json!({"a": 1, "b": 2})), key(&json!({"b": 2, "a": 1})));
    }
}
