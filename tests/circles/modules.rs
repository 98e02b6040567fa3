//! Reads the modules of a crate: the names that `use` brings in, and the paths in their code.

use std::collections::{BTreeMap, BTreeSet};

use crate::tokens::tokens;

/// Names, each with the path of the module or item it refers to.
pub type Names = Vec<String>;

/// What the code of one module refers to. Tests are excluded, since they may use modules above them.
#[derive(Debug, Default)]
pub struct Module {
    /// Path relative to `src`.
    pub file: String,
    /// Child modules, in files of their own or inline.
    pub children: Vec<String>,
    /// Child modules that have a file.
    files: Vec<String>,
    /// The path that each imported name refers to.
    pub names: BTreeMap<String, Names>,
    /// Names that are re-exported.
    pub passed_on: Vec<Names>,
    /// Names that the module imports for itself.
    pub imported: Vec<Names>,
    /// Paths and single names in code.
    pub followed: Vec<Names>,
    /// Names of called methods, whatever their type.
    pub called: BTreeSet<String>,
    /// Names of all functions, including associated ones.
    pub functions: Vec<String>,
    /// Types with inherent methods in this module, and the names of these methods.
    pub extended: Vec<(Names, Vec<String>)>,
}

/// Reads the modules that `lib.rs` declares and their children; `source` returns the text of a file relative to `src`.
///
/// # Panics
/// If a module has no file, or glob-imports another module of the crate, which hides what it uses.
pub fn modules(source: &dyn Fn(&str) -> Option<String>) -> BTreeMap<Names, Module> {
    let mut waiting = vec![(Names::new(), "lib.rs".to_string())];
    let mut found = BTreeMap::new();
    while let Some((path, file)) = waiting.pop() {
        let text = source(&file).unwrap_or_else(|| panic!("cannot read {file}"));
        let mut reader = Reader { tokens: tokens(&text), at: 0, file, found: Vec::new() };
        reader.read_module(&path);
        for (path, module) in reader.found {
            for child in &module.files {
                let path = [path.clone(), vec![child.clone()]].concat();
                let stem = path.join("/");
                let alone = format!("{stem}.rs");
                let file = if source(&alone).is_some() { alone } else { format!("{stem}/mod.rs") };
                waiting.push((path, file));
            }
            found.insert(path, module);
        }
    }
    found
}

struct Reader {
    tokens: Vec<String>,
    at: usize,
    file: String,
    found: Vec<(Names, Module)>,
}

impl Reader {
    /// Returns the token `ahead` positions after the next one.
    fn peek(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", String::as_str)
    }

    fn take(&mut self) -> String {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned().unwrap_or_default()
    }

    fn before(&self) -> &str {
        self.at.checked_sub(1).map_or("", |at| &self.tokens[at])
    }

