//! The nearest known name to a misspelt one, for "did you mean".

/// The candidate nearest to `name` in edits, letter case aside; `None` when nothing is near enough to be a slip.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let length = name.chars().count();
    let allowed = (length / 3).clamp(2, 8);
    candidates
        .into_iter()
        // Most are too long or too short to be near, which is seen without comparing.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|&(edits, candidate)| edits <= allowed && edits < candidate.chars().count())
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean "…"?`, or nothing.
pub fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_the_name_and_a_different_word_finds_nothing() {
        let keys = ["metric", "method", "parameters"];
        assert_eq!(nearest("paramters", keys), Some("parameters"));
        assert_eq!(nearest("Method", keys), Some("method"));
        assert_eq!(nearest("command", keys), None);
    }
}
