//! The catalogue: which exam types can be started, and the banks that open exams need.
//!
//! Input: Settings, and the texts of their bank files. Output: the rules of an exam type, and any bank version that
//! was ever used. Must not know: exams, the store, HTTP.

use crate::exam::bank::survey::warnings;
use crate::exam::bank::{Import, ItemBank};
use crate::exam::policy;
use crate::records::{self, Records};
use contract::settings::{Auth, BankFile, BankFrom, ExamType, SAMPLE_BANK, Shown};
use contract::{Fault, Settings};
use engine::{Estimator, Grid, Policy, Prior, Rule, Stop, When};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

/// Warnings on a bank's items that are told one by one.
const WARNINGS: usize = 10;

/// The rules of an exam type.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The policy.
    pub policy: Policy,
    /// The items.
    pub bank: Arc<ItemBank>,
    /// Longest time an exam may stay open, in milliseconds.
    pub lasts: u32,
    /// Time limit of an item, in seconds.
    pub item_seconds: Option<u32>,
    /// Most exams of this type for one examinee.
    pub attempts: Option<u32>,
    /// Whether a start returns the examinee's open exam.
    pub resume: bool,
    /// What students may see of the measurement.
    pub shown: Vec<Shown>,
}

/// Exam types and bank versions.
#[derive(Debug)]
pub struct Catalogue {
    exam_types: BTreeMap<String, Rules>,
    /// Versions by the names that Settings give them.
    names: BTreeMap<String, String>,
    notices: Vec<String>,
    kept_out: usize,
    // Never held across an await.
    versions: RwLock<HashMap<String, Arc<ItemBank>>>,
}

impl Catalogue {
    /// Builds the catalogue. `read` returns the bytes of a bank file. `stored` are the bank versions that Settings
    /// name; without them, exam types that use a stored version are not checked.
    ///
    /// # Errors
    /// Every fault of every bank and exam type.
    pub fn build(
        settings: &Settings,
        read: impl Fn(&str) -> Result<Vec<u8>, String>,
        stored: Option<&HashMap<String, Arc<ItemBank>>>,
    ) -> Result<Self, Vec<Fault>> {
        let (mut faults, mut notices, mut kept_out) = (Vec::new(), Vec::new(), 0);
        let mut banks = BTreeMap::from([(SAMPLE_BANK, Arc::new(ItemBank::sample()))]);
        for bank in &settings.banks {
            let BankFile { file, form } = match &bank.from {
                BankFrom::File(file) => file,
                BankFrom::Version { version } => {
                    banks.extend(
                        stored
                            .and_then(|stored| stored.get(version))
                            .map(|stored| (&*bank.name, Arc::clone(stored))),
                    );
                    continue;
                }
            };
            let bytes = read(file).map_err(|message| vec![Fault { field: String::new(), message }]);
            match bytes.and_then(|bytes| ItemBank::from_csv(&bytes, form)) {
                Ok(Import { bank: made, quarantined, ignored, notices: found }) => {
                    let of = |fault: Fault| format!("bank {}: {fault}", bank.name);
                    kept_out += quarantined.len();
                    notices.extend(found.into_iter().map(of));
                    notices.extend(quarantined.into_iter().map(|fault| format!("kept out of {}", of(fault))));
                    notices.extend(
                        ignored
                            .into_iter()
                            .map(|column| format!("bank {}: column {column:?} is not read", bank.name)),
                    );
                    let odd = warnings(&made);
                    let told = odd.iter().take(WARNINGS);
                    notices.extend(
                        told.map(|(item, reason)| format!("bank {}: item {item}: {reason}", bank.name)),
                    );
                    if odd.len() > WARNINGS {
                        let more = odd.len() - WARNINGS;
                        notices
                            .push(format!("bank {}: {more} more warnings; bank check lists them", bank.name));
                    }
                    banks.insert(&bank.name, Arc::new(made));
                }
                Err(found) => faults.extend(found.into_iter().map(|fault| Fault {
                    field: format!("bank {} ({file}) {}", bank.name, fault.field).trim_end().to_owned(),
                    message: fault.message,
                })),
            }
        }
        let mut exam_types = BTreeMap::new();
        for (name, exam_type) in &settings.exam_types {
            let Some(bank) = banks.get(exam_type.bank.as_str()) else { continue };
            // Students answer by themselves there, and may not send a grade.
            if matches!(settings.auth, Auth::Jwt { .. }) {
                faults.extend(without_key(name, exam_type, bank));
            }
            let checked = match &exam_type.policy {
                Some(written) => policy::read(written.clone().into(), bank),
                None => {
                    let policy = plain(exam_type, bank.len());
                    let faults = policy::check(&policy, bank);
                    if faults.is_empty() { Ok(policy) } else { Err(faults) }
                }
            };
            match checked {
                Ok(policy) => {
                    exam_types.insert(
                        name.clone(),
                        Rules {
                            policy,
                            bank: Arc::clone(bank),
                            lasts: exam_type.expires_after_seconds,
                            item_seconds: exam_type.item_seconds,
                            attempts: exam_type.attempts,
                            resume: exam_type.resume,
                            shown: exam_type.students_see.clone(),
                        },
                    );
                }
                Err(found) => faults.extend(found.into_iter().map(|fault| Fault {
                    field:
                        format!("exam_types.{name}.policy.{}", fault.field).trim_end_matches('.').to_owned(),
                    message: fault.message,
                })),
            }
        }
        let names =
            banks.iter().map(|(name, bank)| ((*name).to_owned(), bank.version().to_owned())).collect();
        let by_version = banks.into_values().map(|bank| (bank.version().to_owned(), bank)).collect();
        match faults.is_empty() {
            true => Ok(Self { exam_types, names, notices, kept_out, versions: RwLock::new(by_version) }),
            false => Err(faults),
        }
    }

