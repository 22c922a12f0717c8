//! A mutable slice shared by tasks that write disjoint parts of it.

use std::marker::PhantomData;

/// A `&mut [f32]` that may be copied into several tasks; every access states that its part is that task's alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SharedMut<'a> {
    data: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: all access goes through unsafe methods whose callers promise disjoint parts.
unsafe impl Send for SharedMut<'_> {}
// SAFETY: as above.
unsafe impl Sync for SharedMut<'_> {}

impl<'a> SharedMut<'a> {
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
        Self { data: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// The first element.
    pub(crate) fn get(self) -> *mut f32 {
        self.data
    }

    /// `len` elements from `start`.
    ///
    /// # Safety
    /// No other access to them may happen while the result lives.
    ///
    /// # Panics
    /// If they are out of bounds.
    #[allow(clippy::mut_from_ref, reason = "the caller promises exclusive access to the part")]
    pub(crate) unsafe fn slice(&self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start <= self.len && len <= self.len - start, "a part lies inside its slice");
        // SAFETY: in bounds as just checked, exclusive as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(start), len) }
    }
}
