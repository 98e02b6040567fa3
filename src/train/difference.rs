//! The first difference between two sets of options.

use serde_json::Value;

/// Returns the path of the first value that differs, with both values.
pub(super) fn first_difference(path: &str, ours: &Value, theirs: &Value) -> Option<(String, String, String)> {
    let below = |key: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            let value = |map: &serde_json::Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or_default();
            keys.into_iter().find_map(|key| first_difference(&below(key), &value(a, key), &value(b, key)))
        }
        _ if ours == theirs => None,
        _ => Some((path.to_string(), ours.to_string(), theirs.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_with_its_path() {
        let ours = json!({"a": 1, "b": {"c": [1, 2], "d": null}});
        assert_eq!(first_difference("", &ours, &ours), None);
        let (key, expected, found) = first_difference("", &ours, &json!({"a": 1, "b": {"c": [1, 3]}})).unwrap();
        assert_eq!((key.as_str(), expected.as_str(), found.as_str()), ("b.c", "[1,2]", "[1,3]"));
        assert!(first_difference("", &ours, &json!({"a": 1, "b": {"c": [1, 2], "d": 0}})).is_some());
        assert_eq!(first_difference("", &json!({}), &json!({"x": 1})).unwrap().0, "x");
    }
}
