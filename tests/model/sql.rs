//! The host's own table, as a plain map, and scripts on it that also act on runs: all or nothing.

use serde_json::{Value, json};

use super::attempt::{Attempt, Step};
use super::drive::Drive;
use super::oracle::{CONFLICT, EXISTS, OK, Oracle, Said, Submit, said};
use super::world::{answer, core_submit};

/// What is asked of the host's table reads alike to every backend.
pub const TABLE: &str =
    "[{\"sql\":\"CREATE TABLE host (name TEXT PRIMARY KEY, n BIGINT NOT NULL)\"}]";
const ALL: &str = "SELECT name, n FROM host ORDER BY name";

#[derive(Debug, Clone)]
enum Item {
    Put(&'static str, i64),
    Add(&'static str, i64),
    All,
    Submit(Box<Submit>),
    Signal(String, &'static str, String),
    StepComplete(String),
    AttemptComplete(String),
}

impl Item {
    fn text(&self) -> String {
        match self {
            Item::Put(name, n) => {
                json!({"sql": "INSERT INTO host VALUES ($1, $2)", "params": [name, n]}).to_string()
            }
            Item::Add(name, n) => {
                let sql = "UPDATE host SET n = n + $1 WHERE name = $2";
                json!({"sql": sql, "params": [n, name], "expect_changes": 1}).to_string()
            }
            Item::All => json!({"query": ALL}).to_string(),
            Item::Submit(submit) => {
                format!("{{\"submit\":{}}}", super::door::item(&core_submit(submit)))
            }
            Item::Signal(run, name, payload) => {
                format!(
                    "{{\"signal\":{{\"run_id\":\"{run}\",\"name\":\"{name}\",\"payload\":{payload}}}}}"
                )
            }
            Item::StepComplete(result) => format!("{{\"step_complete\":{{\"result\":{result}}}}}"),
            Item::AttemptComplete(result) => {
                format!("{{\"attempt_complete\":{{\"result\":{result}}}}}")
            }
        }
    }
}

/// In whose name a script runs, as the model has it.
#[derive(Clone, Default)]
struct Holder {
    attempt: Option<Attempt>,
    step: Option<Step>,
}

impl Oracle {
    fn rows(&self) -> Value {
        let rows: Vec<Value> = self.host.iter().map(|(name, n)| json!([name, n])).collect();
        json!({"columns": ["name", "n"], "rows": rows, "more": false})
    }

    /// Does the items; the first that cannot be done says why nothing was.
    fn script(
        &mut self,
        holder: &mut Holder,
        items: &[Item],
        script: &str,
        ids: &[String],
    ) -> Said {
        if let Some(attempt) = &holder.attempt {
            let may =
                if holder.step.is_some() { self.holds(attempt) } else { self.may_go_on(attempt) };
            if let Err(said) = may {
                return said;
            }
        }
        let mut results = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match self.item(holder, item, script, &ids[at]) {
                Ok(result) => results.push(result),
                Err(said) => return said,
            }
        }
        let results = Value::from(results).to_string();
        for item in items {
            match (item, &mut holder.attempt, &mut holder.step) {
                (Item::StepComplete(_), _, Some(step)) => step.answer_as(&results),
                (Item::AttemptComplete(_), Some(attempt), _) => attempt.answer_as(&results),
                _ => {}
            }
        }
        (OK, results)
    }

    fn item(
        &mut self,
        holder: &mut Holder,
        item: &Item,
        script: &str,
        id: &str,
    ) -> Result<Value, Said> {
        let asked = format!("script {script}");
        match item {
            Item::Put(name, n) => {
                if self.host.contains_key(*name) {
                    return Err(said(CONFLICT));
                }
                self.host.insert(name, *n);
                Ok(json!({"changes": 1}))
            }
            Item::Add(name, n) => {
                *self.host.get_mut(name).ok_or_else(|| said(CONFLICT))? += n;
                Ok(json!({"changes": 1}))
            }
            Item::All => Ok(self.rows()),
            Item::Submit(submit) => match self.submit(submit, 0, id) {
                (code, id) if code >= 0 => Ok(json!({"run_id": id, "exists": code == EXISTS})),
                refused => Err(refused),
            },
            Item::Signal(run, name, payload) => match self.signal(run, name, payload, None) {
                (code, _) if code >= 0 => Ok(json!({"exists": code == EXISTS})),
                refused => Err(refused),
            },
            Item::StepComplete(result) => {
                let attempt = holder.attempt.as_mut().expect("a step has its attempt");
                let step = holder.step.as_mut().expect("a script ends the step that is given");
                match self.complete_step_as(attempt, step, result, asked) {
                    (OK, _) => Ok(json!({})),
                    refused => Err(refused),
                }
            }
            Item::AttemptComplete(result) => {
                let attempt = holder.attempt.as_mut().expect("a script ends what is given");
                match self.complete_as(attempt, result, asked) {
                    (OK, _) => Ok(json!({})),
                    refused => Err(refused),
                }
            }
        }
    }
}

impl Drive {
    fn some_item(&mut self) -> Item {
        let name = self.pick(&["x", "y", "z", "w"]);
        match self.draws.below(8) {
            0 | 1 => Item::Put(name, self.pick(&[1, -7])),
            2 | 3 => Item::Add(name, self.pick(&[2, 40])),
            4 => Item::Submit(Box::new(Submit { is_local: false, ..self.some_submit(false) })),
            5 if !self.oracle.runs.is_empty() => {
                let key = self.some_run().expect("there are runs");
                let payload = format!("\"m{}\"", self.payloads);
                Item::Signal(self.oracle.runs[key].id.clone(), self.pick(&["x", "y"]), payload)
            }
            _ => Item::All,
        }
    }

    /// A script in nobody's name, in an attempt's, or as the work of a step.
    pub fn script(&mut self) -> Option<(Said, Said)> {
        if self.is_crowded() {
            return None;
        }
        let (held, step) = match self.draws.below(3) {
            0 => (None, None),
            1 => (Some(self.some_attempt()?), None),
            _ => {
                let at = self.some_step()?;
                (Some(self.steps[at].attempt), Some(at))
            }
        };
        let len = self.draws.below(3) + 1;
        let mut items: Vec<Item> = (0..len).map(|_| self.some_item()).collect();
        let result = format!("\"s{}\"", self.draws.below(3));
        let ends = self.draws.below(2) == 0;
        match (held, step) {
            (_, Some(at)) if ends || self.steps[at].model.is_finished() => {
                items.push(Item::StepComplete(result));
            }
            (Some(_), None) if self.draws.below(4) == 0 => {
                items.push(Item::AttemptComplete(result))
            }
            _ => {}
        }
        self.run_script(held, step, &items)
    }

    fn run_script(
        &mut self,
        held: Option<u64>,
        step: Option<usize>,
        items: &[Item],
    ) -> Option<(Said, Said)> {
        let texts: Vec<String> = items.iter().map(Item::text).collect();
        let script = format!("[{}]", texts.join(","));
        let number = held.map(|id| self.held[&id].model.handle);
        let handles = &self.world.handles;
        let at = match number {
            Some(number) => handles.iter().position(|handle| handle.number == number)?,
            None => self.some_handle(),
        };
        self.note(format!("script of {held:?} {step:?}: {script}"));
        let of_attempt = held.filter(|_| step.is_none()).map(|id| &*self.held[&id].core);
        let of_step = step.map(|at| &self.steps[at].core);
        let core = self.world.handles[at].store.tx_run(of_attempt, of_step, &script);
        let core = answer(&core, |results| (OK, results.clone()));
        let mut holder = Holder {
            attempt: held.map(|id| self.held[&id].model.clone()),
            step: step.map(|at| self.steps[at].model.clone()),
        };
        let model = self.model_script(&mut holder, items, &script, &core);
        if let (Some(id), Some(attempt)) = (held, holder.attempt) {
            self.held.get_mut(&id).expect("it was drawn").model = attempt;
        }
        if let (Some(at), Some(step)) = (step, holder.step) {
            self.steps[at].model = step;
        }
        let rows = self.world.store().query(ALL, None).unwrap();
        let (rows, model_rows) = (rows.parse::<Value>().unwrap(), self.oracle.rows());
        if rows != model_rows {
            self.refuse(&format!("the table is {rows}, in the model {model_rows}"));
        }
        Some((core, model))
    }

    /// The model's answer; of what failed nothing stays.
    fn model_script(
        &mut self,
        holder: &mut Holder,
        items: &[Item],
        script: &str,
        core: &Said,
    ) -> Said {
        let ends_step = items.iter().any(|item| matches!(item, Item::StepComplete(_)));
        let ends_attempt = items.iter().any(|item| matches!(item, Item::AttemptComplete(_)));
        let asked = format!("script {script}");
        let again = match holder {
            Holder { attempt: Some(attempt), step: Some(step) } if ends_step => {
                self.oracle.finish_again(attempt, step, &asked)
            }
            Holder { attempt: Some(attempt), step: None } if ends_attempt => {
                self.oracle.end_again(attempt, &asked)
            }
            _ => None,
        };
        if let Some(again) = again {
            return again;
        }
        let results: Value = serde_json::from_str(&core.1).unwrap_or_default();
        let id = |at: usize| results[at]["run_id"].as_str().unwrap_or("run_?").to_owned();
        let ids: Vec<String> = (0..items.len()).map(id).collect();
        let (before, was) = (self.oracle.clone(), holder.clone());
        let model = self.oracle.script(holder, items, script, &ids);
        if model.0 < 0 {
            (self.oracle, *holder) = (before, was);
        }
        model
    }
}
