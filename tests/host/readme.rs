//! The README's example from a CSV file to a confusion matrix: the code is that of the example, and prints the README's matrix.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::fs;

thread_local! {
    /// The text that the examples print.
    static PRINTED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Stands in for the standard library's in the modules below.
macro_rules! println {
    ($($words:tt)*) => {{
        let line = format!("{}\n", format_args!($($words)*));
        crate::readme::PRINTED.with_borrow_mut(|printed| printed.push_str(&line));
    }};
}

#[path = "../../examples/flowers.rs"]
mod flowers;
#[path = "../../examples/make_flowers.rs"]
mod make_flowers;

fn file(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap().replace("\r\n", "\n")
}

fn printed() -> String {
    PRINTED.take()
}

/// The README's fenced blocks after this heading, without their fences.
fn blocks(heading: &str) -> Vec<String> {
    let readme = file("README.md");
    let (_, section) = readme.split_once(heading).unwrap();
    let mut parts = section.split("```");
    parts.next();
    parts.step_by(2).map(|block| block.split_once('\n').unwrap().1.to_owned()).collect()
}

const HEADING: &str = "## From a CSV file to a confusion matrix\n";

#[test]
fn the_code_is_the_examples() {
    let code = &blocks(HEADING)[0];
    let example = file("examples/flowers.rs");
    let body = example.split_once("Result<()> {\n").unwrap().1.split_once("    Ok(())\n").unwrap().0;
    let body: String = body.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let shown: String = code.lines().filter(|line| !line.starts_with("# ")).map(|line| format!("{line}\n")).collect();
    assert_eq!(shown, body);
    assert!(shown.lines().filter(|line| !line.is_empty() && !line.starts_with("//")).count() < 10);
}

#[test]
fn it_prints_the_readmes_matrix() {
    flowers::main().unwrap();
    let (words, matrix) = (printed(), &blocks(HEADING)[1]);
    assert!(words.contains(matrix.as_str()), "{words}");
}

#[test]
fn the_flowers_are_what_their_generator_makes() {
    make_flowers::main();
    assert_eq!(printed(), file("examples/data/flowers.csv"));
}
