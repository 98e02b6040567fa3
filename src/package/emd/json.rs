//! Reading JSON by key, with errors that name the key.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

pub(crate) type Object = Map<String, Value>;

/// An object and its position in the file (`""` at the top, `"ModelParameters."` below).
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub object: &'a Object,
    pub prefix: &'a str,
}

impl<'a> Keys<'a> {
    /// Returns a value; `None` if the key is absent or null.
    pub fn optional(self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// Returns a value as `T`; `read` returns `None` for a value of another type or out of range.
    pub fn get<T>(self, key: &str, expected: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<T> {
        let value = self.object.get(key).ok_or_else(|| self.wrong(key, "is missing", expected))?;
        read(value).ok_or_else(|| self.wrong(key, "has a wrong value", expected).found(shown(value)))
    }

    /// Like [`Self::get`], but returns `None` for an absent key or null.
    pub fn get_optional<T>(
        self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        self.optional(key).map(|_| self.get(key, expected, read)).transpose()
    }

    /// Returns an integer from `low` to `high`.
    pub fn integer(self, key: &str, low: u64, high: u64) -> Result<usize> {
        self.get(key, &format!("an integer from {low} to {high}"), |value| {
            whole(value).filter(|number| (low..=high).contains(number)).and_then(|number| usize::try_from(number).ok())
        })
    }

    pub fn text(self, key: &str) -> Result<String> {
        self.get(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub fn object(self, key: &str) -> Result<&'a Object> {
        self.get(key, "an object", Value::as_object)
    }

    fn wrong(self, key: &str, how: &str, expected: &str) -> Error {
        Error::new(ErrorKind::Format, format!("key `{}{key}` {how}", self.prefix)).expected(expected)
    }
}

/// Returns a non-negative integer, even if it is written as `3.0`.
fn whole(value: &Value) -> Option<u64> {
    let exact = |number: f64| (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(exact))
}

/// Returns a list of numbers; null, which also replaces NaN and infinity, becomes NaN.
pub(super) fn numbers(value: &Value) -> Option<Vec<f64>> {
    let number = |item: &Value| if item.is_null() { Some(f64::NAN) } else { item.as_f64() };
    value.as_array()?.iter().map(number).collect()
}

/// Returns the start of a value, for messages.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text,
    }
}

/// Replaces NaN, Infinity and -Infinity, which Python writes but JSON does not allow, with null.
pub(super) fn without_non_finite(text: &str) -> Cow<'_, str> {
    const NAMES: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    if !NAMES.iter().any(|name| text.contains(name)) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut within_string = false;
    while let Some(next) = rest.chars().next() {
        if !within_string && let Some(after) = NAMES.iter().find_map(|name| rest.strip_prefix(name)) {
            clean.push_str("null");
            rest = after;
            continue;
        }
        // In a string, a backslash escapes the next character.
        let taken = if within_string && next == '\\' {
            rest.chars().take(2).map(char::len_utf8).sum()
        } else {
            next.len_utf8()
        };
        within_string ^= next == '"';
        let (kept, after) = rest.split_at(taken);
        clean.push_str(kept);
        rest = after;
    }
    Cow::Owned(clean)
}
