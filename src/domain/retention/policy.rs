//! The policy: which ended runs stay by themselves, for how long and how many.
//!
//! It says what is kept, and is asked of topmost runs; what nothing in it keeps goes. So a time and a number
//! together keep what either of them does, and nobody loses the newest runs to a clock that was set wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Now;
use crate::domain::input::{check_word, integer_in, object, present};
use crate::domain::news::{News, Queues};
use crate::domain::output::{Document, document};
use crate::domain::port::{Port, RunState, RunStates, Span};
use crate::error::{Error, Result};
use crate::limits::{DURATION_MS_MAX, KEEP_NEWEST_MAX, NAME_BYTES_MAX, POLICY_WORKFLOWS_MAX};

/// How long and how many; what is not said is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_newest: Option<u32>,
}

/// The policy of a store, as it is stored and told: what was given, and no more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    #[serde(flatten)]
    every: Rule,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    workflows: BTreeMap<String, Rule>,
}

impl Document for Policy {
    const SHAPE: &'static str = "retention";
}

impl Rule {
    fn take(&mut self, key: &str, value: &str) -> Result<bool> {
        let age = || -> Result<Option<i64>> {
            present(value).map(|value| integer_in(key, value, 0..=DURATION_MS_MAX)).transpose()
        };
        match key {
            "completed_ms" => self.completed_ms = age()?,
            "failed_ms" => self.failed_ms = age()?,
            "cancelled_ms" => self.cancelled_ms = age()?,
            "keep_newest" => {
                let count = |value| integer_in(key, value, 0..=i64::from(KEEP_NEWEST_MAX));
                let count = present(value).map(count).transpose()?;
                self.keep_newest = count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Returns it with what it does not say taken from another.
    fn or(&self, other: &Rule) -> Rule {
        Rule {
            completed_ms: self.completed_ms.or(other.completed_ms),
            failed_ms: self.failed_ms.or(other.failed_ms),
            cancelled_ms: self.cancelled_ms.or(other.cancelled_ms),
            keep_newest: self.keep_newest.or(other.keep_newest),
        }
    }

    /// Returns how many of the newest stay, whatever their age.
    pub(super) fn newest(&self) -> u32 {
        self.keep_newest.unwrap_or(0)
    }

    fn ages(&self) -> [(RunState, Option<i64>); 3] {
        [
            (RunState::Completed, self.completed_ms),
            (RunState::Failed, self.failed_ms),
            (RunState::Cancelled, self.cancelled_ms),
        ]
    }

    /// Returns which ended runs go but for the newest: states, and for how many milliseconds they stay. A
    /// number without any time means that whatever is beyond it goes; `None`.
    fn kept(&self) -> Vec<(RunStates, Option<i64>)> {
        let mut kept: Vec<(Vec<RunState>, i64)> = Vec::new();
        for (state, age) in self.ages() {
            let Some(age) = age else { continue };
            match kept.iter_mut().find(|(_, known)| *known == age) {
                Some((states, _)) => states.push(state),
                None => kept.push((vec![state], age)),
            }
        }
        if kept.is_empty() && self.newest() > 0 {
            return vec![(RunStates::of(&self.ages().map(|(state, _)| state)), None)];
        }
        kept.into_iter().map(|(states, age)| (RunStates::of(&states), Some(age))).collect()
    }

    /// Returns which runs go at this moment but for the newest: states, and when they ended.
    pub(super) fn due(&self, now: Now) -> Vec<(RunStates, Span)> {
        let ended_to = |age: i64| now.wall_ms.saturating_sub(age).saturating_add(1);
        let due = |(states, age): (RunStates, Option<i64>)| {
            (states, Span { from_ms: None, to_ms: age.map(ended_to) })
        };
        self.kept().into_iter().map(due).collect()
    }
}

impl Policy {
    /// Reads a policy; absent, it says nothing.
    pub fn read(policy: Option<&str>) -> Result<Policy> {
        let mut read = Policy::default();
        object(policy.unwrap_or("{}"), |key, value| match key {
            "workflows" => workflows(value).map(|rules| read.workflows = rules).map(|()| true),
            _ => read.every.take(key, value),
        })
        .map_err(|error| error.within("policy"))?;
        Ok(read)
    }

    /// Reads what a store holds.
    pub(super) fn stored(text: &str) -> Result<Policy> {
        serde_json::from_str(text)
            .map_err(|error| Error::Corrupt(format!("the policy is not read: {error}").into()))
    }

    /// Returns what holds for a workflow.
    pub(super) fn of(&self, workflow: &str) -> Rule {
        match self.workflows.get(workflow) {
            Some(rule) => rule.or(&self.every),
            None => self.every.clone(),
        }
    }

    /// Returns the next workflow in the order of bytes that it lets something go of.
    pub(super) fn next_after(&self, port: &mut dyn Port, name: &str) -> Result<Option<String>> {
        if !self.every.kept().is_empty() {
            return port.workflow_after(name);
        }
        let next = self.workflows.keys().find(|key| key.as_str() > name);
        Ok(next.cloned())
    }

    /// Returns for how many milliseconds it keeps what it keeps for the shortest time; `None` when nothing
    /// goes.
    pub(super) fn shortest_ms(&self) -> Option<i64> {
        let named = self.workflows.values().map(|rule| rule.or(&self.every));
        let rules = std::iter::once(self.every.clone()).chain(named);
        rules.flat_map(|rule| rule.kept()).map(|(_, age)| age.unwrap_or(0)).min()
    }
}

fn workflows(value: &str) -> Result<BTreeMap<String, Rule>> {
    let mut rules = BTreeMap::new();
    let Some(value) = present(value) else { return Ok(rules) };
    object(value, |name, value| {
        check_word("a name", name, NAME_BYTES_MAX)?;
        let Some(value) = present(value) else { return Ok(true) };
        if rules.len() == POLICY_WORKFLOWS_MAX {
            return Err(Error::invalid(format!("it has more than {POLICY_WORKFLOWS_MAX} members")));
        }
        let mut rule = Rule::default();
        object(value, |key, value| rule.take(key, value))
            .map_err(|error| error.within(&format!("{name:?}")))?;
        rules.insert(name.to_owned(), rule);
        Ok(true)
    })
    .map_err(|error| error.within("workflows"))?;
    Ok(rules)
}

/// Sets the policy of a store; one that says nothing ends it. The one that holds already goes on.
pub fn set(port: &mut dyn Port, policy: &Policy, now: Now) -> Result<()> {
    let text = document(policy)?;
    let text = (*policy != Policy::default()).then_some(text);
    if port.policy()? == text {
        return Ok(());
    }
    port.policy_set(text.as_deref())?;
    if policy.shortest_ms().is_some() {
        port.look_set(Some(now.wall_ms), None)?;
        port.tell(News::due_earlier(Queues::ALL));
    }
    Ok(())
}

/// Returns the policy of a store as a document.
pub fn get(port: &mut dyn Port) -> Result<String> {
    let policy = port.policy()?.map(|text| Policy::stored(&text)).transpose()?;
    document(&policy.unwrap_or_default())
}
