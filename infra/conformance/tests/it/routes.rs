//! Every route of the code is a route of the template, on the same function, and the other way round.

use std::collections::BTreeSet;

use portico_conformance::openapi;
use serde_json::Value;

use crate::template::Template;

/// Binary, method, path with parameter names.
type Route = (String, String, String);

fn routes_of_the_code() -> Vec<Route> {
    let mut routes = Vec::new();
    for api in openapi::apis() {
        let document = serde_json::to_value(&api.openapi).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                routes.push((api.binary.to_owned(), method.to_uppercase(), path.clone()));
            }
        }
    }
    routes
}

fn routes_of_the_template(template: &Template) -> Vec<Route> {
    let mut routes = Vec::new();
    for function in template.functions() {
        for event in function.events("Api") {
            assert_eq!(event["RestApiId"]["Ref"], "Api", "{}", function.id);
            assert_eq!(event.get("Auth"), None, "{}: every route takes the default authorizer", function.id);
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            routes.push((function.binary.to_owned(), text("Method"), text("Path")));
        }
    }
    routes
}

#[test]
fn every_route_is_wired_once_to_its_function() {
    let mut code = routes_of_the_code();
    let mut template = routes_of_the_template(&Template::read());
    assert!(!code.is_empty());
    code.sort();
    template.sort();
    assert_eq!(code, template);
    // Two functions on one route would deploy, and one of them would never be called.
    let distinct: BTreeSet<_> = template.iter().map(|(_, method, path)| (method, path)).collect();
    assert_eq!(distinct.len(), template.len(), "a route twice");
}

#[test]
fn every_parameter_of_a_path_is_described() {
    for api in openapi::apis() {
        let document = serde_json::to_value(&api.openapi).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            let in_path: BTreeSet<&str> =
                path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
            for (method, operation) in methods.as_object().unwrap() {
                let described: BTreeSet<&str> = operation["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|parameter| parameter["in"] == "path")
                    .map(|parameter| parameter["name"].as_str().unwrap())
                    .collect();
                assert_eq!(described, in_path, "{method} {path}");
            }
        }
    }
}

/// CORS answers preflights for the methods and headers that the routes need.
#[test]
fn browsers_may_call_every_route() {
    let template = Template::read();
    let (_, api) = template.of_type("AWS::Serverless::Api").next().unwrap();
    let list = |name: &str| -> BTreeSet<String> {
        let text = api["Cors"][name].as_str().unwrap().trim_matches('\'');
        text.split(',').map(str::to_lowercase).collect()
    };
    let (methods, headers) = (list("AllowMethods"), list("AllowHeaders"));
    for (_, method, path) in routes_of_the_code() {
        assert!(methods.contains(&method.to_lowercase()), "{method} {path}");
    }
    let document = openapi::document().unwrap();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let parameters =
        operations.flat_map(|operation| operation["parameters"].as_array().into_iter().flatten());
    for parameter in parameters.filter(|parameter| parameter["in"] == "header") {
        let name = parameter["name"].as_str().unwrap().to_lowercase();
        assert!(headers.contains(&name), "{name}");
    }
    for name in ["authorization", "content-type"] {
        assert!(headers.contains(name), "{name}");
    }
}

/// The gateway lets in access tokens only: without a scope it would take ID tokens.
#[test]
fn every_route_demands_an_access_token() {
    let template = Template::read();
    let (_, api) = template.of_type("AWS::Serverless::Api").next().unwrap();
    let auth = &api["Auth"];
    let authorizer = &auth["Authorizers"][auth["DefaultAuthorizer"].as_str().unwrap()];
    let scopes = authorizer["AuthorizationScopes"].as_array().unwrap();
    assert_eq!(scopes, &[Value::from("aws.cognito.signin.user.admin")]);
}
