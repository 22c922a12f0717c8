//! How a model computes: on which instruction set, and in which number format its products take their operands. What the
//! bits of a result depend on beside the seed and the data.

use std::fmt;

use gyeol_engine::config::Precision;
use gyeol_engine::device::Cpu;
use gyeol_engine::{Isa, Operands};

use crate::Error;

/// An instruction set and the operands it multiplies. Two that are equal give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arithmetic {
    isa: Isa,
    operands: Operands,
}

impl Arithmetic {
    /// What `precision` comes to on `isa`; `key` is the recipe's key or the flag that says it.
    ///
    /// # Errors
    /// If it asks for bfloat16 and `isa` does not multiply it.
    pub fn new(precision: Precision, isa: Isa, key: &'static str) -> Result<Self, Error> {
        let operands = precision.operands(isa).map_err(|error| Error::Setting { key, problem: error.to_string() })?;
        // In single precision the two are one.
        let isa = if (isa, operands) == (Isa::Avx512Bf16, Operands::F32) { Isa::Avx512 } else { isa };
        Ok(Self { isa, operands })
    }

    /// The instruction set's name.
    pub fn isa(self) -> &'static str {
        self.isa.name()
    }

    /// The instruction set.
    pub(crate) fn instruction_set(self) -> Isa {
        self.isa
    }

    /// The operands' name, `f32` or `bf16`.
    pub fn precision(self) -> &'static str {
        self.operands.name()
    }

    /// A device that computes so, empty.
    pub(crate) fn device(self) -> Cpu {
        Cpu::new(self.isa, self.operands)
    }

    /// Itself, and why the `precision` under `key` came to it on a processor whose fastest instruction set is `fastest`.
    pub(crate) fn explained(self, key: &str, precision: Precision, fastest: Isa) -> String {
        match (precision, self.operands) {
            (Precision::Bf16 | Precision::F32, _) => format!("{self}, as `{key}` says"),
            (Precision::Auto, Operands::Bf16) => {
                format!("{self}, as this processor has it (`{key} = \"f32\"` rounds less and is usually slower)")
            }
            (Precision::Auto, Operands::F32) if fastest.has_bf16() => {
                format!("{self}, as GYEOL_ISA asks for {}, which has no bf16", self.isa())
            }
            (Precision::Auto, Operands::F32) => format!("{self}, as this processor has no bf16"),
        }
    }

    /// Why a state computed as `isa` and `precision` name it is not gone on with, and what to do; `None` if it is.
    pub(crate) fn objection(self, isa: &str, precision: &str) -> Option<String> {
        if (isa, precision) == (self.isa(), self.precision()) {
            return None;
        }
        let theirs = Isa::ALL.into_iter().find(|known| known.name() == isa);
        let advice = if theirs.is_some_and(Isa::available) {
            format!("GYEOL_ISA={isa} goes on with it")
        } else {
            format!("this processor has no {isa}: go on where there is one, or start a new run without --resume")
        };
        Some(format!("was computed in {precision} on {isa}, here it would be {self}, which rounds otherwise; {advice}"))
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.precision(), self.isa())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVX512: Arithmetic = Arithmetic { isa: Isa::Avx512, operands: Operands::F32 };
    const BF16: Arithmetic = Arithmetic { isa: Isa::Avx512Bf16, operands: Operands::Bf16 };

    fn of(precision: Precision, isa: Isa) -> Arithmetic {
        Arithmetic::new(precision, isa, "train.precision").unwrap()
    }

    #[test]
    fn in_single_precision_the_instruction_set_is_the_one_without_bf16() {
        assert_eq!(of(Precision::F32, Isa::Avx512Bf16), AVX512);
        assert_eq!(of(Precision::Auto, Isa::Avx512), AVX512);
        assert_eq!(of(Precision::Auto, Isa::Avx512Bf16), BF16);
        assert_eq!(of(Precision::Bf16, Isa::Avx512Bf16), BF16);
    }

    #[test]
    fn bf16_without_its_instructions_is_the_users_error_under_the_key_given() {
        for key in ["train.precision", "--precision"] {
            let error = Arithmetic::new(Precision::Bf16, Isa::Portable, key).unwrap_err();
            assert!(error.is_user_error());
            assert!(error.to_string().starts_with(&format!("{key}: \"bf16\" needs avx512bf16, ")), "{error}");
        }
    }

    #[test]
    fn the_choice_is_explained() {
        let told = |precision, isa, fastest| of(precision, isa).explained("train.precision", precision, fastest);
        let auto = told(Precision::Auto, Isa::Avx512Bf16, Isa::Avx512Bf16);
        assert!(
            auto.starts_with("bf16 on avx512bf16, as this processor has it (`train.precision = \"f32\"`"),
            "{auto}"
        );
        assert_eq!(
            told(Precision::Auto, Isa::Avx2, Isa::Avx512Bf16),
            "f32 on avx2, as GYEOL_ISA asks for avx2, which has no bf16"
        );
        assert_eq!(told(Precision::Auto, Isa::Avx2, Isa::Avx2), "f32 on avx2, as this processor has no bf16");
        assert_eq!(told(Precision::F32, Isa::Portable, Isa::Avx512Bf16), "f32 on portable, as `train.precision` says");
    }

    #[test]
    fn a_state_of_another_arithmetic_is_objected_to_with_what_goes_on() {
        assert_eq!(AVX512.objection("avx512", "f32"), None);
        assert_eq!(
            AVX512.objection("portable", "f32").unwrap(),
            "was computed in f32 on portable, here it would be f32 on avx512, which rounds otherwise; \
             GYEOL_ISA=portable goes on with it"
        );
        assert_eq!(
            AVX512.objection("neon", "bf16").unwrap(),
            "was computed in bf16 on neon, here it would be f32 on avx512, which rounds otherwise; this processor has \
             no neon: go on where there is one, or start a new run without --resume"
        );
    }
}
