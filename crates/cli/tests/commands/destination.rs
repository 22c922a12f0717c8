//! Where commands write: never over what they read, and only where it is known beforehand that they can.

use crate::{
    project::{Project, reviews},
    support::{Ran, Sandbox},
};

const TABLE: &str = "ID,review,label\n1,정말 재밌게 봤어요,3\n2,돈이 아깝다 ㅡㅡ,0\n3,그냥 그랬음,1\n4,배우 연기가 좋았다,2\n\
                     5,다시는 안 본다,0\n6,인생 영화 ㅠㅠ,3\n";

/// Predictions of two tools, of rows that are in `train.csv` and of others.
fn tools(sandbox: &Sandbox) {
    for (tool, p) in [("1", "0.625,0.375"), ("2", "0.75,0.25")] {
        let rows = |ids: &[&str]| {
            let lines = ids.iter().map(|id| format!("{id},{p}\n")).collect::<String>();
            format!("ID,p_neg,p_pos\n{lines}")
        };
        sandbox.write(&format!("v{tool}.csv"), &rows(&["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"]));
        sandbox.write(&format!("t{tool}.csv"), &rows(&["a", "b", "c"]));
    }
    sandbox.write("truth.csv", &reviews(8));
}

const ENSEMBLE: [&str; 9] =
    ["ensemble", "v1.csv,t1.csv", "v2.csv,t2.csv", "--truth", "truth.csv", "--label", "label", "--id", "ID"];

fn refused(ran: &Ran, words: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
    assert!(ran.stderr.contains(words), "{words:?} not in\n{}", ran.stderr);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
}

#[test]
fn no_command_writes_over_what_it_reads() {
    let project = Project::reviews();
    let sandbox = &project.0;
    project.report(&["--set", "train.max_steps=1"]);
    tools(sandbox);
    sandbox.write("cleaning.toml", &format!("{}\n[clean]\nrepeats = 2\n", sandbox.read("recipe.toml")));
    sandbox.write("sample.csv", "ID,label\na,neg\n");
    let before = project.files();
    let ensemble = |words: &[&'static str]| [&ENSEMBLE[..], words].concat();
    for args in [
        vec!["predict", "recipe-001", "test.csv", "-o", "test.csv"],
        vec!["predict", "recipe-001", "test.csv", "-o", "./base/../test.csv"],
        vec!["clean", "train.csv", "--text", "review", "-o", "train.csv"],
        vec!["clean", "test.csv", "--recipe", "cleaning.toml", "-o", "train.csv"],
        vec!["profile", "train.csv", "--html", "train.csv"],
        vec!["profile", "train.csv", "--test", "test.csv", "--html", "test.csv"],
        vec!["profile", "train.csv", "--recipe", "recipe.toml", "--html", "recipe.toml"],
        vec!["init", "train.csv", "-o", "train.csv", "--force"],
        vec!["init", "train.csv", "-o", "test.csv", "--force"],
        ensemble(&["-o", "v1.csv"]),
        ensemble(&["-o", "t2.csv"]),
        ensemble(&["-o", "truth.csv"]),
        ensemble(&["--submission", "sample.csv", "-o", "sample.csv"]),
    ] {
        refused(&sandbox.gyeol(&args), "is read by this command and would be lost");
    }
    assert!(project.files() == before, "a file changed");
}

#[cfg(unix)]
#[test]
fn a_link_to_what_is_read_is_known_as_it() {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", TABLE);
    std::os::unix::fs::symlink("train.csv", sandbox.path().join("link.csv")).unwrap();
    for [from, to] in [["train.csv", "link.csv"], ["link.csv", "train.csv"]] {
        refused(&sandbox.gyeol(&["clean", from, "--text", "review", "-o", to]), "would be lost");
    }
    assert_eq!(sandbox.read("train.csv"), TABLE);
}

/// A directory in which nobody can make a file.
#[cfg(target_os = "linux")]
#[test]
fn a_place_that_takes_no_files_is_refused_before_the_work() {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", TABLE);
    let predict = sandbox.gyeol(&["predict", "no-such-run", "train.csv", "-o", "/proc/out.csv"]);
    insta::assert_snapshot!("destination_not_writable", predict.all());
    for args in [
        vec!["init", "train.csv", "-o", "/proc/recipe.toml"],
        vec!["clean", "train.csv", "--text", "review", "-o", "/proc/out.csv"],
        vec!["profile", "train.csv", "--html", "/proc/out.html"],
        vec!["ensemble", "a", "b", "-o", "/proc/out.csv"],
        vec!["runs", "export", "-o", "/proc/out.csv"],
    ] {
        refused(&sandbox.gyeol(&args), "cannot write to the directory /proc (");
    }
}

#[test]
fn a_hyphen_is_standard_output() {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", TABLE);
    tools(&sandbox);
    let recipe = sandbox.gyeol(&["init", "train.csv", "-o", "-"]);
    assert!(recipe.code == Some(0) && recipe.stdout.starts_with("seed = 42\n"), "{}", recipe.all());
    assert!(recipe.stderr.contains("train.csv: 6 rows"), "{}", recipe.stderr);
    let page = sandbox.gyeol(&["profile", "train.csv", "--html", "-"]);
    assert!(page.code == Some(0) && page.stdout.starts_with("<!DOCTYPE html>"), "{}", page.all());
    let combined = sandbox.gyeol(&[&ENSEMBLE[..], &["-o", "-"]].concat());
    assert!(
        combined.code == Some(0) && combined.stdout.starts_with("ID,prediction,p_neg,p_pos\n"),
        "{}",
        combined.all()
    );
    assert_eq!(combined.stdout.lines().count(), 4);
    let export = sandbox.gyeol(&["runs", "export", "-o", "-"]);
    assert!(export.code == Some(0) && export.stdout.starts_with("run,status,"), "{}", export.all());
    refused(&sandbox.gyeol(&["init", "train.csv", "-o", "-", "--json"]), "--json: standard output cannot hold both");
    refused(&sandbox.gyeol(&["clean", "train.csv", "--text", "review", "-o", "-"]), "--output: ");
    assert!(!sandbox.path().join("-").exists());
}

/// A device is written to, and stays one.
#[cfg(unix)]
#[test]
fn a_device_is_written_to() {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", TABLE);
    let ran = sandbox.gyeol(&["init", "train.csv", "-o", "/dev/null", "--force"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}
