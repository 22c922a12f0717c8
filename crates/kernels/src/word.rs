//! The elements that arenas and packed panels hold.

/// A number of 4 bytes: single precision, or a pair of bfloat16.
///
/// # Safety
/// Its size and alignment are 4, and any bits are a value.
pub unsafe trait Word: Copy + Send + Sync + 'static {}

// SAFETY: as required.
unsafe impl Word for f32 {}
// SAFETY: as required.
unsafe impl Word for u32 {}
