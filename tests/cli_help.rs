//! The help texts are a contract with people's scripts and habits: a change shows here.

use std::process::Command;

use crate::support::plate::Plate;
use crate::support::program::{Desk, program};

fn help(words: &[&str]) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_crumple")).args(words).output().expect("the binary runs");
    assert!(run.status.success(), "{words:?} ends with {}", run.status);
    String::from_utf8(run.stdout).expect("UTF-8").lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!(help(&["--help"]));
}

#[test]
fn help_of_review() {
    insta::assert_snapshot!(help(&["review", "--help"]));
}

#[test]
fn help_of_suggest() {
    insta::assert_snapshot!(help(&["suggest", "--help"]));
}

#[test]
fn help_of_receipt() {
    insta::assert_snapshot!(help(&["receipt", "--help"]));
}

#[test]
fn help_of_train() {
    insta::assert_snapshot!(help(&["train", "--help"]));
}

#[test]
fn help_of_film() {
    insta::assert_snapshot!(help(&["film", "--help"]));
}

#[test]
fn help_of_serve() {
    insta::assert_snapshot!(help(&["serve", "--help"]));
}

#[test]
fn help_of_replay() {
    insta::assert_snapshot!(help(&["replay", "--help"]));
}

#[test]
fn help_of_watch() {
    insta::assert_snapshot!(help(&["watch", "--help"]));
}

#[test]
fn words_that_are_not_understood_end_with_2() {
    for words in [&["review"][..], &["review", "a", "b", "--out", "c", "--tolerance-mm", "-1"], &["rewiev"], &[]] {
        let run = Command::new(env!("CARGO_BIN_EXE_crumple")).args(words).output().expect("the binary runs");
        assert_eq!(run.status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn log_lines_come_when_the_environment_asks_for_them() {
    let desk = Desk::new(&Plate::new(0.0));
    let reviewed = |filter: &str, out: &str| {
        let mut command = program(desk.folder.path());
        command.args(["review", "run.vtkhdf", "test.h5", "--out", out, "--no-report"]);
        let run = command.env("CRUMPLE_LOG", filter).output().expect("the binary runs");
        (run.status.code(), String::from_utf8(run.stderr).expect("UTF-8"))
    };
    let (code, told) = reviewed("crumple=loud", "refused");
    assert!(code == Some(2) && told.contains("expected a filter such as"), "{told}");
    let (code, told) = reviewed("crumple=debug", "told");
    assert!(code == Some(0) && told.contains("DEBUG crumple::review"), "{told}");
    let (code, told) = reviewed("", "quiet");
    assert!(code == Some(0) && !told.contains("DEBUG"), "{told}");
}
