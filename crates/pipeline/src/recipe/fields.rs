//! The field names of a config struct, asked of its `Deserialize`, so that no list of keys is kept by hand.

use serde::{
    Deserialize,
    de::{self, Visitor},
    forward_to_deserialize_any,
};

/// The keys `T` reads, in the order of its fields. `T` must be a struct that derives `Deserialize` without `flatten`.
pub(super) fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The asker always answers with an error: nothing is read.
    let answer = T::deserialize(Asker(&mut names));
    debug_assert!(answer.is_err());
    names
}

/// A deserializer that notes the fields a struct asks for and gives it none.
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

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn names_are_those_of_the_struct() {
        let keys = fields::<gyeol_engine::config::TrainConfig>();
        assert!(keys.contains(&"learning_rate") && keys.contains(&"evaluate_every"));
    }
}
