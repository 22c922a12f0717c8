//! The wording of a first recipe: what was found, and the keys a person is likeliest to change, each with a comment.

use gyeol_data::Task;

use super::Labels;
use crate::detect::Found;

/// What the recipe says; paths as the recipe is to write them.
pub(super) struct Draft {
    pub(super) train: String,
    pub(super) valid: Option<String>,
    pub(super) test: Option<String>,
    pub(super) columns: Found,
    pub(super) task: Task,
    pub(super) task_reason: String,
    pub(super) labels: Labels,
}

impl Draft {
    /// The recipe's text.
    pub(super) fn to_toml(&self) -> String {
        let metrics = match self.task {
            Task::Classification => "accuracy, macro_f1 or log_loss",
            Task::MultiLabel => "accuracy (of whole sets), micro_f1, macro_f1 or log_loss",
            Task::Regression => "pearson, spearman or rmse",
        };
        let metric = match self.task {
            Task::Classification => "accuracy",
            Task::MultiLabel => "micro_f1",
            Task::Regression => "pearson",
        };
        let mut text =
            format!("seed = 42\nmetric = \"{metric}\"  # selects checkpoints and stops early: {metrics}\n\n[data]\n");
        text.push_str(&assignment("train", &self.train));
        match &self.valid {
            Some(valid) => text.push_str(&assignment("valid", valid)),
            None => text.push_str("holdout = 0.1  # share of train that validates; or valid = \"another table\"\n"),
        }
        match &self.test {
            Some(test) => text.push_str(&assignment("test", test)),
            None => text.push_str("# test = \"test.csv\"  # predicted after training\n"),
        }
        for (key, choice) in self.columns.rows() {
            match choice {
                Some(choice) => text.push_str(&assignment(key, &choice.column)),
                None if key == "id" => text.push_str("# id = \"…\"  # absent: hashes of the texts\n"),
                None => {}
            }
        }
        let reason = self.task_reason.replace(['\n', '\r'], " ");
        let task = if self.task == Task::MultiLabel { Task::Classification } else { self.task };
        text.push_str(&format!("task = \"{task}\"  # {reason}\n"));
        match &self.labels {
            Labels::Classes(classes) => {
                let names: Vec<toml::Value> =
                    classes.iter().map(|(label, _)| toml::Value::from(label.as_str())).collect();
                let names = toml::Value::Array(names).to_string().replace(['\n', '\r'], " ");
                text.push_str(&format!("# label_names = {names}  # for people\n"));
            }
            Labels::Range([low, high]) => {
                text.push_str(&format!("# score_range = [{low:?}, {high:?}]  # predictions are clamped to it\n"));
            }
        }
        text.push_str(REST);
        if self.task == Task::MultiLabel {
            text.push_str("\n[loss]\nkind = \"bce\"  # a row has any number of labels, separated by |\n");
        }
        text
    }
}

fn assignment(key: &str, value: &str) -> String {
    format!("{key} = {}\n", toml::Value::from(value))
}

const REST: &str = r#"
[model]
base = "klue/roberta-base"  # a checkpoint directory, or a hub id
max_length = 128  # tokens; longer texts are truncated

[train]
epochs = 3
batch_size = 32
learning_rate = 2e-5
warmup_ratio = 0.1
precision = "auto"  # bf16 where the processor has it, else f32; or one of them by name
patience = 0  # evaluations without improvement before stopping; 0: never
"#;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gyeol_engine::config::LossKind;
    use gyeol_pipeline::recipe::Recipe;

    use super::*;
    use crate::detect::Choice;

    fn choice(column: &str) -> Choice {
        Choice { column: column.to_owned(), reason: "by its name".to_owned() }
    }

    #[test]
    fn a_draft_is_a_valid_recipe_whatever_the_columns_are_called() {
        let columns = Found {
            id: None,
            text: choice("say \"text\"\n# = '''"),
            text_pair: Some(choice("문장 2")),
            label: Some(choice("\\label")),
            source: None,
            group: Some(choice("group")),
        };
        for (task, labels) in [
            (Task::Classification, Labels::Classes(vec![("a\nb".into(), 1), ("\"".into(), 2)])),
            (Task::MultiLabel, Labels::Classes(vec![("a".into(), 1), ("b".into(), 2)])),
            (Task::Regression, Labels::Range([0.0, 5.0])),
        ] {
            let draft = Draft {
                train: "데이터/train \"1\".csv".into(),
                valid: None,
                test: Some("test.csv".into()),
                columns: columns.clone(),
                task,
                task_reason: "labels such as \"a\nb\" are not numbers".into(),
                labels,
            };
            let recipe = Recipe::parse(Path::new("recipe.toml"), &draft.to_toml(), &[]).unwrap();
            assert_eq!(recipe.data.text, columns.text.column);
            assert_eq!(recipe.data.train, Path::new(&draft.train));
            assert_eq!((recipe.data.group.as_deref(), recipe.data.id), (Some("group"), None));
            let label_sets = recipe.loss.kind == Some(LossKind::Bce);
            assert_eq!(recipe.data.task, Some(if label_sets { Task::Classification } else { task }));
            assert_eq!(label_sets, task == Task::MultiLabel);
        }
    }
}
