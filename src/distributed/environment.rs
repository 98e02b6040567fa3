//! Environment variables set by launchers such as `torchrun` and `srun`.

use std::ops::RangeInclusive;

use crate::error::{Error, ErrorKind, Result};
use crate::peers::Part;

/// If none of these is set, there is a single process.
const LAUNCHER_VARIABLES: [&str; 4] = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"];
/// Far above any real number of processes.
const MAX_WORLD_SIZE: usize = 1 << 20;

/// The settings that a launcher gave to one of several processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Environment {
    pub part: Part,
    /// Index of this process on its machine, from 0.
    pub local_rank: usize,
    /// Host and port of the key-value store.
    pub store_address: (String, u16),
    /// Whether the launcher hosts the store instead of rank 0.
    pub uses_agent_store: bool,
    /// How often the launcher has restarted all processes.
    pub restart_count: usize,
    /// The network interface to use, if one is specified.
    pub interface: Option<String>,
}

impl Environment {
    /// Reads the variables with `get`. `None` if none of them is set.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        if LAUNCHER_VARIABLES.iter().all(|name| get(name).is_none()) {
            return Ok(None);
        }
        let number = |names: &[&str], expected: &str, range| number(&get, names, expected, range);
        let count = number(&["WORLD_SIZE", "SLURM_NTASKS"], "the number of processes, 1 or more", 1..=MAX_WORLD_SIZE)?;
        let below = format!("a number below WORLD_SIZE, which is {count}");
        let rank = number(&["RANK", "SLURM_PROCID"], &below, 0..=count - 1)?;
        let local_rank = number(&["LOCAL_RANK", "SLURM_LOCALID"], &below, 0..=count - 1)?;
        let host = get("MASTER_ADDR")
            .ok_or_else(|| missing(&["MASTER_ADDR"]).expected("name or address of the machine of rank 0"))?;
        let port = number(&["MASTER_PORT"], "a port from 1 to 65535, the same in all processes", 1..=65_535)?;
        let restart_count = match get("TORCHELASTIC_RESTART_COUNT") {
            Some(_) => number(&["TORCHELASTIC_RESTART_COUNT"], "0 or more", 0..=usize::MAX)?,
            None => 0,
        };
        Ok(Some(Self {
            part: Part { rank, count },
            local_rank,
            store_address: (host, u16::try_from(port).unwrap_or(u16::MAX)),
            uses_agent_store: uses_agent_store(get("TORCHELASTIC_USE_AGENT_STORE"))?,
            restart_count,
            interface: get("GLOO_SOCKET_IFNAME"),
        }))
    }

    /// Returns whether this process hosts the key-value store.
    pub fn hosts_store(&self) -> bool {
        !self.uses_agent_store && self.part.leads()
    }

    /// Returns which process hosts the key-value store, for messages.
    pub fn store_host(&self) -> &'static str {
        if self.uses_agent_store { "the launcher" } else { "process 0" }
    }

    /// Returns whether all processes are on this machine, judging by the address of rank 0.
    pub fn is_on_one_machine(&self) -> bool {
        let host = self.store_address.0.as_str();
        host == "localhost" || host == "::1" || host.starts_with("127.")
    }
}

fn uses_agent_store(value: Option<String>) -> Result<bool> {
    match value.as_deref() {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("true") || value == "1" => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("false") || value == "0" => Ok(false),
        Some(value) => Err(invalid("TORCHELASTIC_USE_AGENT_STORE", value).expected("True or False")),
    }
}

/// Reads the number of the first of these variables that is set.
fn number(
    get: &impl Fn(&str) -> Option<String>,
    names: &[&str],
    expected: &str,
    range: RangeInclusive<usize>,
) -> Result<usize> {
    let Some((name, value)) = names.iter().find_map(|name| get(name).map(|value| (*name, value))) else {
        return Err(missing(names).expected(expected));
    };
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| invalid(name, &value).expected(expected))
}

