//! Finding models without a network: in directories, in a cache made here, and on a hub served by the test.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
};

use super::{HubError, HubOptions, resolve};

fn offline(cache_dir: &Path) -> HubOptions {
    HubOptions {
        cache_dir: cache_dir.to_owned(),
        offline: true,
        // Nothing listens on this port.
        endpoint: "http://127.0.0.1:1".to_owned(),
        token: None,
        weights: true,
        progress: false,
    }
}

/// A cache that holds `files` of klue/roberta-base, as the Hugging Face tools leave them.
fn cache(files: &[(&str, &str)]) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("models--klue--roberta-base");
    let snapshot = model.join("snapshots/0123abcd");
    fs::create_dir_all(model.join("refs")).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(model.join("refs/main"), "0123abcd").unwrap();
    for (name, text) in files {
        fs::write(snapshot.join(name), text).unwrap();
    }
    (dir, snapshot)
}

#[test]
fn a_directory_is_itself() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().to_str().unwrap();
    assert_eq!(resolve(base, &offline(Path::new("none"))).unwrap(), dir.path());
}

#[test]
fn a_path_to_nothing_suggests_the_nearest_directory() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("kcbert-base")).unwrap();
    let base = dir.path().join("kcbert-bse");
    let error = resolve(base.to_str().unwrap(), &offline(dir.path())).unwrap_err();
    assert!(error.is_user_error());
    let message = error.to_string();
    assert!(message.contains("no such directory") && message.ends_with("kcbert-base\"?"), "{message}");
}

#[test]
fn a_file_is_not_a_checkpoint_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = resolve(file.path().to_str().unwrap(), &offline(Path::new("none"))).unwrap_err();
    assert!(matches!(error, HubError::NotADirectory { .. }));
}

#[test]
fn a_hub_id_is_found_in_the_cache_once_every_file_is_there() {
    let single = [("config.json", "{}"), ("vocab.txt", ""), ("pytorch_model.bin", "")];
    let (dir, snapshot) = cache(&single);
    assert_eq!(resolve("klue/roberta-base", &offline(dir.path())).unwrap(), snapshot);
    for missing in 0..single.len() {
        let mut files = single.to_vec();
        files.remove(missing);
        let (dir, _) = cache(&files);
        let error = resolve("klue/roberta-base", &offline(dir.path())).unwrap_err();
        assert!(matches!(error, HubError::NotCached { .. }) && error.is_user_error(), "{error}");
    }
}

#[test]
fn weights_in_shards_count_when_all_are_there_and_fresh_weights_need_none() {
    let index = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    let mut files = vec![
        ("config.json", "{}"),
        ("tokenizer.json", "{}"),
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", ""),
    ];
    let (dir, _) = cache(&files);
    assert!(resolve("klue/roberta-base", &offline(dir.path())).is_err());
    assert!(resolve("klue/roberta-base", &HubOptions { weights: false, ..offline(dir.path()) }).is_ok());
    files.push(("model-2.safetensors", ""));
    let (dir, _) = cache(&files);
    assert!(resolve("klue/roberta-base", &offline(dir.path())).is_ok());
}

#[test]
fn shards_that_leave_the_directory_are_no_index() {
    assert!(super::snapshot::shards(br#"{"weight_map": {"a": "../../etc/passwd"}}"#).is_none());
    assert!(super::snapshot::shards(b"[]").is_none());
}

#[test]
fn no_network_is_not_the_users_error_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let options = HubOptions { offline: false, ..offline(dir.path()) };
    let error = resolve("klue/roberta-base", &options).unwrap_err();
    assert!(!error.is_user_error());
    let message = error.to_string();
    assert!(message.contains("cannot reach http://127.0.0.1:1") && message.contains("HF_HUB_OFFLINE=1"), "{message}");
}

/// Serves one model's files as the hub does, a connection a request, until the test's process ends.
fn hub(files: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), files);
        }
    });
    endpoint
}

fn answer(mut stream: TcpStream, files: &[(&str, &str)]) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let request = lines.next().unwrap();
    let range = lines.take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
        name.eq_ignore_ascii_case("range").then_some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?))
    });
    let path = request.split(' ').nth(1).unwrap();
    let (status, headers, body) = if path == "/api/models/org/tiny/revision/main" {
        let siblings: Vec<_> = files.iter().map(|(name, _)| serde_json::json!({ "rfilename": name })).collect();
        ("200 OK", String::new(), serde_json::json!({ "siblings": siblings, "sha": "c0ffee" }).to_string())
    } else if let Some((name, text)) = files.iter().find(|(name, _)| path == format!("/org/tiny/resolve/main/{name}")) {
        let size = text.len();
        let (from, to) = range.map_or((0, size), |(from, to)| (from, (to + 1).min(size)));
        let headers = format!(
            "x-repo-commit: c0ffee\r\netag: \"{name}-1\"\r\ncontent-range: bytes {from}-{}/{size}\r\n",
            to.saturating_sub(1)
        );
        ("206 Partial Content", headers, text[from..to].to_owned())
    } else {
        ("404 Not Found", String::new(), String::new())
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .unwrap();
}

#[test]
fn a_model_is_downloaded_once_and_then_found_offline() {
    let endpoint = hub(&[
        ("README.md", "not wanted"),
        ("config.json", "{}"),
        ("vocab.txt", "[PAD]"),
        ("tokenizer_config.json", "{ }"),
        ("model.safetensors.index.json", r#"{"weight_map": {"a": "model-1.safetensors"}}"#),
        ("model-1.safetensors", "weights"),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let online = HubOptions { offline: false, endpoint, ..offline(dir.path()) };
    let snapshot = resolve("org/tiny", &online).unwrap();
    assert_eq!(fs::read_to_string(snapshot.join("model-1.safetensors")).unwrap(), "weights");
    assert!(snapshot.join("tokenizer_config.json").is_file() && !snapshot.join("README.md").exists());
    assert_eq!(resolve("org/tiny", &offline(dir.path())).unwrap(), snapshot);

    let error = resolve("org/tinny", &online).unwrap_err();
    assert!(matches!(error, HubError::NotOnHub { status: 404, .. }) && error.is_user_error(), "{error}");
}

#[test]
fn a_hub_model_without_a_tokenizer_is_refused_before_its_weights_are_downloaded() {
    let endpoint = hub(&[("config.json", "{}"), ("model.safetensors", "weights")]);
    let dir = tempfile::tempdir().unwrap();
    let error = resolve("org/tiny", &HubOptions { offline: false, endpoint, ..offline(dir.path()) }).unwrap_err();
    assert!(matches!(error, HubError::Incomplete { .. }) && error.is_user_error(), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
