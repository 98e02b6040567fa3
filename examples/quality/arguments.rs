//! Options with values.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::Outcome;

const KNOWN: [&str; 11] = [
    "--blocks",
    "--chips",
    "--features",
    "--pairs-a",
    "--pairs-b",
    "--picture",
    "--recipe",
    "--seconds",
    "--seed",
    "--step-seconds",
    "--weights",
];

pub struct Arguments(BTreeMap<String, String>);

impl Arguments {
    pub fn read(words: &[String]) -> Outcome<Self> {
        let mut read = BTreeMap::new();
        for pair in words.chunks(2) {
            let [name, value] = pair else {
                return Err(format!("{} needs a value", pair[0]).into());
            };
            if !KNOWN.contains(&name.as_str()) {
                return Err(format!("there is no option {name:?}").into());
            }
            read.insert(name.clone(), value.clone());
        }
        Ok(Self(read))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the value of an option that must be there.
    pub fn needed<T: FromStr>(&self, name: &str) -> Outcome<T> {
        self.value(name)?.ok_or_else(|| format!("{name} is missing").into())
    }

    pub fn value<T: FromStr>(&self, name: &str) -> Outcome<Option<T>> {
        let parsed = |text: &str| text.parse().map_err(|_| format!("{name} cannot be {text:?}").into());
        self.text(name).map(parsed).transpose()
    }
}