fn missing(names: &[&str]) -> Error {
    wrong(format!("environment variable {} is not set", names.join(" or ")))
}

fn invalid(name: &str, value: &str) -> Error {
    wrong(format!("environment variable {name} is invalid")).found(format!("{value:?}"))
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Usage, what).help(
        "Start the processes by torchrun or srun, or set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT in each; \
         unset them all for one process.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TORCHRUN: [(&str, &str); 6] = [
        ("RANK", "3"),
        ("WORLD_SIZE", "8"),
        ("LOCAL_RANK", "1"),
        ("MASTER_ADDR", "node7"),
        ("MASTER_PORT", "29500"),
        ("TORCHELASTIC_USE_AGENT_STORE", "True"),
    ];

    fn read(variables: &[(&str, &str)]) -> Result<Option<Environment>> {
        let get =
            |name: &str| variables.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Environment::read(get)
    }

    #[test]
    fn variables_of_torchrun_are_read() {
        let found = read(&TORCHRUN).unwrap().unwrap();
        assert_eq!((found.part, found.local_rank), (Part { rank: 3, count: 8 }, 1));
        assert_eq!(found.store_address, ("node7".to_owned(), 29500));
        assert!(found.uses_agent_store && !found.is_on_one_machine() && found.restart_count == 0);
        let again = [&TORCHRUN[..], &[("TORCHELASTIC_RESTART_COUNT", "2"), ("GLOO_SOCKET_IFNAME", "eth1")]].concat();
        let again = read(&again).unwrap().unwrap();
        assert_eq!((again.restart_count, again.interface.as_deref()), (2, Some("eth1")));
    }

    #[test]
    fn variables_of_srun_count_where_the_address_is_set() {
        let slurm = [("SLURM_PROCID", "2"), ("SLURM_NTASKS", "4"), ("SLURM_LOCALID", "0")];
        assert_eq!(read(&slurm).unwrap(), None);
        let address = [("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1")];
        let found = read(&[&slurm[..], &address].concat()).unwrap().unwrap();
        assert_eq!((found.part, found.local_rank), (Part { rank: 2, count: 4 }, 0));
        assert!(!found.uses_agent_store && found.is_on_one_machine());
        let both = [&slurm[..], &TORCHRUN].concat();
        assert_eq!(read(&both).unwrap(), read(&TORCHRUN).unwrap());
    }

    #[test]
    fn without_variables_there_is_one_process() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&[("RANK", " "), ("LOCAL_RANK", "0")]).unwrap(), None);
    }

    /// Each error names the variable, the expected value, and the actual one.
    #[test]
    fn wrong_and_missing_variables_are_named() {
        for (name, value, expected, found) in [
            ("RANK", "8", "below WORLD_SIZE, which is 8", "\"8\""),
            ("RANK", "-1", "below WORLD_SIZE", "\"-1\""),
            ("RANK", "", "below WORLD_SIZE", "RANK or SLURM_PROCID is not set"),
            ("WORLD_SIZE", "0", "1 or more", "\"0\""),
            ("WORLD_SIZE", "two", "1 or more", "\"two\""),
            ("WORLD_SIZE", "", "1 or more", "WORLD_SIZE or SLURM_NTASKS is not set"),
            ("LOCAL_RANK", "", "below WORLD_SIZE", "LOCAL_RANK or SLURM_LOCALID is not set"),
            ("MASTER_ADDR", "", "name or address", "MASTER_ADDR is not set"),
            ("MASTER_PORT", "0", "from 1 to 65535", "\"0\""),
            ("MASTER_PORT", "65536", "from 1 to 65535", "\"65536\""),
            ("TORCHELASTIC_USE_AGENT_STORE", "yes", "True or False", "\"yes\""),
        ] {
            let error = read(&[&TORCHRUN[..], &[(name, value)]].concat()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            let (what, words) = (error.summary(), error.to_string());
            assert!(what.contains(name), "{what}");
            assert!(words.contains(expected) && words.contains(found) && words.contains("torchrun"), "{words}");
        }
    }
}
