//! What holds of all steps together.

use proptest::prelude::*;

use super::*;

fn everything() -> CleanConfig {
    CleanConfig {
        urls: true,
        user_names: true,
        emoticons: EmoticonsConfig::BuiltIn,
        repeats: 2,
        keep_characters: Some(",.?!".into()),
        stop_words: vec!["영화".into()],
        rare_words: 2,
        ..CleanConfig::default()
    }
}

fn fit(config: &CleanConfig) -> Cleaner {
    config.fit(&["영화 정말 재밌다", "정말 재밌다 배우 최고", "배우 정말"]).unwrap()
}

#[test]
fn a_text_goes_through_the_steps_in_their_order() {
    let cleaner = fit(&everything());
    let text = "@user 영화\u{200b} &lt;최고&gt;!!!! ㅋㅋㅋ&nbsp;http://example.com/x ★ ~정말~";
    assert_eq!(cleaner.apply(text), "!! [LAUGH] [STAR] 정말");
    assert_eq!(cleaner.steps().collect::<Vec<_>>(), StepKind::ALL);
}

#[test]
fn the_trace_names_the_steps_that_changed_a_text_and_no_others() {
    let cleaner = fit(&everything());
    let changed = |text: &str| {
        let (_, trace) = cleaner.apply_traced(text);
        StepKind::ALL.into_iter().filter(|&step| trace.changed_by(step)).map(StepKind::name).collect::<Vec<_>>()
    };
    assert_eq!(changed("정말 좋다"), [""; 0]);
    assert_eq!(changed("정말  좋다"), ["white_space"]);
    assert_eq!(changed("좋다ㅋㅋ!!!"), ["emoticons", "repeats"]);
    let (_, unchanged) = cleaner.apply_traced("정말");
    assert!(!unchanged.changed());
}

#[test]
fn a_text_of_which_nothing_is_left_is_told() {
    let cleaner = fit(&everything());
    let (cleaned, trace) = cleaner.apply_traced(" 영화 ~~ ");
    assert_eq!((&*cleaned, trace.emptied), ("", true));
    assert!(!cleaner.apply_traced("").1.emptied);
}

#[test]
fn a_special_token_written_out_goes_through_every_step_and_is_told() {
    let cleaner = fit(&CleanConfig { keep_characters: Some(String::new()), ..everything() });
    let (cleaned, trace) = cleaner.apply_traced("[THUMBS_UP] (좋다)  [laugh]");
    assert_eq!((&*cleaned, trace.had_token), ("[THUMBS_UP] 좋다 laugh", true));
    assert!(!cleaner.apply_traced("ㅋㅋ").1.had_token);
}

#[test]
fn unchanged_texts_are_not_copied() {
    assert!(matches!(fit(&everything()).apply("정말 좋다"), Cow::Borrowed(_)));
}

#[test]
fn a_cleaner_comes_back_from_json_with_all_it_found() {
    let cleaner = fit(&everything());
    let json = serde_json::to_string(&cleaner).unwrap();
    let again: Cleaner = serde_json::from_str(&json).unwrap();
    assert_eq!((&again, again.fingerprint()), (&cleaner, cleaner.fingerprint()));
    assert!(json.contains("😂") && json.contains("rare_words"));
}

#[test]
fn whatever_changes_the_result_changes_the_fingerprint() {
    let fingerprints: std::collections::HashSet<String> = [
        everything(),
        CleanConfig { repeats: 3, ..everything() },
        CleanConfig { rare_words: 1, ..everything() },
        CleanConfig { emoticons: EmoticonsConfig::Off, ..everything() },
        CleanConfig { keep_characters: Some(",".into()), ..everything() },
        CleanConfig::default(),
    ]
    .iter()
    .map(|config| fit(config).fingerprint())
    .collect();
    assert_eq!(fingerprints.len(), 6);
}

