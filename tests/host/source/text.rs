//! How long files and functions are, and how comments begin.

use super::lexer::{Token, text, tokens};
use super::{files, none};

const LONGEST_FILE: usize = 300;
const LONGEST_FUNCTION: usize = 60;

/// Rust, shaders and scripts of `src/`, `shaders/` and `tests/`, each by its path from the root. Scripts have no file
/// extension.
fn all_files() -> Vec<(String, String)> {
    let of = |folder: &'static str| {
        let named = files(folder, &[""]).into_iter().map(move |(file, text)| (format!("{folder}/{file}"), text));
        named.filter(|(file, _)| file.ends_with(".rs") || file.ends_with(".wgsl") || is_script(file))
    };
    ["src", "shaders", "tests"].into_iter().flat_map(of).collect()
}

fn is_script(file: &str) -> bool {
    !file.rsplit('/').next().is_some_and(|name| name.contains('.'))
}

/// Each function's name, first line and number of lines.
fn functions(source: &str) -> Vec<(String, usize, usize)> {
    let tokens = tokens(source);
    let begins = (0..tokens.len()).filter(|at| tokens[*at].text == "fn" && text(&tokens, at + 1) != "(");
    let ended = begins.filter_map(|begin| Some((begin, body_end(&tokens, begin)?)));
    ended
        .map(|(begin, end)| (text(&tokens, begin + 1).to_owned(), tokens[begin].line, 1 + end - tokens[begin].line))
        .collect()
}

/// The line of the brace that ends this function; none if it is only declared.
fn body_end(tokens: &[Token<'_>], begin: usize) -> Option<usize> {
    let mut depth = 0usize;
    for token in &tokens[begin..] {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" if depth <= 1 => return Some(token.line),
            "}" => depth -= 1,
            ";" if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The lines on which a comment begins with these words.
fn comments_beginning(source: &str, words: &str) -> Vec<usize> {
    let comment = |line: &str| {
        let text = line.trim_start().strip_prefix("//")?;
        Some(text.trim_start_matches(['/', '!']).trim_start().to_owned())
    };
    let (mut found, mut inside) = (Vec::new(), false);
    for (index, line) in source.lines().enumerate() {
        let text = comment(line);
        if !inside && text.as_ref().is_some_and(|text| text.starts_with(words)) {
            found.push(index + 1);
        }
        // A blank line of a comment ends a paragraph, and the next line starts a new one.
        inside = text.is_some_and(|text| !text.is_empty());
    }
    found
}

#[test]
fn files_are_short() {
    let long = all_files().into_iter().map(|(file, text)| (file, text.lines().count()));
    let long = long.filter(|(_, lines)| *lines > LONGEST_FILE);
    let found: Vec<_> = long.map(|(file, lines)| (file.clone(), format!("{file} has {lines} lines"))).collect();
    none("no file has more than 300 lines", &found);
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    for (file, text) in all_files().iter().filter(|(file, _)| !is_script(file)) {
        for (name, line, lines) in functions(text).into_iter().filter(|(_, _, lines)| *lines > LONGEST_FUNCTION) {
            found.push((format!("{file} {name}"), format!("{file}:{line}: {name} has {lines} lines")));
        }
    }
    none("no function has more than 60 lines", &found);
}

#[test]
fn comments_can_be_read_alone() {
    let words = ["The", "same"].join(" ");
    let mut found = Vec::new();
    for (file, text) in all_files().iter().filter(|(file, _)| !is_script(file)) {
        let lines = comments_beginning(text, &words);
        found.extend(lines.iter().map(|line| (file.clone(), format!("{file}:{line} begins \"{words}\""))));
    }
    none("no comment begins \"The same\"", &found);
}

#[test]
fn long_functions_and_hasty_comments_are_found() {
    let long =
        format!("fn declared(x: [u8; 2]);\nfn f(g: fn(u8)) {{\n{}}}\nfn short() {{}}\n", "    { x }\n".repeat(59));
    assert_eq!(functions(&long), [("f".into(), 2, 61), ("short".into(), 63, 1)]);
    let source = "//! Title.\n//!\n//! The same words.\n// It is\n// The same line.\nx\n    /// The same thing.\n";
    assert_eq!(comments_beginning(source, "The same"), [3, 7]);
}
