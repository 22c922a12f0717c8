"""The peer of pre-training: masked-LM training on CPU with Hugging Face's Trainer, measured.

    pip install torch transformers accelerate
    python xtask/peers/hf_masked_lm.py --model DIR --data TEXT.txt.gz --steps 52 --precision bf16 --group-by-length

DIR gives configuration and tokeniser; its weights are not read, as speed does not depend on them. With --tokenizer instead of
--model the configuration is BERT's with 4 layers of 256 (intermediate 1024, 4 heads). Every line of the text is a row,
and rows are drawn from all of it. Dynamic masking of 15 %: 80 % masked, 10 % replaced, 10 % left alone.

With --group-by-length Trainer sorts the rows of 50 batches at a time and begins with the longest. So that the steps measured
have the lengths of the whole text, let --steps be 50, or a multiple of it, more than --warmup, as it is when not given.
"""

import argparse
import gzip

from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
    BertConfig,
    DataCollatorForLanguageModeling,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar

from measured import draw, train, training_arguments

SMALL = {"num_hidden_layers": 4, "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--model", help="directory of a configuration and a tokeniser")
    start.add_argument("--tokenizer", help="directory of a tokeniser for a BERT of 4 layers of 256")
    parser.add_argument("--data", required=True, help="text, a row a line; .gz is unpacked")
    return training_arguments(parser)


def read_lines(path):
    """Lines that are not empty."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        return [line for line in map(str.strip, file) if line]


def make_model(options, tokenizer):
    """A model with random weights."""
    if options.model:
        config = AutoConfig.from_pretrained(options.model)
    else:
        config = BertConfig(**SMALL, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    return AutoModelForMaskedLM.from_config(config)


def main():
    options = arguments()
    disable_progress_bar()
    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model or options.tokenizer)
    texts = draw(read_lines(options.data), options, options.data)
    encoded = tokenizer(texts, truncation=True, max_length=options.max_length, return_special_tokens_mask=True)
    rows = [{name: values[row] for name, values in encoded.items()} for row in range(len(texts))]
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    train(f"hf-masked-lm {options.precision}", make_model(options, tokenizer), rows, collator, options, 5e-4)


if __name__ == "__main__":
    main()
