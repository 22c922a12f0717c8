//! The words of the command line.

use crate::support::Sandbox;

#[test]
fn help_of_every_command_has_examples() {
    let sandbox = Sandbox::new();
    for (name, args) in [
        ("help", vec!["--help"]),
        ("help_init", vec!["init", "--help"]),
        ("help_clean", vec!["clean", "--help"]),
        ("help_adapt", vec!["adapt", "--help"]),
        ("help_pretrain", vec!["pretrain", "--help"]),
        ("help_predict", vec!["predict", "--help"]),
        ("help_profile", vec!["profile", "--help"]),
        ("help_evaluate", vec!["evaluate", "--help"]),
        ("help_runs_ls", vec!["runs", "ls", "--help"]),
        ("help_runs_show", vec!["runs", "show", "--help"]),
        ("help_runs_rm", vec!["runs", "rm", "--help"]),
        ("help_runs_export", vec!["runs", "export", "--help"]),
        ("help_runs_rebuild", vec!["runs", "rebuild", "--help"]),
        ("help_runs_note", vec!["runs", "note", "--help"]),
        ("help_runs_submissions", vec!["runs", "submissions", "--help"]),
        ("help_runs_tag", vec!["runs", "tag", "--help"]),
        ("help_completions", vec!["completions", "--help"]),
    ] {
        let ran = sandbox.gyeol(&args);
        assert!(ran.stdout.contains("Examples:"), "{name}");
        insta::assert_snapshot!(name, ran.all());
    }
}

#[test]
fn wrong_words_are_the_users_mistake() {
    let sandbox = Sandbox::new();
    for args in [vec!["trian"], vec!["runs", "ls", "--threads", "0"], vec!["runs", "ls", "-q", "-v"], vec![]] {
        let ran = sandbox.gyeol(&args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
    }
}
