//! Files, encodings and long lines, as they come and damaged.

use std::fs;
use std::io::Write;
use std::path::Path;

use encoding_rs::EUC_KR;
use proptest::prelude::*;

use super::lines::LONGEST;
use super::*;

fn file(bytes: &[u8], name: &str) -> (tempfile::TempDir, Result<Corpus>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let corpus = Corpus::open(&[CorpusSource::File(path)]);
    (dir, corpus)
}

fn read(bytes: &[u8]) -> Vec<String> {
    let (_dir, corpus) = file(bytes, "a.txt");
    corpus.unwrap().texts().collect::<Result<_>>().unwrap()
}

/// What is wrong with a file, without the directory it is in; always the user's to mend.
fn problem(bytes: &[u8], name: &str) -> String {
    let (dir, corpus) = file(bytes, name);
    let error = corpus.and_then(|corpus| corpus.counts()).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string().replace(&format!("{}{}", dir.path().display(), std::path::MAIN_SEPARATOR), "")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn memory(texts: &[&str]) -> Corpus {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    Corpus::open(&[CorpusSource::Texts { name: "memory".into(), texts }]).unwrap()
}

#[test]
fn lines_are_texts_and_blank_ones_are_counted() {
    let bytes = "\u{feff}재미있다 ㅋㅋ\r\n\r\n  돈 아깝다\u{0}\t진짜\u{7} \n \t \n\u{1}\n끝".as_bytes();
    assert_eq!(read(bytes), ["재미있다 ㅋㅋ", "돈 아깝다 진짜", "끝"]);
    let (_dir, corpus) = file(bytes, "a.txt");
    let bytes = "재미있다 ㅋㅋ돈 아깝다 진짜끝".len() as u64;
    assert_eq!(corpus.unwrap().counts().unwrap(), CorpusCounts { texts: 3, bytes, empty: 3 });
}

#[test]
fn every_source_gives_the_same_texts_again_and_one_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("a.txt"), "영화\n최고\n").unwrap();
    fs::write(path("a.TXT.gz"), [gzip("영화\n".as_bytes()), gzip("최고".as_bytes())].concat()).unwrap();
    fs::write(path("a.csv"), "id,a,b\n1,영화,최고\n2,,\n").unwrap();
    let columns = Columns { text: "a".into(), text_pair: Some("b".into()), ..Columns::default() };
    let sources = [
        CorpusSource::File(path("a.txt")),
        CorpusSource::File(path("a.TXT.gz")),
        CorpusSource::Table { path: path("a.csv"), columns },
        CorpusSource::Texts { name: "rows".into(), texts: ["영화".to_owned(), "최고".to_owned()].into() },
    ];
    let fingerprints = sources.each_ref().map(|source| {
        let corpus = Corpus::open(std::slice::from_ref(source)).unwrap();
        for _ in 0..2 {
            assert_eq!(corpus.texts().collect::<Result<Vec<_>>>().unwrap(), ["영화", "최고"]);
        }
        corpus.fingerprint().unwrap()
    });
    assert!(fingerprints.iter().all(|fingerprint| *fingerprint == fingerprints[0]));
    let all = Corpus::open(&sources).unwrap();
    assert_eq!(all.counts().unwrap(), CorpusCounts { texts: 8, bytes: 48, empty: 2 });
    assert_ne!(all.fingerprint().unwrap(), fingerprints[0]);
}

#[test]
fn other_texts_or_another_order_change_the_fingerprint() {
    let base = memory(&["영화", "최고"]).fingerprint().unwrap();
    for other in [&["최고", "영화"][..], &["영화최고"], &["영", "화최고"], &["영화", "최고", "최고"]]
    {
        assert_ne!(memory(other).fingerprint().unwrap(), base);
    }
    assert_eq!(memory(&["", " 영화 ", "최고\n"]).fingerprint().unwrap(), base);
}

#[test]
fn cp949_and_utf16_are_told_and_decoded_as_they_are_read() {
    let lines: Vec<String> = (0..30_000).map(|n| format!("똠방각하와 {n}번째 펲시콜라를 마셨다")).collect();
    let text = lines.join("\r\n");
    let (cp949, _, lossy) = EUC_KR.encode(&text);
    assert!(!lossy && cp949.len() > 1 << 20);
    assert_eq!(read(&cp949), lines);
    let little: Vec<u8> = "\u{feff}".chars().chain(text.chars()).flat_map(|c| (c as u16).to_le_bytes()).collect();
    assert_eq!(read(&little), lines);
}

#[test]
fn bytes_of_no_encoding_are_named_with_their_line() {
    let text = "정말 재미있는 영화\n돈이 아깝다 ".as_bytes();
    let bad = |bytes: &[u8]| problem(&[text, bytes].concat(), "a.txt");
    assert_eq!(
        bad(b"\xff\xfe\n"),
        "a.txt: byte 44 (0xff) on line 2 is neither UTF-8 nor CP949 (EUC-KR); save the file as UTF-8"
    );
    // U+D83D of a smile as CESU-8 and WTF-8 have it.
    let surrogate = bad(b"\xed\xa0\xbd\xed\xb8\x8a\n");
    assert!(surrogate.contains("byte 44 (0xed) on line 2"), "{surrogate}");
    assert!(surrogate.contains("half a surrogate pair"), "{surrogate}");
    assert!(bad("끝".as_bytes().split_last().unwrap().1).contains("byte 44 (0xeb) on line 2"));
}

