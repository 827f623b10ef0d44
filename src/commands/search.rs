//! `colloquy search`: hits as people read them, or as the API gave them.

mod about;
mod hits;

use anyhow::Result;
use serde_json::json;

use super::{Outcome, text::count};
use crate::{
    cli::{Common, Search},
    client::{self, SearchFilter, SearchInput, Searched, Shape},
    output::{self, bold, faint, plain},
};

pub(crate) use hits::show;

pub(crate) async fn run(common: &Common, args: Search) -> Result<Outcome> {
    let input = SearchInput {
        query: args.query.join(" "),
        mode: args.mode,
        filter: SearchFilter {
            kinds: args.kinds,
            tags: args.tags,
            speakers: args.speakers,
            occurred_from: args.from,
            occurred_before: args.before,
        },
        first: args.number,
        shape: Shape { group: args.group, varied: args.varied, facets: args.facets, explain: args.explain },
    };
    let connection = client::connect(common, &args.target).await?;
    let searched = connection.client.search(&input).await;
    connection.close().await;
    tell(&searched?, common)?;
    Ok(Outcome::Done)
}

fn tell(searched: &Searched, common: &Common) -> Result<()> {
    if let Some(lack) = &searched.degraded {
        output::warn(format_args!("this answer is not whole: {}", plain(lack)));
    }
    let Searched { meant, facets, explanation, .. } = searched;
    if common.json {
        // Standard output is for hits.
        meant.iter().for_each(|meant| output::note(format_args!("did you mean: {}", plain(meant))));
        return match (facets, explanation) {
            (None, None) => output::json(&searched.nodes),
            _ => {
                output::json(&json!({ "hits": searched.nodes, "facets": facets, "explanation": explanation }))
            }
        };
    }
    if let Some(meant) = meant {
        output::line(format_args!("did you mean: {}", bold(plain(meant))))?;
    }
    tell_hits(searched, common)?;
    let about = facets.iter().flat_map(about::facets).chain(explanation.iter().flat_map(about::explanation));
    about.into_iter().try_for_each(output::line)
}

fn tell_hits(searched: &Searched, common: &Common) -> Result<()> {
    if searched.hits.is_empty() {
        return output::line("no hits");
    }
    for (place, hit) in searched.hits.iter().enumerate() {
        output::line(show(place + 1, hit, output::width(), common.verbose))?;
        output::line("")?;
    }
    let more = if searched.more { ", and there are more: raise -n" } else { "" };
    output::line(faint(format_args!("{}{more}", count(searched.hits.len(), "hit"))))
}
