//! The error type of these tasks: what went wrong, and what to do about it.

use std::fmt;
use std::io;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Trouble>;

#[derive(Debug)]
pub struct Trouble {
    what: String,
    advice: Option<String>,
}

impl Trouble {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), advice: None }
    }

    pub fn advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// Returns a function for `map_err` after a file operation; `doing` reads like "cannot create".
    pub fn file<'a>(doing: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |e| Self::new(format!("{doing} {}: {e}", path.display()))
    }

    pub fn parts(&self) -> (&str, Option<&str>) {
        (&self.what, self.advice.as_deref())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.advice {
            Some(advice) => write!(f, "\n  what to do: {advice}"),
            None => Ok(()),
        }
    }
}
