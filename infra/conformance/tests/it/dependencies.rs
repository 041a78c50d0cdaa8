//! Who may depend on whom. The rules are those of the design, with its two later decisions: `http` may use `store`,
//! and a function's library may use the types of `portico-aws`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::template::Template;

/// Lines of a function's `main.rs`: it boots, and does nothing else.
const MAIN_LINES_MAX: usize = 10;

struct Workspace {
    /// Directory below the root (`shared/store`) and normal dependencies, by package.
    packages: BTreeMap<String, (String, BTreeSet<String>)>,
}

impl Workspace {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
            .current_dir(portico_conformance::root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let root = metadata["workspace_root"].as_str().unwrap();
        let packages = metadata["packages"].as_array().unwrap().iter().map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap());
            let directory = manifest.parent().unwrap().strip_prefix(root).unwrap();
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            // `kind` is null for normal ones; tests and build scripts may use what they need.
            let normal = dependencies.filter(|dependency| dependency["kind"] == Value::Null);
            let names = normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect();
            let name = package["name"].as_str().unwrap().to_owned();
            (name, (directory.to_str().unwrap().to_owned(), names))
        });
        Self { packages: packages.collect() }
    }

    fn below<'w>(&'w self, directory: &'w str) -> impl Iterator<Item = (&'w str, &'w BTreeSet<String>)> {
        let packages = self.packages.iter();
        packages
            .filter(move |(_, (path, _))| path.starts_with(directory))
            .map(|(name, (_, dependencies))| (name.as_str(), dependencies))
    }

    /// The dependencies of a package that are of this workspace.
    fn own(&self, package: &str) -> BTreeSet<&str> {
        let (_, dependencies) = &self.packages[package];
        dependencies.iter().map(String::as_str).filter(|name| self.packages.contains_key(*name)).collect()
    }
}

fn is_sdk(name: &str) -> bool {
    name.starts_with("aws-") || name.starts_with("aws_")
}

#[test]
fn the_domain_is_pure() {
    let workspace = Workspace::read();
    assert_eq!(workspace.own("portico-domain"), BTreeSet::new());
    let (_, dependencies) = &workspace.packages["portico-domain"];
    for name in dependencies {
        let impure = [
            "async-trait",
            "axum",
            "futures",
            "getrandom",
            "hyper",
            "http",
            "rand",
            "reqwest",
            "tokio",
            "tower",
            "tracing",
        ];
        assert!(!impure.contains(&name.as_str()) && !is_sdk(name) && !name.starts_with("lambda_"), "{name}");
    }
}

#[test]
fn shared_crates_depend_on_the_allowed_ones_only() {
    let workspace = Workspace::read();
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("portico-domain", &[][..]),
        ("portico-store", &["portico-domain"]),
        ("portico-billing", &["portico-domain", "portico-store"]),
        ("portico-salesforce", &["portico-domain"]),
        ("portico-invoice", &["portico-domain"]),
        ("portico-http", &["portico-domain", "portico-store"]),
        ("portico-aws", &["portico-domain", "portico-salesforce", "portico-store"]),
    ]);
    let shared: BTreeSet<&str> = workspace.below("shared/").map(|(name, _)| name).collect();
    assert_eq!(shared, allowed.keys().copied().collect(), "a new shared crate needs its rule here");
    for (name, allowed) in allowed {
        for dependency in workspace.own(name) {
            assert!(allowed.contains(&dependency), "{name} -> {dependency}");
        }
    }
}

#[test]
fn functions_depend_on_shared_crates_only() {
    let workspace = Workspace::read();
    let shared: BTreeSet<&str> = workspace.below("shared/").map(|(name, _)| name).collect();
    assert!(workspace.below("functions/").count() > 10);
    for (function, _) in workspace.below("functions/") {
        for dependency in workspace.own(function) {
            assert!(shared.contains(dependency), "{function} -> {dependency}");
        }
    }
}

#[test]
fn only_one_shared_crate_knows_the_sdks() {
    let workspace = Workspace::read();
    for (name, (directory, dependencies)) in &workspace.packages {
        for dependency in dependencies {
            let allowed = match dependency.as_str() {
                "lambda_http" => matches!(name.as_str(), "portico-aws" | "portico-http"),
                "lambda_runtime" => name == "portico-aws" || directory.starts_with("functions/"),
                sdk if is_sdk(sdk) => name == "portico-aws",
                _ => true,
            };
            assert!(allowed || directory.starts_with("infra/"), "{name} -> {dependency}");
        }
    }
}

#[test]
fn only_infra_depends_on_infra() {
    let workspace = Workspace::read();
    let infra: BTreeSet<&str> = workspace.below("infra/").map(|(name, _)| name).collect();
    for directory in ["shared/", "functions/"] {
        for (name, _) in workspace.below(directory) {
            for dependency in workspace.own(name) {
                assert!(!infra.contains(dependency), "{name} -> {dependency}");
            }
        }
    }
}

/// What is deployed is what is built, under the same name, and its `main.rs` only boots.
#[test]
fn every_function_of_the_template_is_a_small_crate_of_its_own() {
    let workspace = Workspace::read();
    let template = Template::read();
    let crates: BTreeSet<&str> = workspace.below("functions/").map(|(name, _)| name).collect();
    let deployed: BTreeSet<&str> = template.functions().iter().map(|function| function.binary).collect();
    assert_eq!(crates, deployed);
    assert_eq!(template.functions().len(), deployed.len(), "a binary twice");
    for name in crates {
        let source = portico_conformance::root().join("functions").join(name).join("src");
        let main = std::fs::read_to_string(source.join("main.rs")).unwrap();
        assert!(main.lines().count() <= MAIN_LINES_MAX, "{name}");
        for file in std::fs::read_dir(source).unwrap() {
            let path = file.unwrap().path();
            if !path.ends_with("main.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(
                    !text.contains("lambda_runtime"),
                    "{}: only main.rs knows the runtime",
                    path.display()
                );
            }
        }
    }
}
