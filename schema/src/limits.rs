//! What a GraphQL document may cost, found out before validation begins: validation walks fragment spreads
//! without remembering what it has seen, so that a page of nested fragments would hold a thread for seconds.
//!
//! [`parse`] refuses what would be too long or nested too deep for the parser's stack; [`check`] counts what the
//! document asks for once its fragments are expanded, each fragment once, in time linear in its length.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use async_graphql::{
    ErrorExtensionValues, ServerError,
    parser::{
        self,
        types::{
            Directive, DocumentOperations, ExecutableDocument, OperationDefinition, Selection, SelectionSet,
        },
    },
};
use serde::{Deserialize, Serialize};

/// Brackets within brackets that the recursive parser is given at most; it needs a few kilobytes of stack each.
const MAX_NESTING: u32 = 64;

/// How often an introspection query may go from a type to a list of others. Each step multiplies the answer by
/// the size of the schema; tools need one.
const MAX_INTROSPECTION_LISTS: u32 = 2;

/// The most that one GraphQL document may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of the document.
    pub max_query_bytes: u32,
    /// Names, numbers, strings and punctuators in the document.
    pub max_tokens: u32,
    /// Fields within fields.
    pub max_depth: u32,
    /// Fields within `__schema` or `__type`; the usual tools ask for 15.
    pub max_introspection_depth: u32,
    /// Fields after every fragment is expanded where it is spread, over all operations of the document.
    pub max_expanded_fields: u32,
    /// Fields of the query, mutation or subscription type itself.
    pub max_root_fields: u32,
    /// Fields asked for again, as by aliases, beside a field of the same name.
    pub max_repeated_fields: u32,
    /// Directives after every fragment is expanded.
    pub max_directives: u32,
    /// Fields of the answer, each page counted as full, over all operations of the document; what is dear to answer
    /// counts for more.
    pub max_complexity: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_query_bytes: 20_000,
            max_tokens: 3_000,
            max_depth: 15,
            max_introspection_depth: 20,
            max_expanded_fields: 2_000,
            max_root_fields: 20,
            max_repeated_fields: 50,
            max_directives: 50,
            max_complexity: 50_000,
        }
    }
}

/// What an operation asks for, its fragments expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub fields: u32,
    pub depth: u32,
}

/// Why a document is not executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Syntax(parser::Error),
    /// More of `measure` than the limit allows; `cost` is what was asked.
    TooLarge {
        measure: &'static str,
        limit: u32,
        cost: u32,
    },
    /// The fragment spreads itself, if by way of others.
    Cycle {
        fragment: String,
    },
    /// The operation to execute cannot be told.
    Operation {
        message: String,
    },
}

impl Refusal {
    /// The stable code that clients see.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "GRAPHQL_PARSE_FAILED",
            Self::TooLarge { .. } => "QUERY_TOO_LARGE",
            Self::Cycle { .. } => "GRAPHQL_VALIDATION_FAILED",
            Self::Operation { .. } => "OPERATION_RESOLUTION_FAILED",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => error.fmt(f),
            Self::TooLarge { measure, limit, cost } => {
                write!(f, "the query asks for too much: {measure} {cost}, of at most {limit}")
            }
            Self::Cycle { fragment } => write!(f, "the fragment \"{fragment}\" spreads itself"),
            Self::Operation { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for ServerError {
    fn from(refusal: Refusal) -> Self {
        let mut error = Self::new(refusal.to_string(), None);
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("code", refusal.code());
        match refusal {
            Refusal::TooLarge { measure, limit, cost } => {
                extensions.set("measure", measure);
                extensions.set("limit", limit);
                extensions.set("cost", cost);
            }
            Refusal::Syntax(syntax) => error.locations = syntax.positions().collect(),
            Refusal::Cycle { .. } | Refusal::Operation { .. } => {}
        }
        error
    }
}

/// What validation says of a document that is beyond `max_complexity`, as the other refusals are told; it does not say
/// by how much.
pub fn explain(error: &mut ServerError) {
    if error.message == "Query is too complex." {
        "the query asks for too much: pages within pages, or counts, come to more fields than one answer may have"
            .clone_into(&mut error.message);
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("code", "QUERY_TOO_LARGE");
        extensions.set("measure", "complexity");
    }
}

fn within(measure: &'static str, cost: u32, limit: u32) -> Result<(), Refusal> {
    if cost > limit { Err(Refusal::TooLarge { measure, limit, cost }) } else { Ok(()) }
}

/// Parses a document that is neither too long nor nested too deep to be parsed safely.
pub fn parse(source: &str, limits: &Limits) -> Result<ExecutableDocument, Refusal> {
    let bytes = u32::try_from(source.len()).unwrap_or(u32::MAX);
    within("bytes", bytes, limits.max_query_bytes)?;
    let outline = Outline::of(source.as_bytes());
    within("tokens", outline.tokens, limits.max_tokens)?;
    within("nesting", outline.nesting, MAX_NESTING)?;
    parser::parse_query(source).map_err(Refusal::Syntax)
}

/// The operation that a request means.
pub fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Refusal> {
    let refuse = |message: String| Err(Refusal::Operation { message });
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) if operations.contains_key(name) => {
            Ok(&operations[name].node)
        }
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next().map_or_else(|| refuse(String::new()), |operation| Ok(&operation.node))
        }
        (_, Some(name)) => refuse(format!("there is no operation named \"{name}\"")),
        (_, None) => refuse("the document has several operations: say which by operationName".to_owned()),
    }
}

