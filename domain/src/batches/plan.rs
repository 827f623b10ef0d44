//! Counting what a batch would touch and what it would cost. It costs nothing itself: texts are measured where
//! they stand, a page at a time.

use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    batches::{AnalyzerChoice, Batch, BatchKind, BatchOptions, Impossible, Plan},
    conversations::import::check_tags,
    jobs::Queue,
    money::MicroDollars,
    ports::{
        Ports,
        store::{batches::Item, conversations::ConversationFilter},
    },
};

/// Conversations that are read at a time.
const PAGE: usize = 1000;
pub const MAX_IDS: usize = 1000;
/// About, in English; other languages have more tokens to the character.
const CHARACTERS_A_TOKEN: u64 = 4;
/// Where no job of the kind has run lately.
const DEFAULT_RUN_MS: f64 = 50.0;

pub struct PlanInput {
    pub kind: BatchKind,
    pub filter: ConversationFilter,
    /// Every conversation is meant, where the filter names none.
    pub all: bool,
    pub options: BatchOptions,
}

/// Counts, prices, and keeps the plan.
pub async fn plan(ports: &Ports, actor: &Actor, input: PlanInput) -> Result<Batch> {
    actor.require(Role::Admin)?;
    let PlanInput { kind, mut filter, all, options } = input;
    filter.tags = check_tags(&filter.tags)?;
    check_filter(&filter, all)?;
    check_options(ports, options)?;
    let plan = count(ports, actor.tenant(), kind, &filter, options).await?;
    if plan.conversations == 0 {
        return Err(Error::invalid("filter", "NOTHING_TO_DO", "no conversation matches the filter"));
    }
    let by = Some(actor.user_id);
    let batch = Batch::planned(ports, actor.tenant(), by, kind, filter, options, plan);
    ports.batches.insert(actor.tenant(), &batch).await?;
    Ok(batch)
}

/// Whether the analyzer is there.
pub(crate) fn check_options(ports: &Ports, options: BatchOptions) -> Result<()> {
    if options.analyzer == AnalyzerChoice::TestPriced && ports.analysis_rules.test_analyzer_price.is_none() {
        let message =
            "the test analyzer is switched off; `analysis.test_analyzer_price` of the server switches it on";
        return Err(Error::invalid("options", "ANALYZER_UNAVAILABLE", message));
    }
    Ok(())
}

pub(crate) fn check_filter(filter: &ConversationFilter, all: bool) -> Result<()> {
    let named = filter.ids.as_ref().map_or(0, Vec::len);
    if named > MAX_IDS {
        let message = format!("{named} ids were given, at most {MAX_IDS} are allowed; tag them instead");
        return Err(Error::invalid("filter", "TOO_MANY_IDS", message));
    }
    match (filter.is_everything(), all) {
        (true, false) => {
            let message = "the filter leaves nothing out: say `all: true` where every conversation is meant";
            Err(Error::invalid("filter", "EVERYTHING_IS_MEANT", message))
        }
        (false, true) => {
            let message = "give a filter or `all: true`, not both";
            Err(Error::invalid("all", "FILTER_AND_ALL", message))
        }
        _ => Ok(()),
    }
}

/// What one conversation costs. The same rule holds when it is planned, fed and run.
pub fn price(ports: &Ports, kind: BatchKind, options: BatchOptions, characters: u64) -> MicroDollars {
    price_of(tokens(characters), price_per_1000(ports, kind, options))
}

/// Whether it matters how long a text is.
pub(crate) fn is_priced(ports: &Ports, batch: &Batch) -> bool {
    price_per_1000(ports, batch.kind, batch.options) > MicroDollars::ZERO
}

fn price_of(tokens: u64, per_1000: MicroDollars) -> MicroDollars {
    MicroDollars(tokens.saturating_mul(per_1000.0).div_ceil(1000))
}

fn tokens(characters: u64) -> u64 {
    characters.div_ceil(CHARACTERS_A_TOKEN)
}

pub(crate) fn price_per_1000(ports: &Ports, kind: BatchKind, options: BatchOptions) -> MicroDollars {
    match (kind, options.analyzer) {
        (BatchKind::Reanalyze, AnalyzerChoice::TestPriced) => {
            ports.analysis_rules.test_analyzer_price.unwrap_or_default()
        }
        _ => MicroDollars::ZERO,
    }
}

