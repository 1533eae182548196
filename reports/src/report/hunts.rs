//! What hunts found, as stories.

use super::Context;
use crate::saved::{Found, Hunted, Line, Safe, Worst};
use crate::text;

/// A hunt's section.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) words: Vec<String>,
    pub(super) found: Vec<Story>,
}

/// What was found for one expectation.
pub(super) struct Story {
    pub(super) title: String,
    pub(super) words: Vec<String>,
    pub(super) story: Vec<(String, String)>,
    pub(super) repeat: String,
}

pub(super) fn sections(context: &Context<'_>) -> Vec<Section> {
    let section = |hunt: &Hunted| Section {
        title: format!("Hunt: what breaks {}", if hunt.design.is_empty() { &hunt.scenario } else { &hunt.design }),
        words: vec![said(hunt)],
        found: hunt.found.iter().map(found).chain(hunt.worst.iter().map(worst)).collect(),
    };
    context.material.hunts.iter().map(section).collect()
}

fn said(hunt: &Hunted) -> String {
    let effect = hunt.kinds.iter().filter(|kind| kind.took_effect > 0).count();
    let mut said = format!(
        "{} of at most {} were tried against {}; {effect} of {} kinds of fault took effect; the hunt ended because: {}.",
        text::count(hunt.runs, "schedule", "schedules"),
        text::count(hunt.faults, "fault", "faults"),
        hunt.hunted.join(", "),
        hunt.kinds.len(),
        hunt.ended
    );
    if hunt.found.is_empty() && hunt.worst.is_none() {
        said.push_str(" Nothing was found, which is no proof that there is nothing.");
    }
    if hunt.vacuous > 0 {
        said.push_str(&format!(
            " In {} an expectation had nothing to judge.",
            text::count(hunt.vacuous, "run", "runs")
        ));
    }
    said
}

fn lines(story: &[Line]) -> Vec<(String, String)> {
    story.iter().map(|line| (line.at.clone(), line.what.clone())).collect()
}

fn found(found: &Found) -> Story {
    let (fails, tried) = found.other_seeds;
    let mut words = vec![format!(
        "{} Violated in {}. The smallest schedule, of {} before: {}. It fails under {fails} of {tried} further seeds too.",
        found.why,
        text::count(found.violated, "run", "runs"),
        text::count(found.faults_before, "fault", "faults"),
        found.schedule.join("; ")
    )];
    words.extend(found.safe.iter().map(|safe: &Safe| match &safe.safe {
        Some(value) => {
            format!("{}: {} = {} fails, {value} held under the same seed.", safe.fault, safe.key, safe.fails)
        }
        None => format!("{}: it held at no value of {} that was tried.", safe.fault, safe.key),
    }));
    Story {
        title: found.condition.clone(),
        words,
        story: lines(&found.story),
        repeat: found.repeat.clone().unwrap_or_default(),
    }
}

fn worst(worst: &Worst) -> Story {
    let without = worst.without.as_ref().map(|quiet| format!(", {quiet} without any fault")).unwrap_or_default();
    Story {
        title: format!("the worst found for {}: {}{without}", worst.metric, worst.value),
        words: vec![worst.schedule.join("; ")],
        story: lines(&worst.story),
        repeat: worst.repeat.clone().unwrap_or_default(),
    }
}
