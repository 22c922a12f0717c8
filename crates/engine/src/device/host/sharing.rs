//! Parameters that several devices of one process read at once.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use gyeol_kernels::{Kernels, Operands, Weight};

use super::super::LinearParams;
use super::parameters::{Parameters, Waiting};

/// Parameters of one device, or of several that compute passes of inference side by side. Those that are shared are only
/// read; whatever changes them needs a device that has them alone, as it does again once the others are dropped.
#[derive(Debug)]
pub(super) struct SharedParameters(Arc<Parameters>);

impl SharedParameters {
    pub(super) fn new(operands: Operands) -> Self {
        Self(Arc::new(Parameters::new(operands)))
    }

    /// The same parameters for another device: no update waits any more, and all copies are those of the weights.
    pub(super) fn share<K: Kernels>(&mut self, kernels: &K) -> Self {
        if let Some(parameters) = Arc::get_mut(&mut self.0) {
            parameters.settle(kernels);
            parameters.pack_for_inference(kernels);
        }
        Self(Arc::clone(&self.0))
    }

    fn alone(&mut self) -> bool {
        Arc::get_mut(&mut self.0).is_some()
    }

    /// [`Parameters::prepare`]; there is nothing to do where they are shared.
    pub(super) fn prepare<K: Kernels>(&mut self, kernels: &K, words: &[u32], training: bool) {
        if self.alone() {
            Parameters::prepare(self, kernels, words, training);
        }
    }

    /// [`Parameters::read`]; no update waits where they are shared.
    pub(super) fn read<K: Kernels>(
        &mut self,
        kernels: &K,
        p: &LinearParams,
    ) -> (Weight<'_>, &[f32], Option<Waiting<'_>>) {
        if self.alone() {
            return Parameters::read(self, kernels, p);
        }
        (self.weight(p), self.weights(p.bias), None)
    }
}

impl Deref for SharedParameters {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.0
    }
}

impl DerefMut for SharedParameters {
    /// # Panics
    /// If another device has them too.
    fn deref_mut(&mut self) -> &mut Parameters {
        Arc::get_mut(&mut self.0).expect("parameters change while one device alone has them")
    }
}

#[cfg(test)]
mod tests {
    use gyeol_kernels::Scalar;

    use super::*;

    #[test]
    fn parameters_change_again_once_no_other_device_has_them() {
        let mut parameters = SharedParameters::new(Operands::F32);
        let mut others = [parameters.share(&Scalar), parameters.share(&Scalar)];
        assert!(!parameters.alone() && !others[0].alone());
        drop(others);
        parameters.zero_gradients(&Scalar);
    }

    #[test]
    #[should_panic(expected = "one device alone has them")]
    fn parameters_do_not_change_while_several_devices_have_them() {
        let mut parameters = SharedParameters::new(Operands::F32);
        let _other = parameters.share(&Scalar);
        parameters.zero_gradients(&Scalar);
    }
}
