//! Where a tensor's numbers lie in a mapped file, and their conversion to f32. Both weight formats end here.

use safetensors::Dtype;

/// Shape and element type of a stored tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Element type in the file.
    pub dtype: Dtype,
}

/// A tensor whose every element is known to lie within its file.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub(super) info: TensorInfo,
    /// Number of elements.
    numel: usize,
    /// Bytes from the start of the file to the first element.
    start: usize,
    /// Elements from one index of a dimension to the next; `None` when the tensor is contiguous, row-major.
    strides: Option<Vec<usize>>,
}

impl Located {
    /// A row-major tensor that starts at byte `start` of a file, or the reason why it cannot be: it does not end before
    /// byte `end`, or its size overflows.
    pub(super) fn contiguous(info: TensorInfo, start: usize, end: usize) -> Result<Located, String> {
        let numel = numel(&info.shape)?;
        let size = numel.checked_mul(info.dtype.bitsize()).map(|bits| bits.div_ceil(8));
        if size.and_then(|size| start.checked_add(size)).is_none_or(|stop| stop > end) {
            return Err(outside(&info, end.saturating_sub(start)));
        }
        Ok(Located { info, numel, start, strides: None })
    }

    /// A view of the storage in bytes `storage.0..storage.1` of a file, `offset` and `strides` in elements, or the
    /// reason why it reaches outside.
    pub(super) fn strided(
        info: TensorInfo,
        storage: (usize, usize),
        offset: usize,
        strides: Vec<usize>,
    ) -> Result<Located, String> {
        let size = info.dtype.bitsize() / 8;
        let start = offset.checked_mul(size).and_then(|skip| storage.0.checked_add(skip));
        let start = start.ok_or_else(|| outside(&info, storage.1 - storage.0))?;
        if info.shape.contains(&0) || is_contiguous(&info.shape, &strides) {
            return Located::contiguous(info, start, storage.1);
        }
        let numel = numel(&info.shape)?;
        let last = info.shape.iter().zip(&strides).try_fold(0usize, |last, (length, stride)| {
            (length - 1).checked_mul(*stride).and_then(|reach| last.checked_add(reach))
        });
        let stop = last
            .and_then(|last| last.checked_add(1))
            .and_then(|elements| elements.checked_mul(size))
            .and_then(|bytes| start.checked_add(bytes));
        if stop.is_none_or(|stop| stop > storage.1) {
            return Err(outside(&info, storage.1 - storage.0));
        }
        Ok(Located { info, numel, start, strides: Some(strides) })
    }

    /// Reads the tensor into `out`, row-major, from the bytes of the file it was located in; or says why not: it does
    /// not hold floating-point numbers, or not as many as `out` has.
    pub(super) fn read_f32(&self, file: &[u8], out: &mut [f32]) -> Result<(), String> {
        if self.numel != out.len() {
            return Err(format!("has {} elements, but there is room for {}", self.numel, out.len()));
        }
        match self.info.dtype {
            Dtype::F32 => self.fill(file, out, f32::from_le_bytes),
            Dtype::F16 => self.fill(file, out, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
            Dtype::BF16 => self.fill(file, out, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
            Dtype::F64 => self.fill(file, out, |bytes| f64::from_le_bytes(bytes) as f32),
            other => return Err(format!("holds {other}, not floating-point numbers (F32, F16, BF16, F64)")),
        }
        Ok(())
    }

    fn fill<const N: usize>(&self, file: &[u8], out: &mut [f32], decode: impl Fn([u8; N]) -> f32) {
        if out.is_empty() {
            return;
        }
        let (elements, _) = file[self.start..].as_chunks::<N>();
        let Some(strides) = &self.strides else {
            for (value, bytes) in out.iter_mut().zip(elements) {
                *value = decode(*bytes);
            }
            return;
        };
        // An odometer over the indices, the innermost dimension fastest; `at` is its place in the storage.
        let mut index = vec![0; strides.len()];
        let mut at = 0;
        for value in out {
            *value = decode(elements[at]);
            for dimension in (0..strides.len()).rev() {
                index[dimension] += 1;
                at += strides[dimension];
                if index[dimension] < self.info.shape[dimension] {
                    break;
                }
                at -= strides[dimension] * index[dimension];
                index[dimension] = 0;
            }
        }
    }
}

fn numel(shape: &[usize]) -> Result<usize, String> {
    let product = shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
    product.ok_or_else(|| format!("shape {shape:?} has more elements than can be counted"))
}

fn outside(info: &TensorInfo, available: usize) -> String {
    format!("shape {:?} of {} reaches outside the {available} bytes stored for it", info.shape, info.dtype)
}

/// Whether `strides` are those of a row-major tensor; those of dimensions of length 1 do not matter.
fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1usize;
    for (length, stride) in shape.iter().zip(strides).rev() {
        if *length != 1 && *stride != expected {
            return false;
        }
        expected = expected.saturating_mul(*length);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(shape: &[usize], dtype: Dtype) -> TensorInfo {
        TensorInfo { shape: shape.to_vec(), dtype }
    }

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn a_transposed_view_is_read_row_major() {
        let file = bytes(&[9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let view = Located::strided(info(&[3, 2], Dtype::F32), (0, 28), 1, vec![1, 3]).unwrap();
        let mut out = [0.0; 6];
        view.read_f32(&file, &mut out).unwrap();
        assert_eq!(out, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn an_expanded_view_repeats_its_elements() {
        let file = bytes(&[1.0, 2.0]);
        let view = Located::strided(info(&[2, 3], Dtype::F32), (0, 8), 0, vec![1, 0]).unwrap();
        let mut out = [0.0; 6];
        view.read_f32(&file, &mut out).unwrap();
        assert_eq!(out, [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn views_that_reach_outside_their_storage_are_refused() {
        let cases: [(&[usize], usize, &[usize]); 5] = [
            (&[3], 0, &[1]),
            (&[2], 1, &[1]),
            (&[2], 0, &[2]),
            (&[2, 2], 0, &[usize::MAX, 1]),
            (&[1], usize::MAX, &[1]),
        ];
        for (shape, offset, strides) in cases {
            let view = Located::strided(info(shape, Dtype::F32), (16, 24), offset, strides.to_vec());
            assert!(view.unwrap_err().contains("outside"), "{shape:?} {offset} {strides:?}");
        }
        assert!(Located::contiguous(info(&[usize::MAX, 2], Dtype::F32), 0, 100).unwrap_err().contains("counted"));
    }

    #[test]
    fn empty_tensors_take_no_bytes_and_scalars_one_element() {
        let mut none: [f32; 0] = [];
        let empty = Located::strided(info(&[0, 3], Dtype::F32), (4, 4), 0, vec![3, 1]).unwrap();
        empty.read_f32(&bytes(&[1.0]), &mut none).unwrap();
        let mut one = [0.0];
        let scalar = Located::strided(info(&[], Dtype::F32), (0, 4), 0, vec![]).unwrap();
        scalar.read_f32(&bytes(&[7.0]), &mut one).unwrap();
        assert_eq!(one, [7.0]);
    }
}
