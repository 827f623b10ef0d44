//! Documents that ask for too much are refused before they cost anything; what tools and clients ask passes.

use std::time::{Duration, Instant};

use async_graphql::ServerError;
use colloquy_schema::limits::{self, Limits, Refusal, Size};

const INTROSPECTION: &str = include_str!("introspection.graphql");

fn check(source: &str) -> Result<Size, Refusal> {
    check_with(source, None, &Limits::default())
}

fn check_with(source: &str, operation: Option<&str>, limits: &Limits) -> Result<Size, Refusal> {
    let document = limits::parse(source, limits)?;
    limits::check(&document, operation, limits)
}

/// The measure that `source` breaks, and its cost.
fn refused(source: &str) -> (&'static str, u32) {
    match check(source) {
        Err(Refusal::TooLarge { measure, cost, .. }) => (measure, cost),
        other => panic!("expected a limit to be broken, got {other:?}"),
    }
}

#[test]
fn fields_and_depth_are_counted_with_fragments_expanded() {
    let source = "{ a { ...F } b { ...F c { ... on C { d } } } } fragment F on T { x y { z } }";
    assert_eq!(check(source), Ok(Size { fields: 10, depth: 3 }));
}

#[test]
fn the_introspection_query_of_the_usual_tools_passes() {
    let size = check(INTROSPECTION).expect("tools must be able to read the schema");
    assert_eq!(size.depth, 15);
}

#[test]
fn introspection_that_multiplies_is_refused() {
    let source = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
    assert_eq!(refused(source), ("lists of types in introspection", 3));
    // By way of a fragment it is no better.
    let source = "{ __schema { types { ...F } } } fragment F on __Type { fields { type { interfaces { possibleTypes \
                  { name } } } } }";
    assert_eq!(refused(source).0, "lists of types in introspection");
    // A product's own fields of that name are none of it.
    assert!(check("{ form { fields { fields { fields { fields { name } } } } } }").is_ok());
}

