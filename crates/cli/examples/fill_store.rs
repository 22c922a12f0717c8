//! Times `gyeol runs ls` over many runs: `cargo run --release -p gyeol --example fill_store -- GYEOL [RUNS]`.
//!
//! Fills a home with run directories (10,000 unless told otherwise), half of them trials of a sweep, has them indexed by the
//! program at the path GYEOL, and then times the list five times.

#![allow(clippy::print_stdout, reason = "what it measured is what it is for")]

use std::{env, error::Error, fs, path::Path, process::Command, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let program = words.first().ok_or("usage: fill_store GYEOL [RUNS]")?;
    let count: usize = words.get(1).map_or(Ok(10_000), |count| count.parse())?;
    let home = tempfile::tempdir()?;
    for number in 1..=count {
        write(home.path(), number)?;
    }
    let timed = |words: &[&str]| -> Result<f64, Box<dyn Error>> {
        let began = Instant::now();
        let output = Command::new(program).args(words).arg("--home").arg(home.path()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(began.elapsed().as_secs_f64())
    };
    println!("{count} run directories; rebuild {:.2} s", timed(&["runs", "rebuild"])?);
    for words in [&["runs", "ls"][..], &["runs", "ls", "--all", "--sort", "-score", "--limit", "20"]] {
        let seconds = (0..5).map(|_| timed(words)).collect::<Result<Vec<f64>, _>>()?;
        let told: Vec<String> = seconds.iter().map(|seconds| format!("{seconds:.3}")).collect();
        println!("gyeol {}: {} s", words.join(" "), told.join(" "));
    }
    Ok(())
}

/// A finished run as a training leaves it, without its model.
fn write(home: &Path, number: usize) -> Result<(), Box<dyn Error>> {
    let name = format!("fill-{number:05}");
    let dir = home.join("runs").join(&name);
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("recipe.toml"), "name = \"fill\"\nseed = 42\n\n[train]\nepochs = 3\nlearning_rate = 2e-5\n")?;
    let begun = 1_700_000_000 + 60 * number;
    let score = (number * 7919 % 1000) as f64 / 1000.0;
    let events = format!(
        "{{\"time\":{begun}.0,\"event\":\"started\",\"metric\":\"accuracy\",\"total_steps\":40}}\n\
         {{\"time\":{}.5,\"event\":\"evaluation\",\"step\":40,\"epoch\":1.0,\"metrics\":{{\"accuracy\":{score}}}}}\n\
         {{\"time\":{}.0,\"event\":\"finished\",\"score\":{score}}}\n",
        begun + 50,
        begun + 55
    );
    fs::write(dir.join("events.jsonl"), events)?;
    if number.is_multiple_of(2) {
        fs::write(dir.join("made_for.toml"), format!("sweep = \"night\"\ntrial = {}\n", number / 2))?;
    }
    let report = format!(
        "{{\"run\":\"{name}\",\"score\":{score},\"metric\":\"accuracy\",\"metrics\":{{\"accuracy\":{score}}},\
         \"task\":\"classification\",\"best_step\":40,\"steps\":40,\"train_rows\":900,\"valid_rows\":100,\
         \"train_seconds\":50.0,\"samples_per_second\":18.0,\"tokens_per_second\":900.0,\
         \"predict_samples_per_second\":null,\"peak_rss_bytes\":null,\"threads\":2,\"isa\":\"avx2\",\"precision\":\"f32\",\
         \"data_fingerprint\":\"d\",\"text_fingerprint\":\"t\",\"recipe_fingerprint\":\"r\"}}"
    );
    fs::write(dir.join("report.json"), report)?;
    Ok(())
}
