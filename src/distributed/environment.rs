//! What starters of processes, such as `torchrun` and `srun`, tell each of them by its environment.

use crate::error::{Error, ErrorKind, Result};
use crate::peers::Part;

/// Without any of these there is one process.
const TELLING: [&str; 4] = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"];

/// What one of several processes was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Environment {
    pub part: Part,
    /// Number of this process among those of its machine, from 0.
    pub local_rank: usize,
    /// Where the store of keys is.
    pub address: (String, u16),
    /// Whether the starter holds that store, and not the first process.
    pub is_store_outside: bool,
    /// How often the starter has started all processes anew.
    pub attempt: usize,
    /// The network interface to exchange by, where one was named.
    pub interface: Option<String>,
}

impl Environment {
    /// Reads the variables by `get`. `None` where they tell of no other process.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        if TELLING.iter().all(|name| get(name).is_none()) {
            return Ok(None);
        }
        let count = number(&get, &["WORLD_SIZE", "SLURM_NTASKS"], "the number of processes, 1 or more", 1..=MOST)?;
        let below = |all: usize| format!("a number below WORLD_SIZE, which is {all}");
        let rank = number(&get, &["RANK", "SLURM_PROCID"], &below(count), 0..=count - 1)?;
        let local_rank = number(&get, &["LOCAL_RANK", "SLURM_LOCALID"], &below(count), 0..=count - 1)?;
        let host = get("MASTER_ADDR")
            .ok_or_else(|| wrong(&["MASTER_ADDR"], "name or address of the first process's machine"))?;
        let port = number(&get, &["MASTER_PORT"], "a port from 1 to 65535, the same in all processes", 1..=65_535)?;
        let attempt = match get("TORCHELASTIC_RESTART_COUNT") {
            Some(_) => number(&get, &["TORCHELASTIC_RESTART_COUNT"], "0 or more", 0..=usize::MAX)?,
            None => 0,
        };
        Ok(Some(Self {
            part: Part { rank, count },
            local_rank,
            address: (host, u16::try_from(port).unwrap_or(u16::MAX)),
            is_store_outside: is_store_outside(get("TORCHELASTIC_USE_AGENT_STORE"))?,
            attempt,
            interface: get("GLOO_SOCKET_IFNAME"),
        }))
    }

    /// Whether this process holds the store of keys.
    pub fn holds_store(&self) -> bool {
        !self.is_store_outside && self.part.leads()
    }

    /// Who holds it, for people.
    pub fn store_holder(&self) -> &'static str {
        if self.is_store_outside { "the starter of the processes" } else { "process 0" }
    }

    /// Whether all processes are on this machine, by the address of the first one.
    pub fn is_on_one_machine(&self) -> bool {
        let host = self.address.0.as_str();
        host == "localhost" || host == "::1" || host.starts_with("127.")
    }
}

/// More processes than anybody has.
const MOST: usize = 1 << 20;

fn is_store_outside(value: Option<String>) -> Result<bool> {
    match value.as_deref() {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("true") || value == "1" => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("false") || value == "0" => Ok(false),
        Some(value) => Err(wrong(&["TORCHELASTIC_USE_AGENT_STORE"], "True or False").found(format!("{value:?}"))),
    }
}

/// The number of the first of these variables that is set.
fn number(
    get: &impl Fn(&str) -> Option<String>,
    names: &[&str],
    expected: &str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize> {
    let found = names.iter().find_map(|name| get(name).map(|value| (*name, value)));
    let Some((name, value)) = found else {
        return Err(wrong(names, expected));
    };
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| wrong(&[name], expected).found(format!("{value:?}")))
}

fn wrong(names: &[&str], expected: &str) -> Error {
    let what = format!("environment variable {} does not fit", names[0]);
    let others = names[1..].iter().map(|name| format!(" (or {name})")).collect::<String>();
    Error::new(ErrorKind::Usage, what).expected(expected).found(format!("it is not set{others}")).help(
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
    fn what_torchrun_says_is_read() {
        let found = read(&TORCHRUN).unwrap().unwrap();
        assert_eq!((found.part, found.local_rank), (Part { rank: 3, count: 8 }, 1));
        assert_eq!(found.address, ("node7".to_owned(), 29500));
        assert!(found.is_store_outside && !found.is_on_one_machine() && found.attempt == 0);
        let again = [&TORCHRUN[..], &[("TORCHELASTIC_RESTART_COUNT", "2"), ("GLOO_SOCKET_IFNAME", "eth1")]].concat();
        let again = read(&again).unwrap().unwrap();
        assert_eq!((again.attempt, again.interface.as_deref()), (2, Some("eth1")));
    }

    #[test]
    fn what_srun_says_counts_where_the_address_is_given() {
        let slurm = [("SLURM_PROCID", "2"), ("SLURM_NTASKS", "4"), ("SLURM_LOCALID", "0")];
        assert_eq!(read(&slurm).unwrap(), None);
        let address = [("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1")];
        let found = read(&[&slurm[..], &address].concat()).unwrap().unwrap();
        assert_eq!((found.part, found.local_rank), (Part { rank: 2, count: 4 }, 0));
        assert!(!found.is_store_outside && found.is_on_one_machine());
        let both = [&slurm[..], &TORCHRUN].concat();
        assert_eq!(read(&both).unwrap(), read(&TORCHRUN).unwrap());
    }

    #[test]
    fn without_variables_there_is_one_process() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&[("RANK", " "), ("LOCAL_RANK", "0")]).unwrap(), None);
    }

    /// Each names the variable, what it should be, and what it is.
    #[test]
    fn wrong_and_missing_variables_are_named() {
        for (name, value, expected, found) in [
            ("RANK", "8", "below WORLD_SIZE, which is 8", "\"8\""),
            ("RANK", "-1", "below WORLD_SIZE", "\"-1\""),
            ("RANK", "", "below WORLD_SIZE", "not set (or SLURM_PROCID)"),
            ("WORLD_SIZE", "0", "1 or more", "\"0\""),
            ("WORLD_SIZE", "two", "1 or more", "\"two\""),
            ("WORLD_SIZE", "", "1 or more", "not set (or SLURM_NTASKS)"),
            ("LOCAL_RANK", "", "below WORLD_SIZE", "not set (or SLURM_LOCALID)"),
            ("MASTER_ADDR", "", "name or address", "not set"),
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
