//! Counting what a batch would touch and what it would cost. It costs nothing itself: one statement adds up what
//! was counted when the texts were written.

use crate::{
    Error, Result,
    accounts::{Actor, Role, SystemScope, Tenant, local::is_local},
    batches::{AnalyzerChoice, Batch, BatchKind, BatchOptions, Impossible, Plan},
    conversations::import::check_tags,
    money::MicroDollars,
    ports::{
        Ports,
        store::{
            batches::{Measured, Reach},
            conversations::ConversationFilter,
        },
    },
};

/// Conversations whose bytes are looked for, and how many of them at a time.
const LOOKED_FOR: u64 = 10_000;
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
    /// With `options.everywhere` neither a filter nor `all` is given.
    pub options: BatchOptions,
}

/// Counts, prices, and keeps the plan.
pub async fn plan(ports: &Ports, actor: &Actor, input: PlanInput) -> Result<Batch> {
    actor.require(Role::Admin)?;
    let PlanInput { kind, mut filter, all, options } = input;
    filter.tags = check_tags(&filter.tags)?;
    if options.everywhere {
        check_everywhere(ports, actor, kind, &filter, all).await?;
    } else {
        check_filter(&filter, all)?;
    }
    check_options(ports, options)?;
    let plan = count(ports, actor.tenant(), kind, &filter, options).await?;
    // An installation without conversations has indexes nevertheless.
    if plan.conversations == 0 && !options.everywhere {
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

/// Who holds the data folder of a standalone holds the key of its local organization's owner: that is the
/// administrator of the installation.
async fn check_everywhere(
    ports: &Ports,
    actor: &Actor,
    kind: BatchKind,
    filter: &ConversationFilter,
    all: bool,
) -> Result<()> {
    actor.require(Role::Owner)?;
    if !is_local(ports, actor.tenant()).await? {
        let message = "`everywhere` means every organization of the installation, and is for the owner of the standalone's local one; say `all: true` for your own";
        return Err(Error::forbidden(message));
    }
    if !kind.writes_indexes() {
        let message = "only REINDEX and REEMBED go beyond an organization";
        return Err(Error::invalid("everywhere", "NOT_EVERYWHERE", message));
    }
    if all || !filter.is_everything() {
        let message = "give a filter, `all: true` or `everywhere: true`, one of them";
        return Err(Error::invalid("everywhere", "FILTER_AND_ALL", message));
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
    let (reach, per_1000) = (options.reach(tenant), price_per_1000(ports, kind, options));
    let Measured { conversations, segments, characters, tokens, price } =
        ports.batches.measure(reach, filter, per_1000).await?;
    let mut plan = Plan {
        conversations,
        segments,
        characters,
        tokens,
        price,
        price_per_1000_tokens: per_1000,
        ..Plan::default()
    };
    if kind == BatchKind::Reimport {
        plan.impossible.extend(edited(ports, reach, filter, options).await?);
        plan.impossible.extend(without_bytes(ports, reach, filter, conversations).await?);
    }
    estimate_duration(ports, tenant, kind, &mut plan).await?;
    Ok(plan)
}

/// Those that were changed by hand, which a reimport would undo.
async fn edited(
    ports: &Ports,
    reach: Reach,
    filter: &ConversationFilter,
    options: BatchOptions,
) -> Result<Option<Impossible>> {
    let conversations = match options.overwrite_edits {
        true => 0,
        false => ports.batches.edited(reach, filter).await?,
    };
    let reason = "they were changed by hand since they were read; these are skipped, unless `overwriteEdits` says otherwise";
    Ok((conversations > 0).then(|| Impossible { reason: reason.to_owned(), conversations }))
}

/// Those whose bytes are gone. Looking takes a call to the object store for each, so of many the oldest stand for
/// all.
async fn without_bytes(
    ports: &Ports,
    reach: Reach,
    filter: &ConversationFilter,
    conversations: u64,
) -> Result<Option<Impossible>> {
    let (mut looked, mut gone) = (0, 0);
    let mut after = None;
    while looked < LOOKED_FOR {
        let page = ports.batches.items(reach, filter, after, PAGE).await?;
        for item in &page {
            gone += u64::from(!ports.objects.has(&item.object_key).await?);
        }
        looked += page.len() as u64;
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.conversation_id),
            _ => break,
        }
    }
    if gone == 0 {
        return Ok(None);
    }
    let reason = "their original bytes are gone, so there is nothing to read again; these will fail";
    Ok(Some(if looked < conversations {
        let reason = format!("{reason} (estimated: {gone} of the {looked} oldest)");
        Impossible { reason, conversations: (conversations * gone).div_ceil(looked) }
    } else {
        Impossible { reason: reason.to_owned(), conversations: gone }
    }))
}

async fn estimate_duration(ports: &Ports, tenant: Tenant, kind: BatchKind, plan: &mut Plan) -> Result<()> {
    let job = kind.job();
    let scope = SystemScope::because("workers serve every tenant; only their number is used");
    let capacity = ports.ledger.capacity(scope).await?;
    let handlers: usize =
        capacity.iter().filter(|(queue, _)| *queue == job.queue()).map(|(_, handlers)| handlers).sum();
    if handlers == 0 && kind.writes_indexes() {
        let reason = "no process owns search indexes now; the work waits until a standalone runs";
        plan.impossible.push(Impossible { reason: reason.to_owned(), conversations: plan.conversations });
    }
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
