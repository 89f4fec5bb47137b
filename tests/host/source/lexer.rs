//! Tokens of Rust and of WGSL: names, `::` and single characters, without comments, strings and tests.

/// A name, `::` or a character, and the line it stands on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

/// The tokens of a file. A string or a character literal counts as one token, which is a quotation mark.
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let (mut found, mut rest, mut line) = (Vec::new(), source, 1);
    while let Some(first) = rest.chars().next() {
        let length = length(rest, first);
        let text = &rest[..length];
        let is_string = text.len() > 1 && !text.starts_with(['/', '\'']) && text.ends_with(['"', '#']);
        if is_string || (first == '\'' && text.len() > 1 && text.ends_with('\'')) {
            found.push(Token { text: "\"", line });
        } else if !first.is_whitespace() && !text.starts_with("//") && !text.starts_with("/*") {
            found.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// How many bytes the token, comment or space at the beginning of this text has.
fn length(rest: &str, first: char) -> usize {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |at| at + 2);
    }
    if let Some(length) = string_length(rest) {
        return length;
    }
    if rest.starts_with("::") {
        return 2;
    }
    if name(first) {
        return rest.find(|c| !name(c)).unwrap_or(rest.len());
    }
    first.len_utf8()
}

/// The number of bytes of the string or character literal at the beginning of the text, if there is one.
fn string_length(rest: &str) -> Option<usize> {
    let plain = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - plain.len();
    if prefix <= 1 && plain.starts_with('"') {
        return Some(prefix + 1 + closing(&plain[1..], '"'));
    }
    if let Some(raw) = plain.strip_prefix('r').filter(|_| prefix <= 1) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = prefix + 1 + hashes + 1;
            return Some(rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len()));
        }
    }
    // A lifetime has no second quotation mark after its first character.
    let character = plain.strip_prefix('\'').filter(|_| prefix <= 1)?;
    let mut inside = character.chars();
    let is_literal = match inside.next()? {
        '\\' => true,
        _ => inside.next() == Some('\''),
    };
    is_literal.then(|| prefix + 1 + closing(character, '\''))
}

/// The number of bytes up to and including the first of these marks that has no backslash before it.
fn closing(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == mark && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// The tokens without the items that only tests and doctests compile.
pub fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if is_test(&tokens[at..]) {
            while text(tokens, at) == "#" {
                at = item_end(tokens, at + 1);
            }
            at = item_end(tokens, at);
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// The modules in files of their own that only tests and doctests compile.
pub fn test_modules<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for begin in (0..tokens.len()).filter(|begin| is_test(&tokens[*begin..])) {
        let mut item = begin;
        while text(tokens, item) == "#" {
            item = item_end(tokens, item + 1);
        }
        if text(tokens, item) == "mod" && text(tokens, item + 2) == ";" {
            found.push(text(tokens, item + 1));
        }
    }
    found
}

/// The token's text at this index; empty after the end.
pub fn text<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

fn is_test(tokens: &[Token<'_>]) -> bool {
    let begin: Vec<_> = tokens.iter().take(7).map(|token| token.text).collect();
    let condition = match begin[..] {
        ["#", "[", "cfg", "(", "all", "(", condition] | ["#", "[", "cfg", "(", condition, ..] => condition,
        _ => "",
    };
    ["test", "doctest"].contains(&condition)
}

/// The index after the attribute, item or field that begins here.
fn item_end(tokens: &[Token<'_>], begin: usize) -> usize {
    let mut depth = 0usize;
    for at in begin..tokens.len() {
        match tokens[at].text {
            "{" | "[" | "(" => depth += 1,
            close @ ("}" | "]" | ")") => {
                if depth <= 1 && (close == "}" || (close == "]" && text(tokens, begin) == "[")) {
                    return at + usize::from(depth == 1);
                }
                depth = depth.saturating_sub(1);
            }
            ";" | "," if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[test]
fn strings_comments_and_tests_are_left_out() {
    let source = r##"
use a::b; // not::this
/* nor::this
*/ let text = "x::y \" z::z"; let raw = r#"p::"q"#; let mark = '\''; fn life<'a>(x: &'a str) {}
#[cfg(test)]
#[allow(dead_code)]
mod tests { use hidden::path; fn f() { [1]; } }
struct S { #[cfg(test)] only: u8, kept: u8 }
"##;
    let all = tokens(source);
    let kept: Vec<_> = without_tests(&all).iter().map(|token| token.text).collect();
    let wanted = "use a :: b ; let text = \" ; let raw = \" ; let mark = \" ; \
                  fn life < ' a > ( x : & ' a str ) { } struct S { kept : u8 }";
    assert_eq!(kept.join(" "), wanted);
    assert_eq!(test_modules(&tokens("#[cfg(test)] #[allow(x)] mod a; mod b; #[cfg(test)] mod c { }")), ["a"]);
    assert_eq!(all.iter().find(|token| token.text == "struct").map(|token| token.line), Some(8));
}
