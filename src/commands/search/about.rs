//! What goes with hits: what there is to narrow the search by, and how the answer came about.

use serde_json::Value;

use crate::{
    commands::text::word,
    output::{bold, faint, plain},
};

/// A line a facet: its values with their counts.
pub(super) fn facets(of: &Value) -> Vec<String> {
    if let Some(why) = of["degraded"].as_str() {
        return vec![plain(why)];
    }
    let mut lines = vec![format!("{} {}", bold("matching"), of["matching"])];
    for (name, list) in [("kind", "kinds"), ("tag", "tags"), ("speaker", "speakers")] {
        let values = of[list].as_array().into_iter().flatten();
        let shown: Vec<String> = values
            .map(|of| (of["value"].as_str().unwrap_or_default(), &of["count"]))
            .map(|(value, count)| format!("{} {}", shown(name, value), faint(count)))
            .collect();
        if !shown.is_empty() {
            lines.push(format!("{} {}", bold(name), shown.join(" · ")));
        }
    }
    let buckets: Vec<String> = of["histogram"]["buckets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|of| of["count"] != 0)
        .filter_map(|of| Some(format!("{} {}", of["from"].as_str()?.get(..10)?, faint(&of["count"]))))
        .collect();
    if !buckets.is_empty() {
        let interval = word(of["histogram"]["interval"].as_str().unwrap_or_default());
        lines.push(format!("{} {}", bold(format!("{interval} from")), buckets.join(" · ")));
    }
    lines
}

fn shown(name: &str, value: &str) -> String {
    if name == "kind" { word(&plain(value)) } else { plain(value) }
}

/// A line an engine, and one for the check.
pub(super) fn explanation(of: &Value) -> Vec<String> {
    let text = |value: &Value| word(&plain(value.as_str().unwrap_or_default()));
    let mut lines: Vec<String> = Vec::new();
    for of in of["engines"].as_array().into_iter().flatten() {
        let mut parts = vec![
            format!("{} of {} in {} ms", of["hits"], of["asked"], of["tookMs"]),
            format!("may take {} ms", of["deadlineMs"]),
        ];
        for name in ["weight", "trust"] {
            parts.extend(of[name].as_f64().map(|number| format!("{name} {number:.2}")));
        }
        let (leg, engine, outcome) = (text(&of["leg"]), text(&of["engine"]), text(&of["outcome"]));
        lines.push(format!("{} {engine} {outcome}: {}", bold(leg), parts.join(", ")));
    }
    let (checked, dropped, took) = (&of["checked"], &of["dropped"], &of["tookMs"]);
    let ranked = of["ranked"].as_u64().map(|places| format!("{places} ranked, ")).unwrap_or_default();
    lines.push(format!("{} {ranked}{checked} checked, {dropped} dropped, {took} ms", bold("hits")));
    lines
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn facets_are_a_line_each() {
        let of = json!({
            "degraded": null, "matching": 3, "speakers": [],
            "kinds": [{ "value": "MEETING", "count": 2 }, { "value": "COACHING", "count": 1 }],
            "tags": [{ "value": "boats\u{7}", "count": 2 }],
            "histogram": { "interval": "MONTH", "buckets": [
                { "from": "2026-01-01T00:00:00Z", "before": "2026-02-01T00:00:00Z", "count": 1 },
                { "from": "2026-02-01T00:00:00Z", "before": "2026-03-01T00:00:00Z", "count": 0 },
                { "from": "2026-03-01T00:00:00Z", "before": "2026-04-01T00:00:00Z", "count": 2 },
            ] },
        });
        assert_snapshot!(anstream::adapter::strip_str(&facets(&of).join("\n")), @"
        matching 3
        kind meeting 2 · coaching 1
        tag boats\u{fffd} 2
        month from 2026-01-01 1 · 2026-03-01 2
        ");
    }

    #[test]
    fn an_explanation_is_a_line_an_engine() {
        let engine = |leg, outcome| {
            json!({ "leg": leg, "engine": "embedded", "outcome": outcome, "asked": 1000, "hits": 12, "deadlineMs": 2000,
                "tookMs": 4, "weight": 0.5, "trust": null })
        };
        let of = json!({ "ranked": 14, "checked": 10, "dropped": 1, "tookMs": 9,
            "engines": [engine("TEXT", "ANSWERED"), engine("SEMANTIC", "LATE")] });
        assert_snapshot!(anstream::adapter::strip_str(&explanation(&of).join("\n")), @"
        text embedded answered: 12 of 1000 in 4 ms, may take 2000 ms, weight 0.50
        semantic embedded late: 12 of 1000 in 4 ms, may take 2000 ms, weight 0.50
        hits 14 ranked, 10 checked, 1 dropped, 9 ms
        ");
    }
}
