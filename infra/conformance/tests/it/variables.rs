//! A function gets exactly the variables that it asks for.

use std::collections::BTreeSet;

use crate::{template::Template, world::World};

/// Variables that may be empty, and so may be missing.
const OPTIONAL: [(&str, &str); 2] =
    [("invoice-rendering", "SELLER_BRAND"), ("invoice-rendering", "SELLER_TAX_NUMBER")];

#[tokio::test]
async fn every_function_starts_with_its_variables_and_refuses_to_without_any_of_them() {
    let world = World::start().await;
    let mut met = BTreeSet::new();
    for function in world.stack.template.functions() {
        let binary = function.binary;
        let variables = world.variables(binary);
        let guard = world.guard(world.grants(binary)).await;
        world
            .boot_with(binary, variables.clone(), &guard)
            .await
            .unwrap_or_else(|error| panic!("{binary}: {error}"));
        for name in variables.keys() {
            let mut fewer = variables.clone();
            fewer.remove(name);
            match world.boot_with(binary, fewer, &guard).await {
                Ok(_) => {
                    assert!(OPTIONAL.contains(&(binary, name)), "{binary} never asks for {name}");
                    met.insert((binary, name.clone()));
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains(name.as_str()), "{binary} without {name}: {error}");
                }
            }
        }
        assert_eq!(guard.denied(), [], "{binary} at its start");
    }
    assert_eq!(met.len(), OPTIONAL.len(), "not optional any more, or gone: {met:?}");
}

/// What GuardDuty says, which is written as variables are.
const VERDICTS: [&str; 2] = ["NO_THREATS_FOUND", "THREATS_FOUND"];

/// Settings are named by a `const` or a literal; each that stands in a function's code has to be in the template.
#[test]
fn every_variable_that_the_code_names_is_in_the_template() {
    let template = Template::read();
    let functions = portico_conformance::root().join("functions");
    let mut named = 0;
    for function in template.functions() {
        let source = std::fs::read_dir(functions.join(function.binary).join("src")).unwrap();
        for file in source {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let literals = text.split('"').skip(1).step_by(2);
            for literal in literals.filter(|literal| is_variable(literal) && !VERDICTS.contains(literal)) {
                assert!(function.variables().contains_key(literal), "{}: {literal}", function.binary);
                named += 1;
            }
        }
    }
    assert!(named > 10, "the search finds only {named} names");
}

/// `FILES_BUCKET`, and not `POST`.
fn is_variable(literal: &str) -> bool {
    literal.contains('_') && literal.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