#[test]
fn a_bad_byte_beyond_the_first_megabyte_of_cp949_is_named_too() {
    let mut bytes = EUC_KR.encode(&"재미있는 영화였다\n".repeat(100_000)).0.into_owned();
    let at = bytes.len();
    bytes.extend(b"\xb0\xa1\xff\xff\n");
    let error = problem(&bytes, "a.txt");
    assert!(error.contains(&format!("byte {} (0xff) on line 100001", at + 2)), "{error}");
}

#[test]
fn damaged_empty_and_wrong_files_say_what_they_are() {
    let whole = gzip("재미있는 영화\n".repeat(1000).as_bytes());
    for cut in [whole.len() - 1, whole.len() - 9, 12] {
        assert!(problem(&whole[..cut], "a.txt.gz").starts_with("a.txt.gz: damaged gzip file"));
    }
    assert!(problem("영화\n".as_bytes(), "a.txt.gz").starts_with("a.txt.gz: damaged gzip file"));
    assert_eq!(problem(b"", "a.txt"), "a.txt: no texts; a corpus needs at least one");
    assert_eq!(problem(b"\n \n", "a.txt"), "a.txt: no texts (2 blank lines); a corpus needs at least one");
    assert!(problem(b"a,b\n", "a.csv").starts_with("a.csv: not raw text by its name; use .txt or .txt.gz"));
    let dir = tempfile::tempdir().unwrap();
    let error = |path: &Path| Corpus::open(&[CorpusSource::File(path.into())]).unwrap_err();
    let missing = error(&dir.path().join("no.txt"));
    assert!(missing.to_string().contains("no.txt: cannot read") && missing.exit_code() == 2);
    let folder = dir.path().join("folder.txt");
    fs::create_dir(&folder).unwrap();
    assert!(error(&folder).to_string().contains("is a directory"));
    assert_eq!(error(&folder).exit_code(), 2);
    let none = Corpus::open(&[]).unwrap().counts().unwrap_err();
    assert!(matches!(none, DataError::EmptyCorpus { .. }));
}

#[test]
fn a_wrong_column_has_the_recipes_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    fs::write(&path, "id,review\n1,영화\n").unwrap();
    let columns = Columns { text: "reviews".into(), ..Columns::default() };
    let error = Corpus::open(&[CorpusSource::Table { path, columns }]).unwrap_err().to_string();
    assert!(error.starts_with("data.text: column \"reviews\" not in "), "{error}");
}

#[test]
fn an_absurdly_long_line_comes_in_pieces_and_a_line_as_long_as_a_piece_does_not() {
    let exact = "a".repeat(LONGEST);
    assert_eq!(read(format!("{exact}\n끝\n").as_bytes()), [exact.as_str(), "끝"]);
    let spaced = "재미있는 영화 ".repeat(200_000);
    let solid = "영화".repeat(400_000);
    for text in [spaced.trim(), &solid] {
        let from_file = read(format!("{text}\n끝").as_bytes());
        assert!(from_file.len() > 3 && from_file.iter().all(|piece| piece.len() <= LONGEST));
        let words = |pieces: &[String], joint: &str| pieces[..pieces.len() - 1].join(joint);
        assert_eq!(words(&from_file, if text == solid { "" } else { " " }), text);
        let from_memory: Vec<String> = memory(&[text, "끝"]).texts().collect::<Result<_>>().unwrap();
        assert_eq!(from_memory, from_file);
    }
}

#[test]
fn windows_are_bounded_and_miss_nothing() {
    let lines: Vec<String> = (0..1000).map(|n| format!("{n}번째 영화")).collect();
    let corpus = memory(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut texts, mut window, mut all) = (corpus.texts(), Vec::new(), Vec::new());
    loop {
        fill(&mut texts, &mut window, 1000).unwrap();
        if window.is_empty() {
            break;
        }
        assert!(window.iter().map(String::len).sum::<usize>() <= 1000);
        all.append(&mut window);
    }
    assert_eq!(all, lines);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for name in ["a.txt", "a.txt.gz"] {
            let (_dir, corpus) = file(&bytes, name);
            if let Ok(corpus) = corpus {
                let _ = corpus.texts().count();
            }
        }
    }

    #[test]
    fn lines_of_printable_text_come_back_as_they_were(
        lines in proptest::collection::vec("[가-힣ㄱ-ㅣa-z0-9♥😊.,!?]([가-힣ㅋㅠ a-z]{0,20}[가-힣])?", 1..40),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        zipped in any::<bool>(),
    ) {
        let text = lines.join(end);
        let bytes = if zipped { gzip(text.as_bytes()) } else { text.into_bytes() };
        let (_dir, corpus) = file(&bytes, if zipped { "a.txt.gz" } else { "a.txt" });
        let corpus = corpus.unwrap();
        prop_assert_eq!(corpus.texts().collect::<Result<Vec<_>>>().unwrap(), lines);
    }
}

#[test]
fn a_cleaned_corpus_is_cleaned_text_by_text_and_leaves_out_what_becomes_empty() {
    let source = CorpusSource::Texts {
        name: "texts".into(),
        texts: Arc::from(["좋다ㅋㅋㅋㅋ".into(), "최악".to_owned()]),
    };
    let config = crate::CleanConfig { repeats: 2, stop_words: vec!["최악".into()], ..Default::default() };
    let plain = Corpus::open(&[source]).unwrap();
    let before = plain.fingerprint().unwrap();
    let cleaned = plain.cleaned(config.fit(&[]).unwrap());
    assert_eq!(cleaned.texts().collect::<Result<Vec<_>>>().unwrap(), ["좋다ㅋㅋ"]);
    assert_ne!(cleaned.fingerprint().unwrap(), before);
    assert_eq!(cleaned.counts().unwrap(), CorpusCounts { texts: 1, bytes: 12, empty: 1 });
}
