//! Options as files hold them that another release may have written.
//!
//! Options that a person writes refuse a field that they do not have, since it is a typing error. In a file it is what
//! a later release added, which must not keep this one from opening the file.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Reads options from a file and passes over fields that they do not have; for `#[serde(deserialize_with)]`. All of
/// their fields must be written when they have their defaults, for that is where their names come from.
///
/// # Errors
/// What the format reports; a field of another type.
pub(crate) fn known_fields<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Serialize + DeserializeOwned,
    D: Deserializer<'de>,
{
    let mut value = Value::deserialize(deserializer)?;
    let defaults = serde_json::to_value(T::default()).map_err(D::Error::custom)?;
    if let (Value::Object(found), Value::Object(known)) = (&mut value, defaults) {
        found.retain(|name, _| known.contains_key(name));
    }
    T::deserialize(value).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Options {
        share: f64,
        side: Option<usize>,
    }

    #[test]
    fn fields_of_later_releases_are_passed_over_and_others_are_kept() {
        let read = |text: &str| known_fields::<Options, _>(&mut serde_json::Deserializer::from_str(text));
        let text = r#"{"share": 0.1, "side": 7, "added_later": [1, 2]}"#;
        assert_eq!(read(text).unwrap(), Options { share: 0.1, side: Some(7) });
        assert!(serde_json::from_str::<Options>(text).unwrap_err().to_string().contains("added_later"));
        assert!(read(r#"{"share": "much"}"#).is_err());
        assert!(read("7").is_err());
    }
}