/// Measures the document against the limits; the size is that of the operation to execute.
pub fn check(
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    limits: &Limits,
) -> Result<Size, Refusal> {
    let wanted = operation(document, operation_name)?;
    let mut meter = Meter { document, limits, fragments: HashMap::with_capacity(document.fragments.len()) };
    let (mut size, mut total) = (Size { fields: 0, depth: 0 }, 0_u32);
    for (_, operation) in document.operations.iter() {
        let cost = meter.operation(&operation.node)?;
        total = total.saturating_add(cost.fields);
        if std::ptr::eq(&operation.node, wanted) {
            size = Size { fields: cost.fields, depth: cost.depth.max(cost.introspection_depth) };
        }
    }
    within("fields", total, limits.max_expanded_fields)?;
    // Validation also walks the fragments that no operation spreads.
    for (name, fragment) in &document.fragments {
        let cost = meter.fragment(name, &fragment.node.selection_set.node, 0)?;
        within("fields", cost.fields, limits.max_expanded_fields)?;
    }
    Ok(size)
}

/// Tokens and the deepest nesting of brackets, without a parser: it errs towards more of both.
struct Outline {
    tokens: u32,
    nesting: u32,
}

impl Outline {
    fn of(source: &[u8]) -> Self {
        let (mut outline, mut open, mut at) = (Self { tokens: 0, nesting: 0 }, 0_u32, 0);
        while let Some(&byte) = source.get(at) {
            let rest = &source[at..];
            let (length, token) = match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' => (1, false),
                b'#' => (run(rest, |b| !matches!(b, b'\r' | b'\n')), false),
                b'"' => (string(rest), true),
                b'.' => (run(rest, |b| b == b'.'), true),
                b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                    (run(rest, |b| b == b'_' || b.is_ascii_alphanumeric()), true)
                }
                _ => (1, true),
            };
            match byte {
                b'{' | b'[' | b'(' => open += 1,
                b'}' | b']' | b')' => open = open.saturating_sub(1),
                _ => {}
            }
            outline.nesting = outline.nesting.max(open);
            outline.tokens = outline.tokens.saturating_add(u32::from(token));
            at += length;
        }
        outline
    }
}

fn run(rest: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len())
}

/// The length of the string that `rest` begins with. A block string that never ends is an empty string to the
/// parser, with another one after it, so it is taken for that here too: nothing may hide in it.
fn string(rest: &[u8]) -> usize {
    if rest.starts_with(b"\"\"\"") {
        let mut at = 3;
        while at < rest.len() {
            if rest[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if rest[at..].starts_with(b"\"\"\"") {
                return at + 3;
            } else {
                at += 1;
            }
        }
        return 2;
    }
    let mut at = 1;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            b'\r' | b'\n' => return at,
            _ => at += 1,
        }
    }
    rest.len()
}