    /// Reads to the end of the module, including its closing brace.
    fn read_module(&mut self, path: &Names) {
        let mut module = Module { file: self.file.clone(), ..Module::default() };
        let (mut depth, mut extends) = (0_usize, false);
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "#" if ["[", "cfg", "(", "test", ")"].iter().enumerate().all(|(i, t)| self.peek(i + 1) == *t) => {
                    self.skip_item();
                }
                "mod" if [";", "{"].contains(&self.peek(2)) => self.read_child(path, &mut module),
                "use" => self.read_use(&mut module),
                "impl" if depth == 0 => extends = self.read_impl(&mut module),
                "fn" => self.read_function(&mut module, extends && depth == 1),
                "{" => (depth, self.at) = (depth + 1, self.at + 1),
                "}" if depth == 0 => break,
                "}" => (depth, self.at) = (depth - 1, self.at + 1),
                _ => self.read_path(&mut module),
            }
        }
        self.at += 1;
        self.found.push((path.clone(), module));
    }

    /// Skips attributes and the items they belong to.
    fn skip_item(&mut self) {
        let mut is_use = false;
        while self.peek(0) == "#" {
            self.at += 1;
            self.skip_group();
        }
        loop {
            match self.peek(0) {
                "" => return,
                ";" => return self.at += 1,
                "{" if !is_use => return self.skip_group(),
                "{" | "(" | "[" => self.skip_group(),
                name => (is_use, self.at) = (is_use || name == "use", self.at + 1),
            }
        }
    }

    /// Skips everything between brackets of any kind.
    fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.take().as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" if depth == 1 => return,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
        }
    }

    fn read_child(&mut self, path: &Names, module: &mut Module) {
        self.at += 1;
        let name = self.take();
        let has_file = self.take() == ";";
        // A module that is replaced by a `cfg` is declared twice; the first declaration is the usual one.
        let is_new = !module.children.contains(&name);
        if has_file && is_new {
            module.files.push(name.clone());
        }
        if !has_file {
            self.read_module(&[path.clone(), vec![name.clone()]].concat());
        }
        if is_new {
            module.children.push(name);
        }
    }

    fn read_use(&mut self, module: &mut Module) {
        let is_public = ["pub", ")"].contains(&self.before());
        self.at += 1;
        let mut brought = Vec::new();
        self.read_use_tree(Names::new(), &mut brought);
        for (name, path) in brought {
            let is_own = ["crate", "self", "super"].contains(&path[0].as_str());
            assert!(name != "*" || !is_own, "{}: {} hides what is used", self.file, path.join("::"));
            if is_public { &mut module.passed_on } else { &mut module.imported }.push(path.clone());
            module.names.insert(name, path);
        }
    }

    /// Reads `a::{b as c, d::e}` up to its terminator, as pairs of a name and its path.
    fn read_use_tree(&mut self, mut path: Names, brought: &mut Vec<(String, Names)>) {
        loop {
            match self.take().as_str() {
                "::" => {}
                "{" => {
                    while self.peek(0) != "}" {
                        self.read_use_tree(path.clone(), brought);
                        self.at += usize::from(self.peek(0) == ",");
                    }
                    self.at += 1;
                    return;
                }
                "as" => {
                    let name = self.take();
                    return brought.push((name, path));
                }
                // `a::{self}` refers to `a`.
                "self" if !path.is_empty() => {}
                name => path.push(name.to_string()),
            }
            if ["", ",", "}", ";"].contains(&self.peek(0)) {
                return brought.push((path.last().cloned().unwrap_or_default(), path));
            }
        }
    }

    /// Reads `impl<T> Type`; returns whether it is an inherent impl.
    fn read_impl(&mut self, module: &mut Module) -> bool {
        self.at += 1;
        let mut depth = 0_usize;
        while self.peek(0) == "<" || depth > 0 {
            let is_arrow = self.before() == "-" || self.before() == "=";
            match self.take().as_str() {
                "<" => depth += 1,
                ">" if !is_arrow => depth -= 1,
                _ => {}
            }
        }
        let mut ahead = self.tokens[self.at..].iter().take_while(|token| *token != "{");
        if ahead.any(|token| token == "for") {
            return false;
        }
        self.read_path(module);
        module.extended.extend(module.followed.last().map(|path| (path.clone(), Vec::new())));
        true
    }

    fn read_function(&mut self, module: &mut Module, is_method: bool) {
        self.at += 1;
        let name = self.peek(0).to_string();
        if let Some((_, methods)) = module.extended.last_mut().filter(|_| is_method) {
            methods.push(name.clone());
        }
        module.functions.push(name);
        self.at += 1;
    }

    /// Reads the next path or single name, or one punctuation character.
    fn read_path(&mut self, module: &mut Module) {
        // Fields and methods belong to their type; a path that starts with `::` is outside the crate.
        let is_member = [".", "::"].contains(&self.before());
        let mut path = vec![self.take()];
        while self.peek(0) == "::" && self.peek(1).starts_with(|c: char| c.is_alphabetic() || c == '_') {
            self.at += 1;
            path.push(self.take());
        }
        let is_type = path[0].starts_with(char::is_uppercase);
        // A single name that is neither called nor a type is a variable or a field.
        if is_member || path.len() > 1 {
            module.called.extend(path.last().cloned());
        }
        if !is_member && (path.len() > 1 || is_type || ["(", "!"].contains(&self.peek(0))) {
            module.followed.push(path);
        }
    }
}
