//! Which method and path belongs to which function.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// A segment of a path as the template writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
}

/// A path pattern that the router cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Paths begin with a slash and have no empty segments.
    #[error("the path `{0}` must begin with a slash and have no empty segments")]
    Path(String),
    /// `{proxy+}` and half a segment in braces.
    #[error("the segment `{0}` is not known: only whole segments may be parameters, and none may be greedy")]
    Segment(String),
    /// Two functions for one method and path.
    #[error("{method} {path} is taken twice")]
    Twice {
        /// In upper case.
        method: String,
        /// As in the template.
        path: String,
    },
}

/// One method of one resource.
#[derive(Clone, Debug)]
pub struct Route<T> {
    /// `/cases/{caseId}`
    pub resource: String,
    /// In upper case, or `ANY`.
    pub method: String,
    /// What serves it.
    pub target: T,
    segments: Vec<Segment>,
}

/// A route and the values of its parameters.
#[derive(Debug)]
pub struct Match<'routes, T> {
    /// The route.
    pub route: &'routes Route<T>,
    /// Decoded values by name.
    pub parameters: BTreeMap<String, String>,
}

/// Every route of an API.
#[derive(Clone, Debug)]
pub struct Routes<T>(Vec<Route<T>>);

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Routes<T> {
    /// Adds a method of a path.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn add(&mut self, method: &str, path: &str, target: T) -> Result<(), RouteError> {
        let segments = parse(path)?;
        if self.0.iter().any(|route| route.method == method && route.resource == path) {
            return Err(RouteError::Twice { method: method.to_owned(), path: path.to_owned() });
        }
        self.0.push(Route { resource: path.to_owned(), method: method.to_owned(), target, segments });
        Ok(())
    }

    /// The route for a method and a raw path. The resource is chosen first, and a literal segment wins over a
    /// parameter: where it lacks the method, no other resource is asked. A method wins over `ANY`.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Option<Match<'_, T>> {
        let fits = |route: &&Route<T>| route.method == method || route.method == "ANY";
        let resource = self
            .0
            .iter()
            .filter_map(|route| Some((capture(&route.segments, path)?.len(), &route.resource)))
            .min_by_key(|(parameters, _)| *parameters)?
            .1;
        self.0
            .iter()
            .filter(|route| route.resource == *resource)
            .filter(fits)
            .filter_map(|route| Some(Match { route, parameters: capture(&route.segments, path)? }))
            .min_by_key(|found| found.route.method == "ANY")
    }

    /// Whether any method is there for a raw path: a preflight asks for the resource, not for a method.
    #[must_use]
    pub fn has_resource(&self, path: &str) -> bool {
        self.0.iter().any(|route| capture(&route.segments, path).is_some())
    }

    /// Every route, in the order of the template.
    pub fn iter(&self) -> impl Iterator<Item = &Route<T>> {
        self.0.iter()
    }
}

fn parse(path: &str) -> Result<Vec<Segment>, RouteError> {
    let inner = path.strip_prefix('/').ok_or_else(|| RouteError::Path(path.to_owned()))?;
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    inner
        .split('/')
        .map(|segment| {
            if segment.is_empty() {
                return Err(RouteError::Path(path.to_owned()));
            }
            match segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) {
                Some(name)
                    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') =>
                {
                    Ok(Segment::Parameter(name.to_owned()))
                }
                None if !segment.contains(['{', '}']) => Ok(Segment::Literal(segment.to_owned())),
                _ => Err(RouteError::Segment(segment.to_owned())),
            }
        })
        .collect()
}

/// The parameters of `path` if it has exactly these segments.
fn capture(segments: &[Segment], path: &str) -> Option<BTreeMap<String, String>> {
    let inner = path.strip_prefix('/')?;
    let mut parts = inner.split('/').filter(|_| !inner.is_empty());
    let mut parameters = BTreeMap::new();
    for segment in segments {
        let part = parts.next()?;
        match segment {
            Segment::Literal(literal) if literal == part => {}
            Segment::Literal(_) => return None,
            Segment::Parameter(_) if part.is_empty() => return None,
            Segment::Parameter(name) => {
                parameters.insert(name.clone(), percent_decode_str(part).decode_utf8_lossy().into_owned());
            }
        }
    }
    parts.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes<u8> {
        let mut routes = Routes::default();
        for (target, (method, path)) in [
            ("GET", "/cases"),
            ("GET", "/cases/{id}"),
            ("GET", "/cases/mine"),
            ("ANY", "/cases/{id}"),
            ("GET", "/"),
        ]
        .into_iter()
        .enumerate()
        {
            routes.add(method, path, u8::try_from(target).unwrap()).unwrap();
        }
        routes
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes = routes();
        let target = |method, path| routes.find(method, path).map(|found| found.route.target);
        assert_eq!(target("GET", "/cases"), Some(0));
        assert_eq!(target("GET", "/cases/7"), Some(1));
        assert_eq!(target("GET", "/cases/mine"), Some(2));
        assert_eq!(target("DELETE", "/cases/7"), Some(3));
        assert_eq!(target("GET", "/"), Some(4));
    }

    /// As API Gateway does it: it answers 403, and the request does not reach `/cases/{id}` with "mine" for an id.
    #[test]
    fn a_resource_without_the_method_hides_less_specific_ones() {
        let routes = routes();
        assert!(routes.find("GET", "/cases/mine").is_some());
        assert!(routes.find("PATCH", "/cases/mine").is_none());
        assert!(routes.has_resource("/cases/mine"));
        assert_eq!(routes.find("PATCH", "/cases/yours").map(|found| found.route.target), Some(3));
    }

    #[test]
    fn nothing_else_matches() {
        let routes = routes();
        for path in ["", "cases", "/cases/", "/cases//", "/cases/7/8", "//cases", "/Cases", "/cases/7/"] {
            assert!(routes.find("GET", path).is_none(), "{path}");
        }
        assert!(routes.find("POST", "/cases").is_none());
        assert!(routes.has_resource("/cases"));
    }

    #[test]
    fn parameters_are_decoded() {
        let routes = routes();
        let found = routes.find("GET", "/cases/a%2Fb%20c").unwrap();
        assert_eq!(found.parameters["id"], "a/b c");
    }

    #[test]
    fn unservable_paths_are_refused() {
        let mut routes = Routes::default();
        for path in ["cases", "/cases/", "/a//b", "/{proxy+}", "/a{b}", "/{}"] {
            assert!(routes.add("GET", path, 0).is_err(), "{path}");
        }
        routes.add("GET", "/cases", 0).unwrap();
        assert!(matches!(routes.add("GET", "/cases", 1), Err(RouteError::Twice { .. })));
    }
}