#[test]
fn many_texts_are_cleaned_as_one_is() {
    let cleaner = fit(&everything());
    let texts: Vec<String> = (0..500).map(|row| format!("영화 {row} {}", "ㅋ".repeat(row % 5))).collect();
    let mut cleaned = texts.clone();
    let traces = cleaner.clean(&mut cleaned);
    for (row, text) in texts.iter().enumerate() {
        let (one, trace) = cleaner.apply_traced(text);
        assert_eq!((&cleaned[row], traces[row]), (&one.into_owned(), trace));
    }
}

#[test]
fn a_long_run_of_anything_is_cleaned_without_delay_and_to_the_end() {
    let cleaner = fit(&everything());
    let patterns = [
        "ㅋ", "aT", "T", "D", "[", "[LAUGH]", "@", "@a", "&amp;", "&", ";", "http://", "www.a.", "a@b.", ":#)", "^",
        "ㅇㅋ", "\u{200d}", " ", "\u{301}",
    ];
    for pattern in patterns {
        for before in ["", "a:"] {
            let text = format!("{before}{}", pattern.repeat((1 << 18) / pattern.len()));
            let cleaned = cleaner.apply(&text).into_owned();
            assert_eq!(cleaner.apply(&cleaned), cleaned, "{before}{pattern}…");
        }
    }
}

/// Pieces that steps look for, cut and joined in ways nobody writes.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ㅋㅎㅠㅜㅡㅉㄷ:;)(^_@&#<>.,!?\\-]{1,4}",
        "[a-zA-Z0-9가-힣 ]{1,3}",
        prop::sample::select(vec![
            "[LAUGH]",
            "[",
            "]",
            "LAUGH",
            "&amp;",
            "&lt;",
            "amp;",
            "&#",
            "http://",
            "www.",
            "a.com",
            "\u{200b}",
            "\u{200d}",
            "e\u{301}",
            "\u{1112}",
            "\u{1161}",
            "❤\u{fe0f}",
            "👍🏽",
            "\u{fe0f}",
            "😂",
            "영화",
            "최고",
            "\u{a0}",
            "\n",
            "\u{3164}",
            "&zwj;",
            "&Tab;",
            "ﬁ",
            "\u{344}",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(|c| c.to_string()),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// Any choice of steps.
fn configs() -> impl Strategy<Value = CleanConfig> {
    (any::<[bool; 7]>(), 0..4usize, prop::option::of("[,.?!;:)(]{0,3}"), 0..3usize).prop_map(
        |(
            [html_entities, control_characters, unicode, urls, user_names, emoticons, white_space],
            repeats,
            kept,
            rare,
        )| {
            CleanConfig {
                html_entities,
                control_characters,
                unicode,
                urls,
                user_names,
                emoticons: if emoticons { EmoticonsConfig::BuiltIn } else { EmoticonsConfig::Off },
                repeats,
                keep_characters: kept,
                stop_words: if user_names { vec!["영화".into()] } else { vec![] },
                rare_words: rare,
                white_space,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn cleaning_a_clean_text_changes_nothing(config in configs(), text in texts()) {
        let cleaner = fit(&config);
        let once = cleaner.apply(&text).into_owned();
        prop_assert_eq!(cleaner.apply(&once), once.as_str());
    }

    #[test]
    fn special_tokens_written_out_are_never_lost(config in configs(), text in texts()) {
        let cleaner = fit(&config);
        let written = cleaner.tokens_in(&text);
        let left = cleaner.tokens_in(&cleaner.apply(&text));
        let mut rest = left.iter();
        prop_assert!(written.iter().all(|token| rest.any(|other| other == token)), "{:?} of {:?}", left, written);
    }

    #[test]
    fn without_steps_nothing_changes(text in texts()) {
        let none = CleanConfig { html_entities: false, control_characters: false, unicode: false, white_space: false,
            ..CleanConfig::default() };
        prop_assert_eq!(fit(&none).apply(&text), text.as_str());
    }
}
