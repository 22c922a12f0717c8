//! Buffers that a thread keeps from task to task.

use std::cell::RefCell;
use std::thread::LocalKey;

use crate::word::Word;

thread_local! {
    /// Rows of a weight in bfloat16.
    pub(crate) static TILE_ROWS: Buffer = const { RefCell::new(Vec::new()) };
    /// A term of their quarters.
    pub(crate) static TILE_TERM: Buffer = const { RefCell::new(Vec::new()) };
    /// Rows of A in bfloat16.
    pub(crate) static ROUNDED_ROWS: Buffer = const { RefCell::new(Vec::new()) };
    /// Tiles of products of halves.
    pub(crate) static TILES: Buffer = const { RefCell::new(Vec::new()) };
    /// Sums of products of quarters.
    pub(crate) static SUMS: Buffer = const { RefCell::new(Vec::new()) };
    /// Panels of A.
    pub(crate) static A_PANELS: Buffer = const { RefCell::new(Vec::new()) };
    /// A block of C that only its epilogue reads.
    pub(crate) static C_BLOCK: Buffer = const { RefCell::new(Vec::new()) };
    /// Panels of all of B, for every thread to read.
    pub(crate) static WHOLE_B: Buffer = const { RefCell::new(Vec::new()) };
    /// Panels of the block of B that a task works on.
    pub(crate) static B_PANELS: Buffer = const { RefCell::new(Vec::new()) };
}

type Buffer = RefCell<Vec<Line>>;

/// A line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Line(#[allow(dead_code, reason = "only its size and alignment count")] [u32; 16]);

/// Lends the calling thread's buffer, grown to `len`. Taken out of its cell, so that nested work on the same thread finds
/// an empty one instead of a borrowed one. What it holds is left over from earlier work.
pub(crate) fn with_scratch<E: Word, R>(
    key: &'static LocalKey<Buffer>,
    len: usize,
    work: impl FnOnce(&mut [E]) -> R,
) -> R {
    let mut buffer = key.take();
    let lines = len.div_ceil(16);
    if buffer.len() < lines {
        buffer.resize(lines, Line([0; 16]));
    }
    // SAFETY: the buffer holds at least `len` words, any bits of which are an element, and is borrowed exclusively.
    let result = work(unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<E>(), len) });
    key.set(buffer);
    result
}
