//! The arrows between source files: which file uses names that another file defines. Re-exports are followed.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::{Token, test_modules, text, tokens, without_tests};

/// A path of modules from the crate's root, and perhaps a name at its end.
type Path = Vec<String>;

/// The files of a crate and the arrows between them.
pub struct Graph {
    /// From one file to another, with the names that the first takes from the second.
    pub arrows: BTreeMap<(String, String), BTreeSet<String>>,
    /// All files, and each one's module.
    modules: BTreeMap<Path, String>,
}

/// The names of other modules' items that a module uses.
#[derive(Default)]
struct Module {
    /// The names that `use` brings into scope, and the path of each. For other modules these are re-exports.
    names: BTreeMap<String, Path>,
    /// The names that it only re-exports, by `pub use`.
    handed_on: BTreeSet<String>,
    /// Names with a path, as in `super::name`, or with a module of its own, as in `child::name`.
    paths: BTreeSet<Path>,
}

impl Graph {
    /// The graph of a crate's files, each a path below the crate's folder and its text.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Graph {
        let mut files: Vec<_> = files.into_iter().map(|(file, text)| (file, tokens(text))).collect();
        let tests_of = |(file, tokens): &(&str, Vec<Token<'a>>)| {
            let base = module(file);
            test_modules(tokens)
                .into_iter()
                .map(move |test| [&base[..], &[test.to_owned()]].concat())
                .collect::<Vec<_>>()
        };
        let tests: BTreeSet<Path> = files.iter().flat_map(tests_of).collect();
        files.retain(|(file, _)| !tests.contains(&module(file)));
        let modules: BTreeMap<Path, String> =
            files.iter().map(|(file, _)| (module(file), (*file).to_owned())).collect();
        let mut said: BTreeMap<Path, Module> = BTreeMap::new();
        for (file, tokens) in &files {
            read(&module(file), &without_tests(tokens), &mut said);
        }
        let mut graph = Graph { arrows: BTreeMap::new(), modules };
        for (base, module) in &said {
            let used = module.paths.iter().map(|path| path[0].as_str()).collect::<BTreeSet<_>>();
            let by_paths = |name: &str, path: &Path| used.contains(name) && graph.is_module(base, path);
            let brought = module.names.iter().filter(|(name, _)| !module.handed_on.contains(*name));
            for (_, path) in brought.filter(|(name, path)| !by_paths(name, path)).collect::<Vec<_>>() {
                graph.point(base, path, &said);
            }
            // A path that begins with a name from a `use` has its arrow already, unless that name is a module.
            let named = |path: &&Path| match module.names.get(&path[0]) {
                Some(alias) => module.handed_on.contains(&path[0]) || graph.is_module(base, alias),
                None => true,
            };
            for path in module.paths.iter().filter(named).collect::<Vec<_>>() {
                graph.point(base, path, &said);
            }
        }
        graph
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.modules.values().map(String::as_str)
    }

    /// The files to which a file has arrows.
    fn targets<'a>(&'a self, file: &'a str) -> impl Iterator<Item = &'a str> {
        self.arrows.keys().filter(move |(from, _)| from == file).map(|(_, to)| to.as_str())
    }

    /// The circles: for each, the arrows between its files. Two files are in one circle if each reaches the other.
    pub fn circles(&self) -> Vec<Vec<(&str, &str)>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> = self.files().map(|file| (file, self.reached(file))).collect();
        let together = |a: &str, b: &str| reached[a].contains(b) && reached[b].contains(a);
        let mut circles: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for (from, to) in self.arrows.keys().filter(|(from, to)| together(from, to)) {
            let first = self.files().find(|file| together(file, from)).unwrap_or(from);
            circles.entry(first).or_default().push((from, to));
        }
        circles.into_values().collect()
    }

    /// All files that can be reached from a file along the arrows.
    fn reached<'a>(&'a self, file: &'a str) -> BTreeSet<&'a str> {
        let (mut found, mut next) = (BTreeSet::new(), vec![file]);
        while let Some(file) = next.pop() {
            next.extend(self.targets(file).filter(|to| found.insert(*to)));
        }
        found
    }

    /// Adds the arrow from a module to the file that defines the name, if that is another file of the crate.
    fn point(&mut self, base: &[String], path: &[String], said: &BTreeMap<Path, Module>) {
        let absolute = self.absolute(base, path, said);
        let Some(to) = absolute.and_then(|path| self.defining(path, said, 0)) else { return };
        let from = &self.modules[&self.file_module(base)];
        if *from != to {
            let name = path.last().cloned().unwrap_or_default();
            self.arrows.entry((from.clone(), to)).or_default().insert(name);
        }
    }

    /// The longest beginning of this path that is a file's module.
    fn file_module(&self, path: &[String]) -> Path {
        let known = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]));
        path[..known.unwrap_or(0)].to_vec()
    }

    fn is_module(&self, base: &[String], path: &[String]) -> bool {
        self.absolute(base, path, &BTreeMap::new()).is_some_and(|path| self.modules.contains_key(&path))
    }

    /// The path from the root; none if it leads out of the crate or stays within the module.
    fn absolute(&self, base: &[String], path: &[String], said: &BTreeMap<Path, Module>) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        let below = |base: &[String], rest: &[String]| [base, rest].concat();
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some(below(base, rest)),
            "super" => {
                let outer = &base[..base.len().saturating_sub(1)];
                let more = rest.first().is_some_and(|next| next == "super");
                if more { self.absolute(outer, rest, said) } else { Some(below(outer, rest)) }
            }
            child if self.modules.contains_key(&below(base, &[child.to_owned()])) => Some(below(base, path)),
            name => {
                let alias = said.get(base)?.names.get(name).filter(|alias| *alias != path)?;
                Some(below(&self.absolute(base, alias, &BTreeMap::new())?, rest))
            }
        }
    }

    /// The file that defines what this path names.
    fn defining(&self, path: Path, said: &BTreeMap<Path, Module>, depth: usize) -> Option<String> {
        let module = self.file_module(&path);
        let handed_on = path.get(module.len()).and_then(|name| said.get(&module)?.names.get(name));
        let Some(onward) = handed_on.filter(|_| depth < 16).and_then(|onward| self.absolute(&module, onward, said))
        else {
            return self.modules.get(&module).cloned();
        };
        let onward = [onward, path[module.len() + 1..].to_vec()].concat();
        if onward == path { self.modules.get(&module).cloned() } else { self.defining(onward, said, depth + 1) }
    }
}