    /// Loads the bank versions that Settings name from the database.
    ///
    /// # Errors
    /// Every version that is missing; database errors.
    pub async fn load_stored(
        settings: &Settings,
        records: &Records,
    ) -> Result<Result<HashMap<String, Arc<ItemBank>>, Vec<Fault>>, records::Error> {
        let (mut stored, mut faults) = (HashMap::new(), Vec::new());
        for (index, bank) in settings.banks.iter().enumerate() {
            let BankFrom::Version { version } = &bank.from else { continue };
            let body = records.bank(version).await?;
            let made = body.ok_or_else(|| "it was never imported".to_owned());
            match made.and_then(|body| ItemBank::from_body(&body)) {
                Ok(made) => drop(stored.insert(version.clone(), Arc::new(made))),
                Err(reason) => faults.push(Fault {
                    field: format!("banks[{index}].version"),
                    message: format!("the database has no bank {version}: {reason}"),
                }),
            }
        }
        Ok(if faults.is_empty() { Ok(stored) } else { Err(faults) })
    }

    /// The names that Settings give a version, and the exam types that use it.
    pub fn uses(&self, version: &str) -> (Vec<&str>, Vec<&str>) {
        let names = self.names.iter().filter(|(_, named)| *named == version);
        let types = self.exam_types.iter().filter(|(_, rules)| rules.bank.version() == version);
        (names.map(|(name, _)| name.as_str()).collect(), types.map(|(name, _)| name.as_str()).collect())
    }

    /// Stores every bank in the database, where open exams find it later.
    ///
    /// # Errors
    /// The database's.
    pub async fn store_banks(&self, records: &Records) -> Result<(), records::Error> {
        for rules in self.exam_types.values() {
            records.keep_bank(rules.bank.version(), rules.bank.body()).await?;
        }
        Ok(())
    }

    /// What an exam type stands for, if there is one of that name.
    pub fn rules(&self, exam_type: &str) -> Option<&Rules> {
        self.exam_types.get(exam_type)
    }

    /// All exam types, by name.
    pub fn exam_types(&self) -> impl Iterator<Item = (&str, &Rules)> {
        self.exam_types.iter().map(|(name, rules)| (name.as_str(), rules))
    }

    /// The rules of all exam types.
    pub fn all(&self) -> impl Iterator<Item = &Rules> {
        self.exam_types.values()
    }

    /// Quarantined rows of banks, and columns that were not read.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Number of faults that keep rows of banks out.
    pub fn kept_out(&self) -> usize {
        self.kept_out
    }

    /// The names of all exam types.
    pub fn names(&self) -> Vec<&str> {
        self.exam_types.keys().map(String::as_str).collect()
    }

    /// A bank version, from memory or from the database.
    ///
    /// # Errors
    /// Database errors; the version is missing or unreadable.
    pub async fn bank(&self, version: &str, records: &Records) -> Result<Arc<ItemBank>, records::Error> {
        let known =
            self.versions.read().expect("no holder of the versions should panic").get(version).cloned();
        if let Some(bank) = known {
            return Ok(bank);
        }
        let damaged = |reason: String| records::Error::Damaged(format!("bank version {version}: {reason}"));
        let body = records.bank(version).await?.ok_or_else(|| damaged("it is not there".to_owned()))?;
        let bank = Arc::new(ItemBank::from_body(&body).map_err(damaged)?);
        let mut versions = self.versions.write().expect("no holder of the versions should panic");
        Ok(Arc::clone(versions.entry(version.to_owned()).or_insert(bank)))
    }
}

/// The fault of an exam type whose bank has choices that nobody could grade.
fn without_key(name: &str, exam_type: &ExamType, bank: &ItemBank) -> Option<Fault> {
    let items: Vec<&str> =
        bank.items().iter().filter(|item| item.lacks_key()).map(|item| item.code.as_str()).collect();
    let (first, more) = (items.first()?, items.len() - 1);
    let others = if more == 0 { String::new() } else { format!(" and {more} more") };
    Some(Fault {
        field: format!("exam_types.{name}.bank"),
        message: format!(
            "bank {}: item {first:?}{others} has choices and no key, and students (auth.mode jwt) send choices, not grades; add the keys",
            exam_type.bank
        ),
    })
}

fn plain(exam_type: &ExamType, items: usize) -> Policy {
    let longest = exam_type.max_items.min(u32::try_from(items).unwrap_or(u32::MAX));
    Policy {
        start: engine::Start { theta: exam_type.start_theta, ..engine::Start::default() },
        estimator: Estimator::Eap {
            prior: Prior::Normal { mean: exam_type.prior_mean, sd: exam_type.prior_sd },
            grid: Grid { from: exam_type.grid_from, to: exam_type.grid_to, nodes: exam_type.grid_nodes },
        },
        stop: Stop {
            max_items: exam_type.max_items,
            max_seconds: exam_type.max_seconds,
            min_items: exam_type.min_items.unwrap_or(ExamType::MIN_ITEMS.min(longest)),
            rules: exam_type
                .target_standard_error
                .into_iter()
                .map(|at_most| Rule::StandardError { at_most })
                .collect(),
            when: When::Any,
        },
        ..Policy::default()
    }
}
