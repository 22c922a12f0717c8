"""The same fine-tuning in PyTorch: once as a plain loop, once by Hugging Face's Trainer."""

import tempfile
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import SequentialSampler
from transformers import AutoModelForSequenceClassification, PrinterCallback, Trainer, TrainingArguments, get_scheduler


@dataclass
class Hyper:
    """`[train]` of the recipe, by its own names."""

    batch_size: int = 4
    accumulate: int = 1
    max_steps: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    schedule: str = "linear"
    warmup_steps: int = 0
    max_grad_norm: float = 1.0


def load(directory, outputs, problem, dtype=torch.float32):
    """A checkpoint as transformers opens it, without dropout; a head that does not fit is replaced."""
    model, info = AutoModelForSequenceClassification.from_pretrained(
        directory,
        num_labels=outputs,
        problem_type=problem,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout=0.0,
        attn_implementation="eager",
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    return model.to(dtype), info


def encode(tokenizer, texts, seconds, max_length, segments):
    """Rows as the tokeniser cuts them, not padded; segment ids beyond those the model has become the last."""
    batch = tokenizer(texts, seconds, truncation=True, max_length=max_length)
    rows = [{"input_ids": ids} for ids in batch["input_ids"]]
    # klue's RoBERTa comes with a BERT tokeniser, whose segments the model does not have.
    for row, kinds in zip(rows, batch.get("token_type_ids", [])):
        row["token_type_ids"] = [min(kind, segments - 1) for kind in kinds]
    return rows


def collate(tokenizer, rows):
    return dict(tokenizer.pad(rows, return_tensors="pt"))


@torch.no_grad()
def predict(model, tokenizer, rows, batch=16):
    """Logits of every row, in order."""
    model.eval()
    parts = [model(**collate(tokenizer, rows[at : at + batch])).logits for at in range(0, len(rows), batch)]
    return torch.cat(parts).double().numpy()


def total_loss(logits, targets):
    """The loss summed over rows, as the model itself averages it."""
    if logits.shape[1] == 1:
        return mse_loss(logits.squeeze(-1), targets.to(logits.dtype), reduction="sum")
    return cross_entropy(logits, targets, reduction="sum")


def train_loop(model, tokenizer, rows, targets, hyper, every=0, evaluate=None):
    """Steps in file order, beginning anew where the table ends; each row of an accumulation window weighs the same.

    With `evaluate` (the model to a score, larger is better) the weights of the best step are given back, the earliest of
    equals; it is asked after each `every` steps and after the last.
    """
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    named = list(model.named_parameters())
    groups = [
        {"params": [p for n, p in named if n in decayed], "weight_decay": hyper.weight_decay},
        {"params": [p for n, p in named if n not in decayed], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=hyper.learning_rate, betas=(0.9, 0.999), eps=1e-8)
    schedule = get_scheduler(hyper.schedule, optimiser, hyper.warmup_steps, hyper.max_steps)
    targets = torch.tensor(targets)
    batches = [range(at, min(at + hyper.batch_size, len(rows))) for at in range(0, len(rows), hyper.batch_size)]
    windows = [batches[at : at + hyper.accumulate] for at in range(0, len(batches), hyper.accumulate)]
    best = (float("-inf"), None)
    model.train()
    for step in range(hyper.max_steps):
        window = windows[step % len(windows)]
        count = sum(map(len, window))
        for batch in window:
            logits = model(**collate(tokenizer, [rows[row] for row in batch])).logits
            (total_loss(logits, targets[list(batch)]) / count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), hyper.max_grad_norm)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if evaluate and ((step + 1) % every == 0 or step + 1 == hyper.max_steps):
            score = evaluate(model)
            model.train()
            if score > best[0]:
                best = (score, {name: tensor.clone() for name, tensor in model.state_dict().items()})
    if evaluate:
        model.load_state_dict(best[1])
    return model


class InOrder(Trainer):
    """Trainer that takes the rows in file order."""

    def _get_train_sampler(self, train_dataset=None):
        return SequentialSampler(train_dataset or self.train_dataset)


def train_trainer(model, tokenizer, rows, targets, hyper):
    """The same by Hugging Face's Trainer with its defaults.

    Where an accumulation window ends in a short batch it averages the batches' means, so that the rows of the short one
    weigh more than the others: there, and only there, `train_loop` and gyeol differ from it.
    """
    data = [{**row, "labels": target} for row, target in zip(rows, targets)]
    with tempfile.TemporaryDirectory() as scratch:
        settings = TrainingArguments(
            output_dir=scratch,
            use_cpu=True,
            per_device_train_batch_size=hyper.batch_size,
            gradient_accumulation_steps=hyper.accumulate,
            max_steps=hyper.max_steps,
            learning_rate=hyper.learning_rate,
            weight_decay=hyper.weight_decay,
            lr_scheduler_type=hyper.schedule,
            warmup_steps=hyper.warmup_steps,
            max_grad_norm=hyper.max_grad_norm,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = InOrder(model=model, args=settings, train_dataset=data, processing_class=tokenizer)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return model
