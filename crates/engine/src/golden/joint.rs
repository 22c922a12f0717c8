//! Models trained together against PyTorch: joined outputs, loss, the gradients of every member, the norm over all of them, and
//! the weights after three steps (`tests/golden/make_joint.py`).

use super::*;
use crate::config::{Join, Pooling};
use crate::heads::MlpShape;
use crate::joint::{Joint, Trained};
use crate::optim::optimise;

/// The output layer's bias, which of stacked members the first alone has.
const BIAS: &str = "2_Dense.linear.bias";

struct JointGolden {
    dir: PathBuf,
    join: Join,
    expected: Value,
    /// Each with a batch a member.
    windows: Vec<(Vec<Batch>, Targets)>,
}

impl JointGolden {
    fn open(name: &str) -> Self {
        let dir = root().join(name);
        let expected = json(&dir.join("expected.json"));
        let join = serde_json::from_value(expected["join"].clone()).unwrap();
        let window = |window: &Value| {
            let members: Vec<(Batch, Targets)> =
                window.as_array().unwrap().iter().map(|member| batch(member, false)).collect();
            let targets = members[0].1.clone();
            (members.into_iter().map(|(batch, _)| batch).collect(), targets)
        };
        let windows = json(&dir.join("batches.json")).as_array().unwrap().iter().map(window).collect();
        Self { dir, join, expected, windows }
    }

    fn member<D: Device>(&self, index: usize, device: D) -> Model<D> {
        let origin = root().join(self.expected["models"][index].as_str().unwrap());
        let config = EncoderConfig::read(&origin).unwrap();
        let outputs = config.num_labels();
        let head = match self.join {
            Join::Mean => HeadKind::Classification { outputs },
            Join::Stack => {
                let (pooling, activation) = (Pooling::Cls, crate::config::HeadActivation::Tanh);
                HeadKind::Mlp(MlpShape { pooling, widths: Vec::new(), activation, dropout: 0.0, outputs })
            }
        };
        let mut model = Model::new(device, config, head, true).unwrap();
        model.load(&Weights::open(&origin).unwrap().unwrap(), &origin, 0).unwrap();
        if self.join == Join::Stack {
            let head = Weights::open_file(&self.dir.join("head.safetensors")).unwrap();
            let mut all = model.download(Store::Weights).into_owned();
            for tensor in model.table().tensors().iter().filter(|tensor| tensor.part != params::Part::Encoder) {
                let values = &mut all[tensor.span.start..tensor.span.end()];
                match index > 0 && tensor.name == BIAS {
                    true => values.fill(0.0),
                    false => head.read_f32(&format!("members.{index}.{}", tensor.name), &tensor.shape, values).unwrap(),
                }
            }
            model.upload(Store::Weights, &all);
        }
        model
    }

    /// Adds the gradients of a window's mean loss; it, and the joined outputs.
    fn pass<D: Device>(&self, model: &mut Joint<D>, window: usize) -> (f64, Vec<f32>) {
        let (batches, targets) = &self.windows[window];
        let weight = 1.0 / targets.len() as f64;
        let kept = &mut [KeptRows::default(), KeptRows::default()];
        let (outputs, _) = model.forward(batches, kept, DropoutStream::new(0, 0)).unwrap();
        let of = Loss::CrossEntropy(ClassTargets::default());
        let (loss, gradient) = losses::loss(&of, &outputs, targets, weight);
        model.backward(&gradient);
        (loss * weight, outputs)
    }

    /// Compares an arena of every member with a file.
    fn compare<D: Device>(&self, model: &mut Joint<D>, store: Store, file: &str, tolerance: f32) {
        let want = Weights::open_file(&self.dir.join(file)).unwrap();
        for (index, member) in model.models_mut().iter_mut().enumerate() {
            let got = member.download(store).into_owned();
            for tensor in member.table().tensors().iter().filter(|tensor| !is_key_bias(tensor)) {
                let mut values = vec![0.0; tensor.span.len];
                // The bias that the joined layer does not have is neither moved nor counted.
                if self.join == Join::Mean || index == 0 || tensor.name != BIAS {
                    want.read_f32(&format!("members.{index}.{}", tensor.name), &tensor.shape, &mut values).unwrap();
                }
                let label = format!("{file}: member {index}: {}", tensor.name);
                assert_close(&label, &got[tensor.span.start..tensor.span.end()], &values, tolerance);
            }
        }
    }

