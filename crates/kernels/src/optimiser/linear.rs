//! AdamW over a linear layer's weight, which leaves its packed copies as the next step reads them.

use rayon::prelude::*;

use super::adamw::{AdamStep, adamw_part};
use crate::isa::Isa;
use crate::kernels::Linear;
use crate::packed::{PANEL, RowBlock, Tile};

/// One AdamW step over a linear weight `[outputs, inputs]`, and both its packed copies from the new values: weights,
/// gradients and moments pass through the processor once. `backward` may be empty, as in [`pack`](crate::packed::pack).
#[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
pub(crate) fn adamw_linear(
    isa: Isa,
    step: AdamStep,
    shape: Linear,
    w: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    forward: &mut [u32],
    backward: &mut [u32],
) {
    assert!(w.len() == g.len() && w.len() == m.len() && w.len() == v.len(), "a gradient and two moments a weight");
    assert_eq!(w.len(), shape.outputs * shape.inputs, "the weight of {shape:?}");
    let factors = step.factors();
    let rows = PANEL * shape.inputs.max(1);
    RowBlock::split(shape, forward, backward)
        .into_par_iter()
        .zip(w.par_chunks_mut(rows))
        .zip(g.par_chunks(rows))
        .zip(m.par_chunks_mut(rows))
        .zip(v.par_chunks_mut(rows))
        .for_each(|((((mut block, w), g), m), v)| {
            for columns in block.tiles() {
                let rows = w.len() / shape.inputs;
                Tile::lend(rows, columns.len(), |tile| {
                    for row in 0..rows {
                        let part = row * shape.inputs + columns.start..row * shape.inputs + columns.end;
                        let [m, v] = [&mut *m, &mut *v].map(|moments| &mut moments[part.clone()]);
                        adamw_part(isa, factors, &mut w[part.clone()], &g[part.clone()], m, v);
                        tile.set_row(isa, row, &w[part]);
                    }
                    block.write(isa, columns, tile);
                });
            }
        });
}

#[cfg(test)]
mod tests {
    use super::super::adamw::{adamw, tests::STEP};
    use super::*;
    use crate::packed::pack;
    use crate::testing::{isas, random};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn has_the_bits_of_the_plain_step_and_of_packing_after_it(
            outputs in 1usize..100,
            inputs in prop_oneof![1usize..100, 3000usize..3300],
            both in any::<bool>(),
        ) {
            let shape = Linear { inputs, outputs };
            let len = inputs * outputs;
            let (w, g, m) = (random(1, len), random(2, len), random(3, len));
            let v: Vec<f32> = random(4, len).iter().map(|x| x * x).collect();
            let packed = || (vec![1u32; shape.forward_words()], vec![1u32; if both { shape.backward_words() } else { 0 }]);
            for isa in isas() {
                let (mut want, mut want_packed) = ((w.clone(), m.clone(), v.clone()), packed());
                adamw(isa, STEP, &mut want.0, &g, &mut want.1, &mut want.2);
                pack(isa, shape, &want.0, &mut want_packed.0, &mut want_packed.1);
                let (mut got, mut got_packed) = ((w.clone(), m.clone(), v.clone()), packed());
                let (forward, backward) = (&mut got_packed.0, &mut got_packed.1);
                adamw_linear(isa, STEP, shape, &mut got.0, &g, &mut got.1, &mut got.2, forward, backward);
                prop_assert!(got == want, "{shape:?} on {}: single precision", isa.name());
                prop_assert!(got_packed == want_packed, "{shape:?} on {}: packed", isa.name());
            }
        }
    }
}
