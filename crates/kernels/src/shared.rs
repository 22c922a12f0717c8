//! A mutable slice shared by tasks that write disjoint parts of it.

use std::marker::PhantomData;

/// A `&mut [T]` that may be copied into several tasks; every access states that its part is that task's alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SharedMut<'a, T = f32> {
    data: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: all access goes through unsafe methods whose callers promise disjoint parts.
unsafe impl<T: Send> Send for SharedMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<'_, T> {}

impl<'a, T: Copy> SharedMut<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { data: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// The first element.
    pub(crate) fn get(self) -> *mut T {
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
    pub(crate) unsafe fn slice(&self, start: usize, len: usize) -> &'a mut [T] {
        assert!(start <= self.len && len <= self.len - start, "a part lies inside its slice");
        // SAFETY: in bounds as just checked, exclusive as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(start), len) }
    }
}