/// As the conversations stand now.
pub(crate) async fn count(
    ports: &Ports,
    tenant: Tenant,
    kind: BatchKind,
    filter: &ConversationFilter,
    options: BatchOptions,
) -> Result<Plan> {
    let per_1000 = price_per_1000(ports, kind, options);
    let mut plan = Plan { price_per_1000_tokens: per_1000, ..Plan::default() };
    let mut without_bytes = 0;
    let mut after = None;
    loop {
        let page = ports.batches.items(tenant, filter, after, PAGE, true).await?;
        for item in &page {
            let tokens = tokens(item.characters);
            plan.conversations += 1;
            plan.segments += item.segments;
            plan.characters += item.characters;
            plan.tokens += tokens;
            plan.price = plan.price + price_of(tokens, per_1000);
        }
        if kind == BatchKind::Reimport {
            without_bytes += count_without_bytes(ports, &page).await?;
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.conversation_id),
            _ => break,
        }
    }
    if without_bytes > 0 {
        let reason = "their original bytes are gone, so there is nothing to read again; these will fail";
        plan.impossible.push(Impossible { reason: reason.to_owned(), conversations: without_bytes });
    }
    if kind.job().is_none() {
        let reason = format!(
            "{} is not possible yet: a standalone builds its indexes anew when its `index` folder is removed",
            kind.as_str()
        );
        plan.impossible.push(Impossible { reason, conversations: plan.conversations });
    }
    estimate_duration(ports, tenant, kind, &mut plan).await?;
    Ok(plan)
}

async fn count_without_bytes(ports: &Ports, page: &[Item]) -> Result<u64> {
    let mut gone = 0;
    for item in page {
        gone += u64::from(!ports.objects.has(&item.object_key).await?);
    }
    Ok(gone)
}

async fn estimate_duration(ports: &Ports, tenant: Tenant, kind: BatchKind, plan: &mut Plan) -> Result<()> {
    let Some(job) = kind.job() else { return Ok(()) };
    let scope =
        crate::accounts::SystemScope::because("workers serve every tenant; only their number is used");
    let capacity = ports.ledger.capacity(scope).await?;
    let handlers: usize =
        capacity.iter().filter(|(queue, _)| *queue == Queue::Batch).map(|(_, handlers)| handlers).sum();
    let handlers = handlers.max(1);
    let (run_ms, from) = match ports.batches.run_time(tenant, job).await? {
        Some(recent) => {
            (recent.average_ms, format!("the {} jobs of this kind that ended in the last hour", recent.jobs))
        }
        None => (DEFAULT_RUN_MS, format!("{DEFAULT_RUN_MS} ms each, since none has run in the last hour")),
    };
    plan.duration_ms = (plan.conversations as f64 * run_ms / handlers as f64).ceil() as u64;
    let at_once = if handlers == 1 { "one at a time".to_owned() } else { format!("{handlers} at a time") };
    plan.duration_basis = format!("from {from}, {at_once}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_four_characters_and_a_price_is_rounded_up() {
        assert_eq!([tokens(0), tokens(1), tokens(4), tokens(5)], [0, 1, 1, 2]);
        let price = |tokens, per_1000| price_of(tokens, MicroDollars(per_1000)).0;
        assert_eq!([price(1000, 150), price(1, 150), price(0, 150), price(7, 0)], [150, 1, 0, 0]);
    }

    #[test]
    fn everything_must_be_said_and_nothing_else_with_it() {
        let code =
            |filter: &ConversationFilter, all| check_filter(filter, all).err().map(|error| error.code());
        let everything = ConversationFilter::default();
        let tagged = ConversationFilter { tags: vec!["pay".to_owned()], ..ConversationFilter::default() };
        let none = ConversationFilter { ids: Some(Vec::new()), ..ConversationFilter::default() };
        assert_eq!(code(&everything, false), Some("EVERYTHING_IS_MEANT"));
        assert_eq!(code(&everything, true), None);
        assert_eq!(code(&tagged, false), None);
        assert_eq!(code(&tagged, true), Some("FILTER_AND_ALL"));
        assert_eq!(code(&none, false), None);
    }
}
