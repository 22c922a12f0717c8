//! One large allocation of numbers, and disjoint views into it.

use std::fmt;
use std::marker::PhantomData;

use memmap2::MmapMut;

use crate::word::Word;

/// A range of an [`Arena`], in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First element.
    pub start: usize,
    /// Number of elements.
    pub len: usize,
}

impl Span {
    /// `len` elements from `start`.
    pub fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }

    /// One past the last element.
    pub fn end(self) -> usize {
        self.start + self.len
    }

    fn overlaps(self, other: Span) -> bool {
        self.start < other.end() && other.start < self.end()
    }
}

/// A zero-filled allocation that views of are handed out from, several mutable ones at a time if they are disjoint.
///
/// The memory comes from the operating system in large pages where it offers them, and is only occupied once touched.
pub struct Arena<T = f32> {
    map: Option<MmapMut>,
    len: usize,
    element: PhantomData<T>,
}

impl<T> fmt::Debug for Arena<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("len", &self.len).finish()
    }
}

impl<T: Word> Arena<T> {
    /// An arena of `len` zeros.
    ///
    /// # Errors
    /// If the operating system has not that much address space to give.
    pub fn zeros(len: usize) -> std::io::Result<Self> {
        if len == 0 {
            return Ok(Self { map: None, len, element: PhantomData });
        }
        let bytes = len.checked_mul(size_of::<T>()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        let map = MmapMut::map_anon(bytes)?;
        // Large pages only save time: a system without them is no error.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Self { map: Some(map), len, element: PhantomData })
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every element.
    pub fn as_slice(&self) -> &[T] {
        match &self.map {
            // SAFETY: the map is page aligned, holds `len` elements, and any bits are a `Word`.
            Some(map) => unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), self.len) },
            None => &[],
        }
    }

    /// Every element.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match &mut self.map {
            // SAFETY: as above, and borrowed exclusively.
            Some(map) => unsafe { std::slice::from_raw_parts_mut(map.as_mut_ptr().cast(), self.len) },
            None => &mut [],
        }
    }

    /// The elements of `span`.
    pub fn view(&self, span: Span) -> &[T] {
        &self.as_slice()[span.start..span.end()]
    }

    /// The elements of `span`.
    pub fn view_mut(&mut self, span: Span) -> &mut [T] {
        &mut self.as_mut_slice()[span.start..span.end()]
    }

    /// Shared views of `reads` and exclusive views of `writes` at once.
    ///
    /// # Panics
    /// If a written span overlaps any other, or one is out of bounds.
    pub fn views<const R: usize, const W: usize>(
        &mut self,
        reads: [Span; R],
        writes: [Span; W],
    ) -> ([&[T]; R], [&mut [T]; W]) {
        for (i, write) in writes.iter().enumerate() {
            let others = reads.iter().chain(&writes[i + 1..]);
            assert!(others.into_iter().all(|other| !write.overlaps(*other)), "a written view is nobody else's");
        }
        let (base, len) = (self.as_mut_slice().as_mut_ptr(), self.len);
        let at = |span: Span| {
            assert!(span.start <= len && span.len <= len - span.start, "a view lies inside its arena");
            // SAFETY: in bounds as just checked.
            unsafe { base.add(span.start) }
        };
        (
            // SAFETY: in bounds; no written span overlaps these; borrowed from `self` for the lifetime of the result.
            reads.map(|span| unsafe { std::slice::from_raw_parts(at(span), span.len) }),
            // SAFETY: in bounds and disjoint from every other view.
            writes.map(|span| unsafe { std::slice::from_raw_parts_mut(at(span), span.len) }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disjoint_views_read_and_write_the_arena() {
        let mut arena = Arena::<f32>::zeros(10).unwrap();
        arena.view_mut(Span::new(0, 2)).copy_from_slice(&[1.0, 2.0]);
        let ([read], [a, b]) = arena.views([Span::new(0, 2)], [Span::new(2, 2), Span::new(8, 2)]);
        a.copy_from_slice(read);
        b[1] = 5.0;
        assert_eq!(arena.as_slice(), [1.0, 2.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0]);
    }

    #[test]
    #[should_panic(expected = "nobody else's")]
    fn overlapping_views_are_refused() {
        let _ = Arena::<f32>::zeros(10).unwrap().views([Span::new(0, 4)], [Span::new(3, 2)]);
    }

    #[test]
    #[should_panic(expected = "inside its arena")]
    fn views_out_of_bounds_are_refused() {
        let _ = Arena::<f32>::zeros(10).unwrap().views([], [Span::new(usize::MAX, 2)]);
    }
}