/// What one selection set costs, its fragments expanded.
#[derive(Clone, Copy, Default)]
struct Cost {
    fields: u32,
    depth: u32,
    introspection_depth: u32,
    /// The most fields within each other that introspection would answer with a list of types.
    lists: u32,
    /// Fields of the set itself.
    width: u32,
    repeated: u32,
    directives: u32,
}

impl Cost {
    fn beside(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            depth: self.depth.max(other.depth),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
            lists: self.lists.max(other.lists),
            width: self.width.saturating_add(other.width),
            repeated: self.repeated.saturating_add(other.repeated),
            directives: self.directives.saturating_add(other.directives),
        }
    }

    /// What a field costs whose selection set costs this.
    fn below(self, field: &str) -> Self {
        let list = matches!(field, "fields" | "inputFields" | "interfaces" | "possibleTypes");
        let (fields, depth) = (self.fields.saturating_add(1), self.depth.saturating_add(1));
        if is_introspection(field) {
            return Self { fields, depth: 1, introspection_depth: depth, lists: 0, width: 1, ..self };
        }
        Self { fields, depth, lists: self.lists.saturating_add(u32::from(list)), width: 1, ..self }
    }
}

fn is_introspection(field: &str) -> bool {
    matches!(field, "__schema" | "__type")
}

enum Visit {
    /// Being measured further up: to meet it again is a cycle.
    Open,
    Done(Cost),
}

struct Meter<'a> {
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    fragments: HashMap<&'a str, Visit>,
}

impl<'a> Meter<'a> {
    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Cost, Refusal> {
        let mut cost = self.selection_set(&operation.selection_set.node, 0)?;
        cost.directives = cost.directives.saturating_add(count(&operation.directives));
        let limits = self.limits;
        within("fields", cost.fields, limits.max_expanded_fields)?;
        within("depth", cost.depth, limits.max_depth)?;
        within("introspection depth", cost.introspection_depth, limits.max_introspection_depth)?;
        within("root fields", cost.width, limits.max_root_fields)?;
        within("repeated fields", cost.repeated, limits.max_repeated_fields)?;
        within("directives", cost.directives, limits.max_directives)?;
        Ok(cost)
    }

    /// `level` counts the calls within each other: a chain of fragments may be longer than the stack.
    fn selection_set(&mut self, set: &'a SelectionSet, level: u32) -> Result<Cost, Refusal> {
        within("nesting", level, 4 * MAX_NESTING)?;
        let mut seen = HashSet::with_capacity(set.items.len());
        let mut total = Cost::default();
        for selection in &set.items {
            let mut cost = match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let below = self.selection_set(&field.node.selection_set.node, level + 1)?;
                    if is_introspection(name) {
                        within("lists of types in introspection", below.lists, MAX_INTROSPECTION_LISTS)?;
                    }
                    let mut cost = below.below(name);
                    if !seen.insert((name, "field")) {
                        cost.repeated = cost.repeated.saturating_add(1);
                    }
                    cost
                }
                Selection::InlineFragment(fragment) => {
                    self.selection_set(&fragment.node.selection_set.node, level + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    let mut cost = match self.document.fragments.get(name) {
                        Some(fragment) => {
                            self.fragment(name, &fragment.node.selection_set.node, level + 1)?
                        }
                        // Validation says what is wrong with it.
                        None => Cost::default(),
                    };
                    if !seen.insert((name, "fragment")) {
                        cost.repeated = cost.repeated.saturating_add(cost.fields);
                    }
                    cost
                }
            };
            cost.directives = cost.directives.saturating_add(count(selection.node.directives()));
            total = total.beside(cost);
        }
        Ok(total)
    }

    fn fragment(&mut self, name: &'a str, set: &'a SelectionSet, level: u32) -> Result<Cost, Refusal> {
        match self.fragments.get(name) {
            Some(Visit::Done(cost)) => return Ok(*cost),
            Some(Visit::Open) => {
                return Err(Refusal::Cycle { fragment: name.to_owned() });
            }
            None => {}
        }
        self.fragments.insert(name, Visit::Open);
        let cost = self.selection_set(set, level)?;
        self.fragments.insert(name, Visit::Done(cost));
        Ok(cost)
    }
}

fn count(directives: &[async_graphql::Positioned<Directive>]) -> u32 {
    u32::try_from(directives.len()).unwrap_or(u32::MAX)
}