    fn check<D: Device>(&self, device: impl Fn() -> D, tolerance: f32) {
        let members = (0..2).map(|index| self.member(index, device())).collect();
        let mut model = Joint::new(members, self.join);
        let hyper = |key: &str| self.expected["hyper"][key].as_f64().unwrap();
        let config = TrainConfig {
            learning_rate: hyper("learning_rate"),
            weight_decay: hyper("weight_decay"),
            max_grad_norm: hyper("max_grad_norm"),
            ..TrainConfig::default()
        };
        for step in 0..self.windows.len() {
            let (loss, outputs) = self.pass(&mut model, step);
            let of_step = |key: &str| self.expected[key][step].as_f64().unwrap();
            let want = of_step("losses");
            assert!((loss - want).abs() < f64::from(tolerance) * want.abs(), "step {step}: loss {loss}, want {want}");
            if step == 0 {
                assert_close("outputs", &outputs, &floats(&self.expected["logits"]), tolerance);
                self.compare(&mut model, Store::Gradients, "gradients.safetensors", tolerance);
            }
            let rate = learning_rate(&config, step as u64, self.windows.len() as u64);
            assert!((rate - of_step("learning_rates")).abs() < 1e-12);
            let norm = optimise(model.models_mut(), &config, rate, step as u64 + 1);
            let want = of_step("grad_norms");
            assert!((norm - want).abs() < 10.0 * f64::from(tolerance) * want, "step {step}: norm {norm}, want {want}");
        }
        self.compare(&mut model, Store::Weights, "after3.safetensors", tolerance);
    }
}

#[test]
fn models_trained_together_agree_with_pytorch_on_every_isa_and_in_scalar() {
    for golden in ["joint_mean", "joint_stack"].map(JointGolden::open) {
        for isa in isas(Operands::F32) {
            golden.check(|| Cpu::new(isa, Operands::F32), TOLERANCE);
        }
        golden.check(|| Reference::scalar(Operands::F32), TOLERANCE);
        for isa in isas(Operands::Bf16) {
            golden.check(|| Cpu::new(isa, Operands::Bf16), TOLERANCE_BF16);
        }
        golden.check(|| Reference::scalar(Operands::Bf16), TOLERANCE_BF16);
    }
}

#[test]
fn one_member_is_the_model_alone_to_the_bit_and_two_of_a_kind_drop_out_differently() {
    let golden = JointGolden::open("joint_mean");
    let dropped = || {
        let origin = root().join("bert_gelu_new_cls");
        let mut config = EncoderConfig::read(&origin).unwrap();
        config.set_dropout(0.3);
        let head = HeadKind::Classification { outputs: config.num_labels() };
        let mut model = Model::new(Cpu::new(Isa::fastest(), Operands::F32), config, head, true).unwrap();
        model.load(&Weights::open(&origin).unwrap().unwrap(), &origin, 0).unwrap();
        model
    };
    let (batch, stream) = (&golden.windows[0].0[..1], DropoutStream::new(3, 5));
    let (alone, _) = dropped().forward(&batch[0], &KeptRows::default(), stream).unwrap();
    let (joined, _) = Joint::from(dropped()).forward(batch, &[KeptRows::default()], stream).unwrap();
    assert_eq!(alone, joined);

    let mut twins = Joint::new(vec![dropped(), dropped()], Join::Stack);
    let (sum, _) =
        twins.forward(&[batch[0].clone(), batch[0].clone()], &[(); 2].map(|()| KeptRows::default()), stream).unwrap();
    assert!(sum.iter().zip(&alone).all(|(sum, alone)| (sum - 2.0 * alone).abs() > 1e-6));
}
