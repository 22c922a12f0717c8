//! The names of a config struct's fields or an enum's variants, asked of its `Deserialize`, so that no list of keys or
//! values is kept by hand.

use serde::{
    Deserialize,
    de::{self, Visitor},
    forward_to_deserialize_any,
};

/// The keys `T` reads, in the order of its fields, or the values it may have. `T` must derive `Deserialize`, as a struct
/// without `flatten` or as an enum.
pub(super) fn names<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The asker always answers with an error: nothing is read.
    let answer = T::deserialize(Asker(&mut names));
    debug_assert!(answer.is_err());
    names
}

/// A deserializer that notes the fields or variants asked for and gives none.
struct Asker<'a>(&'a mut &'static [&'static str]);

impl<'de> de::Deserializer<'de> for Asker<'_> {
    type Error = de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("only the fields were asked for"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = variants;
        Err(de::Error::custom("only the variants were asked for"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("neither a struct nor an enum"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_those_of_the_struct_or_enum() {
        let keys = names::<gyeol_engine::config::TrainConfig>();
        assert!(keys.contains(&"learning_rate") && keys.contains(&"evaluate_every"));
        assert_eq!(
            names::<gyeol_engine::config::LossKind>(),
            ["cross_entropy", "focal", "bce", "l1", "l2", "huber", "l1+huber", "cosine"]
        );
    }
}
