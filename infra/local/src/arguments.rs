//! The command line and the variables of `portico-local`.

use std::path::PathBuf;

use crate::malware::{AddressError, Clamd};
use crate::ports::{Door, Ports};

/// How the program is called.
pub const USAGE: &str = "\
portico-local: the cloud on this machine, from template.yaml

Usage: portico-local [--template FILE] [--data DIRECTORY] [--no-demo] [--clamd HOST:PORT] [--log LEVEL]
                     [--<door>-port PORT]...

  --template FILE     the template (template.yaml)
  --data DIRECTORY    where everything is kept (.portico)
  --no-demo           without the fake Salesforce org and the demo's people
  --clamd HOST:PORT   let a ClamAV daemon scan what is uploaded (without it only the EICAR test file is found)
  --log LEVEL         error, warn, info, debug or trace, or a filter such as info,portico_local=debug (info)
  --help              this text

Ports, by flag or variable; 0 is any free one:
  --web-port          PORTICO_WEB_PORT           3000   start page
  --api-port          PORTICO_API_PORT           4000   REST API
  --live-port         PORTICO_LIVE_PORT          4001   WebSocket API
  --webhook-port      PORTICO_WEBHOOK_PORT       4002   webhook's function URL
  --salesforce-port   PORTICO_SALESFORCE_PORT    4100   fake Salesforce org
  --aws-port          PORTICO_AWS_PORT           4566   S3, SQS, Cognito, Secrets Manager, SES
  --dynamodb-port     PORTICO_DYNAMODB_PORT      4567   DynamoDB
";

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The template.
    pub template: PathBuf,
    /// Where everything is kept.
    pub data: PathBuf,
    /// With the demo.
    pub demo: bool,
    /// What scans uploads, in place of the built-in scanner.
    pub clamd: Option<Clamd>,
    /// What is logged.
    pub log: String,
    /// Where it listens.
    pub ports: Ports,
}

/// A command line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// `--help`
    #[error("{USAGE}")]
    Help,
    /// A flag that is not known.
    #[error("there is no flag {0}; --help shows them")]
    Unknown(String),
    /// A flag without its value.
    #[error("{0} needs a value")]
    NoValue(String),
    /// Not the address of a daemon.
    #[error("--clamd: {0}")]
    Clamd(#[from] AddressError),
    /// Not a port.
    #[error("{name}: `{value}` is not a port")]
    Port {
        /// The flag or the variable.
        name: &'static str,
        /// What it says.
        value: String,
    },
}

impl Arguments {
    /// Reads flags; what they leave open, `variable` may say.
    ///
    /// # Errors
    /// [`ArgumentError`].
    pub fn parse(
        arguments: impl IntoIterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ArgumentError> {
        let mut parsed = Self {
            template: PathBuf::from("template.yaml"),
            data: PathBuf::from(".portico"),
            demo: true,
            clamd: None,
            log: "info".to_owned(),
            ports: Ports::default(),
        };
        for door in Door::ALL {
            if let Some(value) = variable(door.variable()) {
                parsed.ports.set(door, port(door.variable(), &value)?);
            }
        }
        let mut arguments = arguments.into_iter();
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| ArgumentError::NoValue(flag.clone()));
            match flag.as_str() {
                "--help" | "-h" => return Err(ArgumentError::Help),
                "--no-demo" => parsed.demo = false,
                "--template" => parsed.template = value()?.into(),
                "--data" => parsed.data = value()?.into(),
                "--clamd" => parsed.clamd = Some(value()?.parse()?),
                "--log" => parsed.log = value()?,
                other => match Door::ALL.into_iter().find(|door| door.flag() == other) {
                    Some(door) => parsed.ports.set(door, port(door.flag(), &value()?)?),
                    None => return Err(ArgumentError::Unknown(flag)),
                },
            }
        }
        Ok(parsed)
    }
}

fn port(name: &'static str, value: &str) -> Result<u16, ArgumentError> {
    value.parse().map_err(|_| ArgumentError::Port { name, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Arguments, ArgumentError> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Arguments::parse(arguments.iter().map(|text| (*text).to_owned()), variable)
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_default() {
        let parsed =
            parse(&["--api-port", "1"], &[("PORTICO_API_PORT", "2"), ("PORTICO_WEB_PORT", "3")]).unwrap();
        assert_eq!([Door::Api, Door::Web, Door::Live].map(|door| parsed.ports.of(door)), [1, 3, 4001]);
    }

    #[test]
    fn mistakes_are_named() {
        for (arguments, variables, expected) in [
            (&["--nope"][..], &[][..], "there is no flag --nope"),
            (&["--data"], &[], "--data needs a value"),
            (&["--clamd", "localhost"], &[], "--clamd: `localhost` is not HOST:PORT"),
            (&["--api-port", "70000"], &[], "--api-port: `70000` is not a port"),
            (&[], &[("PORTICO_AWS_PORT", "x")], "PORTICO_AWS_PORT: `x` is not a port"),
            (&["--help"], &[], "Usage"),
        ] {
            let error = parse(arguments, variables).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_usage_names_every_door() {
        for door in Door::ALL {
            assert!(USAGE.contains(door.flag()) && USAGE.contains(door.variable()));
            assert!(USAGE.contains(&Ports::default().of(door).to_string()));
        }
    }
}
