//! Which instruction set the kernels run on: detected once, or pinned by an environment variable.

use std::fmt;

/// The environment variable that pins an instruction set, for tests and measurements.
pub const PIN_VARIABLE: &str = "GYEOL_ISA";

/// An instruction set the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// [`Isa::Avx512`] with the products of bfloat16 pairs of AVX512_BF16. In single precision it is [`Isa::Avx512`].
    Avx512Bf16,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// Plain Rust that the compiler vectorises for the target's baseline.
    Portable,
}

/// The number format in which the products of linear layers and of attention take their operands; sums are single precision
/// in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operands {
    /// IEEE single precision: 24 bits of significand.
    #[default]
    F32,
    /// bfloat16: the range of single precision with 8 bits of significand, rounded to nearest even.
    Bf16,
}

impl Operands {
    /// The name used in reports and recipes.
    pub fn name(self) -> &'static str {
        match self {
            Operands::F32 => "f32",
            Operands::Bf16 => "bf16",
        }
    }
}

/// `GYEOL_ISA` names an instruction set that does not exist, or that this processor lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinError {
    value: String,
    known: bool,
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usable: Vec<_> = Isa::ALL.iter().filter(|isa| isa.available()).map(|isa| isa.name()).collect();
        let why = if self.known { "this processor lacks it" } else { "there is no such instruction set" };
        write!(f, "{PIN_VARIABLE}={}: {why}; usable here: {}", self.value, usable.join(", "))
    }
}

impl std::error::Error for PinError {}

impl Isa {
    /// Every instruction set, the fastest first.
    pub const ALL: [Isa; 4] = [Isa::Avx512Bf16, Isa::Avx512, Isa::Avx2, Isa::Portable];

    /// The fastest instruction set of this processor, or the one `GYEOL_ISA` names.
    pub fn detect() -> Result<Isa, PinError> {
        match std::env::var(PIN_VARIABLE) {
            Ok(value) if !value.is_empty() => Self::pinned(&value),
            _ => Ok(Self::fastest()),
        }
    }

    /// The fastest instruction set of this processor.
    pub fn fastest() -> Isa {
        Self::ALL.into_iter().find(|isa| isa.available()).unwrap_or(Isa::Portable)
    }

    fn pinned(value: &str) -> Result<Isa, PinError> {
        let error = |known| PinError { value: value.to_owned(), known };
        // The portable kernels are also known as the scalar ones, though compilers vectorise them.
        let value = if value == "scalar" { Isa::Portable.name() } else { value };
        let isa = Self::ALL.into_iter().find(|isa| isa.name() == value).ok_or_else(|| error(false))?;
        if isa.available() { Ok(isa) } else { Err(error(true)) }
    }

    /// The name used in reports and in `GYEOL_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Avx512Bf16 => "avx512bf16",
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Portable => "portable",
        }
    }

    /// Whether it multiplies bfloat16 pairs: what [`Operands::Bf16`] needs.
    pub fn has_bf16(self) -> bool {
        self == Isa::Avx512Bf16
    }

    /// Whether this processor can run it.
    pub fn available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        match self {
            // No processor has the one without the other.
            Isa::Avx512Bf16 => {
                Isa::Avx512.available()
                    && is_x86_feature_detected!("avx512bf16")
                    && is_x86_feature_detected!("avx512vnni")
            }
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
            }
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Isa::Portable => true,
        }
        #[cfg(not(target_arch = "x86_64"))]
        matches!(self, Isa::Portable)
    }
}

/// Defines a kernel once and compiles it for every instruction set: the compiler vectorises the same body for each.
///
/// The generated function takes the [`Isa`] first and is for this crate alone: [`Fast`](crate::Fast), through which every
/// call from outside comes, is only made of an `Isa` the processor has.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name(isa: $crate::isa::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }
                match isa {
                    // SAFETY: `Fast::new` has checked that the processor has this instruction set.
                    $crate::isa::Isa::Avx512Bf16 | $crate::isa::Isa::Avx512 => unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::isa::Isa::Avx2 => unsafe { avx2($($arg),*) },
                    $crate::isa::Isa::Portable => body($($arg),*),
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                let _ = isa;
                body($($arg),*)
            }
        }
    };
}
pub(crate) use multiversion;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_name_is_taken_or_refused_with_the_usable_ones() {
        assert_eq!(Isa::pinned("portable"), Ok(Isa::Portable));
        assert_eq!(Isa::pinned("scalar"), Ok(Isa::Portable));
        let message = Isa::pinned("avx1024").unwrap_err().to_string();
        assert!(message.contains("avx1024") && message.contains("portable"), "{message}");
    }

    #[test]
    fn the_fastest_is_available() {
        assert!(Isa::fastest().available());
    }
}
