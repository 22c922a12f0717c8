//! `gyeol completions`.

use crate::support::Sandbox;

#[test]
fn every_common_shell_gets_a_script_that_knows_the_commands() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let ran = sandbox.gyeol(&["completions", shell]);
        assert_eq!(ran.code, Some(0));
        assert!(
            ran.stdout.contains("init") && (ran.stdout.contains("--home") || ran.stdout.contains("-l home")),
            "{shell}"
        );
    }
}
