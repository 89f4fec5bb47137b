//! The results that `tests/report` gives the parts of `tests/run`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::process::Command;

/// Runs one part, which prints its second argument and ends with the exit code that is its third. The first is a folder.
const SCRIPT: &str = r#"
set -euo pipefail
scratch=$1 within=0
touch "$scratch/rows" "$scratch/results"
source tests/report
part huge driver sh -c 'printf "%s\n" "$1"; exit "$2"' sh "$2" "$3"
"#;

/// The result of a part that prints these lines and ends with this exit code, and everything that was printed.
fn reported(lines: &[&str], code: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", SCRIPT, "bash"]).arg(folder.path()).args([lines.join("\n").as_str(), code]);
    let output = bash.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result = fs::read_to_string(folder.path().join("results")).unwrap();
    (result.trim().into(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_part_whose_tests_are_all_ignored_is_skipped() {
    let why = "skipped: 7 huge cases, which take --full and a quick stack";
    let ignored = "test result: ok. 0 passed; 0 failed; 7 ignored; 0 measured; 0 filtered out; finished in 0.00s";
    let ran = "test result: ok. 10 passed; 0 failed; 7 ignored; 0 measured; 0 filtered out; finished in 9.00s";
    let empty = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
    let (result, printed) = reported(&[why, "running 7 tests", ignored], "0");
    assert_eq!(result, "skipped");
    let words =
        "skipped: huge, driver (all of its tests are ignored: 7 huge cases, which take --full and a quick stack)";
    assert!(printed.lines().any(|line| line == words), "{printed}");
    for lines in [&[why, ran][..], &[ignored, ran], &[empty], &["no tests at all"]] {
        assert_eq!(reported(lines, "0").0, "ok", "{lines:?}");
    }
    assert_eq!(reported(&[ignored], "1").0, "FAILED");
}
