"""Another peer of prediction: classifying rows of a table on CPU with OpenVINO, measured.

    pip install torch transformers openvino
    python xtask/peers/openvino_predict.py --model DIR --data TEST.csv --rows 2000 --precision bf16 --sort

The model is converted from PyTorch, with attention as single operations: the conversion does not take the fused ones.
"""

import openvino
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from measured import predict, predicting_arguments


class Logits(torch.nn.Module):
    """The model as a function of the ids and of which of them are no padding."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def main():
    options = predicting_arguments(__doc__)
    disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForSequenceClassification.from_pretrained(options.model, attn_implementation="eager").eval()
    # Two rows, one of them padded, so that no size is taken for a constant.
    example = tokenizer(["one two three", "four"], padding=True, return_tensors="pt")
    inputs = (example["input_ids"], example["attention_mask"])
    converted = openvino.convert_model(Logits(model), example_input=inputs)
    hints = {"INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[options.precision], "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(converted, "CPU", hints)

    def compute(batch):
        return compiled([batch["input_ids"].numpy(), batch["attention_mask"].numpy()])[0].tolist()

    predict(f"openvino {options.precision}", tokenizer, compute, options)


if __name__ == "__main__":
    main()