#[test]
fn nested_fragments_that_double_are_refused_at_once() {
    let mut source = "{ ...F0 }".to_owned();
    for n in 0..24 {
        source += &format!(" fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1);
    }
    source += " fragment F24 on Query { __typename }";
    let started = Instant::now();
    assert_eq!(refused(&source), ("fields", 1 << 24));
    assert!(started.elapsed() < Duration::from_millis(50), "took {:?}", started.elapsed());
}

#[test]
fn sums_saturate_rather_than_overflow() {
    let mut source = "{ ...F0 }".to_owned();
    for n in 0..70 {
        source += &format!(" fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1);
    }
    source += " fragment F70 on Query { __typename }";
    assert_eq!(refused(&source), ("fields", u32::MAX));
}

#[test]
fn a_bomb_that_nothing_spreads_is_refused_too() {
    let mut source = "{ __typename }".to_owned();
    for n in 0..24 {
        source += &format!(" fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1);
    }
    source += " fragment F24 on Query { __typename }";
    assert_eq!(refused(&source).0, "fields");
}

#[test]
fn fragments_that_spread_themselves_are_refused() {
    for source in [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { a { ...B } } fragment B on T { b { ...A } }",
        "{ a } fragment A on Query { ...B } fragment B on Query { ...A }",
    ] {
        assert!(matches!(check(source), Err(Refusal::Cycle { .. })), "{source}");
    }
}

#[test]
fn long_chains_of_fragments_do_not_overflow_the_stack() {
    let limits = Limits {
        max_query_bytes: 1_000_000,
        max_tokens: 1_000_000,
        max_depth: 1_000_000,
        ..Limits::default()
    };
    let mut source = "{ ...F0 }".to_owned();
    for n in 0..20_000 {
        source += &format!(" fragment F{n} on Q {{ ...F{} }}", n + 1);
    }
    let refusal = check_with(&source, None, &limits);
    assert!(matches!(refusal, Err(Refusal::TooLarge { measure: "nesting", .. })), "{refusal:?}");
}

#[test]
fn nesting_never_reaches_the_parser() {
    for open in ["{", "[", "(", "{a", "{a(b:[", "query($a:[", "{a(b:{c:", "{...{", "{a(b:\"\"\" \" ["] {
        for tail in ["", "\"\"\"", "\""] {
            let source = format!("{}{tail}", open.repeat(20_000 / open.len() - 1));
            assert!(check(&source).is_err(), "{open}");
        }
    }
    let limits = Limits { max_tokens: u32::MAX, ..Limits::default() };
    // A block string that never ends hides nothing.
    let source = format!("{{a(b:[\"\"\" \" {}", "[".repeat(15_000));
    assert!(matches!(
        check_with(&source, None, &limits),
        Err(Refusal::TooLarge { measure: "nesting", cost, .. }) if cost > 15_000
    ));
    // As deep as is allowed, the parser's stack holds.
    for source in [
        format!("{{a(b:{}1{})}}", "[".repeat(62), "]".repeat(62)),
        format!("{{a(b:{}1{})}}", "{c:".repeat(62), "}".repeat(62)),
        format!("query($a:{}Int{}){{a}}", "[".repeat(63), "]".repeat(63)),
    ] {
        assert!(check_with(&source, None, &limits).is_ok(), "{source}");
    }
}

#[test]
fn brackets_in_strings_and_comments_do_not_count() {
    let brackets = "[{(".repeat(200);
    for source in [
        format!("{{ a(b: \"{brackets}\") }}"),
        format!("{{ a(b: \"\\\"{brackets}\") }}"),
        format!("{{ a(b: \"\"\"{brackets}\n\\\"\"\" \" {brackets}\"\"\") }}"),
        format!("{{ a # {brackets}\n }}"),
    ] {
        assert!(check(&source).is_ok(), "{source}");
    }
}

#[test]
fn every_limit_names_itself_its_value_and_the_cost() {
    let many = |n: usize, text: &str| text.repeat(n);
    let nested = |n: usize| format!("{}x{}", "{a".repeat(n), "}".repeat(n));
    assert_eq!(refused(&format!("{{ a(b: \"{}\") }}", many(20_000, "x"))).0, "bytes");
    assert_eq!(refused(&format!("{{ {} }}", many(3_000, "a "))), ("tokens", 3_002));
    assert_eq!(refused(&nested(16)), ("depth", 16));
    assert!(check(&nested(15)).is_ok());
    assert_eq!(refused(&format!("{{ {} }}", many(21, "... on Query { a } "))), ("root fields", 21));
    let aliases: String = (0..52).map(|n| format!("x{n}: b ")).collect();
    assert_eq!(refused(&format!("{{ a {{ {aliases} }} }}")), ("repeated fields", 51));
    let spreads = format!("{{ a {{ {} }} }} fragment F on T {{ b c }}", many(27, "...F "));
    assert_eq!(refused(&spreads), ("repeated fields", 52));
    assert_eq!(refused(&format!("{{ a {} }}", many(51, "@b "))), ("directives", 51));

    let error: ServerError = check(&nested(16)).expect_err("too deep").into();
    let extensions = serde_json::to_value(&error).expect("an error is JSON")["extensions"].clone();
    let expected =
        serde_json::json!({"code": "QUERY_TOO_LARGE", "measure": "depth", "limit": 15, "cost": 16});
    assert_eq!(extensions, expected);
}

#[test]
fn the_operation_meant_is_the_one_measured() {
    let source = "query A { a } query B { a { b { c } } }";
    let check = |name| check_with(source, name, &Limits::default());
    assert_eq!(check(Some("A")), Ok(Size { fields: 1, depth: 1 }));
    assert_eq!(check(Some("B")), Ok(Size { fields: 3, depth: 3 }));
    assert!(matches!(check(Some("C")), Err(Refusal::Operation { .. })));
    assert!(matches!(check(None), Err(Refusal::Operation { .. })));
}

#[test]
fn what_does_not_parse_says_where() {
    let error: ServerError = check("{ a").expect_err("no end").into();
    assert_eq!(error.locations.len(), 1);
}
