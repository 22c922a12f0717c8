"""The peer of prediction: classifying rows of a table on CPU with Hugging Face's transformers, measured.

    pip install torch transformers
    python xtask/peers/hf_predict.py --model DIR --data TEST.csv --rows 2000 --precision bf16 --sort
"""

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from measured import predict, predicting_arguments


def main():
    options = predicting_arguments(__doc__)
    disable_progress_bar()
    model = AutoModelForSequenceClassification.from_pretrained(options.model).eval()
    if options.precision == "bf16":
        model = model.to(torch.bfloat16)

    def compute(batch):
        with torch.inference_mode():
            return model(**batch).logits.float().tolist()

    predict(f"transformers {options.precision}", AutoTokenizer.from_pretrained(options.model), compute, options)


if __name__ == "__main__":
    main()
