//! Options as files hold them that another release may have written.
//!
//! Options that a person writes refuse a field that they do not have, since it is a typing error. In a file it is what
//! a later release added, which must not keep this one from opening the file.

use serde::de::value::{MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Error, Map, Value};

type Result<T> = std::result::Result<T, Error>;

/// Reads options from a file and passes over fields that they, or options within them, do not have; for
/// `#[serde(deserialize_with)]`.
///
/// # Errors
/// What the format reports; a field of another type.
pub(crate) fn known_fields<'de, T, D>(deserializer: D) -> std::result::Result<T, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    T::deserialize(Stored(Value::deserialize(deserializer)?)).map_err(D::Error::custom)
}

/// A value that shows each struct only the fields that it has.
struct Stored(Value);

impl Stored {
    fn list<'de, V: Visitor<'de>>(items: Vec<Value>, visitor: V) -> Result<V::Value> {
        let mut items = SeqDeserializer::new(items.into_iter().map(Stored));
        let made = visitor.visit_seq(&mut items)?;
        items.end()?;
        Ok(made)
    }

    fn object<'de, V: Visitor<'de>>(fields: Map<String, Value>, visitor: V) -> Result<V::Value> {
        let mut fields = MapDeserializer::new(fields.into_iter().map(|(name, value)| (name, Stored(value))));
        let made = visitor.visit_map(&mut fields)?;
        fields.end()?;
        Ok(made)
    }
}

impl<'de> IntoDeserializer<'de, Error> for Stored {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Stored {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Array(items) => Self::list(items, visitor),
            Value::Object(fields) => Self::object(fields, visitor),
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0 {
            Value::Object(mut fields) => {
                fields.retain(|field, _| known.contains(&field.as_str()));
                Self::object(fields, visitor)
            }
            other => other.deserialize_struct(name, known, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0 {
            Value::Object(fields) if fields.len() == 1 => visitor.visit_enum(Variant(fields)),
            other => other.deserialize_enum(name, variants, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// A variant with what it holds, by its name.
struct Variant(Map<String, Value>);

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = Stored;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Stored)> {
        let (name, held) = self.0.into_iter().next().ok_or_else(|| Error::custom("a variant has no name"))?;
        let name: StringDeserializer<Error> = name.into_deserializer();
        Ok((seed.deserialize(name)?, Stored(held)))
    }
}

impl<'de> VariantAccess<'de> for Stored {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        <()>::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, known: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.deserialize_struct("", known, visitor)
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Options {
        share: f64,
        side: Option<usize>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        ways: Vec<Way>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    enum Way {
        None,
        Some { far: f64 },
        Other(Box<Options>),
        Pair(u8, u8),
    }

    fn read(text: &str) -> Result<Options> {
        known_fields(&mut serde_json::Deserializer::from_str(text))
    }

    #[test]
    fn fields_of_later_releases_are_passed_over_and_others_are_kept() {
        let text = r#"{"share": 0.1, "side": 7, "added_later": [1, 2]}"#;
        assert_eq!(read(text).unwrap(), Options { share: 0.1, side: Some(7), ways: Vec::new() });
        assert!(serde_json::from_str::<Options>(text).unwrap_err().to_string().contains("added_later"));
    }

    #[test]
    fn so_they_are_within_options_of_options() {
        let text = r#"{"share": 1, "side": null, "ways": [
            "None", {"Some": {"far": 2.5, "near": 1}}, {"Other": {"side": 3, "later": {}}}, {"Pair": [1, 2]}
        ]}"#;
        let other = Options { side: Some(3), ..Options::default() };
        let ways = vec![Way::None, Way::Some { far: 2.5 }, Way::Other(Box::new(other)), Way::Pair(1, 2)];
        assert_eq!(read(text).unwrap(), Options { share: 1.0, side: None, ways });
        assert!(serde_json::from_str::<Options>(text).unwrap_err().to_string().contains("near"));
    }

    #[test]
    fn what_is_of_another_type_is_an_error() {
        for wrong in [
            r#"{"share": "much"}"#,
            "7",
            r#"{"ways": {"None": 1}}"#,
            r#"{"ways": ["Later"]}"#,
            r#"{"ways": [{"Later": 1}]}"#,
            r#"{"ways": [{"None": 1}]}"#,
            r#"{"ways": [{"Pair": [1, 2, 3]}]}"#,
            r#"{"ways": [{"Some": {}}]}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