/// The module that a file is.
fn module(file: &str) -> Path {
    let mut path: Path = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if ["mod", "lib", "main"].contains(&path[path.len() - 1].as_str()) {
        path.pop();
    }
    path
}

/// Collects the names in the tokens of a file, for its module and for inline modules.
fn read(base: &[String], tokens: &[Token<'_>], said: &mut BTreeMap<Path, Module>) {
    let (mut base, mut depth, mut inner, mut at) = (base.to_vec(), 0usize, Vec::new(), 0);
    let mut public = false;
    said.entry(base.clone()).or_default();
    while at < tokens.len() {
        let module = said.entry(base.clone()).or_default();
        let (word, next) = (tokens[at].text, text(tokens, at + 1));
        let was_public = std::mem::take(&mut public);
        match word {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inner.last() == Some(&depth) {
                    inner.pop();
                    base.pop();
                }
            }
            "mod" if text(tokens, at + 2) == "{" => {
                inner.push(depth);
                base.push(next.to_owned());
                at += 1;
            }
            "pub" => {
                public = true;
                if next == "(" {
                    at += tokens[at..].iter().position(|token| token.text == ")").unwrap_or(0);
                }
            }
            "use" if next != "<" => {
                for (path, name) in leaves(tokens, &mut at, Vec::new()) {
                    if was_public {
                        module.handed_on.insert(name.clone());
                    }
                    module.names.insert(name, path);
                }
            }
            _ if next == "::" && is_name(word) && (at == 0 || text(tokens, at - 1) != "::") => {
                let mut path = vec![word.to_owned()];
                while text(tokens, at + 1) == "::" && is_name(text(tokens, at + 2)) {
                    path.push(text(tokens, at + 2).to_owned());
                    at += 2;
                }
                module.paths.insert(path);
            }
            _ => {}
        }
        at += 1;
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The paths of a `use`, each with the name that it brings into scope. Afterwards the index is at the last token of the tree.
fn leaves(tokens: &[Token<'_>], at: &mut usize, mut path: Path) -> Vec<(Path, String)> {
    loop {
        *at += 1;
        match text(tokens, *at) {
            "{" => {
                let mut all = Vec::new();
                while !["}", ""].contains(&text(tokens, *at + 1)) {
                    all.extend(leaves(tokens, at, path.clone()));
                    if text(tokens, *at + 1) == "," {
                        *at += 1;
                    }
                }
                *at += 1;
                return all;
            }
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        let mut name = path.last().cloned().unwrap_or_default();
        match text(tokens, *at + 1) {
            "::" => {
                *at += 1;
                continue;
            }
            "as" => {
                *at += 2;
                name = text(tokens, *at).to_owned();
            }
            _ => {}
        }
        return vec![(path, name)];
    }
}

#[test]
fn a_circle_shows_through_re_exports() {
    let tree = |low| {
        Graph::new([
            ("lib.rs", "mod a; mod low; #[cfg(test)] mod tests; pub use a::{A, B as C};"),
            ("tests.rs", "use crate::low::helper;"),
            ("a/mod.rs", "mod inner; mod other; pub use inner::A; pub(crate) use other::B;"),
            ("a/inner.rs", "use crate::low::{self, helper}; pub struct A; fn f() { low::g(); }"),
            ("a/other.rs", "use super::A; pub struct B;"),
            ("low.rs", low),
        ])
    };
    let arrows = |graph: &Graph| graph.arrows.keys().map(|(from, to)| format!("{from} -> {to}")).collect::<Vec<_>>();
    let sound = tree("pub fn helper() {} /* crate::A */ #[cfg(test)] mod tests { use crate::A; }");
    assert_eq!(arrows(&sound), ["a/inner.rs -> low.rs", "a/other.rs -> a/inner.rs"]);
    assert!(sound.circles().is_empty());
    let inline = tree("pub fn helper() -> Option<crate::A> { None }");
    assert_eq!(inline.circles(), [[("a/inner.rs", "low.rs"), ("low.rs", "a/inner.rs")]]);
    let renamed = tree("use crate::C; pub fn helper(c: C) {}");
    let circle = [("a/inner.rs", "low.rs"), ("a/other.rs", "a/inner.rs"), ("low.rs", "a/other.rs")];
    assert_eq!(renamed.circles(), [circle]);
    let taken: Vec<_> = renamed.arrows.values().flatten().map(String::as_str).collect();
    assert_eq!(taken, ["g", "helper", "A", "C"]);
}
